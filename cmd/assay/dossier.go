package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"assay/internal/client"
	"assay/internal/render"
	"assay/internal/service"
	"assay/internal/strict"
	"assay/order"
)

// maxSnapshotBytes bounds what a claim keeps the digest of.
const maxSnapshotBytes = 64 << 20

func (a *app) orgCommand() *cobra.Command     { return a.dossierCommand("org", "organization") }
func (a *app) contactCommand() *cobra.Command { return a.dossierCommand("contact", "contact") }
func (a *app) domainCommand() *cobra.Command  { return a.dossierCommand("domain", "domain") }

// dossierCommand is what is done with dossiers of one kind.
func (a *app) dossierCommand(word, kind string) *cobra.Command {
	c := &cobra.Command{Use: word, Short: a.text.Text(word + ".short"), Long: a.text.Text(word + ".long"), RunE: a.subcommandNeeded}
	c.AddCommand(a.dossierNewCommand(word, kind), a.dossierListCommand(word, kind), a.dossierVerifyCommand(word))
	for _, act := range []struct{ word, method, tail string }{
		{"show", http.MethodGet, ""}, {"submit", http.MethodPost, "/submit"}, {"delete", http.MethodDelete, ""}, {"erase", http.MethodPost, "/erase"},
	} {
		c.AddCommand(a.dossierActCommand(word, act.word, act.method, act.tail))
	}
	if kind != "domain" {
		c.AddCommand(a.dossierChangeCommand(word, kind))
	}
	return c
}

func dossierPath(id string) string { return "/dossiers/" + url.PathEscape(id) }

// dossierForm reads an organization or a contact: YAML or JSON with the fields of
// an order file.
func (a *app) dossierForm(r *service.DossierRequest, file, next string) error {
	if file == "" {
		return a.usage(next, "dossier.needs-file")
	}
	raw, err := a.read(file, order.MaxFileBytes, next)
	if err != nil {
		return err
	}
	var into any
	if r.Kind == "organization" {
		r.Organization = &order.Organization{}
		into = r.Organization
	} else {
		r.Contact = &order.Contact{}
		into = r.Contact
	}
	if err := strict.Decode(raw, into); err != nil {
		return a.badOrder(file, err)
	}
	return nil
}

func (a *app) dossierNewCommand(word, kind string) *cobra.Command {
	r := service.DossierRequest{Kind: kind}
	var file string
	var asJSON, submit bool
	use := map[string]string{"org": "new --file FILE", "contact": "new --org ORG --file FILE", "domain": "new NAME --contact CONTACT"}[word]
	c := &cobra.Command{
		Use: use, Short: a.text.Text("dossier.new.short"), Args: cobra.MaximumNArgs(1), Example: "  assay " + word + " " + strings.ReplaceAll(use, "FILE", word+".yaml"),
		RunE: func(c *cobra.Command, args []string) error {
			return a.interruptible(c, func(ctx context.Context) error {
				if kind == "domain" {
					if len(args) == 0 {
						return a.usage("assay domain new orchard.net --contact CONTACT", "order.needs-names")
					}
					r.Domain = args[0]
				} else if err := a.dossierForm(&r, file, "assay "+word+" "+use); err != nil {
					return err
				}
				var v service.DossierView
				if err := a.noticeCall(ctx, client.Call{Method: http.MethodPost, Path: "/dossiers", Body: r}, &v, "assay "+word+" list"); err != nil {
					return err
				}
				if submit {
					// The draft is kept where the rules refuse it: it is corrected, not made again.
					next := "assay " + word + " change " + v.ID + " --file FILE"
					if err := a.noticeCall(ctx, client.Call{Method: http.MethodPost, Path: dossierPath(v.ID) + "/submit"}, &v, next); err != nil {
						return err
					}
				}
				return a.showDossier(&v, word, asJSON)
			})
		},
	}
	if kind == "organization" || kind == "contact" {
		c.Flags().StringVar(&file, "file", "", a.text.Text("flag.dossier-file"))
	}
	switch kind {
	case "contact":
		c.Flags().StringVar(&r.Parent, "org", "", a.text.Text("flag.dossier-org"))
	case "domain":
		c.Flags().StringVar(&r.Parent, "contact", "", a.text.Text("flag.dossier-contact"))
	}
	c.Flags().StringVar(&r.Account, "account", "", a.text.Text("flag.order-account"))
	c.Flags().BoolVar(&submit, "submit", false, a.text.Text("flag.dossier-submit"))
	c.Flags().BoolVar(&asJSON, "json", false, a.text.Text("flag.json"))
	return c
}

