package review

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"assay/evidence"
	"assay/order"
)

// TestReadyToConnect: whether the methods that connect to a name could work for
// one that has no value yet. That a file of a random name is not there is healthy.
func TestReadyToConnect(t *testing.T) {
	t.Parallel()
	status := func(code int) func(fakeRequest) fakeAnswer {
		return func(fakeRequest) fakeAnswer { return fakeAnswer{status: code, body: "no"} }
	}
	// over answers HTTP and HTTPS each by itself.
	over := func(http, https fakeAnswer) func(fakeRequest) fakeAnswer {
		return func(r fakeRequest) fakeAnswer {
			if r.https {
				return https
			}
			return http
		}
	}
	missing, shut, silent := fakeAnswer{status: 404}, fakeAnswer{dial: "refused"}, fakeAnswer{dial: "timeout"}
	alert := fakeAnswer{failure: evidence.ErrorAlert, phase: "tls"}
	loop := fakeAnswer{status: 302, location: "http://orchard.net/again"}
	away := fakeAnswer{status: 302, location: "http://cdn.elsewhere.net/x"}
	toHTTPS := func(r fakeRequest) fakeAnswer {
		if r.https {
			return missing
		}
		return fakeAnswer{status: 301, location: "https://orchard.net" + r.path}
	}
	for _, c := range []struct {
		name, profile string
		method        order.Method
		web           func(fakeRequest) fakeAnswer
		want          string
		verdict       Verdict
		ready         map[order.Method]Verdict
	}{
		{name: "healthy", method: order.MethodFile, web: status(404), verdict: VerdictPass, ready: map[order.Method]Verdict{"file": VerdictPass}},
		{name: "other statuses of a file that is nobody's", method: order.MethodFile, web: status(403), verdict: VerdictPass},
		{name: "a page for every path", method: order.MethodFile, web: status(200), verdict: VerdictPass},
		{name: "only HTTP", method: order.MethodFile, web: over(missing, shut), verdict: VerdictPass},
		{name: "only HTTPS", method: order.MethodFile, web: over(shut, missing), verdict: VerdictPass},
		{name: "only HTTPS, where HTTP decides", profile: "letsencrypt", method: order.MethodHTTP01, web: over(shut, missing), want: "wait file.connection-refused", verdict: VerdictWait},
		{name: "closed", method: order.MethodFile, web: over(shut, shut), want: "wait file.connection-refused", verdict: VerdictWait, ready: map[order.Method]Verdict{"file": VerdictWait}},
		{name: "silent", method: order.MethodFile, web: over(silent, silent), want: "wait file.connection-timeout", verdict: VerdictWait},
		{name: "no TLS for this name", method: order.MethodFile, web: over(missing, alert), want: "warn file.https-handshake-fails", verdict: VerdictPass},
		{name: "no TLS for this name, which nobody needs", profile: "baseline", method: order.MethodFile, web: over(missing, alert), want: "info file.https-handshake-fails", verdict: VerdictPass},
		{name: "no TLS and no HTTP", method: order.MethodFile, web: over(shut, alert), want: "wait file.https-handshake-fails", verdict: VerdictWait},
		{name: "no HTTP", method: order.MethodFile, web: over(fakeAnswer{failure: evidence.ErrorNotHTTP, phase: "header"}, missing), want: "wait file.no-http-answer", verdict: VerdictWait},
		{name: "to HTTPS", method: order.MethodFile, web: toHTTPS, want: "warn file.redirected", verdict: VerdictPass},
		{name: "in a circle", method: order.MethodFile, web: over(loop, loop), want: "wait file.redirect-too-many", verdict: VerdictWait},
		{name: "away", method: order.MethodFile, web: over(away, shut), want: "wait file.redirect-other-domain", verdict: VerdictWait},
		{name: "away, where that is followed", profile: "baseline", method: order.MethodFile, web: func(r fakeRequest) fakeAnswer {
			switch {
			case r.https:
				return shut
			case r.host == "orchard.net":
				return away
			}
			return missing
		}, verdict: VerdictPass, want: "info file.redirected"},

		{name: "no method, healthy", web: status(404), verdict: VerdictPass, ready: map[order.Method]Verdict{"dns": VerdictPass, "file": VerdictPass, "file-proxy": VerdictPass}},
		{
			name: "no method, closed", web: over(shut, shut), want: "info file.connection-refused", verdict: VerdictPass,
			ready: map[order.Method]Verdict{"dns": VerdictPass, "file": VerdictWait, "file-proxy": VerdictWait},
		},
		{
			name: "no method, closed, many on offer", profile: "letsencrypt", web: over(shut, shut), want: "info file.connection-refused info tls.port-closed", verdict: VerdictPass,
			ready: map[order.Method]Verdict{"dns-01": VerdictPass, "http-01": VerdictWait, "tls-alpn-01": VerdictWait},
		},
		{
			name: "no method, only HTTP", profile: "baseline", web: over(missing, shut), want: "info tls.port-closed", verdict: VerdictPass,
			ready: map[order.Method]Verdict{"file": VerdictPass, "http-01": VerdictPass, "tls-alpn-01": VerdictWait},
		},
		{name: "the challenge is not answered yet", profile: "letsencrypt", method: order.MethodTLSALPN01, web: over(missing, missing), verdict: VerdictPass, ready: map[order.Method]Verdict{"tls-alpn-01": VerdictPass}},
		{name: "port 443 is closed", profile: "letsencrypt", method: order.MethodTLSALPN01, web: over(missing, shut), want: "wait tls.port-closed", verdict: VerdictWait, ready: map[order.Method]Verdict{"tls-alpn-01": VerdictWait}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			n := healthy()
			n.zones = append(n.zones, &fakeZone{name: "elsewhere.net", servers: []string{"ns.elsewhere.net"}, records: []string{"cdn A 45.155.10.23"}})
			n.web = web(c.web)
			n.shakes = func(_ string, q evidence.TLSQuestion) *evidence.TLSExchange {
				return n.exchange(q, func(string) *evidence.Handshake {
					if c.web(fakeRequest{https: true}).dial != "" {
						return nil
					}
					return &evidence.Handshake{Failure: evidence.Failure{Error: evidence.ErrorAlert, Alert: "no_application_protocol"}}
				})
			}
			o := &order.Order{Product: order.DV, Names: []string{"orchard.net"}, Method: c.method}
			tr := &trial{net: n, order: o, profile: c.profile}
			r := tr.judge(t)
			if got := strings.ReplaceAll(strings.Join(network(r), " "), "@orchard.net", ""); got != c.want || r.Verdict != c.verdict {
				t.Errorf("%q, want %q; verdict %s, want %s", got, c.want, r.Verdict, c.verdict)
			}
			got := map[order.Method]Verdict{}
			for _, m := range r.Readiness {
				if _, ok := c.ready[m.Method]; ok {
					got[m.Method] = m.Verdict
				}
			}
			if c.ready != nil {
				if diff := cmp.Diff(c.ready, got); diff != "" {
					t.Errorf("readiness (-want +got)\n%s", diff)
				}
			}
			textsComplete(t, r)
			if c.want == "" && tr.rounds > 1 {
				t.Errorf("%d rounds for what is healthy", tr.rounds)
			}
			for _, q := range n.asked {
				if q.HTTP != nil && !q.HTTP.RandomPath && !strings.Contains(c.name, "circle") {
					t.Errorf("asks for %s", q.HTTP.URL)
				}
			}
			// An attempt needs values.
			if tr := (&trial{net: n, order: o, profile: c.profile, mode: Attempt}); tr.judge(t).Verdict == VerdictPass || !tr.facts.undecided() {
				t.Error("an attempt without a value is decided")
			}
		})
	}
}

