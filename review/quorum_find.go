package review

import (
	"slices"

	"assay/cause"
	"assay/evidence"
)

// quorum says what the comparisons come to.
func quorum(f *facts, s *sink) {
	for _, c := range f.comparisons() {
		if f.wanted != nil && c.pending() {
			continue
		}
		switch result := f.tally(c); {
		case c.here.says == proven && c.shared():
		case c.here.says == proven && result == missed:
			f.quorumNotMet(s, c)
		case c.here.says == proven && result == met && len(c.differ) > 0:
			f.resultsDiffer(s, c)
		case c.here.says == unproven && !c.here.partly && !s.inside(c):
			f.primaryFailed(s, c, result)
		}
	}
	f.placesAway(s)
}

// inside reports whether the primary place was found to be inside the network of
// the name: then it cannot tell.
func (s *sink) inside(c *comparison) bool {
	return c.check == checkValidation && slices.ContainsFunc(s.drafts, func(d *draft) bool {
		return d.Cause == cause.PerspectiveInsideTarget && d.Subject == c.subject
	})
}

// compared starts a finding about a comparison. Before a missed quorum stops
// issuance it only warns.
func (s *sink) compared(id cause.ID, c *comparison) *draft {
	level := s.facts.level(id)
	if id == cause.PerspectiveQuorumNotMet && level.Blocks() && !s.facts.quorumBlocks() {
		level = cause.Warn
	}
	if level == cause.Pass {
		return nil
	}
	return s.addAt(level, id, c.subject).concerning(c.subject+"\x00"+c.check).with("name", c.subject).with("check", c.check).
		with("passing", placesOf(c.agree)).with("matched", len(c.agree)).with("total", c.total())
}

func (f *facts) quorumNotMet(s *sink, c *comparison) {
	allowed := missesAllowed(c.total())
	d := s.compared(cause.PerspectiveQuorumNotMet, c).with("perspectives", placesOf(c.differ)).
		with("results", f.results(c)).with("misses", len(c.differ)).with("allowed", allowed).votes(c.differ...)
	if len(c.differ) > allowed {
		d.with("problem", "misses")
		return
	}
	regions := regionsOf(slices.Concat(c.agree, c.away))
	if len(regions) == 0 {
		regions = []string{"–"}
	}
	d.with("problem", "regions").with("regions", regions).with("required_regions", f.regionsMin())
}

func (f *facts) resultsDiffer(s *sink, c *comparison) {
	s.compared(cause.PerspectiveResultsDiffer, c).with("perspectives", placesOf(c.differ)).with("results", f.results(c)).
		with("misses", len(c.differ)).with("allowed", missesAllowed(c.total())).votes(c.differ...)
}

// primaryFailed: the primary place alone does not see it. What was found there
// is then a consequence of where it is, and shown as such. Where the others do
// not agree enough to say that, what the primary place sees stands, and is found
// by looking from there alone where no rule that compares places said it.
func (f *facts) primaryFailed(s *sink, c *comparison, result tally) {
	if result != met {
		if !slices.ContainsFunc(s.drafts, c.own) {
			for _, d := range f.rowsAt(f.primary(), c.check).drafts {
				if c.own(d) {
					s.drafts = append(s.drafts, d)
				}
			}
		}
		return
	}
	var causes []string
	for _, row := range f.rowsAt(f.primary(), c.check).finish() {
		if row.Subject == c.subject && row.ExplainedBy == "" && row.Level.Blocks() && !contains(causes, string(row.Cause)) {
			causes = append(causes, string(row.Cause))
		}
	}
	d := s.compared(cause.PerspectivePrimaryFailed, c)
	if d == nil {
		return
	}
	d.with("perspective", f.primary().ID).votes(c.here)
	for _, own := range s.drafts {
		if !d.Level.Blocks() || !c.own(own) || compares(own.Cause) {
			continue
		}
		own.gone = true
		if !contains(causes, string(own.Cause)) {
			causes = append(causes, string(own.Cause))
		}
		d.reproduce(own.Reproduce...)
		for _, id := range own.Evidence {
			if !contains(d.Evidence, id) {
				d.Evidence = append(d.Evidence, id)
			}
		}
	}
	d.with("causes", causes).votes(c.agree...)
}

