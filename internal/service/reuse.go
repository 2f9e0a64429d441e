package service

import (
	"slices"
	"strings"
	"time"

	"assay/internal/store"
	"assay/name"
	"assay/order"
	"assay/perspective"
	"assay/profile"
	"assay/review"
)

// reuseWindow is how long a validation may be used under a profile at a time:
// the dated row in days or the one in hours, whichever came later (BR 4.2.1).
func reuseWindow(p *profile.Profile, at time.Time, plan string) time.Duration {
	days, byDay, hasDays := p.On(profile.DCVReuseDays, at, plan)
	hours, byHour, hasHours := p.On(profile.DCVReuseHours, at, plan)
	if hasHours && (!hasDays || byHour.From.After(byDay.From)) {
		return time.Duration(hours) * time.Hour
	}
	return time.Duration(days) * 24 * time.Hour
}

// mostDomains bounds the domains that are looked for: of the names of one order
// and what lies above them, each of twenty labels. Beyond it nothing is reused.
const mostDomains = 20 * maxNames

// coveredBy are the names of an order and the domains whose validation may stand
// for them; none where there are too many.
func (s *Service) coveredBy(o *store.Order) (names []name.Name, domains []string) {
	names = make([]name.Name, len(o.Order.Names))
	listed := map[string]bool{}
	for i, text := range o.Order.Names {
		names[i] = name.Parse(text)
		for _, d := range s.above(names[i].Base) {
			if !listed[d] {
				listed[d] = true
				domains = append(domains, d)
			}
		}
	}
	if len(domains) > mostDomains || o.Account == "" {
		return names, nil
	}
	return names, domains
}

// validatedNames lists the names of an order, in A-label form, that need no
// validation now: the same account of the same tenant validated them, or
// a name above them, by the same method under the same profile, within the
// profile's window. A validation dated later than now proves nothing: the
// clock was wrong then, or is now.
func (s *Service) validatedNames(o *store.Order, p *profile.Profile, names []name.Name, found []store.Validation) (valid []string) {
	at := s.now()
	window := reuseWindow(p, at, o.Order.Plan)
	if window <= 0 {
		return nil
	}
	found = s.usable(found, o)
	for i := range names {
		n := &names[i]
		terms := termsOf(p, orderMethod(o.Order, n), at)
		if terms == nil || n.Wildcard && !terms.Wildcard {
			continue
		}
		if slices.ContainsFunc(found, func(v store.Validation) bool {
			return v.Method == terms.Name && !v.At.After(at) && !at.After(v.At.Add(window)) && s.stands(&v, n, terms)
		}) {
			valid = append(valid, n.Clean)
		}
	}
	return valid
}

// stands reports whether a validation stands for a name: it is of that name, or
// of one above it and the method covers what lies below (BR 3.2.2.4).
func (s *Service) stands(v *store.Validation, n *name.Name, terms *profile.Method) bool {
	if v.Domain == n.Base {
		return !n.Wildcard || v.Wildcard
	}
	return v.Wildcard && terms.Parent && slices.Contains(s.above(n.Base), v.Domain)
}

// above are a name and those above it, up to its registrable domain.
func (s *Service) above(base string) []string {
	if base == "" {
		return nil
	}
	top := s.Data.Suffix(base, true).Registrable
	list := []string{base}
	for n := base; top != "" && n != top; {
		_, rest, ok := strings.Cut(n, ".")
		if !ok {
			break
		}
		n = rest
		list = append(list, n)
	}
	return list
}

// orderMethod is the method by which a name of an order is validated.
func orderMethod(o *order.Order, n *name.Name) order.Method {
	for i := range o.Challenges {
		c := &o.Challenges[i]
		if parsed := name.Parse(c.Name); c.Method != "" && parsed.Base == n.Base {
			return c.Method
		}
	}
	return o.Method
}

// termsOf are a profile's terms for a method that is in force at a time, else nil.
func termsOf(p *profile.Profile, m order.Method, at time.Time) *profile.Method {
	for i := range p.Methods {
		if t := &p.Methods[i]; t.Name == m && (t.Until.IsZero() || at.Before(t.Until)) {
			return t
		}
	}
	return nil
}

// What a validation is good for. Every one stands for the order that it was made
// for. For later orders stands only one from places as the profile demands them
// (BR 3.2.2.9), or where it demands none; one from a laboratory stands in a
// laboratory.
const (
	forConformant = "conformant"
	forLab        = "lab"
)

// validationKey is what a validation is kept under: the profile with what it is
// good for. No order has a number like one of those words.
func validationKey(profile, goodFor string) string { return profile + "@" + goodFor }

// ValidationKeys are all that validations under a profile which may concern an
// order are kept under; see [store.Validation].
func ValidationKeys(profile, orderID string) []string {
	return []string{validationKey(profile, forConformant), validationKey(profile, forLab), validationKey(profile, orderID)}
}

// goodFor says what a validation is good for that a review made.
func goodFor(r *review.Report, orderID string) string {
	switch {
	case r.Lab:
		return forLab
	case r.MPIC == review.StampConformant || r.MPIC == review.StampNotRequired:
		return forConformant
	}
	return orderID
}

// usable leaves those validations that count for an order here.
func (s *Service) usable(found []store.Validation, o *store.Order) []store.Validation {
	key := s.reusableKey(o.Profile)
	lab := validationKey(o.Profile, forLab)
	return slices.DeleteFunc(found, func(v store.Validation) bool {
		// What a laboratory showed counts in one only, also for its own order.
		return v.Profile != key && (v.Order != o.ID || v.Profile == lab)
	})
}

// reusableKey is what validations are kept under that stand here for later orders
// under a profile.
func (s *Service) reusableKey(profile string) string {
	if s.inLab() {
		return validationKey(profile, forLab)
	}
	return validationKey(profile, forConformant)
}

// inLab reports whether this service looks under settings that are not the public
// internet's.
func (s *Service) inLab() bool {
	return slices.ContainsFunc(s.Places, func(p perspective.Place) bool { return p.About().Network != nil })
}

// validations are what a check that proved challenges leaves for later orders, or
// for the later checks of its own.
func validations(o *store.Order, seen *sight, reviewID string, at time.Time) []store.Validation {
	p, proven := seen.profile, seen.proven
	key := validationKey(o.Profile, goodFor(seen.report, o.ID))
	list := make([]store.Validation, 0, len(proven))
	for i := range proven {
		c := &proven[i]
		method := c.Method
		if method == "" {
			method = o.Method
		}
		terms, n := termsOf(p, method, at), name.Parse(c.Name)
		if terms == nil || n.Base == "" {
			continue
		}
		list = append(list, store.Validation{
			Tenant: o.Tenant, Account: o.Account, Domain: n.Base, Method: method, Profile: key,
			Wildcard: terms.Parent, Order: o.ID, Review: reviewID, At: at,
		})
	}
	return list
}
