package resolver_test

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"assay/evidence"
	"assay/lab"
	"assay/probe/dial"
	"assay/probe/resolver"
)

func faults(server string, list ...lab.Fault) lab.Change {
	return lab.Change{Servers: map[string]lab.ServerChange{server: {Faults: list}}}
}

// TestFaults: what one server does wrong, and that the other decides.
func TestFaults(t *testing.T) {
	t.Parallel()
	no := false
	yes := true
	closedTCP := faults("ns1", lab.Fault{Do: "truncate"})
	closedTCP.Servers["ns1"] = lab.ServerChange{Faults: []lab.Fault{{Do: "truncate"}}, Closed: lab.Strings{"tcp"}}
	for _, c := range []struct {
		name   string
		change lab.Change
		want   string // what ns1 gave; "none": ns1's only counts
	}{
		{"drop", faults("ns1", lab.Fault{Do: "drop"}), "timeout"},
		{"servfail", faults("ns1", lab.Fault{Do: "servfail"}), "SERVFAIL"},
		{"refused", faults("ns1", lab.Fault{Do: "refused"}), "REFUSED"},
		{"notimp", faults("ns1", lab.Fault{Do: "notimp"}), "NOTIMP"},
		{"not authoritative", faults("ns1", lab.Fault{Do: "not-authoritative"}), "NOERROR/no-aa"},
		{"lame", faults("ns1", lab.Fault{Do: "lame"}), "NOERROR/no-aa"},
		{"lower case", faults("ns1", lab.Fault{Do: "lowercase"}), "NOERROR!case"},
		{"no edns: dropped", faults("ns1", lab.Fault{Do: "drop", EDNS: &yes}), "NOERROR!edns"},
		{"no edns: formerr", faults("ns1", lab.Fault{Do: "formerr", EDNS: &yes}), "NOERROR!edns"},
		{"edns once lost is no defect", faults("ns1", lab.Fault{Do: "drop", EDNS: &yes, First: 2}), "NOERROR"},
		{"without edns worse", faults("ns1", lab.Fault{Do: "formerr", EDNS: &no}), "NOERROR"},
		{"truncated, TCP closed", closedTCP, "NOERROR!tcp"},
		{"truncated", faults("ns1", lab.Fault{Do: "truncate"}), "NOERROR"},
		{"garbage", faults("ns1", lab.Fault{Do: "garbage", Bytes: 512}), "garbled"},
		{"64 KB of garbage", faults("ns1", lab.Fault{Do: "garbage", Bytes: 60000}), "garbled"},
		{"bloat", faults("ns1", lab.Fault{Do: "bloat"}), "NOERROR"},
		{"wrong id", faults("ns1", lab.Fault{Do: "wrong-id"}), "garbled"},
		{"wrong question", faults("ns1", lab.Fault{Do: "wrong-question"}), "garbled"},
		{"spoof", faults("ns1", lab.Fault{Do: "spoof", Answer: lab.Strings{`@ TXT "forged"`}}), "NOERROR"},
		{"closed", lab.Change{Servers: map[string]lab.ServerChange{"ns1": {Closed: lab.Strings{"udp", "tcp"}}}}, "refused-connection"},
		{"absent", lab.Change{Servers: map[string]lab.ServerChange{"ns1": {Absent: true}}}, "unreachable"},
		{"reserved address", lab.Change{Delegation: map[string]lab.Delegation{"orchard.net": {Glue: map[string]lab.Strings{"ns1": {"10.0.0.1"}}}}}, "guard"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := world(t, c.change, nil)
			want := "NOERROR insecure 1 | _dnsauth.orchard.net@orchard.net<net unsigned,insecure ns1=" + c.want + " ns2=NOERROR"
			if got := one(t, r, evidence.DNSQuestion{Name: "_dnsauth.orchard.net", Type: "TXT", Each: true}); got != want {
				t.Errorf("\n got %s\nwant %s", got, want)
			}
		})
	}
}