// own reports whether a finding says that the check fails at the primary place.
func (c *comparison) own(d *draft) bool {
	return !d.gone && d.Level.Blocks() && d.Subject == c.subject && d.Stage != "perspective" && c.concerns(d.Cause, d.about)
}

// concerns reports whether a cause is one of the check.
func (c *comparison) concerns(id cause.ID, about string) bool {
	caa := id.Stage() == "caa" || about == c.subject+"\x00caa"
	return networkStage(id.Stage()) && caa == (c.check == checkCAA)
}

// compares reports whether a cause names the reason why places differ.
func compares(id cause.ID) bool {
	return slices.Contains([]cause.ID{
		cause.DNSDiffersByRegion, cause.DNSBlockedByRegion, cause.FileCDNEdgeMissing, cause.FileBlockedByRegion,
	}, id)
}

// results are a line for each place that differs: what is wrong there.
func (f *facts) results(c *comparison) []string {
	var rows []string
	for _, v := range c.differ {
		row := v.place.ID
		for _, found := range f.rowsAt(v.place, c.check).finish() {
			if found.Subject == c.subject && found.ExplainedBy == "" {
				row += ": " + string(found.Cause)
				break
			}
		}
		rows = append(rows, row)
	}
	return rows
}

// rowsAt are the findings of a place as if it were the only one: what explains
// is asked there too.
func (f *facts) rowsAt(place *evidence.Perspective, check string) *sink {
	key := place.ID + " " + check
	if s := f.rows[key]; s != nil {
		return s
	}
	g := f.from(place)
	s := &sink{facts: g}
	for i := range f.rules {
		r := &f.rules[i]
		if r.needs&needLook == 0 || r.caa != (check == checkCAA) || r.perspective() || !g.raisable(r) {
			continue
		}
		if what, applies := g.unmet(r); applies && what == "" {
			r.run(g, s)
		}
	}
	if f.rows == nil {
		f.rows = map[string]*sink{}
	}
	f.rows[key] = s
	return s
}

// perspective reports whether a rule is about the places themselves only.
func (r *rule) perspective() bool {
	return !slices.ContainsFunc(r.causes, func(id cause.ID) bool { return id.Stage() != "perspective" })
}

// placesAway: remote places that could not look, each once. They count as
// misses; where the outcome does not depend on them, that is the condition
// quorum.
func (f *facts) placesAway(s *sink) {
	for i := range f.places {
		place := &f.places[i]
		var first *vote
		subject, decides := "", false
		for _, c := range f.comparisons() {
			j := slices.IndexFunc(c.away, func(v vote) bool { return v.place.ID == place.ID })
			if i == 0 || j < 0 || f.wanted != nil && c.pending() {
				continue
			}
			if first == nil || first.problem == "self-test-failed" {
				first, subject = &c.away[j], c.subject
			}
			decides = decides || c.here.says != unproven && f.tally(c) == open
		}
		if first == nil {
			continue
		}
		var conditions []string
		if !decides || !f.quorumBlocks() {
			conditions = []string{"quorum"}
		}
		s.add(cause.PerspectiveUnavailable, place.ID, conditions...).with("perspective", place.ID).
			with("problem", first.problem).with("error", shorten(first.detail)).with("name", subject).votes(*first)
	}
}

func placesOf(votes []vote) []string {
	var ids []string
	for _, v := range votes {
		ids = append(ids, v.place.ID)
	}
	return ids
}

// votes adds what places saw as evidence.
func (d *draft) votes(votes ...vote) *draft {
	for _, v := range votes {
		for _, o := range v.seen {
			d.seenBy(&sight{place: v.place, o: o})
		}
	}
	return d
}
