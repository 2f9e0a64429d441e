package probe

import (
	"testing"
	"time"

	"assay/evidence"
)

// TestTops: the CAA answer of a top-level domain stands for a short time, and no other
// answer does.
func TestTops(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 24, 1, 0, 0, 0, time.UTC)
	made := func(q evidence.DNSQuestion, ttl int, change func(o *evidence.Observation)) evidence.Observation {
		o := evidence.Observation{
			Question: evidence.Question{Kind: evidence.KindDNS, DNS: &q}, At: at,
			DNS: &evidence.DNSAnswer{Status: "NOERROR", Authority: []evidence.Record{{Owner: q.Name, Type: "SOA", TTL: ttl}, {Owner: q.Name, Type: "NSEC", TTL: 900}}},
		}
		if change != nil {
			change(&o)
		}
		return o
	}
	caa := evidence.DNSQuestion{Name: "net", Type: "CAA"}
	for name, c := range map[string]struct {
		q      evidence.DNSQuestion
		ttl    int
		change func(o *evidence.Observation)
		after  time.Duration
		kept   bool
	}{
		"the same moment":           {q: caa, ttl: 900, kept: true},
		"just young enough":         {q: caa, ttl: 900, after: topReuse - time.Microsecond, kept: true},
		"too old":                   {q: caa, ttl: 900, after: topReuse},
		"its time to live is over":  {q: caa, ttl: 5, after: 5 * time.Second},
		"within its time to live":   {q: caa, ttl: 5, after: 5*time.Second - time.Microsecond, kept: true},
		"the clock was set back":    {q: caa, ttl: 900, after: -time.Microsecond},
		"an applicant's domain":     {q: evidence.DNSQuestion{Name: "orchard.net", Type: "CAA"}, ttl: 900},
		"another type":              {q: evidence.DNSQuestion{Name: "net", Type: "NS"}, ttl: 900},
		"the root":                  {q: evidence.DNSQuestion{Type: "CAA"}, ttl: 900},
		"one server":                {q: evidence.DNSQuestion{Name: "net", Type: "CAA", Server: "a.tld-servers.net"}, ttl: 900},
		"nothing was seen":          {q: caa, ttl: 900, change: func(o *evidence.Observation) { o.Unknown, o.DNS = "budget", nil }},
		"no server answered":        {q: caa, ttl: 900, change: func(o *evidence.Observation) { o.DNS.Status = "unanswered" }},
		"no record says how long":   {q: caa, change: func(o *evidence.Observation) { o.DNS.Authority = nil }},
		"the answer's own times do": {q: caa, ttl: 900, change: func(o *evidence.Observation) { o.DNS.Answer = []evidence.Record{{Type: "CAA", TTL: 0}} }},
	} {
		var kept tops
		kept.put(made(c.q, c.ttl, c.change))
		if _, ok := kept.get(c.q, at.Add(c.after)); ok != c.kept {
			t.Errorf("%s: kept %v", name, ok)
		}
	}
	var kept tops
	for i := range 2*mostTops + 1 {
		kept.put(made(evidence.DNSQuestion{Name: string(rune('a'+i%26)) + time.Duration(i).String(), Type: "CAA"}, 900, nil))
	}
	if len(kept.kept) > mostTops {
		t.Errorf("%d are kept", len(kept.kept))
	}
}