// TestReadyUnknown: what could not be looked at is not ready, and says so where
// the method was chosen.
func TestReadyUnknown(t *testing.T) {
	t.Parallel()
	for method, want := range map[order.Method]string{order.MethodFile: "unknown perspective.unavailable@P0", "": ""} {
		n := healthy()
		n.web = web(func(fakeRequest) fakeAnswer { return fakeAnswer{status: 404} })
		n.orchard().remove("@ A ").add("@ AAAA 2a0e:97c0::21")
		tr := &trial{net: n, order: &order.Order{Product: order.DV, Names: []string{"orchard.net"}, Method: method}}
		n.blindWeb = "no-ipv6"
		r := tr.judge(t)
		if got := strings.Join(network(r), " "); got != want {
			t.Errorf("%q: %q", method, got)
		}
		i := slices.IndexFunc(r.Readiness, func(m Readiness) bool { return m.Method == order.MethodFile })
		if i < 0 || r.Readiness[i].Verdict != VerdictUnknown || (r.Verdict == VerdictPass) != (method == "") {
			t.Errorf("%q: %v, verdict %s", method, r.Readiness, r.Verdict)
		}
	}
}

// TestReadyRegions: places that get no answer, where others do.
func TestReadyRegions(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		method  order.Method
		shut    string
		problem string
		want    string
		file    Verdict
	}{
		{order.MethodFile, "P2P3P4P5", "timeout", "wait file.blocked-by-region", VerdictWait},
		{order.MethodFile, "P4", "refused", "warn file.blocked-by-region", VerdictPass},
		{order.MethodFile, "P0", "timeout", "wait file.blocked-by-region", VerdictWait},
		{order.MethodFile, "", "", "", VerdictPass},
		{"", "P2P3P4P5", "timeout", "info file.blocked-by-region", VerdictWait},
	} {
		n := healthy()
		n.web = web(func(r fakeRequest) fakeAnswer {
			if strings.Contains(c.shut, r.place) && c.shut != "" {
				return fakeAnswer{dial: c.problem}
			}
			return fakeAnswer{status: 404}
		})
		tr := &trial{net: n, order: &order.Order{Product: order.DV, Names: []string{"orchard.net"}, Method: c.method}, places: six()}
		r := tr.judge(t)
		if got := strings.ReplaceAll(strings.Join(network(r), " "), "@orchard.net", ""); got != c.want {
			t.Errorf("%s %s: %q, want %q", c.method, c.shut, got, c.want)
		}
		i := slices.IndexFunc(r.Readiness, func(m Readiness) bool { return m.Method == order.MethodFile })
		if i < 0 || r.Readiness[i].Verdict != c.file {
			t.Errorf("%s %s: %v", c.method, c.shut, r.Readiness)
		}
		if tr.rounds > 2 {
			t.Errorf("%d rounds", tr.rounds)
		}
		textsComplete(t, r)
	}
}
