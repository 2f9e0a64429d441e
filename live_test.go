package assay

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"assay/evidence"
	"assay/order"
	"assay/perspective"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fakePlace answers every question with its own id, when it is let.
type fakePlace struct {
	id   string
	gate <-chan struct{} // nil: at once

	lock  sync.Mutex
	asked [][]evidence.Question
	open  int
}

func (p *fakePlace) About() evidence.Perspective { return evidence.Perspective{ID: p.id} }

func (p *fakePlace) Begin() perspective.Look {
	p.lock.Lock()
	defer p.lock.Unlock()
	p.open++
	return p
}

func (p *fakePlace) Close() {
	p.lock.Lock()
	defer p.lock.Unlock()
	p.open--
}

func (p *fakePlace) Answer(ctx context.Context, questions []evidence.Question) []evidence.Observation {
	p.lock.Lock()
	p.asked = append(p.asked, questions)
	p.lock.Unlock()
	if p.gate != nil {
		select {
		case <-p.gate:
		case <-ctx.Done():
		}
	}
	var seen []evidence.Observation
	for _, q := range questions {
		seen = append(seen, evidence.Observation{Question: q, Unknown: p.id})
	}
	return seen
}

func dnsQuestion(place, name string) evidence.Question {
	return evidence.Question{Kind: evidence.KindDNS, Perspective: place, DNS: &evidence.DNSQuestion{Name: name, Type: "TXT"}}
}

// TestRound: every place answers its own questions, all at the same time, and
// the observations come in the order of the questions.
func TestRound(t *testing.T) {
	t.Parallel()
	gate := make(chan struct{})
	p0, p1 := &fakePlace{id: "P0", gate: gate}, &fakePlace{id: "P1", gate: gate}
	var progress []Progress
	r := &Reviewer{Places: []perspective.Place{p0, p1}, OnProgress: func(p Progress) {
		progress = append(progress, p)
		if p.Answered == 1 {
			close(gate) // the lookup was answered while both places still look
		}
	}}
	q := r.begin()
	lookup := evidence.Question{Kind: evidence.KindLookup, Lookup: &evidence.LookupQuestion{Topic: evidence.TopicInputs}}
	questions := []evidence.Question{dnsQuestion("P1", "a.net"), dnsQuestion("P0", "a.net"), lookup, dnsQuestion("P0", "b.net")}
	seen, err := q.answer(t.Context(), questions, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	for i, o := range seen {
		if o.Question.ID() != questions[i].ID() {
			t.Errorf("observation %d answers %+v", i, o.Question)
		}
	}
	if len(p0.asked) != 1 || len(p0.asked[0]) != 2 || len(p1.asked[0]) != 1 {
		t.Errorf("asked %v and %v", p0.asked, p1.asked)
	}
	var answered []int
	for _, p := range progress {
		answered = append(answered, p.Answered)
	}
	if len(answered) != 4 || answered[0] != 0 || answered[1] != 1 || answered[3] != 4 || !slices.IsSorted(answered) {
		t.Errorf("progress %v", answered)
	}
	for _, name := range []string{"round 1", "round 1 P0", "round 1 P1"} {
		if _, ok := q.timing[name]; !ok {
			t.Errorf("timing %v lacks %q", q.timing, name)
		}
	}
	q.close()
	if p0.open != 0 || p1.open != 0 {
		t.Error("a look was not closed")
	}
	if _, err := q.answer(t.Context(), []evidence.Question{dnsQuestion("P9", "a.net")}, time.Now()); err == nil {
		t.Error("a place that is not there answered")
	}
}

// TestCancel: the end of the context ends a round at once, with its error and
// nothing of the result.
func TestCancel(t *testing.T) {
	t.Parallel()
	p := &fakePlace{id: "P0", gate: make(chan struct{})}
	ctx, cancel := context.WithCancel(t.Context())
	r := &Reviewer{Places: []perspective.Place{p}, OnProgress: func(Progress) { cancel() }}
	q := r.begin()
	defer q.close()
	seen, err := q.answer(ctx, []evidence.Question{dnsQuestion("P0", "a.net")}, time.Now())
	if seen != nil || !errors.Is(err, context.Canceled) {
		t.Errorf("%v %v", seen, err)
	}
	if _, err := r.Review(ctx, &order.Order{Names: []string{"shop.orchard.net"}}); !errors.Is(err, context.Canceled) {
		t.Errorf("review: %v", err)
	}
	if p.open != 1 { // q's own
		t.Errorf("%d looks are open", p.open)
	}
}

// TestScope: places make the scope the network; without any it is the order,
// and nothing is timed.
func TestScope(t *testing.T) {
	t.Parallel()
	o := &order.Order{Names: []string{"shop.orchard.net"}}
	live, err := (&Reviewer{Places: []perspective.Place{&fakePlace{id: "P0"}}}).Review(t.Context(), o)
	if err != nil || live.Scope != "network" || len(live.Perspectives) != 1 || live.Timing["round 1"] <= 0 {
		t.Errorf("%+v %v", live, err)
	}
	still, err := (&Reviewer{}).Review(t.Context(), o)
	if err != nil || still.Scope != "order" || still.Perspectives != nil || still.Timing != nil {
		t.Errorf("%+v %v", still, err)
	}
}
