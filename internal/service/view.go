package service

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"assay/csr"
	"assay/evidence"
	"assay/internal/store"
	"assay/order"
	"assay/review"
)

// A picture is what a view shows beside the order's row.
type picture struct {
	challenges []order.Challenge
	due        []store.Due
	// report is the newest review, number its place, checks how many saw the same.
	report         *review.Report
	number, checks int
	// waiting says for whom the order waits, refusal what a person refused it for.
	waiting *Waiting
	refusal *DecisionView
	// issuing are what keeps an order that passed from its certificate.
	issuing []review.Finding
	// certificate is that of an issued order.
	certificate *store.CertificateRow
}

// view is an order as its owner sees it.
func (s *Service) view(o *store.Order, beside *picture) *View {
	v := &View{
		ID: o.ID, Tenant: o.Tenant, Account: o.Account, State: o.State, Phase: o.Phase, Reason: o.Reason, Profile: o.Profile,
		CloudStatus: o.Standing().CloudStatus(), Allowed: o.Standing().Allowed(s.now()), Order: o.Order, Challenges: beside.challenges,
		Verdict: review.Verdict(o.Verdict), Findings: []review.Finding{}, Review: beside.number, Checks: beside.checks, Paused: o.Paused,
		CreatedAt: o.Created, SubmittedAt: optional(o.Submitted), Deadline: optional(o.Deadline), ChangedAt: o.Changed,
		EndedAt: optional(o.Ended), Version: o.Version,
	}
	if v.Order != nil && v.Order.CSR != "" && v.Order.CSR == noRequest() {
		shown := *v.Order
		shown.CSR = "" // as it was sent
		v.Order = &shown
	}
	if v.Challenges == nil {
		v.Challenges = []order.Challenge{}
	}
	if r := beside.report; r != nil {
		v.MPIC, v.Lab = r.MPIC, r.Lab
		if r.Findings != nil {
			v.Findings = r.Findings
		}
	}
	if len(beside.issuing) > 0 {
		v.Findings = append(slices.Clone(v.Findings), beside.issuing...)
	}
	if c := beside.certificate; c != nil {
		standing := o.Standing()
		standing.Certificate, standing.NotAfter = c.State, c.NotAfter
		v.CloudStatus, v.Allowed = standing.CloudStatus(), standing.Allowed(s.now())
		v.Certificate = viewOfCertificate(c)
	}
	for _, d := range beside.due {
		if d.Kind == store.DueCheck {
			v.NextCheck = optional(d.At)
		}
	}
	if o.State == order.StatePending && o.Phase == order.PhaseReview {
		v.Waiting = beside.waiting
	}
	if o.Reason == order.FailReviewer {
		v.Refusal = beside.refusal
	}
	return v
}

// noRequest is what is kept where no request was given: a record of that.
func noRequest() string {
	record, _, _ := csr.Scrub("")
	return record
}

// load reads what a view shows of an order.
func (s *Service) load(ctx context.Context, o *store.Order) (*View, error) {
	beside, err := s.picture(ctx, o)
	if err != nil {
		return nil, err
	}
	return s.view(o, beside), nil
}

func (s *Service) picture(ctx context.Context, o *store.Order) (*picture, error) {
	beside := &picture{}
	var err error
	if beside.challenges, err = s.Store.Challenges(ctx, o.ID); err != nil {
		return nil, problemOf(err)
	}
	if beside.due, err = s.Store.DueOf(ctx, o.ID); err != nil {
		return nil, problemOf(err)
	}
	if err := s.people(ctx, o, beside); err != nil {
		return nil, err
	}
	if err := s.certifies(ctx, o, beside); err != nil {
		return nil, err
	}
	s.ruled(o, beside)
	last, err := s.Store.Review(ctx, o.ID, 0)
	if errors.Is(err, store.ErrNotFound) {
		return beside, nil
	}
	if err != nil {
		return nil, problemOf(err)
	}
	beside.report, beside.number, beside.checks = &review.Report{}, last.Number, last.Checks
	if err := json.Unmarshal(last.Report, beside.report); err != nil {
		return nil, fmt.Errorf("the stored review %s: %w", last.ID, err)
	}
	return beside, nil
}

// maxOrderID is far more than the number of any order has.
const maxOrderID = 64

