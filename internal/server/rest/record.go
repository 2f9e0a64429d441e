package rest

import (
	"fmt"
	"net/http"
	"runtime"
	"strings"
	"time"
)

// A recorder remembers what was answered.
type recorder struct {
	http.ResponseWriter
	status int
	bytes  int64
}

func (w *recorder) WriteHeader(status int) {
	if w.status == 0 {
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *recorder) Write(b []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	n, err := w.ResponseWriter.Write(b)
	w.bytes += int64(n)
	return n, err
}

// Unwrap is for http.ResponseController.
func (w *recorder) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// discard is a writer for an answer that nobody gets.
type discard struct{ header http.Header }

func (d discard) Header() http.Header       { return d.header }
func (discard) Write(b []byte) (int, error) { return len(b), nil }
func (discard) WriteHeader(int)             {}

// written logs and counts a request: never its query, token or body.
func (s *Server) written(rec *recorder, r *http.Request, req *request) {
	took := time.Since(req.began)
	s.metrics.request(req.route, rec.status, took)
	if probed(r.URL.Path) {
		return
	}
	s.Log.Info("request",
		"request", req.id, "method", r.Method, "route", req.route, "path", clip(r.URL.EscapedPath(), 200), "status", rec.status,
		"bytes", rec.bytes, "ms", float64(took.Microseconds())/1000, "client", req.client,
		"tenant", req.who.Tenant, "account", req.who.Account, "token", req.who.Token, "role", string(req.who.Role))
}

func clip(s string, most int) string {
	if len(s) <= most {
		return s
	}
	return s[:most] + "…"
}

// stack is where a panic happened, for the log: functions and lines, no values.
func stack() string {
	pcs := make([]uintptr, 32)
	frames := runtime.CallersFrames(pcs[:runtime.Callers(3, pcs)])
	var b strings.Builder
	for {
		f, more := frames.Next()
		fmt.Fprintf(&b, "%s:%d ", f.Function, f.Line)
		if !more {
			return strings.TrimSpace(b.String())
		}
	}
}
