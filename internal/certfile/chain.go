package certfile

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"slices"
	"time"
)

// complete orders the certificates given into the chain above the leaf, fills
// gaps from known ones and notes what was wrong.
//
// A chain is complete where the issuer of its last certificate is a root that
// was given or is known, or where it is unknown but the certificate is not the
// leaf: whether what issued it is a root can be known only by having it.
func (u *Upload) complete(pool []given, known []*x509.Certificate, now time.Time) {
	f := &u.Facts.Chain
	var offered []*x509.Certificate // in the order given
	for _, g := range pool {
		if !g.Equal(u.Leaf) && !slices.ContainsFunc(offered, g.Certificate.Equal) {
			offered = append(offered, g.Certificate)
			if !selfIssued(g.Certificate) {
				f.Given = append(f.Given, subject(g.Certificate))
			}
		}
	}
	var used []*x509.Certificate // of those offered
	at := u.Leaf
	way := (&climb{offered: offered, known: known, now: now, left: mostSteps}).from(u.Leaf)
	for _, next := range way {
		at = next
		if selfIssued(next) {
			u.Root = next
			break
		}
		u.Chain = append(u.Chain, next)
		if slices.ContainsFunc(offered, next.Equal) {
			used = append(used, next)
		} else {
			f.Added = append(f.Added, subject(next))
		}
	}
	u.Facts.Above = above(u.Leaf, way)
	f.Subject, f.Issuer = subject(at), issuerName(at)
	intermediates := slices.ContainsFunc(offered, func(c *x509.Certificate) bool { return !selfIssued(c) })
	switch {
	case selfIssued(u.Leaf):
	case at == u.Leaf && intermediates:
		f.Problem = "wrong"
	case at == u.Leaf:
		f.Problem = "missing"
	case len(f.Added) > 0 && len(used) == 0 && intermediates:
		f.Problem, f.Repaired = "wrong", true
	case len(f.Added) > 0:
		f.Problem, f.Repaired = "missing", true
	case !inOrder(offered, used):
		f.Problem, f.Repaired = "wrong-order", true
	}
	if f.Repaired {
		f.Subject, f.Issuer = subject(u.Leaf), issuerName(u.Leaf)
	}
}

// inOrder reports whether those used stood in the order in which they lead
// upwards.
func inOrder(offered, used []*x509.Certificate) bool {
	last := -1
	for _, c := range used {
		i := slices.Index(offered, c)
		if i < last {
			return false
		}
		last = i
	}
	return true
}

func hexDigest(raw []byte) string {
	sum := sha256.Sum256(raw)
	return hex.EncodeToString(sum[:])
}
