package review

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"assay/cause"
	"assay/evidence"
	"assay/order"
	"assay/profile"
)

// planFree is the plan whose orders count against the free quota.
const planFree = "free"

// quotaExceeded: the two counters of free orders (catalogue B21), and the
// bucket of certificates for each registrable domain.
func quotaExceeded(f *facts, s *sink) {
	a, _ := f.records(evidence.TopicOrders)
	// A reissue is no order more.
	if f.Order.Plan == planFree && f.Order.Kind != order.Reissue {
		f.freeQuota(s, a.Orders)
	}
	f.domainBucket(s, a.Orders)
}

// freeQuota counts free orders issued in the profile's window. The counter of
// the account is given back by a revocation, the one of a domain is not; it
// counts every account's.
func (f *facts) freeQuota(s *sink, orders []evidence.PastOrder) {
	limits := &f.profile.Limits
	add := func(subject, counter string, limit int, issued []time.Time) *draft {
		if limit == 0 || len(issued) < limit {
			return nil
		}
		slices.SortFunc(issued, time.Time.Compare)
		// So many must leave the window that one more fits.
		next := issued[len(issued)-limit].AddDate(0, limits.FreeMonths, 0)
		return s.add(cause.LimitQuotaExceeded, subject).with("counter", counter).with("relief", counter).with("used", len(issued)).
			with("limit", limit).with("months", limits.FreeMonths).with("retry", next).
			from(f, evidence.TopicOrders).retry(next)
	}
	counts := func(o *evidence.PastOrder) bool {
		return o.Free && o.Kind != string(order.Reissue) && !o.IssuedAt.IsZero() && !o.IssuedAt.After(f.at) &&
			o.IssuedAt.AddDate(0, limits.FreeMonths, 0).After(f.at)
	}
	var own []time.Time
	for i := range orders {
		if o := &orders[i]; o.Own && o.State != "revoked" && counts(o) {
			own = append(own, o.IssuedAt)
		}
	}
	add("order", "account", limits.FreePerAccount, own)
	for subject, domain := range f.domainsOf((*nameFact).registrable) {
		var issued []time.Time
		for i := range orders {
			if o := &orders[i]; counts(o) && f.under(o, domain, true) {
				issued = append(issued, o.IssuedAt)
			}
		}
		add(subject, "domain", limits.FreePerDomain, issued).with("domain", domain)
	}
}

// domainBucket is the token bucket of certificates under a registrable domain
// by the whole public suffix list. A renewal neither needs a token nor took one.
func (f *facts) domainBucket(s *sink, orders []evidence.PastOrder) {
	bucket := f.profile.Limits.PerDomain
	if bucket.Size == 0 {
		return
	}
	first := f.firstIssued(orders)
	if f.renews(first) {
		return
	}
	// An earlier order renewed where its set of names had been issued before it;
	// of an order shown in part that cannot be told.
	renewed := func(o *evidence.PastOrder) bool {
		return o.Kind == string(order.Renewal) || !o.Partial && first[nameSet(o.Names)].Before(o.IssuedAt)
	}
	whole := func(n *nameFact) string {
		if n.isIP() || len(n.Labels) < 2 {
			return ""
		}
		return n.suffix().Registrable
	}
	for subject, domain := range f.domainsOf(whole) {
		var taken []time.Time
		for i := range orders {
			if o := &orders[i]; f.under(o, domain, false) && !renewed(o) {
				taken = append(taken, o.IssuedAt)
			}
		}
		used, next := draw(bucket, taken, f.at)
		if next.IsZero() {
			continue
		}
		s.add(cause.LimitQuotaExceeded, subject).with("counter", "bucket").with("relief", "bucket").with("domain", domain).with("used", used).
			with("limit", bucket.Size).with("refill", minutes(bucket.RefillMinutes)).with("retry", next).
			from(f, evidence.TopicOrders).retry(next)
	}
}

