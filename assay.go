// Package assay reviews an order for a TLS certificate against every cause for
// which such orders fail, before anything is sent to a CA: what is wrong, how
// grave it is under a CA's rules, who must act and what to do, in English or
// Chinese.
//
// Ten lines review an order from another Go program:
//
//	file, err := order.Parse(raw) // YAML or JSON; or fill an order.Order
//	if err != nil {
//		return err // names line, column and field
//	}
//	report, err := (&assay.Reviewer{}).Review(ctx, file.Resolve())
//	if err != nil {
//		return err
//	}
//	fmt.Println(report.Verdict)
//	for _, f := range report.Findings {
//		fmt.Println(f.Level, f.Title, f.Explanation, f.Handling)
//	}
//
// The zero [Reviewer] judges by the profile "cloud" with the embedded data, in
// English, as of now. Nothing is dialled: the report's scope is the order
// itself, and its not_asked list says what that leaves open.
//
// With places to look from it reviews live, as a CA does: from the root of the
// DNS, every server of a domain, DNSSEC validated. Four lines more:
//
//	place, err := assay.Here(nil) // this machine, on the public internet
//	if err != nil {
//		return err
//	}
//	place.SelfTest(ctx) // what does not work here is no fault of a target
//	reviewer := &assay.Reviewer{Places: []perspective.Place{place}}
//
// The report's scope is then the network; a name without a value to look for is
// checked for readiness.
//
// The pieces stand alone: package cause is the catalogue, order the order,
// profile the rules of a CA, review the engine, lookup the lists and records an
// operator has, key and csr what can be known of a key and a request.
package assay

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"sync"
	"time"

	"assay/cause"
	"assay/data"
	"assay/evidence"
	"assay/lookup"
	"assay/order"
	"assay/perspective"
	"assay/profile"
	"assay/review"
)

// Records answers questions about what is kept: block lists, earlier orders,
// calls. Package lookup has one that reads files. Answer must not fail: what
// cannot be read is an observation that says so.
type Records interface {
	Answer(q evidence.LookupQuestion, at time.Time) evidence.Observation
}

// A Reviewer reviews orders. Its zero value is ready to use; its fields are not
// changed by a review, so one Reviewer serves any number of goroutines.
type Reviewer struct {
	// Profile holds the rules to judge by; nil: the embedded profile "cloud".
	Profile *profile.Profile
	// Also are other profiles whose verdict the report shows.
	Also []*profile.Profile
	// Data are the snapshots that age; nil: the embedded ones.
	Data *data.Set
	// Records answers lookups; nil: no records are kept, so what needs them is
	// listed as not asked in a precheck and unknown at an attempt.
	Records Records
	// Lang is the language of the texts; "" means English, "-" no texts at all.
	Lang cause.Language
	// Mode is precheck (default) or attempt.
	Mode review.Mode
	// Now is the time to judge as of; nil: the system clock.
	Now func() time.Time
	// Places are where to look at the network from, the primary first; none:
	// nothing is dialled and the scope is the order itself.
	Places []perspective.Place
	// Live is set where the network has to be looked at: without a place to look
	// from the verdict is then unknown, instead of one on the order itself.
	Live bool
	// OnProgress, where set, is told how far a review has come: when a round of
	// questions begins, and when a place has answered its part. The calls of one
	// review come one after the other; those of concurrent reviews do not.
	OnProgress func(Progress)
}

// Progress says how far a review has come.
type Progress struct {
	// Round counts the rounds of questions from 1.
	Round int
	// Questions are those of this round, Answered how many of them were answered.
	Questions []evidence.Question
	Answered  int
	// Elapsed is the time since the review began.
	Elapsed time.Duration
}

// Review judges an order and returns the report. The order is not changed. The
// error is the context's, or says that the reviewer itself is not usable; an
// order is never too broken to get a report, and a network never too broken.
// When ctx ends, so does the review, at once and without a report.
func (r *Reviewer) Review(ctx context.Context, o *order.Order) (*review.Report, error) {
	l, err := r.Look(o)
	if err != nil {
		return nil, err
	}
	defer l.Close()
	return l.Review(ctx, l.in.Mode, l.in.At)
}

// orderDigest is what remote perspectives sign as the order: it tells them
// nothing, and ties their answers to this order and no other.
func orderDigest(o *order.Order) string {
	raw, err := json.Marshal(o)
	if err != nil {
		return "" // a challenge at a time that cannot be: no digest, and no order either
	}
	sum := sha256.Sum256(raw)
	return "sha256:" + hex.EncodeToString(sum[:])
}

func (r *Reviewer) input() (review.Input, *data.Set, error) {
	in := review.Input{Profile: r.Profile, Also: r.Also, Mode: cmp.Or(r.Mode, review.Precheck), Scope: review.ScopeOrder}
	for _, place := range r.Places {
		in.Scope = review.ScopeNetwork
		in.Perspectives = append(in.Perspectives, place.About())
	}
	if in.Profile == nil {
		p, err := profile.Named("cloud")
		if err != nil {
			return in, nil, err
		}
		in.Profile = p
	}
	if r.Now != nil {
		in.At = r.Now()
	} else {
		in.At = time.Now()
	}
	set := r.Data
	if set == nil {
		set = data.Embedded()
	}
	if r.Live {
		in.Scope = review.ScopeNetwork
	}
	return in, set, nil
}

// nothingKept answers that no lists are set up and no records kept.
var nothingKept = sync.OnceValue(func() Records {
	s, err := lookup.Open(lookup.Config{})
	if err != nil {
		panic("assay: a source without files failed to open: " + err.Error())
	}
	return s
})
