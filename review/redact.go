package review

import (
	"crypto/sha256"
	"encoding/hex"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode"

	"assay/cause"
	"assay/evidence"
	"assay/order"
)

// removed stands where a value was taken out.
const removed = "[removed]"

// Redact removes personal data and secret values, so that the report can be
// shown to others: the organization, contacts, account and tenant, the CSR, the
// values of challenges, what kept records answered, and whatever of these is
// quoted in findings. The names of the order, causes, levels and verdict stay.
// The texts are filled in again from what is left. A redacted report cannot be
// judged again.
//
// Nothing the report shares with the caller is changed but the report itself.
func (r *Report) Redact() {
	q := newRedactor(r.Order)
	r.Order = redactOrder(r.Order)
	ids := make(map[string]string, len(r.Observations))
	for i := range r.Observations {
		// An id is the hash of the fact: a phone number could be found by trying.
		ids[r.Observations[i].ID] = "o-" + strconv.Itoa(i+1)
	}
	r.Observations = slices.Clone(r.Observations)
	for i := range r.Observations {
		r.Observations[i] = redactObservation(r.Observations[i], ids)
	}
	r.Findings = slices.Clone(r.Findings)
	findings := make(map[string]string, len(r.Findings))
	for i := range r.Findings {
		old := r.Findings[i].ID
		q.finding(&r.Findings[i], ids)
		id := string(r.Findings[i].Cause) + "@" + r.Findings[i].Subject
		for n := 2; slices.ContainsFunc(r.Findings[:i], func(f Finding) bool { return f.ID == id }); n++ {
			id = string(r.Findings[i].Cause) + "@" + r.Findings[i].Subject + "#" + strconv.Itoa(n)
		}
		r.Findings[i].ID = id
		findings[old] = id
	}
	for i := range r.Findings {
		r.Findings[i].ExplainedBy = findings[r.Findings[i].ExplainedBy]
	}
	r.Perspectives = redactPlaces(r.Perspectives)
	r.Matrix = slices.Clone(r.Matrix)
	for i := range r.Matrix {
		c := &r.Matrix[i]
		c.Evidence = ids[c.Evidence]
		if !q.nameOrField(c.Subject) {
			c.Subject = removed
		}
	}
	r.Redacted = true
	if r.Lang != "" {
		r.Localize(r.Lang)
	}
}

func redactOrder(o *order.Order) *order.Order {
	if o == nil {
		return nil
	}
	c := *o
	remove(&c.Account, &c.Tenant, &c.CSR)
	c.Challenges = slices.Clone(c.Challenges)
	for i := range c.Challenges {
		// The owner name of dns-account-01 holds a hash of the account, a URL
		// the token.
		remove(&c.Challenges[i].Value, &c.Challenges[i].URL, &c.Challenges[i].Owner)
	}
	if c.Organization != nil {
		organization := *c.Organization
		remove(organizationFields(&organization)...)
		c.Organization = &organization
	}
	if c.Contacts != nil {
		contacts := *c.Contacts
		remove(&contacts.AdministratorID)
		for _, person := range []**order.Contact{&contacts.Administrator, &contacts.Technical} {
			if *person != nil {
				p := **person
				remove(contactFields(&p)...)
				*person = &p
			}
		}
		c.Contacts = &contacts
	}
	return &c
}

func remove(fields ...*string) {
	for _, f := range fields {
		if *f != "" {
			*f = removed
		}
	}
}

func organizationFields(o *order.Organization) []*string {
	return []*string{
		&o.Name, &o.Department, &o.Country, &o.Province, &o.City, &o.Address, &o.PostalCode,
		&o.Phone.Country, &o.Phone.Area, &o.Phone.Number, &o.Website, &o.RegistrationNumber, &o.RegistrationScheme,
		&o.BusinessCategory, &o.JurisdictionCountry, &o.JurisdictionState, &o.JurisdictionCity, &o.ProfileID,
	}
}

func contactFields(c *order.Contact) []*string {
	return []*string{&c.FirstName, &c.LastName, &c.Title, &c.Email, &c.Phone}
}

