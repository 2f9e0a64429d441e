package service

import (
	"cmp"
	"context"
	"crypto"
	"fmt"
	"slices"

	"assay/internal/issuer/private"
	"assay/internal/store"
)

// ImportAuthority takes a CA into use that was made elsewhere: chain is PEM, the
// issuing certificate first and its root last. key is its key in PEM, or place
// says where that is. From the next start on it issues. Whatever a start examines is
// examined before anything is kept; url is the one that its certificates will name: that
// of in, or else of the CAs that are here. "" is none until a start gives one.
func (s *Service) ImportAuthority(ctx context.Context, id string, chain, key []byte, place string, in AuthoritySettings) (url string, err error) {
	if !private.ValidID(id) {
		return "", &Problem{Kind: Invalid, Message: "ca.id", Pairs: []any{"ID", shownValue(id)}}
	}
	h, err := private.ReadHierarchy(chain)
	if err != nil {
		return "", unusable(err)
	}
	signer, err := importedKey(key, place, in)
	if err == nil {
		err = h.Check(signer, s.now())
	}
	if err != nil {
		return "", unusable(err)
	}
	all, err := s.Store.Authorities(ctx)
	if err != nil {
		return "", problemOf(err)
	}
	f, err := familyOf(all)
	if err != nil {
		return "", err
	}
	if err := s.importable(ctx, f, h); err != nil {
		return "", err
	}
	rows, parent, err := s.rowsAbove(f, id, h)
	if err != nil {
		return "", err
	}
	kept := signer
	if place != "" {
		kept = nil
	}
	row, err := s.authorityRow(id, parent, store.AuthorityIssuing, h.Issuing, kept)
	if err != nil {
		return "", err
	}
	if place != "" {
		row.KeyPlace = place
	}
	row.URL = cmp.Or(in.URL, placeOfLists(all))
	if _, err := s.newAuthority(row, h, signer); err != nil {
		return "", unusable(err)
	}
	return row.URL, s.addAuthorities(ctx, "ca.import", append(rows, row)...)
}

// unusable says why a CA, or its key, cannot be used.
func unusable(err error) error {
	return &Problem{Kind: Invalid, Message: "ca.failed", Pairs: []any{"Why", err.Error()}, Err: err}
}

// importedKey is the key that is given as PEM, or is at a place.
func importedKey(pem []byte, place string, in AuthoritySettings) (crypto.Signer, error) {
	if place != "" && in.KeyAt != nil {
		return in.KeyAt(place)
	}
	return private.ReadKey(pem)
}

// placeOfLists is where lists and OCSP of the newest CA that names a place are.
func placeOfLists(all []store.Authority) (url string) {
	slices.SortFunc(all, func(a, b store.Authority) int { return a.Created.Compare(b.Created) })
	for i := range all {
		url = cmp.Or(all[i].URL, url)
	}
	return url
}

// importable refuses a CA that is here and in use, and one that was revoked here or whose
// key is refused here.
func (s *Service) importable(ctx context.Context, f *family, h private.Hierarchy) error {
	for _, id := range f.same(h.Issuing) {
		switch a := f.rows[id]; {
		case a.State == store.AuthorityRevoked:
			return &Problem{Kind: WrongState, Message: "ca.revoked", Pairs: []any{"ID", id}}
		case a.Kind == store.AuthorityIssuing && a.State == store.AuthorityActive:
			return &Problem{Kind: Conflict, Message: "ca.here", Pairs: []any{"ID", id}}
		}
	}
	print, err := keyprintOf(h.Issuing)
	if err != nil {
		return err
	}
	at, err := s.Store.Blocked(ctx, print)
	if err == nil && !at.IsZero() {
		return &Problem{Kind: WrongState, Message: "ca.key-blocked", Pairs: []any{"At", at.UTC().Format("2006-01-02 15:04 UTC")}}
	}
	return problemOf(err)
}

// rowsAbove are the rows that a hierarchy needs above its issuing certificate and that
// are not here yet; parent is the one next to it.
func (s *Service) rowsAbove(f *family, id string, h private.Hierarchy) (rows []*store.Authority, parent string, err error) {
	if h.Root.Equal(h.Issuing) {
		return nil, "", nil
	}
	above := append(slices.Clone(h.Intermediates), h.Root)
	for i, c := range slices.Backward(above) {
		here := slices.DeleteFunc(f.same(c), func(id string) bool { return f.rows[id].Parent != parent })
		if len(here) > 0 {
			parent = slices.Min(here)
			continue
		}
		own := fmt.Sprintf("%s-above-%d", id, i+1)
		for n := i + 1 + len(above); f.rows[own] != nil; n += len(above) {
			own = fmt.Sprintf("%s-above-%d", id, n)
		}
		row, err := s.authorityRow(own, parent, store.AuthorityRoot, c, nil)
		if err != nil {
			return nil, "", err
		}
		rows, parent = append(rows, row), own
	}
	return rows, parent, nil
}
