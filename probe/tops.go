package probe

import (
	"strings"
	"sync"
	"time"

	"assay/evidence"
)

const (
	// topReuse is the longest time for which the CAA answer of a top-level domain
	// stands for all looks: the climb of every name ends at it (RFC 8659 3), hardly an
	// applicant can change it (the owner of a brand's can), and its servers need not be
	// asked for each order. BR 4.2.2.1 would allow 8 hours.
	topReuse = time.Minute
	// mostTops bounds how many are kept: there are fewer than 1,500 such domains.
	mostTops = 2000
)

// tops keeps the CAA answers of top-level domains for a short time. An observation
// that is used again says when it was made.
type tops struct {
	mu   sync.Mutex
	kept map[evidence.DNSQuestion]evidence.Observation
}

// ofTop reports whether a question is one whose answer stands for all looks.
func ofTop(q evidence.DNSQuestion) bool {
	return q.Type == "CAA" && q.Name != "" && !strings.Contains(q.Name, ".") &&
		q == evidence.DNSQuestion{Name: q.Name, Type: q.Type, Each: q.Each}
}

// get is the observation that answers a question now.
func (t *tops) get(q evidence.DNSQuestion, now time.Time) (evidence.Observation, bool) {
	if !ofTop(q) {
		return evidence.Observation{}, false
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	o, ok := t.kept[q]
	if !ok || now.Before(o.At) || !now.Before(o.At.Add(lifeOf(o.DNS))) {
		return evidence.Observation{}, false
	}
	return o, true
}

// put keeps an observation, where it is a whole answer.
func (t *tops) put(o evidence.Observation) {
	if o.Unknown != "" || o.DNS == nil || o.Question.DNS == nil || !ofTop(*o.Question.DNS) || o.DNS.Status != "NOERROR" {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.kept == nil || len(t.kept) >= mostTops {
		t.kept = map[evidence.DNSQuestion]evidence.Observation{}
	}
	t.kept[*o.Question.DNS] = o
}

// lifeOf is how long an answer counts: the least of its times to live, that of a
// denial by its SOA, up to [topReuse].
func lifeOf(a *evidence.DNSAnswer) time.Duration {
	life := topReuse
	records := a.Answer
	if len(records) == 0 {
		records = a.Authority
	}
	for _, r := range records {
		life = min(life, time.Duration(r.TTL)*time.Second)
	}
	if len(records) == 0 {
		return 0
	}
	return life
}