// find reads an order that the principal may see.
func (s *Service) find(ctx context.Context, p Principal, id string, do Permission) (*store.Order, error) {
	o, err := s.reach(ctx, p, id, do)
	if err == nil && !o.Deleted.IsZero() {
		return nil, problemOf(store.ErrNotFound)
	}
	return o, err
}

// reach is find for one that was deleted too.
func (s *Service) reach(ctx context.Context, p Principal, id string, do Permission) (*store.Order, error) {
	if err := allow(p, do); err != nil {
		return nil, err
	}
	if len(id) > maxOrderID {
		return nil, problemOf(store.ErrNotFound)
	}
	o, err := s.Store.Order(ctx, p.Tenant, id)
	if err == nil && !p.sees(o) {
		err = store.ErrNotFound
	}
	return o, problemOf(err)
}

// Order reads one order.
func (s *Service) Order(ctx context.Context, p Principal, id string) (*View, error) {
	o, err := s.find(ctx, p, id, MayReadOrders)
	if err != nil {
		return nil, err
	}
	return s.load(ctx, o)
}

// Orders lists orders, newest first: an applicant's own, everybody else's of the
// tenant. next is the cursor of the following page, "" at the end.
func (s *Service) Orders(ctx context.Context, p Principal, q ListQuery) (items []Summary, next string, err error) {
	if err := allow(p, MayReadOrders); err != nil {
		return nil, "", err
	}
	f := store.OrderFilter{Tenant: p.Tenant, Account: q.Account, State: q.State, Limit: pageSize(q.Limit)}
	if p.Role == RoleApplicant {
		if q.Account != "" && q.Account != p.Account {
			return []Summary{}, "", nil
		}
		f.Account = p.Account
	}
	if f.Before, err = readCursor(q.Cursor); err != nil {
		return nil, "", err
	}
	f.Name, f.Domain = nameAsKept(q.Name), nameAsKept(q.Domain)
	rows, err := s.Store.Orders(ctx, f)
	if err != nil {
		return nil, "", problemOf(err)
	}
	items = make([]Summary, len(rows))
	for i := range rows {
		items[i] = summary(&rows[i])
	}
	if len(rows) == f.Limit {
		last := &rows[len(rows)-1]
		next = writeCursor(store.OrderKeyset{Created: last.Created, ID: last.ID})
	}
	return items, next, nil
}

func summary(o *store.OrderRow) Summary {
	return Summary{
		ID: o.ID, Account: o.Account, State: o.State, Phase: o.Phase, Reason: o.Reason, Product: o.Product, Profile: o.Profile,
		Method: o.Method, Name: o.Name, Names: o.Names, Verdict: review.Verdict(o.Verdict), Paused: o.Paused, CreatedAt: o.Created,
		SubmittedAt: optional(o.Submitted), Deadline: optional(o.Deadline), Version: o.Version,
	}
}

func writeCursor(k store.OrderKeyset) string {
	return base64.RawURLEncoding.EncodeToString([]byte(strconv.FormatInt(k.Created.UnixMicro(), 36) + "." + k.ID))
}

func readCursor(text string) (store.OrderKeyset, error) {
	if text == "" {
		return store.OrderKeyset{}, nil
	}
	raw, err := base64.RawURLEncoding.DecodeString(text)
	at, id, ok := strings.Cut(string(raw), ".")
	micros, e := strconv.ParseInt(at, 36, 64)
	if err != nil || e != nil || !ok || id == "" || len(text) > 200 || strings.ContainsRune(id, 0) || !utf8.ValidString(id) {
		return store.OrderKeyset{}, &Problem{Kind: Invalid, Message: "service.cursor"}
	}
	return store.OrderKeyset{Created: time.UnixMicro(micros).UTC(), ID: id}, nil
}

// Reviews lists an order's reviews, newest first, without their reports.
func (s *Service) Reviews(ctx context.Context, p Principal, id string, before, limit int) ([]ReviewView, error) {
	if _, err := s.find(ctx, p, id, MayReadOrders); err != nil {
		return nil, err
	}
	rows, err := s.Store.Reviews(ctx, id, before, pageSize(limit))
	if err != nil {
		return nil, problemOf(err)
	}
	views := make([]ReviewView, len(rows))
	for i := range rows {
		views[i] = reviewView(&rows[i])
	}
	return views, nil
}

