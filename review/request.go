package review

import (
	"slices"
	"strings"

	"assay/cause"
	"assay/evidence"
	"assay/name"
	"assay/order"
)

var requestRules = []rule{
	{causes: []cause.ID{cause.RequestNameCount}, run: nameCount},
	{causes: []cause.ID{cause.RequestRedundantName}, needs: needNames, run: redundantName},
	{causes: []cause.ID{cause.RequestProductMismatch}, run: productMismatch},
	{causes: []cause.ID{cause.RequestMethodNotAllowed}, needs: needMethod, run: methodNotAllowed},
	{causes: []cause.ID{cause.RequestValidityTooLong}, run: validityTooLong},
	{causes: []cause.ID{cause.RequestContactEmailInvalid}, run: contactEmail},
	{causes: []cause.ID{cause.RequestOpenOrderExists}, needs: needNames, topic: evidence.TopicOrders, run: openOrderExists},
}

// nameCount holds the number of distinct names against what was bought and
// what the profile or its plan allows, whichever is less.
func nameCount(f *facts, s *sink) {
	count := 0
	for i := range f.names {
		if f.names[i].same == i && f.names[i].Clean != "" {
			count++
		}
	}
	if count == 0 {
		s.add(cause.RequestNameCount, "names").with("rule", "none").with("count", 0)
		return
	}
	limit, rule := f.profile.Names.MaxNames, "profile"
	if n, ok := f.profile.Names.MaxNamesByPlan[f.Order.Plan]; ok {
		limit, rule = n, "plan"
	}
	if n := f.Order.NameLimit; n > 0 && (limit == 0 || n < limit) {
		limit, rule = n, "bought"
	}
	if limit > 0 && count > limit {
		s.add(cause.RequestNameCount, "names").
			with("rule", rule).with("count", count).with("limit", limit).with("plan", f.Order.Plan)
	}
}

// redundantName finds a name given twice and a name that a wildcard of the same
// order covers. Which of the two counts is the profile's choice; the other
// duplicate is simply dropped.
func redundantName(f *facts, s *sink) {
	var wildcards map[string]*nameFact
	for i := range f.names {
		n := &f.names[i]
		if n.Clean == "" {
			continue
		}
		if n.same != i {
			if f.profile.Names.RedundantEqual {
				s.addName(cause.RequestRedundantName, n).
					with("rule", "equal").with("other", f.names[n.same].Text).with("clean", n.Clean)
			}
			continue
		}
		if n.Wildcard && f.profile.Names.RedundantCovered {
			if wildcards == nil {
				wildcards = map[string]*nameFact{}
			}
			wildcards[n.Base] = n
		}
	}
	if wildcards == nil {
		return
	}
	for i := range f.names {
		n := &f.names[i]
		if n.same != i || n.isIP() {
			continue
		}
		_, parent, _ := strings.Cut(n.Base, ".")
		if w := wildcards[parent]; w != nil && w.Covers(&n.Name) {
			s.addName(cause.RequestRedundantName, n).with("rule", "covered").with("other", w.Text)
		}
	}
}

