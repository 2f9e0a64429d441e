package review

import (
	"net/netip"
	"path"
	"strings"

	"assay/cause"
	"assay/evidence"
	"assay/internal/page"
	"assay/order"
)

// markerHeader is what every answer of the validation service has, so that one
// that came through the reverse proxy can be told (method file-proxy).
const markerHeader = "X-Assay-Validation"

// Attempts: how often one address is fetched from to see whether it answers now
// so, now otherwise; and how often a variation of the request must give the file,
// so that such an answer is no accident.
const (
	intermittentAttempts = 5
	variedAttempts       = 3
)

// wrongAnswer: a full response that is not the file. Narrower reasons come first;
// those that the response shows itself need no further look.
func (f *facts) wrongAnswer(s *sink, v *visit, c *scheme) {
	r := c.chosen
	h := r.last()
	p := page.Read(h)
	switch {
	case f.filing(s, v, c):
		return
	case r.outcome == fetchCode:
		s.addVisit(cause.FileStatusNot200, v).with("url", clipped(h.URL)).with("status", h.Status).
			fetched(f.primary(), c.o).reproduce(curl(h.URL, ipOf(h)))
		return
	case r.outcome == fetchContent && (f.altered(s, v, c, &p) || f.fileOfOtherOrder(s, v, c)):
		return
	case v.method == order.MethodFileProxy && headerOf(h, markerHeader) == "":
		s.addVisit(cause.FileProxyRemoved, v).with("url", c.url).with("path", v.place).with("status", h.Status).
			with("header", markerHeader).with("target", f.profile.File.ProxyTarget).
			fetched(f.primary(), c.o).reproduce(curl(c.url, r.fetch.Address))
		return
	case p.Is(page.Challenge, page.Cookie, page.Firewall):
		f.robot(s, v, c, string(p.Kind), p.Product)
		return
	case p.Is(page.Parking, page.Registrar, page.Router, page.DefaultPage):
		f.otherHost(s, v, c, string(p.Kind), &p)
		return
	case r.outcome == fetchContent && p.Redirect != "":
		rule := p.Redirect
		if rule == "header" {
			rule = "refresh-header"
		}
		f.ruleBroken(s, v, c, rule, p.Target)
		return
	}
	f.probeAnswer(s, v, c, &p)
}

// probeAnswer asks further what the response does not show itself.
func (f *facts) probeAnswer(s *sink, v *visit, c *scheme, p *page.Page) {
	r := c.chosen
	h := r.last()
	again := f.again(v, c, evidence.HTTPQuestion{Attempts: intermittentAttempts})
	browser := f.again(v, c, evidence.HTTPQuestion{Agent: "browser", Attempts: variedAttempts})
	var fresh *variation
	if edge, _ := page.ReadEdge(h); edge.Stale() {
		fresh = f.again(v, c, evidence.HTTPQuestion{RandomQuery: true, Attempts: variedAttempts})
	}
	var elsewhere *otherPlace
	var any *siblings
	if r.outcome == fetchStatus {
		elsewhere = f.otherPath(v, c)
	} else {
		any = f.siblingsOf(h)
	}
	switch {
	case again.gives() > 0:
		s.addVisit(cause.FileIntermittent, v).with("url", c.url).with("address", r.fetch.Address).with("count", again.gives()).
			with("attempts", len(again.readings)).with("answers", again.words()).
			fetched(f.primary(), c.o, again.o).reproduce(curl(c.url, r.fetch.Address))
	case fresh.all():
		f.stale(s, v, c, fresh)
	case browser.all():
		f.robot(s, v, c, "agent", p.Product, browser.o)
	case elsewhere != nil:
		s.addVisit(cause.FileWrongPath, v).with("url", c.url).with("path", v.place).with("found", elsewhere.url).with("way", elsewhere.way).
			fetched(f.primary(), c.o, elsewhere.o).reproduce(curl(elsewhere.url, r.fetch.Address), curl(c.url, r.fetch.Address))
	case hopped(v, c):
		f.missingOnHTTPS(s, v, c, "hop")
	case r.outcome == fetchStatus:
		f.badStatus(s, v, c, p)
	default:
		f.wrongContent(s, v, c, p, any)
	}
}

// A variation is the same fetch put otherwise, at the same address.
type variation struct {
	o        *evidence.Observation
	readings []reading
}

// again fetches U once more at the address of the fetch that decides.
func (f *facts) again(v *visit, c *scheme, q evidence.HTTPQuestion) *variation {
	q.URL, q.Address = c.url, c.chosen.fetch.Address
	x := &variation{o: f.fetch(f.primary(), q)}
	if x.o != nil && x.o.HTTP != nil {
		for i := range x.o.HTTP.Fetches {
			x.readings = append(x.readings, f.read(v, &x.o.HTTP.Fetches[i], 0))
		}
	}
	return x
}

// given reports whether a fetch gives the file, whatever else may be wrong.
func (r *reading) given() bool { return r.outcome >= fetchCode }

// gives is how many fetches give the file.
func (x *variation) gives() int {
	n := 0
	for i := range x.readings {
		if x.readings[i].given() {
			n++
		}
	}
	return n
}

// all reports whether every fetch gives the file.
func (x *variation) all() bool {
	return x != nil && len(x.readings) > 0 && x.gives() == len(x.readings)
}

func (x *variation) words() []string {
	var list []string
	for i := range x.readings {
		list = append(list, answerWord(&x.readings[i]))
	}
	return list
}

// otherPlace is where the file lies instead.
type otherPlace struct {
	o        *evidence.Observation
	url, way string
}

