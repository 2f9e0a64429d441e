package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"assay/cause"
	"assay/internal/message"
	"assay/internal/service"
	"assay/lab"
	"assay/order"
)

// A watcher is "assay order watch ORDER --json" as a process.
type watcher struct {
	*testing.T
	cmd    *exec.Cmd
	lines  *bufio.Scanner
	stderr bytes.Buffer
}

func (s *site) watch(t *testing.T, id string) *watcher {
	t.Helper()
	binary, err := exec.LookPath("assay")
	if err != nil {
		t.Fatal(err)
	}
	w := &watcher{T: t, cmd: exec.Command(binary, "order", "watch", id, "--json")}
	w.cmd.Env = append(os.Environ(), "ASSAY_URL="+s.url, "ASSAY_TOKEN="+s.token, "LANG=C.UTF-8", "HOME="+s.dir)
	w.cmd.Stderr = &w.stderr
	out, err := w.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := w.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.cmd.Process.Kill() })
	w.lines = bufio.NewScanner(out)
	w.lines.Buffer(nil, 1<<20)
	return w
}

// next is the next line; ok is false at the end.
func (w *watcher) next() (l watchLine, ok bool) {
	w.Helper()
	if !w.lines.Scan() {
		return l, false
	}
	if err := json.Unmarshal(w.lines.Bytes(), &l); err != nil {
		w.Fatalf("%v: %s", err, w.lines.Bytes())
	}
	return l, true
}

// ended waits for the process and gives its exit code.
func (w *watcher) ended() int {
	w.Helper()
	if l, ok := w.next(); ok {
		w.Errorf("a line after the last: %+v", l)
	}
	_ = w.cmd.Wait()
	return w.cmd.ProcessState.ExitCode()
}

// TestOrderWatch: a watch begins with where the order stands, has a line for each
// change, none twice, ends when the order does, and at once with Ctrl-C; the
// order goes on.
func TestOrderWatch(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.look(t, bare(), lab.Options{})
	v := s.must(t, http.MethodPost, "/orders", application(order.MethodDNS, csrOf(t, "orchard.net", "orchard.net"), "orchard.net"))
	interrupted, whole := s.watch(t, v.ID), s.watch(t, v.ID)
	for _, w := range []*watcher{interrupted, whole} {
		if l, ok := w.next(); !ok || l.State != order.StatePending || l.Action != "" || l.Deadline == nil {
			t.Fatalf("the first line: %+v %s", l, w.stderr.String())
		}
	}
	if err := interrupted.cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	for { // changes that came before the signal
		if _, ok := interrupted.next(); !ok {
			break
		}
	}
	if code := interrupted.ended(); code != exitInterrupted || !strings.Contains(interrupted.stderr.String(), "assay order watch "+v.ID) {
		t.Errorf("interrupted: %d %s", code, interrupted.stderr.String())
	}
	s.must(t, http.MethodPost, "/orders/"+v.ID+"/cancel", nil)
	last := int64(0)
	for {
		l, ok := whole.next()
		if !ok {
			t.Fatalf("the watch ended before the order: %s", whole.stderr.String())
		}
		if l.Version <= last || l.Action == "" || l.Actor == "" {
			t.Errorf("a line after version %d: %+v", last, l)
		}
		last = l.Version
		if l.State == order.StateCancelled {
			break
		}
	}
	if code := whole.ended(); code != exitRefuse {
		t.Errorf("exit code %d, %s", code, whole.stderr.String())
	}
}

// TestDraftWatch: whoever watches a draft is told that it waits for somebody, and that
// it was deleted.
func TestDraftWatch(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.look(t, bare(), lab.Options{})
	in := application(order.MethodDNS, csrOf(t, "orchard.net", "orchard.net"), "orchard.net")
	in.Draft = true
	v := s.must(t, http.MethodPost, "/orders", in)
	w := s.watch(t, v.ID)
	if l, ok := w.next(); !ok || l.State != order.StateDraft {
		t.Fatalf("the first line: %+v %s", l, w.stderr.String())
	}
	s.must(t, http.MethodDelete, "/orders/"+v.ID, nil)
	if l, ok := w.next(); !ok || l.Action != "order.delete" || l.Version != v.Version+1 {
		t.Errorf("deleted: %+v", l)
	}
	if code := w.ended(); code != exitRefuse || !strings.Contains(w.stderr.String(), "It is a draft") {
		t.Errorf("exit code %d, %s", code, w.stderr.String())
	}
}

// TestOrderCountdown: how long it is until the next check and the deadline, in both
// languages; nothing where nothing is waited for.
func TestOrderCountdown(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 26, 8, 0, 0, 0, time.UTC)
	in := func(d time.Duration) *time.Time { at := now.Add(d); return &at }
	open := service.View{State: order.StatePending, NextCheck: in(90 * time.Second), Deadline: in(71*time.Hour + 59*time.Minute)}
	paused, due := open, open
	paused.Paused, paused.NextCheck = "identical", nil
	due.NextCheck = in(-time.Second)
	for _, c := range []struct {
		name   string
		view   service.View
		en, zh string
	}{
		{"waits", open, "next check in 1 min 30 s · deadline in 2 days 23 h · Ctrl-C ends the watching", "1 分钟 30 秒后再次检查 · 距截止时间 2 天 23 小时 · 按 Ctrl-C 停止跟踪"},
		{"due", due, "a check is due now · deadline in 2 days 23 h · Ctrl-C ends the watching", "现在应进行检查 · 距截止时间 2 天 23 小时 · 按 Ctrl-C 停止跟踪"},
		{"paused", paused, "checks are paused · deadline in 2 days 23 h · Ctrl-C ends the watching", "检查已暂停 · 距截止时间 2 天 23 小时 · 按 Ctrl-C 停止跟踪"},
		{"ended", service.View{State: order.StateFailed, Deadline: in(time.Hour)}, "", ""},
		{"a draft", service.View{State: order.StateDraft}, "", ""},
	} {
		for lang, want := range map[cause.Language]string{cause.English: c.en, cause.Chinese: c.zh} {
			a := &app{now: func() time.Time { return now }, text: message.New(lang)}
			if got := a.countdownText(&c.view); got != want {
				t.Errorf("%s: %q, want %q", c.name, got, want)
			}
		}
	}
}

// TestOrderCountdownShown: on a terminal the line is there while nothing happens, and
// gone before anything else is written.
func TestOrderCountdownShown(t *testing.T) {
	t.Parallel()
	out := &syncBuffer{}
	now := time.Now()
	a := &app{now: time.Now, text: message.New(cause.English), err: out, getenv: func(string) string { return "" }}
	next := now.Add(time.Hour)
	show := a.lookProgress()
	show.visible = true
	c := a.countOn(show, &service.View{State: order.StatePending, NextCheck: &next})
	for end := now.Add(30 * time.Second); !strings.Contains(out.String(), "next check in"); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("no countdown")
		}
	}
	c.stop()
	c.stop()
	if !strings.HasSuffix(out.String(), "\r\x1b[K") {
		t.Errorf("left behind: %q", out.String())
	}
}
