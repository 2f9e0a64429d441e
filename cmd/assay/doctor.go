package main

import (
	"context"
	"net"
	"os"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"assay/cause"
	"assay/data"
	"assay/evidence"
	"assay/internal/render"
	"assay/lookup"
	"assay/order"
	"assay/profile"
	"assay/review"
)

func (a *app) doctorCommand() *cobra.Command {
	var profileName, lists string
	var asJSON, connect bool
	var network *networkFlags
	c := &cobra.Command{
		Use:   "doctor",
		Short: a.text.Text("doctor.short"),
		Long:  a.text.Text("doctor.long"),
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			p, err := a.profile(profileName)
			if err != nil {
				return err
			}
			config, err := a.lists(lists)
			if err != nil {
				return err
			}
			if given := network.givenFlag(); given != "" && !connect {
				return a.usage("assay doctor --network "+given, "error.needs-network", "Flag", given)
			}
			return a.interruptible(c, func(ctx context.Context) error {
				checks, err := a.doctor(ctx, p, config, network, connect)
				if err != nil {
					return err
				}
				return a.showDoctor(checks, asJSON)
			})
		},
	}
	c.Flags().StringVar(&profileName, "profile", "cloud", a.text.Text("flag.profile"))
	c.Flags().StringVar(&lists, "lists", "", a.text.Text("flag.lists"))
	c.Flags().BoolVar(&asJSON, "json", false, a.text.Text("flag.json"))
	c.Flags().BoolVar(&connect, "network", false, a.text.Text("flag.network"))
	network = a.network(c)
	return c
}

// A checkup is one thing a review depends on.
type checkup struct {
	Topic string `json:"topic"` // "rules", "data", "lists", "clock", "network", "terminal"
	Name  string `json:"name"`
	// State is "ok", "missing" (something is not looked for), or "bad" (a check
	// that depends on it is unknown).
	State  string `json:"state"`
	Detail string `json:"detail"`
}

func (a *app) doctor(ctx context.Context, p *profile.Profile, config lookup.Config, network *networkFlags, connect bool) ([]checkup, error) {
	set, err := a.dataSet()
	if err != nil {
		return nil, err
	}
	checks := []checkup{{
		"rules", p.Name, "ok",
		a.text.Text("doctor.rules", "Rules", len(review.Implemented()), "All", len(cause.All())),
	}}
	checks = append(checks, a.dataCheckups(p, set)...)
	config.Data = set
	source, err := lookup.Open(config)
	if err != nil {
		return nil, err
	}
	defer source.Close()
	o := source.Answer(evidence.LookupQuestion{Topic: evidence.TopicInputs}, a.now())
	checks = append(checks, a.listCheckups(p, o.Lookup.Inputs, set)...)
	checks = append(checks, a.clockCheckup(set))
	if connect {
		tested, err := a.selfTest(ctx, network, set)
		if err != nil {
			return nil, err
		}
		checks = append(checks, tested...)
	} else {
		checks = append(checks, a.routeCheckups()...)
	}
	return append(checks, a.terminalCheckup()), nil
}

func (a *app) dataCheckups(p *profile.Profile, set *data.Set) []checkup {
	var checks []checkup
	for _, v := range a.snapshots(p, set) {
		c := checkup{"data", v.Name, "ok", v.Date}
		switch {
		case v.Error != "":
			c.State, c.Detail = "bad", v.Error
		case v.MostDays > 0 && v.Days > v.MostDays:
			c.State = "bad"
			c.Detail = a.text.Text("doctor.data-old", "Date", v.Date, "Days", v.Days, "Most", v.MostDays)
		case v.MostDays > 0:
			c.Detail = a.text.Text("doctor.data", "Date", v.Date, "Days", v.Days, "Most", v.MostDays)
		}
		checks = append(checks, c)
	}
	return checks
}

// listCheckups says what of the lists that an operator can set up is there.
func (a *app) listCheckups(p *profile.Profile, inputs []evidence.Input, set *data.Set) []checkup {
	known := map[string]bool{}
	for _, s := range set.Snapshots() {
		known[s.Name] = true
	}
	var checks []checkup
	for _, in := range inputs {
		if known[in.Name] {
			continue
		}
		c := checkup{"lists", in.Name, "ok", a.text.Count("doctor.list", in.Entries)}
		switch {
		case in.Error != "":
			c.State, c.Detail = "bad", in.Error
		case !in.Configured:
			c.State, c.Detail = "missing", a.text.Text("doctor.list-missing")
			if p.Level(cause.PolicyInputUnavailable, order.DV, "unconfigured").Blocks() && !slices.Contains(p.AcceptAbsent, in.Name) {
				c.State, c.Detail = "bad", a.text.Text("doctor.list-needed", "Profile", p.Name)
			}
		case p.MaxAge[in.Name] > 0 && !in.Date.IsZero() && a.now().Sub(in.Date) > time.Duration(p.MaxAge[in.Name])*24*time.Hour:
			c.State = "bad"
			c.Detail = a.text.Text("doctor.data-old", "Date", in.Date.Format("2006-01-02"),
				"Days", int(a.now().Sub(in.Date).Hours()/24), "Most", p.MaxAge[in.Name])
		}
		checks = append(checks, c)
	}
	return checks
}

