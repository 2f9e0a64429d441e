package service

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"time"

	"assay/cause"
	"assay/evidence"
	"assay/internal/issuer"
	"assay/internal/message"
	"assay/internal/store"
	"assay/name"
	"assay/order"
)

// A line is a certificate with those that took its place, one after the other. Each is
// renewed by itself where its owner wants that: a line that forked would be renewed in
// each of its branches for ever. So one order at a time is under way to take the place of
// a certificate, and one certificate in force stands there.

// renewing is the open order that is to take the place of a certificate; "": none, or the
// one that is left out.
func renewing(c *store.CertificateRow, but string, read func(tenant, id string) (*store.Order, error)) (string, error) {
	if c.Renews == "" || c.Renews == but {
		return "", nil
	}
	o, err := read(c.Tenant, c.Renews)
	if errors.Is(err, store.ErrNotFound) || err == nil && !o.State.Open() {
		return "", nil // one that was cancelled or has failed stands in nobody's way
	}
	if err != nil {
		return "", err
	}
	return o.ID, nil
}

// read is how [renewing] reads orders outside a unit.
func (s *Service) read(ctx context.Context) func(tenant, id string) (*store.Order, error) {
	return func(tenant, id string) (*store.Order, error) { return s.Store.Order(ctx, tenant, id) }
}

// checkUnderWay refuses a second order in the place of a certificate.
func checkUnderWay(c *store.CertificateRow, but string, read func(tenant, id string) (*store.Order, error)) error {
	other, err := renewing(c, but, read)
	if err != nil {
		return problemOf(err)
	}
	if other != "" {
		return &Problem{Kind: WrongState, Message: "certificate.under-way", Pairs: []any{"ID", c.ID, "Order", other}}
	}
	return nil
}

// checkNewest refuses to renew or reissue a certificate in whose place a newer one is in
// force: that is the one to go on with, the newest of them. One that is revoked, has ended
// or was deleted stands in nobody's way.
func (s *Service) checkNewest(ctx context.Context, c *store.Certificate, kind order.Kind) error {
	if c.ReplacedBy == "" {
		return nil
	}
	newest, err := s.Store.CertificateAfter(ctx, c.Tenant, c.ID, s.now())
	return notNewest(c, kind, newest, err)
}

// notNewest is the problem of a certificate in whose place another one is in force, as
// CertificateAfter answers.
func notNewest(c *store.Certificate, kind order.Kind, newest *store.CertificateRow, err error) error {
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	if err != nil {
		return problemOf(err)
	}
	text := "certificate.replaced-renew"
	if kind == order.Reissue {
		text = "certificate.replaced"
	}
	return &Problem{Kind: WrongState, Message: text, Pairs: []any{"ID", c.ID, "Newer", newest.ID}, Instead: newest.ID}
}

// checkRevoked refuses to renew or reissue a certificate that was revoked, for whatever
// reason: what stood in the way of it stands in the way of one like it. A new order is
// looked at as such, and may say that it takes its place.
func checkRevoked(c *store.Certificate, kind order.Kind) error {
	if kind == order.New || !revoked(c.State) {
		return nil
	}
	return &Problem{Kind: WrongState, Message: "certificate.renew-state", Pairs: []any{"State", message.ID("cert.is." + string(c.State))}}
}

// revoked reports whether a certificate is revoked, or will be when its CA was told.
func revoked(state order.CertificateState) bool {
	return state == order.CertificateRevoked || state == order.CertificateRevoking
}

// checkRenewalNames refuses a renewal for other names than those of what it renews:
// nothing would renew these any more, nor tell that they end.
func (s *Service) checkRenewalNames(ctx context.Context, o *store.Order, c *store.Certificate) error {
	if o.Kind != order.Renewal || c.Source != store.SourceIssued {
		return nil
	}
	was, err := s.Store.Order(ctx, c.Tenant, c.ID)
	if err != nil {
		return problemOf(err)
	}
	if !slices.Equal(canonical(o.Order.Names), canonical(was.Order.Names)) {
		return &Problem{Kind: Invalid, Message: "certificate.renew-names"}
	}
	return nil
}

