package review

import (
	"strings"

	"assay/cause"
	"assay/evidence"
	"assay/order"
)

// peopleRules judge who asks for the certificate and who reviewed it.
var peopleRules = []rule{
	{
		causes: []cause.ID{cause.OrganizationRequesterNotAuthorized},
		needs:  needIdentity | needSubmission,
		topic:  evidence.TopicPeople,
		run:    requesters,
	},
	{
		causes: []cause.ID{cause.OrganizationReviewerConflict},
		needs:  needIdentity | needSubmission,
		topic:  evidence.TopicPeople,
		run:    reviewers,
	},
}

const administratorPath = "contacts.administrator"

// requesters: the administrator is approved, whoever asks is on the
// organization's list where it keeps one (BR 3.2.5), and for EV the authority of
// signer and approver was shown (EVG 3.2.2.8).
func requesters(f *facts, s *sink) {
	records, _ := f.records(evidence.TopicPeople)
	administrator := false
	for i := range records.People {
		p := &records.People[i]
		switch p.Role {
		case "administrator":
			if !f.chosenAdministrator(p) {
				continue
			}
			administrator = true
			fallthrough
		case "requester":
			if state := unauthorized(p); state != "" {
				personFinding(f, s, p, state)
			}
		}
	}
	if !administrator {
		personFinding(f, s, &evidence.Person{Role: "administrator"}, "none")
	}
	if f.Order.Product != order.EV {
		return
	}
	for _, role := range []string{"signer", "approver"} {
		shown := false
		for _, p := range records.People {
			shown = shown || p.Role == role && p.Authority && p.Status != "invalid" && p.Status != "expired"
		}
		if !shown {
			personFinding(f, s, &evidence.Person{Role: role}, "authority")
		}
	}
}

// chosenAdministrator reports whether an administrator is the order's: it names
// this one, or none.
func (f *facts) chosenAdministrator(p *evidence.Person) bool {
	c := f.Order.Contacts
	if c == nil {
		return true
	}
	id := strings.TrimSpace(c.AdministratorID)
	return id == "" || id == "0" || id == p.ID
}

// unauthorized returns why a person may not ask, "" where it may.
func unauthorized(p *evidence.Person) string {
	switch {
	case p.Status != "ok":
		if p.Status == "" {
			return "none"
		}
		return p.Status
	case p.ListVersion != "" && !p.Listed:
		return "not-listed"
	}
	return ""
}

func personFinding(f *facts, s *sink, p *evidence.Person, state string) {
	var conditions []string
	if state == "invalid" || state == "expired" {
		conditions = append(conditions, "bad")
	}
	s.add(cause.OrganizationRequesterNotAuthorized, administratorPath, conditions...).
		with("person", clipped(strings.TrimSpace(p.Name+" "+p.ID))).with("role", p.Role).with("state", state).
		with("list", p.ListVersion).from(f, evidence.TopicPeople)
}

// reviewers: who approves has neither validated nor submitted the order (EVG
// 3.2.2.13, 5.2.4).
func reviewers(f *facts, s *sink) {
	records, _ := f.records(evidence.TopicPeople)
	for _, last := range records.Reviews {
		if last.Step != "approved" {
			continue
		}
		for _, earlier := range records.Reviews {
			if earlier.Step != "approved" && samePerson(earlier.By, last.By) {
				s.add(cause.OrganizationReviewerConflict, "order").
					with("step", earlier.Step).with("reviewer", reviewerName(last)).with("other", reviewerName(earlier)).
					from(f, evidence.TopicPeople)
			}
		}
	}
}

// reviewerName shows who took a step; records without a name cannot tell two
// people apart and count as one.
func reviewerName(r evidence.ReviewStep) string {
	if strings.TrimSpace(r.By) == "" {
		return "?"
	}
	return clipped(r.By)
}

func samePerson(a, b string) bool {
	return strings.EqualFold(strings.TrimSpace(a), strings.TrimSpace(b))
}
