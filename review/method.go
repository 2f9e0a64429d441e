package review

import (
	"slices"
	"strings"

	"assay/cause"
	"assay/name"
	"assay/order"
	"assay/profile"
)

// methodNotAllowed looks at each method the order uses (offered, still in
// force), then at each name with the method that is to validate it.
func methodNotAllowed(f *facts, s *sink) {
	for _, m := range f.methodsUsed() {
		terms := methodOf(f.profile, m)
		switch {
		case terms == nil:
			s.add(cause.RequestMethodNotAllowed, "method").
				with("rule", "not-offered").with("method", string(m)).with("left", f.methodsLeft(nil))
		case f.ended(terms):
			s.add(cause.RequestMethodNotAllowed, "method").
				with("rule", "ended").with("method", string(m)).with("until", terms.Until).
				with("reference", terms.Reference).with("left", f.methodsLeft(nil))
		}
	}
	f.ownersMisplaced(s)
	f.filesMisplaced(s)
	challenges := f.challengesByBase()
	for i := range f.names {
		n := &f.names[i]
		if n.same != i || n.Clean == "" {
			continue
		}
		methods := challenges[n.Base]
		if len(methods) == 0 {
			covered, offered := coveredByParent(f.profile, challenges, n)
			if offered != nil && !covered {
				s.addName(cause.RequestMethodNotAllowed, n).
					with("rule", "parent").with("method", string(offered.method)).with("parent", offered.base).
					with("reference", methodOf(f.profile, offered.method).Reference).with("left", f.methodsLeft(n))
			}
			if !covered && offered == nil && f.Order.Method != "" {
				methods = []order.Method{f.Order.Method}
			}
		}
		for _, m := range methods {
			terms := methodOf(f.profile, m)
			if terms == nil {
				continue // said above
			}
			if rule := shapeRule(terms, n); rule != "" {
				s.addName(cause.RequestMethodNotAllowed, n).
					with("rule", rule).with("method", string(m)).with("reference", terms.Reference).
					with("left", f.methodsLeft(n))
			}
		}
	}
}

// ownersMisplaced: the owner name that a challenge gives must be the name, or one
// above it within its registrable domain, alone or after labels that begin with
// "_" (BR 3.2.2.4.7): a record elsewhere shows control of something else.
func (f *facts) ownersMisplaced(s *sink) {
	for i := range f.Order.Challenges {
		c := &f.Order.Challenges[i]
		method := c.Method
		if method == "" {
			method = f.Order.Method
		}
		n := f.nameOf(c.Name)
		if c.Owner == "" || !isDNSMethod(method) || n == nil || n.Base == "" || n.isIP() {
			continue
		}
		t := f.newTarget(n, method)
		if owner := f.ownerOf(c, n.Base, method); !ownerFits(owner, n.Base, t.domain) {
			s.add(cause.RequestMethodNotAllowed, t.subject).with("name", t.subject).
				with("rule", "owner").with("method", string(method)).with("owner", clipped(owner)).with("parent", t.domain)
		}
	}
}

// filesMisplaced: a file counts only at the place that its method says.
func (f *facts) filesMisplaced(s *sink) {
	for i := range f.Order.Challenges {
		c := &f.Order.Challenges[i]
		method := f.challengeMethod(c)
		n := f.ownName(c.Name)
		if n == nil || c.Value == "" || !isFileMethod(method) {
			continue
		}
		if _, rule := placeOf(c, method, n.Base); rule != "" {
			s.addName(cause.RequestMethodNotAllowed, n).
				with("rule", rule).with("method", string(method)).with("url", clipped(visible(c.URL)))
		}
	}
}

// methodsUsed are the order's methods, each once.
func (f *facts) methodsUsed() []order.Method {
	var used []order.Method
	if f.Order.Method != "" {
		used = append(used, f.Order.Method)
	}
	for _, c := range f.Order.Challenges {
		if c.Method != "" && !slices.Contains(used, c.Method) {
			used = append(used, c.Method)
		}
	}
	return used
}

// methodOf finds the profile's terms for a method; nil where it is not offered.
func methodOf(p *profile.Profile, m order.Method) *profile.Method {
	for i := range p.Methods {
		if p.Methods[i].Name == m {
			return &p.Methods[i]
		}
	}
	return nil
}

// ended: Until is the first day without the method.
func (f *facts) ended(m *profile.Method) bool {
	return !m.Until.IsZero() && !f.at.Before(m.Until)
}

// shapeRule says why a method cannot validate a name, "" where it can.
func shapeRule(m *profile.Method, n *nameFact) string {
	switch {
	case n.isIP() && !m.IP:
		return "ip"
	case n.isIP():
		return ""
	case n.Wildcard && !m.Wildcard:
		return "wildcard"
	case m.NoDNS:
		return "dns-name"
	}
	return ""
}

// methodsLeft are the methods in force that can validate the name; without one,
// all in force.
func (f *facts) methodsLeft(n *nameFact) []string {
	var left []string
	for i := range f.profile.Methods {
		if m := &f.profile.Methods[i]; !f.ended(m) && (n == nil || shapeRule(m, n) == "") {
			left = append(left, string(m.Name))
		}
	}
	return left
}

// challengesByBase are the methods of the order's challenges by the base of
// their names: the challenge of a wildcard is that of its base.
func (f *facts) challengesByBase() map[string][]order.Method {
	if len(f.Order.Challenges) == 0 {
		return nil
	}
	byBase := make(map[string][]order.Method, len(f.Order.Challenges))
	for _, c := range f.Order.Challenges {
		method := c.Method
		if method == "" {
			method = f.Order.Method
		}
		n := name.Parse(c.Name)
		if method != "" && !slices.Contains(byBase[n.Base], method) {
			byBase[n.Base] = append(byBase[n.Base], method)
		}
	}
	return byBase
}

// parentChallenge is a challenge for a name above the one looked at.
type parentChallenge struct {
	base   string
	method order.Method
}

// coveredByParent looks for challenges of the names above a name. DNS results
// cover what lies below (BR 3.2.2.4, by pruning); offered is the nearest whose
// method does not (BR 3.2.2.4.18 to .20).
func coveredByParent(p *profile.Profile, challenges map[string][]order.Method, n *nameFact) (covered bool, offered *parentChallenge) {
	if len(challenges) == 0 || n.isIP() {
		return false, nil
	}
	for base := n.Base; ; {
		_, above, ok := strings.Cut(base, ".")
		if !ok {
			return covered, offered
		}
		base = above
		for _, m := range challenges[base] {
			switch terms := methodOf(p, m); {
			case terms == nil:
			case terms.Parent:
				covered = true
			case offered == nil:
				offered = &parentChallenge{base, m}
			}
		}
	}
}
