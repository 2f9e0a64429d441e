package main

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"assay"
	"assay/cause"
	"assay/internal/render"
	"assay/lookup"
	"assay/order"
	"assay/profile"
	"assay/review"
)

// checkFlags are the flags of assay check.
type checkFlags struct {
	help    string // the command to suggest instead of assay check
	offline bool
	csr     string
	product string
	order   string
	profile string
	at      string
	history string
	lists   string
	record  string
	json    bool
	method  string
	expect  []string
	failOn  string
	redact  bool
	plan    string
	batch   string
	also    bool
	watch   bool
	places  string // the file of remote perspectives
	network *networkFlags
}

func (a *app) checkCommand() *cobra.Command {
	var f checkFlags
	c := &cobra.Command{
		Use:     "check [NAME…] [--offline] [--csr FILE] [--order FILE] [--watch]",
		Short:   a.text.Text("check.short"),
		Long:    a.text.Text("check.long"),
		Example: a.text.Text("check.example"),
		RunE: func(c *cobra.Command, names []string) error {
			if err := a.fitting(c, &f); err != nil {
				return err
			}
			if !c.Flags().Changed("profile") {
				f.profile = defaultProfile(order.Method(f.method))
			}
			switch {
			case f.batch != "":
				return a.batch(c, &f, names)
			case f.watch:
				return a.interruptible(c, func(ctx context.Context) error { return a.watch(ctx, &f, names) })
			}
			return a.interruptible(c, func(ctx context.Context) error { return a.check(ctx, &f, names) })
		},
	}
	s := c.Flags()
	s.SortFlags = false
	s.BoolVar(&f.offline, "offline", false, a.text.Text("flag.offline"))
	s.StringVar(&f.csr, "csr", "", a.text.Text("flag.csr"))
	s.StringVar(&f.product, "product", "", a.text.Text("flag.product"))
	s.StringVar(&f.order, "order", "", a.text.Text("flag.order"))
	s.StringVar(&f.profile, "profile", "cloud", a.text.Text("flag.check-profile"))
	s.StringVar(&f.at, "at", "", a.text.Text("flag.at"))
	s.StringVar(&f.history, "history", "", a.text.Text("flag.history"))
	s.StringVar(&f.lists, "lists", "", a.text.Text("flag.lists"))
	s.StringVar(&f.record, "record", "", a.text.Text("flag.record"))
	s.BoolVar(&f.json, "json", false, a.text.Text("flag.json"))
	s.StringVar(&f.method, "method", "", a.text.Text("flag.method"))
	s.StringArrayVar(&f.expect, "expect", nil, a.text.Text("flag.expect"))
	s.StringVar(&f.failOn, "fail-on", "", a.text.Text("flag.fail-on"))
	s.BoolVar(&f.redact, "redact", false, a.text.Text("flag.redact"))
	s.StringVar(&f.plan, "plan", "", a.text.Text("flag.plan"))
	s.StringVar(&f.batch, "batch", "", a.text.Text("flag.batch"))
	s.BoolVar(&f.also, "also", false, a.text.Text("flag.also"))
	s.BoolVar(&f.watch, "watch", false, a.text.Text("flag.watch"))
	s.StringVar(&f.places, "perspectives", "", a.text.Text("flag.perspectives"))
	f.network = a.network(c)
	return c
}

// defaultProfile is whose rules a check goes by where none are named: those of
// letsencrypt for a method of ACME that cloud does not offer.
func defaultProfile(m order.Method) string {
	switch m {
	case order.MethodHTTP01, order.MethodDNS01, order.MethodTLSALPN01:
		return "letsencrypt"
	}
	return "cloud"
}

// fitting refuses flags that contradict each other.
func (a *app) fitting(c *cobra.Command, f *checkFlags) error {
	contradicts := func(one, other string) error {
		return a.usage("assay check --help", "error.contradict", "One", one, "Other", other)
	}
	if f.offline {
		if f.watch {
			return contradicts("--offline", "--watch")
		}
		if f.places != "" {
			return contradicts("--offline", "--perspectives")
		}
		if given := f.network.givenFlag(); given != "" {
			return contradicts("--offline", given)
		}
	}
	if f.watch {
		for _, flag := range []string{"batch", "at"} {
			if c.Flags().Changed(flag) {
				return contradicts("--watch", "--"+flag)
			}
		}
	}
	return nil
}

// A prepared check is everything a review needs: the order, and a reviewer that
// looks where the flags say.
type prepared struct {
	order    *order.Order
	reviewer *assay.Reviewer
	failOn   cause.Level
	source   *lookup.Source // to be closed
}

func (a *app) prepare(ctx context.Context, f *checkFlags, names []string) (*prepared, error) {
	failOn, err := a.failOn(f.failOn)
	if err != nil {
		return nil, err
	}
	o, err := a.assemble(f, names)
	if err != nil {
		return nil, err
	}
	r, err := a.reviewer(f, true)
	if err != nil {
		return nil, err
	}
	source, err := a.withRecords(f, r)
	if err != nil {
		return nil, err
	}
	if r, err = a.knowing(r, source, o.History, f.order); err == nil && !f.offline {
		err = a.lookLive(ctx, f, r)
	}
	if err != nil {
		return nil, errors.Join(err, source.Close())
	}
	return &prepared{order: o.Resolve(), reviewer: r, failOn: failOn, source: source}, nil
}

