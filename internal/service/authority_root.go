package service

import (
	"bytes"
	"context"
	"crypto"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"time"

	"assay/internal/issuer"
	"assay/internal/issuer/private"
	"assay/internal/store"
)

// rootKey is the certificate of a root and its key, which is given as PEM or is here.
func (s *Service) rootKey(a *store.Authority, pem []byte, in AuthoritySettings) (*x509.Certificate, crypto.Signer, error) {
	cert, err := x509.ParseCertificate(a.DER)
	if err != nil {
		return nil, nil, fmt.Errorf("the CA %s: %w", a.ID, err)
	}
	var signer crypto.Signer
	if len(pem) > 0 {
		signer, err = private.ReadKey(pem)
	} else {
		signer, err = s.authorityKey(a, in)
	}
	if err == nil && signer == nil {
		return nil, nil, &Problem{Kind: WrongState, Message: "ca.no-root-key", Pairs: []any{"ID", a.ID}}
	}
	if err == nil {
		err = private.KeyFits(cert, signer)
	}
	if err != nil {
		return nil, nil, unusable(err)
	}
	return cert, signer, nil
}

// rootList is the list of a root as it was last signed. The lists of a CA that was made
// elsewhere are made there.
func (s *Service) rootList(ctx context.Context, root *store.Authority) (*store.CRL, error) {
	list, err := s.Store.CRL(ctx, root.ID, 0)
	if errors.Is(err, store.ErrNotFound) || root.Kind != store.AuthorityRoot {
		return nil, &Problem{Kind: WrongState, Message: "ca.no-list", Pairs: []any{"ID", root.ID}}
	}
	return list, problemOf(err)
}

// SignRootList signs the list of a root anew, with its key as PEM where that was taken
// away, and publishes it: for half a year.
func (s *Service) SignRootList(ctx context.Context, id string, key []byte, in AuthoritySettings) (*ListView, error) {
	root, err := s.authority(ctx, id)
	if err != nil {
		return nil, err
	}
	if _, err := s.rootList(ctx, root); err != nil {
		return nil, err
	}
	cert, signer, err := s.rootKey(root, key, in)
	if err != nil {
		return nil, err
	}
	return s.signRootList(ctx, root, rootListSigner(cert, signer), nil)
}

// signRootList signs the list of a root anew, with the revocation of a CA below it; nil:
// none comes to it.
func (s *Service) signRootList(ctx context.Context, root *store.Authority, sign listSigning, revokes func() (*caRevocation, error)) (v *ListView, err error) {
	// A server that has the key may sign at the same time, and the CA may be changed: both
	// are read anew each time.
	for range 5 {
		var with *caRevocation
		var more []store.Revocation
		if revokes != nil {
			if with, err = revokes(); err != nil {
				return nil, err
			}
			more = []store.Revocation{with.Revocation}
		}
		list, err := s.rootList(ctx, root)
		if err != nil {
			return nil, err
		}
		err = s.writeList(ctx, list, sign, more, func(tx store.Tx, c *store.CRL) error {
			if with != nil {
				if err := with.write(s, tx); err != nil {
					return err
				}
			}
			v = &ListView{
				Issuer: c.Issuer, Shard: c.Shard, Number: c.Number, Revoked: c.Changes, Published: c.Published, ThisUpdate: c.ThisUpdate, NextUpdate: c.NextUpdate,
			}
			return s.audit(tx, operator(), nil, "ca.list", "ca:"+root.ID, map[string]any{"number": c.Number, "next_update": c.NextUpdate.UTC().Format(time.RFC3339)})
		})
		if err == nil {
			return v, nil
		}
		if !errors.Is(err, store.ErrConflict) {
			return nil, problemOf(err)
		}
	}
	return nil, problemOf(store.ErrConflict)
}

// RevokeAuthority revokes the certificate of an issuing CA for ever, with the key of the
// root above it, as PEM where that was taken away: it is in the root's list, and the CA
// issues no more. reason is one of [issuer.CAReasons]. The list is signed first and
// written in one unit with the rest: where it cannot be signed nothing has changed, and
// the problem is "ca.unsigned".
func (s *Service) RevokeAuthority(ctx context.Context, id, reason string, key []byte, in AuthoritySettings) (*ListView, error) {
	why, err := caReasonOf(reason)
	if err != nil {
		return nil, err
	}
	a, err := s.revocable(ctx, id)
	if err != nil {
		return nil, err
	}
	root, err := s.authority(ctx, a.Parent)
	if err != nil {
		return nil, err
	}
	if _, err := s.rootList(ctx, root); err != nil {
		return nil, err
	}
	above, signer, err := s.rootKey(root, key, in)
	if err != nil {
		return nil, err
	}
	v, err := s.signRootList(ctx, root, rootListSigner(above, signer), func() (*caRevocation, error) { return s.caRevocation(ctx, id, why) })
	if known := (*Problem)(nil); err != nil && !errors.As(err, &known) {
		return nil, &Problem{Kind: Unavailable, Message: "ca.unsigned", Pairs: []any{"ID", id, "Root", root.ID, "Why", err.Error()}, Err: err}
	}
	return v, err
}

