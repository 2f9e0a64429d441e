package main

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"assay/cause"
	"assay/internal/client"
	"assay/internal/render"
	"assay/internal/service"
	"assay/internal/store"
	"assay/order"
)

const nextCerts = "assay cert list"

func certPath(id string) string { return "/certificates/" + url.PathEscape(id) }

func (a *app) certListCommand() *cobra.Command {
	var asJSON bool
	var limit, days int
	filters := map[string]*string{}
	c := &cobra.Command{
		Use: "list", Short: a.text.Text("cert.list.short"), Args: cobra.NoArgs,
		Example: "  assay cert list --days 30\n  assay cert list --domain orchard.net --json",
		RunE: func(c *cobra.Command, _ []string) error {
			return a.interruptible(c, func(ctx context.Context) error {
				q := url.Values{}
				for key, value := range filters {
					if *value != "" {
						q.Set(key, *value)
					}
				}
				if c.Flags().Changed("days") {
					q.Set("days", strconv.Itoa(days))
				}
				return a.certList(ctx, q, limit, asJSON)
			})
		},
	}
	for _, key := range []string{"state", "source", "account", "name", "domain"} {
		filters[key] = c.Flags().String(key, "", a.text.Text("flag.cert-list-"+key))
	}
	c.Flags().IntVar(&days, "days", 0, a.text.Text("flag.cert-list-days"))
	c.Flags().IntVar(&limit, "limit", 50, a.text.Text("flag.limit"))
	c.Flags().BoolVar(&asJSON, "json", false, a.text.Text("flag.json"))
	return c
}

// certList lists certificates, as many as asked for.
func (a *app) certList(ctx context.Context, q url.Values, limit int, asJSON bool) error {
	if limit < 1 {
		return a.usage("assay cert list --limit 50", "order.limit")
	}
	items, err := pages[service.CertificateView](ctx, a, "/certificates", q, limit)
	if err != nil {
		return certNext(err, "assay cert list --help")
	}
	if asJSON {
		return a.writeJSON(items)
	}
	p := a.page()
	if len(items) == 0 {
		p.Line(a.text.Text("cert.none"))
		p.Line(p.Command("assay order list --state ready"))
		return a.print(p)
	}
	rows := [][]render.Cell{a.heads("cert.id", "cert.state", "cert.left", "cert.ends", "cert.name")}
	for i := range items {
		v := &items[i]
		rows = append(rows, []render.Cell{
			render.BoldCell(v.ID), render.Plain(a.certState(v)), a.daysLeft(v), render.Plain(v.NotAfter.Local().Format(time.DateOnly)), render.Plain(certName(v)),
		})
	}
	p.Table(0, 4, rows)
	return a.print(p)
}

// certName is the first name of a certificate, how many more it has, and its alias.
func certName(v *service.CertificateView) string {
	text := render.Safe(v.Name)
	if v.Names > 1 {
		text += " +" + strconv.Itoa(v.Names-1)
	}
	if v.Alias != "" {
		text += " (" + render.Safe(v.Alias) + ")"
	}
	return text
}

func (a *app) certState(v *service.CertificateView) string {
	if v.State == order.CertificateValid && v.ReplacedBy != "" {
		return a.text.Text("cert.state.replaced")
	}
	return a.text.Text("cert.state." + string(v.State))
}

// daysLeft are the days until a certificate ends: more coloured in the last third
// of its life, most in the last tenth. One that is revoked or replaced has no need
// of colour.
func (a *app) daysLeft(v *service.CertificateView) render.Cell {
	left, life := v.NotAfter.Sub(a.now()), v.NotAfter.Sub(v.NotBefore)
	text := strconv.Itoa(int(left / (24 * time.Hour)))
	if left < 0 {
		text = "0"
	}
	switch {
	case v.State != order.CertificateValid || v.ReplacedBy != "":
		return render.FaintCell(text)
	case left < life/10:
		return render.LevelCell(cause.Refuse, text)
	case left < life/3:
		return render.LevelCell(cause.Warn, text)
	}
	return render.LevelCell(cause.Pass, text)
}

