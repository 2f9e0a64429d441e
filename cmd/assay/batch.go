package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"runtime/debug"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"assay"
	"assay/cause"
	"assay/internal/strict"
	"assay/key"
	"assay/lookup"
	"assay/order"
	"assay/review"
)

// batch reviews one JSON order a line and writes one report a line, in order.
// Nothing grows with the number of lines: a fixed set of chunks goes round
// between the reader, a worker a processor, and the writer.
func (a *app) batch(c *cobra.Command, f *checkFlags, names []string) error {
	if err := a.batchFlags(c, f, names); err != nil {
		return err
	}
	failOn, err := a.failOn(f.failOn)
	if err != nil {
		return err
	}
	r, err := a.reviewer(f, f.also)
	if err != nil {
		return err
	}
	w := &batchWorker{app: a, flags: f, base: ".", failOn: failOn, reviewer: r}
	if w.source, err = a.withRecords(f, r); err != nil {
		return err
	}
	defer w.source.Close()
	in := a.in
	var size int64
	if f.batch != "-" {
		file, err := os.Open(f.batch)
		if err != nil {
			return a.usage("assay check --help", "error.open", "Path", f.batch, "Why", a.why(err))
		}
		defer file.Close()
		if info, err := file.Stat(); err == nil && info.Mode().IsRegular() {
			size = info.Size()
		} else if err == nil && info.IsDir() {
			return a.usage("assay check --help", "error.open", "Path", f.batch, "Why", a.text.Text("why.directory"))
		}
		in, w.base = file, filepath.Dir(f.batch)
	}
	ctx, stop := signal.NotifyContext(c.Context(), os.Interrupt)
	defer stop()
	context.AfterFunc(ctx, stop) // a second Ctrl-C ends the program at once
	w.workers, w.lines = processors(), maxChunkLines
	if !f.offline {
		if err := a.lookLive(ctx, f, r); err != nil {
			return err
		}
		// Looking is waiting: more at once than processors, each line by itself.
		w.workers, w.lines, w.ctx = liveAtOnce, 1, ctx
	}
	// The live heap is a few megabytes: collecting it less often costs little.
	defer debug.SetGCPercent(debug.SetGCPercent(400))
	p := a.progress(size)
	start := time.Now()
	total, err := runBatch(ctx, in, a.out, w, p.show)
	p.clear()
	a.summary(f, total, time.Since(start), ctx.Err() != nil)
	if err != nil {
		return err
	}
	a.exit = total.exit(failOn, ctx.Err() != nil)
	return nil
}

// batchFlags refuses what says something about one order.
func (a *app) batchFlags(c *cobra.Command, f *checkFlags, names []string) error {
	if !f.json {
		offline := ""
		if f.offline {
			offline = "--offline "
		}
		return a.usage("assay check "+offline+"--json --batch "+f.batch, "error.batch-json")
	}
	if len(names) > 0 {
		return a.usage("assay check --help", "error.batch-flag", "Flag", names[0])
	}
	for _, flag := range []string{"csr", "order", "product", "method", "expect", "plan", "record"} {
		if c.Flags().Changed(flag) {
			return a.usage("assay check --help", "error.batch-flag", "Flag", "--"+flag)
		}
	}
	return nil
}

// A tally counts the outcome of lines.
type tally struct {
	lines, judged, failed, crashed int
	verdicts                       map[review.Verdict]int
	bytes                          int64
	failing                        int // the highest code of --fail-on
	stopped                        int // lines that Ctrl-C kept from being judged
}

func (t *tally) add(o *tally) {
	t.lines += o.lines
	t.judged += o.judged
	t.failed += o.failed
	t.crashed += o.crashed
	t.bytes += o.bytes
	t.failing = max(t.failing, o.failing)
	for v, n := range o.verdicts {
		t.count(v, n)
	}
}

