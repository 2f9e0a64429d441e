package service

import (
	"context"
	"slices"
	"strings"
	"time"

	"assay"
	"assay/csr"
	"assay/evidence"
	"assay/internal/store"
	"assay/key"
	"assay/lookup"
	"assay/name"
	"assay/order"
	"assay/profile"
	"assay/review"
)

// records answers a review's questions about what is kept: the operator's lists,
// and what the store knows of the account, of earlier orders and of the running
// of this order. action is what is asked now ("" for a check by schedule). It also
// returns the numbers of the orders that share the CSR or the key.
//
// Other tenants' orders count only once they were validated, and show nothing: a
// CSR that leaked must not let a stranger block its owner (DESIGN, tenants).
func (s *Service) records(ctx context.Context, o *store.Order, action order.Action) (assay.Records, map[string]bool, error) {
	r, sharing, err := s.gather(ctx, o, action)
	if err != nil {
		return nil, nil, err
	}
	kept, err := s.Lists.WithRecords(r)
	return kept, sharing, err
}

// gather reads what records answers from, and the numbers of the orders that
// share the CSR or the key.
func (s *Service) gather(ctx context.Context, o *store.Order, action order.Action) (*lookup.Records, map[string]bool, error) {
	p, err := s.profileOf(o.Profile)
	if err != nil {
		return nil, nil, err
	}
	r := &lookup.Records{
		// Kept here, and empty where nothing is known: looked, found nothing.
		Claims: []evidence.Claim{}, Calls: []evidence.Call{}, Letters: []evidence.Letter{}, People: []evidence.Person{},
		Approvals: []evidence.Approval{}, Orders: []lookup.Order{},
	}
	names, domains := s.coveredBy(o)
	q := store.AroundQuery{Tenant: o.Tenant, Account: o.Account, Past: s.pastQuery(o, p), Profiles: ValidationKeys(o.Profile, o.ID), Domains: domains}
	if review.Reviewable(p, o.Product) {
		q.Scopes, q.At = q.Past.Domains, s.now()
		if o.Version > 0 { // kept: people may have decided about it
			q.Decided, q.Decisions = o.ID, shownDecisions
		}
	}
	around, err := s.Store.Around(ctx, q)
	if err != nil {
		return nil, nil, problemOf(err)
	}
	account := around.Account
	r.Account = &evidence.Account{
		ID: account.ID, Verified: account.Verified, Agreement: account.Agreement, Deactivated: !account.Deactivated.IsZero(),
	}
	if !around.Blocked.IsZero() {
		r.Keys = append(r.Keys, *blockedKey(keyOf(o.Order), around.Blocked))
	}
	if !around.Made.IsZero() {
		r.Keys = append(r.Keys, evidence.Hit{List: "service", Kind: "generated", Entry: keyOf(o.Order), Match: "exact", Date: around.Made})
	}
	if r.Certificate, err = s.replacedCertificate(ctx, o); err != nil {
		return nil, nil, err
	}
	sharing := map[string]bool{}
	for i := range around.Past {
		past := &around.Past[i]
		if past.Shares {
			sharing[past.ID] = true
		}
		if e, ok := pastOrder(past, o); ok {
			r.Orders = append(r.Orders, e)
		}
	}
	if err := s.fileOf(ctx, o, p, r); err != nil {
		return nil, nil, err
	}
	decided(o, around, r)
	r.Checks = s.checkState(o, p, action, notUpstream(o, s.validatedNames(o, p, names, around.Validations)))
	return r, sharing, nil
}

// blockedKey is the entry of a key that is blocked here since a time, nil where it is not.
func blockedKey(keyprint string, at time.Time) *evidence.Hit {
	if at.IsZero() {
		return nil
	}
	return &evidence.Hit{List: "service", Kind: "compromised", Entry: keyprint, Match: "exact", Reason: "revoked", Date: at}
}

// mostSharing bounds how many orders with one CSR or key are compared with.
const mostSharing = 1000

