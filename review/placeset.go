package review

import (
	"fmt"
	"slices"
	"time"

	"assay/cause"
	"assay/evidence"
	"assay/profile"
)

// placeRules are about the places as a set: whether there are as many, as far
// apart, as is prescribed at this time (BR 3.2.2.9).
var placeRules = []rule{
	{causes: []cause.ID{cause.PerspectiveSetNotConformant}, needs: needLook, run: setNotConformant},
}

// leastDistance is how far apart two places must be at least, in kilometres.
const leastDistance = 500

// A placeSet is what a set of places lacks.
type placeSet struct {
	// required is the least number of remote places; 0: none is asked for, and
	// nothing else is looked at. since is when that came into force.
	required int
	since    time.Time
	remotes  int
	// counted are the remote places that can be told to be far enough from the
	// primary one and from one another.
	counted int
	// regions are those of the remote places, regionsMin how many there must be.
	regions    []string
	regionsMin int
	// near are pairs that are too near, unplaced the places whose location is not
	// known, resolvers those that two places share.
	near, unplaced, resolvers []string
}

func (f *facts) placeSet() placeSet {
	p := placeSet{remotes: len(f.places) - 1}
	required, row, _ := f.on(profile.RemotesMin)
	if p.required = required; required == 0 {
		return p
	}
	p.since, p.regionsMin = row.From, f.regionsMin()
	used := map[string]string{}
	var apart []*evidence.Perspective
	for i := range f.places {
		place := &f.places[i]
		if i > 0 && place.Region != "" && !slices.Contains(p.regions, place.Region) {
			p.regions = append(p.regions, place.Region)
		}
		if other := used[place.Resolver]; other != "" {
			p.resolvers = append(p.resolvers, other+", "+place.ID+" ("+place.Resolver+")")
		} else if place.Resolver != "" {
			used[place.Resolver] = place.ID
		}
		if place.Location == nil {
			p.unplaced = append(p.unplaced, place.ID)
			continue
		}
		for j := range i {
			if other := &f.places[j]; other.Location != nil && place.Location.Distance(*other.Location) < leastDistance {
				p.near = append(p.near, fmt.Sprintf("%s – %s (%.0f km)", other.ID, place.ID, place.Location.Distance(*other.Location)))
			}
		}
		if !slices.ContainsFunc(apart, func(o *evidence.Perspective) bool { return place.Location.Distance(*o.Location) < leastDistance }) {
			apart = append(apart, place)
		}
	}
	slices.Sort(p.regions)
	if f.places[0].Location != nil { // else no distance to it is known
		p.counted = len(apart) - 1
	}
	return p
}

// defects are words of the texts for what the set lacks.
func (p *placeSet) defects() []string {
	var words []string
	if p.required == 0 {
		return nil
	}
	for _, d := range []struct {
		word string
		is   bool
	}{
		{"too-few", p.remotes < p.required},
		{"too-near", len(p.near) > 0},
		{"not-placed", len(p.unplaced) > 0},
		{"too-few-regions", p.remotes > 0 && len(p.regions) < p.regionsMin},
		{"resolver-shared", len(p.resolvers) > 0},
	} {
		if d.is {
			words = append(words, d.word)
		}
	}
	return words
}

// stamp is what evidence from this set is marked with (catalogue B23).
func (p *placeSet) stamp() string {
	switch {
	case p.required == 0:
		return StampNotRequired
	case len(p.defects()) == 0:
		return StampConformant
	}
	return fmt.Sprintf("lab (%d of %d)", min(p.counted, p.required), p.required)
}

// The marks of [Report.MPIC], besides "lab (n of m)".
const (
	StampConformant  = "conformant"
	StampNotRequired = "not required"
)

// mpic is the mark of the report; none where nobody looked.
func (f *facts) mpic() string {
	if f.scope != ScopeNetwork || len(f.places) == 0 {
		return ""
	}
	p := f.placeSet()
	return p.stamp()
}

// setNotConformant: the places are too few, too near one another, or alike. Of a
// look from one place before anything is sent only the mark says so: there the
// operator has set up no set that could be wrong.
func setNotConformant(f *facts, s *sink) {
	p := f.placeSet()
	defects := p.defects()
	if len(defects) == 0 || f.mode == Precheck && p.remotes == 0 {
		return
	}
	var conditions []string
	if f.mode == Precheck {
		conditions = []string{"precheck"}
	}
	regions := p.regions
	if len(regions) == 0 {
		regions = []string{"–"}
	}
	s.add(cause.PerspectiveSetNotConformant, "perspectives", conditions...).with("defects", defects).
		with("remotes", p.remotes).with("required", p.required).with("regions", regions).
		with("required_regions", max(p.regionsMin, 1)).with("pairs", shown(p.near)).with("places", p.unplaced).
		with("resolvers", shown(p.resolvers)).with("since", p.since).with("stamp", p.stamp())
}
