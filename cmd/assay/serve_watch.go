package main

import (
	"bytes"
	"context"
	"crypto/x509"
	"fmt"
	"time"

	"assay/evidence"
	"assay/internal/deploy"
	"assay/internal/store"
	"assay/perspective"
	"assay/profile"
	"assay/review"
)

// watchTime is how long one look at where a certificate is used may take: well
// within the lease of that work.
const watchTime = time.Minute

// watchInUse looks, for the service, at where certificates are used: from every place,
// judged by the certificate's own profile, or by standard where it has none.
func (a *app) watchInUse(places []perspective.Place, named func(string) (*profile.Profile, error), standard string) func(context.Context, *store.Certificate, string) ([]review.Finding, error) {
	return func(ctx context.Context, c *store.Certificate, newer string) ([]review.Finding, error) {
		name := c.Profile
		if name == "" {
			name = standard
		}
		p, err := named(name)
		if err != nil {
			return nil, fmt.Errorf("looking at certificate %s in use: %w", c.ID, err)
		}
		d, err := deployment(c)
		if err != nil {
			return nil, fmt.Errorf("looking at certificate %s in use: %w", c.ID, err)
		}
		d.Newer = newer
		w := deploy.Watcher{Places: places, Profile: p, Now: a.now, Time: watchTime}
		r, err := w.Watch(ctx, d)
		if err != nil {
			return nil, err
		}
		return r.Findings, nil
	}
}

// deployment is what is looked for of a certificate that is stored.
func deployment(c *store.Certificate) (*evidence.Deployment, error) {
	leaf, err := x509.ParseCertificate(c.DER)
	if err != nil {
		return nil, err
	}
	above, err := x509.ParseCertificates(c.Chain)
	if err != nil {
		return nil, err
	}
	d := &evidence.Deployment{Leaf: leaf.Raw, Names: leaf.DNSNames}
	for _, ip := range leaf.IPAddresses {
		d.Names = append(d.Names, ip.String())
	}
	for _, a := range above {
		if bytes.Equal(a.RawSubject, a.RawIssuer) {
			d.Root = a.Raw // of one that was uploaded: no server has to send it
			continue
		}
		d.Chain = append(d.Chain, a.Raw)
	}
	return d, nil
}
