package service

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"assay/cause"
	"assay/internal/store"
	"assay/name"
	"assay/order"
	"assay/profile"
	"assay/review"
)

// A QueueItem is an order that waits for a person.
type QueueItem struct {
	Order   string        `json:"order"`
	Account string        `json:"account"`
	Product order.Product `json:"product"`
	// Name is the first of Names names.
	Name  string `json:"name"`
	Names int    `json:"names"`
	// Causes are what is to be decided.
	Causes []string `json:"causes"`
	// State is "open" (a reviewer has to decide), "asked" (its applicant has to
	// answer) or "closed" (nothing waits).
	State    string    `json:"state"`
	OpenedAt time.Time `json:"opened_at"`
	// DueAt is when the service level ends; Late is whether it has.
	DueAt   time.Time  `json:"due_at"`
	Late    bool       `json:"late,omitempty"`
	AskedAt *time.Time `json:"asked_at,omitempty"`
	UrgedAt *time.Time `json:"urged_at,omitempty"`
	// ClaimedBy is the account of who works on it until ClaimedUntil; absent where
	// nobody does.
	ClaimedBy    string     `json:"claimed_by,omitempty"`
	ClaimedUntil *time.Time `json:"claimed_until,omitempty"`
}

// A QueueQuery narrows the review queue.
type QueueQuery struct {
	State     string // "open" (also where empty), "asked", "closed"
	Product   order.Product
	Account   string
	ClaimedBy string
	// Cursor is where the page before ended, as its answer says; opaque.
	Cursor string
	Limit  int // 1 to 200; 0: 50
}

// A Matter is one finding that a person has to decide.
type Matter struct {
	// Finding is its id in the review, Cause and Subject what it is about.
	Finding string   `json:"finding"`
	Cause   cause.ID `json:"cause"`
	Subject string   `json:"subject"`
	// FourEyes is set where two reviewers have to approve it (EVG 3.2.2.13);
	// AgreedBy is then the first, once there is one.
	FourEyes bool   `json:"four_eyes,omitempty"`
	AgreedBy string `json:"agreed_by,omitempty"`
	// Scope is what an approval counts for: "order" for this order as it was
	// submitted, else later orders of the account for names under this domain.
	Scope string `json:"scope"`
}

// A DecisionView is what a person decided, asked or answered about an order.
type DecisionView struct {
	ID   string `json:"id"`
	Kind string `json:"kind"` // approve, agree, refuse, ask, answer, withdraw
	// Cause and Subject are of the finding it is about; absent where it is about
	// the whole order.
	Cause   string `json:"cause,omitempty"`
	Subject string `json:"subject,omitempty"`
	Scope   string `json:"scope,omitempty"`
	// By and AgreedBy are accounts; an applicant is not shown those of reviewers.
	By       string     `json:"by,omitempty"`
	AgreedBy string     `json:"agreed_by,omitempty"`
	Note     string     `json:"note,omitempty"`
	Refers   string     `json:"refers,omitempty"`
	At       time.Time  `json:"at"`
	Until    *time.Time `json:"until,omitempty"`
	// Withdrawn is set for an approval that was withdrawn.
	Withdrawn bool `json:"withdrawn,omitempty"`
}

// A Docket is an order as a reviewer sees it.
type Docket struct {
	// Item is its place in the queue; absent where it never waited for a person.
	Item  *QueueItem `json:"item,omitempty"`
	Order *View      `json:"order"`
	// Matters are what is to be decided, as of the order's newest review; its
	// number is what a decision refers to.
	Matters []Matter `json:"matters"`
	// Decisions are the newest ones, newest first.
	Decisions []DecisionView `json:"decisions"`
}

// Waiting says for whom an order waits, and since when.
type Waiting struct {
	For   string    `json:"for"` // "reviewer" or "applicant"
	Since time.Time `json:"since"`
	// Due is when the service level of the review ends.
	Due *time.Time `json:"due,omitempty"`
	// Question is what a reviewer asks its applicant.
	Question *DecisionView `json:"question,omitempty"`
	// UrgeFrom is from when on its applicant may urge the reviewer.
	UrgeFrom *time.Time `json:"urge_from,omitempty"`
}

