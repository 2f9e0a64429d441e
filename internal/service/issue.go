package service

import (
	"context"
	"errors"
	"fmt"
	"time"

	"assay/internal/issuer"
	"assay/internal/store"
	"assay/order"
	"assay/profile"
)

// PausedLab is why no certificate is due for an order that passed: it was looked at
// in a laboratory, and its profile is of the public internet.
const PausedLab = "lab"

// issuerOf is the CA that an order gets its certificate from; nil: none.
func (s *Service) issuerOf(o *store.Order) issuer.Issuer {
	if s.Issuer == nil {
		return nil
	}
	return s.Issuer(o.Profile)
}

// toIssue reports whether what is due for an order is its certificate.
func toIssue(o *store.Order, kind store.DueKind) bool {
	return o.Deleted.IsZero() && o.State == order.StateReady && kind == store.DueCheck
}

// adoptReady makes the certificate due of every order that passed while nobody
// issued any.
func (s *Service) adoptReady(ctx context.Context) {
	if s.Issuer == nil {
		return
	}
	for after := ""; ; {
		ids, err := s.Store.OrdersReady(ctx, after, 200)
		if err == nil && len(ids) > 0 {
			after = ids[len(ids)-1]
			err = s.Store.Write(ctx, func(tx store.Tx) error {
				for _, id := range ids {
					o, err := tx.Order("", id)
					if err != nil {
						return err
					}
					lab := o.Paused == PausedLab && !s.inLab() // it is looked at anew
					if o.State != order.StateReady || o.Paused != "" && !lab || s.issuerOf(o) == nil {
						continue
					}
					if _, err := s.checkNow(tx, o); err != nil {
						return err
					}
				}
				return nil
			})
		}
		if err != nil && ctx.Err() == nil {
			s.Log.Error("looking for orders that wait for their certificate failed", "error", err)
		}
		if err != nil || len(ids) == 0 {
			return
		}
	}
}

// An issuance is one order on its way from ready to issued, in one process.
type issuance struct {
	s   *Service
	ca  issuer.Issuer
	due store.Due
	o   *store.Order
	p   *profile.Profile
	// seq is the number of the attempt, request what it asks for.
	seq     int
	request *issuer.Request
	sharing map[string]bool
	review  string
	// open is the attempt that is taken up again, nil where none was left.
	open *store.Attempt
	// spoiled: what comes of the attempt is stored, and revoked.
	spoiled bool
	// offered is what is stored of its order at an upstream CA; nil: nothing.
	offered *store.UpstreamOrder
}

// issue brings an order that passed to its certificate: what a process left that
// died is settled first; then the gate, the attempt with its serial number and
// bytes, the signature, and the certificate are each stored before the next. A
// certificate is told of by nothing before it is stored.
func (s *Service) issue(ctx context.Context, d store.Due, o *store.Order) error {
	ca := s.issuerOf(o)
	earlier, err := s.Store.Attempts(ctx, o.ID)
	if err != nil {
		return err
	}
	i := &issuance{s: s, ca: ca, due: d, o: o, seq: 1}
	var left *store.Attempt // by a process that died
	if n := len(earlier); n > 0 {
		i.seq = earlier[n-1].Seq + 1
		if last := &earlier[n-1]; last.State == order.AttemptPrepared {
			left = last
		}
	}
	switch {
	case ca == nil && left != nil:
		return i.abandon(ctx, left, "there is no issuer now", 0)
	case ca == nil:
		return s.drop(ctx, d)
	}
	if i.p, err = s.Profiles(o.Profile); err != nil {
		return fmt.Errorf("order %s: %w", o.ID, err)
	}
	if left != nil {
		return i.resume(ctx, left)
	}
	if failed, err := i.fails(ctx); err != nil || failed {
		return err
	}
	passed, err := i.gate(ctx)
	if err != nil || !passed {
		return err
	}
	if ca.Upstream() && len(i.request.State) == 0 {
		if i.offered != nil && i.offered.WaitsFor != "" {
			return i.passes(ctx, i.offered)
		}
		// It passed before that CA was this service's: its values come first.
		return i.reopen(ctx, nil, nil)
	}
	prepared, err := ca.Prepare(ctx, i.request)
	switch {
	case errors.Is(err, issuer.ErrElsewhere):
		return i.anew(ctx)
	case err != nil:
		return i.refused(ctx, err)
	}
	if kept, err := i.prepare(ctx, prepared); err != nil || !kept {
		return err
	}
	return i.complete(ctx, prepared)
}

