package review

import (
	"net/netip"
	"slices"
	"strings"

	"assay/cause"
	"assay/evidence"
	"assay/internal/page"
)

// fileRules are about the file that a web server has to give: over which scheme,
// at which address, behind which redirects, with what content. They look from the
// primary place; see fileregion.go for places that differ.
var fileRules = []rule{
	{
		causes: []cause.ID{
			cause.FileConnectionRefused, cause.FileConnectionTimeout, cause.FileNoHTTPAnswer, cause.FileIntermittent,
			cause.FileMissing, cause.FileWrongPath, cause.FileErrorStatus, cause.FileStatusNot200, cause.FileMissingOnHTTPS,
			cause.FileHTTPSHandshakeFails, cause.FileRedirectTooMany, cause.FileRedirectOtherDomain, cause.FileRedirectNotFollowed,
			cause.FileContentMismatch, cause.FileContentAltered, cause.FileContentIsWebPage, cause.FileContentOfOtherOrder,
			cause.FileOtherHostAnswers, cause.FileCDNStale, cause.FileBlockedWithoutFiling, cause.FileBlockedAsRobot, cause.FileProxyRemoved,
		},
		needs: needLook | needNames, also: []evidence.Topic{evidence.TopicOrders}, run: eachVisit(visitFails),
	},
	{causes: []cause.ID{cause.FileRedirected}, needs: needLook | needNames, run: eachVisit(redirected)},
	{
		causes: []cause.ID{cause.FileIPv6Broken, cause.FileAddressesDisagree, cause.FileAddressDead},
		needs:  needLook | needNames, run: eachVisit(addressesDiffer),
	},
	{causes: []cause.ID{cause.PerspectiveUnavailable}, needs: needLook | needNames, run: eachVisit(cannotVisit)},
}

// addVisit starts a finding about a visit.
func (s *sink) addVisit(id cause.ID, v *visit, conditions ...string) *draft {
	return s.add(id, v.subject, conditions...).concerning(v.about)
}

// fetched names the place and adds observations as evidence.
func (d *draft) fetched(place *evidence.Perspective, list ...*evidence.Observation) *draft {
	for _, o := range list {
		if o != nil {
			d.seenBy(&sight{o: o, place: place})
		}
	}
	return d
}

// visitFails: what stands where the file has to be.
func visitFails(f *facts, s *sink, v *visit) {
	http := f.scheme(v, false)
	if !v.bothSchemes() {
		if http.standing == unproven {
			f.explain(s, v, http)
		}
		return
	}
	https := f.scheme(v, true)
	switch {
	case http.standing == proven:
		f.beside(s, v, http, https)
	case https.standing == proven && f.profile.File.Schemes != "both":
	case http.standing == unproven && !http.closed():
		f.explain(s, v, http)
		if https.standing == unproven && !https.closed() && !alike(v, http, https) {
			f.explain(s, v, https)
		}
	case https.standing == unproven && !https.closed():
		f.explain(s, v, https)
	case http.standing == unproven && https.standing == unproven:
		f.explain(s, v, http)
	}
}

// alike reports whether HTTP and HTTPS fail for one reason, as far as it shows:
// then it is told once.
func alike(v *visit, http, https *scheme) bool {
	a, b := http.chosen, https.chosen
	if a == nil || b == nil {
		return a == b
	}
	x, y := a.last(), b.last()
	if hopped(v, http) {
		return true
	}
	return a.outcome == b.outcome && a.rule == b.rule && (x == nil || y == nil || x.Status == y.Status && x.Error == y.Error)
}

// hopped reports whether HTTP leads to the same URL over HTTPS.
func hopped(v *visit, c *scheme) bool {
	r := c.chosen
	return r != nil && !c.https && r.hop > 0 && r.last() != nil && r.last().URL == v.url(true)
}

// explain says why the file is not found over a scheme.
func (f *facts) explain(s *sink, v *visit, c *scheme) {
	r := c.chosen
	if r == nil || c.othersGive() {
		return // the names of the DNS rows, or addressesDiffer, say it
	}
	switch r.outcome {
	case fetchDial:
		f.noConnection(s, v, c)
	case fetchTLS:
		f.handshakeFails(s, v, c)
	case fetchBroken:
		f.noAnswer(s, v, c)
	case fetchRedirect:
		if !f.filing(s, v, c) {
			f.notFollowed(s, v, c)
		}
	case fetchStatus, fetchContent, fetchCode:
		f.wrongAnswer(s, v, c)
	}
}

// othersGive reports whether the address that decides fails in a way that is told
// by comparing it with one that gives the file: another family, or no connection.
func (c *scheme) othersGive() bool {
	r := c.chosen
	return c.some(fetchFile) != nil && r.outcome != fetchFile &&
		(r.fetch.Family == "ipv6" || r.outcome == fetchDial && r.hop == 0)
}