// Queue lists orders that wait for a person, by when the service level ends. next
// is the cursor of the following page, "" at the end.
func (s *Service) Queue(ctx context.Context, p Principal, q QueueQuery) (items []QueueItem, next string, err error) {
	if err := allow(p, MayReadQueue); err != nil {
		return nil, "", err
	}
	f := store.DeskFilter{Tenant: p.Tenant, State: q.State, Product: q.Product, Account: q.Account, ClaimedBy: q.ClaimedBy, Limit: pageSize(q.Limit)}
	switch f.State {
	case "":
		f.State = store.DeskOpen
	case store.DeskOpen, store.DeskAsked, store.DeskClosed:
	default:
		return nil, "", &Problem{Kind: Invalid, Message: "service.one-of", Pairs: []any{"Field", "state", "Value", shownValue(q.State), "Allowed", "open, asked, closed"}}
	}
	at, err := readCursor(q.Cursor)
	if err != nil {
		return nil, "", err
	}
	f.After = store.DeskKeyset{Due: at.Created, Order: at.ID}
	rows, err := s.Store.Desk(ctx, f)
	if err != nil {
		return nil, "", problemOf(err)
	}
	items = make([]QueueItem, len(rows))
	for i := range rows {
		items[i] = s.queueItem(&rows[i])
	}
	if len(rows) == f.Limit {
		last := &rows[len(rows)-1]
		next = writeCursor(store.OrderKeyset{Created: last.Due, ID: last.Order})
	}
	return items, next, nil
}

func (s *Service) queueItem(i *store.DeskItem) QueueItem {
	now := s.now()
	v := QueueItem{
		Order: i.Order, Account: i.Account, Product: i.Product, Name: i.Name, Names: i.Names, Causes: i.Causes, State: i.State, OpenedAt: i.Opened,
		DueAt: i.Due, Late: i.State == store.DeskOpen && now.After(i.Due), AskedAt: optional(i.Asked), UrgedAt: optional(i.Urged),
	}
	if v.Causes == nil {
		v.Causes = []string{}
	}
	if claimed(i, now) {
		v.ClaimedBy, v.ClaimedUntil = i.ClaimedBy, optional(i.ClaimedUntil)
	}
	return v
}

// claimed reports whether somebody works on an item now.
func claimed(i *store.DeskItem, now time.Time) bool {
	return i.ClaimedBy != "" && now.Before(i.ClaimedUntil)
}

// Docket shows an order with what a person has to decide about it.
func (s *Service) Docket(ctx context.Context, p Principal, id string) (*Docket, error) {
	o, err := s.find(ctx, p, id, MayReadQueue)
	if err != nil {
		return nil, err
	}
	d := &Docket{Matters: []Matter{}}
	if d.Order, err = s.load(ctx, o); err != nil {
		return nil, err
	}
	decisions, err := s.Store.Decisions(ctx, o.ID, shownDecisions)
	if err != nil {
		return nil, problemOf(err)
	}
	d.Decisions = decisionViews(decisions, true)
	item, err := s.Store.DeskItem(ctx, p.Tenant, o.ID)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return d, nil
	case err != nil:
		return nil, problemOf(err)
	}
	v := s.queueItem(item)
	d.Item = &v
	if item.State == store.DeskClosed {
		return d, nil
	}
	prof, err := s.profileOf(o.Profile)
	if err != nil {
		return nil, err
	}
	for i := range d.Order.Findings {
		if f := &d.Order.Findings[i]; f.Level == cause.Review {
			d.Matters = append(d.Matters, s.matter(o, prof, f, decisions))
		}
	}
	return d, nil
}

// shownDecisions is how many decisions about an order are shown.
const shownDecisions = 200

func (s *Service) matter(o *store.Order, prof *profile.Profile, f *review.Finding, decisions []store.Decision) Matter {
	m := Matter{Finding: f.ID, Cause: f.Cause, Subject: f.Subject, FourEyes: review.FourEyes(prof, o.Product, f.Cause), Scope: s.scopeOf(o, f)}
	if !m.FourEyes {
		return m
	}
	if first := agreement(decisions, o, f, ""); first != nil {
		m.AgreedBy = first.By
	}
	return m
}

// agreement is the first of four eyes on a finding as it is now, of somebody else
// than by.
func agreement(decisions []store.Decision, o *store.Order, f *review.Finding, by string) *store.Decision {
	gone := withdrawn(decisions)
	for i := range decisions {
		d := &decisions[i]
		if d.Kind == store.DecisionAgree && d.Cause == string(f.Cause) && d.Subject == f.Subject && d.Facts == review.FactsOf(f) &&
			!gone[d.ID] && !d.At.Before(o.Submitted) && (by == "" || !review.SamePerson(d.By, by)) {
			return d
		}
	}
	return nil
}

