package review

import (
	"net/netip"
	"slices"
	"strings"

	"assay/cause"
	"assay/evidence"
	"assay/order"
)

// impliedRules: an order by file for a registrable domain also covers its www
// name, one for a www name the name without it (catalogue B13). Each has to be
// validated by itself.
var impliedRules = []rule{
	{causes: []cause.ID{cause.FileImpliedNameFails}, needs: needLook | needNames, run: eachVisit(impliedNameFails)},
}

const www = "www."

// partnerOf is the name that comes with one, and why; "" where none does.
func (f *facts) partnerOf(v *visit) (partner, rule string) {
	if _, notIP := netip.ParseAddr(v.base); notIP == nil || !f.profile.File.ImpliedNames || v.method == order.MethodHTTP01 || f.Data.Suffix(v.base, true).Registrable == "" {
		return "", ""
	}
	if bare, ok := strings.CutPrefix(v.base, www); ok {
		partner, rule = bare, "bare-added"
	} else if v.base == v.domain {
		partner, rule = www+v.base, "www-added"
	}
	if partner == "" || f.Data.Suffix(partner, true).Registrable == "" ||
		slices.ContainsFunc(f.names, func(n nameFact) bool { return n.Clean == partner }) {
		return "", ""
	}
	return partner, rule
}

// partner are the facts of an order for the partner alone: the same file, the
// same CAA, and no further partner. Nil where the name has none.
func (f *facts) partner(v *visit) *facts {
	if f.isPartner {
		return nil
	}
	name, _ := f.partnerOf(v)
	if name == "" {
		return nil
	}
	if g := f.partners[v.about]; g != nil {
		g.wanted = f.wanted
		return g
	}
	o := *f.Order
	o.Names, o.CSR, o.Method = []string{name}, "", v.method
	o.Challenges = []order.Challenge{{Name: name, Method: v.method, URL: v.partnerURL(name), Value: v.file}}
	g := *f
	g.Case, g.liveFacts, g.isPartner, g.places = Prepare(&o, f.Data), liveFacts{}, true, f.places[:1]
	if f.partners == nil {
		f.partners = map[string]*facts{}
	}
	f.partners[v.about] = &g
	return &g
}

func (v *visit) partnerURL(name string) string { return "http://" + name + v.place }

// impliedNameFails: the name passes and its partner does not. What the partner
// fails is found by the rules themselves.
func impliedNameFails(f *facts, s *sink, v *visit) {
	g := f.partner(v)
	if g == nil {
		return
	}
	sub := &sink{facts: g}
	for i := range g.rules {
		r := &g.rules[i]
		if r.needs&needLook == 0 || !g.raisable(r) {
			continue
		}
		if what, applies := g.unmet(r); applies && what == "" {
			r.run(g, sub)
		}
	}
	if f.decided(v) != proven {
		return
	}
	findings := sub.finish()
	if len(g.visits()) == 0 {
		return // a name that cannot exist, which nothing can be asked of
	}
	name, rule := f.partnerOf(v)
	for i := range findings {
		fd := &findings[i]
		switch {
		case !fd.Level.Blocks():
		case fd.Level == cause.Unknown:
			if fd.Cause == cause.PerspectiveUnavailable {
				f.unavailable(s, cause.FormatValue(fd.Parameters["problem"], cause.English), cause.FormatValue(fd.Parameters["error"], cause.English))
			}
			return
		default:
			d := s.addVisit(cause.FileImpliedNameFails, v).with("name", v.subject).with("partner", name).
				with("url", g.visits()[0].url(false)).with("rule", rule).with("cause", string(fd.Cause)).reproduce(fd.Reproduce...)
			if d != nil {
				d.Evidence, d.Perspectives = fd.Evidence, fd.Perspectives
			}
			return
		}
	}
}

// impliedProofs are those of the partners: they have to be seen like the names
// themselves.
func (f *facts) impliedProofs() []proof {
	var list []proof
	for _, v := range f.visits() {
		g := f.partner(v)
		if g == nil {
			continue
		}
		for _, w := range g.visits() {
			list = append(list, proof{
				subject: v.subject, standing: func() standing { return g.decided(w) },
				seen: func() []*evidence.Observation { return g.seenOf(w) },
			})
		}
	}
	return list
}
