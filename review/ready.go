package review

import (
	"cmp"
	"slices"
	"strings"

	"assay/cause"
	"assay/evidence"
	"assay/order"
)

// Readiness of the methods that connect to a name: whether validation could work
// for a name that has no value yet (catalogue B31). A file of a random name is
// fetched beside where the validation file will lie: that it is not found is
// healthy; that the port is closed or the way there leads astray is not.

// readyRules report what stands in the way. Where the order names no method they
// only inform (condition no-method): the name can be validated otherwise.
var readyRules = []rule{
	{
		causes: []cause.ID{
			cause.FileConnectionRefused, cause.FileConnectionTimeout, cause.FileNoHTTPAnswer, cause.FileHTTPSHandshakeFails,
			cause.FileRedirected, cause.FileRedirectTooMany, cause.FileRedirectOtherDomain, cause.FileRedirectNotFollowed,
			cause.FileBlockedWithoutFiling, cause.FileBlockedByRegion,
		},
		needs: needLook | needNames, run: notReady,
	},
	{causes: []cause.ID{cause.PerspectiveUnavailable}, needs: needLook | needNames, run: cannotTellReady},
}

// readyVisits are the visits that would be made for names without a value, each
// once: methods that fetch from one directory over the same schemes share them.
func (f *facts) readyVisits() []*visit {
	if f.readySet {
		return f.readyList
	}
	f.readySet = true
	for i := range f.names {
		n := &f.names[i]
		if n.same != i || n.Wildcard || !f.connectable(n) || f.challenged(n) {
			continue
		}
		for _, m := range fileMethods {
			if !f.mayUse(m, n) {
				continue
			}
			t := f.newTarget(n, m)
			v := &visit{subject: t.subject, base: t.base, domain: t.domain, method: m, place: directoryOf(m) + fixedFile}
			v.about = "ready\x00" + v.subject + "\x00" + v.place
			if !slices.ContainsFunc(f.readyList, func(o *visit) bool { return o.about == v.about && o.bothSchemes() == v.bothSchemes() }) {
				f.readyList = append(f.readyList, v)
			}
		}
	}
	return f.readyList
}

// directoryOf is where the files of a method lie.
func directoryOf(m order.Method) string {
	if m == order.MethodHTTP01 {
		return acmeDirectory
	}
	return fileDirectory
}

// serves reports whether a visit is one that a method would make.
func (v *visit) serves(m order.Method) bool {
	return strings.HasPrefix(v.place, directoryOf(m)) && v.bothSchemes() == (m != order.MethodHTTP01)
}

// barred are the findings that stand in the way of a visit, as if its method was
// chosen.
func (f *facts) barred(v *visit, begun map[string]bool) []*draft {
	s := &sink{facts: f, begun: begun}
	f.barHere(s, v)
	f.barElsewhere(s, v)
	return s.drafts
}

// barHere is what stands in the way of the primary place.
func (f *facts) barHere(s *sink, v *visit) {
	http := f.scheme(v, false)
	if !v.bothSchemes() {
		f.bar(s, v, http)
		return
	}
	https := f.scheme(v, true)
	every := f.profile.File.Schemes == "both"
	switch {
	case http.closed() && https.closed():
		f.bar(s, v, http)
	case http.closed():
		f.bar(s, v, https)
	case https.closed():
		f.bar(s, v, http)
	case arrives(http) && https.chosen != nil && https.chosen.outcome == fetchTLS && https.chosen.hop == 0:
		f.bar(s, v, http)
		if https.standing == unproven {
			f.handshakeFails(s, v, https, "http")
		}
	case every && !alike(v, http, https):
		f.bar(s, v, http)
		f.bar(s, v, https)
	case every, !arrives(https):
		f.bar(s, v, http)
	case !arrives(http):
		f.bar(s, v, https) // it suffices; say how it is reached
	default:
		f.bar(s, v, http)
	}
}

// barElsewhere: some places get an answer, others are shut out.
func (f *facts) barElsewhere(s *sink, v *visit) {
	var good, bad, away []string
	var shut []*reading
	d := &draft{}
	for i := range f.places {
		g, place := f, &f.places[i]
		if i > 0 {
			g = f.from(place)
		}
		state, r := g.doorOf(v)
		switch state {
		case viewGood:
			good = append(good, place.ID)
		case viewShut:
			bad, shut = append(bad, place.ID), append(shut, r)
		default:
			away = append(away, place.ID)
		}
		if state != viewNone {
			d.fetched(g.primary(), g.seenReady(v)...)
		}
	}
	if len(good) == 0 || len(bad) == 0 {
		return
	}
	problem := shut[0].last().Error
	if shut[0].outcome == fetchDial {
		problem = "refused"
		if shut[0].dial.Error == "timeout" {
			problem = "timeout"
		}
	}
	row := s.addVisit(cause.FileBlockedByRegion, v, f.allowance(good, away...)...).with("url", v.url(false)).
		with("good", shown(good)).with("bad", shown(bad)).with("problem", problem).reproduce(curl(v.url(false), shut[0].fetch.Address))
	if row != nil {
		row.Evidence, row.Perspectives = d.Evidence, d.Perspectives
	}
}

