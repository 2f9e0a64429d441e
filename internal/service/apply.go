package service

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"assay"
	"assay/csr"
	"assay/internal/store"
	"assay/order"
	"assay/profile"
	"assay/review"
)

// maxNames bounds the names of one order, whatever the profile: the largest
// certificates that browsers take have a few thousand.
const maxNames = 1000

// maxNameBytes is four times what a name has at most (RFC 1035 2.3.4): below it
// the review says what is wrong with a name, in its own words.
const maxNameBytes = 1024

// errRaced: between the review and the unit another order came with the same key.
var errRaced = errors.New("another order with this CSR or key came meanwhile")

// Apply takes an order: it is reviewed as it stands (nothing is dialled), and
// unless that refuses it, it is kept, gets its validation values, and is looked
// at at once. A draft is kept whatever the review says, and submitted later.
func (s *Service) Apply(ctx context.Context, p Principal, in Application) (*View, error) {
	if err := allow(p, MayWriteOrders); err != nil {
		return nil, err
	}
	if err := s.checkOffered(p, in.Profile); err != nil {
		return nil, err
	}
	prof, err := s.profileOf(in.Profile)
	if err != nil {
		return nil, err
	}
	s.crowd.enter()
	defer s.crowd.leave()
	for attempt := 0; ; attempt++ {
		v, err := s.apply(ctx, p, in, prof)
		if again := errors.Is(err, errRaced) || errors.Is(err, store.ErrTaken); again && attempt < retries {
			continue // the review now sees the other order; or with another number
		}
		return v, racedProblem(err)
	}
}

// racedProblem is problemOf for who lost the race each time.
func racedProblem(err error) error {
	if errors.Is(err, errRaced) {
		return &Problem{Kind: Conflict, Message: "service.conflict", Err: err}
	}
	return problemOf(err)
}

// checkOffered refuses a profile that the operator does not let applicants name.
// Whether there is one of that name is not told.
func (s *Service) checkOffered(p Principal, asked string) error {
	if asked == "" || s.Offered == nil || p.Role == RoleAdministrator || slices.Contains(s.Offered, asked) {
		return nil
	}
	return &Problem{Kind: Forbidden, Message: "service.profile-offered", Pairs: []any{"Profile", asked, "Offered", strings.Join(s.Offered, ", ")}}
}

func (s *Service) profileOf(asked string) (*profile.Profile, error) {
	if asked == "" {
		asked = s.Profile
	}
	p, err := s.Profiles(asked)
	if err != nil {
		return nil, &Problem{Kind: Invalid, Message: "service.profile", Pairs: []any{"Profile", asked}, Err: err}
	}
	return p, nil
}

func (s *Service) apply(ctx context.Context, p Principal, in Application, prof *profile.Profile) (*View, error) {
	o, err := s.intake(p, &in, prof)
	if err != nil {
		return nil, err
	}
	if err := s.checkReplaced(ctx, o); err != nil {
		return nil, err
	}
	if in.Draft {
		if err := s.checkDrafts(ctx, o); err != nil {
			return nil, err
		}
	}
	challenges, err := s.challenges(o.Order, prof, o.Created)
	if err != nil {
		return nil, err
	}
	if !in.Draft {
		if err := s.submit(ctx, o, prof); err != nil {
			return nil, err
		}
	}
	recs, sharing, err := s.recordsOfNew(ctx, o)
	if err != nil {
		return nil, err
	}
	report, err := s.judgeBy(ctx, recs, o, challenges, prof)
	if err != nil {
		return nil, err
	}
	if o.Review, err = s.timed(); err != nil {
		return nil, err
	}
	if report.Verdict == review.VerdictRefuse && !in.Draft {
		return nil, &Problem{Kind: Refused, Message: "service.refused", Report: report}
	}
	if !in.Draft {
		if err := s.checkReplacing(ctx, o); err != nil {
			return nil, err
		}
	}
	extra := store.NewOrder{Names: s.orderNames(o.Order), Keys: orderKeys(o.Order), Challenges: challenges}
	if !in.Draft {
		extra.Due = s.firstDue(o, o.Submitted)
	}
	packed, err := packReview(o, report, "submit", nil)
	if err != nil {
		return nil, err
	}
	v, err := unit(ctx, s, func(tx store.Tx) (*View, error) {
		if err := raced(tx, o, extra.Keys, sharing); err != nil {
			return nil, err
		}
		written := *o
		if err := tx.InsertOrder(&written, extra); err != nil {
			return nil, err
		}
		if err := keepReview(tx, packed, written.Review, s.now()); err != nil {
			return nil, err
		}
		if !in.Draft {
			if err := s.claimReplaced(tx, &written); err != nil {
				return nil, err
			}
		}
		action := "order.submit"
		if in.Draft {
			action = "order.draft"
		}
		data := map[string]any{"state": string(o.State), "names": o.Names, "profile": o.Profile, "product": string(o.Product), "verdict": o.Verdict}
		if err := s.audit(tx, p, &written, action, "", data); err != nil {
			return nil, err
		}
		return s.view(&written, &picture{challenges: challenges, due: extra.Due, report: report, number: 1, checks: 1}), nil
	})
	if err == nil {
		s.wake()
	}
	return v, err
}