// RevocableAuthority is an issuing CA that can be revoked here: one below a root of ours
// that is not revoked yet.
func (s *Service) RevocableAuthority(ctx context.Context, id string) (*AuthorityView, error) {
	a, err := s.revocable(ctx, id)
	if err != nil {
		return nil, err
	}
	return &AuthorityView{ID: a.ID, Parent: a.Parent, Kind: a.Kind, State: a.State, Subject: a.Subject, Key: placeOf(a), NotAfter: a.NotAfter, CreatedAt: a.Created, Version: a.Version}, nil
}

func (s *Service) revocable(ctx context.Context, id string) (*store.Authority, error) {
	a, err := s.authority(ctx, id)
	switch {
	case err != nil:
		return nil, err
	case a.State == store.AuthorityRevoked:
		return nil, &Problem{Kind: WrongState, Message: "ca.revoked", Pairs: []any{"ID", id}}
	case a.Kind != store.AuthorityIssuing || a.Parent == "":
		return nil, &Problem{Kind: WrongState, Message: "ca.not-below", Pairs: []any{"ID", id}}
	}
	return a, nil
}

// A caRevocation is that of an issuing CA.
type caRevocation struct {
	store.Revocation
	ca       *store.Authority   // as it was read
	same     []*store.Authority // those that have the same certificate, too
	keyprint string
}

func (s *Service) caRevocation(ctx context.Context, id string, why issuer.Reason) (*caRevocation, error) {
	a, err := s.revocable(ctx, id)
	if err != nil {
		return nil, err
	}
	cert, err := x509.ParseCertificate(a.DER)
	if err != nil {
		return nil, fmt.Errorf("the CA %s: %w", a.ID, err)
	}
	r := &caRevocation{
		Revocation: store.Revocation{Issuer: a.Parent, Serial: serialText(cert), Reason: int(why), NotAfter: a.NotAfter, At: s.now()}, ca: a,
	}
	all, err := s.Store.Authorities(ctx)
	if err != nil {
		return nil, problemOf(err)
	}
	for i := range all {
		if o := &all[i]; o.ID != id && o.State != store.AuthorityRevoked && bytes.Equal(o.DER, a.DER) {
			r.same = append(r.same, o)
		}
	}
	r.keyprint, err = keyprintOf(cert)
	return r, err
}

// write writes it beside the list that it is in.
func (r *caRevocation) write(s *Service, tx store.Tx) error {
	why := issuer.Reason(r.Reason)
	for _, a := range append([]*store.Authority{r.ca}, r.same...) {
		revoked := *a // the unit may run again
		revoked.State = store.AuthorityRevoked
		if err := tx.UpdateAuthority(&revoked); err != nil {
			return err
		}
	}
	if err := tx.Revoke(r.Revocation); err != nil {
		return err
	}
	if why == issuer.CACompromise {
		if err := tx.BlockKey(r.keyprint, "ca:"+r.ca.ID, r.At); err != nil {
			return err
		}
	}
	return s.audit(tx, operator(), nil, "ca.revoke", "ca:"+r.ca.ID, map[string]any{"reason": issuer.CAReasons()[why], "serial": r.Serial, "issuer": r.Issuer})
}

func caReasonOf(word string) (issuer.Reason, error) {
	words := []string{}
	for r, w := range issuer.CAReasons() {
		if w == word {
			return r, nil
		}
		words = append(words, w)
	}
	slices.Sort(words)
	return 0, oneOf("reason", word, words)
}

// revokedAuthority says of the view of a CA why and when it was revoked.
func (s *Service) revokedAuthority(ctx context.Context, a *store.Authority, v *AuthorityView) error {
	cert, err := x509.ParseCertificate(a.DER)
	if err != nil {
		return fmt.Errorf("the CA %s: %w", a.ID, err)
	}
	known, err := s.Store.Serial(ctx, a.Parent, serialText(cert))
	if err != nil {
		return problemOf(err)
	}
	v.Reason, v.RevokedAt = issuer.CAReasons()[issuer.Reason(known.Reason)], optional(known.Revoked)
	return nil
}

// idle reports whether a CA that this process issues with may issue no more.
func (s *Service) idle(id string) bool {
	s.own.lock.RLock()
	defer s.own.lock.RUnlock()
	return s.own.idle[id]
}

// idleAuthorities looks which of the CAs were retired or revoked since this process took
// them into use.
func (s *Service) idleAuthorities(ctx context.Context) error {
	s.own.lock.RLock()
	some := len(s.own.byID) > 0
	s.own.lock.RUnlock()
	if !some {
		return nil
	}
	all, err := s.Store.Authorities(ctx)
	if err != nil {
		return err
	}
	s.own.lock.Lock()
	defer s.own.lock.Unlock()
	for i := range all {
		if a := &all[i]; a.State != store.AuthorityActive && s.own.byID[a.ID] != nil && !s.own.idle[a.ID] {
			s.own.idle[a.ID] = true
			if s.own.active == s.own.byID[a.ID] {
				s.Log.Warn("the CA that issues was retired or revoked: nothing is issued until the next start", "ca", a.ID)
			}
		}
	}
	return nil
}