// resume settles an attempt whose process died: it goes on where that cannot give
// a second certificate, else its serial number is revoked, and another attempt is
// due.
func (i *issuance) resume(ctx context.Context, a *store.Attempt) error {
	i.seq, i.review, i.open = a.Seq, a.Review, a
	if a.Issuer != i.ca.ID() {
		return i.abandon(ctx, a, "the issuer is another one now", 0)
	}
	if i.ca.Upstream() {
		if goes, err := i.again(ctx, a); err != nil || !goes {
			return err
		}
	}
	if err := i.asked(ctx); err != nil {
		return err
	}
	prepared, err := i.ca.Resume(ctx, i.request, &issuer.Attempt{Serial: a.Serial, TBS: a.TBS, State: a.Data, Shard: int(a.Shard)})
	switch {
	case errors.Is(err, issuer.ErrAbandon):
		return i.abandon(ctx, a, "the process ended while it was signed", 0)
	case errors.Is(err, issuer.ErrElsewhere):
		return i.lose(ctx, a, 0)
	case err != nil:
		return i.failed(ctx, a, err)
	}
	return i.complete(ctx, prepared)
}

// prepare stores the attempt. It is not kept where the order changed since the
// gate, an order came meanwhile that shares its key, or another certificate in the place
// of the one that it replaces: it is looked at anew.
func (i *issuance) prepare(ctx context.Context, prepared *issuer.Prepared) (kept bool, err error) {
	s := i.s
	err = s.Store.Write(ctx, func(tx store.Tx) error {
		kept = false
		cur, err := tx.Order("", i.o.ID)
		if err != nil {
			return err
		}
		if cur.Version != i.o.Version || cur.State != order.StateReady {
			return nil // looked at anew when it is due
		}
		if err := raced(tx, cur, orderKeys(cur.Order), i.sharing); errors.Is(err, errRaced) {
			return nil
		} else if err != nil {
			return err
		}
		if closed, err := s.closed(tx, cur); err != nil || closed != nil {
			return err
		}
		kept = true
		return i.insert(tx, cur, prepared)
	})
	if errors.Is(err, store.ErrConflict) {
		return false, i.later(ctx, 0) // another process is at it
	}
	if err == nil && !kept {
		return false, i.later(ctx, 0)
	}
	return kept, err
}

// insert stores an attempt that is prepared.
func (i *issuance) insert(tx store.Tx, o *store.Order, prepared *issuer.Prepared) error {
	a := &store.Attempt{
		Order: o.ID, Seq: i.seq, Issuer: i.ca.ID(), State: order.AttemptPrepared, Serial: prepared.Serial, TBS: prepared.TBS, Data: prepared.State,
		Shard: int64(prepared.Shard), Review: i.review, Lints: prepared.Lints, Created: i.s.now(),
	}
	if err := tx.InsertAttempt(a); err != nil {
		return err
	}
	return i.s.audit(tx, itself(o), nil, "issuance.prepare", "order:"+o.ID, i.audited(map[string]any{"serial": a.Serial, "lints": a.Lints, "review": i.review}))
}

func (i *issuance) audited(data map[string]any) map[string]any {
	data["issuer"], data["attempt"] = i.ca.ID(), i.seq
	return data
}

// complete has the certificate made, and stores it.
func (i *issuance) complete(ctx context.Context, prepared *issuer.Prepared) error {
	a := &store.Attempt{
		Order: i.o.ID, Seq: i.seq, Issuer: i.ca.ID(), Serial: prepared.Serial, Shard: int64(prepared.Shard), Review: i.review, Created: i.s.now(),
	}
	issued, err := i.ca.Complete(ctx, prepared)
	if err != nil {
		return i.failed(ctx, a, err)
	}
	stored, err := i.keep(ctx, a, issued)
	if err != nil {
		return err // still prepared: settled when it is due again
	}
	if !stored {
		// The order was cancelled, or opened again, while it was signed, or another one's
		// certificate came in the place that this one's was to take.
		return i.unwanted(ctx, a, issued)
	}
	i.s.changed(i.o.ID)
	i.s.wakeCertificates()
	return nil
}