func (a *app) certShowCommand() *cobra.Command {
	return a.oneCommand("show ID", "cert.show.short", "  assay cert show ID", func(ctx context.Context, id string, asJSON bool) error {
		return a.certCall(ctx, client.Call{Method: http.MethodGet, Path: certPath(id)}, asJSON)
	})
}

// certCall makes a request whose answer is a certificate, and shows it.
func (a *app) certCall(ctx context.Context, call client.Call, asJSON bool) error {
	var v service.CertificateView
	if err := a.noticeCall(ctx, call, &v, nextCerts); err != nil {
		return err
	}
	return a.showCertificate(&v, asJSON)
}

func (a *app) showCertificate(v *service.CertificateView, asJSON bool) error {
	if asJSON {
		return a.writeJSON(v)
	}
	p := a.page()
	p.Strong(0, v.ID+": "+certName(v))
	a.certRows(p, v)
	if len(v.Deployment) > 0 {
		p.Blank()
		p.Findings(v.Deployment)
	}
	if next := certCommandNext(v); next != "" {
		p.Blank()
		p.Line(p.Command(next))
	}
	return a.print(p)
}

// certRows says what a certificate is and what is due for it.
func (a *app) certRows(p *render.Page, v *service.CertificateView) {
	column := p.Column("cert.state", "cert.until", "cert.issued-by", "cert.number", "cert.sha256", "cert.source", "cert.tags", "cert.renewal", "cert.notices", "cert.kept-key", "cert.looked", "cert.reason")
	row := func(id, text string) {
		if text != "" {
			p.Row(0, column, a.text.Text(id), render.Safe(text))
		}
	}
	row("cert.state", a.certState(v))
	row("cert.reason", v.Reason)
	row("cert.until", a.when(v.NotAfter))
	row("cert.source", a.text.Text("cert.source."+v.Source))
	row("cert.issued-by", v.Issuer)
	row("cert.number", v.Serial)
	row("cert.sha256", v.Fingerprint)
	var tags []string
	for k, value := range v.Tags {
		tags = append(tags, k+"="+value)
	}
	slices.Sort(tags)
	row("cert.tags", strings.Join(tags, ", "))
	row("cert.renewal", a.renewalWord(v))
	if v.Muted {
		row("cert.notices", a.text.Text("cert.muted"))
	}
	if v.HasKey {
		row("cert.kept-key", a.text.Text("cert.has-key"))
	}
	if v.LookedAt != nil {
		row("cert.looked", a.when(*v.LookedAt))
	}
}

// renewalWord says what is to follow a certificate, or did.
func (a *app) renewalWord(v *service.CertificateView) string {
	switch {
	case v.ReplacedBy != "":
		return a.text.Text("cert.replaced-by", "ID", v.ReplacedBy)
	case v.Renewal != "":
		return a.text.Text("cert.renewed-by", "ID", v.Renewal)
	case v.RenewAt != nil:
		return a.text.Text("cert.renews", "Time", a.when(*v.RenewAt))
	}
	return ""
}

// certCommandNext is what its owner would do next with a certificate.
func certCommandNext(v *service.CertificateView) string {
	switch {
	case v.ReplacedBy != "":
		return "assay cert show " + v.ReplacedBy
	case v.Renewal != "":
		return "assay order show " + v.Renewal
	case v.State == order.CertificateRevocationLetter:
		return "assay cert confirm " + v.ID + " --accept"
	case v.State == order.CertificateValid && v.HasKey:
		return "assay cert download " + v.ID + " --format nginx --with-key --out FILE"
	case v.State == order.CertificateValid:
		return "assay cert download " + v.ID + " --format nginx"
	case v.State == order.CertificateExpired && v.Source == store.SourceIssued:
		return "assay cert renew " + v.ID
	}
	return ""
}