func reviewView(r *store.ReviewRow) ReviewView {
	return ReviewView{
		Number: r.Number, Trigger: r.Trigger, FirstAt: r.First, LastAt: r.Last, Checks: r.Checks, Verdict: review.Verdict(r.Verdict), Causes: r.Causes,
	}
}

// Review reads one review whole, with what it saw, and how that differs from
// the one before. number 0 is the newest.
func (s *Service) Review(ctx context.Context, p Principal, id string, number int) (*ReviewView, error) {
	if _, err := s.find(ctx, p, id, MayReadOrders); err != nil {
		return nil, err
	}
	kept, err := s.Store.Review(ctx, id, number)
	if err != nil {
		return nil, problemOf(err)
	}
	v := reviewView(&kept.ReviewRow)
	if v.Report, err = s.report(ctx, kept); err != nil {
		return nil, err
	}
	if kept.Number == 1 {
		return &v, nil
	}
	before, err := s.Store.Review(ctx, id, kept.Number-1)
	if errors.Is(err, store.ErrNotFound) {
		return &v, nil // retention let it go
	}
	if err != nil {
		return nil, problemOf(err)
	}
	if v.Added, v.Removed, err = s.difference(ctx, kept, before); err != nil {
		return nil, err
	}
	return &v, nil
}

// report puts a stored report and its observations together again.
func (s *Service) report(ctx context.Context, kept *store.Review) (*review.Report, error) {
	r := &review.Report{}
	if err := json.Unmarshal(kept.Report, r); err != nil {
		return nil, fmt.Errorf("the stored review %s: %w", kept.ID, err)
	}
	seen, err := s.Store.Observations(ctx, kept.Order, kept.Seen)
	if err != nil {
		return nil, problemOf(err)
	}
	r.Observations = seen
	return r, nil
}

func (s *Service) difference(ctx context.Context, now, before *store.Review) (added, removed []evidence.Observation, err error) {
	if added, err = s.Store.Observations(ctx, now.Order, without(now.Seen, before.Seen)); err != nil {
		return nil, nil, problemOf(err)
	}
	if removed, err = s.Store.Observations(ctx, now.Order, without(before.Seen, now.Seen)); err != nil {
		return nil, nil, problemOf(err)
	}
	return added, removed, nil
}

func without(list, other []string) []string {
	in := make(map[string]bool, len(other))
	for _, id := range other {
		in[id] = true
	}
	left := []string{}
	for _, id := range list {
		if !in[id] {
			left = append(left, id)
		}
	}
	return left
}

// Events lists what happened to an order after a version, oldest first: that it was
// deleted, too.
func (s *Service) Events(ctx context.Context, p Principal, id string, after int64, limit int) ([]Event, error) {
	if _, err := s.reach(ctx, p, id, MayReadOrders); err != nil {
		return nil, err
	}
	return s.events(ctx, id, after, limit)
}

func (s *Service) events(ctx context.Context, id string, after int64, limit int) ([]Event, error) {
	entries, err := s.Store.OrderEntries(ctx, id, after, pageSize(limit))
	if err != nil {
		return nil, problemOf(err)
	}
	events := make([]Event, len(entries))
	for i := range entries {
		e := &entries[i]
		events[i] = Event{Version: e.OrderVersion, At: e.At, Action: e.Action, Actor: e.Actor}
		if err := json.Unmarshal(e.Data, &events[i].Data); err != nil {
			return nil, fmt.Errorf("audit entry %s: %w", e.ID, err)
		}
	}
	return events, nil
}

// pollEvery is how often a follower looks for what another process changed.
const pollEvery = time.Second

// Wait returns when an order has events after a version, or ctx ends.
func (s *Service) Wait(ctx context.Context, p Principal, id string, after int64) error {
	if _, err := s.reach(ctx, p, id, MayReadOrders); err != nil {
		return err
	}
	changed := s.followers.add(id)
	defer s.followers.remove(id, changed)
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for {
		events, err := s.events(ctx, id, after, 1)
		if ctx.Err() != nil {
			return nil
		}
		if err != nil || len(events) > 0 {
			return err
		}
		select {
		case <-changed:
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
	}
}
