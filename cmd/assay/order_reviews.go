package main

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"assay/evidence"
	"assay/internal/client"
	"assay/internal/render"
	"assay/internal/service"
)

// A reviewChange is a review in a list, with how its evidence differs from that
// of the review before it.
type reviewChange struct {
	service.ReviewView
	Added   []evidence.Observation `json:"added"`
	Removed []evidence.Observation `json:"removed"`
}

// orderReviews shows how the evidence changed over time: the newest reviews, and
// what each saw anew, otherwise, or no longer. Reviews are read one by one, so
// that memory holds one however many there are.
func (a *app) orderReviews(ctx context.Context, path string, limit int, asJSON bool) error {
	if limit < 1 {
		return a.usage("assay order show "+quoteArgument(orderAt(path))+" --reviews --limit 50", "order.limit")
	}
	c, err := a.client()
	if err != nil {
		return err
	}
	list, err := a.reviewList(ctx, c, path, limit)
	if err != nil {
		return err
	}
	out := &jsonList{app: a}
	p := a.page()
	if !asJSON {
		a.reviewTable(p, list)
	}
	for i := range list {
		r := reviewChange{ReviewView: list[i]}
		if r.Number > 1 {
			if err := a.served(c.Do(ctx, client.Call{Method: http.MethodGet, Path: path + "/reviews/" + strconv.Itoa(r.Number)}, &r)); err != nil {
				return err
			}
			r.Report = nil
		}
		if asJSON {
			if err := out.add(&r); err != nil {
				return err
			}
			continue
		}
		if changes := render.Changes(r.Added, r.Removed); len(changes) > 0 {
			p.Blank()
			p.Strong(0, a.text.Text("review.changes", "Number", r.Number, "Before", r.Number-1))
			p.Changes(changes)
		}
	}
	if asJSON {
		return out.end()
	}
	return a.print(p)
}

// reviewList reads the newest reviews, page by page.
func (a *app) reviewList(ctx context.Context, c *client.Client, path string, limit int) ([]service.ReviewView, error) {
	list := []service.ReviewView{}
	q := url.Values{}
	for len(list) < limit {
		var page struct {
			Items []service.ReviewView `json:"items"`
			Next  string               `json:"next"`
		}
		q.Set("limit", strconv.Itoa(min(200, limit-len(list))))
		if err := a.served(c.Do(ctx, client.Call{Method: http.MethodGet, Path: path + "/reviews", Query: q}, &page)); err != nil {
			return nil, err
		}
		list = append(list, page.Items...)
		if page.Next == "" {
			break
		}
		q.Set("cursor", page.Next)
	}
	return list, nil
}

func (a *app) reviewTable(p *render.Page, list []service.ReviewView) {
	rows := [][]render.Cell{a.heads("review.number", "review.first", "review.last", "review.checks", "review.verdict", "review.causes")}
	for i := range list {
		r := &list[i]
		rows = append(rows, []render.Cell{
			render.BoldCell(strconv.Itoa(r.Number)), render.Plain(r.FirstAt.Local().Format("01-02 15:04:05")), render.Plain(r.LastAt.Local().Format("01-02 15:04:05")),
			render.Plain(strconv.Itoa(r.Checks)), render.Plain(a.text.Text("verdict." + string(r.Verdict))), render.Plain(render.Safe(strings.Join(r.Causes, ", "))),
		})
	}
	p.Table(0, 5, rows)
}
