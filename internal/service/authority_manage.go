package service

import (
	"cmp"
	"context"
	"crypto/elliptic"
	"encoding/pem"
	"errors"
	"fmt"
	"slices"
	"strings"

	"assay/internal/issuer/private"
	"assay/internal/store"
)

// Authorities lists the CAs of our own. What they are is public.
func (s *Service) Authorities(ctx context.Context, p Principal) ([]AuthorityView, error) {
	if err := allow(p, MayReadCertificates); err != nil {
		return nil, err
	}
	return s.AllAuthorities(ctx)
}

// AllAuthorities is [Service.Authorities] for whoever has the database.
func (s *Service) AllAuthorities(ctx context.Context) ([]AuthorityView, error) {
	all, err := s.Store.Authorities(ctx)
	if err != nil {
		return nil, problemOf(err)
	}
	slices.SortStableFunc(all, func(a, b store.Authority) int { return a.Created.Compare(b.Created) })
	f, err := familyOf(all)
	if err != nil {
		return nil, err
	}
	views := make([]AuthorityView, len(all))
	for i := range all {
		a := &all[i]
		views[i] = AuthorityView{
			ID: a.ID, Parent: a.Parent, Kind: f.kind(a.ID), State: f.state(a.ID, s.now()), Subject: a.Subject, Key: placeOf(a), Fingerprint: fingerprintOf(a.DER),
			Certificate: string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.DER})), NotAfter: a.NotAfter, CreatedAt: a.Created, Version: a.Version,
		}
		if a.State == store.AuthorityRevoked {
			if err := s.revokedAuthority(ctx, a, &views[i]); err != nil {
				return nil, err
			}
		}
	}
	return views, nil
}

// authority finds one CA of our own.
func (s *Service) authority(ctx context.Context, id string) (*store.Authority, error) {
	all, err := s.Store.Authorities(ctx)
	if err != nil {
		return nil, problemOf(err)
	}
	for i := range all {
		if all[i].ID == id {
			return &all[i], nil
		}
	}
	return nil, &Problem{Kind: NotFound, Message: "ca.none", Pairs: []any{"ID", shownValue(id)}}
}

// operator is whoever has the database and its key.
func operator() Principal {
	return Principal{Tenant: RootTenant, Token: serviceActor, Role: RoleAdministrator}
}

// ExportRootKey is the key of a root, PKCS #8 in PEM, for a file elsewhere. The
// root's list is signed first, for as long as it may hold. The key stays until
// [Service.ForgetRootKey].
func (s *Service) ExportRootKey(ctx context.Context, id string) ([]byte, error) {
	a, err := s.authority(ctx, id)
	if err != nil {
		return nil, err
	}
	if a.Kind != store.AuthorityRoot || a.KeyPlace != store.KeySealed {
		return nil, &Problem{Kind: WrongState, Message: "ca.no-root-key", Pairs: []any{"ID", id}}
	}
	list, err := s.Store.CRL(ctx, id, 0)
	if err != nil {
		return nil, problemOf(err)
	}
	if _, err := s.signList(ctx, list); err != nil {
		return nil, err
	}
	var der []byte
	if err := s.reveal(authoritySecret(a.ID), a.Sealed, &der); err != nil {
		return nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), nil
}

// ForgetRootKey removes the key of a root from the database.
func (s *Service) ForgetRootKey(ctx context.Context, id string) error {
	a, err := s.authority(ctx, id)
	if err != nil {
		return err
	}
	a.KeyPlace, a.Sealed = store.KeyAway, nil
	return problemOf(s.Store.Write(ctx, func(tx store.Tx) error {
		if err := tx.UpdateAuthority(a); err != nil {
			return err
		}
		return s.audit(tx, operator(), nil, "ca.key-away", "ca:"+id, nil)
	}))
}

func (s *Service) addAuthorities(ctx context.Context, action string, rows ...*store.Authority) error {
	err := s.Store.Write(ctx, func(tx store.Tx) error {
		for _, a := range rows {
			if err := tx.InsertAuthority(a); err != nil {
				return err
			}
			if err := s.audit(tx, operator(), nil, action, "ca:"+a.ID, map[string]any{"fingerprint": fingerprintOf(a.DER), "subject": a.Subject}); err != nil {
				return err
			}
		}
		return nil
	})
	if errors.Is(err, store.ErrConflict) {
		return &Problem{Kind: Conflict, Message: "service.exists", Pairs: []any{"What", rows[len(rows)-1].ID}, Err: err}
	}
	return problemOf(err)
}

// NewIssuing makes another issuing CA below a root, whose key is here or given as
// PEM. From the next start on it issues.
func (s *Service) NewIssuing(ctx context.Context, root string, rootKey []byte, in AuthoritySettings) (string, error) {
	a, err := s.authority(ctx, root)
	if err != nil {
		return "", err
	}
	cert, signer, err := s.rootKey(a, rootKey, in)
	if err != nil {
		return "", err
	}
	all, err := s.Store.Authorities(ctx)
	if err != nil {
		return "", problemOf(err)
	}
	f, err := familyOf(all)
	if err != nil {
		return "", err
	}
	n := 1
	for slices.ContainsFunc(all, func(o store.Authority) bool { return o.ID == fmt.Sprint("issuing-", n) }) {
		n++
	}
	id, name := fmt.Sprint("issuing-", n), in.Name
	name.CommonName += fmt.Sprint(" Issuing ", n)
	key, err := private.GenerateKey(elliptic.P256())
	if err != nil {
		return "", err
	}
	issuing, err := private.CreateIssuing(name, key.Public(), in.Constraints, cert, signer, urlsAt(a.URL, root), s.now())
	if err != nil {
		return "", unusable(err)
	}
	h := f.below(root, issuing)
	if err := h.Check(key, s.now()); err != nil {
		return "", unusable(err)
	}
	row, err := s.authorityRow(id, root, store.AuthorityIssuing, issuing, key)
	if err != nil {
		return "", err
	}
	row.URL = cmp.Or(in.URL, a.URL)
	if _, err := s.newAuthority(row, h, key); err != nil {
		return "", unusable(err)
	}
	return id, s.addAuthorities(ctx, "ca.new", row)
}

// RetireAuthority has a CA issue no more; its lists and OCSP go on.
func (s *Service) RetireAuthority(ctx context.Context, id string) error {
	a, err := s.authority(ctx, id)
	if err != nil {
		return err
	}
	if a.Kind != store.AuthorityIssuing || a.State != store.AuthorityActive {
		return &Problem{Kind: WrongState, Message: "ca.not-active", Pairs: []any{"ID", id}}
	}
	a.State = store.AuthorityRetired
	return problemOf(s.Store.Write(ctx, func(tx store.Tx) error {
		if err := tx.UpdateAuthority(a); err != nil {
			return err
		}
		return s.audit(tx, operator(), nil, "ca.retire", "ca:"+id, nil)
	}))
}

// placeOf is where a CA's key is, without what follows, which may be a PIN.
func placeOf(a *store.Authority) string {
	place, _, _ := strings.Cut(a.KeyPlace, "?")
	return place
}
