package probe_test

import (
	"context"
	"crypto/rand"
	"io"
	"sync/atomic"
	"testing"
	"time"

	"assay/evidence"
	"assay/internal/contain"
	"assay/lab"
	"assay/lab/trial"
	"assay/probe"
)

// A striker panics once, at the nth use of what a prober is given.
type striker struct {
	left   atomic.Int64
	struck atomic.Bool
	clock  func() time.Time
}

func (s *striker) strike() {
	if s.left.Add(-1) == 0 {
		s.struck.Store(true)
		panic("as a probe may")
	}
}

func (s *striker) now() time.Time {
	s.strike()
	return s.clock()
}

// Read gives random bytes.
func (s *striker) Read(b []byte) (int, error) {
	s.strike()
	return io.ReadFull(rand.Reader, b)
}

// TestContain has a prober panic at one place after the other, in whichever
// goroutine that is: it answers every question, with what is there or with
// nothing known, never with something else; nobody waits for ever, and whoever
// asked to be told is.
func TestContain(t *testing.T) {
	t.Parallel()
	w, err := lab.New(lab.Change{Places: lab.Strings{"P0"}}, lab.Options{Clock: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.Close() })
	dns := func(name, typ string, each, apex bool) evidence.Question {
		return evidence.Question{Kind: evidence.KindDNS, Perspective: "P0", DNS: &evidence.DNSQuestion{Name: name, Type: typ, Each: each, Apex: apex}}
	}
	questions := []evidence.Question{
		dns("_dnsauth.orchard.net", "TXT", true, false), dns("orchard.net", "NS", true, true), dns("orchard.net", "CAA", true, false),
		{Kind: evidence.KindHTTP, Perspective: "P0", HTTP: &evidence.HTTPQuestion{URL: "http://orchard.net/.well-known/pki-validation/fileauth.txt", Each: true}},
		{Kind: evidence.KindTLS, Perspective: "P0", TLS: &evidence.TLSQuestion{Name: "orchard.net", Each: true, Port: 443}},
	}
	look := func(n int64) (list []evidence.Observation, s *striker, told int) {
		c := trial.Config(w.Probe(0))
		s = &striker{clock: c.DNS.Now}
		c.DNS.Now, c.DNS.Random = s.now, s
		p, err := probe.New(c)
		if err != nil {
			t.Fatal(err)
		}
		p.OnDefect(func(why *contain.Panic) {
			told++
			if why.Text != "as a probe may" || why.Stack == "" {
				t.Errorf("%+v", why)
			}
		})
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		l := p.Begin()
		defer l.Close()
		s.left.Store(n)
		list = l.Answer(ctx, questions)
		if ctx.Err() != nil {
			t.Errorf("struck at %d: somebody waits for what never comes", n)
		}
		return list, s, told
	}
	healthy, _, _ := look(1 << 40)
	unknown := 0
	for n := int64(1); n < 200; n += 1 + n/8 {
		list, s, told := look(n)
		for i := range list {
			o := &list[i]
			switch {
			case o.Unknown == evidence.UnknownDefect:
				unknown++
			case o.Unknown != "" || o.ID != healthy[i].ID:
				t.Errorf("struck at %d: %d: %s, %q; healthy is %s", n, i, o.ID, o.Unknown, healthy[i].ID)
			}
			if o.ID == "" || o.Question.ID() != healthy[i].Question.ID() {
				t.Errorf("struck at %d: %d: %+v", n, i, o.Question)
			}
		}
		if s.struck.Load() != (told > 0) {
			t.Errorf("struck at %d: %v, told %d times", n, s.struck.Load(), told)
		}
	}
	if unknown == 0 {
		t.Error("nothing was struck")
	}
}
