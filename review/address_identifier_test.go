package review

import (
	"strings"
	"testing"

	"assay/evidence"
	"assay/order"
)

// TestFilesOfAddresses: a file that validates an IP address (RFC 8738) is fetched
// from that address, without asking the DNS; reserved ones are never dialled.
func TestFilesOfAddresses(t *testing.T) {
	t.Parallel()
	const token = "evaGxfADs6pSRb2LAv9IZf17Dt3juxGJ-PCt92wr-oA.thumbprint"
	for _, c := range []struct {
		name, profile string
		method        order.Method
		web           *fakeWeb
		want          string
		undecided     bool
	}{
		{"45.155.10.21", "baseline", order.MethodHTTP01, giving(acmeDirectory+token[:43], token), "", false},
		{"45.155.10.21", "letsencrypt", order.MethodHTTP01, giving(acmeDirectory+token[:43], token), "", false},
		{"2a0e:97c0::21", "baseline", order.MethodHTTP01, giving(acmeDirectory+token[:43], token), "", false},
		{"45.155.10.21", "baseline", order.MethodFile, giving(fakeFile, token), "", false},
		{"2a0e:97c0::21", "baseline", order.MethodFile, giving(fakeFile, token), "", false},
		{"45.155.10.21", "private", order.MethodFile, giving(fakeFile, token), "", false},
		{"10.0.0.5", "private", order.MethodHTTP01, giving(acmeDirectory+token[:43], token), "", false},
		{"45.155.10.21", "baseline", order.MethodFile, giving(fakeFile, "hello"), "wait file.content-mismatch", true},
		{"45.155.10.21", "baseline", order.MethodFile, giving("/", token), "wait file.missing", true},
		{"45.155.10.21", "letsencrypt", order.MethodHTTP01, nil, "refuse file.connection-refused", true},
	} {
		n := healthy()
		n.web = c.web
		o := alpnOrder(c.name)
		o.Method, o.Challenges[0].Method, o.Challenges[0].Value = c.method, c.method, token
		if c.profile == "letsencrypt" {
			o.Plan = "shortlived"
		}
		tr := &trial{net: n, order: o, profile: c.profile, mode: Attempt}
		r := tr.judge(t)
		var got []string
		for _, row := range network(r) {
			if !strings.Contains(row, "perspective.set-not-conformant") { // one place, under a public profile
				got = append(got, strings.TrimSuffix(row, "@"+c.name))
			}
		}
		if strings.Join(got, " ") != c.want || tr.facts.undecided() != c.undecided {
			t.Errorf("%s by %s under %s: %q, want %q; undecided %v", c.name, c.method, c.profile, got, c.want, tr.facts.undecided())
		}
		for _, q := range n.asked {
			if q.DNS != nil {
				t.Errorf("%s: asks the DNS %+v", c.name, *q.DNS)
			}
		}
		textsComplete(t, r)
	}
	for _, name := range []string{"10.0.0.5", "127.0.0.1", "::1", "169.254.169.254", "::ffff:10.0.0.5", "fe80::1"} {
		for _, value := range []string{token, ""} {
			n := healthy()
			n.web = giving(fakeFile, token)
			o := alpnOrder(name)
			o.Method, o.Challenges[0].Method, o.Challenges[0].Value = order.MethodFile, order.MethodFile, token
			if value == "" {
				o.Challenges = nil
			}
			tr := &trial{net: n, order: o, profile: "baseline", mode: Attempt}
			if r := tr.judge(t); r.Verdict == VerdictPass || len(n.asked) > 0 || !tr.facts.undecided() {
				t.Errorf("%s: %s, asked %v", name, r.Verdict, n.asked)
			}
		}
	}
}

// TestAddressReadiness: an IP address without a value yet.
func TestAddressReadiness(t *testing.T) {
	t.Parallel()
	n := healthy()
	n.web = giving("/", "home")
	n.shakes = func(_ string, q evidence.TLSQuestion) *evidence.TLSExchange {
		return n.exchange(q, func(string) *evidence.Handshake {
			return &evidence.Handshake{Failure: evidence.Failure{Error: evidence.ErrorAlert, Alert: "no_application_protocol"}}
		})
	}
	r := (&trial{net: n, profile: "baseline", order: &order.Order{Product: order.DV, Names: []string{"45.155.10.21"}}}).judge(t)
	got := map[order.Method]Verdict{}
	for _, m := range r.Readiness {
		got[m.Method] = m.Verdict
	}
	for _, m := range []order.Method{order.MethodFile, order.MethodHTTP01, order.MethodTLSALPN01} {
		if got[m] != VerdictPass {
			t.Errorf("%s: %q of %v, %v", m, got[m], got, network(r))
		}
	}
	if _, ok := got[order.MethodDNS]; ok || len(n.asked) == 0 {
		t.Errorf("by DNS: %v", got)
	}
}
