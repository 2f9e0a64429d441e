package main

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/miekg/dns"
	"github.com/spf13/cobra"
	"golang.org/x/net/idna"

	"assay/cause"
	"assay/evidence"
	"assay/internal/render"
	"assay/internal/trace"
	"assay/probe/resolver"
)

func (a *app) dnsCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "dns",
		Short: a.text.Text("dns.short"),
		Args:  a.subcommandNeeded,
		RunE:  func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	var asJSON bool
	var network *networkFlags
	walk := &cobra.Command{
		Use: "trace NAME [TYPE]", Short: a.text.Text("dns.trace.short"), Long: a.text.Text("dns.trace.long"),
		Example: "  assay dns trace orchard.net TXT\n  assay dns trace _acme-challenge.orchard.net TXT --json", Args: cobra.RangeArgs(1, 2),
		RunE: func(c *cobra.Command, args []string) error {
			typ := "A"
			if len(args) == 2 {
				typ = args[1]
			}
			return a.interruptible(c, func(ctx context.Context) error { return a.trace(ctx, network, args[0], typ, asJSON) })
		},
	}
	walk.Flags().BoolVar(&asJSON, "json", false, a.text.Text("flag.json"))
	network = a.network(walk)
	c.AddCommand(walk)
	return c
}

// dnsQuestion reads a name and a type as people write them.
func (a *app) dnsQuestion(name, typ string) (evidence.DNSQuestion, error) {
	q := evidence.DNSQuestion{Type: strings.ToUpper(typ), Each: true}
	switch code, known := dns.StringToType[q.Type]; {
	case !known, code == dns.TypeANY, code == dns.TypeAXFR, code == dns.TypeIXFR, code == dns.TypeOPT, code == dns.TypeNone:
		return q, a.usage("assay dns trace "+strings.Join(quoteAll([]string{name}), "")+" TXT", "error.dns-type", "Type", typ)
	}
	if name == "." {
		return q, nil // the root
	}
	ascii, err := idna.Punycode.ToASCII(strings.TrimSuffix(strings.ToLower(name), "."))
	if _, ok := dns.IsDomainName(ascii); err != nil || !ok || ascii == "" || strings.ContainsAny(ascii, " /\\\"'") {
		return q, a.usage("assay dns trace orchard.net "+q.Type, "error.dns-name", "Name", name)
	}
	q.Name = ascii
	return q, nil
}

// trace resolves a name from the root and shows the way.
func (a *app) trace(ctx context.Context, f *networkFlags, name, typ string, asJSON bool) error {
	q, err := a.dnsQuestion(name, typ)
	if err != nil {
		return err
	}
	set, err := a.dataSet()
	if err != nil {
		return err
	}
	n, err := a.resolve(f, set)
	if err != nil {
		return err
	}
	c, err := n.DNS(a.now)
	if err != nil {
		return err
	}
	r, err := resolver.New(c)
	if err != nil {
		return err
	}
	show := a.lookProgress()
	show.say(a.text.Text("progress.self-test"))
	missing := r.SelfTest(ctx)
	show.say(a.text.Text("progress.trace", "Name", q.Name, "Type", q.Type))
	// What the self-test learnt is not part of the way.
	var recorder trace.Recorder
	c.Trace = recorder.Step
	if r, err = resolver.New(c); err != nil {
		return err
	}
	r.Missing(missing)
	look := r.Begin()
	answer, unknown := look.Answer(ctx, q)
	look.Close()
	show.clear()
	if err := ctx.Err(); err != nil {
		return err
	}
	var roots []string
	for _, s := range n.Hints {
		roots = append(roots, s.Name)
	}
	t := recorder.Trace(q.Name, q.Type, answer, roots, n.Resolver)
	t.Unknown, t.Lab = unknown, n.Options != nil
	a.exit = traceExit(t)
	if asJSON {
		return a.writeJSON(t)
	}
	anchors := make([]string, 0, len(n.Anchors))
	for _, k := range n.Anchors {
		anchors = append(anchors, strconv.Itoa(int(k.KeyTag)))
	}
	return a.print(a.tracePage(t, missing, strings.Join(anchors, ", ")))
}

