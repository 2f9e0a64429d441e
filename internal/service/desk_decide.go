package service

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"assay/cause"
	"assay/evidence"
	"assay/internal/message"
	"assay/internal/store"
	"assay/lookup"
	"assay/order"
	"assay/profile"
	"assay/review"
)

// maxReason bounds what a reviewer or an applicant writes, in characters.
const maxReason = 2000

// checkReason refuses a text that is missing, too long or cannot be shown. Lines
// may end in it.
func checkReason(text string) error {
	unseen := func(r rune) bool { return r == utf8.RuneError || !unicode.IsPrint(r) && r != '\n' && r != '\t' }
	switch {
	case strings.TrimSpace(text) == "":
		return &Problem{Kind: Invalid, Message: "service.desk.note"}
	case utf8.RuneCountInString(text) > maxReason:
		return &Problem{Kind: Invalid, Message: "service.note-long", Pairs: []any{"Field", "note", "Most", maxReason}}
	case !utf8.ValidString(text) || strings.ContainsFunc(text, unseen):
		return &Problem{Kind: Invalid, Message: "service.note-form", Pairs: []any{"Field", "note", "Value", shownValue(text)}}
	}
	return nil
}

// An ApprovalRequest approves findings of a review.
type ApprovalRequest struct {
	// Review is the number of the review that was looked at.
	Review int `json:"review"`
	// Findings are the ids of its findings that are approved.
	Findings []string `json:"findings"`
	// Note is why: it is kept, and is evidence in every later review.
	Note string `json:"note"`
	// OrderOnly keeps an approval from counting for later orders.
	OrderOnly bool `json:"order_only,omitempty"`
}

// maxApproved bounds the findings of one approval.
const maxApproved = 100

// Approve lets findings of level review count as information from now on: the
// order is judged again at once. Nothing but a finding of that level can be
// approved, and only as it was looked at: where the newest review says otherwise,
// it has to be looked at again. Where two have to agree, the first does, and the
// second, another person, approves.
func (s *Service) Approve(ctx context.Context, p Principal, id string, version int64, in ApprovalRequest) (*View, error) {
	o, prof, err := s.deskOrder(ctx, p, id)
	if err != nil {
		return nil, err
	}
	if err := checkReason(in.Note); err != nil {
		return nil, err
	}
	if len(in.Findings) == 0 || len(in.Findings) > maxApproved {
		return nil, &Problem{Kind: Invalid, Message: "service.desk.findings", Pairs: []any{"Most", maxApproved}}
	}
	if err := s.mayDecide(ctx, p, o); err != nil {
		return nil, err
	}
	newest, matters, err := s.lookedAt(ctx, o, in)
	if err != nil {
		return nil, err
	}
	gathered, err := s.gatheredBy(ctx, o, prof, p)
	if err != nil {
		return nil, err
	}
	decide := func(tx store.Tx, o *store.Order, i *store.DeskItem, known []store.Decision) (map[string]any, error) {
		if i.Review != newest.ID {
			return nil, errMoved
		}
		done := map[string][]string{}
		for k := range matters {
			d, err := s.approval(o, p, prof, &matters[k], known, in)
			if err != nil {
				return nil, err
			}
			if d.AgreedBy != "" && gathered {
				return nil, &Problem{Kind: Forbidden, Message: "service.desk.gathered", Pairs: []any{"Finding", matters[k].ID}}
			}
			d.Review = newest.ID
			if err := tx.AddDecision(d); err != nil {
				return nil, err
			}
			done[d.Kind] = append(done[d.Kind], matters[k].ID)
		}
		data := map[string]any{"review": newest.ID}
		for kind, ids := range done {
			data[kind] = ids
		}
		// What was begun by one of two goes on by the other.
		i.ClaimedBy, i.ClaimedUntil = "", time.Time{}
		return data, nil
	}
	name := "review.approve"
	if first, err := s.firstOfTwo(ctx, p, o, prof, matters); err != nil {
		return nil, err
	} else if first {
		name = "review.agree"
	}
	return s.decide(ctx, p, id, version, o.Version, name, decide)
}

