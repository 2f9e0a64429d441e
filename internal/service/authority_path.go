package service

import (
	"bytes"
	"crypto/x509"
	"fmt"
	"time"

	"assay/internal/issuer/private"
	"assay/internal/store"
)

// A family are the CAs that are stored, by id.
type family struct {
	rows  map[string]*store.Authority
	certs map[string]*x509.Certificate
}

func familyOf(all []store.Authority) (*family, error) {
	f := &family{rows: map[string]*store.Authority{}, certs: map[string]*x509.Certificate{}}
	for i := range all {
		a := &all[i]
		c, err := x509.ParseCertificate(a.DER)
		if err != nil {
			return nil, fmt.Errorf("the CA %s: %w", a.ID, err)
		}
		f.rows[a.ID], f.certs[a.ID] = a, c
	}
	return f, nil
}

// hierarchy is the certificate of a CA and what is above it here.
func (f *family) hierarchy(id string) private.Hierarchy {
	h := private.Hierarchy{Issuing: f.certs[id], Root: f.certs[id]}
	for at := f.rows[id].Parent; f.rows[at] != nil; at = f.rows[at].Parent {
		if h.Root != h.Issuing {
			h.Intermediates = append(h.Intermediates, h.Root)
		}
		h.Root = f.certs[at]
	}
	return h
}

// below is the hierarchy of a CA whose certificate one of these has signed.
func (f *family) below(id string, c *x509.Certificate) private.Hierarchy {
	h := f.hierarchy(id)
	if h.Issuing != h.Root {
		h.Intermediates = append([]*x509.Certificate{h.Issuing}, h.Intermediates...)
	}
	h.Issuing = c
	return h
}

// kind is that of a view: a CA whose certificate another one signed is no root, and is
// stored as one where it was imported above an issuing one.
func (f *family) kind(id string) string {
	if f.rows[id].Kind == store.AuthorityRoot && !selfIssued(f.certs[id]) {
		return "intermediate"
	}
	return f.rows[id].Kind
}

// state is that of a view: a CA is in use no more where it, or one above it, has ended.
func (f *family) state(id string, now time.Time) string {
	a := f.rows[id]
	if _, until := f.hierarchy(id).InForce(); a.State == store.AuthorityActive && now.After(until) {
		return "ended"
	}
	return a.State
}

// roots are the certificates that nobody else's is above.
func (f *family) roots() (roots []*x509.Certificate) {
	for _, c := range f.certs {
		if selfIssued(c) {
			roots = append(roots, c)
		}
	}
	return roots
}

// same are the ids of those that have a certificate.
func (f *family) same(c *x509.Certificate) (ids []string) {
	for id, own := range f.certs {
		if own.Equal(c) {
			ids = append(ids, id)
		}
	}
	return ids
}

func selfIssued(c *x509.Certificate) bool { return bytes.Equal(c.RawIssuer, c.RawSubject) }
