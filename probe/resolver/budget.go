package resolver

import (
	"hash/maphash"
	"net/netip"
	"sync"
	"time"
)

// A budget bounds packets over all looks: to one address, and on behalf of one
// registrable domain. It is a set of token buckets in shards; a bucket that is
// full again is forgotten.
type budget struct {
	perServer, perTarget float64 // a second; negative: no bound
	seed                 maphash.Seed
	shards               [16]shard
}

type shard struct {
	mu         sync.Mutex
	servers    map[netip.Addr]bucket
	targets    map[string]bucket
	registries map[string]bucket
}

// A payer is whose budget packets are: that of a registrable domain. Those to a
// registry's servers are sent on behalf of the domain below it, and all together bounded
// too: nobody shall aim us at a small registry with names that he makes up.
type payer struct {
	domain   string
	registry string // "": its servers are not asked
}

// manyDomains is how many times as much as on behalf of one domain may be sent to the
// servers of one registry.
const manyDomains = 10

type bucket struct {
	tokens float64
	at     time.Time
}

// burst is how many seconds' worth of packets may go at once.
const burst = 10

// maxBuckets is how many buckets a shard has before full ones are looked for.
const maxBuckets = 1024

func newBudget(perServer, perTarget int) *budget {
	b := &budget{perServer: float64(perServer), perTarget: float64(perTarget), seed: maphash.MakeSeed()}
	for i := range b.shards {
		s := &b.shards[i]
		s.servers, s.targets, s.registries = map[netip.Addr]bucket{}, map[string]bucket{}, map[string]bucket{}
	}
	return b
}

// spend takes a packet off all of these buckets, or off none of a poor payer.
func (b *budget) spend(address netip.Addr, p payer, anyServer bool) bool {
	now := time.Now()
	if b.perTarget >= 0 {
		if s := b.shard(p.domain); !s.pay(s.targets, p.domain, b.perTarget, now) {
			return false
		}
		if s := b.shard(p.registry); p.registry != "" && !s.pay(s.registries, p.registry, manyDomains*b.perTarget, now) {
			return false
		}
	}
	if b.perServer >= 0 && !anyServer {
		s := &b.shards[maphash.Comparable(b.seed, address)%uint64(len(b.shards))]
		s.mu.Lock()
		defer s.mu.Unlock()
		return take(s.servers, address, b.perServer, now)
	}
	return true
}

func (b *budget) shard(name string) *shard {
	return &b.shards[maphash.String(b.seed, name)%uint64(len(b.shards))]
}

func (s *shard) pay(from map[string]bucket, name string, rate float64, now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return take(from, name, rate, now)
}

func take[K comparable](buckets map[K]bucket, key K, rate float64, now time.Time) bool {
	b, ok := buckets[key]
	if !ok {
		if len(buckets) >= maxBuckets {
			sweep(buckets, rate, now)
		}
		b = bucket{tokens: rate * burst, at: now}
	}
	b.tokens = min(rate*burst, b.tokens+rate*now.Sub(b.at).Seconds())
	b.at = now
	ok = b.tokens >= 1
	if ok {
		b.tokens--
	}
	buckets[key] = b
	return ok
}

func sweep[K comparable](buckets map[K]bucket, rate float64, now time.Time) {
	for k, b := range buckets {
		if b.tokens+rate*now.Sub(b.at).Seconds() >= rate*burst {
			delete(buckets, k)
		}
	}
}