func (t *tally) count(v review.Verdict, n int) {
	if t.verdicts == nil {
		t.verdicts = map[review.Verdict]int{}
	}
	t.verdicts[v] += n
}

func (t *tally) exit(failOn cause.Level, interrupted bool) int {
	switch {
	case t.crashed > 0:
		return exitInternal
	case interrupted:
		return exitInterrupted
	case t.failed > 0:
		return exitData
	case failOn != "":
		return t.failing
	}
	gravest := review.VerdictPass
	for v := range t.verdicts {
		gravest = gravestVerdict(gravest, v)
	}
	return exitCode(gravest)
}

// batchWorker reviews lines. It is shared by all goroutines and not changed.
type batchWorker struct {
	app      *app
	flags    *checkFlags
	reviewer *assay.Reviewer
	source   *lookup.Source
	base     string
	failOn   cause.Level
	// ctx ends reviews that look at the network; nil: a line that was begun is
	// finished.
	ctx context.Context
	// workers review at the same time, each at most so many lines in one go.
	workers, lines int
}

// liveAtOnce is how many orders of a batch are looked at on the network at the
// same time. The budgets of the resolver bound what one target gets of it.
const liveAtOnce = 8

// lineError is the output for a line that could not be judged.
type lineError struct {
	Line  int `json:"line"`
	Error struct {
		// Code: "unreadable", "too-large", "internal".
		Code    string `json:"code"`
		Message string `json:"message"`
	} `json:"error"`
}

// line reviews one line and appends its output.
func (w *batchWorker) line(reports *reportWriter, out []byte, number int, raw []byte, t *tally) (result []byte) {
	length := len(out)
	defer func() {
		if p := recover(); p != nil {
			t.crashed++
			result = w.failed(out[:length], number, "internal", fmt.Sprint(p))
		}
	}()
	o, err := order.ParseLine(raw)
	if err == nil {
		err = w.app.fillPaths(o, w.base)
	}
	if err != nil {
		t.failed++
		return w.failed(out, number, "unreadable", lineFault(err))
	}
	reviewer, err := w.app.knowing(w.reviewer, w.source, o.History, "history")
	if err != nil {
		t.failed++
		return w.failed(out, number, "unreadable", err.Error())
	}
	ctx := context.Background()
	if w.ctx != nil {
		ctx = w.ctx
	}
	resolved := o.Resolve()
	report, err := reviewer.Review(ctx, resolved)
	if ctx.Err() != nil {
		t.stopped++
		return out
	}
	if err != nil {
		t.failed++
		return w.failed(out, number, "internal", err.Error())
	}
	if w.flags.redact {
		report.Redact()
	}
	t.judged++
	t.count(report.Verdict, 1)
	t.failing = max(t.failing, outcome(report, w.failOn))
	return reports.append(out, report)
}

// lineFault is the error of a line without "line 1": the line is known.
func lineFault(err error) string {
	var faults strict.Errors
	if !errors.As(err, &faults) {
		return err.Error()
	}
	lines := make([]string, len(faults))
	for i, f := range faults {
		lines[i] = strings.TrimPrefix(f.Error(), "line 1, ")
	}
	return strings.Join(lines, "; ")
}

func (w *batchWorker) failed(out []byte, number int, code, message string) []byte {
	var e lineError
	e.Line = number
	e.Error.Code = code
	e.Error.Message = clip(key.Redact(message))
	return appendJSON(out, &e)
}

// maxChunkLines bounds the lines a worker takes at once, chunkBytes their bytes
// (one line more may follow).
const (
	maxChunkLines = 256
	chunkBytes    = 128 << 10
)

// A chunk is some successive lines on their way through the program.
type chunk struct {
	first   int // number of the first line
	buf     []byte
	ends    []int // end of each line in buf; -1 for a line that was too long
	out     []byte
	tally   tally
	ready   chan struct{}
	failure error // of the reader; the last chunk only
}

