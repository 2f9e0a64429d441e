package service

import (
	"context"
	"errors"
	"fmt"

	"assay/internal/issuer"
	"assay/internal/issuer/private"
	"assay/internal/issuer/status"
	"assay/internal/store"
)

// A statusSource is what OCSP and lists are answered from: what is stored, and
// signed by the CAs of our own.
type statusSource struct{ s *Service }

// StatusSource is what package status serves.
func (s *Service) StatusSource() status.Source { return statusSource{s} }

// Status says what became of a serial number. Only what was stored is good: not
// what is being signed.
func (x statusSource) Status(ctx context.Context, ca, serial string) (status.Known, error) {
	known, err := x.s.Store.Serial(ctx, ca, serial)
	if err != nil {
		return status.Known{}, err
	}
	if !known.Known {
		return status.Known{}, status.ErrUnknown
	}
	return status.Known{Revoked: known.Revoked, Reason: issuer.Reason(known.Reason)}, nil
}

// Respond signs an OCSP response.
func (x statusSource) Respond(ctx context.Context, id string, r private.Status) ([]byte, error) {
	if ca := x.s.ownCA(id); ca != nil {
		return ca.SignOCSP(ctx, r)
	}
	return nil, &issuer.Unavailable{Problem: "key-offline", Err: fmt.Errorf("the key of the CA %s is not here", id)}
}

// List is a shard of a CA's list as it was last signed.
func (x statusSource) List(ctx context.Context, ca string, shard int64) (*status.List, error) {
	c, err := x.s.Store.CRL(ctx, ca, shard)
	if errors.Is(err, store.ErrNotFound) || err == nil && c.Number == 0 {
		return nil, status.ErrUnknown
	}
	if err != nil {
		return nil, err
	}
	return &status.List{DER: c.DER, ThisUpdate: c.ThisUpdate, NextUpdate: c.NextUpdate}, nil
}
