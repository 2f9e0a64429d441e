package main

import (
	"context"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"assay/cause"
	"assay/csr"
	"assay/internal/render"
	"assay/key"
	"assay/order"
	"assay/review"
)

func (a *app) csrInspectCommand() *cobra.Command {
	var f checkFlags
	c := &cobra.Command{
		Use:     "inspect FILE|-",
		Short:   a.text.Text("csr.inspect.short"),
		Long:    a.text.Text("csr.inspect.long"),
		Example: "  assay csr inspect shop.csr\n  openssl req -new -key shop.key -subj /CN=shop.orchard.net | assay csr inspect -",
		Args:    cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			return a.inspectCSR(c.Context(), &f, args[0])
		},
	}
	c.Flags().StringVar(&f.profile, "profile", "cloud", a.text.Text("flag.profile"))
	c.Flags().StringVar(&f.lists, "lists", "", a.text.Text("flag.lists"))
	c.Flags().BoolVar(&f.json, "json", false, a.text.Text("flag.json"))
	return c
}

// A csrView is what a request asks for.
type csrView struct {
	Subject       []string `json:"subject"`
	Names         []string `json:"names"`
	Key           string   `json:"key"`
	Keyprint      string   `json:"keyprint"`
	Signature     string   `json:"signature"`
	SignatureGood bool     `json:"signature_good"`
	EKUs          []string `json:"extended_key_usages,omitempty"`
	Asks          []string `json:"asks,omitempty"`
	Repairs       []string `json:"repairs,omitempty"`
	SHA256        string   `json:"sha256"`
}

func (a *app) inspectCSR(ctx context.Context, f *checkFlags, path string) error {
	text, err := a.readCSR(path, "assay csr new NAME")
	if err != nil {
		return err
	}
	r, err := a.reviewer(f, false)
	if err != nil {
		return err
	}
	source, err := a.withRecords(f, r)
	if err != nil {
		return err
	}
	defer source.Close()
	request, _ := csr.Read(text)
	report, err := r.Review(ctx, &order.Order{Product: order.DV, CSR: text, Names: namesAsked(request)})
	if err != nil {
		return err
	}
	findings := slices.DeleteFunc(slices.Clone(report.Findings), func(f review.Finding) bool { return aboutOrder(&f) })
	report.Findings = findings
	report.Verdict = verdict(findings)
	a.exit = exitCode(report.Verdict)
	request, _ = csr.Read(report.Order.CSR)
	view := viewCSR(request, text)
	if f.json {
		return a.writeJSON(struct {
			Request  *csrView         `json:"request"`
			Profile  string           `json:"profile"`
			Verdict  review.Verdict   `json:"verdict"`
			Findings []review.Finding `json:"findings"`
		}{view, report.Profile.Name, report.Verdict, findings})
	}
	p := a.page()
	if view != nil {
		a.showCSR(p, view)
		p.Blank()
	}
	p.Line(" " + p.Verdict(report.Verdict, a.text.Text("level."+string(report.Verdict))) + " " +
		a.text.Text("order.profile", "Profile", render.Safe(report.Profile.Name)))
	if len(findings) == 0 {
		p.Paragraph(1, a.text.Text("csr.nothing-wrong"))
	}
	p.Findings(findings)
	return a.print(p)
}

// namesAsked are the names that a certificate for the request would have.
func namesAsked(r *csr.Request) []string {
	if r == nil {
		return nil
	}
	if names := r.Names(); len(names) > 0 {
		return names
	}
	return slices.DeleteFunc(r.CommonNames(), func(n string) bool { return strings.TrimSpace(n) == "" })
}

// aboutOrder reports whether a finding is about an order, and not about the request,
// its names or its key.
func aboutOrder(f *review.Finding) bool {
	switch f.Stage {
	case "name", "key":
		return false
	case "csr":
		return f.Cause == cause.CSRNamesDifferFromOrder || f.Cause == cause.CSRCommonNameNotListed
	}
	return true
}

// verdict is the gravest level of some findings.
func verdict(findings []review.Finding) review.Verdict {
	v := review.VerdictPass
	for i := range findings {
		if l := findings[i].Level; l.Blocks() {
			v = gravestVerdict(v, review.Verdict(l))
		}
	}
	return v
}

// viewCSR describes a request; pasted is the text before it was put right.
func viewCSR(r *csr.Request, pasted string) *csrView {
	if r == nil {
		return nil
	}
	v := &csrView{
		Subject: []string{}, Names: []string{}, Key: r.Key.Describe(), Keyprint: key.Print(r.Key),
		Signature: r.Signature.Name, SignatureGood: r.Verify().OK, EKUs: r.EKUs, SHA256: r.SHA256,
	}
	for _, s := range r.Subject {
		v.Subject = append(v.Subject, s.Name+"="+s.Value)
	}
	for _, s := range r.SANs {
		value := s.Value
		if s.Kind != "dns" {
			value = s.Kind + ":" + value
		}
		v.Names = append(v.Names, value)
	}
	for word, asked := range map[string]bool{"ca": r.CA, "must-staple": r.MustStaple, "challenge-password": r.ChallengePassword} {
		if asked {
			v.Asks = append(v.Asks, word)
		}
	}
	slices.Sort(v.Asks)
	if asPasted, _ := csr.Read(pasted); asPasted != nil {
		for _, repair := range asPasted.Repairs {
			v.Repairs = append(v.Repairs, string(repair))
		}
	}
	return v
}

func (a *app) showCSR(p *render.Page, v *csrView) {
	column := p.Column("csr.subject", "csr.names", "csr.key", "csr.signature", "csr.asks", "csr.repairs", "csr.keyprint")
	row := func(id string, parts []string) {
		if text := cause.FormatValue(parts, a.text.Lang()); text != "" {
			p.Row(1, column, a.text.Text(id), render.Safe(text))
		}
	}
	row("csr.subject", v.Subject)
	row("csr.names", v.Names)
	row("csr.key", []string{v.Key})
	row("csr.signature", []string{v.Signature + " " + a.text.Text("csr.signature."+yesNo(v.SignatureGood))})
	row("csr.asks", append(slices.Clone(v.EKUs), v.Asks...))
	row("csr.repairs", v.Repairs)
	row("csr.keyprint", []string{strings.TrimSpace(v.Keyprint)})
}