// redactObservation keeps what was asked about and, of the answers, only that to
// the question about inputs: every other record is about somebody.
func redactObservation(o evidence.Observation, ids map[string]string) evidence.Observation {
	o.ID = ids[o.ID]
	inputs := false
	if q := o.Question.Lookup; q != nil {
		inputs = q.Topic == evidence.TopicInputs
		o.Question.Lookup = &evidence.LookupQuestion{Topic: q.Topic}
	}
	if a := o.Lookup; a != nil {
		o.Lookup = &evidence.LookupAnswer{Absent: a.Absent}
		for _, in := range a.Inputs {
			if !inputs {
				break
			}
			if in.Error != "" {
				in.Error = removed // it names files of the operator
			}
			o.Lookup.Inputs = append(o.Lookup.Inputs, in)
		}
	}
	if q := o.Question.DNS; q != nil {
		o.Question.DNS = &evidence.DNSQuestion{Name: withoutLabels(q.Name), Type: q.Type, Each: q.Each, Apex: q.Apex, Random: q.Random}
	}
	if q := o.Question.HTTP; q != nil {
		h := *q
		h.URL = withoutPath(q.URL) // it may hold a token
		o.Question.HTTP = &h
	}
	// The values asked of the applicant stand in what was seen on the network.
	o.DNS, o.HTTP, o.TLS, o.Attestation = nil, nil, nil, nil
	if o.Unknown != "" {
		o.Unknown = removed
	}
	return o
}

// withoutPath is a URL as far as its host.
func withoutPath(text string) string {
	u, err := url.Parse(text)
	if err != nil {
		return removed
	}
	return u.Scheme + "://" + u.Host + "/"
}

// withoutLabels is a name without the labels that begin with "_": one may be
// the hash of an account, or the token of another CA.
func withoutLabels(n string) string {
	labels := strings.Split(n, ".")
	return strings.Join(slices.DeleteFunc(labels, func(l string) bool { return strings.HasPrefix(l, "_") }), ".")
}

// redactPlaces leaves out what describes the operator's network.
func redactPlaces(places []evidence.Perspective) []evidence.Perspective {
	places = slices.Clone(places)
	for i := range places {
		p := &places[i]
		remove(&p.Resolver)
		p.Public, p.Own, p.Location = nil, nil, nil
		p.Missing = slices.Clone(p.Missing)
		for j := range p.Missing {
			remove(&p.Missing[j].Detail)
		}
	}
	return places
}

// accountLabel16 finds the label of dns-account-01: the hash of an account.
var accountLabel16 = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`(?i)(^|[^a-z0-9_])_[a-z2-7]{16}([^a-z0-9]|$)`) })

// quoted are the parameters of network findings that repeat what was found in
// somebody's zone, or a message of somebody's software.
var quoted = []string{"seen", "answers", "error", "order", "resolver", "resolvers", "record", "records", "corrected", "difference", "title", "sha256"}

// A redactor recognises values of one order in the parameters of findings.
type redactor struct {
	names []string
	// secrets are the removed values, folded; the short ones are compared as a
	// whole, the others also as a part.
	secrets []string
}

func newRedactor(o *order.Order) *redactor {
	q := &redactor{}
	if o == nil {
		return q
	}
	for _, n := range o.Names {
		q.names = append(q.names, strings.ToLower(n))
	}
	q.hide(o.Account, o.Tenant)
	for _, c := range o.Challenges {
		q.hide(c.Value, c.URL, c.Owner)
		q.hide(fileSecrets(&c)...)
	}
	if o.Organization != nil {
		organization := *o.Organization
		for _, f := range organizationFields(&organization) {
			q.hide(*f)
		}
	}
	if o.Contacts != nil {
		q.hide(o.Contacts.AdministratorID)
		for _, person := range []*order.Contact{o.Contacts.Administrator, o.Contacts.Technical} {
			if person == nil {
				continue
			}
			p := *person
			for _, f := range contactFields(&p) {
				q.hide(*f)
			}
			local, domain, _ := strings.Cut(p.Email, "@")
			q.hide(local, domain)
		}
	}
	return q
}

// fileSecrets are the parts of a file's value and place that are told apart: the
// token and the thumbprint of a key authorization, its digest, a random file name.
func fileSecrets(c *order.Challenge) []string {
	digest := sha256.Sum256([]byte(c.Value)) // what a challenge certificate holds
	parts := append(strings.Split(c.Value, "."), hex.EncodeToString(digest[:]))
	if u, err := url.Parse(c.URL); err == nil && u.Path != "" {
		if file := path.Base(u.Path); file != fixedFile && file != "/" && file != "." {
			parts = append(parts, file, strings.TrimSuffix(file, path.Ext(file)))
		}
	}
	return parts
}