// doorOf says whether the primary place gets an answer: viewGood, viewShut (with
// the fetch that shows it), or viewNone where that is not known.
func (f *facts) doorOf(v *visit) (aspect, *reading) {
	w := f.ownReady(v)
	if w == nil {
		return viewNone, nil
	}
	var shut *reading
	for _, https := range []bool{false, true} {
		if https && !w.bothSchemes() {
			break
		}
		c := f.scheme(w, https)
		r := c.chosen
		switch {
		case c.standing != unproven || r == nil || r.last() == nil:
			return viewNone, nil
		case r.hop > 0 || r.outcome >= fetchRedirect:
			return viewGood, nil
		case r.outcome == fetchDial, r.last().Error == evidence.ErrorReset, r.last().Error == evidence.ErrorTimeout:
			if shut == nil {
				shut = r
			}
		default:
			return viewOther, nil
		}
	}
	return viewShut, shut
}

// ownReady is a visit of another place among these facts.
func (f *facts) ownReady(v *visit) *visit {
	i := slices.IndexFunc(f.readyVisits(), func(o *visit) bool { return o.about == v.about && o.bothSchemes() == v.bothSchemes() })
	if i < 0 {
		return nil
	}
	return f.readyVisits()[i]
}

func (f *facts) seenReady(v *visit) []*evidence.Observation {
	if w := f.ownReady(v); w != nil {
		return f.seenOf(w)
	}
	return nil
}

// arrives reports whether a full answer comes, whichever it is.
func arrives(c *scheme) bool { return c.chosen != nil && c.chosen.outcome >= fetchStatus }

// bar says what stands in the way over a scheme.
func (f *facts) bar(s *sink, v *visit, c *scheme) {
	r := c.chosen
	switch {
	case r == nil || c.standing != unproven:
	case !arrives(c):
		f.explain(s, v, c)
	case r.hop > 0:
		s.addVisit(cause.FileRedirected, v).with("url", c.url).with("location", clipped(r.fetch.Hops[1].URL)).
			with("hops", hopsOf(r)).fetched(f.primary(), c.o).reproduce(curl(c.url, r.fetch.Address, "-L"))
	}
}

func notReady(f *facts, s *sink) {
	for _, v := range f.readyVisits() {
		for _, d := range f.barred(v, s.begun) {
			if f.Order.Method == "" {
				d.Level = f.level(d.Cause, "no-method")
				if d.Level == cause.Pass || !s.once(d.Cause, v.subject, "ready") {
					continue
				}
			}
			s.drafts = append(s.drafts, d)
		}
	}
}

// readyStanding says whether it is known what stands in the way of a visit:
// unproven where it is.
func (f *facts) readyStanding(v *visit) (state standing, why string) {
	for _, https := range []bool{false, true} {
		if https && !v.bothSchemes() {
			break
		}
		if c := f.scheme(v, https); c.standing == pending || c.standing == blocked {
			return c.standing, cmp.Or(c.why, "not fetched")
		}
	}
	return unproven, ""
}

// cannotTellReady: what a chosen method needs could not be looked at for a reason
// that lies with us.
func cannotTellReady(f *facts, s *sink) {
	if f.Order.Method == "" {
		return
	}
	for _, v := range f.readyVisits() {
		if state, why := f.readyStanding(v); state == blocked || state == pending && f.wanted == nil {
			f.unavailable(s, "self-test-failed", why).with("name", v.subject).fetched(f.primary(), f.seenOf(v)...)
		}
	}
}

// readyToConnect adds what stands in the way of a method that connects.
func (f *facts) readyToConnect(m order.Method) []Finding {
	var list []Finding
	unknown := Finding{Level: cause.Unknown}
	if m == order.MethodTLSALPN01 {
		for _, h := range f.handshakes() {
			switch {
			case h.key != "":
			case f.standingOf(h) != unproven:
				list = append(list, unknown)
			case allClosed(f.decidingShakes(f.shakeOf(h).TLS)):
				list = append(list, Finding{Level: f.level(cause.TLSPortClosed)})
			}
		}
		return list
	}
	for _, v := range f.readyVisits() {
		if !v.serves(m) {
			continue
		}
		if state, _ := f.readyStanding(v); state != unproven {
			list = append(list, unknown)
		}
		for _, d := range f.barred(v, nil) {
			list = append(list, d.Finding)
		}
	}
	return list
}

// unready reports whether it is not known if a chosen method can work.
func (f *facts) unready() bool {
	if !isConnectMethod(f.Order.Method) {
		return false
	}
	return slices.ContainsFunc(f.readyVisits(), func(v *visit) bool { state, _ := f.readyStanding(v); return state != unproven }) ||
		slices.ContainsFunc(f.handshakes(), func(h *handshake) bool { return h.key == "" && f.standingOf(h) != unproven })
}
