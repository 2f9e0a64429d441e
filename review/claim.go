package review

import (
	"slices"
	"strings"

	"golang.org/x/text/unicode/norm"

	"assay/cause"
	"assay/evidence"
	"assay/order"
)

// claimRules compare the order with what was verified about the organization.
// Before submission nobody has looked: then nothing is asked.
var claimRules = []rule{
	{
		causes: []cause.ID{cause.OrganizationNotVerifiable},
		needs:  needIdentity | needSubmission,
		topic:  evidence.TopicClaims,
		run:    identityVerified,
	},
	{
		causes: []cause.ID{cause.OrganizationDiffersFromDomainOwner},
		needs:  needIdentity | needSubmission,
		topic:  evidence.TopicClaims,
		run:    domainOwner,
	},
}

// A claimed is one fact that a source has to confirm.
type claimed struct {
	item, path string
	value      string
	same       func(order, found string) bool
}

// identityVerified: name and address (BR 3.2.2.1), the registration number where
// there is one, and for EV the operational existence (EVG 3.2.2.6), each from a
// source of a class that the profile accepts.
func identityVerified(f *facts, s *sink) {
	o := f.organization()
	items := []claimed{
		{"name", "organization.name", o.Name, sameName},
		{"address", "organization.address", o.Address, func(ordered, found string) bool { return sameAddress(ordered, found, addressPlaces(&o)...) }},
	}
	if f.Order.Product == order.EV || strings.TrimSpace(o.RegistrationNumber) != "" {
		items = append(items, claimed{"number", "organization.registration_number", o.RegistrationNumber, sameName})
	}
	if f.Order.Product == order.EV {
		items = append(items, claimed{"operational-existence", "organization", "", nil})
	}
	records, _ := f.records(evidence.TopicClaims)
	for _, item := range items {
		var found, sources []string
		confirmed := slices.ContainsFunc(records.Claims, func(c evidence.Claim) bool {
			if c.Item != item.item {
				return false
			}
			sources = append(sources, sourceOf(c))
			if !slices.Contains(f.profile.Organization.SourceClasses, c.Class) {
				return false
			}
			// Where an approved profile stands for the field the order has no
			// value of its own to compare.
			if strings.TrimSpace(item.value) == "" || item.same(item.value, c.Value) {
				return true
			}
			found = append(found, clipped(c.Value))
			return false
		})
		if confirmed {
			continue
		}
		state := "none"
		switch {
		case len(found) > 0:
			state = "differs"
		case len(sources) > 0:
			state = "class"
		}
		s.add(cause.OrganizationNotVerifiable, item.path).
			with("item", item.item).with("state", state).with("value", clipped(item.value)).
			with("found", found).with("sources", sources).from(f, evidence.TopicClaims)
	}
}

// sourceOf names a claim's source, its class and day.
func sourceOf(c evidence.Claim) string {
	text := c.Source + " (" + c.Class
	if !c.ObtainedAt.IsZero() {
		text += ", " + c.ObtainedAt.UTC().Format("2006-01-02")
	}
	return text + ")"
}

// domainOwner: the registrant that the registry publishes should be the
// organization. A registrant hidden for privacy is not published.
func domainOwner(f *facts, s *sink) {
	name := strings.TrimSpace(f.organization().Name)
	if name == "" {
		return
	}
	records, _ := f.records(evidence.TopicClaims)
	for _, c := range records.Claims {
		if c.Item != "registrant" || hiddenRegistrant(c.Value) || sameName(name, c.Value) {
			continue
		}
		d := s.add(cause.OrganizationDiffersFromDomainOwner, "organization.name").
			with("organization", clipped(name)).with("registrant", clipped(c.Value)).
			with("source", c.Source).from(f, evidence.TopicClaims)
		if !c.ObtainedAt.IsZero() {
			d.with("at", c.ObtainedAt)
		}
	}
}

// hiddenRegistrant recognises what registries and privacy services put in place
// of the registrant.
func hiddenRegistrant(value string) bool {
	folded := lettersOf(value)
	if isPlaceholder(value, false) {
		return true
	}
	for _, word := range []string{
		"redacted", "privacy", "whoisguard", "domainsbyproxy", "dataprotected", "notdisclosed", "withheld",
		"identityprotect", "statutorymasking", "隐私", "未公开", "保护",
	} {
		if strings.Contains(folded, word) {
			return true
		}
	}
	return false
}

// legalForms are the words of a legal form that are written in full or short.
var legalForms = map[string]string{
	"limited": "ltd", "incorporated": "inc", "corporation": "corp", "company": "co", "and": "&",
}

// sameName reports whether two names are one after folding case, width,
// punctuation and the spelling of legal forms.
func sameName(a, b string) bool { return foldName(a) == foldName(b) && foldName(a) != "" }

func foldName(name string) string {
	name = strings.ReplaceAll(strings.ToLower(norm.NFKC.String(name)), "&", " and ")
	words := strings.FieldsFunc(name, func(r rune) bool { return lettersOf(string(r)) == "" })
	for i, w := range words {
		if short, ok := legalForms[w]; ok {
			words[i] = short
		}
	}
	return strings.Join(words, "")
}
