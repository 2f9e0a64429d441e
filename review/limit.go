package review

import (
	"cmp"
	"slices"
	"time"

	"assay/cause"
	"assay/evidence"
	"assay/order"
)

// limitRules are about clocks, counters and states. Where each fact comes from:
//
//	the order        submission time, kind, plan, values with their dates
//	the profile      deadlines, lifetimes, quotas, windows
//	topic checks     state of this order, validated names, last manual check,
//	                 counters that are used up, start of a review or revocation
//	topic account    state of the account
//	topic certificate  the certificate that a reissue or renewal replaces
//	topic orders     orders issued earlier, counted in quota.go
var limitRules = []rule{
	{
		causes: []cause.ID{cause.LimitDeadlinePassed}, needs: needSubmission,
		also: []evidence.Topic{evidence.TopicChecks}, run: deadlinePassed,
	},
	{causes: []cause.ID{cause.LimitDeadlinePassed}, topic: evidence.TopicChecks, run: closedByAnotherClock},
	{causes: []cause.ID{cause.LimitRevocationNotValidated}, topic: evidence.TopicChecks, run: revocationNotValidated},
	{
		causes: []cause.ID{cause.LimitTokenExpired}, needs: needChallenge,
		also: []evidence.Topic{evidence.TopicChecks}, run: tokenExpired,
	},
	{causes: []cause.ID{cause.LimitCheckedTooOften}, topic: evidence.TopicChecks, run: checkedTooOften},
	{causes: []cause.ID{cause.LimitRateLimited}, topic: evidence.TopicChecks, run: rateLimited},
	{causes: []cause.ID{cause.LimitWrongState}, topic: evidence.TopicChecks, run: wrongState},
	{causes: []cause.ID{cause.LimitAccountNotReady}, needs: needAccount, topic: evidence.TopicAccount, run: accountNotReady},
	{
		causes: []cause.ID{cause.LimitReissueOrRenewalClosed}, needs: needReplaced,
		topic: evidence.TopicCertificate, run: reissueOrRenewalClosed,
	},
	{causes: []cause.ID{cause.LimitQuotaExceeded}, needs: needNames, topic: evidence.TopicOrders, run: quotaExceeded},
	{causes: []cause.ID{cause.LimitDuplicateCertificate}, needs: needNames, topic: evidence.TopicOrders, run: duplicateCertificate},
}

// checks is what is known of the running of this order; the zero value where
// that is not kept.
func (f *facts) checks() evidence.CheckState {
	if a, ok := f.records(evidence.TopicChecks); ok && a.Checks != nil {
		return *a.Checks
	}
	return evidence.CheckState{}
}

// openNames are the names, as written, that are not known to have been
// validated.
func (f *facts) openNames() []string {
	validated := f.checks().Validated
	var open []string
	for i := range f.names {
		n := &f.names[i]
		if n.same == i && !slices.Contains(validated, n.Clean) && !slices.Contains(validated, n.Text) {
			open = append(open, n.Text)
		}
	}
	return open
}

// deadlinePassed: the time that the order itself has (catalogue B18). It no
// longer runs for an order whose names were all validated, that passed in time, or
// that is through.
func deadlinePassed(f *facts, s *sink) {
	end := f.deadline()
	state := f.checks().State
	if end == nil || !f.at.After(*end) || state == "ready" || state == "issued" || state == "revoked" {
		return
	}
	open := f.openNames()
	if len(f.names) > 0 && len(open) == 0 {
		return
	}
	s.add(cause.LimitDeadlinePassed, "order").with("clock", "order").
		with("submitted", f.Order.SubmittedAt).with("deadline", *end).
		with("period", time.Duration(f.profile.Deadline.Hours)*time.Hour).with("names", open).
		from(f, evidence.TopicChecks)
}

// closedByAnotherClock: a review of the organization without a result, and an
// ACME order that its server calls expired (RFC 8555 7.1.6).
func closedByAnotherClock(f *facts, s *sink) {
	checks := f.checks()
	if days := f.profile.Organization.ReviewDays; f.identity() && days > 0 && !checks.OrganizationReviewSince.IsZero() {
		period := time.Duration(days) * 24 * time.Hour
		if end := checks.OrganizationReviewSince.Add(period); f.at.After(end) {
			s.add(cause.LimitDeadlinePassed, "order").with("clock", "organization-review").
				with("submitted", checks.OrganizationReviewSince).with("deadline", end).with("period", period).
				from(f, evidence.TopicChecks)
		}
	}
	if checks.State == "expired" {
		s.add(cause.LimitDeadlinePassed, "order").with("clock", "acme-order").
			with("submitted", f.Order.SubmittedAt).from(f, evidence.TopicChecks)
	}
}

// revocationNotValidated: a revocation of a DV certificate is validated like
// an order, and within the same time. The records name its start only while it
// waits.
func revocationNotValidated(f *facts, s *sink) {
	requested := f.checks().RevocationRequestedAt
	end, ok := f.profile.Deadline.Of(requested)
	if f.identity() || !ok || !f.at.After(end) {
		return
	}
	s.add(cause.LimitRevocationNotValidated, "order").with("requested", requested).with("deadline", end).
		with("period", time.Duration(f.profile.Deadline.Hours)*time.Hour).
		from(f, evidence.TopicChecks)
}

