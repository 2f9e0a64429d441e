package review

import (
	"net/netip"
	"slices"

	"assay/cause"
	"assay/evidence"
	"assay/internal/page"
)

// fileRegionRules name the reason why the file is seen from one place and not
// from another: a CDN whose edges differ, or somebody who shuts regions out.
var fileRegionRules = []rule{
	{causes: []cause.ID{cause.FileCDNEdgeMissing, cause.FileBlockedByRegion}, needs: needLook | needNames, run: eachVisit(visitDiffers)},
}

// aspect is what became of a visit somewhere.
type aspect int

const (
	viewNone  aspect = iota // nothing that could be compared
	viewGood                // the file
	viewEdge                // an edge of a CDN answers, without the file
	viewShut                // nobody lets it in
	viewOther               // it fails otherwise
)

// An outlook is a visit as it is seen from somewhere: from a place, or by an
// address that the DNS gives to clients of a network elsewhere (RFC 7871).
type outlook struct {
	label, region string
	view          aspect
	// edge tells edges apart, cdn is whose they are.
	edge, cdn string
	address   string
	problem   string
	status    int
	https     bool
	o         *evidence.Observation
	place     *evidence.Perspective
}

// visitDiffers compares places, and where there is only one, networks.
func visitDiffers(f *facts, s *sink, v *visit) {
	var views []outlook
	for i := range f.places {
		views = append(views, f.outlookOf(v, &f.places[i]))
	}
	views = append(views, f.subnetOutlooks(v, &views[0])...)
	var good, away []string
	edges := map[string]bool{}
	for i := range views {
		switch x := &views[i]; x.view {
		case viewGood:
			good = append(good, x.label)
			edges[x.address+" "+x.edge] = true
		case viewNone:
			away = append(away, x.label)
		}
	}
	if len(good) == 0 {
		return
	}
	for i := range views {
		// A page of denial from an edge that gives the file to others denies.
		if x := &views[i]; x.view == viewEdge && edges[x.address+" "+x.edge] {
			x.view = viewOther
			if x.status == 403 || x.status == 451 {
				x.view, x.problem = viewShut, "status"
			}
		}
	}
	conditions := f.allowance(good, away...)
	if len(f.places) == 1 && views[0].view == viewGood {
		conditions = []string{"allowed"} // networks are no perspectives: nobody's quorum misses them
	}
	f.edgesLack(s, v, views, good, conditions)
	f.shutOut(s, v, views, good, conditions)
}

// edgesLack: some edges of a CDN give the file, others answer without it.
func (f *facts) edgesLack(s *sink, v *visit, views []outlook, good, conditions []string) {
	bad := only(views, viewEdge)
	if len(bad) == 0 {
		return
	}
	var edges []string
	for _, x := range bad {
		edges = append(edges, x.label+": "+clipped(visible(x.edge)))
	}
	d := s.addVisit(cause.FileCDNEdgeMissing, v, conditions...).with("url", v.url(bad[0].https)).with("cdn", bad[0].cdn).
		with("good", shown(good)).with("bad", labels(bad)).with("edges", shown(edges))
	d.outlooks(bad...).outlooks(only(views, viewGood)...)
}

// shutOut: some places get no answer or a denial, others the file.
func (f *facts) shutOut(s *sink, v *visit, views []outlook, good, conditions []string) {
	bad := only(views, viewShut)
	if len(bad) == 0 {
		return
	}
	d := s.addVisit(cause.FileBlockedByRegion, v, conditions...).with("url", v.url(bad[0].https)).
		with("good", shown(good)).with("bad", labels(bad)).with("problem", bad[0].problem)
	if bad[0].problem == "status" {
		d.with("status", bad[0].status)
	}
	d.outlooks(bad...).outlooks(only(views, viewGood)...)
	d.reproduce(curl(v.url(bad[0].https), bad[0].address))
}

// outlooks adds the evidence of outlooks, and commands that fetch at each edge.
func (d *draft) outlooks(list ...*outlook) *draft {
	for _, x := range list {
		d.fetched(x.place, x.o)
		if d != nil && x.view == viewEdge && x.address != "" && len(d.Reproduce) < maxReproduce {
			d.reproduce(curl(d.Parameters["url"].(string), x.address))
		}
	}
	return d
}

func only(views []outlook, kind aspect) []*outlook {
	var list []*outlook
	for i := range views {
		if views[i].view == kind {
			list = append(list, &views[i])
		}
	}
	return list
}

func labels(list []*outlook) []string {
	var names []string
	for _, x := range list {
		names = append(names, x.label)
	}
	return shown(names)
}