// gatheredBy reports whether somebody found any of what an EV order rests on: such a
// one does not do the final check (EVG 3.2.2.13).
func (s *Service) gatheredBy(ctx context.Context, o *store.Order, prof *profile.Profile, p Principal) (bool, error) {
	if o.Product != order.EV {
		return false, nil
	}
	r := &lookup.Records{}
	if err := s.fileOf(ctx, o, prof, r); err != nil {
		return false, err
	}
	return slices.ContainsFunc(r.Reviews, func(step evidence.ReviewStep) bool {
		return step.Step == "validated" && review.SamePerson(step.By, p.Account)
	}), nil
}

// firstOfTwo reports whether all that is approved waits for another's approval.
func (s *Service) firstOfTwo(ctx context.Context, p Principal, o *store.Order, prof *profile.Profile, matters []review.Finding) (bool, error) {
	known, err := s.Store.Decisions(ctx, o.ID, shownDecisions)
	if err != nil {
		return false, problemOf(err)
	}
	return !slices.ContainsFunc(matters, func(f review.Finding) bool {
		return !review.FourEyes(prof, o.Product, f.Cause) || agreement(known, o, &f, p.Account) != nil
	}), nil
}

// lookedAt are the findings that are to be approved: as they were in the review
// that was looked at, and as they are in the newest.
func (s *Service) lookedAt(ctx context.Context, o *store.Order, in ApprovalRequest) (newest *store.Review, matters []review.Finding, err error) {
	if in.Review < 1 {
		return nil, nil, &Problem{Kind: Invalid, Message: "service.desk.review"}
	}
	if newest, err = s.Store.Review(ctx, o.ID, 0); err != nil {
		return nil, nil, problemOf(err)
	}
	now, err := findingsOf(newest)
	if err != nil {
		return nil, nil, err
	}
	then := now
	if in.Review != newest.Number {
		looked, err := s.Store.Review(ctx, o.ID, in.Review)
		if err != nil {
			return nil, nil, problemOf(err)
		}
		if then, err = findingsOf(looked); err != nil {
			return nil, nil, err
		}
	}
	seen := map[string]bool{}
	for _, id := range in.Findings {
		if seen[id] {
			continue
		}
		seen[id] = true
		was, is := findingByID(then, id), findingByID(now, id)
		switch {
		case was == nil:
			return nil, nil, &Problem{Kind: Invalid, Message: "service.desk.no-finding", Pairs: []any{"Finding", shownValue(id), "Review", in.Review, "Order", o.ID}}
		case is == nil || is.Level != was.Level || review.FactsOf(is) != review.FactsOf(was):
			return nil, nil, &Problem{Kind: Conflict, Message: "service.desk.moved", Pairs: []any{"Review", in.Review, "Newest", newest.Number, "Order", o.ID}}
		case is.Level != cause.Review:
			return nil, nil, &Problem{Kind: Invalid, Message: "service.desk.level", Pairs: []any{"Finding", id, "Level", string(is.Level)}}
		}
		matters = append(matters, *is)
	}
	return newest, matters, nil
}

func findingByID(list []review.Finding, id string) *review.Finding {
	i := slices.IndexFunc(list, func(f review.Finding) bool { return f.ID == id })
	if i < 0 {
		return nil
	}
	return &list[i]
}

// approval is the decision about one finding: of the one who may alone, or of the
// first or second of two.
func (s *Service) approval(
	o *store.Order, p Principal, prof *profile.Profile, f *review.Finding, known []store.Decision, in ApprovalRequest,
) (store.Decision, error) {
	d, err := s.decision(o, p, store.DecisionApprove, in.Note)
	if err != nil {
		return d, err
	}
	d.Cause, d.Subject, d.Facts, d.Scope = string(f.Cause), f.Subject, review.FactsOf(f), store.ScopeOrder
	if review.FourEyes(prof, o.Product, f.Cause) {
		first := agreement(known, o, f, p.Account)
		if first == nil {
			if agreement(known, o, f, "") != nil {
				return d, &Problem{Kind: Forbidden, Message: "service.desk.agreed", Pairs: []any{"Finding", f.ID}}
			}
			d.Kind = store.DecisionAgree
			return d, nil
		}
		d.AgreedBy, d.Agreed = first.By, first.At
	}
	scope := s.scopeOf(o, f)
	if in.OrderOnly || scope == store.ScopeOrder {
		return d, nil
	}
	d.Scope, d.Facts = scope, review.WordsOf(f)
	if days := prof.Desk.ApprovalDays; days > 0 {
		d.Until = d.At.AddDate(0, 0, days)
	}
	return d, nil
}