// withdrawn are the ids of decisions that count no longer.
func withdrawn(decisions []store.Decision) map[string]bool {
	gone := map[string]bool{}
	for i := range decisions {
		if decisions[i].Kind == store.DecisionWithdraw {
			gone[decisions[i].Refers] = true
		}
	}
	return gone
}

// scopeOf is what an approval of a finding counts for: of a cause of policy the
// registrable domain of the name it is about (catalogue B24), else the order.
func (s *Service) scopeOf(o *store.Order, f *review.Finding) string {
	if f.Stage != "policy" {
		return store.ScopeOrder
	}
	clean := name.Parse(f.Subject).Clean
	list := s.orderNames(o.Order)
	i := slices.IndexFunc(list, func(n store.OrderName) bool { return n.Name == clean })
	if i < 0 || list[i].Domain == "" {
		return store.ScopeOrder
	}
	return list[i].Domain
}

// decisionViews shows decisions; staff says whether to staff.
func decisionViews(list []store.Decision, staff bool) []DecisionView {
	gone := withdrawn(list)
	views := make([]DecisionView, len(list))
	for i := range list {
		d := &list[i]
		views[i] = DecisionView{
			ID: d.ID, Kind: d.Kind, Cause: d.Cause, Subject: d.Subject, Scope: d.Scope, By: d.By, AgreedBy: d.AgreedBy, Note: d.Note, Refers: d.Refers,
			At: d.At, Until: optional(d.Until), Withdrawn: gone[d.ID],
		}
		if !staff {
			if d.Kind != store.DecisionAnswer {
				views[i].By = ""
			}
			views[i].AgreedBy = ""
		}
	}
	return views
}

// Decisions lists what people decided, asked and answered about an order, newest
// first.
func (s *Service) Decisions(ctx context.Context, p Principal, id string) ([]DecisionView, error) {
	o, err := s.find(ctx, p, id, MayReadOrders)
	if err != nil {
		return nil, err
	}
	list, err := s.Store.Decisions(ctx, o.ID, shownDecisions)
	if err != nil {
		return nil, problemOf(err)
	}
	return decisionViews(list, p.Role != RoleApplicant), nil
}

// Claim says that a reviewer works on an order: for a while nobody else decides
// about it. Claimed again by the same it lasts longer.
func (s *Service) Claim(ctx context.Context, p Principal, id string) (QueueItem, error) {
	return s.hold(ctx, p, id, "review.claim", func(i *store.DeskItem, prof *profile.Profile) error {
		i.ClaimedBy, i.ClaimedUntil = p.Account, s.now().Add(prof.Desk.Claim())
		return nil
	})
}

// Release ends the own claim. That of somebody else ends by itself.
func (s *Service) Release(ctx context.Context, p Principal, id string) (QueueItem, error) {
	return s.hold(ctx, p, id, "review.release", func(i *store.DeskItem, _ *profile.Profile) error {
		i.ClaimedBy, i.ClaimedUntil = "", time.Time{}
		return nil
	})
}

// hold changes who works on an order.
func (s *Service) hold(ctx context.Context, p Principal, id, action string, change func(*store.DeskItem, *profile.Profile) error) (QueueItem, error) {
	o, prof, err := s.deskOrder(ctx, p, id)
	if err != nil {
		return QueueItem{}, err
	}
	if err := s.mayDecide(ctx, p, o); err != nil {
		return QueueItem{}, err
	}
	return unit(ctx, s, func(tx store.Tx) (QueueItem, error) {
		if err := s.stillReviewer(tx, p); err != nil {
			return QueueItem{}, err
		}
		i, err := s.deskItem(tx, p, o.ID)
		if err != nil {
			return QueueItem{}, err
		}
		if err := change(i, prof); err != nil {
			return QueueItem{}, err
		}
		if err := tx.UpdateDesk(*i); err != nil {
			return QueueItem{}, err
		}
		data := map[string]any{}
		if i.ClaimedBy != "" {
			data["until"] = i.ClaimedUntil.UTC().Format(time.RFC3339)
		}
		return s.queueItem(i), s.audit(tx, p, nil, action, "order:"+o.ID, data)
	})
}