// outlookOf is a visit as a place sees it.
func (f *facts) outlookOf(v *visit, place *evidence.Perspective) outlook {
	g, w := f, v
	if place.ID != f.primary().ID {
		g = f.from(place)
		i := slices.IndexFunc(g.visits(), func(o *visit) bool { return o.about == v.about })
		if i < 0 {
			return outlook{label: place.ID, place: place}
		}
		w = g.visits()[i]
	}
	c := g.scheme(w, false)
	if w.bothSchemes() {
		https := g.scheme(w, true)
		switch says := g.decided(w); {
		case says == proven && c.standing != proven,
			says == unproven && c.standing == proven,
			says == unproven && c.closed() && https.standing == unproven && !https.closed():
			c = https
		}
	}
	x := g.glance(w, c.chosen, c)
	x.label, x.region, x.place, x.o, x.https = place.ID, place.Region, g.primary(), c.o, c.https
	switch g.decided(w) {
	case proven:
		x.view = viewGood
	case unproven:
	default:
		x.view = viewNone
	}
	return x
}

// glance says what a fetch is among others.
func (f *facts) glance(v *visit, r *reading, c *scheme) outlook {
	var x outlook
	if r == nil || r.last() == nil {
		return x
	}
	h := r.last()
	edge, _ := page.ReadEdge(h)
	x.address, x.status, x.cdn, x.edge = ipOf(h), h.Status, edge.CDN, edge.ID
	switch r.outcome {
	case fetchUnknown, fetchGuarded:
	case fetchFile:
		x.view = viewGood
	case fetchDial:
		x.view, x.problem = viewShut, connectWord(r.dial.Error)
		if x.problem == "unreachable" {
			x.problem = "refused"
		}
		if r.dial.Error == "no-address" {
			x.view = viewOther
		}
	case fetchTLS, fetchBroken:
		x.view = viewOther
		if h.Error == evidence.ErrorReset || h.Error == evidence.ErrorTimeout {
			x.view, x.problem = viewShut, h.Error
		}
	case fetchStatus, fetchContent:
		f.lookAnswer(v, c, r, &edge, &x)
	default:
		x.view = viewOther
	}
	return x
}

// lookAnswer tells an edge that lacks the file from one whose cache is old, and a
// denial from another answer.
func (f *facts) lookAnswer(v *visit, c *scheme, r *reading, edge *page.Edge, x *outlook) {
	x.view = viewOther
	h := r.last()
	if p := page.Read(h); p.Is(page.Filing, page.Challenge, page.Cookie) {
		return
	}
	switch {
	case edge.Stale() && c != nil && f.again(v, c, evidence.HTTPQuestion{RandomQuery: true, Attempts: variedAttempts}).all():
	case edge.CDN != "" || edge.ID != "":
		x.view = viewEdge
	case h.Status == 403 || h.Status == 451:
		x.view, x.problem = viewShut, "status"
	}
}

// subnetOutlooks are the visit at addresses that the DNS gives to clients of
// other networks only. They are asked for where no other place looks.
func (f *facts) subnetOutlooks(v *visit, here *outlook) []outlook {
	if _, notIP := netip.ParseAddr(v.base); !f.asksSubnets() || f.isPartner || notIP == nil {
		return nil
	}
	known := map[string]bool{}
	for i := range v.schemes {
		if c := v.schemes[i]; c != nil {
			for j := range c.readings {
				known[c.readings[j].fetch.Address] = true
			}
		}
	}
	var list []outlook
	other := func(subnet string) (address string) {
		z := f.resolve(f.primary(), evidence.DNSQuestion{Name: v.base, Type: "A", Subnet: subnet})
		public, _, _ := f.sortAddresses(z.records())
		if len(known) == 0 || len(public) == 0 || slices.ContainsFunc(public, func(a string) bool { return known[a] }) {
			return "" // the same as here, or nobody knows yet what is seen from here
		}
		return public[0]
	}
	for _, subnet := range f.askedSubnets(func(subnet string) bool { return other(subnet) != "" }) {
		address := other(subnet)
		if address == "" {
			continue
		}
		o := f.fetch(f.primary(), evidence.HTTPQuestion{URL: v.url(here.https), Address: address})
		if o == nil || o.HTTP == nil || len(o.HTTP.Fetches) == 0 {
			continue
		}
		r := f.read(v, &o.HTTP.Fetches[0], 0)
		x := f.glance(v, &r, nil)
		x.label, x.o, x.place, x.https = subnet, o, f.primary(), here.https
		list = append(list, x)
	}
	return list
}

// asksSubnets reports whether servers are asked on behalf of clients of other
// networks: where there is one place, which asks them itself.
func (f *facts) asksSubnets() bool {
	return len(f.places) == 1 && f.primary().Resolver == "" && !f.primary().Remote
}