// decision begins the record of what somebody decides.
func (s *Service) decision(o *store.Order, p Principal, kind, note string) (store.Decision, error) {
	tail, err := s.random(6)
	now := s.now()
	return store.Decision{
		ID: fmt.Sprintf("%012x%s", now.UnixMicro(), tail), Order: o.ID, Tenant: o.Tenant, Account: o.Account, Kind: kind,
		By: p.Account, Token: p.Token, Note: note, At: now,
	}, err
}

// A verdictOn changes the queue and writes decisions inside the unit; known are the
// decisions before. It says what goes into the audit entry: nothing personal.
type verdictOn func(tx store.Tx, o *store.Order, i *store.DeskItem, known []store.Decision) (map[string]any, error)

// decide is the unit of a reviewer's decision. read is the version at which what
// the decision rests on was read.
func (s *Service) decide(ctx context.Context, p Principal, id string, version, read int64, name string, verdict verdictOn) (*View, error) {
	change := func(tx store.Tx, o *store.Order) ([]store.Due, map[string]any, error) {
		if o.Version != read {
			return nil, nil, errMoved // who ordered, and what, was read before
		}
		if err := s.stillReviewer(tx, p); err != nil {
			return nil, nil, err
		}
		i, err := s.deskItem(tx, p, o.ID)
		if err != nil {
			return nil, nil, err
		}
		known, err := tx.Decisions(o.ID)
		if err != nil {
			return nil, nil, err
		}
		data, err := verdict(tx, o, i, known)
		if err != nil {
			return nil, nil, err
		}
		if err := s.update(tx, o); err != nil {
			return nil, nil, err
		}
		if o.State.Ended() {
			return nil, data, tx.CloseDesk(o.ID, s.now())
		}
		if err := tx.UpdateDesk(*i); err != nil {
			return nil, nil, err
		}
		due, err := s.checkNow(tx, o)
		return due, data, err
	}
	return s.do(ctx, p, id, version, step{needs: MayDecide, name: name, change: change, asks: true})
}

// A Remark is what a reviewer tells an applicant.
type Remark struct {
	// Cause is the catalogue's id of what it is about.
	Cause cause.ID `json:"cause"`
	Note  string   `json:"note"`
}

func (r *Remark) check() error {
	if cause.Lookup(r.Cause) == nil {
		return &Problem{Kind: Invalid, Message: "service.desk.cause", Pairs: []any{"Cause", shownValue(string(r.Cause))}}
	}
	return checkReason(r.Note)
}

// Refuse ends an order with a reviewer's reason, which its applicant sees. What was
// approved of that cause for this order counts no more: submitted again, it would pass with
// it, and no person would look.
func (s *Service) Refuse(ctx context.Context, p Principal, id string, version int64, in Remark) (*View, error) {
	var was *store.Order
	var scopes []string
	v, err := s.remark(ctx, p, id, version, store.DecisionRefuse, in, func(tx store.Tx, o *store.Order, _ *store.DeskItem, known []store.Decision) (map[string]any, error) {
		to, ok := o.State.Next(order.ActionRefuse)
		if !ok {
			return nil, &Problem{Kind: WrongState, Message: "service.wrong-state", Pairs: []any{"Action", message.ID("action.refuse"), "State", message.ID("order.is." + string(o.State))}, Allowed: o.Standing().Allowed(s.now())}
		}
		o.State, o.Phase, o.Reason, o.Paused, o.Ended = to, "", order.FailReviewer, "", s.now()
		var err error
		if was, scopes, err = o, nil, tx.ClearDue(o.ID); err != nil {
			return nil, err
		}
		gone, taken := withdrawn(known), []string{}
		for i := range known {
			d := &known[i]
			if d.Cause != string(in.Cause) || gone[d.ID] || d.Kind != store.DecisionApprove && d.Kind != store.DecisionAgree {
				continue
			}
			if _, err := s.withdraw(tx, o, p, d, in.Note); err != nil {
				return nil, err
			}
			taken = append(taken, d.ID)
			if d.Scope != store.ScopeOrder && d.Scope != "" {
				scopes = append(scopes, d.Scope)
			}
		}
		data := map[string]any{"reason": string(order.FailReviewer)}
		if len(taken) > 0 {
			data["withdrawn"] = taken
		}
		return data, nil
	})
	for _, scope := range scopes { // what passed with it meanwhile
		if err == nil {
			err = s.reopen(ctx, was.Tenant, was.Account, scope)
		}
	}
	return v, err
}

