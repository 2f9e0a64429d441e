package evidence

import (
	"regexp"
	"slices"
	"strings"
)

// fact leaves out what flickers: durations, values of headers that change with
// each response, the order of addresses in an answer, and the random value
// (written "?").
func (e *HTTPExchange) fact() *HTTPExchange {
	c := *e
	random := e.Random
	if random != "" {
		c.Random = "?"
	}
	still := func(s string) string {
		if random == "" {
			return s
		}
		return strings.ReplaceAll(s, random, "?")
	}
	c.Hosts = stillHosts(e.Hosts)
	for i := range c.Hosts {
		c.Hosts[i].Name = still(c.Hosts[i].Name)
	}
	slices.SortStableFunc(c.Hosts, func(a, b Host) int { return strings.Compare(a.Name, b.Name) })
	c.Fetches = slices.Clone(e.Fetches)
	for i := range c.Fetches {
		hops := slices.Clone(c.Fetches[i].Hops)
		for j := range hops {
			h := &hops[j]
			h.URL, h.Phases, h.Detail = still(h.URL), nil, ""
			h.Header = slices.Clone(h.Header)
			for k := range h.Header {
				h.Header[k].Value = still(steady(h.Header[k].Name, h.Header[k].Value))
			}
		}
		c.Fetches[i].Hops = hops
	}
	return &c
}

func (e *TLSExchange) fact() *TLSExchange {
	c := *e
	c.Hosts = stillHosts(e.Hosts)
	c.Handshakes = slices.Clone(e.Handshakes)
	for i := range c.Handshakes {
		c.Handshakes[i].Phases, c.Handshakes[i].Detail = nil, ""
	}
	return &c
}

func stillHosts(hosts []Host) []Host {
	c := slices.Clone(hosts)
	for i := range c {
		c[i].Lookups = slices.Clone(c[i].Lookups)
		for j := range c[i].Lookups {
			c[i].Lookups[j].Addresses = slices.Sorted(slices.Values(c[i].Lookups[j].Addresses))
		}
	}
	return c
}

// steady is the part of a header's value that does not change from one response
// to the next: of an age whether there is one, of a cache's name or request id
// the place at its end ("8c1f…-LAX", "cache-lhr7324-LHR"), of Via the names
// without the timings in brackets.
func steady(name, value string) string {
	switch name {
	case "Age":
		if value != "0" {
			return "?"
		}
	case "Cf-Ray", "X-Served-By":
		var places []string
		for each := range strings.SplitSeq(value, ",") {
			places = append(places, "?"+each[max(0, strings.LastIndexByte(each, '-')):])
		}
		return strings.Join(places, ",")
	case "Via":
		return bracketed.ReplaceAllString(value, "")
	case "Date", "Eagleid", "Expires", "Last-Modified", "Retry-After", "X-Amz-Cf-Id", "X-Azure-Ref", "X-Msedge-Ref",
		"X-Nws-Log-Uuid", "X-Request-Id", "X-Swift-Savetime", "X-Sucuri-Id", "X-Iinfo":
		return "?"
	case "X-Vercel-Id":
		place, _, _ := strings.Cut(value, "::")
		return place
	}
	return value
}

var bracketed = regexp.MustCompile(`\[[^\]]*\]`)