// otherPath looks for the file where people put it instead.
func (f *facts) otherPath(v *visit, c *scheme) *otherPlace {
	var found *otherPlace
	for _, at := range v.otherPlaces() {
		o := f.fetch(f.primary(), evidence.HTTPQuestion{URL: v.urlOf(c.https, at.place), Address: c.chosen.fetch.Address})
		if o == nil || o.HTTP == nil || found != nil {
			continue
		}
		for i := range o.HTTP.Fetches {
			if r := f.read(v, &o.HTTP.Fetches[i], 0); r.given() {
				found = &otherPlace{o, v.urlOf(c.https, at.place), at.way}
			}
		}
	}
	return found
}

type candidate struct{ place, way string }

// otherPlaces are the paths where the file may lie by mistake.
func (v *visit) otherPlaces() []candidate {
	file := v.fileName()
	directory := strings.TrimSuffix(v.place, file)
	other := acmeDirectory
	if directory == acmeDirectory {
		other = fileDirectory
	}
	list := []candidate{
		{other + file, "other-directory"},
		{"/" + file, "site-root"},
		{directory + file + ".txt", "txt-added"},
		{directory + strings.TrimPrefix(directory, "/") + file, "doubled-directory"},
	}
	if stem, ok := strings.CutSuffix(file, ".txt"); ok && stem != "" {
		list = append(list, candidate{directory + stem, "txt-missing"})
	}
	lower := strings.ToLower(file)
	for _, each := range []string{lower, strings.ToUpper(file), strings.ToUpper(lower[:1]) + lower[1:], strings.ToUpper(strings.TrimSuffix(lower, path.Ext(lower))) + path.Ext(lower)} {
		if each != file {
			list = append(list, candidate{directory + each, "case"})
		}
	}
	return list
}

// robot: a protection answers in place of the site.
func (f *facts) robot(s *sink, v *visit, c *scheme, way, product string, more ...*evidence.Observation) {
	h := c.chosen.last()
	s.addVisit(cause.FileBlockedAsRobot, v).with("url", c.url).with("path", v.place).with("product", product).with("way", way).
		with("status", h.Status).fetched(f.primary(), c.o).fetched(f.primary(), more...).
		reproduce(curl(c.url, c.chosen.fetch.Address), curl(c.url, c.chosen.fetch.Address, "-A", "'Mozilla/5.0 (Windows NT 10.0)'", "-H", "'Accept-Language: en'"))
}

// stale: the cache answers, and past it the file is there.
func (f *facts) stale(s *sink, v *visit, c *scheme, fresh *variation) {
	h := c.chosen.last()
	edge, _ := page.ReadEdge(h)
	d := s.addVisit(cause.FileCDNStale, v).with("url", c.url).with("cdn", edge.CDN).with("header", clipped(visible(edge.Header))).
		with("status", h.Status).fetched(f.primary(), c.o, fresh.o).
		reproduce(curl(c.url, c.chosen.fetch.Address), curl(c.url+"?r=1", c.chosen.fetch.Address))
	if edge.Age > 0 {
		d.with("age", edge.Age)
	}
}

// badStatus: no file, or an error.
func (f *facts) badStatus(s *sink, v *visit, c *scheme, p *page.Page) {
	h := c.chosen.last()
	id := cause.FileErrorStatus
	if notFound(h.Status) {
		id = cause.FileMissing
	}
	d := s.addVisit(id, v).with("url", clipped(h.URL)).with("path", v.place).with("address", ipOf(h)).with("status", h.Status).
		with("server", clipped(visible(headerOf(h, "Server")))).fetched(f.primary(), c.o).reproduce(curl(h.URL, ipOf(h)))
	if id == cause.FileErrorStatus {
		d.with("problem", statusWord(h, p))
	}
}

// statusWord is what an error status means, in a word of the texts.
func statusWord(h *evidence.Hop, p *page.Page) string {
	switch {
	case h.Status == 401, h.Status == 407, p.Kind == page.Login:
		return "login"
	case h.Status == 403:
		return "forbidden"
	case h.Status == 429:
		return "rate-limited"
	case h.Status == 451:
		return "legal"
	case h.Status >= 520 && h.Status <= 530:
		return "edge"
	case h.Status >= 500:
		return "server-error"
	}
	return "other"
}

// siblings are answers that the same address gives for a file that nobody has
// made, for this host and for one that is nobody's.
type siblings struct{ path, host *evidence.Observation }

// siblingsOf asks the server that gave a response for others beside it.
func (f *facts) siblingsOf(h *evidence.Hop) *siblings {
	a, err := netip.ParseAddrPort(h.Dial.Address)
	if err != nil {
		return &siblings{}
	}
	q := evidence.HTTPQuestion{URL: h.URL, Address: a.Addr().String(), RandomPath: true}
	n := &siblings{path: f.fetch(f.primary(), q)}
	q.RandomHost = true
	n.host = f.fetch(f.primary(), q)
	return n
}

// same reports whether an answer is the one that a hop gave.
func same(h *evidence.Hop, o *evidence.Observation) bool {
	if o == nil || o.HTTP == nil || len(o.HTTP.Fetches) == 0 || len(o.HTTP.Fetches[0].Hops) == 0 {
		return false
	}
	x := &o.HTTP.Fetches[0].Hops[0]
	if x.Status != h.Status || x.Body == nil || h.Body == nil || x.Body.Bytes == 0 {
		return false
	}
	return x.Body.SHA256 == h.Body.SHA256 || x.Body.Gist != "" && x.Body.Gist == h.Body.Gist
}
