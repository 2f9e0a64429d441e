package review

import (
	"net/netip"
	"net/url"
	"strconv"
	"strings"

	"assay/cause"
)

// notFollowed: a redirect that this profile does not follow.
func (f *facts) notFollowed(s *sink, v *visit, c *scheme) {
	r := c.chosen
	switch r.rule {
	case ruleDomain:
		s.addVisit(cause.FileRedirectOtherDomain, v).with("url", clipped(r.last().URL)).with("location", clipped(r.target)).
			with("host", clipped(hostOfURL(r.target))).with("domain", v.domain).
			fetched(f.primary(), c.o).reproduce(curl(c.url, r.fetch.Address, "-L"))
	case ruleLoop, ruleCount:
		d := s.addVisit(cause.FileRedirectTooMany, v).with("url", c.url).with("problem", r.rule).with("hops", hopsOf(r)).
			fetched(f.primary(), c.o).reproduce(curl(c.url, r.fetch.Address, "-L"))
		if r.rule == ruleCount {
			// What lies behind the one too many was not looked at, or does not count.
			d.with("count", max(len(r.fetch.Hops)-1, f.profile.File.MaxRedirects+1)).with("limit", f.profile.File.MaxRedirects)
		}
	default:
		f.ruleBroken(s, v, c, r.rule, r.target)
	}
}

// ruleBroken: a redirect breaks a rule of the profile, or leads to no host.
func (f *facts) ruleBroken(s *sink, v *visit, c *scheme, rule, target string) {
	r := c.chosen
	h := r.last()
	if rule == "no-address" && r.hop > 0 {
		h = &r.fetch.Hops[r.hop-1]
	}
	d := s.addVisit(cause.FileRedirectNotFollowed, v).with("url", clipped(h.URL)).with("location", clipped(visible(target))).
		with("status", h.Status).with("rule", rule).fetched(f.primary(), c.o).reproduce(curl(c.url, r.fetch.Address, "-L"))
	u, err := url.Parse(strings.TrimSpace(target))
	if err != nil {
		return
	}
	switch rule {
	case "scheme":
		d.with("scheme", clipped(u.Scheme))
	case "port", "scheme-port":
		d.with("scheme", u.Scheme)
		if port, err := strconv.Atoi(u.Port()); err == nil {
			d.with("port", port)
		} else {
			d.with("rule", "location-unreadable")
		}
	case "missing-slash":
		d.with("host", clipped(visible(u.Hostname()))).with("hint", "missing-slash")
	case "no-address":
		d.with("host", clipped(u.Hostname()))
	case "reserved-address":
		d.with("host", clipped(u.Hostname()))
		last := &r.fetch.Hops[len(r.fetch.Hops)-1]
		if a, err := netip.ParseAddrPort(last.Dial.Address); err == nil {
			d.with("address", a.Addr().String())
		} else {
			d.with("address", u.Hostname())
		}
	}
}