// traceExit: answered (with records or without) 0, bogus 1, not answered 4.
func traceExit(t *trace.Trace) int {
	switch {
	case t.Answer == nil:
		return exitUnknown
	case t.Answer.Status == "bogus" || t.Answer.Security == "bogus":
		return exitRefuse
	case t.Answer.Status == "NOERROR" || t.Answer.Status == "NXDOMAIN":
		return exitPass
	}
	return exitUnknown
}

// isResolverFlag reports whether an argument sets the resolver already.
func isResolverFlag(arg string) bool {
	return arg == "--resolver" || strings.HasPrefix(arg, "--resolver=")
}

func (a *app) tracePage(t *trace.Trace, missing []evidence.Missing, anchors string) *render.Page {
	p := a.page()
	p.Blank()
	p.Line(p.Bold(render.Safe(t.Name) + " " + t.Type))
	for i := range t.Zones {
		a.traceZone(p, t.Name, &t.Zones[i], anchors)
	}
	p.Blank()
	a.traceAnswer(p, t)
	for _, m := range missing {
		p.Weak(0, p.State("missing").Text+" "+a.text.Text("missing."+m.What)+" ("+render.Safe(m.Detail)+")")
		if m.What == "dns" && t.Answer == nil && !slices.ContainsFunc(a.args, isResolverFlag) {
			p.Line("  " + a.text.Text("error.next") + " " + p.Command("assay "+strings.Join(quoteAll(a.args), " ")+" "+throughResolver))
		}
	}
	if t.Lab {
		p.Weak(0, a.text.Text("trace.lab"))
	}
	return p
}

func (a *app) traceZone(p *render.Page, followed string, z *trace.Zone, anchors string) {
	p.Blank()
	name, state := z.Name, ""
	var tags []string
	for _, tag := range z.DS {
		tags = append(tags, strconv.Itoa(tag))
	}
	switch {
	case z.Resolver != "":
		name, state = z.Resolver, a.text.Text("trace.resolver")
	case z.Name == "":
		name, state = ".", a.text.Text("trace.root", "Tags", anchors)
	case z.Signed:
		state = a.text.Text("trace.signed", "Tags", strings.Join(tags, ", "))
	default:
		state = a.text.Text("trace.unsigned")
	}
	if z.Trust == "bogus" || z.Trust == "indeterminate" {
		state = a.text.Text("trace.trust-" + z.Trust)
	}
	p.Line(p.Mark() + " " + p.Bold(render.Safe(name)) + "  " + p.Faint(state))
	var rows [][]render.Cell
	for _, e := range z.Exchanges {
		at := e.Address
		if e.Transport != "udp" {
			at += " " + e.Transport
		}
		asked := e.Type
		if e.Name != z.Name && e.Name != followed {
			asked += " " + e.Name
		}
		rows = append(rows, []render.Cell{
			render.Plain(render.Safe(e.Server)), render.FaintCell(at), render.FaintCell(fmt.Sprintf("%.1f ms", e.Millis)),
			render.Plain(render.Safe(asked)), a.exchangeCell(&e),
		})
	}
	if first := columns(rows, 4); first+leastResult <= p.Width {
		p.Table(2, 4, rows)
		return
	}
	for _, row := range rows {
		p.Weak(2, strings.Join([]string{row[0].Text, row[1].Text, row[2].Text}, "  "))
		p.Paragraph(4, row[3].Text+"  "+row[4].Text)
	}
}

// leastResult is the least room that the result of an exchange is laid out in
// beside the server; narrower, it goes below.
const leastResult = 16

