package review

import (
	"slices"

	"assay/cause"
	"assay/order"
)

// readiness says for each method on offer whether validation could work for the
// names that have no value yet (catalogue B31). It is empty where every name has
// one.
func (f *facts) readiness(findings []Finding) []Readiness {
	if f.scope != ScopeNetwork || len(f.places) == 0 || !slices.ContainsFunc(f.targets(), (*target).ready) && len(f.readyVisits()) == 0 &&
		!slices.ContainsFunc(f.handshakes(), func(h *handshake) bool { return h.key == "" }) {
		return nil
	}
	methods := f.methodsUsed()
	if len(methods) == 0 {
		for i := range f.profile.Methods {
			if m := &f.profile.Methods[i]; !f.ended(m) && (isDNSMethod(m.Name) || isConnectMethod(m.Name)) && f.fitsAll(m.Name) {
				methods = append(methods, m.Name)
			}
		}
	}
	var list []Readiness
	for _, m := range methods {
		list = append(list, Readiness{Method: m, Verdict: f.readyBy(m, findings)})
	}
	return list
}

// fitsAll reports whether a method can validate every name of the order.
func (f *facts) fitsAll(m order.Method) bool {
	terms := methodOf(f.profile, m)
	return terms != nil && !slices.ContainsFunc(f.names, func(n nameFact) bool { return shapeRule(terms, &n) != "" })
}

// readyBy is the gravest of what stands in the way of a method.
func (f *facts) readyBy(m order.Method, findings []Finding) Verdict {
	var relevant []Finding
	for i := range findings {
		if fd := &findings[i]; f.concernsMethod(m, fd) {
			relevant = append(relevant, *fd)
		}
	}
	if isConnectMethod(m) {
		relevant = append(relevant, f.readyToConnect(m)...)
		for i := range findings {
			fd := findings[i]
			switch fd.Cause {
			case cause.DNSNoAddress, cause.DNSAddressChainBroken:
				fd.Level = f.level(fd.Cause)
				relevant = append(relevant, fd)
			case cause.DNSReservedAddress:
				if fd.Parameters["public_addresses"] == nil {
					fd.Level = f.level(fd.Cause)
					relevant = append(relevant, fd)
				}
			}
		}
	}
	for i := range f.names {
		n := &f.names[i]
		if n.same != i || !f.lookable(n) {
			continue
		}
		if c := f.caaOf(n); c.settled && c.found != nil && len(f.profile.CAA.Issuers) > 0 {
			if p := f.permission(c.records, n.Wildcard, m); !p.permitted && p.parameter != "" {
				relevant = append(relevant, Finding{Level: f.level(cause.CAAParameterMismatch)})
			}
		}
	}
	return verdictOf(relevant)
}

// concernsMethod reports whether a finding stands in the way of a method. What
// is about one record concerns the methods that look for it.
func (f *facts) concernsMethod(m order.Method, fd *Finding) bool {
	switch fd.Cause {
	case cause.DNSNoAddress, cause.DNSAddressChainBroken, cause.DNSReservedAddress:
		return false
	}
	if fd.Stage == "file" || fd.Stage == "tls" {
		return false // see readyToConnect
	}
	owner, _ := fd.Parameters["owner"].(string)
	if fd.Stage != "dns" || owner == "" {
		return true
	}
	for _, t := range f.targets() {
		if t.owner != owner {
			continue
		}
		if t.address {
			return isConnectMethod(m)
		}
		c := order.Challenge{}
		return isDNSMethod(m) && f.ownerOf(&c, t.base, m) == owner
	}
	return true
}

// verdict is the gravest level found; where there is nothing grave, but what
// decides was not looked at, it is unknown, never a pass.
func (f *facts) verdict(findings []Finding) Verdict {
	v := verdictOf(findings)
	if v == VerdictPass && f.undecided() {
		return VerdictUnknown
	}
	return v
}

// undecided reports whether something that decides about the order was not
// looked at, so that the absence of findings says nothing: a method without
// rules, a name without a value in an attempt, a value that was not seen.
func (f *facts) undecided() bool {
	if f.scope != ScopeNetwork {
		return false
	}
	methods := f.methodsUsed()
	if slices.ContainsFunc(methods, func(m order.Method) bool { return !isDNSMethod(m) && !isConnectMethod(m) }) {
		return true
	}
	if len(f.places) == 0 {
		return len(f.names) > 0
	}
	targets := f.targets()
	if slices.ContainsFunc(f.proofs(), func(p proof) bool { return p.standing() != proven }) || f.unjudged() {
		return true
	}
	if f.mode == Attempt && (slices.ContainsFunc(targets, (*target).ready) || f.uncovered()) {
		return true
	}
	// visits and targets are known by now, and so is what could not be made one
	return f.lost || f.valueless() || f.unready()
}

// uncovered reports whether a name has no value to be validated by.
func (f *facts) uncovered() bool {
	return slices.ContainsFunc(f.names, func(n nameFact) bool { return n.Clean != "" && !f.challenged(&n) })
}

// valueless reports whether a challenge of a method that connects has no value.
func (f *facts) valueless() bool {
	return slices.ContainsFunc(f.Order.Challenges, func(c order.Challenge) bool { return c.Value == "" && isConnectMethod(f.challengeMethod(&c)) })
}
