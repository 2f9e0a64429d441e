package render_test

import (
	"strings"
	"testing"

	"assay/cause"
	"assay/evidence"
	"assay/internal/message"
	"assay/internal/render"
)

func dnsSeen(place, name, status string, values ...string) evidence.Observation {
	o := evidence.Observation{
		Question: evidence.Question{Kind: evidence.KindDNS, Perspective: place, DNS: &evidence.DNSQuestion{Name: name, Type: "TXT"}},
		DNS:      &evidence.DNSAnswer{Status: status},
	}
	for _, v := range values {
		o.DNS.Answer = append(o.DNS.Answer, evidence.Record{Owner: name, Type: "TXT", Data: `"` + v + `"`})
	}
	return o.Identify()
}

func fileSeen(url string, hops ...evidence.Hop) evidence.Observation {
	return evidence.Observation{
		Question: evidence.Question{Kind: evidence.KindHTTP, Perspective: "P1", HTTP: &evidence.HTTPQuestion{URL: url}},
		HTTP:     &evidence.HTTPExchange{Fetches: []evidence.Fetch{{Address: "192.0.2.1", Family: "ipv4", Hops: hops}}},
	}.Identify()
}

// TestChanges: the answers to one question are one change; what reads the same
// is one line; nothing that a target says reaches the terminal as it is.
func TestChanges(t *testing.T) {
	t.Parallel()
	url := "http://orchard.net/.well-known/pki-validation/fileauth.txt"
	aa := dnsSeen("P0", "same.orchard.net", "NOERROR", "a")
	aa.DNS.Authoritative = true
	removed := []evidence.Observation{
		dnsSeen("P0", "_dnsauth.orchard.net", "NXDOMAIN"),
		dnsSeen("P0", "gone.orchard.net", "NOERROR", "old"),
		dnsSeen("P0", "same.orchard.net", "NOERROR", "a"),
		fileSeen(url, evidence.Hop{URL: url, Dial: evidence.Dial{Error: "refused"}}),
	}
	added := []evidence.Observation{
		dnsSeen("P0", "_dnsauth.orchard.net", "NOERROR", "20261126a7k2m9x4q8w3e5r6t1"),
		aa.Identify(),
		fileSeen(url, evidence.Hop{URL: url, Status: 200, Body: &evidence.Body{Bytes: 3, Head: []byte("a\x1bb")}}),
		dnsSeen("P1", "evil.orchard.net", "NOERROR", "\x1b[31m\u202e"),
		dnsSeen("P1", "evil.orchard.net", "NOERROR", "\x1b[31m\u202e"),
		{Question: evidence.Question{Kind: evidence.KindLookup, Lookup: &evidence.LookupQuestion{Topic: evidence.TopicOrders}}, Lookup: &evidence.LookupAnswer{Absent: true}},
		{Question: evidence.Question{Kind: evidence.KindTLS, Perspective: "P1", TLS: &evidence.TLSQuestion{Name: "orchard.net"}}, TLS: &evidence.TLSExchange{Handshakes: []evidence.Handshake{{Failure: evidence.Failure{Error: evidence.ErrorTimeout}}}}},
		{Question: evidence.Question{Kind: evidence.KindDNS, Perspective: "P2", DNS: &evidence.DNSQuestion{Name: "x", Type: "A"}}, Unknown: "no-ipv6"},
	}
	list := render.Changes(added, removed)
	if len(list) != 9 {
		t.Errorf("%d changes", len(list))
	}
	want := map[cause.Language][]string{
		cause.English: {
			"± P0 TXT _dnsauth.orchard.net: no such name (NXDOMAIN) → 20261126a7k2m9x4q8w3e5r6t1",
			"- P0 TXT gone.orchard.net: old",
			"± P0 TXT same.orchard.net: a, but not in every detail as before",
			`connection refused → 200 "a\x1bb"`,
			"(×2)",
			"+ records: orders: not kept here",
			"+ P1 TLS orchard.net: ",
			"+ P2 A x: not asked: no IPv6 here",
		},
		cause.Chinese: {"域名不存在", "此处不保存"},
	}
	for lang, lines := range want {
		p := render.NewPage(400, render.Style{}, message.New(lang))
		p.Changes(list)
		got := p.String()
		for _, line := range lines {
			if !strings.Contains(got, line) {
				t.Errorf("%s: no %q in\n%s", lang, line, got)
			}
		}
		if strings.ContainsAny(got, "\x1b\u202e") {
			t.Errorf("%q", got)
		}
	}
	many := make([]evidence.Observation, 40)
	for i := range many {
		many[i] = dnsSeen("P0", strings.Repeat("a", i+1)+".net", "NXDOMAIN")
	}
	p := render.NewPage(100, render.Style{}, message.New(cause.English))
	p.Changes(render.Changes(many, nil))
	if got := p.String(); strings.Count(got, "+ P0") != 12 || !strings.Contains(got, "and 28 more (--json lists all)") {
		t.Error(got)
	}
	if len(render.Changes(nil, nil)) != 0 {
		t.Error("nothing is a change")
	}
}