// TestUnanswered: where no server answers, the zone's trust is told all the same.
func TestUnanswered(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ do, want string }{
		{"refused", "unanswered  0 | orchard.net@orchard.net<net unsigned, ns1=REFUSED ns2=REFUSED"},
		{"drop", "unanswered  0 | orchard.net@orchard.net<net unsigned, ns1=timeout ns2=timeout"},
		{"lame", "unanswered  0 | orchard.net@orchard.net<net unsigned, ns1=NOERROR/no-aa ns2=NOERROR/no-aa"},
	} {
		change := faults("ns1", lab.Fault{Do: c.do, Type: lab.Strings{"CAA"}})
		change.Servers["ns2"] = change.Servers["ns1"]
		r := world(t, change, nil)
		got := one(t, r, evidence.DNSQuestion{Name: "orchard.net", Type: "CAA", Each: true})
		if got != c.want {
			t.Errorf("%s:\n got %s\nwant %s", c.do, got, c.want)
		}
	}
}

// TestSilence: thirteen dead servers cost their time-outs once, at the same
// time, for all questions of a look, and a look's packets are bounded.
func TestSilence(t *testing.T) {
	t.Parallel()
	change := lab.Change{Delegation: map[string]lab.Delegation{}, Servers: map[string]lab.ServerChange{}, Zones: map[string]lab.ZoneChange{}}
	var names lab.Strings
	for i := range 13 {
		name := fmt.Sprintf("d%d.orchard.net", i)
		names = append(names, name)
		change.Servers[name] = lab.ServerChange{Faults: []lab.Fault{{Do: "drop"}}}
	}
	change.Zones["orchard.net"] = lab.ZoneChange{Servers: names}
	packets := 0
	r := world(t, change, func(c *resolver.Config) { c.Try = 100 * time.Millisecond })
	l := r.Begin()
	defer l.Close()
	began := time.Now()
	done := make(chan *evidence.DNSAnswer, 8)
	for i := range 8 {
		go func() {
			a, _ := l.Answer(context.Background(), evidence.DNSQuestion{Name: fmt.Sprintf("n%d.orchard.net", i), Type: "TXT", Each: true})
			done <- a
		}()
	}
	for range 8 {
		a := <-done
		if a == nil || a.Status != "unanswered" || len(a.Links[0].Copies) != 13 {
			t.Fatalf("%+v", a)
		}
		for _, c := range a.Links[0].Copies {
			if c.Status != "timeout" {
				t.Errorf("%+v", c)
			}
			packets += c.Tries
		}
	}
	if took := time.Since(began); took > 5*time.Second { // three tries, and what a busy machine adds; one after the other would be 31 s
		t.Errorf("took %v", took)
	}
	if packets > 8*13+2*13 {
		t.Errorf("%d packets", packets)
	}
}

// TestBudget: a look that may send no more says so, and blames nobody.
func TestBudget(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*resolver.Config){
		"look":   func(c *resolver.Config) { c.Packets = 1 },
		"target": func(c *resolver.Config) { c.PerTarget = 0 },
	} {
		r := world(t, lab.Change{}, func(c *resolver.Config) {
			change(c)
			if name == "target" {
				c.PerTarget = 1
			}
		})
		l := r.Begin()
		unknown := ""
		for i := 0; i < 30 && unknown == ""; i++ {
			_, unknown = l.Answer(context.Background(), evidence.DNSQuestion{Name: "orchard.net", Type: "TXT", Each: true})
		}
		if unknown != "budget" {
			t.Errorf("%s: unknown %q", name, unknown)
		}
		l.Close()
	}
}

// TestBudgetOfMany: domains of one registry have budgets of their own, also for what
// its servers are asked, but not without end.
func TestBudgetOfMany(t *testing.T) {
	t.Parallel()
	const many = 30 // three times what one of them may send
	var lines lab.Strings
	for i := range many {
		lines = append(lines, fmt.Sprintf("plum%d NS ns1.orchard.net.", i))
	}
	change := lab.Change{Zones: map[string]lab.ZoneChange{"net": {ZoneCopy: lab.ZoneCopy{Add: lines}}}}
	r := world(t, change, func(c *resolver.Config) { c.PerTarget = 1 })
	ask := func(name string) string {
		l := r.Begin()
		defer l.Close()
		_, unknown := l.Answer(context.Background(), evidence.DNSQuestion{Name: name, Type: "NS"})
		return unknown
	}
	for i := range many {
		if unknown := ask(fmt.Sprintf("plum%d.net", i)); unknown != "" {
			t.Fatalf("domain %d: unknown %q", i, unknown)
		}
	}
	for i := range 2000 {
		if ask(fmt.Sprintf("nothing%d.net", i)) == "budget" {
			return
		}
	}
	t.Error("a registry's servers are asked without end")
}