func (a *app) clockCheckup(set *data.Set) checkup {
	now := a.now()
	if in := a.clock(&checkFlags{}, set); in != nil {
		return checkup{"clock", "system", "bad", in.Error}
	}
	return checkup{"clock", "system", "ok", now.UTC().Format("2006-01-02 15:04:05 UTC") + ", " + now.Format("15:04 MST -0700")}
}

// routeCheckups says which address families this machine has a way out by.
// Asking the kernel for a route sends nothing.
func (a *app) routeCheckups() []checkup {
	var checks []checkup
	for _, f := range []struct{ name, network, address string }{
		{"IPv4", "udp4", "198.41.0.4:53"},
		{"IPv6", "udp6", "[2001:503:ba3e::2:30]:53"},
	} {
		c := checkup{"network", f.name, "ok", a.text.Text("doctor.route")}
		if conn, err := net.Dial(f.network, f.address); err != nil {
			c.State, c.Detail = "missing", a.text.Text("doctor.no-route")
		} else {
			conn.Close()
		}
		checks = append(checks, c)
	}
	return checks
}

// selfTest asks the root servers, and the resolver if one is set, as every live
// check does before it begins.
func (a *app) selfTest(ctx context.Context, f *networkFlags, set *data.Set) ([]checkup, error) {
	n, err := a.resolve(f, set)
	if err != nil {
		return nil, err
	}
	place, err := a.place(n, a.now)
	if err != nil {
		return nil, err
	}
	show := a.lookProgress()
	show.say(a.text.Text("progress.self-test"))
	missing := place.SelfTest(ctx)
	show.clear()
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	checks := a.portCheckups(missing, n.Resolver)
	if n.Options != nil {
		checks = append(checks, checkup{"network", a.text.Text("footer.lab"), "ok", a.text.Text("footer.lab.means")})
	}
	return checks, nil
}

// portCheckups says what the self-test found of each family and transport.
func (a *app) portCheckups(missing []evidence.Missing, through string) []checkup {
	lacks := map[string]string{}
	for _, m := range missing {
		lacks[m.What] = m.Detail
	}
	var checks []checkup
	if detail, closed := lacks["dns"]; closed {
		c := checkup{"network", a.text.Text("doctor.port"), "missing", detail}
		if through == "" {
			c.State, c.Detail = "bad", a.text.Text("doctor.closed", "Detail", detail, "Try", throughResolver)
		}
		checks = append(checks, c)
	} else {
		for _, part := range []struct{ what, name string }{
			{"ipv4", "IPv4"}, {"ipv6", "IPv6"}, {"udp", a.text.Text("doctor.udp")}, {"tcp", a.text.Text("doctor.tcp")},
		} {
			c := checkup{"network", part.name, "ok", a.text.Text("doctor.works")}
			if detail, ok := lacks[part.what]; ok {
				c.State, c.Detail = "missing", detail
			}
			checks = append(checks, c)
		}
	}
	if through != "" {
		c := checkup{"network", through, "ok", a.text.Text("doctor.works")}
		if detail, ok := lacks["resolver"]; ok {
			c.State, c.Detail = "bad", detail
		}
		checks = append(checks, c)
	}
	return checks
}

func (a *app) terminalCheckup() checkup {
	c := checkup{"terminal", string(a.text.Lang()), "ok", a.text.Text("doctor.terminal", "Width", a.width(), "Color", a.style(a.out).Color)}
	if !a.utf8() {
		c.State, c.Detail = "missing", a.text.Text("doctor.not-utf8", "Locale", a.getenv("LANG"))
	}
	if _, err := os.Getwd(); err != nil {
		c.State, c.Detail = "bad", a.why(err)
	}
	return c
}

// showDoctor exits with 4 where a check would be unknown on this machine.
func (a *app) showDoctor(checks []checkup, asJSON bool) error {
	for _, c := range checks {
		if c.State == "bad" {
			a.exit = exitUnknown
		}
	}
	if asJSON {
		return a.writeJSON(checks)
	}
	p := a.page()
	topic := ""
	var rows [][]render.Cell
	flush := func() {
		p.Table(1, 2, rows)
		rows = nil
	}
	for _, c := range checks {
		if c.Topic != topic {
			flush()
			topic = c.Topic
			p.Blank()
			p.Line(p.Bold(a.text.Text("doctor.topic." + topic)))
		}
		rows = append(rows, []render.Cell{p.State(c.State), render.Plain(c.Name), render.Plain(render.Safe(c.Detail))})
	}
	flush()
	p.Blank()
	p.Paragraph(0, a.text.Text("doctor.legend", "OK", p.State("ok").Text, "Missing", p.State("missing").Text, "Bad", p.State("bad").Text))
	return a.print(p)
}
