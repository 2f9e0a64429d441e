// Package review decides what is wrong with an order and how grave it is.
//
// It is pure: [Case.Ask] and [Case.Judge] are functions of (order, profile,
// data, observations, time, mode). Nothing here dials, reads a clock, a file or
// a global that changes; a policy test keeps it so. That is why a review can be
// judged again years later byte for byte, why the pre-check, the review and the
// explanation of a refusal cannot contradict each other, and why every rule is
// tested without a network.
//
// A rule ([rule]) is a function from facts to findings, in a file with its
// siblings: name.go, word.go, key.go, csr.go, organization.go, phone.go,
// request.go, limit.go; what is seen on the network in delegation.go, servers.go,
// dnssec.go, record.go, value.go, region.go, caches.go, address.go, tls.go, caa.go,
// perspective.go, placeset.go. quorum.go compares what the places see, matrix.go
// lists it. rules.go lists them all.
package review

import (
	"time"

	"assay/data"
	"assay/evidence"
	"assay/order"
	"assay/profile"
)

// Engine is the version of the rules. It is written into every report: a
// report judged again by another engine may differ, and replay says so.
const Engine = "0.1.0"

// Mode says what a judgement is for: some levels depend on it.
type Mode string

// The modes.
const (
	// Precheck looks before anything is sent: input that is absent is not asked.
	Precheck Mode = "precheck"
	// Attempt decides a submitted order: input that is absent is required.
	Attempt Mode = "attempt"
)

// Scope says what was asked; the verdict concerns nothing else.
type Scope string

// The scopes.
const (
	ScopeOrder   Scope = "order"   // the order itself, without the network; can never sign
	ScopeNetwork Scope = "network" // the order and the live network
)

// A Case is an order prepared for review: parsed once, asked and judged as
// often as needed. It is not safe for concurrent use.
type Case struct {
	Order *order.Order
	Data  *data.Set

	// pastedFields are the fields, but for the CSR, that held a private key.
	pastedFields []string

	nameFacts
	csrFacts
}

// Prepare parses an order. Nothing is judged yet, and no order is too broken to
// be prepared.
func Prepare(o *order.Order, d *data.Set) *Case {
	c := &Case{Order: o, Data: d}
	c.prepareFields()
	c.prepareNames()
	c.prepareCSR()
	return c
}

// Input is everything a judgement depends on besides the case.
type Input struct {
	Profile *profile.Profile
	// Also are other profiles to report the verdict of.
	Also []*profile.Profile
	// Perspectives are the places that can be looked from, the primary first.
	// None are needed for the scope order.
	Perspectives []evidence.Perspective
	// Seen are the observations so far.
	Seen []evidence.Observation
	// At is the time to judge as of.
	At    time.Time
	Mode  Mode
	Scope Scope
}

// Ask returns the questions whose answers the rules still need: none when
// everything was seen. Callers answer them, append to in.Seen and ask again.
func (c *Case) Ask(in Input) []evidence.Question {
	f := c.facts(in)
	lookups := f.lookups(in.Also)
	questions := make([]evidence.Question, 0, len(lookups))
	for i := range lookups {
		questions = append(questions, evidence.Question{Kind: evidence.KindLookup, Lookup: &lookups[i]})
	}
	return append(questions, f.probes(in.Also)...)
}

// Judge returns the report: every finding, its level under the profile, the
// verdict. Texts are not filled in; see [Report.Localize].
func (c *Case) Judge(in Input) *Report {
	f := c.facts(in)
	s := f.run()
	r := &Report{
		Version:  ReportVersion,
		Engine:   Engine,
		Order:    c.Order,
		Profile:  ProfileRef{Name: in.Profile.Name, Version: in.Profile.Version, Digest: in.Profile.Digest()},
		Data:     c.Data.Refs(),
		Scope:    in.Scope,
		NotAsked: s.notAsked,
		Mode:     in.Mode,
		At:       in.At.UTC(),
		Deadline: f.deadline(),
		Findings: s.finish(),

		Perspectives: in.Perspectives,
	}
	r.MPIC, r.Matrix = f.mpic(), f.matrix()
	r.Verdict = f.verdict(r.Findings)
	r.Readiness = f.readiness(r.Findings)
	r.keepSeen(in.Seen)
	for _, p := range in.Also {
		other := in
		other.Profile, other.Also = p, nil
		g := c.facts(other)
		r.Also = append(r.Also, Other{Profile: p.Name, Verdict: g.verdict(g.run().finish())})
	}
	return r
}
