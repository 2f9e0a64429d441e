package service

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"assay/cause"
	"assay/evidence"
	"assay/internal/store"
	"assay/order"
	"assay/profile"
	"assay/review"
)

// A Trial says what other rules, or the same at another time, make of stored
// reviews. Nothing is dialled: what was seen then is judged again.
type Trial struct {
	// Judged is how many reviews were judged again, Skipped how many hold too
	// little (their data were erased).
	Judged  int `json:"judged"`
	Skipped int `json:"skipped,omitempty"`
	// Renewals is for how many of the judged reviews a certificate was issued that is to
	// be renewed.
	Renewals int `json:"renewals,omitempty"`
	// Changed are the orders whose verdict would be another; at most [MaxChanged].
	Changed []Changed `json:"changed"`
	// More is how many further ones there are.
	More int `json:"more,omitempty"`
	// Unfinished is set where the time that such a walk may take was over before
	// every order was looked through: the rest was not judged.
	Unfinished bool `json:"unfinished,omitempty"`
}

// MaxChanged bounds the orders that a trial lists.
const MaxChanged = 1000

// A Changed is one order whose verdict would be another.
type Changed struct {
	Order string `json:"order"`
	// Renewal is set where the order's certificate is in force: what would be judged
	// otherwise is an order like it, that renews it.
	Renewal bool           `json:"renewal,omitempty"`
	Name    string         `json:"name"`
	State   order.State    `json:"state"`
	Profile string         `json:"profile"`
	Was     review.Verdict `json:"was"`
	Would   review.Verdict `json:"would"`
	// Added are findings that would be in the way, or at another level than now; Gone
	// the causes that would not be any more.
	Added []review.Finding `json:"added"`
	Gone  []cause.ID       `json:"gone"`
}

// TryProfile judges the newest review of every order of the tenant that was
// reviewed by a profile of the same name, or by one the new one inherits from,
// again by the new one.
func (s *Service) TryProfile(ctx context.Context, p Principal, toml []byte, lang cause.Language) (*Trial, error) {
	if err := allow(p, MayTryProfiles); err != nil {
		return nil, err
	}
	fresh, err := profile.Parse(toml)
	if err != nil {
		return nil, &Problem{Kind: Invalid, Message: "service.profile-file", Pairs: []any{"Why", err.Error()}, Err: err}
	}
	all := store.ReviewFilter{Tenant: p.Tenant}
	// No answer to a request is kept: findings show what an erasure is to take away,
	// and a trial that is asked for again changes nothing.
	return s.trial(ctx, p, all, lang, func(r *review.Report) (*profile.Profile, time.Time) {
		if r.Profile.Name != fresh.Name && r.Profile.Name != fresh.Inherits {
			return nil, time.Time{}
		}
		return fresh, r.At
	})
}

// farthestForecast is how many years ahead a forecast looks: rules that begin later
// are announced by nobody.
const farthestForecast = 20

// Forecast judges the newest review of every open order of the tenant, and of every
// certificate that is to be renewed, as of a later time: which will the dated rules
// fail, and why. The order and its values move along, and lists count as young as
// they were, so that nothing fails for having grown old.
func (s *Service) Forecast(ctx context.Context, p Principal, at time.Time, lang cause.Language) (*Trial, error) {
	if err := allow(p, MayReadOrders); err != nil {
		return nil, err
	}
	if !at.After(s.now()) {
		return nil, &Problem{Kind: Invalid, Message: "service.forecast-past", Pairs: []any{"At", at.Format(time.RFC3339)}}
	}
	if last := s.now().AddDate(farthestForecast, 0, 0); at.After(last) {
		return nil, &Problem{Kind: Invalid, Message: "service.forecast-far", Pairs: []any{"At", at.Format(time.RFC3339), "Years", farthestForecast}}
	}
	open := store.ReviewFilter{Tenant: p.Tenant, Open: true, Issued: true}
	if p.Role == RoleApplicant {
		open.Account = p.Account
	}
	return s.trial(ctx, p, open, lang, func(r *review.Report) (*profile.Profile, time.Time) {
		prof, err := s.profileOf(r.Profile.Name)
		if err != nil {
			return nil, time.Time{}
		}
		return prof, at
	})
}

// trial judges reviews again, by the profile and at the time that with says; nil
// leaves one out.
func (s *Service) trial(
	ctx context.Context, p Principal, f store.ReviewFilter, lang cause.Language, with func(*review.Report) (*profile.Profile, time.Time),
) (*Trial, error) {
	bounded, end, err := s.job(ctx, p.Tenant)
	if err != nil {
		return nil, err
	}
	defer end()
	t := &Trial{Changed: []Changed{}}
	f.Newest, f.Seen = true, true
	err = s.Store.EachReview(bounded, f, func(kept *store.OrderReview) error {
		if err := bounded.Err(); err != nil {
			return err
		}
		r := &review.Report{}
		if err := json.Unmarshal(kept.Review.Report, r); err != nil || kept.Lost || r.Order == nil {
			t.Skipped++
			return nil
		}
		r.Observations = kept.Seen
		prof, at := with(r)
		if prof == nil {
			return nil
		}
		t.Judged++
		renewal := f.Issued && kept.Order.State == order.StateIssued
		if renewal {
			t.Renewals++
			r.Order = asRenewal(r.Order)
		}
		if c := s.judgedAgain(r, kept.Order, prof, at, lang); c != nil {
			c.Renewal = renewal
			t.add(c)
		}
		return nil
	})
	if err != nil && bounded.Err() != nil && ctx.Err() == nil {
		t.Unfinished, err = true, nil
	}
	if err != nil {
		return nil, problemOf(fmt.Errorf("judging stored reviews again: %w", err))
	}
	return t, nil
}

