package page

import (
	"strconv"
	"strings"
	"time"

	"assay/evidence"
)

// An Edge is the cache that a response came through.
type Edge struct {
	// CDN is whose cache it is; empty where it does not say.
	CDN string
	// ID is the place or machine that answered, as far as headers tell.
	ID string
	// Cache is "hit" (answered from the cache), "miss" (the origin was asked), ""
	// (unknown); Header is the line that says so.
	Cache, Header string
	// Age is how long the answer was in the cache; negative where it is not said.
	Age time.Duration
}

// Stale reports whether the answer came out of the cache.
func (e *Edge) Stale() bool { return e.Age > 0 || e.Cache == "hit" }

// ReadEdge says which cache a response came through; ok is false where no
// header shows one.
func ReadEdge(h *evidence.Hop) (e Edge, ok bool) { return Embedded().ReadEdge(h) }

// ReadEdge is [ReadEdge] by this set's fingerprints.
func (s *Set) ReadEdge(h *evidence.Hop) (e Edge, ok bool) {
	r := response{hop: h}
	e.Age = -1
	for i := range s.CDNs {
		print := &s.CDNs[i]
		if !r.any(print.Match) {
			continue
		}
		e.CDN, ok = print.Name, true
		for _, read := range print.Edge {
			if m := read.expression.FindStringSubmatch(header(h, read.Header)); m != nil {
				e.ID = m[1]
				break
			}
		}
		break
	}
	if n, err := strconv.ParseUint(strings.TrimSpace(header(h, "Age")), 10, 31); err == nil {
		e.Age, ok = time.Duration(n)*time.Second, true
	}
	for _, name := range s.Cache.Headers {
		if v := header(h, name); v != "" {
			if e.Cache = cacheState(name, v); e.Cache != "" {
				e.Header = name + ": " + v
				break
			}
		}
	}
	return e, ok
}

// cacheState reads "HIT", "Cache Miss", "TCP_MEM_HIT from …", "ts7un82 [1]". A
// list of caches begins with the one farthest away under X-Cache and ends with
// it under X-Cache-Lookup; one hit anywhere means that the origin was not asked.
func cacheState(name, v string) string {
	upper := strings.ToUpper(v)
	if name == "Ohc-Cache-Hit" {
		if strings.Contains(upper, "[0]") && !strings.Contains(upper, "[1]") && !strings.Contains(upper, "[2]") && !strings.Contains(upper, "[4]") {
			return "miss"
		}
		return "hit"
	}
	for _, word := range []string{"HIT", "STALE", "UPDATING"} {
		if strings.Contains(upper, word) {
			return "hit"
		}
	}
	for _, word := range []string{"MISS", "EXPIRED", "BYPASS", "DYNAMIC", "REVALIDATED", "PASS", "NONE", "FWD"} {
		if strings.Contains(upper, word) {
			return "miss"
		}
	}
	return ""
}
