package private

import (
	"crypto/x509"
	"net"
	"net/netip"
	"slices"
	"strings"

	"assay/cause"
	"assay/internal/issuer"
)

// outside finds the names that a certificate above forbids (RFC 5280 4.2.1.10):
// a certificate for them would be signed and believed by nobody.
func (a *Authority) outside(names []string) []issuer.Problem {
	var problems []issuer.Problem
	for _, n := range names {
		for _, c := range a.bounds {
			if !within(c, n) {
				problems = append(problems, issuer.Problem{
					Cause: cause.RequestProductMismatch, Subject: n,
					Parameters: map[string]any{"name": n, "rule": "constraint"},
				})
				break
			}
		}
	}
	return problems
}

// permitted says for the operator what the name constraints permit.
func (a *Authority) permitted() string {
	var parts []string
	for _, c := range a.bounds {
		parts = append(parts, c.PermittedDNSDomains...)
		for _, r := range c.PermittedIPRanges {
			parts = append(parts, r.String())
		}
		for _, d := range c.ExcludedDNSDomains {
			parts = append(parts, "not "+d)
		}
		for _, r := range c.ExcludedIPRanges {
			parts = append(parts, "not "+r.String())
		}
	}
	slices.Sort(parts)
	return strings.Join(slices.Compact(parts), ", ")
}

// within reports whether the name constraints of one CA certificate let a name
// pass. Constraints of one kind say nothing of names of another.
func within(c *x509.Certificate, n string) bool {
	if ip, err := netip.ParseAddr(n); err == nil {
		in := func(r *net.IPNet) bool { return r.Contains(ip.Unmap().AsSlice()) }
		return !slices.ContainsFunc(c.ExcludedIPRanges, in) &&
			(len(c.PermittedIPRanges) == 0 || slices.ContainsFunc(c.PermittedIPRanges, in))
	}
	wild := strings.HasPrefix(n, "*.")
	n = strings.ToLower(strings.TrimPrefix(n, "*."))
	below := func(d string) bool { return beneath(n, d, wild) }
	// A wildcard also stands for names one label below its parent: one of them
	// being excluded is enough.
	excludes := func(d string) bool {
		_, parent, _ := strings.Cut(strings.TrimPrefix(strings.ToLower(d), "."), ".")
		return below(d) || (wild && parent == n)
	}
	return !slices.ContainsFunc(c.ExcludedDNSDomains, excludes) &&
		(len(c.PermittedDNSDomains) == 0 || slices.ContainsFunc(c.PermittedDNSDomains, below))
}

// beneath reports whether a name lies in a subtree: the domain itself or what is
// below it; with a leading dot only what is below it, which a wildcard of the
// domain is; the empty domain holds everything.
func beneath(name, domain string, wild bool) bool {
	domain = strings.ToLower(domain)
	if strict, found := strings.CutPrefix(domain, "."); found {
		return strings.HasSuffix(name, domain) || (wild && name == strict)
	}
	return domain == "" || name == domain || strings.HasSuffix(name, "."+domain)
}
