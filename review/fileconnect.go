package review

import (
	"slices"
	"strconv"
	"strings"

	"assay/cause"
	"assay/evidence"
)

// noConnection: no address accepts a connection, or that of a redirect does not.
func (f *facts) noConnection(s *sink, v *visit, c *scheme) {
	if r := c.chosen; r.hop > 0 {
		h := r.last()
		if r.dial.Error == "no-address" {
			f.ruleBroken(s, v, c, "no-address", h.URL)
			return
		}
		f.connectionFails(s, v, c, h.URL, r.dial.Error, []string{r.dial.Address})
		return
	}
	var refused, silent []string
	for i := range c.readings {
		r := &c.readings[i]
		if r.outcome != fetchDial || r.hop > 0 {
			continue
		}
		if r.dial.Error == "timeout" {
			silent = append(silent, r.dial.Address)
		} else {
			refused = append(refused, r.dial.Address)
		}
	}
	f.connectionFails(s, v, c, c.url, "refused", refused)
	f.connectionFails(s, v, c, c.url, "timeout", silent)
}

func (f *facts) connectionFails(s *sink, v *visit, c *scheme, url, problem string, addresses []string) {
	if len(addresses) == 0 {
		return
	}
	id := cause.FileConnectionRefused
	if problem == "timeout" {
		id = cause.FileConnectionTimeout
	}
	s.addVisit(id, v).with("url", clipped(url)).with("addresses", shown(addresses)).
		fetched(f.primary(), c.o).reproduce(curl(url, ipOf(&evidence.Hop{Dial: evidence.Dial{Address: addresses[0]}})))
}

// handshakeFails: a connection to port 443, and no TLS.
func (f *facts) handshakeFails(s *sink, v *visit, c *scheme, conditions ...string) {
	r := c.chosen
	h := r.last()
	if r.hop > 0 {
		conditions = append(conditions, "hop")
	}
	problem, ok := map[string]string{
		evidence.ErrorAlert: "alert", evidence.ErrorPlainHTTP: "plain-http", evidence.ErrorVersion: "version",
		evidence.ErrorReset: "reset", evidence.ErrorTimeout: "timeout", evidence.ErrorIncomplete: "closed",
	}[h.Error]
	if !ok {
		problem = "failed"
	}
	host := hostOfURL(h.URL)
	d := s.addVisit(cause.FileHTTPSHandshakeFails, v, conditions...).with("name", clipped(host)).with("url", clipped(h.URL)).
		with("address", h.Dial.Address).with("problem", problem).with("alert", clipped(visible(h.Alert))).fetched(f.primary(), c.o)
	if h.TLS != nil {
		d.with("version", h.TLS.Version)
	}
	if plainName(host) {
		d.reproduce("openssl s_client -connect " + h.Dial.Address + " -servername " + host + " </dev/null")
	}
}

// noAnswer: a connection, and no full HTTP response.
func (f *facts) noAnswer(s *sink, v *visit, c *scheme) {
	r := c.chosen
	h := r.last()
	d := s.addVisit(cause.FileNoHTTPAnswer, v).with("url", clipped(h.URL)).with("address", h.Dial.Address).with("problem", h.Error).
		fetched(f.primary(), c.o).reproduce(curl(h.URL, ipOf(h)))
	if h.Error == evidence.ErrorNotHTTP && len(h.Seen) > 0 {
		d.with("seen", strconv.QuoteToASCII(string(h.Seen[:min(len(h.Seen), 24)])))
	}
}