// intake makes the order's row out of what was asked for.
func (s *Service) intake(p Principal, in *Application, prof *profile.Profile) (*store.Order, error) {
	own := in.Order
	if err := notYours(&own); err != nil {
		return nil, err
	}
	if own.Account == "" || p.Role == RoleApplicant && own.Account == p.Account {
		own.Account = p.Account
	} else if p.Role != RoleAdministrator {
		return nil, &Problem{Kind: Forbidden, Message: "service.other-account", Pairs: []any{"Account", own.Account}}
	} else if err := checkAccountID("account", own.Account); err != nil {
		return nil, err
	}
	if end := own.ServiceUntil; !end.IsZero() && (!end.After(s.now()) || end.After(s.now().AddDate(mostYears, 0, 0))) {
		return nil, &Problem{Kind: Invalid, Message: "service.series", Pairs: []any{"Most", mostYears}}
	}
	own.Tenant = p.Tenant
	complete(&own, prof)
	// A private key that was pasted goes no further.
	own.CSR, _, _ = csr.Scrub(own.CSR)
	now := s.now()
	id, err := order.NewNumber(s.Rand, now)
	if err != nil {
		return nil, err
	}
	own.ID = id
	o := &store.Order{Order: &own, OrderRow: store.OrderRow{
		ID: id, Tenant: p.Tenant, Account: own.Account, State: order.StateDraft, Product: own.Product, Kind: own.Kind,
		Profile: prof.Name, Method: own.Method, Names: len(own.Names), Created: now, Changed: now,
	}}
	if names := s.orderNames(&own); len(names) > 0 {
		o.Name = names[0].Name
	}
	return o, nil
}

// mostYears is how many years a series of certificates may be ordered for.
const mostYears = 10

// checkReplaced refuses an order that says it replaces one that the account does
// not have: which it may not even know of is told the same.
func (s *Service) checkReplaced(ctx context.Context, o *store.Order) error {
	id := o.Order.Replaces
	if id == "" {
		return nil
	}
	unknown := &Problem{Kind: Invalid, Message: "service.replaces", Pairs: []any{"Order", id}}
	if id == o.ID || len(id) > maxOrderID {
		return unknown
	}
	replaced, err := s.Store.Order(ctx, o.Tenant, id)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return unknown
	case err != nil:
		return problemOf(err)
	case replaced.Account != o.Account || !replaced.Deleted.IsZero() || replaced.State == order.StateDraft:
		return unknown
	}
	return nil
}

// checkReplacing refuses an order in the place of a certificate that was replaced, the
// reissue of one that has ended, as it would end with that one, and a renewal for other
// names: a profile may have no rule about it. See [Service.claimReplaced], too.
func (s *Service) checkReplacing(ctx context.Context, o *store.Order) error {
	if o.Order.Replaces == "" {
		return nil
	}
	c, err := s.Store.Certificate(ctx, o.Tenant, o.Order.Replaces)
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	if err != nil {
		return problemOf(err)
	}
	if o.Kind == order.Reissue && !c.NotAfter.After(s.now()) {
		return &Problem{Kind: WrongState, Message: "service.reissue-ended", Pairs: []any{"ID", c.ID, "End", c.NotAfter.UTC().Format(time.RFC3339)}}
	}
	if err := s.checkNewest(ctx, c, o.Kind); err != nil {
		return err
	}
	return s.checkRenewalNames(ctx, o, c)
}

// checkDrafts refuses one draft more than an account may have.
func (s *Service) checkDrafts(ctx context.Context, o *store.Order) error {
	n, err := s.Store.CountDrafts(ctx, o.Tenant, o.Account, s.Drafts)
	if err != nil {
		return problemOf(err)
	}
	if n >= s.Drafts {
		return &Problem{Kind: Forbidden, Message: "service.drafts", Pairs: []any{"Account", o.Account, "Most", s.Drafts}}
	}
	return nil
}

// complete fills in what an applicant may leave out.
func complete(o *order.Order, prof *profile.Profile) {
	if o.Product == "" {
		o.Product = order.DV
	}
	if o.Kind == "" {
		o.Kind = order.New
	}
	if o.Method == "" && len(prof.Methods) > 0 {
		o.Method = prof.Methods[0].Name
	}
}