func (c *chunk) reset(first int) {
	c.first, c.buf, c.ends, c.out, c.tally, c.failure = first, c.buf[:0], c.ends[:0], c.out[:0], tally{}, nil
}

// runBatch moves chunks from the reader through the workers to the writer until
// the input ends or the context does; what was begun by then is finished.
func runBatch(ctx context.Context, in io.Reader, out io.Writer, w *batchWorker, progress func(*tally)) (total tally, err error) {
	workers := w.workers
	free := make(chan *chunk, 3*workers)
	for range cap(free) {
		free <- &chunk{ready: make(chan struct{}, 1)}
	}
	work := make(chan *chunk, cap(free))
	inOrder := make(chan *chunk, cap(free))
	go readChunks(ctx, in, w.lines, free, work, inOrder)
	for range workers {
		go func() {
			reports := newReportWriter()
			for c := range work {
				w.chunk(c, reports)
				c.ready <- struct{}{}
			}
		}()
	}
	buffered := bufio.NewWriterSize(out, 256<<10)
	stopped := false
	finish := func(c *chunk) error {
		<-c.ready
		if stopped = stopped || c.tally.stopped > 0; stopped {
			free <- c // it would leave a gap between what was written
			return nil
		}
		_, err := buffered.Write(c.out)
		if err == nil && len(inOrder) == 0 {
			err = buffered.Flush()
		}
		total.add(&c.tally)
		progress(&total)
		if err == nil {
			err = c.failure
		}
		free <- c
		return err
	}
	for {
		select {
		case c, ok := <-inOrder:
			if !ok {
				return total, buffered.Flush()
			}
			if err := finish(c); err != nil {
				return total, errors.Join(err, buffered.Flush())
			}
		case <-ctx.Done():
			for {
				select {
				case c, ok := <-inOrder:
					if !ok {
						return total, buffered.Flush()
					}
					if err := finish(c); err != nil {
						return total, errors.Join(err, buffered.Flush())
					}
				default:
					return total, buffered.Flush()
				}
			}
		}
	}
}

// chunk reviews the lines of a chunk. A line that was begun is finished even
// where the batch is interrupted.
func (w *batchWorker) chunk(c *chunk, reports *reportWriter) {
	start := 0
	for i, end := range c.ends {
		number := c.first + i
		c.tally.lines++
		if end < 0 {
			c.tally.failed++
			c.out = w.failed(c.out, number, "too-large", w.app.text.Text("error.line-too-large", "Limit", bytesText(order.MaxFileBytes)))
			continue
		}
		line := c.buf[start:end]
		start = end
		if blank(line) {
			continue
		}
		c.out = w.line(reports, c.out, number, line, &c.tally)
	}
}

func blank(line []byte) bool {
	for _, c := range line {
		if c != ' ' && c != '\t' && c != '\r' {
			return false
		}
	}
	return true
}

// summary says on standard error what came of a batch.
func (a *app) summary(f *checkFlags, t tally, took time.Duration, interrupted bool) {
	var parts []string
	for _, v := range []review.Verdict{review.VerdictRefuse, review.VerdictReview, review.VerdictUnknown, review.VerdictWait, review.VerdictPass} {
		if n := t.verdicts[v]; n > 0 {
			parts = append(parts, a.text.Text("count.level", "Count", n, "Level", a.text.Text("level."+string(v))))
		}
	}
	line := a.text.Count("batch.judged", t.judged, "Seconds", fmt.Sprintf("%.1f", took.Seconds()))
	if len(parts) > 0 {
		line += a.text.Text("punctuation.colon") + strings.Join(parts, ", ")
	}
	fmt.Fprintln(a.err, line)
	if bad := t.failed + t.crashed; bad > 0 {
		fmt.Fprintln(a.err, a.text.Count("batch.failed", bad))
	}
	if interrupted {
		fmt.Fprintln(a.err, a.text.Text("batch.interrupted", "Line", t.lines, "Next", t.lines+1))
	}
}
