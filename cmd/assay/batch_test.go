package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"time"

	"assay/cause"
	"assay/data"
	"assay/evidence"
	"assay/internal/message"
	"assay/order"
	"assay/review"
)

// TestReportWriter: the writer of batches writes what encoding/json writes,
// whatever stood in the report before it.
func TestReportWriter(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC)
	inputs := evidence.Observation{
		ID: "o-1", At: at, Question: evidence.Question{Kind: evidence.KindLookup, Lookup: &evidence.LookupQuestion{Topic: "inputs"}},
		Lookup: &evidence.LookupAnswer{Inputs: []evidence.Input{{Name: "psl"}}},
	}
	later := inputs
	later.At = at.Add(time.Hour)
	full := &review.Report{
		Version: 1, Engine: "0.1.0", Order: &order.Order{Names: []string{"<果园>.net", "a\x7f\u202eb"}},
		Profile: review.ProfileRef{Name: "cloud"}, Data: map[string]data.Ref{"psl": {Digest: "d"}}, Lang: "en",
		NotAsked: []review.NotAsked{{What: "csr", Why: "not-given", Causes: []cause.ID{"csr.reused"}}},
		At:       at, Deadline: &at, Also: []review.Other{{Profile: "private", Verdict: "pass"}},
		Findings:     []review.Finding{{ID: "x", Parameters: cause.Parameters{"d": time.Hour, "a": []string{"&"}}}},
		Readiness:    []review.Readiness{{Method: "dns"}},
		Perspectives: []evidence.Perspective{{ID: "P0", Missing: []evidence.Missing{{What: "ipv6"}}}}, MPIC: "conformant", Observations: []evidence.Observation{inputs, later},
		Timing: map[string]float64{"judge": 1.5}, Redacted: true,
	}
	otherwise := *full
	otherwise.NotAsked = []review.NotAsked{{What: "csr", Why: "not-given", Causes: []cause.ID{"csr.unreadable"}}}
	otherwise.Data, otherwise.Profile.Name = map[string]data.Ref{"psl": {Digest: "e"}}, "private"
	reports := []*review.Report{
		full,
		{},
		full,
		{NotAsked: []review.NotAsked{}, Findings: []review.Finding{}, Observations: []evidence.Observation{}},
		&otherwise,
		full,
	}
	w := newReportWriter()
	for i, r := range reports {
		want := string(appendJSON(nil, r))
		if got := string(w.append([]byte("before"), r)); got != "before"+want {
			t.Errorf("report %d:\n%s\nwant\n%s", i, got, want)
		}
		if !json.Valid([]byte(want)) {
			t.Errorf("report %d is no JSON", i)
		}
	}
}

// TestReportFields: the writer knows only what is in these tags.
func TestReportFields(t *testing.T) {
	t.Parallel()
	typ := reflect.TypeFor[review.Report]()
	for i := range typ.NumField() {
		tag := typ.Field(i).Tag.Get("json")
		if _, options, _ := strings.Cut(tag, ","); options != "" && options != "omitempty" {
			t.Errorf("%s: tag %q: the writer of batches knows omitempty only", typ.Field(i).Name, tag)
		}
	}
}

func batchOf(t *testing.T, in io.Reader, ctx context.Context, out io.Writer) (tally, error) {
	t.Helper()
	a := &app{in: in, out: out, err: io.Discard, getenv: func(string) string { return "" }, now: time.Now, text: message.New(cause.English)}
	f := &checkFlags{profile: "cloud", offline: true, json: true}
	r, err := a.reviewer(f, false)
	if err != nil {
		t.Fatal(err)
	}
	w := &batchWorker{app: a, flags: f, base: t.TempDir(), reviewer: r, workers: processors(), lines: maxChunkLines}
	if w.source, err = a.withRecords(f, r); err != nil {
		t.Fatal(err)
	}
	return runBatch(ctx, in, out, w, func(*tally) {})
}

// TestBatchStreams: a producer that waits for each answer gets it.
func TestBatchStreams(t *testing.T) {
	t.Parallel()
	in, feed := io.Pipe()
	answers, out := io.Pipe()
	done := make(chan error, 1)
	go func() {
		_, err := batchOf(t, in, context.Background(), out)
		done <- err
	}()
	lines := json.NewDecoder(answers)
	for range 3 {
		if _, err := io.WriteString(feed, `{"names":["a.orchard.net"]}`+"\n"); err != nil {
			t.Fatal(err)
		}
		var r review.Report
		if err := lines.Decode(&r); err != nil || r.Verdict == "" {
			t.Fatalf("no answer: %v", err)
		}
	}
	feed.Close()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}

// TestBatchInterrupted: what was begun is finished and written, and the count
// is that of the lines written.
func TestBatchInterrupted(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(context.Background())
	in, feed := io.Pipe()
	go func() {
		for range 1000 {
			if _, err := io.WriteString(feed, `{"names":["a.orchard.net"]}`+"\n"); err != nil {
				return
			}
		}
		cancel() // and the producer stays silent, the pipe open
	}()
	defer in.Close()
	var out bytes.Buffer
	total, err := batchOf(t, in, ctx, &out)
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Count(out.String(), "\n"); got != total.lines || total.lines > 1000 {
		t.Errorf("%d lines written, %d counted", got, total.lines)
	}
	if total.exit("", true) != exitInterrupted {
		t.Error("exit code")
	}
}

