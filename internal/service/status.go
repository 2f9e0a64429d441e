package service

import (
	"context"
	"errors"
	"fmt"
	"time"

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

// A ListView is one shard of a CA's list of revoked certificates.
type ListView struct {
	Issuer string `json:"issuer"`
	Shard  int64  `json:"shard"`
	// Number is of the list that was signed last; 0: none was.
	Number int64 `json:"number"`
	// Revoked counts what came into the shard, Published what of it the list has.
	Revoked    int64     `json:"revoked"`
	Published  int64     `json:"published"`
	ThisUpdate time.Time `json:"this_update"`
	NextUpdate time.Time `json:"next_update"`
}

// RevocationLists are the lists of all CAs of our own, at most 1,000 of each, for
// whoever has the database.
func (s *Service) RevocationLists(ctx context.Context) ([]ListView, error) {
	all, err := s.Store.Authorities(ctx)
	if err != nil {
		return nil, problemOf(err)
	}
	views := []ListView{}
	for i := range all {
		lists, err := s.Store.CRLs(ctx, all[i].ID, -1, 1000)
		if err != nil {
			return nil, problemOf(err)
		}
		for _, c := range lists {
			views = append(views, ListView{
				Issuer: c.Issuer, Shard: c.Shard, Number: c.Number, Revoked: c.Changes, Published: c.Published, ThisUpdate: c.ThisUpdate, NextUpdate: c.NextUpdate,
			})
		}
	}
	return views, nil
}
