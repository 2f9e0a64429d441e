package review

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"
	"time"

	"assay/cause"
	"assay/evidence"
	"assay/order"
	"assay/profile"
)

// An Approved says who decided that a finding which a person has to look at does
// not stand in the order's way.
type Approved struct {
	By string `json:"by"`
	// AgreedBy is the other of two who had to look.
	AgreedBy string    `json:"agreed_by,omitempty"`
	At       time.Time `json:"at"`
	Until    time.Time `json:"until,omitzero"`
	Reason   string    `json:"reason,omitempty"`
}

// FactsOf is a digest of what a finding says: its cause, its subject and its
// parameters. An approval that names it counts for these facts and no others.
func FactsOf(f *Finding) string {
	p := make(cause.Parameters, len(f.Parameters))
	for key, value := range f.Parameters {
		if key != "approved_by" && key != "approved_at" {
			p[key] = value
		}
	}
	sum := sha256.Sum256([]byte(string(f.Cause) + "\x00" + f.Subject + "\x00" + p.Canonical()))
	return hex.EncodeToString(sum[:])
}

// WordsOf is a digest of what a finding says is in a name: its cause and the words,
// or the brand, whatever the name. An approval that names it counts for every name
// under its domain in which these are found and no others. "": it names none.
func WordsOf(f *Finding) string {
	p := cause.Parameters{}
	for _, key := range []string{"words", "brand"} {
		if v, ok := f.Parameters[key]; ok {
			p[key] = v
		}
	}
	if len(p) == 0 {
		return ""
	}
	sum := sha256.Sum256([]byte("words\x00" + string(f.Cause) + "\x00" + p.Canonical()))
	return hex.EncodeToString(sum[:])
}

// FourEyes reports whether two people must agree before a finding of a cause is
// approved: all of an EV order (EVG 3.2.2.13), and words, where the profile says
// so.
func FourEyes(p *profile.Profile, product order.Product, id cause.ID) bool {
	switch id {
	case cause.PolicySensitiveWord, cause.PolicySensitiveWordInside:
		if p.Words.FourEyes {
			return true
		}
	}
	return product == order.EV && p.Organization.FourEyes
}

// SamePerson compares who took two steps of a review; without a name two cannot
// be told apart and count as one.
func SamePerson(a, b string) bool { return samePerson(a, b) }

// approve turns the findings of level review that were approved into information,
// with the approval as evidence (catalogue B24). A finding of any other level is
// left alone: what refuses an order cannot be waived.
func (s *sink) approve() {
	for _, d := range s.drafts {
		if d.Level != cause.Review {
			continue
		}
		a := s.facts.approval(d)
		if a == nil {
			continue
		}
		d.Level = cause.Info
		d.Approval = &Approved{By: a.By, AgreedBy: a.AgreedBy, At: a.At.UTC(), Until: a.Until, Reason: clipped(a.Reason)}
		if _, ok := cause.Lookup(d.Cause).Parameters["approved_by"]; ok {
			d.with("approved_by", a.By).with("approved_at", a.At)
		}
		d.from(s.facts, evidence.TopicApprovals)
	}
}

// approval returns the approval in force for a finding of level review, nil where
// there is none.
func (f *facts) approval(d *draft) *evidence.Approval {
	records, ok := f.records(evidence.TopicApprovals)
	if !ok || d.Level != cause.Review {
		return nil
	}
	for i := range records.Approvals {
		a := &records.Approvals[i]
		if a.Cause == string(d.Cause) && a.Account == f.Order.Account && inForce(a.At, a.Until, f.at) && f.byOthers(a) && f.isAbout(a, d) {
			return a
		}
	}
	return nil
}

func inForce(from, until, at time.Time) bool {
	return !from.IsZero() && !from.After(at) && (until.IsZero() || at.Before(until))
}

// byOthers reports whether those who had to decide did: not who orders, and two
// people where the profile asks for four eyes.
func (f *facts) byOthers(a *evidence.Approval) bool {
	own := f.Order.Account
	if strings.TrimSpace(a.By) == "" || samePerson(a.By, own) {
		return false
	}
	if !FourEyes(f.profile, f.Order.Product, cause.ID(a.Cause)) {
		return true
	}
	return strings.TrimSpace(a.AgreedBy) != "" && !samePerson(a.AgreedBy, a.By) && !samePerson(a.AgreedBy, own)
}

// isAbout reports whether an approval is about what a finding is about. One for an
// order counts for that order as it was submitted then. One beyond it counts for a
// name or all names under a registrable domain, or for the very facts that were
// looked at.
func (f *facts) isAbout(a *evidence.Approval, d *draft) bool {
	if a.Facts != "" && a.Facts != FactsOf(&d.Finding) && (a.Order != "" || a.Facts != WordsOf(&d.Finding)) {
		return false
	}
	if a.Order != "" {
		return a.Order == f.Order.ID && a.Subject == d.Subject && !a.At.Before(f.Order.SubmittedAt)
	}
	i := slices.IndexFunc(f.names, func(n nameFact) bool { return n.subject() == d.Subject })
	if i < 0 {
		return a.Facts != "" && a.Subject == d.Subject
	}
	if a.Facts == "" && d.Stage != stagePolicy {
		return false
	}
	n := &f.names[i]
	return a.Subject != "" && (a.Subject == n.Base || a.Subject == n.Clean || a.Subject == n.registrable())
}

// stagePolicy is the stage of the causes of which an approval counts for every
// later order of the account.
const stagePolicy cause.Stage = "policy"

// Reviewable reports whether a person may have to decide about an order of a
// product under a profile, so that approvals matter.
func Reviewable(p *profile.Profile, product order.Product) bool {
	return p.Derive("review.reviewable."+string(product), func() any {
		return slices.ContainsFunc(implemented, func(id cause.ID) bool { return p.CanAsk(id, product) })
	}).(bool)
}

func (f *facts) reviewable() bool { return Reviewable(f.profile, f.Order.Product) }