// productMismatch: what is ordered is not offered, not for a person, or not for
// names of that shape.
func productMismatch(f *facts, s *sink) {
	request, product := &f.profile.Request, f.Order.Product
	mismatch := func(d *draft, rule string, allowed []string) {
		d.with("rule", rule).with("product", strings.ToUpper(string(product))).with("allowed", allowed)
	}
	if len(request.Plans) > 0 && !slices.Contains(request.Plans, f.Order.Plan) {
		allowed := slices.DeleteFunc(slices.Clone(request.Plans), func(p string) bool { return p == "" })
		if d := s.add(cause.RequestProductMismatch, "plan"); d != nil {
			d.with("plan", f.Order.Plan)
			mismatch(d, "plan", allowed)
		}
	}
	if !slices.Contains(request.Products, product) {
		mismatch(s.add(cause.RequestProductMismatch, "product"), "product", productNames(request.Products))
		return // the shapes that a product not offered takes say nothing
	}
	if f.Order.Applicant == "personal" && !slices.Contains(request.PersonalProducts, product) {
		mismatch(s.add(cause.RequestProductMismatch, "applicant"), "personal", productNames(request.PersonalProducts))
	}
	for i := range f.names {
		n := &f.names[i]
		switch {
		case n.same != i:
		case n.Wildcard && !slices.Contains(request.WildcardProducts, product):
			// EVG 7.1.2.1 excepts onion names from the ban of wildcards in EV.
			if product != order.EV || !f.profile.Names.Onion || !n.OnionV3() {
				mismatch(s.addName(cause.RequestProductMismatch, n), "wildcard", productNames(request.WildcardProducts))
			}
		case n.isIP() && !slices.Contains(request.IPProducts, product):
			mismatch(s.addName(cause.RequestProductMismatch, n), "ip", productNames(request.IPProducts))
		}
	}
}

func productNames(products []order.Product) []string {
	names := make([]string, len(products))
	for i, p := range products {
		names[i] = strings.ToUpper(string(p))
	}
	return names
}

// openOrderExists: two values for one name are a trap for whoever publishes
// them. Each open order of the same account with a name in common and another
// value is shown.
func openOrderExists(f *facts, s *sink) {
	records, _ := f.records(evidence.TopicOrders)
	for i := range records.Orders {
		past := &records.Orders[i]
		if past.State != "open" || !past.Own || past.Order != "" && past.Order == f.Order.ID || f.sameValues(past) {
			continue
		}
		common := f.commonNames(past)
		if len(common) == 0 {
			continue
		}
		s.addName(cause.RequestOpenOrderExists, common[0]).
			with("order", past.Order).with("submitted", submitted(past)).with("names", texts(common)).
			from(f, evidence.TopicOrders)
	}
}

// submitted is nil, and so left out, where the record does not say it.
func submitted(past *evidence.PastOrder) any {
	if past.SubmittedAt.IsZero() {
		return nil
	}
	return past.SubmittedAt
}

// sameValues reports whether every value the other order asks for is one of
// this order's too.
func (f *facts) sameValues(past *evidence.PastOrder) bool {
	for _, v := range past.Values {
		if !slices.ContainsFunc(f.Order.Challenges, func(c order.Challenge) bool { return c.Value == v }) {
			return false
		}
	}
	return len(past.Values) > 0
}

func (f *facts) commonNames(past *evidence.PastOrder) []*nameFact {
	clean := make(map[string]bool, len(past.Names))
	for _, text := range past.Names {
		clean[name.Parse(text).Clean] = true
	}
	var common []*nameFact
	for i := range f.names {
		n := &f.names[i]
		if n.same == i && clean[n.Clean] {
			common = append(common, n)
		}
	}
	return common
}

func texts(names []*nameFact) []string {
	out := make([]string, len(names))
	for i, n := range names {
		out[i] = n.Text
	}
	return out
}

// validityTooLong holds the lifetime asked for against the maximum of the time
// of judging. Both ends belong to a validity period (RFC 5280 4.1.2.5), so n
// days are n·86,400 seconds with notAfter one second before (BR 6.3.2).
func validityTooLong(f *facts, s *sink) {
	v := f.Order.Validity
	if v == nil {
		return
	}
	if !f.profile.Request.ValidityChosen && !(v.NotBefore.IsZero() && v.NotAfter.IsZero()) {
		s.add(cause.RequestValidityTooLong, "validity").with("rule", "dates")
	}
	asked, reversed := f.lifetime(v)
	if reversed {
		s.add(cause.RequestValidityTooLong, "validity").with("rule", "reversed")
		return
	}
	limit, row, ok := f.longestValidity()
	if ok && asked > limit {
		if d := s.add(cause.RequestValidityTooLong, "validity"); d != nil {
			d.with("rule", "maximum").with("asked", asked).with("maximum", limit).
				with("since", row.From).with("source", row.Source)
		}
	}
}
