package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"assay/internal/render"
	"assay/lab"
	"assay/probe/dial"
)

func (a *app) labServeCommand() *cobra.Command {
	var f labFlags
	c := &cobra.Command{
		Use: "serve [SCENARIO]", Short: a.text.Text("lab.serve.short"), Long: a.text.Text("lab.serve.long"),
		Example: "  assay lab serve dns.value-altered\n  assay lab serve --value bjkmmpymzfh8mkr56xt9pdayjz\n  assay lab serve --real", Args: cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			return a.interruptible(c, func(ctx context.Context) error {
				return a.labServe(ctx, strings.Join(args, ""), &f)
			})
		},
	}
	c.Flags().StringVar(&f.dir, "dir", "", a.text.Text("flag.lab-dir"))
	c.Flags().StringVar(&f.place, "place", "P0", a.text.Text("flag.lab-place"))
	c.Flags().StringVar(&f.value, "value", lab.Value, a.text.Text("flag.lab-value"))
	c.Flags().BoolVar(&f.real, "real", false, a.text.Text("flag.lab-real"))
	return c
}

// labFlags are the flags of assay lab serve.
type labFlags struct {
	dir, place, value string
	real              bool
}

// labValue is what a value that a laboratory publishes may be: it stands between
// quotes in a zone, and bare in files.
var labValue = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[0-9A-Za-z_-]{1,200}$`) })

// labServe runs a world on the machine's own clock until Ctrl-C, and prints how
// to look at it.
func (a *app) labServe(ctx context.Context, id string, f *labFlags) error {
	if !labValue().MatchString(f.value) {
		return a.usage("assay lab serve --help", "error.lab-value")
	}
	s := &lab.Scenario{}
	if id != "" {
		var err error
		if s, err = a.scenario(id); err != nil {
			return err
		}
	}
	w, err := lab.New(s.World, lab.Options{Clock: a.now, Loopback: loopback(f.real), Value: f.value})
	if err != nil {
		return err
	}
	if err := w.Start(); err != nil {
		if f.real {
			return a.usage("assay lab serve "+id, "error.lab-real", "Why", err)
		}
		return err
	}
	defer w.Close()
	probes := w.Probes()
	i := slices.IndexFunc(probes, func(p lab.Probe) bool { return p.Place.ID == f.place })
	if i < 0 {
		var ids []string
		for _, p := range probes {
			ids = append(ids, p.Place.ID)
		}
		return a.usage("assay lab serve --help", "error.one-of", "Flag", "--place", "Value", f.place, "Allowed", strings.Join(ids, ", "))
	}
	dir := f.dir
	if dir == "" {
		if dir, err = os.MkdirTemp("", "assay-lab-"); err != nil {
			return err
		}
		defer os.RemoveAll(dir)
	} else if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	config, err := probes[i].WriteSettings(dir)
	if err != nil {
		return err
	}
	check, err := a.labCheck(dir, config, f.value, s)
	if err != nil {
		return err
	}
	through, err := w.ServeResolver(netip.MustParseAddrPort("127.0.0.1:0"))
	if err != nil {
		return err
	}
	if err := a.showLab(labServers(w, through, f.real), s, config, check); err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGTERM)
	defer stop()
	<-ctx.Done()
	return nil
}

// labCheck is the command that reviews the scenario's order, or a healthy one.
// The order's time was that of the scenario; here it is now.
func (a *app) labCheck(dir, config, value string, s *lab.Scenario) (string, error) {
	if s.Order == nil {
		return "assay check orchard.net --config " + config + " --method dns --expect " + value, nil
	}
	o := *s.Order
	if !o.SubmittedAt.IsZero() {
		o.SubmittedAt = a.now().UTC().Add(o.SubmittedAt.Sub(s.At)).Truncate(time.Second)
	}
	raw, err := json.MarshalIndent(o, "", "  ")
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "order.json")
	profile := ""
	if s.Profile != "cloud" {
		profile = " --profile " + s.Profile
	}
	return "assay check --config " + config + " --order " + path + profile, os.WriteFile(path, append(raw, '\n'), 0o600)
}

// showLab prints where the servers of a world are and what to type.
func (a *app) showLab(servers []labServer, s *lab.Scenario, config, check string) error {
	text, p := a.text, a.page()
	if s.ID == "" {
		p.Strong(0, text.Text("lab.serving-healthy"))
	} else {
		p.Strong(0, text.Text("lab.serving", "ID", s.ID, "Name", render.Safe(s.Name)))
	}
	p.Blank()
	p.Paragraph(0, text.Text("lab.with-assay"))
	for _, command := range []string{check, "assay dns trace _dnsauth.orchard.net TXT --config " + config} {
		p.Line("  " + p.Command(command))
	}
	p.Blank()
	p.Paragraph(0, text.Text("lab.with-dig"))
	column := 0
	for _, server := range servers {
		column = max(column, len(server.name)+2)
	}
	for _, server := range servers {
		// A command stays on one line, so that it can be pasted.
		p.Line("  " + p.Faint(render.Pad(server.name, column)) + p.Command(server.command))
	}
	p.Blank()
	p.Weak(0, text.Text("lab.stop"))
	return a.print(p)
}

type labServer struct{ name, command string }

// labServers lists the servers of a world by their public-looking address, with
// the command that asks each, and a resolver of its own for everything else. On
// real addresses those of the healthy world are listed.
func labServers(w *lab.World, through netip.AddrPort, real bool) []labServer {
	m := w.DialMap()
	if real {
		m = dial.Map{}
		for address, port := range map[string]uint16{
			lab.AddressRoot: 53, lab.AddressTLDServer: 53, lab.AddressNS1: 53, lab.AddressNS2: 53, lab.AddressWeb1: 80,
		} {
			at := netip.MustParseAddr(address).As4()
			at[0], at[1] = 127, labLoopback
			called := netip.AddrPortFrom(netip.AddrFrom4(at), port)
			m[dial.Endpoint{Network: map[uint16]string{53: "udp", 80: "tcp"}[port], AddrPort: called}] = called
		}
	}
	var at []dial.Endpoint
	for e := range m {
		if e.Port() == 53 && e.Network == "udp" || e.Port() != 53 && e.Network == "tcp" {
			at = append(at, e)
		}
	}
	slices.SortFunc(at, func(x, y dial.Endpoint) int { return x.Compare(y.AddrPort) })
	list := make([]labServer, 0, len(at)+1)
	for _, e := range at {
		list = append(list, labServer{e.String(), clientCommand(e.AddrPort, m[e])})
	}
	return append(list, labServer{"resolver", fmt.Sprintf("dig @%s -p %d orchard.net A", through.Addr(), through.Port())})
}

// clientCommand asks one server with dig or curl, which know no dial map.
func clientCommand(called, really netip.AddrPort) string {
	port := strconv.Itoa(int(really.Port()))
	switch called.Port() {
	case 53:
		return fmt.Sprintf("dig @%s -p %s _dnsauth.orchard.net TXT +norecurse", really.Addr(), port)
	case 443:
		return fmt.Sprintf("curl -k --connect-to orchard.net:443:%s:%s https://orchard.net%sfileauth.txt", bracketed(really.Addr()), port, lab.FilePath)
	}
	host := "orchard.net"
	if called.Port() != 80 {
		host += ":" + strconv.Itoa(int(called.Port()))
	}
	return fmt.Sprintf("curl --connect-to orchard.net:%d:%s:%s http://%s%sfileauth.txt", called.Port(), bracketed(really.Addr()), port, host, lab.FilePath)
}

func bracketed(a netip.Addr) string {
	if a.Is6() {
		return "[" + a.String() + "]"
	}
	return a.String()
}

// labLoopback is the second octet of the addresses of --real: 127.155.10.11
// stands for 45.155.10.11.
const labLoopback = 155

func loopback(real bool) uint8 {
	if real {
		return labLoopback
	}
	return 0
}