// columns is how wide the first n columns of a table are.
func columns(rows [][]render.Cell, n int) int {
	total := 2
	for i := range n {
		widest := 0
		for _, row := range rows {
			widest = max(widest, render.Width(row[i].Text))
		}
		total += widest + 2
	}
	return total
}

// algorithm is what the list of a zone's keys says after each key's tag.
var algorithm = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(` \([A-Z0-9]+\)`) })

func (a *app) exchangeCell(e *trace.Exchange) render.Cell {
	data := render.Safe(strings.Join(e.Data, ", "))
	if e.Type == "DNSKEY" {
		data = algorithm().ReplaceAllString(data, "")
	}
	switch e.Kind {
	case "answer", "alias":
		return render.Plain(data)
	case "referral":
		return render.Plain(a.text.Text("trace.referral", "Zone", render.Safe(e.Cut), "Servers", data))
	case "error":
		status := e.Status
		if id := "status." + e.Status; a.text.Has(id) {
			status = a.text.Text(id)
		}
		return render.BoldCell(status)
	}
	return render.Plain(a.text.Text("trace." + e.Kind))
}

// traceAnswer writes what is known in the end: the records, the state, why.
func (a *app) traceAnswer(p *render.Page, t *trace.Trace) {
	if t.Answer == nil {
		why := render.Safe(t.Unknown)
		if id := "unknown." + t.Unknown; a.text.Has(id) {
			why = a.text.Text(id)
		}
		p.Leveled(cause.Unknown, a.text.Text("trace.not-asked", "Why", why))
		return
	}
	var rows [][]render.Cell
	for _, r := range t.Answer.Answer {
		if r.Type == "RRSIG" && t.Type != "RRSIG" {
			continue
		}
		rows = append(rows, []render.Cell{
			render.Plain(render.Safe(r.Owner)), render.FaintCell(cause.FormatDuration(seconds(r.TTL), a.text.Lang())),
			render.Plain(r.Type), render.BoldCell(render.Safe(r.Data)),
		})
	}
	p.Table(0, 3, rows)
	switch t.Answer.Status {
	case "NOERROR":
		if len(rows) == 0 {
			p.Strong(0, a.text.Text("trace.end-no-data", "Name", render.Safe(t.Name), "Type", t.Type))
		}
	case "NXDOMAIN":
		p.Strong(0, a.text.Text("trace.end-no-name", "Name", render.Safe(t.Name)))
	default:
		if id := "trace.end-" + t.Answer.Status; a.text.Has(id) {
			p.Strong(0, a.text.Text(id))
		} else {
			p.Strong(0, t.Answer.Status)
		}
	}
	a.traceSecurity(p, t.Answer)
}

var securityLevels = map[string]cause.Level{"secure": cause.Pass, "insecure": cause.Info, "bogus": cause.Refuse, "indeterminate": cause.Unknown}

func (a *app) traceSecurity(p *render.Page, answer *evidence.DNSAnswer) {
	if answer.Security == "" {
		return
	}
	text := a.text.Text("security." + answer.Security)
	for _, l := range answer.Links {
		if l.Security != answer.Security || l.Reason == "" {
			continue
		}
		zone := l.FaultZone
		if zone == "" {
			zone = l.Zone
		}
		text += a.text.Text("punctuation.colon") + a.text.Text("reason."+l.Reason, "Zone", render.Safe(zone), "Tag", l.KeyTag,
			"From", utc(l.ValidFrom), "Until", utc(l.ValidUntil))
		break
	}
	p.Leveled(securityLevels[answer.Security], text)
}

// utc writes a time of the evidence for a reader.
func utc(rfc3339 string) string {
	t, err := time.Parse(time.RFC3339, rfc3339)
	if err != nil {
		return rfc3339
	}
	return t.UTC().Format("2006-01-02 15:04 UTC")
}

func seconds(n int) time.Duration { return time.Duration(n) * time.Second }
