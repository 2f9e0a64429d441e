package review

import (
	"slices"

	"assay/cause"
	"assay/evidence"
)

// letterRules judge the confirmation letter, where the profile asks for one.
var letterRules = []rule{
	{
		causes: []cause.ID{cause.OrganizationLetterFileInvalid, cause.OrganizationLetterNotAccepted},
		needs:  needIdentity | needSubmission,
		topic:  evidence.TopicLetters,
		run:    letter,
	},
}

// letterTypes are the files a letter may be, told from their first bytes.
var letterTypes = []string{"jpg", "png", "pdf"}

// letter judges the letter that was uploaded last.
func letter(f *facts, s *sink) {
	p := f.profile.Organization
	if !p.LetterRequired {
		return
	}
	records, _ := f.records(evidence.TopicLetters)
	if len(records.Letters) == 0 {
		s.add(cause.OrganizationLetterNotAccepted, "order").with("state", "missing").from(f, evidence.TopicLetters)
		return
	}
	l := records.Letters[len(records.Letters)-1]
	if l.State == "accepted" {
		return
	}
	problem := ""
	switch {
	case !slices.Contains(letterTypes, l.Type):
		problem = "type"
	case l.Bytes < p.LetterMinBytes:
		problem = "too-small"
	case p.LetterMaxBytes > 0 && l.Bytes > p.LetterMaxBytes:
		problem = "too-large"
	}
	if problem != "" {
		s.add(cause.OrganizationLetterFileInvalid, "order").
			with("problem", problem).with("type", l.Type).with("bytes", l.Bytes).
			with("min_bytes", p.LetterMinBytes).with("max_bytes", p.LetterMaxBytes).from(f, evidence.TopicLetters)
	}
	state := "pending"
	if l.State == "rejected" {
		state = "rejected"
	}
	s.add(cause.OrganizationLetterNotAccepted, "order").
		with("state", state).with("reason", l.Reason).with("note", clipped(l.Note)).from(f, evidence.TopicLetters)
}
