package service

import (
	"context"
	"path"
	"sync"
	"testing"
	"time"

	"assay/cause"
	"assay/evidence"
	"assay/internal/store"
	"assay/lab"
	"assay/lab/trial"
	"assay/perspective"
	"assay/review"
)

// A window is the place that a test looks from: into another world whenever the
// test says so.
type window struct {
	mu     sync.Mutex
	place  perspective.Place
	asked  int
	before func() // called before each look, where set
}

func (w *window) into(p perspective.Place) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.place = p
}

func (w *window) now() perspective.Place {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.place
}

func (w *window) questions() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.asked
}

func (w *window) About() evidence.Perspective { return w.now().About() }

func (w *window) Begin() perspective.Look {
	w.mu.Lock()
	before := w.before
	w.mu.Unlock()
	if before != nil {
		before()
	}
	return &pane{w.now().Begin(), w}
}

type pane struct {
	perspective.Look
	w *window
}

func (p *pane) Answer(ctx context.Context, questions []evidence.Question) []evidence.Observation {
	p.w.mu.Lock()
	p.w.asked += len(questions)
	p.w.mu.Unlock()
	return p.Look.Answer(ctx, questions)
}

// deaf is a place from which nothing can be seen.
type deaf struct{}

func (deaf) About() evidence.Perspective { return evidence.Perspective{ID: "P0", Region: "RIPE"} }
func (deaf) Begin() perspective.Look     { return deaf{} }
func (deaf) Close()                      {}

func (deaf) Answer(_ context.Context, questions []evidence.Question) []evidence.Observation {
	list := make([]evidence.Observation, len(questions))
	for i, q := range questions {
		list[i] = evidence.Observation{Question: q, Unknown: evidence.UnknownUnreachable + ": it is stopped"}.Identify()
	}
	return list
}

// deafHere is deaf with the settings of a place.
type deafHere struct {
	deaf
	about evidence.Perspective
}

func (d deafHere) About() evidence.Perspective { return d.about }

// broken is a place with a fault in its program.
type broken struct{ deaf }

func (broken) Begin() perspective.Look { return broken{} }

func (broken) Answer(context.Context, []evidence.Question) []evidence.Observation {
	panic("as a probe may")
}

// counts are what a service says of itself.
type counts struct {
	mu       sync.Mutex
	verdicts []review.Verdict
	late     []time.Duration
	what     map[string]int
	checked  chan struct{}
}

func (c *counts) Checked(v review.Verdict, _, late time.Duration) {
	c.mu.Lock()
	c.verdicts, c.late = append(c.verdicts, v), append(c.late, late)
	c.mu.Unlock()
	if c.checked != nil {
		c.checked <- struct{}{}
	}
}

func (c *counts) Counted(what string, n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.what == nil {
		c.what = map[string]int{}
	}
	c.what[what] += n
}

// A house is a service that looks at the laboratory.
type house struct {
	*bed
	window *window
	counts *counts
}

func newHouse(t *testing.T) *house {
	t.Helper()
	h := &house{bed: newBed(t), window: &window{place: deaf{}}, counts: &counts{}}
	h.Places, h.Meter = []perspective.Place{h.window}, h.counts
	return h
}

// twin is another process on the same database, with the same clock and view.
func (h *house) twin(t *testing.T) *Service {
	t.Helper()
	s, err := New(Config{Store: h.Store, Now: h.clock, Places: h.Places, Meter: h.Meter})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// world starts a world in which an order's value is published, but for what c
// changes, and looks at it.
func (h *house) world(t *testing.T, v *View, c lab.Change) {
	t.Helper()
	o := lab.Options{Clock: h.clock, Value: v.Challenges[0].Value}
	if url := v.Challenges[0].URL; url != "" {
		o.FileName = path.Base(url)
	}
	c.Places = lab.Strings{"P0"}
	w, err := lab.New(c, o)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.Close() })
	places, err := trial.Places(context.Background(), w)
	if err != nil {
		t.Fatal(err)
	}
	h.window.into(places[0])
}

// bare is the world without the record.
func bare() lab.Change {
	return lab.Change{Zones: map[string]lab.ZoneChange{"orchard.net": {ZoneCopy: lab.ZoneCopy{Remove: lab.Strings{"_dnsauth TXT"}}}}}
}

func (h *house) apply(t *testing.T, p Principal, a Application) *View {
	t.Helper()
	v, err := h.Apply(context.Background(), p, a)
	if err != nil {
		t.Fatal(err, findings(err))
	}
	return v
}

// run does what is due, and reads an order.
func (h *house) run(t *testing.T, id string) *View {
	t.Helper()
	if _, err := h.runDue(context.Background()); err != nil {
		t.Fatal(err)
	}
	return h.read(t, id)
}

func (h *house) read(t *testing.T, id string) *View {
	t.Helper()
	v, err := h.Order(context.Background(), h.who[RoleAdministrator], id)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func (h *house) actions(t *testing.T, id string) []string {
	t.Helper()
	events, err := h.Events(context.Background(), h.who[RoleAdministrator], id, 0, 200)
	if err != nil {
		t.Fatal(err)
	}
	var list []string
	for _, e := range events {
		list = append(list, e.Action)
	}
	return list
}

func causesIn(v *View) []cause.ID {
	var list []cause.ID
	for i := range v.Findings {
		if v.Findings[i].Level.Blocks() {
			list = append(list, v.Findings[i].Cause)
		}
	}
	return list
}

func (h *house) due(t *testing.T, id string) map[store.DueKind]time.Time {
	t.Helper()
	list, err := h.Store.DueOf(context.Background(), id)
	if err != nil {
		t.Fatal(err)
	}
	m := map[store.DueKind]time.Time{}
	for _, d := range list {
		m[d.Kind] = d.At
	}
	return m
}