func (a *app) dossierChangeCommand(word, kind string) *cobra.Command {
	r := service.DossierRequest{Kind: kind}
	var file string
	var asJSON bool
	c := &cobra.Command{
		Use: "change ID --file FILE", Short: a.text.Text("dossier.change.short"), Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			return a.interruptible(c, func(ctx context.Context) error {
				var was service.DossierView
				if err := a.noticeCall(ctx, client.Call{Method: http.MethodGet, Path: dossierPath(args[0])}, &was, "assay "+word+" list"); err != nil {
					return err
				}
				r.Parent = was.Parent
				if err := a.dossierForm(&r, file, c.CommandPath()+" ID --file FILE"); err != nil {
					return err
				}
				return a.dossierCall(ctx, client.Call{Method: http.MethodPatch, Path: dossierPath(args[0]), Body: r, Version: was.Version}, word, asJSON)
			})
		},
	}
	c.Flags().StringVar(&file, "file", "", a.text.Text("flag.dossier-file"))
	c.Flags().BoolVar(&asJSON, "json", false, a.text.Text("flag.json"))
	return c
}

func (a *app) dossierActCommand(kind, word, method, tail string) *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use: word + " ID", Short: a.text.Text("dossier." + word + ".short"), Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			return a.interruptible(c, func(ctx context.Context) error {
				call := client.Call{Method: method, Path: dossierPath(args[0]) + tail}
				if method != http.MethodDelete {
					return a.dossierCall(ctx, call, kind, asJSON)
				}
				if err := a.noticeCall(ctx, call, nil, "assay "+kind+" list"); err != nil || asJSON {
					return err
				}
				p := a.page()
				p.Line(a.text.Text("dossier.deleted", "ID", args[0]))
				return a.print(p)
			})
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, a.text.Text("flag.json"))
	return c
}

func (a *app) dossierListCommand(word, kind string) *cobra.Command {
	var asJSON bool
	var limit int
	filters := map[string]*string{}
	c := &cobra.Command{
		Use: "list", Short: a.text.Text("dossier.list.short"), Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return a.interruptible(c, func(ctx context.Context) error {
				q := url.Values{"kind": {kind}}
				for key, value := range filters {
					if *value != "" {
						q.Set(key, *value)
					}
				}
				return a.dossierList(ctx, word, q, limit, asJSON)
			})
		},
	}
	for _, key := range []string{"state", "account", "parent"} {
		filters[key] = c.Flags().String(key, "", a.text.Text("flag.dossier-list-"+key))
	}
	c.Flags().IntVar(&limit, "limit", 50, a.text.Text("flag.limit"))
	c.Flags().BoolVar(&asJSON, "json", false, a.text.Text("flag.json"))
	return c
}

// dossierList lists dossiers, as many as asked for.
func (a *app) dossierList(ctx context.Context, word string, q url.Values, limit int, asJSON bool) error {
	if limit < 1 {
		return a.usage("assay "+word+" list --limit 50", "order.limit")
	}
	items, err := pages[service.DossierView](ctx, a, "/dossiers", q, limit)
	if err != nil {
		return err
	}
	if asJSON {
		return a.writeJSON(items)
	}
	p := a.page()
	if len(items) == 0 {
		p.Line(a.text.Text("dossier.none"))
		p.Line(p.Command("assay " + word + " new --help"))
		return a.print(p)
	}
	rows := [][]render.Cell{a.heads("dossier.id", "dossier.state", "dossier.name", "token.account", "dossier.ends")}
	for i := range items {
		v := &items[i]
		end := "-"
		if v.ExpiresAt != nil {
			end = v.ExpiresAt.Format(time.DateOnly)
		}
		rows = append(rows, []render.Cell{
			render.BoldCell(v.ID), render.Plain(a.text.Text("dossier.state." + v.State)), render.Plain(render.Safe(dossierName(v))), render.Plain(render.Safe(v.Account)), render.Plain(end),
		})
	}
	p.Table(0, 2, rows)
	return a.print(p)
}

// dossierName is what a dossier is about, in one line.
func dossierName(v *service.DossierView) string {
	switch {
	case v.Organization != nil:
		return v.Organization.Name
	case v.Contact != nil:
		return strings.TrimSpace(v.Contact.FirstName + " " + v.Contact.LastName)
	}
	return v.Domain
}

// dossierCall makes a request whose answer is a dossier, and shows it.
func (a *app) dossierCall(ctx context.Context, call client.Call, word string, asJSON bool) error {
	var v service.DossierView
	if err := a.noticeCall(ctx, call, &v, "assay "+word+" list"); err != nil {
		return err
	}
	return a.showDossier(&v, word, asJSON)
}