func (q *redactor) hide(values ...string) {
	for _, v := range values {
		if s := squeeze(v); s != "" {
			q.secrets = append(q.secrets, s)
		}
	}
}

// squeeze folds case and leaves out everything but letters and digits, so that
// "0755-8601 3388" and "075586013388" are one value.
func squeeze(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			return unicode.ToLower(r)
		}
		return -1
	}, s)
}

// secret reports whether a text shows a removed value.
func (q *redactor) secret(text string) bool {
	s := squeeze(text)
	if s == "" {
		return false
	}
	for _, hidden := range q.secrets {
		if s == hidden || len(hidden) >= 4 && strings.Contains(s, hidden) || len(s) >= 4 && strings.Contains(hidden, s) {
			return true
		}
	}
	return false
}

func (q *redactor) finding(f *Finding, ids map[string]string) {
	live := networkStage(f.Stage)
	strict := f.Stage == "organization" || f.Stage == "csr" || f.Stage == "limit" || f.Cause == cause.PolicyListedParty
	if !q.nameOrField(f.Subject) {
		f.Subject = removed
	}
	f.Evidence = slices.Clone(f.Evidence)
	for i, id := range f.Evidence {
		f.Evidence[i] = ids[id]
	}
	if strict {
		f.Reproduce = nil
	}
	f.Reproduce = slices.DeleteFunc(slices.Clone(f.Reproduce), func(c string) bool { return q.secret(c) || live && strings.Contains(c, "_") })
	if f.Approval != nil {
		a := *f.Approval
		remove(&a.By, &a.AgreedBy, &a.Reason)
		f.Approval = &a
	}
	parameters := make(cause.Parameters, len(f.Parameters))
	for key, value := range f.Parameters {
		parameters[key] = q.parameter(f.Cause, key, value, strict || live && slices.Contains(quoted, key))
	}
	if len(parameters) > 0 {
		f.Parameters = parameters
	}
	// The texts are filled in again by Localize, where there were any.
	f.Title, f.Explanation, f.Handling = "", "", nil
}

func (q *redactor) parameter(id cause.ID, key string, value any, strict bool) any {
	switch v := value.(type) {
	case int, bool, time.Time, time.Duration:
		return v
	case string:
		if q.keeps(id, key, v, strict) {
			return v
		}
		return removed
	case []string:
		list := make([]string, 0, len(v))
		for _, item := range v {
			if !q.keeps(id, key, item, strict) {
				item = removed
			}
			if !slices.Contains(list, item) || item != removed {
				list = append(list, item)
			}
		}
		return list
	}
	return removed
}

// keeps decides about one text: words of the catalogue, names of the order and
// paths of fields stay; where a cause quotes a person, a company or a CSR,
// nothing else does.
func (q *redactor) keeps(id cause.ID, key, text string, strict bool) bool {
	if t := cause.TextsOf(id, cause.English); t != nil {
		if _, ok := t.Phrases[key][text]; ok {
			return true
		}
	}
	if q.nameOrField(text) {
		return true
	}
	return !strict && !q.secret(text) && !accountLabel16().MatchString(text)
}

// nameOrField is true for a name of the order and for words that stand for a
// part of it ("csr", "organization.phone", "records.orders").
func (q *redactor) nameOrField(s string) bool {
	if slices.Contains(q.names, strings.ToLower(s)) {
		return true
	}
	head, _, dotted := strings.Cut(s, ".")
	switch head {
	case "order", "csr", "key", "perspectives", "lists", "names", "product", "method", "validity", "plan", "account":
		return !dotted
	case "P0", "P1", "P2", "P3", "P4", "P5", "P6", "P7", "P8", "P9":
		return !dotted
	case "caa":
		return s == "caa.issuers"
	case "organization", "contacts", "records":
		return !strings.ContainsFunc(s, func(r rune) bool { return r != '.' && r != '_' && !(r >= 'a' && r <= 'z') })
	}
	return false
}
