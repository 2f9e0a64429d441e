package assay

import (
	"context"
	"fmt"
	"runtime/debug"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"assay/evidence"
	"assay/perspective"
)

// rounds answers the questions of one review, round by round.
type rounds struct {
	reviewer *Reviewer
	records  Records
	began    time.Time // of the review; durations only
	number   int
	looks    map[string]perspective.Look // by the id of the place
	timing   map[string]float64
}

func (r *Reviewer) begin() *rounds {
	q := &rounds{reviewer: r, records: r.Records}
	if q.records == nil {
		q.records = nothingKept()
	}
	if len(r.Places) > 0 || r.OnProgress != nil {
		q.began = time.Now()
	}
	if len(r.Places) > 0 {
		q.timing = map[string]float64{}
		q.looks = make(map[string]perspective.Look, len(r.Places))
		for _, place := range r.Places {
			q.looks[place.About().ID] = place.Begin()
		}
	}
	return q
}

func (q *rounds) close() {
	for _, look := range q.looks {
		look.Close()
	}
}

// answer answers the questions of a round, in their order: each place its own,
// all of them at the same time, the lookups meanwhile.
func (q *rounds) answer(ctx context.Context, questions []evidence.Question, at time.Time) ([]evidence.Observation, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	q.number++
	parts, err := q.split(questions)
	if err != nil {
		return nil, err
	}
	p := q.progress(questions)
	seen := make([]evidence.Observation, len(questions))
	start := time.Now()
	var running sync.WaitGroup
	var broken atomic.Pointer[string]
	for id, indices := range parts {
		running.Go(func() {
			defer func() {
				if p := recover(); p != nil {
					text := fmt.Sprintf("%v\n%s", p, debug.Stack())
					broken.Store(&text)
				}
			}()
			q.look(ctx, id, indices, questions, seen, p)
		})
	}
	lookups := 0
	for i := range questions {
		if questions[i].Lookup == nil {
			continue
		}
		if ctx.Err() != nil {
			break
		}
		seen[i] = q.records.Answer(*questions[i].Lookup, at)
		lookups++
	}
	p.answered(lookups)
	running.Wait()
	if text := broken.Load(); text != nil {
		panic("a place panicked: " + *text) // where the caller can recover
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if q.timing != nil {
		q.timing["round "+strconv.Itoa(q.number)] = milliseconds(time.Since(start))
	}
	return seen, nil
}

// split says which questions each place answers.
func (q *rounds) split(questions []evidence.Question) (map[string][]int, error) {
	var parts map[string][]int
	for i := range questions {
		if questions[i].Lookup != nil {
			continue
		}
		id := questions[i].Perspective
		if q.looks[id] == nil {
			return nil, fmt.Errorf("the review asks from a place %q that it was not given", id)
		}
		if parts == nil {
			parts = make(map[string][]int, len(q.looks))
		}
		parts[id] = append(parts[id], i)
	}
	return parts, nil
}

// look answers the questions of one place.
func (q *rounds) look(ctx context.Context, id string, indices []int, questions []evidence.Question, seen []evidence.Observation, p *progress) {
	own := make([]evidence.Question, len(indices))
	for n, i := range indices {
		own[n] = questions[i]
	}
	start := time.Now()
	for n, o := range q.looks[id].Answer(ctx, own) {
		seen[indices[n]] = o
	}
	p.place("round "+strconv.Itoa(q.number)+" "+id, milliseconds(time.Since(start)), len(own))
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// progress counts what of a round was answered.
type progress struct {
	q    *rounds
	lock sync.Mutex
	now  Progress
}

func (q *rounds) progress(questions []evidence.Question) *progress {
	p := &progress{q: q, now: Progress{Round: q.number, Questions: questions}}
	p.answered(0)
	return p
}

func (p *progress) answered(n int) {
	if p.q.reviewer.OnProgress == nil {
		return
	}
	p.lock.Lock()
	defer p.lock.Unlock()
	p.now.Answered += n
	p.now.Elapsed = time.Since(p.q.began)
	p.q.reviewer.OnProgress(p.now)
}

// place notes how long a place took, and its answers.
func (p *progress) place(name string, ms float64, answers int) {
	p.lock.Lock()
	p.q.timing[name] = ms
	p.lock.Unlock()
	p.answered(answers)
}