// verifyExample is how a reviewer goes on with a dossier of a kind.
func verifyExample(word string) string {
	found := map[string]string{
		"org":     `ID --item name --value "Orchard Ltd" --source gsxt.gov.cn --class QGIS --snapshot page.pdf`,
		"contact": `ID --item authority --value approver --source "letter of the board" --class letter`,
		"domain":  `ID --item registrant --value "Orchard Ltd" --source rdap.org --class RDS`,
	}[word]
	verify := "assay " + word + " verify "
	return "  " + verify + found + "\n  " + verify + "ID --approve --version 4\n  " + verify + `ID --refuse mismatch --note "The register has another name"`
}

// verifyFlags are what a reviewer found or decides.
type verifyFlags struct {
	claim                            service.ClaimRequest
	snapshot, withdraw, refuse, note string
	approve, json                    bool
	version                          int64
}

func (a *app) dossierVerifyCommand(word string) *cobra.Command {
	var f verifyFlags
	c := &cobra.Command{
		Use: "verify ID", Short: a.text.Text("dossier.verify.short"), Long: a.text.Text("dossier.verify.long"), Args: cobra.ExactArgs(1),
		Example: verifyExample(word),
		RunE: func(c *cobra.Command, args []string) error {
			return a.interruptible(c, func(ctx context.Context) error { return a.verifyDossier(ctx, word, args[0], &f) })
		},
	}
	a.claimFlags(c, &f.claim, &f.snapshot)
	c.Flags().StringVar(&f.withdraw, "withdraw", "", a.text.Text("flag.claim-withdraw"))
	c.Flags().BoolVar(&f.approve, "approve", false, a.text.Text("flag.dossier-approve"))
	c.Flags().Int64Var(&f.version, "version", 0, a.text.Text("flag.dossier-version"))
	c.Flags().StringVar(&f.refuse, "refuse", "", a.text.Text("flag.dossier-refuse", "Words", strings.Join(service.DossierReasons(), ", ")))
	c.Flags().StringVar(&f.note, "note", "", a.text.Text("flag.file-note"))
	c.Flags().BoolVar(&f.json, "json", false, a.text.Text("flag.json"))
	return c
}

func (a *app) claimFlags(c *cobra.Command, r *service.ClaimRequest, snapshot *string) {
	s := c.Flags()
	s.SortFlags = false
	s.StringVar(&r.Item, "item", "", a.text.Text("flag.claim-item", "Words", strings.Join(service.Items(), ", ")))
	s.StringVar(&r.Value, "value", "", a.text.Text("flag.claim-value"))
	s.StringVar(&r.Source, "source", "", a.text.Text("flag.claim-source"))
	s.StringVar(&r.Class, "class", "", a.text.Text("flag.claim-class", "Words", strings.Join(service.Classes(), ", ")))
	s.StringVar(snapshot, "snapshot", "", a.text.Text("flag.claim-snapshot"))
}

// digestOf fills in the digest of what was seen.
func (a *app) digestOf(r *service.ClaimRequest, snapshot string) error {
	if snapshot == "" {
		return nil
	}
	raw, err := a.read(snapshot, maxSnapshotBytes, "assay org verify --help")
	if err != nil {
		return err
	}
	sum := sha256.Sum256(raw)
	r.Snapshot = hex.EncodeToString(sum[:])
	return nil
}

func (a *app) verifyDossier(ctx context.Context, word, id string, f *verifyFlags) error {
	call := client.Call{Method: http.MethodPost, Path: dossierPath(id)}
	given := 0
	for _, is := range []bool{f.claim.Item != "", f.withdraw != "", f.approve, f.refuse != ""} {
		if is {
			given++
		}
	}
	if given != 1 {
		return a.usage("assay "+word+" verify --help", "dossier.one-thing")
	}
	decides := f.approve || f.refuse != ""
	switch {
	case f.version < 0 || f.version != 0 && !decides || f.approve && f.version == 0:
		return a.usage("assay "+word+" show "+id, "dossier.which-version")
	case f.claim.Item != "":
		if err := a.digestOf(&f.claim, f.snapshot); err != nil {
			return err
		}
		call.Path, call.Body = call.Path+"/claims", f.claim
	case f.withdraw != "":
		call.Path += "/claims/" + url.PathEscape(f.withdraw) + "/withdraw"
	default:
		// What is approved is what the reviewer read, not what is there by now.
		call.Path, call.Version = call.Path+"/decide", f.version
		call.Body = service.DecisionRequest{Accept: f.approve, Reason: f.refuse, Note: f.note}
	}
	var v service.DossierView
	if err := a.noticeCall(ctx, call, &v, "assay "+word+" show "+id); err != nil {
		return err
	}
	// The answer of a change is without the claims: they are what matters here.
	if err := a.call(ctx, client.Call{Method: http.MethodGet, Path: dossierPath(id)}, &v); err != nil {
		return err
	}
	return a.showDossier(&v, word, f.json)
}
