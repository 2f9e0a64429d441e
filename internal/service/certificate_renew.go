package service

import (
	"context"
	"time"

	"assay/csr"
	"assay/internal/store"
	"assay/order"
)

// A RenewalRequest says what is to differ of the order that replaces a
// certificate.
type RenewalRequest struct {
	// CSR is a new request; "": that of the certificate, where its profile lets a key
	// be used again.
	CSR string `json:"csr,omitempty"`
	// Names replace the names; none: the same. Only a reissue may change them.
	Names []string `json:"names,omitempty"`
}

// Renew orders a certificate anew; the answer is the order. Its names need no
// validation where theirs still counts.
func (s *Service) Renew(ctx context.Context, p Principal, id string, in RenewalRequest) (*View, error) {
	if len(in.Names) > 0 {
		return nil, &Problem{Kind: Invalid, Message: "certificate.renew-names"}
	}
	c, err := s.certificateOf(ctx, p, id, MayWriteCertificates)
	if err != nil {
		return nil, err
	}
	return s.renewal(ctx, p, c, &in)
}

// Reissue orders a certificate with another key or other names that ends when the
// one that it replaces would have.
func (s *Service) Reissue(ctx context.Context, p Principal, id string, in RenewalRequest) (*View, error) {
	c, err := s.certificateOf(ctx, p, id, MayWriteCertificates)
	if err != nil {
		return nil, err
	}
	return s.orderAgain(ctx, p, c, order.Reissue, in)
}

func (s *Service) renewal(ctx context.Context, p Principal, c *store.Certificate, in *RenewalRequest) (*View, error) {
	if in == nil {
		in = &RenewalRequest{}
	}
	return s.orderAgain(ctx, p, c, order.Renewal, *in)
}

// orderAgain submits an order like that of a certificate, which it is to replace.
func (s *Service) orderAgain(ctx context.Context, p Principal, c *store.Certificate, kind order.Kind, in RenewalRequest) (*View, error) {
	if err := allow(p, MayWriteOrders); err != nil {
		return nil, err
	}
	if c.Source != store.SourceIssued {
		return nil, &Problem{Kind: WrongState, Message: "certificate.renew-uploaded"}
	}
	if err := checkRevoked(c, kind); err != nil {
		return nil, err
	}
	if err := s.checkNewest(ctx, c, kind); err != nil {
		return nil, err // before its CSR or key is found wanting
	}
	if err := checkUnderWay(&c.CertificateRow, "", s.read(ctx)); err != nil {
		return nil, err
	}
	was, err := s.Store.Order(ctx, c.Tenant, c.ID)
	if err != nil {
		return nil, problemOf(err)
	}
	next := *was.Order
	next.ID, next.Tenant, next.Account, next.Challenges = "", "", c.Account, nil
	next.Kind, next.Replaces, next.Product, next.Method = kind, c.ID, c.Product, was.Method
	next.CSROrigin = "original"
	if v := next.Validity; v != nil && !v.NotAfter.IsZero() {
		next.Validity = nil // the dates were the old one's
	}
	if kind == order.Renewal && lastOf(next.ServiceUntil, &c.CertificateRow) {
		next.ServiceUntil = time.Time{} // the series is over, and its owner goes on
	}
	if in.CSR != "" {
		if len(in.CSR) > maxCSRText {
			return nil, &Problem{Kind: Invalid, Message: "certificate.csr"}
		}
		next.CSROrigin = ""
		next.CSR, _, _ = csr.Scrub(in.CSR)
	} else if next.CSR == "" {
		return nil, &Problem{Kind: WrongState, Message: "certificate.no-csr", Pairs: []any{"ID", c.ID}}
	}
	if len(in.Names) > 0 {
		next.Names, next.CommonName = in.Names, ""
	}
	next.SubmittedAt = time.Time{}
	return s.Apply(ctx, p, Application{Order: next, Profile: c.Profile})
}
