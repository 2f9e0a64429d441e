package service

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"assay/internal/issuer"
	"assay/internal/store"
	"assay/order"
)

// again judges an order before an attempt at an upstream CA goes on that was left
// unfinished: hours may lie between. Where it passes no more, or may not take the place of
// the certificate that it replaces, what is not sent yet is ended; of what is sent a certificate may be there already, which is fetched, stored
// and revoked.
func (i *issuance) again(ctx context.Context, a *store.Attempt) (goes bool, err error) {
	r, err := i.judge(ctx)
	if err != nil {
		return false, i.waits(ctx, err)
	}
	closed, err := i.closed(ctx)
	if err != nil {
		return false, err
	}
	if r.passes && closed == nil {
		return true, nil
	}
	sent, err := i.sent(ctx, a)
	switch {
	case errors.Is(err, issuer.ErrElsewhere):
		return false, i.lose(ctx, a, 0)
	case err != nil:
		return false, i.waits(ctx, err)
	}
	if sent && closed == nil && r.passing() && i.s.now().Sub(a.Created) < grace {
		return false, i.later(ctx, i.rest(nil)) // it may pass again, and is not revoked for a fault that ends
	}
	if sent {
		i.spoiled = true
		return true, nil
	}
	if err := i.drop(ctx, a, "the order passes no more"); err != nil {
		return false, err
	}
	if closed != nil {
		return false, i.later(ctx, 0) // it fails
	}
	return false, i.back(ctx, r)
}

// sent reports whether a certificate may come of an attempt at an upstream CA.
func (i *issuance) sent(ctx context.Context, a *store.Attempt) (bool, error) {
	follower, ok := i.ca.(issuer.Follower)
	if !ok {
		return false, fmt.Errorf("%s does not say whether a certificate came of attempt %d of order %s", i.ca.ID(), a.Seq, a.Order)
	}
	if err := i.asked(ctx); err != nil {
		return false, err
	}
	about := *i.request
	about.State = a.Data
	sent, err := follower.Sent(ctx, &about)
	if issuer.Over(err) {
		return false, nil // none comes any more
	}
	return sent, err
}

// drop ends an attempt that nothing came of, and leaves what is due.
func (i *issuance) drop(ctx context.Context, a *store.Attempt, why string) error {
	return i.s.Store.Write(ctx, func(tx store.Tx) error {
		ended := *a
		ended.State, ended.TBS, ended.Detail, ended.Ended = order.AttemptAbandoned, nil, why, i.s.now()
		if err := tx.EndAttempt(&ended); err != nil {
			return err
		}
		return i.s.audit(tx, itself(i.o), nil, "issuance.abandon", "order:"+i.o.ID, i.audited(map[string]any{"serial": "", "why": why}))
	})
}

// settleLeft settles an attempt at an upstream CA that was under way when its order went
// back. Its certificate would be of an order that passes no more.
func (i *issuance) settleLeft(ctx context.Context, a *store.Attempt) (settled bool, err error) {
	sent, err := i.sent(ctx, a)
	switch {
	case errors.Is(err, issuer.ErrElsewhere):
		return true, i.lose(ctx, a, 0)
	case err != nil:
		return true, i.waits(ctx, err)
	case !sent:
		return false, i.drop(ctx, a, "the order went back before the CA had it")
	}
	prepared, err := i.ca.Resume(ctx, i.request, &issuer.Attempt{State: a.Data, Shard: int(a.Shard)})
	if err != nil {
		return true, i.failed(ctx, a, err)
	}
	return true, i.complete(ctx, prepared)
}

// unwanted ends an attempt whose certificate nobody gets. An upstream CA is told first,
// and again where that fails; what it issued is written down.
func (i *issuance) unwanted(ctx context.Context, a *store.Attempt, issued *issuer.Issued) error {
	const why = "the order, or what it replaces, changed while it was signed"
	if !i.ca.Upstream() {
		return i.abandon(ctx, a, why, 0)
	}
	revoked := "revoked"
	if err := i.ca.Revoke(ctx, &issuer.Revocation{Certificate: issued.Certificate, Reason: issuer.Superseded, At: i.s.now()}); errors.As(err, new(*issuer.Refusal)) {
		revoked = "not_revoked" // nor will it be: its owner reads of it in the log, and the order goes on
		i.s.Log.Error("an upstream CA refuses to revoke a certificate that nobody gets", "order", i.o.ID, "serial", serialText(issued.Certificate), "error", err)
	} else if err != nil {
		return i.waits(ctx, fmt.Errorf("a certificate that nobody gets is not revoked yet: %w", err))
	}
	// The order there gives this certificate and no other: one more is begun.
	now := i.s.now()
	over := &store.UpstreamOrder{Order: i.o.ID, Issuer: i.ca.ID(), Tenant: i.o.Tenant, Account: i.o.Account, Deadline: now, Changed: now}
	if err := i.s.Store.Write(ctx, func(tx store.Tx) error { return tx.PutUpstreamOrder(over) }); err != nil {
		return err
	}
	detail, err := json.Marshal(map[string]string{
		"why": why, revoked: serialText(issued.Certificate), "fingerprint": fingerprintOf(issued.Certificate.Raw),
	})
	if err != nil {
		return err
	}
	return i.abandon(ctx, a, string(detail), 0)
}

// insertKept writes a certificate that its order gets.
func (i *issuance) insertKept(tx store.Tx, o *store.Order, c *store.Certificate, names []store.OrderName) error {
	if err := i.s.replaced(tx, o, c); err != nil { // what was written on the old one is on the new one
		return err
	}
	if err := tx.InsertCertificate(c, names); err != nil {
		return err
	}
	return i.s.follow(tx, c, i.p)
}

// insertSpoiled writes a certificate that is to be revoked: it replaces none, and none
// follows it.
func (i *issuance) insertSpoiled(tx store.Tx, c *store.Certificate, names []store.OrderName) error {
	s := i.s
	c.AutoRenew = false
	if err := tx.InsertCertificate(c, names); err != nil {
		return err
	}
	if err := s.dueAgain(tx, c); err != nil {
		return err
	}
	now, err := tx.CertificateNow("", c.ID)
	if err != nil {
		return err
	}
	why := issuer.Superseded
	if blocked, err := tx.BlockedNow(c.Keyprint); err != nil {
		return err
	} else if !blocked.IsZero() {
		why = issuer.KeyCompromise
	}
	if err := s.revoke(tx, now, why, false); err != nil {
		return err
	}
	return s.auditCertificate(tx, itsOwn(now), now, "revoke", map[string]any{"reason": issuer.Reasons()[why], "why": "its order passed no more when it came"})
}
