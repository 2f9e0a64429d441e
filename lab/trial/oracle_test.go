package trial_test

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/miekg/dns"

	"assay/evidence"
	"assay/lab"
	"assay/lab/trial"
	"assay/probe/resolver"
)

// TestOracles resolves every question of the table three times, from the root
// of one world on real loopback addresses: with our resolver, with unbound and
// with BIND. What they find must be what the table says: whether it is secure,
// insecure, bogus or cannot be had, the response code, and the records.
func TestOracles(t *testing.T) {
	t.Parallel()
	const block = 204 // no other test may use it
	// unbound takes a signature for a day after its end: the world is an hour
	// behind, so that what ended a day ago is past that for good.
	clock := func() time.Time { return time.Now().Add(-time.Hour) }
	w, err := lab.New(oracleWorld(), lab.Options{Clock: clock, Loopback: block})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Start(); err != nil {
		t.Fatalf("this test listens on port 53 of 127.%d.x.y: %v", block, err)
	}
	t.Cleanup(func() { _ = w.Close() })
	config := trial.Config(w.Probe(0)).DNS
	config.Try, config.Tries, config.Question, config.Hedge = 3*time.Second, 3, time.Minute, time.Second
	config.PerServer, config.PerTarget = -1, -1
	r, err := resolver.New(config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Close)
	unbound, bind := startUnbound(t, w), startBIND(t, w)
	table := oracleTable()
	if len(table) < 60 {
		t.Fatalf("only %d questions", len(table))
	}
	var all sync.WaitGroup
	busy := make(chan struct{}, 8)
	for _, c := range table {
		all.Go(func() {
			busy <- struct{}{}
			defer func() { <-busy }()
			name, qtype, _ := strings.Cut(c.question, " ")
			ours := resolveOurs(t, r, name, qtype)
			for _, other := range []struct{ who, at, want string }{
				{"unbound", unbound, cmp.Or(c.unbound, c.want)}, {"BIND", bind, cmp.Or(c.bind, c.want)},
			} {
				theirs := resolveTheirs(other.at, name, qtype)
				// On a busy machine a resolver gives up where it has only not tried enough.
				for try := 0; theirs.state == "failed" && other.want != "failed" && try < 8; try++ {
					theirs = resolveTheirs(other.at, name, qtype)
				}
				if got := theirs.String(); got != other.want {
					t.Errorf("%s: %s finds %q, the table says %q: %v", c.question, other.who, got, other.want, theirs.records)
				} else if other.want == c.want && !slices.Equal(theirs.records, ours.records) {
					t.Errorf("%s: %s gives %v, we %v", c.question, other.who, theirs.records, ours.records)
				}
			}
			if got := ours.String(); got != c.want {
				t.Errorf("%s: we find %q, the table says %q: %v", c.question, got, c.want, ours.records)
			}
			if differs := c.unbound+c.bind != ""; differs != (c.why != "") {
				t.Errorf("%s: a difference needs a reason, and a reason a difference", c.question)
			}
		})
	}
	all.Wait()
	states := map[string]int{}
	for _, c := range table {
		state, _, _ := strings.Cut(c.want, " ")
		states[state]++
	}
	t.Log(len(table), "questions:", states)
	for _, state := range []string{"secure", "insecure", "bogus", "failed"} {
		if states[state] < 10 {
			t.Errorf("only %d questions are %s", states[state], state)
		}
	}
}

// A found is what a resolver makes of a question.
type found struct {
	state   string   // secure, insecure, bogus; failed: no answer, validated or not
	code    string   // of what is not bogus or failed
	records []string // of the answer, without signatures, sorted
}

// String is the state, the code and the number of records.
func (f found) String() string {
	if f.code == "" {
		return f.state
	}
	return fmt.Sprint(f.state, " ", f.code, " ", len(f.records))
}

func (f *found) add(owner, rrtype, data string) {
	if rrtype != "RRSIG" {
		f.records = append(f.records, strings.ToLower(strings.TrimSuffix(owner, ".")+" "+rrtype+" "+data))
		slices.Sort(f.records)
	}
}

func resolveOurs(t *testing.T, r *resolver.Resolver, name, qtype string) found {
	l := r.Begin()
	defer l.Close()
	a, unknown := l.Answer(context.Background(), evidence.DNSQuestion{Name: strings.TrimSuffix(name, "."), Type: qtype})
	if a == nil {
		t.Errorf("%s %s: unknown: %s", name, qtype, unknown)
		return found{}
	}
	switch {
	case a.Status == "bogus":
		return found{state: "bogus"}
	case dns.StringToRcode[a.Status] != dns.RcodeSuccess || a.Status == "NOERROR":
		f := found{state: a.Security, code: a.Status}
		for _, rr := range a.Answer {
			f.add(rr.Owner, rr.Type, rr.Data)
		}
		return f
	}
	return found{state: "failed"} // unanswered, a loop, a chain too long
}

// resolveTheirs asks a validating resolver; where it fails, once more without
// validation, which tells an answer that is bogus from none.
func resolveTheirs(at, name, qtype string) found {
	m := askResolver(at, name, qtype, false)
	if m != nil && m.Rcode == dns.RcodeServerFailure {
		if m = askResolver(at, name, qtype, true); m != nil && m.Rcode != dns.RcodeServerFailure {
			return found{state: "bogus"}
		}
		m = nil
	}
	if m == nil {
		return found{state: "failed"}
	}
	f := found{state: "insecure", code: dns.RcodeToString[m.Rcode]}
	if m.AuthenticatedData {
		f.state = "secure"
	}
	for _, rr := range m.Answer {
		f.add(rr.Header().Name, dns.TypeToString[rr.Header().Rrtype], strings.TrimPrefix(rr.String(), rr.Header().String()))
	}
	return f
}

// askResolver returns nil where no answer came: unbound takes minutes to give up
// dead servers.
func askResolver(at, name, qtype string, unchecked bool) *dns.Msg {
	const patience = 15 * time.Second
	q := new(dns.Msg)
	q.SetQuestion(dns.Fqdn(name), dns.StringToType[qtype])
	q.SetEdns0(1232, true)
	q.CheckingDisabled = unchecked
	m, _, err := (&dns.Client{Timeout: patience}).Exchange(q, at)
	if err == nil && m.Truncated {
		m, _, err = (&dns.Client{Net: "tcp", Timeout: patience}).Exchange(q, at)
	}
	if err != nil {
		return nil
	}
	return m
}