// beside: HTTP gives the file, and HTTPS answers something else.
func (f *facts) beside(s *sink, v *visit, http, https *scheme) {
	r := https.chosen
	if https.standing != unproven || https.closed() || r == nil {
		return
	}
	switch {
	case r.outcome == fetchTLS && r.hop == 0:
		f.handshakeFails(s, v, https, "http")
	case r.outcome == fetchStatus || r.outcome == fetchContent:
		f.missingOnHTTPS(s, v, https, "beside")
	case f.profile.File.Schemes == "both" && f.wrong(https, http):
		f.explain(s, v, https)
	}
}

// missingOnHTTPS: the file is on HTTP alone, or HTTP only leads to HTTPS.
func (f *facts) missingOnHTTPS(s *sink, v *visit, c *scheme, way string) {
	var conditions []string
	if way == "hop" {
		conditions = []string{"hop"}
	}
	h := c.chosen.last()
	problem := "status"
	switch {
	case c.chosen.outcome == fetchContent:
		problem = "content"
	case notFound(h.Status):
		problem = "missing"
	}
	s.addVisit(cause.FileMissingOnHTTPS, v, conditions...).with("url", v.url(false)).with("https", v.url(true)).
		with("way", way).with("problem", problem).with("status", h.Status).fetched(f.primary(), f.seenOf(v)...).
		reproduce(curl(v.url(false), ""), curl(v.url(true), ipOf(h)))
}

func notFound(status int) bool { return status == 404 || status == 410 }

// ipOf is the address that a hop was fetched from, "" where none was dialled.
func ipOf(h *evidence.Hop) string {
	if h == nil {
		return ""
	}
	if a, err := netip.ParseAddrPort(h.Dial.Address); err == nil {
		return a.Addr().String()
	}
	return ""
}

// redirected: the file is there, and not at U itself.
func redirected(f *facts, s *sink, v *visit) {
	for _, https := range []bool{false, true} {
		if https && !v.bothSchemes() {
			return
		}
		c := f.scheme(v, https)
		r := c.chosen
		if r == nil || r.hop == 0 || r.outcome != fetchFile && r.outcome != fetchHopped {
			continue
		}
		s.addVisit(cause.FileRedirected, v).with("url", c.url).with("location", clipped(r.fetch.Hops[1].URL)).
			with("hops", hopsOf(r)).fetched(f.primary(), c.o).reproduce(curl(c.url, r.fetch.Address, "-L"))
		return
	}
}

// hopsOf are the URLs of a fetch.
func hopsOf(r *reading) []string {
	var list []string
	for i := range r.fetch.Hops {
		list = append(list, clipped(r.fetch.Hops[i].URL))
	}
	return list
}

// cannotVisit: what decides could not be fetched for a reason that lies with us.
func cannotVisit(f *facts, s *sink, v *visit) {
	if state := f.decided(v); state != blocked && (state != pending || f.wanted != nil) {
		return
	}
	for _, https := range []bool{false, true} {
		if https && !v.bothSchemes() {
			return
		}
		c := f.scheme(v, https)
		if c.standing != blocked && c.standing != pending {
			continue
		}
		why := c.why
		switch why {
		case whySplit:
			continue
		case "":
			why = "not fetched"
		}
		if place := f.primary(); s.once(cause.PerspectiveUnavailable, place.ID, why) {
			f.unavailable(s, "self-test-failed", why).with("name", v.subject).fetched(place, c.o)
		}
		return
	}
}

// filing: the provider shows its page for domains without ICP filing, on the spot
// or behind a redirect.
func (f *facts) filing(s *sink, v *visit, c *scheme) bool {
	for i := range c.chosen.fetch.Hops {
		p := page.Read(&c.chosen.fetch.Hops[i])
		if p.Kind != page.Filing {
			continue
		}
		d := s.addVisit(cause.FileBlockedWithoutFiling, v).with("name", v.subject).with("url", c.url).with("provider", p.Product).
			with("perspectives", []string{f.primary().ID}).fetched(f.primary(), c.o).reproduce(curl(c.url, c.chosen.fetch.Address))
		if to := headerOf(&c.chosen.fetch.Hops[i], "Location"); to != "" {
			d.with("location", clipped(visible(to)))
		} else if i > 0 {
			d.with("location", clipped(c.chosen.fetch.Hops[i].URL))
		}
		return true
	}
	return false
}

// visible leaves out of a text from outside what cannot be shown.
func visible(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r >= 0x80 && r < 0xa0 || r == 0xfffd {
			return '.'
		}
		return r
	}, strings.ToValidUTF8(s, "."))
}

// curl is the command that fetches a URL, from one address where it is given; ""
// where the URL could mean something to a shell.
func curl(address, ip string, options ...string) string {
	for _, c := range []byte(address) {
		if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte(":/.-_~%?=&+,@[]", c) >= 0) {
			return ""
		}
	}
	words := slices.Concat([]string{"curl", "-k", "-v"}, options)
	if host := hostOfURL(address); ip != "" && ip != host && !strings.Contains(host, ":") {
		port := ":80:"
		if strings.HasPrefix(address, "https:") {
			port = ":443:"
		}
		if strings.Contains(ip, ":") {
			ip = "[" + ip + "]"
		}
		words = append(words, "--resolve", "'"+host+port+ip+"'")
	}
	return strings.Join(append(words, "'"+address+"'"), " ")
}