// notYours refuses what only the service says.
func notYours(o *order.Order) error {
	field := ""
	switch {
	case o.ID != "":
		field = "id"
	case o.Tenant != "":
		field = "tenant"
	case !o.SubmittedAt.IsZero():
		field = "submitted_at"
	case len(o.Challenges) > 0:
		field = "challenges"
	}
	if field != "" {
		return &Problem{Kind: Invalid, Message: "service.not-yours", Pairs: []any{"Field", field}}
	}
	if len(o.Names) == 0 {
		return &Problem{Kind: Invalid, Message: "service.no-names"}
	}
	if len(o.Names) > maxNames {
		return &Problem{Kind: Invalid, Message: "service.too-many-names", Pairs: []any{"Most", maxNames}}
	}
	for i, n := range o.Names {
		if len(n) > maxNameBytes {
			return &Problem{Kind: Invalid, Message: "service.name-too-long", Pairs: []any{"Number", i + 1, "Bytes", len(n)}}
		}
	}
	return nil
}

// submit starts the order's clock.
func (s *Service) submit(ctx context.Context, o *store.Order, prof *profile.Profile) error {
	filed, err := s.adopt(ctx, o, prof)
	if err != nil {
		return err
	}
	now := s.now()
	o.State = order.SubmitTo(o.Product, prof.Organization.LetterRequired && !filed)
	o.Phase, o.Reason, o.Paused, o.Identical = order.PhasePreReview, "", "", 0
	o.Submitted, o.Deadline, o.Changed, o.Ended = now, deadlineOf(prof, now), now, time.Time{}
	o.Validated = time.Time{} // names and key may be others
	o.Order.SubmittedAt = now
	return nil
}

// firstDue is what is due for an order that was just submitted and is looked at
// first at a time.
func (s *Service) firstDue(o *store.Order, check time.Time) []store.Due {
	due := []store.Due{{Kind: store.DueCheck, At: check}}
	if !o.Deadline.IsZero() {
		due = append(due,
			store.Due{Kind: store.DueDeadline, At: o.Deadline},
			store.Due{Kind: store.DueReminder, At: o.Submitted.Add(o.Deadline.Sub(o.Submitted) / 2)})
	}
	return due
}

// recordsOfNew are the records for a new order; its account is made where this is
// its first one.
func (s *Service) recordsOfNew(ctx context.Context, o *store.Order) (assay.Records, map[string]bool, error) {
	recs, sharing, err := s.records(ctx, o, order.ActionSubmit)
	if !errors.Is(err, store.ErrNotFound) {
		return recs, sharing, err
	}
	if err := s.Store.Write(ctx, func(tx store.Tx) error { return s.ensureAccount(tx, o.Tenant, o.Account, false) }); err != nil {
		return nil, nil, problemOf(err)
	}
	return s.records(ctx, o, order.ActionSubmit)
}

// judge reviews an order as it stands: nothing is dialled. It also returns the numbers of the
// orders with the same CSR or key that the review knew of.
func (s *Service) judge(
	ctx context.Context, o *store.Order, challenges []order.Challenge, prof *profile.Profile, action order.Action,
) (*review.Report, map[string]bool, error) {
	recs, sharing, err := s.records(ctx, o, action)
	if err != nil {
		return nil, nil, err
	}
	report, err := s.judgeBy(ctx, recs, o, challenges, prof)
	return report, sharing, err
}

// judgeBy is judge with the records there are.
func (s *Service) judgeBy(ctx context.Context, recs assay.Records, o *store.Order, challenges []order.Challenge, prof *profile.Profile) (*review.Report, error) {
	whole := *o.Order
	whole.Challenges = challenges
	r := assay.Reviewer{Profile: prof, Data: s.Data, Records: recs, Lang: "-", Mode: review.Attempt, Now: s.now}
	report, err := r.Review(ctx, &whole)
	if err == nil {
		o.Verdict = string(report.Verdict)
	}
	return report, err
}

// raced reports whether, since the review looked, another order that counts came
// with the same CSR or key, or came to count. The store lets one unit at a time ask
// for a key.
func raced(tx store.Tx, o *store.Order, keys []store.OrderKey, known map[string]bool) error {
	ids, err := tx.LockKeys(o.Tenant, keys...)
	if err != nil {
		return err
	}
	if racedBy(ids, o, known) {
		return errRaced
	}
	return nil
}

func racedBy(ids []string, o *store.Order, known map[string]bool) bool {
	return slices.ContainsFunc(ids, func(id string) bool { return id != o.ID && !known[id] })
}
