package certfile

import (
	"cmp"
	"crypto/x509"
	"errors"
	"slices"
	"time"

	"assay/evidence"
)

// mostSteps bounds how many certificates are looked for issuers of, so that certificates
// that issue each other in every way are not followed in every way.
const mostSteps = 64

// A climb looks for the way from a certificate up to a root.
type climb struct {
	offered, known []*x509.Certificate
	now            time.Time
	left           int
}

// from is the first way that clients accept, as far as can be known; where there is none
// that of the issuers that come first.
func (c *climb) from(leaf *x509.Certificate) []*x509.Certificate {
	if selfIssued(leaf) {
		return nil
	}
	way, _ := c.up([]*x509.Certificate{leaf})
	return way[1:]
}

// up goes on from the last of a way.
func (c *climb) up(way []*x509.Certificate) (whole []*x509.Certificate, sound bool) {
	at := way[len(way)-1]
	var issuers []*x509.Certificate
	if c.left--; !selfIssued(at) && len(way) <= MaxCertificates+1 {
		issuers = c.issuers(at, way)
	}
	if len(issuers) == 0 {
		return way, c.sound(way)
	}
	for i, by := range issuers {
		if i > 0 && c.left <= 0 {
			break
		}
		w, ok := c.up(append(slices.Clone(way), by))
		if ok {
			return w, true
		}
		if i == 0 {
			whole = w
		}
	}
	return whole, false
}

// issuers are those that may have issued a certificate and are not on the way yet. Those
// that may do so now come first, then those that were given, then roots.
func (c *climb) issuers(at *x509.Certificate, way []*x509.Certificate) []*x509.Certificate {
	var list []*x509.Certificate
	rank := map[*x509.Certificate]int{}
	for i, by := range slices.Concat(c.offered, c.known) {
		if slices.ContainsFunc(way, by.Equal) || slices.ContainsFunc(list, by.Equal) || !issuedBy(at, by) {
			continue
		}
		if c.inTime(by) && mayIssue(by) {
			rank[by] += 4
		}
		if i < len(c.offered) {
			rank[by] += 2
		}
		if selfIssued(by) {
			rank[by]++
		}
		list = append(list, by)
	}
	slices.SortStableFunc(list, func(a, b *x509.Certificate) int { return cmp.Compare(rank[b], rank[a]) })
	return list
}

func (c *climb) inTime(by *x509.Certificate) bool {
	return !c.now.Before(by.NotBefore) && !c.now.After(by.NotAfter)
}

func (c *climb) sound(way []*x509.Certificate) bool {
	for _, a := range above(way[0], way[1:]) {
		if a.Problem != "" {
			return false
		}
	}
	return !slices.ContainsFunc(way[1:], func(by *x509.Certificate) bool { return !c.inTime(by) })
}

// above are the facts of a way.
func above(leaf *x509.Certificate, way []*x509.Certificate) []evidence.AboveFact {
	var list []evidence.AboveFact
	issued, below, bad := leaf, 0, false
	for _, by := range way {
		a := evidence.AboveFact{Subject: subject(by), Issued: subject(issued), NotBefore: by.NotBefore.UTC(), NotAfter: by.NotAfter.UTC()}
		switch {
		case !mayIssue(by):
			a.Problem = "no-ca"
		case by.BasicConstraintsValid && (by.MaxPathLen > 0 || by.MaxPathLenZero) && below > by.MaxPathLen:
			a.Problem = "path-length"
		}
		bad = bad || a.Problem != ""
		if !selfIssued(by) {
			below++ // RFC 5280 4.2.1.9: self-issued ones do not count
		}
		issued = by
		list = append(list, a)
	}
	if i := nameless(leaf, way); i >= 0 && !bad {
		list[i].Problem = "names"
	}
	return list
}

// mayIssue reports whether a certificate is a CA's (RFC 5280 6.1.4 (k), (n)). A root of
// before version 3 could not say so.
func mayIssue(c *x509.Certificate) bool {
	if c.Version < 3 {
		return selfIssued(c)
	}
	return c.BasicConstraintsValid && c.IsCA && (c.KeyUsage == 0 || c.KeyUsage&x509.KeyUsageCertSign != 0)
}

// nameless is the place on a way of the certificate whose name constraints forbid a name
// of the leaf, -1 for none. Each is asked alone, as if it were the root, at a time at which
// everything below it is valid, which is judged elsewhere.
func nameless(leaf *x509.Certificate, way []*x509.Certificate) int {
	for i, by := range way {
		if !constrains(by) {
			continue
		}
		roots, between, at := x509.NewCertPool(), x509.NewCertPool(), leaf.NotBefore
		roots.AddCert(by)
		for _, c := range way[:i] {
			between.AddCert(c)
		}
		for _, c := range way[:i+1] {
			if c.NotBefore.After(at) {
				at = c.NotBefore
			}
		}
		_, err := leaf.Verify(x509.VerifyOptions{Roots: roots, Intermediates: between, CurrentTime: at, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}})
		var invalid x509.CertificateInvalidError
		if errors.As(err, &invalid) && invalid.Reason == x509.CANotAuthorizedForThisName {
			return i
		}
	}
	return -1
}

func constrains(c *x509.Certificate) bool {
	return len(c.PermittedDNSDomains)+len(c.ExcludedDNSDomains)+len(c.PermittedIPRanges)+len(c.ExcludedIPRanges) > 0
}
