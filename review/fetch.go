package review

import (
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"assay/cause"
	"assay/evidence"
	"assay/order"
	"assay/profile"
)

// outcome is what came of one fetch, as the profile sees it.
type outcome int

// The outcomes, in the order in which a fetch gets nearer to the file.
const (
	fetchUnknown  outcome = iota // not made, or not to its end, for a reason that lies with us
	fetchGuarded                 // the address is not public: never dialled
	fetchDial                    // no connection
	fetchTLS                     // no TLS connection
	fetchBroken                  // a connection, no full HTTP response
	fetchRedirect                // a redirect that is not followed
	fetchStatus                  // no success status
	fetchContent                 // a success status, and not the file
	fetchCode                    // the file, with a success status that does not count
	fetchHopped                  // the file behind a redirect, where none is allowed
	fetchFile                    // the file, as it has to be
)

// A reading is one fetch as the profile sees it.
type reading struct {
	fetch   *evidence.Fetch
	outcome outcome
	// hop is the index of the hop that ends it: of a redirect that is not
	// followed the one that redirects.
	hop int
	// dial is the attempt that failed, where one did.
	dial evidence.Dial
	// rule and target say which redirect is not followed and why, in words of the
	// texts, or one of the rules below.
	rule, target string
}

// Rules about redirects that have causes of their own.
const (
	ruleDomain = "domain"
	ruleLoop   = "loop"
	ruleCount  = "count"
)

// last is the hop that ends the fetch, nil where there is none.
func (r *reading) last() *evidence.Hop {
	if r.hop >= len(r.fetch.Hops) {
		return nil
	}
	return &r.fetch.Hops[r.hop]
}

// read judges one fetch: which hop ends it under the profile, and what that gives.
// done redirects were followed before.
func (f *facts) read(v *visit, x *evidence.Fetch, done int) reading {
	r := reading{fetch: x}
	if len(x.Hops) == 0 {
		return r
	}
	terms := &f.profile.File
	for i := range x.Hops {
		h := &x.Hops[i]
		if i == len(x.Hops)-1 {
			if x.Stopped != "" || x.Unknown != "" {
				f.stopped(&r, terms)
				return r
			}
			break
		}
		if rule := redirectRule(terms, v, h, x.Hops[i+1].URL, done+i+1); rule != "" {
			if h.Status != 0 && x.Stopped == evidence.StoppedGuard && i == len(x.Hops)-2 {
				rule = "reserved-address"
			}
			r.outcome, r.hop, r.rule, r.target = fetchRedirect, i, rule, x.Hops[i+1].URL
			return r
		}
	}
	r.hop = len(x.Hops) - 1
	f.arrived(&r, v, done)
	return r
}

// stopped is a fetch that was not followed to its end.
func (f *facts) stopped(r *reading, terms *profile.File) {
	x := r.fetch
	r.hop = len(x.Hops) - 1
	if x.Stopped == "" {
		return // the host of the redirect cannot be reached from here
	}
	r.outcome, r.rule = fetchRedirect, stopRules[x.Stopped]
	h := &x.Hops[r.hop]
	switch x.Stopped {
	case evidence.StoppedGuard:
		r.target, r.dial = h.URL, h.Dial
		if r.hop--; r.hop < 0 {
			r.outcome, r.hop = fetchGuarded, 0
		}
		return
	case evidence.StoppedCode:
		r.target = headerOf(h, "Location")
		return
	}
	r.target = headerOf(h, "Location")
	if !slices.Contains(terms.RedirectCodes, h.Status) {
		r.rule = "code"
	}
}

// stopRules are the words of the texts for why no profile follows a redirect.
var stopRules = map[string]string{
	evidence.StoppedLimit: ruleCount, evidence.StoppedLoop: ruleLoop, evidence.StoppedCode: "code",
	evidence.StoppedMissing: "location-missing", evidence.StoppedURL: "location-unreadable", evidence.StoppedScheme: "scheme",
	evidence.StoppedUser: "location-unreadable", evidence.StoppedHost: "location-unreadable",
	evidence.StoppedWellKnown: "missing-slash", evidence.StoppedPort: "port", evidence.StoppedPath: "too-long",
	evidence.StoppedGuard: "reserved-address",
}

// redirectRule says why a redirect that could be followed is not, "" where it is.
// count is its number, from 1.
func redirectRule(terms *profile.File, v *visit, from *evidence.Hop, to string, count int) string {
	u, err := url.Parse(to)
	if err != nil {
		return "location-unreadable"
	}
	_, notIP := netip.ParseAddr(u.Hostname())
	switch {
	case !slices.Contains(terms.RedirectCodes, from.Status):
		return "code"
	case terms.SameDomain && (!below(u.Hostname(), v.domain) || notIP == nil && u.Hostname() != v.base):
		return ruleDomain
	case terms.DefaultPorts && u.Port() != "":
		return "scheme-port"
	case count > terms.MaxRedirects:
		return ruleCount
	}
	return ""
}

// arrived judges what the last hop gave.
func (f *facts) arrived(r *reading, v *visit, done int) {
	h := r.last()
	switch {
	case r.hop > 0 && f.profile.Connect.FirstAddress && len(h.Tried) > 0:
		// The host of a redirect has one address here: its second is not tried.
		r.outcome, r.dial = fetchDial, h.Tried[0]
	case h.Dial.Error == "guard" && r.hop == 0:
		r.outcome, r.dial = fetchGuarded, h.Dial
	case h.Dial.Error != "":
		r.outcome, r.dial = fetchDial, h.Dial
	case h.Error != "" && h.Phase == "tls":
		r.outcome = fetchTLS
	case h.Error != "" || h.Status == 0:
		r.outcome = fetchBroken
	case h.Status < 200 || h.Status > 299:
		r.outcome = fetchStatus
	case !f.isFile(v, h):
		r.outcome = fetchContent
	case len(f.profile.File.Status) > 0 && !slices.Contains(f.profile.File.Status, h.Status):
		r.outcome = fetchCode
	case r.hop+done > 0 && f.level(cause.FileRedirected).Blocks():
		r.outcome = fetchHopped
	default:
		r.outcome = fetchFile
	}
}

// isFile reports whether a body is F (catalogue B15).
func (f *facts) isFile(v *visit, h *evidence.Hop) bool {
	b := h.Body
	if b == nil || v.file == "" || f.tooLong(b) {
		return false
	}
	if f.profile.File.Contains && v.method != order.MethodHTTP01 {
		return strings.Contains(string(b.Head), v.file)
	}
	return b.Whole() && strings.TrimRight(string(b.Head), blanks) == v.file
}

// tooLong reports whether a body is longer than is read.
func (f *facts) tooLong(b *evidence.Body) bool {
	most := f.profile.File.MaxBytes
	return most > 0 && b.Bytes >= most
}

// headerOf is the first line of a header.
func headerOf(h *evidence.Hop, name string) string {
	for i := range h.Header {
		if h.Header[i].Name == name {
			return h.Header[i].Value
		}
	}
	return ""
}

// hostOfURL is the host of a URL, without port.
func hostOfURL(text string) string {
	if u, err := url.Parse(text); err == nil {
		return u.Hostname()
	}
	return ""
}