// canonical are names as certificates have them, each once, sorted.
func canonical(names []string) []string {
	list := make([]string, len(names))
	for i, n := range names {
		list[i] = name.Parse(n).Clean
	}
	slices.Sort(list)
	return slices.Compact(list)
}

// claimReplaced notes on a certificate that an order is to replace it, where no other one
// is and none did meanwhile.
func (s *Service) claimReplaced(tx store.Tx, o *store.Order) error {
	if o.Order.Replaces == "" {
		return nil
	}
	c, err := tx.CertificateNow(o.Tenant, o.Order.Replaces)
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	if err := checkRevoked(c, o.Kind); err != nil {
		return err
	}
	newest, err := tx.AfterNow(c.Tenant, c.ID, s.now())
	if err := notNewest(c, o.Kind, newest, err); err != nil {
		return err
	}
	if err := checkUnderWay(&c.CertificateRow, o.ID, tx.Order); err != nil || c.Renews == o.ID {
		return err
	}
	c.Renews = o.ID
	return tx.UpdateCertificate(c)
}

// closed says why an order may not take the place of the certificate that it replaces any
// more: another one did, or that one was revoked; nil: it may. What is asked when an order
// is submitted may have changed when its certificate is signed.
func (s *Service) closed(tx store.Tx, o *store.Order) (*issuer.Problem, error) {
	if o.Order.Replaces == "" {
		return nil, nil
	}
	c, err := tx.CertificateNow(o.Tenant, o.Order.Replaces)
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	closed := func(parameters map[string]any) (*issuer.Problem, error) {
		parameters["certificate"] = c.ID
		return &issuer.Problem{Cause: cause.LimitReissueOrRenewalClosed, Subject: "order", Parameters: parameters}, nil
	}
	if o.Kind != order.New && revoked(c.State) {
		return closed(map[string]any{"reason": "not-issued", "state": string(c.State)})
	}
	switch newest, err := tx.AfterNow(c.Tenant, c.ID, s.now()); {
	case errors.Is(err, store.ErrNotFound) || err == nil && newest.ID == o.ID:
		return nil, nil
	case err != nil:
		return nil, err
	}
	return closed(map[string]any{"reason": "replaced"})
}

// closed is [Service.closed] in a unit of its own.
func (i *issuance) closed(ctx context.Context) (problem *issuer.Problem, err error) {
	if i.o.Order.Replaces == "" {
		return nil, nil
	}
	err = i.s.Store.Write(ctx, func(tx store.Tx) (err error) {
		problem, err = i.s.closed(tx, i.o)
		return err
	})
	return problem, err
}

// fails ends an order that may not take the place of its certificate any more, whatever
// its profile says of that: there is nothing to wait for.
func (i *issuance) fails(ctx context.Context) (failed bool, err error) {
	problem, err := i.closed(ctx)
	if err != nil || problem == nil {
		return false, err
	}
	findings := problemFindings(i.p, i.o.Product, []issuer.Problem{*problem})
	for n := range findings {
		findings[n].Level = cause.Refuse
	}
	detail, err := json.Marshal(findings)
	if err != nil {
		return false, err
	}
	return true, i.ends(ctx, findings, true, 0, func(tx store.Tx) error { return i.insertFailed(tx, string(detail)) })
}

// replaced notes on a certificate which one came for it: its end is no news any
// more, and nothing renews it.
func (s *Service) replaced(tx store.Tx, o *store.Order, by *store.Certificate) error {
	if o.Order.Replaces == "" {
		return nil
	}
	c, err := tx.CertificateNow(o.Tenant, o.Order.Replaces)
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	c.Renews, c.ReplacedBy = o.ID, by.ID
	by.Alias, by.Tags, by.Muted = c.Alias, c.Tags, c.Muted
	if by.AutoRenew, err = s.goesOnBy(tx, o, by, c); err != nil {
		return err
	}
	if err := tx.UpdateCertificate(c); err != nil {
		return err
	}
	return tx.ClearCertificateDue(c.ID, store.DueRenew)
}

