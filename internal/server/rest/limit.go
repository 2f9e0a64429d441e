package rest

import (
	"fmt"
	"math"
	"net/http"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"assay/internal/service"
)

// maxBuckets bounds the buckets of a limiter: two generations of this many.
const maxBuckets = 8192

// A limiter gives each key a bucket of its own: so many requests a second in the
// long run, four seconds' worth at once.
//
// The table is bounded by two generations: when the young one is full it becomes
// the old one, and what was not used since is forgotten. Whoever fills it with
// made-up keys gives others full buckets, never empty ones.
type limiter struct {
	name  string
	rate  rate.Limit
	burst int

	mu         sync.Mutex
	young, old map[string]*rate.Limiter
}

func newLimiter(name string, perSecond float64) *limiter {
	if perSecond < 0 {
		return nil
	}
	return &limiter{name: name, rate: rate.Limit(perSecond), burst: max(1, int(4*perSecond)), young: map[string]*rate.Limiter{}}
}

func (l *limiter) bucket(key string) *rate.Limiter {
	l.mu.Lock()
	defer l.mu.Unlock()
	b := l.young[key]
	if b != nil {
		return b
	}
	if b = l.old[key]; b == nil {
		b = rate.NewLimiter(l.rate, l.burst)
	}
	if len(l.young) >= maxBuckets {
		l.old, l.young = l.young, map[string]*rate.Limiter{}
	}
	l.young[key] = b
	return b
}

// take takes one request out of a bucket and says in the headers what is left
// (draft-ietf-httpapi-ratelimit-headers). The error says when there is one again.
func (l *limiter) take(h http.Header, key string, now time.Time) error {
	if l == nil {
		return nil
	}
	b := l.bucket(key)
	allowed := b.AllowN(now, 1)
	left := max(0, b.TokensAt(now))
	full := int(math.Ceil((float64(l.burst) - left) / float64(l.rate)))
	h.Set("RateLimit-Policy", fmt.Sprintf(`"%s";q=%d;w=4`, l.name, l.burst))
	h.Set("RateLimit", fmt.Sprintf(`"%s";r=%d;t=%d`, l.name, int(left), full))
	if allowed {
		return nil
	}
	wait := time.Duration((1 - left) / float64(l.rate) * float64(time.Second))
	return &service.Problem{Kind: service.TooMany, Message: "rest.too-many", RetryAt: now.Add(wait)}
}