// addressesDiffer: what one address gives another does not. One family that fails
// as a whole is told apart from single addresses.
func addressesDiffer(f *facts, s *sink, v *visit) {
	for _, https := range []bool{false, true} {
		if https && (!v.bothSchemes() || f.profile.File.Schemes != "both") {
			return
		}
		c := f.scheme(v, https)
		if c.some(fetchFile) == nil {
			continue
		}
		good, bad := map[string][]*reading{}, map[string][]*reading{}
		for i := range c.readings {
			switch r := &c.readings[i]; r.outcome {
			case fetchFile:
				good[r.fetch.Family] = append(good[r.fetch.Family], r)
			case fetchUnknown, fetchGuarded:
			default:
				bad[r.fetch.Family] = append(bad[r.fetch.Family], r)
			}
		}
		found := false
		if len(bad["ipv6"]) > 0 && len(good["ipv6"]) == 0 {
			f.ipv6Broken(s, v, c, bad["ipv6"][0], good["ipv4"][0])
			bad["ipv6"], found = nil, true
		}
		if f.singles(s, v, c, slices.Concat(good["ipv6"], good["ipv4"]), slices.Concat(bad["ipv6"], bad["ipv4"])) || found {
			return
		}
	}
}

// ipv6Broken: no IPv6 address gives the file, and an IPv4 address does.
func (f *facts) ipv6Broken(s *sink, v *visit, c *scheme, r, working *reading) {
	var conditions []string
	if first := c.first("ipv6"); first != nil {
		r = first
	}
	problem := "content"
	switch r.outcome {
	case fetchDial:
		if r.hop == 0 && (c.chosen == nil || c.chosen.fetch.Family != "ipv6" || c.chosen.outcome == fetchUnknown) {
			conditions = []string{"dial"}
		}
		problem = connectWord(r.dial.Error)
	case fetchTLS:
		problem = "tls"
	case fetchBroken:
		problem = "no-answer"
	case fetchStatus, fetchRedirect:
		problem = "status"
	}
	d := s.addVisit(cause.FileIPv6Broken, v, conditions...).with("name", v.subject).with("url", c.url).
		with("address", r.fetch.Address).with("working", working.fetch.Address).with("problem", problem).
		fetched(f.primary(), c.o).reproduce(curl(c.url, r.fetch.Address), curl(c.url, working.fetch.Address))
	if h := r.last(); h != nil && h.Status != 0 {
		d.with("status", h.Status)
	}
}

// connectWord is why a connection failed, in a word of the texts.
func connectWord(problem string) string {
	switch problem {
	case "refused", "timeout", "reset":
		return problem
	}
	return "unreachable"
}

// singles: of several addresses some give the file, others answer otherwise or
// not at all.
func (f *facts) singles(s *sink, v *visit, c *scheme, good, bad []*reading) bool {
	var right, wrong, dead []string
	for _, r := range good {
		right = append(right, r.fetch.Address)
	}
	first := false
	for _, r := range bad {
		if r.outcome == fetchDial && r.hop == 0 {
			dead = append(dead, r.fetch.Address+" ("+connectWord(r.dial.Error)+")")
			first = first || c.standing == unproven && c.chosen != nil && c.chosen.fetch == r.fetch
		} else {
			wrong = append(wrong, r.fetch.Address+" ("+answerWord(r)+")")
		}
	}
	if len(wrong) > 0 {
		s.addVisit(cause.FileAddressesDisagree, v).with("url", c.url).with("good", shown(right)).with("bad", shown(wrong)).
			fetched(f.primary(), c.o).reproduce(curl(c.url, bareAddress(wrong[0])), curl(c.url, right[0]))
	}
	if len(dead) > 0 {
		var conditions []string
		if first {
			conditions = []string{"first"}
		}
		s.addVisit(cause.FileAddressDead, v, conditions...).with("name", v.subject).with("url", c.url).
			with("good", shown(right)).with("dead", shown(dead)).fetched(f.primary(), c.o).
			reproduce(curl(c.url, bareAddress(dead[0])), curl(c.url, right[0]))
	}
	return len(wrong)+len(dead) > 0
}

func bareAddress(row string) string {
	address, _, _ := strings.Cut(row, " ")
	return address
}

// answerWord is what a fetch gave, in a word: its status, or what went wrong.
func answerWord(r *reading) string {
	h := r.last()
	switch {
	case h == nil:
		return "-"
	case h.Status != 0:
		return strconv.Itoa(h.Status)
	case r.dial.Error != "":
		return r.dial.Error
	case h.Error != "":
		return h.Error
	}
	return "-"
}
