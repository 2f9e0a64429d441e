package evidence_test

import (
	"testing"

	"assay/evidence"
)

func exchange(headers ...string) evidence.Observation {
	h := evidence.Hop{URL: "http://orchard.net/r4nd", Status: 404, Phases: map[string]float64{"done": 1}, Body: &evidence.Body{Bytes: 1, Head: []byte("x")}}
	for i := 0; i < len(headers); i += 2 {
		h.Header = append(h.Header, evidence.Header{Name: headers[i], Value: headers[i+1]})
	}
	return evidence.Observation{HTTP: &evidence.HTTPExchange{
		Random:  "r4nd",
		Hosts:   []evidence.Host{{Name: "orchard.net", Lookups: []evidence.HostLookup{{Type: "A", Addresses: []string{"45.155.10.21", "45.155.10.22"}}}}},
		Fetches: []evidence.Fetch{{Address: "45.155.10.21", Hops: []evidence.Hop{h}}},
	}}
}

// TestWebIdentity: what flickers is not part of an id, what matters is.
func TestWebIdentity(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name       string
		one, other evidence.Observation
		same       bool
	}{
		{"a date", exchange("Date", "Mon"), exchange("Date", "Tue"), true},
		{"an older answer", exchange("Age", "5"), exchange("Age", "500"), true},
		{"an answer that is fresh now", exchange("Age", "5"), exchange("Age", "0"), false},
		{"another request at the same place", exchange("Cf-Ray", "8c1f-LAX"), exchange("Cf-Ray", "8c20-LAX"), true},
		{"another place", exchange("Cf-Ray", "8c1f-LAX"), exchange("Cf-Ray", "8c1f-FRA"), false},
		{"another machine of one place", exchange("X-Served-By", "cache-lhr1-LHR, cache-fra1-FRA"), exchange("X-Served-By", "cache-lhr2-LHR, cache-fra9-FRA"), true},
		{"timings of caches", exchange("Via", "cache5.de1[0,200-0,H]"), exchange("Via", "cache5.de1[7,304-0,H]"), true},
		{"another cache", exchange("Via", "cache5.de1[0]"), exchange("Via", "cache5.hk1[0]"), false},
		{"from the cache now", exchange("X-Cache", "MISS"), exchange("X-Cache", "HIT"), false},
		{"another server", exchange("Server", "nginx"), exchange("Server", "Apache"), false},
		{"request ids", exchange("Eagleid", "1", "X-Vercel-Id", "fra1::a"), exchange("Eagleid", "2", "X-Vercel-Id", "fra1::b"), true},
	} {
		if got := c.one.Identify().ID == c.other.Identify().ID; got != c.same {
			t.Errorf("%s: same id is %v", c.name, got)
		}
	}
	turned := exchange()
	turned.HTTP.Hosts[0].Lookups[0].Addresses = []string{"45.155.10.22", "45.155.10.21"}
	turned.HTTP.Random, turned.HTTP.Fetches[0].Hops[0].URL = "other", "http://orchard.net/other"
	turned.HTTP.Fetches[0].Hops[0].Phases = nil
	if turned.Identify().ID != exchange().Identify().ID {
		t.Error("the id depends on the order of addresses, on a random value or on durations")
	}
	if turned.HTTP.Fetches[0].Hops[0].URL != "http://orchard.net/other" || turned.HTTP.Hosts[0].Lookups[0].Addresses[0] != "45.155.10.22" {
		t.Error("making the id changed the observation")
	}
	changed := exchange()
	changed.HTTP.Fetches[0].Hops[0].Body.Head = []byte("y")
	if changed.Identify().ID == exchange().Identify().ID {
		t.Error("the id does not depend on the body")
	}
}

// TestTLSIdentity: durations and error texts are not part of an id.
func TestTLSIdentity(t *testing.T) {
	t.Parallel()
	one := evidence.Observation{TLS: &evidence.TLSExchange{Handshakes: []evidence.Handshake{{Address: "45.155.10.21", Failure: evidence.Failure{Error: evidence.ErrorHandshake, Detail: "a"}, Phases: map[string]float64{"tls": 1}}}}}
	other := evidence.Observation{TLS: &evidence.TLSExchange{Handshakes: []evidence.Handshake{{Address: "45.155.10.21", Failure: evidence.Failure{Error: evidence.ErrorHandshake, Detail: "b"}}}}}
	if one.Identify().ID != other.Identify().ID {
		t.Error("the id depends on what flickers")
	}
	other.TLS.Handshakes[0].Error = evidence.ErrorReset
	if one.Identify().ID == other.Identify().ID {
		t.Error("the id does not depend on the failure")
	}
}