// duplicateCertificate: the bucket of one exact set of names. An order that
// says which certificate it replaces (RFC 9773) needs no token.
func duplicateCertificate(f *facts, s *sink) {
	bucket := f.profile.Limits.PerExactName
	if bucket.Size == 0 || f.Order.Replaces != "" {
		return
	}
	a, _ := f.records(evidence.TopicOrders)
	set := nameSet(f.cleanNames())
	var taken []time.Time
	var latest evidence.PastOrder
	for i := range a.Orders {
		o := &a.Orders[i]
		if o.Partial || nameSet(o.Names) != set {
			continue
		}
		taken = append(taken, o.IssuedAt)
		if o.IssuedAt.After(latest.IssuedAt) && !o.IssuedAt.After(f.at) {
			latest = *o
		}
	}
	used, next := draw(bucket, taken, f.at)
	if next.IsZero() {
		return
	}
	s.add(cause.LimitDuplicateCertificate, "order").with("used", used).with("limit", bucket.Size).
		with("refill", minutes(bucket.RefillMinutes)).with("latest", latest.IssuedAt).with("order", latest.Order).
		with("names", f.cleanNames()).with("retry", next).
		from(f, evidence.TopicOrders).retry(next)
}

// renews reports whether the order renews: it says so, or the same set of
// names was issued before.
func (f *facts) renews(first map[string]time.Time) bool {
	if f.Order.Kind == order.Renewal || f.Order.Replaces != "" {
		return true
	}
	_, before := first[nameSet(f.cleanNames())]
	return before
}

// firstIssued is when each exact set of names was first issued.
func (f *facts) firstIssued(orders []evidence.PastOrder) map[string]time.Time {
	first := map[string]time.Time{}
	for i := range orders {
		o := &orders[i]
		if o.Partial || o.IssuedAt.IsZero() || o.IssuedAt.After(f.at) {
			continue
		}
		set := nameSet(o.Names)
		if t, ok := first[set]; !ok || o.IssuedAt.Before(t) {
			first[set] = o.IssuedAt
		}
	}
	return first
}

// draw tells when a bucket has a token again after those taken, the zero time
// where it has one now; used is how many it lacks to be full, rounded up. The
// bucket was full before the first.
func draw(b profile.Bucket, taken []time.Time, at time.Time) (used int, next time.Time) {
	refill := minutes(b.RefillMinutes)
	taken = slices.Clone(taken)
	slices.SortFunc(taken, time.Time.Compare)
	// full is when the bucket will be full again: every token taken moves it by
	// one refill (the generic cell rate algorithm).
	var full time.Time
	for _, t := range taken {
		if t.IsZero() || t.After(at) {
			continue
		}
		if full.Before(t) {
			full = t
		}
		full = full.Add(refill)
	}
	if !full.After(at) {
		return 0, time.Time{}
	}
	used = int((full.Sub(at) + refill - 1) / refill)
	if first := full.Add(-time.Duration(b.Size-1) * refill); first.After(at) {
		return used, first
	}
	return used, time.Time{}
}

func minutes(n int) time.Duration { return time.Duration(n) * time.Minute }

// domainsOf yields each registrable domain of the order once, with the first
// name, as written, that lies under it.
func (f *facts) domainsOf(domain func(*nameFact) string) func(yield func(subject, domain string) bool) {
	return func(yield func(subject, domain string) bool) {
		var seen []string
		for i := range f.names {
			d := domain(&f.names[i])
			if d == "" || slices.Contains(seen, d) {
				continue
			}
			seen = append(seen, d)
			if !yield(f.names[i].Text, d) {
				return
			}
		}
	}
}

// under reports whether a name of an earlier order lies under a registrable
// domain, by the ICANN section of the public suffix list or the whole of it.
func (f *facts) under(o *evidence.PastOrder, domain string, icann bool) bool {
	return slices.ContainsFunc(o.Names, func(n string) bool {
		base, _ := strings.CutPrefix(n, "*.")
		return (base == domain || strings.HasSuffix(base, "."+domain)) && f.Data.Suffix(base, icann).Registrable == domain
	})
}

// nameSet is a text that is the same for the same names in any order.
func nameSet(names []string) string {
	sorted := slices.Clone(names)
	for i := range sorted {
		sorted[i] = strings.ToLower(sorted[i])
	}
	slices.SortFunc(sorted, cmp.Compare[string])
	return strings.Join(slices.Compact(sorted), " ")
}