func (a *app) check(ctx context.Context, f *checkFlags, names []string) error {
	p, err := a.prepare(ctx, f, names)
	if err != nil {
		return err
	}
	defer p.source.Close()
	report, err := a.look(ctx, p)
	if err != nil {
		return err
	}
	if f.redact {
		report.Redact()
	}
	if err := a.record(f.record, report); err != nil {
		return err
	}
	a.exit = outcome(report, p.failOn)
	if f.json {
		return a.writeJSON(report)
	}
	_, err = a.out.Write([]byte(render.Report(report, a.text, render.Options{
		Style: a.style(a.out), Width: a.width(), Zone: time.Local, Next: a.nextCommands(f, report, names),
	})))
	return err
}

// reviewer is the library's reviewer as the flags want it.
func (a *app) reviewer(f *checkFlags, also bool) (*assay.Reviewer, error) {
	p, err := a.profile(f.profile)
	if err != nil {
		return nil, err
	}
	at, err := a.time(f.at)
	if err != nil {
		return nil, err
	}
	set, err := a.dataSet()
	if err != nil {
		return nil, err
	}
	r := &assay.Reviewer{Profile: p, Data: set, Lang: a.text.Lang(), Now: func() time.Time { return at }}
	if also {
		for _, name := range profile.Embedded() {
			if name == p.Name {
				continue
			}
			other, err := profile.Named(name)
			if err != nil {
				return nil, err
			}
			r.Also = append(r.Also, other)
		}
	}
	return r, nil
}

// time reads --at; without it the time is now, to the second.
func (a *app) time(text string) (time.Time, error) {
	if text == "" {
		return a.now().UTC().Truncate(time.Second), nil
	}
	t, err := time.Parse(time.RFC3339, text)
	if err == nil {
		return t.UTC(), nil
	}
	for _, layout := range []string{"2006-01-02T15:04:05", "2006-01-02 15:04:05", "2006-01-02T15:04", "2006-01-02 15:04", "2006-01-02"} {
		if t, err := time.Parse(layout, text); err == nil {
			return t, a.usage("--at "+t.Format("2006-01-02T15:04:05")+"Z", "error.time-offset", "Value", text)
		}
	}
	return time.Time{}, a.usage("--at "+a.now().UTC().Format("2006-01-02T15:04:05")+"Z", "error.time", "Value", text)
}

// failOn reads --fail-on; "" means what blocks.
func (a *app) failOn(text string) (cause.Level, error) {
	level := cause.Level(strings.ToLower(text))
	if text == "" || level != cause.Pass && slices.Contains(cause.Levels(), level) {
		return level, nil
	}
	return "", a.usage("assay help exit-codes", "error.one-of", "Flag", "--fail-on", "Value", text,
		"Allowed", "refuse, review, unknown, wait, warn, info")
}

// outcome is the exit code of one report. With failOn a finding at or above
// that level fails the check; one below it does not.
func outcome(r *review.Report, failOn cause.Level) int {
	if failOn == "" {
		return exitCode(r.Verdict)
	}
	gravest := cause.Pass
	for i := range r.Findings {
		if l := r.Findings[i].Level; l.Rank() < gravest.Rank() {
			gravest = l
		}
	}
	if gravest.Rank() > failOn.Rank() {
		return exitPass
	}
	return levelExit(gravest)
}

// nextCommands are what to type after this report.
func (a *app) nextCommands(f *checkFlags, r *review.Report, names []string) []string {
	lang := ""
	if a.flags.lang != "" {
		lang = " --lang " + a.flags.lang
	}
	var next []string
	if !f.offline {
		next = a.nextLook(r)
	}
	if r.Verdict != review.VerdictPass {
		if id := render.Gravest(r); id != "" {
			next = append(next, "assay causes "+string(id)+lang)
		}
		return next
	}
	dns := slices.DeleteFunc(slices.Clone(r.Order.Names), func(n string) bool { return !plain(n) })
	if r.Order.CSR == "" && len(dns) > 0 && len(dns) <= 8 {
		next = append(next, "assay csr new "+strings.Join(quoteAll(dns), " ")+lang)
	}
	return next
}

// nextLook are the commands with which to look again: through a resolver where
// port 53 is closed, until it passes where waiting can help.
func (a *app) nextLook(r *review.Report) []string {
	command := "assay " + strings.Join(quoteAll(typed(a.args, r.Redacted)), " ")
	switch {
	case lacking(r, "resolver"):
		return []string{"assay doctor --network --resolver " + r.Perspectives[0].Resolver}
	case lacking(r, "dns") && r.Perspectives[0].Resolver == "":
		return []string{command + " " + throughResolver}
	case r.Verdict == review.VerdictWait && len(r.Readiness) == 0 && r.Order.Names != nil:
		return []string{command + " --watch"}
	}
	return nil
}

// typed is what was typed, under a redacted report without the values expected.
func typed(args []string, redacted bool) []string {
	if !redacted {
		return args
	}
	args = slices.Clone(args)
	for i := range args {
		switch {
		case i > 0 && args[i-1] == "--expect":
			args[i] = "VALUE"
		case strings.HasPrefix(args[i], "--expect="):
			args[i] = "--expect=VALUE"
		}
	}
	return args
}

// throughResolver is what to try where port 53 is closed.
const throughResolver = "--resolver https://RESOLVER/dns-query"

// lacking reports whether something does not work at this machine.
func lacking(r *review.Report, what string) bool {
	return len(r.Perspectives) > 0 && r.Perspectives[0].Lacks(what)
}

func quoteAll(args []string) []string {
	out := make([]string, len(args))
	for i, s := range args {
		out[i] = s
		if !plain(s) {
			out[i] = "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
		}
	}
	return out
}

// plain is true for a word that a shell takes as it is.
func plain(s string) bool {
	for i := 0; i < len(s); i++ {
		c := s[i]
		if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("._-/:@+,", c) >= 0) {
			return false
		}
	}
	return s != ""
}
