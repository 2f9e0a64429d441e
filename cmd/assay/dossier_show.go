package main

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"assay/internal/render"
	"assay/internal/service"
	"assay/order"
)

// dossierNext is what can be done next with a dossier by whom it belongs to.
func dossierNext(v *service.DossierView, word string) string {
	switch v.State {
	case "draft":
		return "assay " + word + " submit " + v.ID
	case "invalid":
		if word != "domain" {
			return "assay " + word + " change " + v.ID + " --file FILE"
		}
	case "submitted":
		return "assay " + word + " show " + v.ID
	}
	return ""
}

func (a *app) showDossier(v *service.DossierView, word string, asJSON bool) error {
	if asJSON {
		return a.writeJSON(v)
	}
	p := a.page()
	p.Strong(0, v.ID+": "+render.Safe(dossierName(v)))
	column := p.Column("dossier.state", "dossier.version", "dossier.for", "dossier.parent", "dossier.ends", "dossier.reason")
	row := func(id, text string) {
		if text != "" {
			p.Row(0, column, a.text.Text(id), text)
		}
	}
	row("dossier.state", a.text.Text("dossier.state."+v.State))
	row("dossier.version", strconv.FormatInt(v.Version, 10))
	row("dossier.reason", render.Safe(strings.TrimSpace(v.Reason+" "+v.Note)))
	row("dossier.parent", render.Safe(v.Parent))
	products := make([]string, len(v.Products))
	for i, product := range v.Products {
		products[i] = strings.ToUpper(string(product))
	}
	row("dossier.for", strings.Join(products, ", "))
	if v.ExpiresAt != nil {
		row("dossier.ends", v.ExpiresAt.Format(time.DateOnly))
	}
	formRows(p, v)
	a.claimRows(p, v.Claims)
	if approve := dossierApprove(v, word); approve != "" {
		p.Blank()
		p.Line(a.text.Text("dossier.approve-this"))
		p.Line(p.Command(approve))
	}
	if next := dossierNext(v, word); next != "" {
		p.Blank()
		p.Line(p.Command(next))
	}
	return a.print(p)
}

// dossierApprove is how a reviewer approves what is shown; "" where it is not for
// approval.
func dossierApprove(v *service.DossierView, word string) string {
	switch {
	case v.State != "submitted" && v.State != "ok" && v.State != "expired", v.ErasedAt != nil, slices.Contains(v.Products, order.EV):
		return ""
	}
	return "assay " + word + " verify " + v.ID + " --approve --version " + strconv.FormatInt(v.Version, 10)
}

// formRows shows what a dossier says, by the names that its file has: it is what a
// reviewer approves.
func formRows(p *render.Page, v *service.DossierView) {
	o := order.Order{Organization: v.Organization, Contacts: &order.Contacts{Administrator: v.Contact}}
	var rows [][]render.Cell
	o.Clone().Texts(func(field string, text *string) {
		for _, about := range []string{"organization.", "contacts.administrator."} {
			if name, ok := strings.CutPrefix(field, about); ok && *text != "" {
				rows = append(rows, []render.Cell{render.Plain(name), render.Plain(render.Safe(*text))})
			}
		}
	})
	if len(rows) > 0 {
		p.Blank()
		p.Table(0, 0, rows)
	}
}

func (a *app) claimRows(p *render.Page, claims []service.ClaimView) {
	if len(claims) == 0 {
		return
	}
	rows := [][]render.Cell{a.heads("dossier.claim", "dossier.item", "dossier.value", "dossier.source", "dossier.ends")}
	for i := range claims {
		c := &claims[i]
		end := "-"
		if c.ExpiresAt != nil {
			end = c.ExpiresAt.Format(time.DateOnly)
		}
		if c.WithdrawnAt != nil {
			end = a.text.Text("dossier.withdrawn", "At", c.WithdrawnAt.Format(time.DateOnly))
		}
		rows = append(rows, []render.Cell{
			render.Plain(c.ID), render.Plain(c.Item), render.Plain(render.Safe(c.Value)), render.Plain(render.Safe(c.Source + " (" + c.Class + ")")), render.Plain(end),
		})
	}
	p.Blank()
	p.Table(0, 2, rows)
}