// asRenewal is what an order asks for as one that renews its certificate asks for it:
// dates were the old certificate's. It is of the kind that it was: what a renewal alone
// is judged by was not looked at.
func asRenewal(o *order.Order) *order.Order {
	if o.Validity == nil || o.Validity.NotAfter.IsZero() {
		return o
	}
	next := *o
	next.Validity = nil
	return &next
}

func (t *Trial) add(c *Changed) {
	if len(t.Changed) == MaxChanged {
		t.More++
		return
	}
	t.Changed = append(t.Changed, *c)
}

// judgedAgain returns nil where the verdict stays as it was.
func (s *Service) judgedAgain(old *review.Report, o *store.OrderRow, prof *profile.Profile, at time.Time, lang cause.Language) *Changed {
	again := s.again(old, prof, at)
	if !at.Equal(old.At) {
		withoutAge(again)
	}
	if again.Verdict == old.Verdict {
		return nil
	}
	again.Localize(lang)
	c := &Changed{Order: o.ID, Name: o.Name, State: o.State, Profile: prof.Name, Was: old.Verdict, Would: again.Verdict, Added: []review.Finding{}, Gone: []cause.ID{}}
	for i := range again.Findings {
		if f := &again.Findings[i]; f.Level.Blocks() && levelIn(old, f.ID) != f.Level {
			c.Added = append(c.Added, *f)
		}
	}
	for i := range old.Findings {
		if f := &old.Findings[i]; f.Level.Blocks() && !levelIn(again, f.ID).Blocks() && !slices.Contains(c.Gone, f.Cause) {
			c.Gone = append(c.Gone, f.Cause)
		}
	}
	return c
}

// levelIn is the level of a finding in a report, [cause.Pass] where it is not in it.
func levelIn(r *review.Report, id string) cause.Level {
	if i := slices.IndexFunc(r.Findings, func(f review.Finding) bool { return f.ID == id }); i >= 0 {
		return r.Findings[i].Level
	}
	return cause.Pass
}

// again judges what was seen once more.
func (s *Service) again(old *review.Report, prof *profile.Profile, at time.Time) *review.Report {
	in := review.Input{
		Profile: prof, Perspectives: old.Perspectives, Seen: old.Observations, At: at, Mode: old.Mode, Scope: old.Scope,
	}
	o := old.Order
	if !at.Equal(old.At) {
		// As if submitted then: the order's own clocks are no dated rule.
		later := *o
		shift := at.Sub(old.At)
		if !later.SubmittedAt.IsZero() {
			later.SubmittedAt = later.SubmittedAt.Add(shift)
		}
		later.Challenges = slices.Clone(o.Challenges)
		for i := range later.Challenges {
			c := &later.Challenges[i]
			if !c.Created.IsZero() {
				c.Created = c.Created.Add(shift)
			}
			if !c.Expires.IsZero() {
				c.Expires = c.Expires.Add(shift)
			}
		}
		o, in.Seen = &later, shifted(in.Seen, shift)
	}
	return review.Prepare(o, s.Data).Judge(in)
}

// shifted is what was seen, with the order's own deadline so much later.
func shifted(seen []evidence.Observation, by time.Duration) []evidence.Observation {
	seen = slices.Clone(seen)
	for i := range seen {
		o := &seen[i]
		if o.Lookup == nil || o.Lookup.Checks == nil || o.Lookup.Checks.Deadline.IsZero() {
			continue
		}
		answer, checks := *o.Lookup, *o.Lookup.Checks
		checks.Deadline = checks.Deadline.Add(by)
		answer.Checks = &checks
		o.Lookup = &answer
	}
	return seen
}

// withoutAge takes out of a report of another time that lists are too old then.
func withoutAge(r *review.Report) {
	kept := r.Findings[:0:0]
	gravest := review.VerdictPass
	for i := range r.Findings {
		f := &r.Findings[i]
		if f.Cause == cause.PolicyInputUnavailable && f.Parameters["state"] == "stale" {
			continue
		}
		kept = append(kept, *f)
		if f.Level.Blocks() && (gravest == review.VerdictPass || f.Level.Rank() < cause.Level(gravest).Rank()) {
			gravest = review.Verdict(f.Level)
		}
	}
	r.Findings, r.Verdict = kept, gravest
}