// TestCancel: what ends early is nobody's fault.
func TestCancel(t *testing.T) {
	t.Parallel()
	change := faults("ns1", lab.Fault{Do: "drop"})
	change.Servers["ns2"] = change.Servers["ns1"]
	r := world(t, change, func(c *resolver.Config) { c.Try = 10 * time.Second })
	ctx, cancel := context.WithCancel(context.Background())
	l := r.Begin()
	defer l.Close()
	asked := make(chan string)
	go func() {
		_, unknown := l.Answer(ctx, evidence.DNSQuestion{Name: "orchard.net", Type: "TXT", Each: true})
		asked <- unknown
	}()
	cancel()
	if got := <-asked; got != "stopped" {
		t.Errorf("unknown %q", got)
	}
}

// TestQuestionEnds: a question has its time, and what came until then is told.
func TestQuestionEnds(t *testing.T) {
	t.Parallel()
	r := world(t, faults("ns1", lab.Fault{Do: "drop"}), func(c *resolver.Config) { c.Try, c.Question = 10*time.Second, 300*time.Millisecond })
	want := "NOERROR insecure 1 | _dnsauth.orchard.net@orchard.net<net unsigned,insecure ns1=timeout ns2=NOERROR"
	if got := one(t, r, evidence.DNSQuestion{Name: "_dnsauth.orchard.net", Type: "TXT", Each: true}); got != want {
		t.Errorf("\n got %s\nwant %s", got, want)
	}
}

// TestQuestions: the forms of question other than resolved.
func TestQuestions(t *testing.T) {
	t.Parallel()
	change := signed(lab.Signing{})
	change.Zones["deep.orchard.net"] = lab.ZoneChange{Servers: lab.Strings{"ns1", "ns2"}}
	change.Servers = map[string]lab.ServerChange{"ns1": {Address: lab.Strings{"45.155.10.11", "2a10:4155:10::11"}}}
	r := world(t, change, nil)
	for _, c := range []struct {
		q    evidence.DNSQuestion
		want func(a *evidence.DNSAnswer) bool
	}{
		{evidence.DNSQuestion{Name: "_dnsauth.orchard.net", Type: "SOA", Apex: true, Each: true}, func(a *evidence.DNSAnswer) bool {
			return a.Asked == "orchard.net" && a.Answer[1].Type == "SOA" && a.Security == "secure" && len(a.Links[0].Copies) == 3
		}},
		{evidence.DNSQuestion{Name: "x.deep.orchard.net", Type: "NS", Apex: true}, func(a *evidence.DNSAnswer) bool {
			return a.Asked == "deep.orchard.net" && a.Links[0].Zone == "deep.orchard.net" && a.Security == "insecure"
		}},
		{evidence.DNSQuestion{Name: "orchard.net", Type: "TXT", Random: true, Each: true}, func(a *evidence.DNSAnswer) bool {
			return a.Status == "NXDOMAIN" && len(a.Asked) == 16+len(".orchard.net") && a.Security == "secure" && a.Links[0].Owner == a.Asked
		}},
		{evidence.DNSQuestion{Name: "orchard.net", Type: "SOA", Address: "45.155.10.11"}, func(a *evidence.DNSAnswer) bool {
			return a.Authoritative && a.Transport == "udp" && a.Bytes > 50 && len(a.Copies) == 0 && a.Security == ""
		}},
		{evidence.DNSQuestion{Name: "orchard.net", Type: "SOA", Address: "45.155.10.11", Transport: "tcp"}, func(a *evidence.DNSAnswer) bool {
			return a.Authoritative && a.Transport == "tcp"
		}},
		{evidence.DNSQuestion{Name: "orchard.net", Type: "SOA", Address: "10.0.0.1"}, func(a *evidence.DNSAnswer) bool { return a.Status == "guard" }},
		{evidence.DNSQuestion{Name: "orchard.net", Type: "SOA", Server: "ns1.orchard.net"}, func(a *evidence.DNSAnswer) bool {
			return a.Authoritative && len(a.Copies) == 2 && a.Copies[1].Address == "45.155.10.11" && a.Copies[0].Server == "ns1.orchard.net"
		}},
		{evidence.DNSQuestion{Name: "orchard.net", Type: "SOA", Server: "ns9.orchard.net"}, func(a *evidence.DNSAnswer) bool { return a.Status == "NXDOMAIN" }},
		{evidence.DNSQuestion{Name: "orchard.net", Type: "SOA", Address: "45.155.10.11", Plain: true}, func(a *evidence.DNSAnswer) bool {
			return len(a.Answer) == 1 && len(a.Additional) == 0
		}},
	} {
		l := r.Begin()
		a, unknown := l.Answer(context.Background(), c.q)
		if a == nil || !c.want(a) {
			t.Errorf("%+v: %+v %s", c.q, a, unknown)
		}
		l.Close()
	}
}