// tokenExpired: a value of a name that still waits is older than it may be: by
// the profile's lifetime, or by the time at which its CA ends it.
func tokenExpired(f *facts, s *sink) {
	lifetime := time.Duration(f.profile.Deadline.TokenHours) * time.Hour
	validated := f.checks().Validated
	for i := range f.Order.Challenges {
		c := &f.Order.Challenges[i]
		end := c.Expires
		if !c.Created.IsZero() && lifetime > 0 && (end.IsZero() || c.Created.Add(lifetime).Before(end)) {
			end = c.Created.Add(lifetime)
		}
		if end.IsZero() || !f.at.After(end) || slices.Contains(validated, c.Name) {
			continue
		}
		d := s.add(cause.LimitTokenExpired, c.Name).with("expired", end).with("method", string(c.Method)).from(f, evidence.TopicChecks)
		if !c.Created.IsZero() {
			d.with("created", c.Created).with("lifetime", end.Sub(c.Created))
		}
	}
}

// checkedTooOften: a check asked for by hand too soon after the last one. The
// service says which action is asked; without one, a pre-check is by hand and
// a background check is not.
func checkedTooOften(f *facts, s *sink) {
	checks := f.checks()
	gap := time.Duration(f.profile.Limits.ManualCheckMinutes) * time.Minute
	byHand := checks.Action == "check" || checks.Action == "" && f.mode == Precheck
	last := checks.LastManual
	if !byHand || last.IsZero() || last.After(f.at) || !f.at.Before(last.Add(gap)) {
		return
	}
	s.add(cause.LimitCheckedTooOften, "order").with("last", last).with("next", last.Add(gap)).with("gap", gap).
		from(f, evidence.TopicChecks).retry(last.Add(gap))
}

// rateLimited: a counter that the records call used up, until its time.
func rateLimited(f *facts, s *sink) {
	for _, r := range f.checks().Rates {
		if r.Used < r.Limit || !r.RetryAt.IsZero() && !f.at.Before(r.RetryAt) {
			continue
		}
		d := s.add(cause.LimitRateLimited, f.subjectOf(r.Subject)).
			with("counter", r.Name).with("of", r.Subject).with("used", r.Used).with("limit", r.Limit).
			from(f, evidence.TopicChecks).retry(r.RetryAt)
		if r.Window > 0 {
			d.with("window", r.Window)
		}
		if !r.RetryAt.IsZero() {
			d.with("retry", r.RetryAt)
		}
	}
}

// subjectOf is the name of the order, as written, that a record is about, else
// "order".
func (f *facts) subjectOf(recorded string) string {
	for i := range f.names {
		if n := &f.names[i]; recorded != "" && (recorded == n.Clean || recorded == n.Text) {
			return n.Text
		}
	}
	return "order"
}

// wrongState: what is asked is none of the actions that the order's state
// allows, which whoever keeps the order knows.
func wrongState(f *facts, s *sink) {
	checks := f.checks()
	if checks.Action == "" || checks.State == "" || slices.Contains(checks.Allowed, checks.Action) {
		return
	}
	s.add(cause.LimitWrongState, "order").with("action", checks.Action).with("state", checks.State).
		with("allowed", checks.Allowed).from(f, evidence.TopicChecks)
}

// accountNotReady names each condition that the account does not meet.
func accountNotReady(f *facts, s *sink) {
	a, _ := f.records(evidence.TopicAccount)
	if a.Account == nil {
		return // the records do not know the account: nothing is said about it
	}
	add := func(condition string) *draft {
		return s.add(cause.LimitAccountNotReady, "account").with("account", cmp.Or(a.Account.ID, f.Order.Account)).
			with("condition", condition).from(f, evidence.TopicAccount)
	}
	if a.Account.Deactivated {
		add("deactivated")
		return // whatever else it lacks cannot be made good
	}
	if f.profile.Request.AccountVerified && !a.Account.Verified {
		add("not-verified")
	}
	if now := a.Account.CurrentAgreement; now != "" && a.Account.Agreement != now {
		add("agreement").with("current", now).with("accepted", a.Account.Agreement)
	}
	if a.Account.ExternalBindingMissing {
		add("external-binding")
	}
}

// reissueOrRenewalClosed: the certificate that the order starts from does not
// allow it now. Each reason is a finding of its own.
func reissueOrRenewalClosed(f *facts, s *sink) {
	a, _ := f.records(evidence.TopicCertificate)
	c := a.Certificate
	if c == nil {
		c = &evidence.Issued{}
	}
	add := func(reason string) *draft {
		d := s.add(cause.LimitReissueOrRenewalClosed, "order").with("reason", reason).
			with("certificate", cmp.Or(c.Order, f.Order.Replaces)).from(f, evidence.TopicCertificate)
		if !c.NotAfter.IsZero() {
			d.with("not_after", c.NotAfter)
		}
		return d
	}
	limits := &f.profile.Limits
	day := 24 * time.Hour
	left := c.NotAfter.Sub(f.at)
	if f.Order.Kind == order.Reissue {
		if c.State != "issued" && c.State != "reissuing" {
			add("not-issued").with("state", c.State)
		} else if days := limits.ReissueDaysLeft; days > 0 && !c.NotAfter.IsZero() && left <= time.Duration(days)*day {
			add("too-late").with("days", days)
		}
		if n := limits.FreeReissues; n > 0 && c.Free && c.Reissues >= n {
			add("free-used").with("limit", n)
		}
		if c.State == "reissuing" || c.Running != "" {
			add("running").with("running", c.Running)
		}
	}
	if days := limits.RenewalDaysLeft; f.Order.Kind == order.Renewal && days > 0 && !c.NotAfter.IsZero() {
		opens := c.NotAfter.Add(-time.Duration(days) * day)
		switch {
		case f.at.After(c.NotAfter) || c.State == "expired":
			add("expired")
		case f.at.Before(opens):
			add("too-early").with("days", days).with("opens", opens).retry(opens)
		}
	}
	// RFC 9773 5: a certificate is replaced by one order only.
	if c.Replaced && f.Order.Replaces != "" {
		add("replaced")
	}
}