// withdraw takes back an approval, or the first of two.
func (s *Service) withdraw(tx store.Tx, o *store.Order, p Principal, was *store.Decision, note string) (store.Decision, error) {
	d, err := s.decision(o, p, store.DecisionWithdraw, note)
	if err != nil {
		return d, err
	}
	d.Cause, d.Subject, d.Refers = was.Cause, was.Subject, was.ID
	return d, tx.AddDecision(d)
}

// Ask asks the applicant of an order: the reviewer's clock stops until there is an
// answer.
func (s *Service) Ask(ctx context.Context, p Principal, id string, version int64, in Remark) (*View, error) {
	return s.remark(ctx, p, id, version, store.DecisionAsk, in, func(_ store.Tx, _ *store.Order, i *store.DeskItem, _ []store.Decision) (map[string]any, error) {
		if i.State != store.DeskAsked {
			i.Asked = s.now()
		}
		i.State = store.DeskAsked
		return nil, nil
	})
}

func (s *Service) remark(
	ctx context.Context, p Principal, id string, version int64, kind string, in Remark, effect func(store.Tx, *store.Order, *store.DeskItem, []store.Decision) (map[string]any, error),
) (*View, error) {
	o, _, err := s.deskOrder(ctx, p, id)
	if err != nil {
		return nil, err
	}
	if err := in.check(); err != nil {
		return nil, err
	}
	if err := s.mayDecide(ctx, p, o); err != nil {
		return nil, err
	}
	return s.decide(ctx, p, id, version, o.Version, "review."+kind, func(tx store.Tx, o *store.Order, i *store.DeskItem, known []store.Decision) (map[string]any, error) {
		d, err := s.decision(o, p, kind, in.Note)
		if err != nil {
			return nil, err
		}
		d.Cause, d.Review = string(in.Cause), i.Review
		if err := tx.AddDecision(d); err != nil {
			return nil, err
		}
		data := map[string]any{"decision": d.ID, "cause": d.Cause}
		more, err := effect(tx, o, i, known)
		maps.Copy(data, more)
		return data, err
	})
}

// Withdraw takes back an approval or the first of two: from now on it counts no
// more, for this order and for later ones.
func (s *Service) Withdraw(ctx context.Context, p Principal, id string, version int64, decision, note string) (*View, error) {
	o, err := s.find(ctx, p, id, MayDecide)
	if err != nil {
		return nil, err
	}
	if err := checkReason(note); err != nil {
		return nil, err
	}
	counts := func(known []store.Decision) (*store.Decision, error) {
		gone := withdrawn(known)
		k := slices.IndexFunc(known, func(d store.Decision) bool {
			return d.ID == decision && !gone[d.ID] && (d.Kind == store.DecisionApprove || d.Kind == store.DecisionAgree)
		})
		if k < 0 {
			return nil, &Problem{Kind: Invalid, Message: "service.desk.withdrawn", Pairs: []any{"Decision", shownValue(decision), "Order", o.ID}}
		}
		return &known[k], nil
	}
	known, err := s.Store.Decisions(ctx, o.ID, shownDecisions)
	if err != nil {
		return nil, problemOf(err)
	}
	was, err := counts(known)
	if err != nil {
		return nil, err
	}
	if err := s.mayDecide(ctx, p, o); err != nil {
		return nil, err
	}
	change := func(tx store.Tx, o *store.Order) ([]store.Due, map[string]any, error) {
		if err := s.stillReviewer(tx, p); err != nil {
			return nil, nil, err
		}
		known, err := tx.Decisions(o.ID)
		if err != nil {
			return nil, nil, err
		}
		was, err := counts(known)
		if err != nil {
			return nil, nil, err
		}
		d, err := s.withdraw(tx, o, p, was, note)
		if err != nil {
			return nil, nil, err
		}
		data := map[string]any{"decision": d.ID, "refers": d.Refers, "cause": d.Cause}
		if to, ok := o.State.Next(order.ActionReopen); ok { // what passed with it passes no more
			o.State, o.Phase, o.ReadyAt = to, order.PhaseReview, time.Time{}
			if prof, err := s.Profiles(o.Profile); err == nil {
				if err := runsAgain(tx, o, prof, s.now()); err != nil {
					return nil, nil, err
				}
			}
		}
		if err := s.update(tx, o); err != nil {
			return nil, nil, err
		}
		if o.State != order.StatePending {
			return nil, data, nil
		}
		due, err := s.checkNow(tx, o)
		return due, data, err
	}
	v, err := s.do(ctx, p, id, version, step{needs: MayDecide, name: "review.withdraw", change: change, asks: true})
	if err == nil && was.Scope != store.ScopeOrder && was.Scope != "" {
		err = s.reopen(ctx, o.Tenant, o.Account, was.Scope)
	}
	return v, err
}

