package service

import (
	"context"
	"slices"
	"time"

	"assay/evidence"
	"assay/internal/issuer"
	"assay/internal/store"
	"assay/order"
	"assay/review"
)

// freshLook is how long what a check saw is as good as what a gate would see now.
const freshLook = 30 * time.Second

// An issuance at once is one whose order passes in this moment: the check that passed it
// is the judgement before signing, so that nothing is read and judged twice. Its
// attempt is stored in the unit in which the order passes, under the lease of the
// check; from there on it is an issuance like any other (decision 19).
type atOnce struct {
	*issuance
	prepared *issuer.Prepared
	account  *evidence.Account // as the look saw it
	keyprint string
	began    time.Time // when the look began
}

// atOnce prepares the certificate of an order that a check passes. It is nil where
// the order has to go through the gate: what was looked at counts for less than a
// certificate needs, was looked at too long ago, or the CA is another's or away. What
// is wrong with it the gate tells.
func (s *Service) atOnce(ctx context.Context, d store.Due, o *store.Order, seen *sight, out outcome, keys []store.OrderKey) *atOnce {
	ca := s.issuerOf(o)
	switch r := seen.report; {
	case out.action != order.ActionPass || d.Kind != store.DueCheck || ca == nil || ca.Upstream():
		return nil
	case r.Mode != review.Attempt || r.Verdict != review.VerdictPass || r.Scope != review.ScopeNetwork || !seen.validated:
		return nil
	case r.Lab && seen.profile.Public || !o.Validated.IsZero() || seen.final:
		return nil
	}
	account := alone(seen.report)
	if account == nil || o.Product != order.DV {
		return nil
	}
	i := &issuance{s: s, ca: ca, due: d, o: o, p: seen.profile, seq: seen.attempts + 1, sharing: seen.sharing}
	if err := i.asked(ctx); err != nil {
		return nil
	}
	prepared, err := ca.Prepare(ctx, i.request)
	if err != nil {
		return nil
	}
	w := &atOnce{issuance: i, prepared: prepared, account: account, began: seen.began}
	if at := slices.IndexFunc(keys, func(k store.OrderKey) bool { return k.Kind == "key" }); at >= 0 {
		w.keyprint = keys[at].Digest
	}
	return w
}

// stands reports whether the look was made just now, and what the store knew then of
// the order's key and account holds still. The order itself, and who shares its key,
// the check's unit sees to.
func (w *atOnce) stands(as *store.Now) bool {
	if now := w.s.now(); w.keyprint == "" || now.Before(w.began) || now.Sub(w.began) > freshLook {
		return false
	}
	is, was := as.Account, w.account
	return is != nil && as.Blocked.IsZero() && is.Deactivated.IsZero() && is.Verified == was.Verified && is.Agreement == was.Agreement
}

// alone is the account that a judgement read, where it read nothing else that people
// may take back: approvals, proofs of a company, earlier validations. nil: it did.
func alone(r *review.Report) (account *evidence.Account) {
	for i := range r.Observations {
		l := r.Observations[i].Lookup
		switch {
		case l == nil:
			continue
		case len(l.Approvals)+len(l.Claims)+len(l.Calls)+len(l.Letters)+len(l.People)+len(l.Reviews) > 0:
			return nil
		case l.Checks != nil && len(l.Checks.Validated) > 0:
			return nil
		}
		if l.Account != nil {
			account = l.Account
		}
	}
	return account
}

// keep stores the attempt beside the state of the order that passed.
func (w *atOnce) keep(tx store.Tx, o *store.Order, reviewID string) error {
	w.o, w.review = o, reviewID
	return w.insert(tx, o, w.prepared)
}
