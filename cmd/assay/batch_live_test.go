package main

import (
	"bytes"
	"context"
	"io"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"assay/cause"
	"assay/evidence"
	"assay/internal/message"
	"assay/perspective"
)

// stuckPlace answers the first looks and lets the others wait for the context.
type stuckPlace struct {
	answers int32
	begun   atomic.Int32
	stuck   func()
}

func (p *stuckPlace) About() evidence.Perspective { return evidence.Perspective{ID: "P0"} }
func (p *stuckPlace) Begin() perspective.Look     { return &stuckLook{p, p.begun.Add(1) > p.answers} }

type stuckLook struct {
	p    *stuckPlace
	wait bool
}

func (l *stuckLook) Close() {}

func (l *stuckLook) Answer(ctx context.Context, questions []evidence.Question) []evidence.Observation {
	if l.wait {
		l.p.stuck()
		<-ctx.Done()
	}
	var list []evidence.Observation
	for _, q := range questions {
		list = append(list, evidence.Observation{Question: q, Unknown: "not here"}.Identify())
	}
	return list
}

// TestLiveBatchInterrupted: orders that Ctrl-C caught while they were looked at
// are not reported, and the count is that of the lines written without a gap.
func TestLiveBatchInterrupted(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	var stuck atomic.Int32
	place := &stuckPlace{answers: 3, stuck: func() {
		if stuck.Add(1) == 2 {
			cancel()
		}
	}}
	a := &app{err: io.Discard, getenv: func(string) string { return "" }, now: time.Now, text: message.New(cause.English)}
	f := &checkFlags{profile: "cloud", json: true}
	r, err := a.reviewer(f, false)
	if err != nil {
		t.Fatal(err)
	}
	r.Places = []perspective.Place{place}
	w := &batchWorker{app: a, flags: f, base: t.TempDir(), reviewer: r, workers: 2, lines: 1, ctx: ctx}
	if w.source, err = a.withRecords(f, r); err != nil {
		t.Fatal(err)
	}
	defer w.source.Close()
	var out bytes.Buffer
	in := strings.NewReader(strings.Repeat(`{"names":["a.orchard.net"]}`+"\n", 20))
	total, err := runBatch(ctx, in, &out, w, func(*tally) {})
	if err != nil {
		t.Fatal(err)
	}
	written := strings.Count(out.String(), "\n")
	if written > 3 || total.lines != written || total.judged != written || total.failed != 0 {
		t.Errorf("%d lines written, tally %+v", written, total)
	}
	if total.exit("", true) != exitInterrupted {
		t.Errorf("exit code %d", total.exit("", true))
	}
}