// Answer is an applicant's answer to a reviewer's question: the reviewer's clock
// goes on with what was left of it.
func (s *Service) Answer(ctx context.Context, p Principal, id string, version int64, note string) (*View, error) {
	if err := allow(p, MayWriteOrders); err != nil {
		return nil, err
	}
	if err := checkReason(note); err != nil {
		return nil, err
	}
	change := func(tx store.Tx, o *store.Order) ([]store.Due, map[string]any, error) {
		i, err := s.waitingItem(tx, o)
		if err != nil {
			return nil, nil, err
		}
		if i.State != store.DeskAsked {
			return nil, nil, &Problem{Kind: WrongState, Message: "service.desk.not-asked", Allowed: o.Standing().Allowed(s.now())}
		}
		d, err := s.decision(o, p, store.DecisionAnswer, note)
		if err != nil {
			return nil, nil, err
		}
		d.Review = i.Review
		if err := tx.AddDecision(d); err != nil {
			return nil, nil, err
		}
		stood := max(s.now().Sub(i.Asked), 0)
		i.State, i.Due, i.Asked = store.DeskOpen, i.Due.Add(stood), time.Time{}
		i.Remind = i.Due
		if err := tx.UpdateDesk(*i); err != nil {
			return nil, nil, err
		}
		if err := s.update(tx, o); err != nil {
			return nil, nil, err
		}
		due, err := s.checkNow(tx, o)
		return due, map[string]any{"decision": d.ID}, err
	}
	return s.do(ctx, p, id, version, step{needs: MayWriteOrders, name: "review.answer", change: change, asks: true})
}

// waitingItem is the place in the queue of an order that waits.
func (s *Service) waitingItem(tx store.Tx, o *store.Order) (*store.DeskItem, error) {
	i, err := tx.DeskItem(o.Tenant, o.ID)
	if isNotFound(err) || err == nil && i.State == store.DeskClosed {
		return nil, &Problem{Kind: WrongState, Message: "service.desk.none", Allowed: o.Standing().Allowed(s.now())}
	}
	return i, err
}

// Urge has the reviewers told that an applicant waits: from when on the service
// level has ended, and once a day.
func (s *Service) Urge(ctx context.Context, p Principal, id string, version int64) (*View, error) {
	change := func(tx store.Tx, o *store.Order) ([]store.Due, map[string]any, error) {
		i, err := s.waitingItem(tx, o)
		if err != nil {
			return nil, nil, err
		}
		if i.State == store.DeskAsked {
			return nil, nil, &Problem{Kind: WrongState, Message: "service.desk.yours", Allowed: o.Standing().Allowed(s.now())}
		}
		prof, err := s.profileOf(o.Profile)
		if err != nil {
			return nil, nil, err
		}
		now := s.now()
		// A clock that was set back must not lock it.
		if from := urgeFrom(o, prof, i); now.Before(from) && !i.Urged.After(now) {
			return nil, nil, &Problem{Kind: TooMany, Message: "service.desk.early", Pairs: []any{"From", from.UTC().Format(time.RFC3339)}, RetryAt: from}
		}
		i.Urged = now
		if err := tx.UpdateDesk(*i); err != nil {
			return nil, nil, err
		}
		if err := s.update(tx, o); err != nil {
			return nil, nil, err
		}
		return nil, nil, nil
	}
	return s.do(ctx, p, id, version, step{needs: MayWriteOrders, name: "review.urge", change: change, asks: true, keeps: true})
}
