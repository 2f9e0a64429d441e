package main

import (
	"context"
	"net/http"
	"strconv"

	"assay/internal/client"
	"assay/internal/render"
	"assay/internal/service"
)

// orderAttempts shows the attempts to issue an order's certificate.
func (a *app) orderAttempts(ctx context.Context, path string, asJSON bool) error {
	var list struct {
		Items []service.AttemptView `json:"items"`
	}
	if err := a.call(ctx, client.Call{Method: http.MethodGet, Path: path + "/attempts"}, &list); err != nil {
		return err
	}
	if asJSON {
		return a.writeJSON(list.Items)
	}
	p := a.page()
	if len(list.Items) == 0 {
		p.Line(a.text.Text("attempt.none"))
		return a.print(p)
	}
	rows := [][]render.Cell{a.heads("attempt.number", "attempt.issuer", "attempt.began", "attempt.state", "attempt.serial")}
	for i := range list.Items {
		t := &list.Items[i]
		rows = append(rows, []render.Cell{
			render.BoldCell(strconv.Itoa(t.Number)), render.Plain(render.Safe(t.Issuer)), render.Plain(t.CreatedAt.Local().Format("01-02 15:04:05")),
			render.Plain(a.text.Text("attempt.state." + string(t.State))), render.Plain(render.Safe(t.Serial)),
		})
	}
	p.Table(0, 4, rows)
	for i := range list.Items {
		a.attemptEnd(p, &list.Items[i])
	}
	return a.print(p)
}

// attemptEnd says what became of an attempt that gave no certificate.
func (a *app) attemptEnd(p *render.Page, t *service.AttemptView) {
	say := func(id, serial string) {
		p.Blank()
		p.Paragraph(0, a.text.Text(id, "Number", t.Number, "Issuer", render.Safe(t.Issuer), "Serial", render.Safe(serial)))
	}
	switch {
	case t.Lost:
		say("attempt.lost", "")
	case t.NotRevoked != "":
		say("attempt.not-revoked", t.NotRevoked)
	case t.Revoked != "":
		say("attempt.revoked", t.Revoked)
	}
	if len(t.Findings) > 0 {
		p.Blank()
		p.Findings(t.Findings)
	}
}
