package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"assay/evidence"
	"assay/internal/config"
	"assay/internal/render"
	"assay/perspective"
)

func (a *app) perspectiveListCommand() *cobra.Command {
	var file string
	var location config.Location
	var asJSON bool
	c := &cobra.Command{
		Use:   "list",
		Short: a.text.Text("perspective.list.short"),
		Long:  a.text.Text("perspective.list.long"),
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return a.interruptible(c, func(ctx context.Context) error { return a.listPerspectives(ctx, file, location.Location, asJSON) })
		},
	}
	c.Flags().StringVar(&file, "file", defaultPerspectives, a.text.Text("flag.perspectives-file"))
	c.Flags().TextVar(&location, "location", config.Location{}, a.text.Text("flag.own-location"))
	c.Flags().BoolVar(&asJSON, "json", false, a.text.Text("flag.json"))
	return c
}

// A perspectiveView is a remote perspective as it is listed.
type perspectiveView struct {
	evidence.Perspective
	// State is "ok"; "missing" (something does not work there), "bad" (it is not
	// believed).
	State string `json:"state"`
	Fault string `json:"fault,omitempty"`
	// RTTMillis is the round trip over a warm connection.
	RTTMillis float64 `json:"rtt_ms,omitempty"`
	// Nearest is the perspective that is nearest, the primary too where --location
	// says where that is.
	Nearest   string  `json:"nearest,omitempty"`
	NearestKM float64 `json:"nearest_km,omitempty"`
	TestedAt  string  `json:"tested_at,omitempty"`

	fault *perspective.Fault
}

// leastDistance is how far apart two perspectives must be (BR 3.2.2.9).
const leastDistance = 500

func (a *app) listPerspectives(ctx context.Context, file string, own *evidence.Location, asJSON bool) error {
	if own == nil {
		c, err := a.config("")
		if err != nil {
			return err
		}
		own = c.Location.Location
	}
	places, err := perspective.Load(file, perspective.Options{Now: a.now})
	if err != nil {
		return a.perspectiveError(err, file, "assay perspective join --help")
	}
	perspective.Test(ctx, places...)
	views := make([]perspectiveView, 0, len(places))
	for _, place := range places {
		views = append(views, viewOf(place.Health()))
		place.Close()
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	nearest(views, own)
	for _, v := range views {
		if v.State == "bad" {
			a.exit = exitUnknown
		}
	}
	if asJSON {
		return a.writeJSON(views)
	}
	return a.showPerspectives(views, file)
}

func viewOf(h perspective.Health) perspectiveView {
	v := perspectiveView{Perspective: h.About, State: "ok", fault: h.Fault, RTTMillis: float64(h.RTT.Microseconds()) / 1000}
	if !h.Tested.IsZero() {
		v.TestedAt = h.Tested.UTC().Format(time.RFC3339)
	}
	switch {
	case h.Fault != nil:
		v.State, v.Fault = "bad", h.Fault.Error()
	case len(h.About.Missing) > 0:
		v.State = "missing"
	}
	return v
}

// nearest finds for each place the one that is nearest to it.
func nearest(views []perspectiveView, own *evidence.Location) {
	for i := range views {
		v := &views[i]
		if v.Location == nil {
			continue
		}
		consider := func(id string, other *evidence.Location) {
			if other == nil {
				return
			}
			if km := v.Location.Distance(*other); v.Nearest == "" || km < v.NearestKM {
				v.Nearest, v.NearestKM = id, km
			}
		}
		consider("P0", own)
		for j := range views {
			if j != i {
				consider(views[j].ID, views[j].Location)
			}
		}
	}
}

func (a *app) showPerspectives(views []perspectiveView, file string) error {
	p := a.page()
	if len(views) == 0 {
		p.Paragraph(0, a.text.Text("perspective.none", "File", render.Safe(file)))
		return a.print(p)
	}
	var rows [][]render.Cell
	for i := range views {
		v := &views[i]
		rows = append(rows, []render.Cell{
			p.State(v.State), render.BoldCell(v.ID), render.Plain(v.Region), render.Plain(rtt(v)),
			render.Plain(a.apart(v)), render.Plain(render.Safe(a.finding(v))),
		})
	}
	p.Table(0, 5, rows)
	p.Blank()
	for i := range views {
		p.Line(p.Faint(views[i].ID + "  " + views[i].Key))
	}
	return a.print(p)
}

func rtt(v *perspectiveView) string {
	if v.RTTMillis == 0 {
		return "-"
	}
	return milliseconds(time.Duration(v.RTTMillis * float64(time.Millisecond)))
}

// apart says how far the nearest other perspective is.
func (a *app) apart(v *perspectiveView) string {
	if v.Nearest == "" {
		return "-"
	}
	text := a.text.Text("perspective.apart", "Distance", kilometres(v.NearestKM), "ID", v.Nearest)
	if v.NearestKM < leastDistance {
		text += " " + a.text.Text("perspective.too-near", "Least", leastDistance)
	}
	return text
}

// finding is the outcome of a place's test in a line.
func (a *app) finding(v *perspectiveView) string {
	if v.fault != nil {
		return a.fault(v.fault)
	}
	if missing := missingWords(v.Missing); missing != "" {
		return a.text.Text("perspective.missing") + a.text.Text("punctuation.colon") + missing
	}
	if v.Network != nil {
		return a.text.Text("perspective.laboratory")
	}
	return a.text.Text("perspective.test.good")
}

// missingWords lists what does not work at a place, but for faults of the agent
// itself, which are said at more length.
func missingWords(missing []evidence.Missing) string {
	var words []string
	for _, m := range missing {
		if m.What != "agent" && m.What != "self-test" {
			words = append(words, m.What)
		}
	}
	return strings.Join(words, ", ")
}

func milliseconds(d time.Duration) string {
	return fmt.Sprintf("%.1f ms", float64(d.Microseconds())/1000)
}