// deskOrder is an order that waits for a person, about which the principal may
// decide.
func (s *Service) deskOrder(ctx context.Context, p Principal, id string) (*store.Order, *profile.Profile, error) {
	o, err := s.find(ctx, p, id, MayDecide)
	if err != nil {
		return nil, nil, err
	}
	i, err := s.Store.DeskItem(ctx, p.Tenant, o.ID)
	if isNotFound(err) || err == nil && i.State == store.DeskClosed {
		return nil, nil, &Problem{Kind: WrongState, Message: "service.desk.none"}
	}
	if err != nil {
		return nil, nil, problemOf(err)
	}
	prof, err := s.profileOf(o.Profile)
	return o, prof, err
}

// deskItem is the place in the queue of an order that waits, and that nobody else
// works on.
func (s *Service) deskItem(tx store.Tx, p Principal, id string) (*store.DeskItem, error) {
	i, err := tx.DeskItem(p.Tenant, id)
	if errors.Is(err, store.ErrNotFound) || err == nil && i.State == store.DeskClosed {
		return nil, &Problem{Kind: WrongState, Message: "service.desk.none"}
	}
	if err != nil {
		return nil, err
	}
	if claimed(i, s.now()) && !review.SamePerson(i.ClaimedBy, p.Account) {
		return nil, &Problem{Kind: Conflict, Message: "service.desk.claimed", Pairs: []any{"By", i.ClaimedBy, "Until", i.ClaimedUntil.UTC().Format(time.RFC3339)}}
	}
	return i, nil
}

// stillReviewer reads inside the unit whether the token and the account that
// decide still may: both may have been ended since the request began.
func (s *Service) stillReviewer(tx store.Tx, p Principal) error {
	ended := &Problem{Kind: Forbidden, Message: "service.desk.ended"}
	t, err := tx.Token(p.Token)
	if errors.Is(err, store.ErrNotFound) {
		return ended
	}
	if err != nil {
		return err
	}
	now := s.now()
	if !t.Revoked.IsZero() || !t.Expires.IsZero() && !now.Before(t.Expires) || t.Tenant != p.Tenant || t.Account != p.Account {
		return ended
	}
	current := Principal{Tenant: t.Tenant, Account: t.Account, Token: t.ID, Role: Role(t.Role), Scopes: t.Scopes}
	if !current.May(MayDecide) {
		return ended
	}
	a, err := tx.Account(p.Tenant, p.Account)
	if errors.Is(err, store.ErrNotFound) || err == nil && !a.Deactivated.IsZero() {
		return ended
	}
	return err
}

// mayDecide refuses somebody who ordered: the account of the order, and whoever
// made, changed or submitted it (EVG 3.2.2.13, 5.2.4).
func (s *Service) mayDecide(ctx context.Context, p Principal, o *store.Order) error {
	own := &Problem{Kind: Forbidden, Message: "service.desk.own", Pairs: []any{"Account", p.Account}}
	if review.SamePerson(o.Account, p.Account) {
		return own
	}
	list, err := s.requesters(ctx, o)
	if err != nil {
		return err
	}
	if slices.ContainsFunc(list, func(by string) bool { return review.SamePerson(by, p.Account) }) {
		return own
	}
	return nil
}

// requesters are the accounts of whoever made, changed or submitted an order.
func (s *Service) requesters(ctx context.Context, o *store.Order) ([]string, error) {
	list := []string{o.Account}
	seen := map[string]bool{}
	for _, action := range []string{"order.draft", "order.edit", "order.submit", "order.resubmit"} {
		f := store.EntryFilter{Tenant: o.Tenant, Order: o.ID, Action: action, Limit: 200}
		for {
			entries, err := s.Store.Entries(ctx, f)
			if err != nil {
				return nil, problemOf(err)
			}
			for i := range entries {
				if actor := entries[i].Actor; !seen[actor] {
					seen[actor] = true
					t, err := s.Store.Token(ctx, actor)
					if err != nil && !errors.Is(err, store.ErrNotFound) {
						return nil, problemOf(err)
					}
					if err == nil && !slices.Contains(list, t.Account) {
						list = append(list, t.Account)
					}
				}
			}
			if len(entries) < f.Limit {
				break
			}
			last := &entries[len(entries)-1]
			f.BeforeAt, f.BeforeID = last.At, last.ID
		}
	}
	return list, nil
}

// findingsOf are those of a stored review.
func findingsOf(r *store.Review) ([]review.Finding, error) {
	var report struct{ Findings []review.Finding }
	if err := json.Unmarshal(r.Report, &report); err != nil {
		return nil, fmt.Errorf("the stored review %s: %w", r.ID, err)
	}
	return report.Findings, nil
}