// TestSelfTest: what is missing here is found out, and is no finding elsewhere.
func TestSelfTest(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		lacks, missing, copies string
	}{
		{"", "", "ns1=NOERROR ns1=NOERROR ns2=NOERROR"},
		{"ipv6", "ipv6", "ns1=not-asked/no-ipv6 ns1=NOERROR ns2=NOERROR"},
		{"tcp", "tcp", "ns1=NOERROR ns1=NOERROR ns2=NOERROR"},
		{"udp", "udp", "ns1=NOERROR ns1=NOERROR ns2=NOERROR"},
		{"ipv4", "ipv4", "ns1=NOERROR ns1=not-asked/no-ipv4 ns2=not-asked/no-ipv4"},
	} {
		t.Run(c.lacks, func(t *testing.T) {
			t.Parallel()
			change := lab.Change{Servers: map[string]lab.ServerChange{
				"ns1": {Address: lab.Strings{"45.155.10.11", "2a10:4155:10::11"}},
				"tld": {Address: lab.Strings{"45.155.10.2", "2a10:4155:10::2"}},
			}}
			if c.lacks != "" {
				change.Perspectives = map[string]lab.PerspectiveChange{"P0": {Lacks: lab.Strings{c.lacks}}}
			}
			r := world(t, change, nil)
			var missing []string
			for _, m := range r.SelfTest(context.Background()) {
				missing = append(missing, m.What)
			}
			if got := strings.Join(missing, " "); got != c.missing {
				t.Errorf("missing %q", got)
			}
			want := "NOERROR insecure 1 | _dnsauth.orchard.net@orchard.net<net unsigned,insecure " + c.copies
			if got := one(t, r, evidence.DNSQuestion{Name: "_dnsauth.orchard.net", Type: "TXT", Each: true}); got != want {
				t.Errorf("\n got %s\nwant %s", got, want)
			}
		})
	}
}

// TestNothingAnswers: a place without DNS knows that.
func TestNothingAnswers(t *testing.T) {
	t.Parallel()
	r := world(t, lab.Change{}, func(c *resolver.Config) { c.Dialer.Map = dial.Map{} })
	missing := r.SelfTest(context.Background())
	if len(missing) != 1 || missing[0].What != "dns" || !strings.Contains(missing[0].Detail, "unreachable") {
		t.Errorf("%+v", missing)
	}
	if got := one(t, r, evidence.DNSQuestion{Name: "orchard.net", Type: "TXT"}); got != "unknown: no-udp" {
		t.Error(got)
	}
}

// TestTrace: every exchange is told.
func TestTrace(t *testing.T) {
	t.Parallel()
	steps := make(chan resolver.Step, 100)
	r := world(t, signed(lab.Signing{}), func(c *resolver.Config) { c.Trace = func(s resolver.Step) { steps <- s } })
	one(t, r, evidence.DNSQuestion{Name: "_dnsauth.orchard.net", Type: "TXT", Each: true})
	close(steps)
	var seen []string
	for s := range steps {
		if s.Address == (netip.Addr{}) || s.Transport != "udp" || s.Message != nil && s.Size == 0 {
			t.Errorf("%+v", s)
		}
		seen = append(seen, s.Type+" "+s.Name)
	}
	for _, want := range []string{"DNSKEY ", "NS net", "DNSKEY net", "NS orchard.net", "DNSKEY orchard.net", "TXT _dnsauth.orchard.net"} {
		if !slices.Contains(seen, want) {
			t.Errorf("no step %q among %q", want, seen)
		}
	}
}