// goesOnBy reports whether the certificate that takes the place of another one is renewed by
// itself: where that one is. A series that begins goes by its own end, and one that goes
// on by both; a reissue has the place in it of what it replaces.
func (s *Service) goesOnBy(tx store.Tx, o *store.Order, by, c *store.Certificate) (bool, error) {
	if o.Order.ServiceUntil.IsZero() || o.Kind == order.Reissue {
		return c.AutoRenew, nil
	}
	was, err := tx.Order(c.Tenant, c.ID)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return false, err
	}
	if o.Kind != order.Renewal || err != nil || !was.Order.ServiceUntil.Equal(o.Order.ServiceUntil) {
		return by.AutoRenew, nil
	}
	return by.AutoRenew && c.AutoRenew, nil
}

// lastOf reports whether none follows a certificate in the series that its order began, as
// there is no time for one.
func lastOf(until time.Time, c *store.CertificateRow) bool {
	return !until.IsZero() && !until.After(c.NotAfter.Add(day))
}

// mostGone is how many certificates in a row that are out of force are gone past.
const mostGone = 100

// givesBack has the certificate go on that another one took the place of, once that is out
// of force before its time and nothing else stands there: it is renewed and its end told
// again. Where it is out of force too, the one before it goes on.
func (s *Service) givesBack(tx store.Tx, gone *store.Certificate) error {
	for range mostGone {
		o, err := tx.Order(gone.Tenant, gone.ID)
		if errors.Is(err, store.ErrNotFound) || err == nil && o.Order.Replaces == "" {
			return nil
		}
		if err != nil {
			return err
		}
		c, err := tx.CertificateNow(gone.Tenant, o.Order.Replaces)
		if errors.Is(err, store.ErrNotFound) || err == nil && (c.ReplacedBy != gone.ID || !c.NotAfter.After(s.now())) {
			return nil
		}
		if err != nil {
			return err
		}
		if _, err := tx.AfterNow(c.Tenant, c.ID, s.now()); !errors.Is(err, store.ErrNotFound) {
			return err
		}
		if c.Deleted.IsZero() && !revoked(c.State) {
			return s.goesOn(tx, c)
		}
		gone = c
	}
	return nil
}

// goesOn has a certificate renewed and its end told as if none had come for it.
func (s *Service) goesOn(tx store.Tx, c *store.Certificate) error {
	by := c.ReplacedBy
	c.ReplacedBy = ""
	if c.Renews == by {
		c.Renews = ""
	}
	if err := tx.UpdateCertificate(c); err != nil {
		return err
	}
	if err := s.auditCertificate(tx, itsOwn(c), c, "reinstate", map[string]any{"replaced_by": by}); err != nil {
		return err
	}
	if p, err := s.Profiles(c.Profile); err == nil {
		return s.follow(tx, c, p)
	}
	// Whoever wants it renewed hears that its profile was removed.
	return tx.SetCertificateDue(s.endDue(c), store.CertificateDue{Certificate: c.ID, Kind: store.DueRenew, At: s.now()})
}

// replacedCertificate is what a reissue or renewal starts from, for the rules.
func (s *Service) replacedCertificate(ctx context.Context, o *store.Order) (*evidence.Issued, error) {
	id := o.Order.Replaces
	if id == "" {
		return nil, nil
	}
	c, err := s.Store.Certificate(ctx, o.Tenant, id)
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, problemOf(err)
	}
	e := &evidence.Issued{Order: c.ID, NotAfter: c.NotAfter, State: "issued", Replaced: c.ReplacedBy != "" && c.ReplacedBy != o.ID}
	switch {
	case revoked(c.State):
		e.State = "revoked"
	case c.State == order.CertificateExpired || s.now().After(c.NotAfter):
		e.State = "expired"
	}
	if e.Running, err = renewing(&c.CertificateRow, o.ID, s.read(ctx)); err != nil {
		return nil, problemOf(err)
	}
	if c.Source == store.SourceIssued {
		was, err := s.Store.Order(ctx, c.Tenant, c.ID)
		if err != nil {
			return nil, problemOf(err)
		}
		e.Names, e.Free = was.Order.Names, was.Order.Plan == "free"
		if was.Kind == order.Reissue {
			e.Reissues = 1
		}
	}
	return e, nil
}
