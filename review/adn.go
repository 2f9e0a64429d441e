package review

import (
	"assay/evidence"
)

// maxADNs bounds the authorization domain names that are tried for one name.
const maxADNs = 8

// followADN moves a target to the authorization domain name that a CNAME of the
// name leads to, where the record is there (BR 3.2.2.4: the method first, then
// CNAMEs, then pruning; never for a wildcard, never CNAME after pruning). A
// profile allows that or not; see [profile.DNS.ADNByCNAME].
func (f *facts) followADN(t *target) {
	terms := methodOf(f.profile, t.method)
	if !f.profile.DNS.ADNByCNAME || terms == nil || !terms.CNAME || t.wildcard || t.value == "" || t.address ||
		f.scope != ScopeNetwork || len(f.places) == 0 {
		return
	}
	z := f.here(t)
	label, ok := labelBefore(t.owner, t.base)
	if z.state == unseen || f.matched(t, z) || !ok {
		return
	}
	chain := f.resolve(f.primary(), evidence.DNSQuestion{Name: t.base, Type: "A"})
	if chain.state != answered {
		return
	}
	for _, adn := range f.pruned(chain.chain()[1:], terms.Parent) {
		moved := *t
		moved.owner, moved.base, moved.domain, moved.sights = label+adn, adn, f.domainOf(adn), nil
		if there := f.here(&moved); f.matched(&moved, there) {
			*t = moved
			return
		}
	}
}

// labelBefore is what stands before a name in an owner name, with its dot.
func labelBefore(owner, base string) (string, bool) {
	if !below(owner, base) {
		return "", false
	}
	return owner[:len(owner)-len(base)], true
}

// pruned are names, and those above each within its registrable domain.
func (f *facts) pruned(names []string, prune bool) []string {
	var list []string
	for _, n := range names {
		domain := f.domainOf(n)
		for adn := n; adn != "" && below(adn, domain) && len(list) < maxADNs; adn = parentOf(adn) {
			if !contains(list, adn) {
				list = append(list, adn)
			}
			if !prune {
				break
			}
		}
	}
	return list
}

// domainOf is the registrable domain of a name, the name itself where it has none.
func (f *facts) domainOf(n string) string {
	if r := f.Data.Suffix(n, true).Registrable; r != "" {
		return r
	}
	return n
}
