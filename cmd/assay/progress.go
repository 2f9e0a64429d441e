package main

import (
	"fmt"
	"io"
	"time"

	"assay/internal/message"
)

// progress is the line on a terminal that says how far a batch has come.
type progress struct {
	w       io.Writer // nil: nobody is watching
	text    *message.Printer
	size    int64 // of the input in bytes; 0 where unknown
	started time.Time
	shown   time.Time
}

// progress is shown on standard error where that is a terminal and standard
// output is not: otherwise it would stand between the reports.
func (a *app) progress(size int64) *progress {
	p := &progress{text: a.text, size: size, started: time.Now()}
	if terminal(a.err) && !terminal(a.out) {
		p.w = a.err
	}
	return p
}

// show redraws the line, at most five times a second.
func (p *progress) show(t *tally) {
	if p.w == nil || time.Since(p.shown) < 200*time.Millisecond {
		return
	}
	p.shown = time.Now()
	elapsed := p.shown.Sub(p.started).Seconds()
	line := p.text.Text("batch.progress", "Lines", t.lines, "Rate", int(float64(t.lines)/max(elapsed, 0.001)))
	if p.size > 0 && t.bytes > 0 {
		done := min(1, float64(t.bytes)/float64(p.size))
		left := time.Duration(elapsed * (1 - done) / done * float64(time.Second)).Round(time.Second)
		line = fmt.Sprintf("%3.0f%%  %s  %s", done*100, line, p.text.Text("batch.left", "Time", left))
	}
	fmt.Fprintf(p.w, "\r\x1b[K%s", line)
}

func (p *progress) clear() {
	if p.w != nil && !p.shown.IsZero() {
		fmt.Fprint(p.w, "\r\x1b[K")
	}
}