// keep stores a certificate with all that follows from it, in one unit. The order is
// mostly as it was when this began, and is not read again for that: its version tells.
func (i *issuance) keep(ctx context.Context, a *store.Attempt, issued *issuer.Issued) (stored bool, err error) {
	c, names, err := i.certificate(a, issued)
	if err != nil {
		return false, err
	}
	stored, err = i.keepOf(ctx, a, c, names, func(store.Tx) (*store.Order, error) {
		known := *i.o
		return &known, nil
	})
	if errors.Is(err, store.ErrConflict) {
		return i.keepOf(ctx, a, c, names, func(tx store.Tx) (*store.Order, error) { return tx.Order("", i.o.ID) })
	}
	return stored, err
}

// keepOf is keep for the order as read gives it.
func (i *issuance) keepOf(ctx context.Context, a *store.Attempt, c *store.Certificate, names []store.OrderName, read func(store.Tx) (*store.Order, error)) (stored bool, err error) {
	s := i.s
	now := s.now()
	err = s.Store.Write(ctx, func(tx store.Tx) error {
		stored = false
		o, err := read(tx)
		if err != nil {
			return err
		}
		to, ok := o.State.Next(order.ActionIssue)
		if !ok || o.Version != i.o.Version {
			return tx.KeepDue(i.due, s.Owner) // what is not stored is settled under the lease
		}
		if !i.spoiled {
			if closed, err := s.closed(tx, o); err != nil {
				return err
			} else if closed != nil {
				return tx.KeepDue(i.due, s.Owner)
			}
		}
		if err := tx.FinishDue(i.due, s.Owner); err != nil {
			return err
		}
		ended := *a
		ended.State, ended.TBS, ended.Ended = order.AttemptIssued, nil, now
		if err := tx.EndAttempt(&ended); err != nil {
			return err
		}
		written := *c
		if i.spoiled {
			err = i.insertSpoiled(tx, &written, names)
		} else {
			err = i.insertKept(tx, o, &written, names)
		}
		if err != nil {
			return err
		}
		// A key that was blocked since the gate: what is signed is there, and revoked.
		if err := tx.DueIfBlocked(written.Keyprint, store.CertificateDue{Certificate: written.ID, Kind: store.DueRevoke, At: now}); err != nil {
			return err
		}
		o.State, o.Phase, o.Paused, o.Ended = to, "", "", now
		if err := s.update(tx, o); err != nil {
			return err
		}
		if err := tx.ClearDue(o.ID); err != nil {
			return err
		}
		stored = true
		return s.audit(tx, itself(o), o, "order.issue", "", i.audited(map[string]any{
			"state": string(o.State), "serial": c.Serial, "fingerprint": c.Fingerprint, "not_after": c.NotAfter.UTC().Format(time.RFC3339), "review": i.review,
		}))
	})
	return stored, err
}

// leftAttempt settles an attempt that was under way when its order went back: its
// serial number is given up, or what an upstream CA made of it revoked. seq is the
// number of the newest attempt, 0 where there was none.
func (s *Service) leftAttempt(ctx context.Context, d store.Due, v *store.Standing, p *profile.Profile) (left bool, seq int, err error) {
	o, all := v.Order, v.Attempts
	ca := s.issuerOf(o)
	if len(all) == 0 || o.State != order.StatePending {
		return false, 0, nil
	}
	last := &all[len(all)-1]
	// A CA of our own may be signing for whoever has the lease of the check.
	if last.State != order.AttemptPrepared || last.Serial != "" && d.Kind != store.DueCheck {
		return false, last.Seq, nil
	}
	i := &issuance{s: s, ca: ca, due: d, o: o, p: p, seq: last.Seq, review: last.Review, open: last}
	if last.Serial == "" && ca != nil && last.Issuer == ca.ID() {
		left, err = i.settleLeft(ctx, last)
		return left, last.Seq, err
	}
	return true, last.Seq, i.abandon(ctx, last, "the order went back while it was signed", 0)
}