type failing struct{ after int }

func (f *failing) Write(p []byte) (int, error) {
	if f.after -= len(p); f.after < 0 {
		return 0, errors.New("disk full")
	}
	return len(p), nil
}

func TestBatchWriteError(t *testing.T) {
	t.Parallel()
	in := strings.NewReader(strings.Repeat(`{"names":["a.orchard.net"]}`+"\n", 20_000))
	if _, err := batchOf(t, in, context.Background(), &failing{after: 1000}); err == nil || !strings.Contains(err.Error(), "disk full") {
		t.Errorf("error %v", err)
	}
}

// TestBatchMemory: the heap does not grow with the number of lines, nor with
// the length of one.
func TestBatchMemory(t *testing.T) {
	in := io.MultiReader(
		io.LimitReader(repeat("a"), 64<<20), strings.NewReader("\n"),
		io.LimitReader(repeat(`{"names":["a.orchard.net"]}`+"\n"), 28*40_000),
	)
	var before, after runtime.MemStats
	var peak uint64
	runtime.GC()
	runtime.ReadMemStats(&before)
	watch := writerFunc(func(p []byte) (int, error) {
		runtime.ReadMemStats(&after)
		peak = max(peak, after.HeapAlloc)
		return len(p), nil
	})
	total, err := batchOf(t, in, context.Background(), watch)
	if err != nil || total.judged != 40_000 || total.failed != 1 {
		t.Fatalf("%+v, %v", total, err)
	}
	if grown := int64(peak) - int64(before.HeapAlloc); grown > 48<<20 {
		t.Errorf("the heap grew by %d MiB", grown>>20)
	}
}

type writerFunc func(p []byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

// repeat is a text without end.
func repeat(text string) io.Reader { return &repeater{text: text} }

type repeater struct {
	text string
	at   int
}

func (r *repeater) Read(p []byte) (int, error) {
	n := 0
	for n < len(p) {
		k := copy(p[n:], r.text[r.at:])
		n += k
		r.at = (r.at + k) % len(r.text)
	}
	return n, nil
}

// FuzzLine: no line of a batch crashes the program, and each gives one line of
// JSON.
func FuzzLine(f *testing.F) {
	f.Add(`{"names":["a.orchard.net"],"csr":"-----BEGIN"}`)
	f.Add(`{"names":["a.orchard.net"],"history":[{"order":"x","csr":"y"}]}`)
	f.Add(`{"expect":{"a":{"value":"x"}}}`)
	f.Add("names: [a]")
	a := &app{in: strings.NewReader(""), out: io.Discard, err: io.Discard, getenv: func(string) string { return "" }, now: time.Now, text: message.New(cause.English)}
	flags := &checkFlags{profile: "cloud"}
	r, err := a.reviewer(flags, false)
	if err != nil {
		f.Fatal(err)
	}
	w := &batchWorker{app: a, flags: flags, base: f.TempDir(), reviewer: r}
	if w.source, err = a.withRecords(flags, r); err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, line string) {
		var total tally
		out := w.line(newReportWriter(), nil, 1, []byte(line), &total)
		if total.crashed > 0 {
			t.Fatalf("%q: %s", line, out)
		}
		if bytes.Count(out, []byte{'\n'}) != 1 || !json.Valid(out) {
			t.Fatalf("%q gives %q", line, out)
		}
	})
}

func TestIsPath(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]bool{
		"shop.csr":                          true,
		"/etc/ssl/shop.csr":                 true,
		`C:\shop.csr`:                       true,
		"":                                  false,
		"-----BEGIN CERTIFICATE REQUEST--":  false,
		"MIIC" + strings.Repeat("abcd", 50): false,
		"line\nline":                        false,
		strings.Repeat("x/", 600):           false,
	} {
		if got := isPath(text); got != want {
			t.Errorf("isPath(%.20q) = %v, want %v", text, got, want)
		}
	}
}

// TestPanic: a defect ends the program with 70 and a short message.
func TestPanic(t *testing.T) {
	t.Parallel()
	var errs bytes.Buffer
	a := &app{in: strings.NewReader(""), out: io.Discard, err: &errs, getenv: func(string) string { return "" }, now: func() time.Time { panic("no clock\nsecond line") }}
	code := a.run([]string{"check", "--offline", "a.orchard.net"})
	if code != exitInternal || strings.Contains(errs.String(), "goroutine") || strings.Contains(errs.String(), "second line") || !strings.Contains(errs.String(), "ASSAY_DEBUG=1") {
		t.Errorf("exit code %d: %s", code, errs.String())
	}
}

// TestRecordIsPrivate: a report can hold personal data.
func TestRecordIsPrivate(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "report.json")
	a := &app{text: message.New(cause.English)}
	if err := a.record(path, &review.Report{}); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
}