// pastQuery asks for the orders that rules about reuse and quotas compare with:
// whatever was ever submitted with this CSR or key (catalogue B9), and what lies
// within the profile's windows under the order's domains or, where its account has
// a quota, of its account.
func (s *Service) pastQuery(o *store.Order, p *profile.Profile) store.PastQuery {
	q := store.PastQuery{
		Except: o.ID, Tenant: o.Tenant, KeyLimit: mostSharing, Since: s.now().AddDate(0, -max(p.Limits.FreeMonths, 1), 0),
	}
	for _, k := range orderKeys(o.Order) {
		if k.Kind == "csr" {
			q.CSR = k.Digest
		} else {
			q.Key = k.Digest
		}
	}
	for _, n := range s.orderNames(o.Order) {
		if !slices.Contains(q.Domains, n.Domain) {
			q.Domains = append(q.Domains, n.Domain)
		}
	}
	if o.Order.Plan == "free" {
		q.Account = o.Account
	}
	return q
}

// pastOrder is an earlier order as the rules read it; ok is false for one that
// is none of this order's business.
func pastOrder(past *store.PastOrder, o *store.Order) (lookup.Order, bool) {
	if past.Tenant != o.Tenant && !past.Validated {
		return lookup.Order{}, false
	}
	e := lookup.Order{PastOrder: evidence.PastOrder{
		Order: past.ID, Account: past.Account, SubmittedAt: past.Submitted, Kind: string(past.Kind), Product: string(past.Product),
		Names: past.AllNames, CSRSHA256: past.CSR, Keyprint: past.Key, Values: past.Values, Validated: past.Validated,
		State: pastState(past.State),
	}}
	if past.State == order.StateIssued {
		e.IssuedAt = past.Ended
	}
	if past.Tenant != o.Tenant {
		// Whatever accounts are called, it is not the one that asks: what is shown
		// of it is what is shown of a stranger's.
		e.Account = "other than " + o.Account
	}
	return e, true
}

func pastState(s order.State) string {
	switch s {
	case order.StateFailed:
		return "failed"
	case order.StateCancelled, order.StateCancelling:
		return "cancelled"
	case order.StateIssued:
		return "issued"
	}
	return "open"
}

// checkState is what is known of the running of an order.
func (s *Service) checkState(o *store.Order, p *profile.Profile, action order.Action, validated []string) *evidence.CheckState {
	c := &evidence.CheckState{LastManual: o.ManualAt, State: pastState(o.State), Action: string(action)}
	if o.State == order.StateReady {
		c.State = "ready" // it was validated in time, whatever another CA has yet to look for
	}
	if !o.Deadline.Equal(deadlineOf(p, o.Submitted)) {
		c.Deadline = o.Deadline
	}
	if action == "" {
		c.Action = "schedule"
	}
	// Whether the state allows what is asked was judged before, in the unit that
	// does it: here it would be judged on what may have changed since.
	for _, a := range o.Standing().Allowed(s.now()) {
		c.Allowed = append(c.Allowed, string(a))
	}
	if !slices.Contains(c.Allowed, c.Action) {
		c.Allowed = append(c.Allowed, c.Action)
	}
	c.Validated = validated
	return c
}

// orderNames are an order's names for the store's indexes.
func (s *Service) orderNames(o *order.Order) []store.OrderName {
	var names []store.OrderName
	seen := map[string]bool{}
	for _, text := range o.Names {
		n := name.Parse(text)
		if n.Clean == "" || seen[n.Clean] {
			continue
		}
		seen[n.Clean] = true
		domain := n.Clean
		if !n.IP.IsValid() {
			if r := s.Data.Suffix(n.Base, true).Registrable; r != "" {
				domain = r
			} else {
				domain = n.Base
			}
		}
		names = append(names, store.OrderName{Name: n.Clean, Domain: domain})
	}
	return names
}

// nameAsKept is a name, as somebody looks for it, in the form in which names are kept.
func nameAsKept(text string) string {
	if n := name.Parse(strings.TrimSpace(text)); n.Clean != "" {
		return n.Clean
	}
	return strings.ToLower(text)
}

// orderKeys are the digests of an order's CSR; none where it has none that can
// be read.
func orderKeys(o *order.Order) []store.OrderKey {
	if o.CSR == "" {
		return nil
	}
	_, request, problem := csr.Load(o.CSR)
	if problem != nil || request == nil {
		return nil
	}
	keys := []store.OrderKey{{Kind: "csr", Digest: request.SHA256}}
	if print := key.Print(request.Key); print != "" {
		keys = append(keys, store.OrderKey{Kind: "key", Digest: print})
	}
	return keys
}

// deadlineOf is when an order submitted at a time must have passed.
func deadlineOf(p *profile.Profile, submitted time.Time) time.Time {
	end, ok := p.Deadline.Of(submitted)
	if !ok {
		return time.Time{}
	}
	return end
}
