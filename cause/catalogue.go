// Package cause is the catalogue of every reason for which a certificate order
// can fail review, validation, issuance, upload or deployment.
//
// One entry ([Entry]) is one cause: a stable [ID] that is never renamed and
// never reused, the [Stage] it belongs to, who has to act, the rules it comes
// from, how it relates to other causes, and its texts in every language. No
// text about a cause stands anywhere else: the command line, REST errors, ACME
// problems, the console and docs/causes.md are all rendered from here.
//
// What the catalogue does not hold is how grave a cause is. That is a decision
// of a CA, so levels live in profiles (package profile).
//
// The entries are TOML files in catalogue/, one a stage; the texts are TOML
// files in text/LANGUAGE/, one a stage. Both are embedded and checked by the
// package's tests: every entry has every text, every placeholder is a declared
// parameter.
package cause

import (
	"embed"
	"strings"
)

// ID names a cause, for example "name.too-long": the stage, a dot, a phrase in
// lower case with hyphens.
type ID string

// Stage returns the part of the id before the dot.
func (id ID) Stage() Stage {
	stage, _, _ := strings.Cut(string(id), ".")
	return Stage(stage)
}

// Stage is the part of a review a cause belongs to. Reports list findings of
// one level in the order of [Stages].
type Stage string

// Stages lists the stages in the order of an order's way through the review.
func Stages() []Stage {
	return []Stage{
		"request", "name", "policy", "key", "csr", "organization", "dns", "file",
		"tls", "caa", "perspective", "limit", "issuance", "upload", "deploy",
	}
}

// Who is the party that has to act on a cause.
type Who string

// The parties that can be asked to act.
const (
	Applicant   Who = "applicant"    // whoever placed the order
	DNSProvider Who = "dns-provider" // whoever runs the name servers of the domain
	Hosting     Who = "hosting"      // whoever runs the web server, CDN or firewall
	Operator    Who = "operator"     // whoever runs this Assay
	CA          Who = "ca"           // the reviewer or the issuing CA
)

// An Entry is one cause.
type Entry struct {
	ID ID `toml:"-"`
	// Who has to act.
	Who Who `toml:"who"`
	// Seed lists the causes of the founding document (S1 to S20) it covers.
	Seed []string `toml:"seed"`
	// References are the rules and pages it comes from; short names such as
	// "BR 6.1.5" or "TC-api" are spelled out by [Reference].
	References []string `toml:"references"`
	// Conditions are the words a rule may state about a finding ("idna",
	// "other") and the switches of a profile ("strict") on which a profile may
	// make its level depend.
	Conditions []string `toml:"conditions"`
	// Replaces lists wider causes that are no finding where this one explains
	// the same observation.
	Replaces []ID `toml:"replaces"`
	// LeadsTo lists causes that are a consequence of this one where both
	// concern the same subject: they are shown folded under it and still count.
	LeadsTo []ID `toml:"leads_to"`
	// Parameters are the values a finding carries, with their types: "string",
	// "int", "bool", "list" (of strings), "time", "duration".
	Parameters map[string]string `toml:"parameters"`
}

// Stage returns the stage of the entry.
func (e *Entry) Stage() Stage { return e.ID.Stage() }

//go:embed catalogue/*.toml
var catalogueFiles embed.FS

var catalogue = shelf[Entry]{
	files: &catalogueFiles, dir: "catalogue",
	name: func(e *Entry, id ID) { e.ID = id },
}

// IDs returns the ids of the catalogue, by stage and then in the order of its
// files.
func IDs() []ID {
	var all []ID
	for _, stage := range Stages() {
		all = append(all, catalogue.stage(stage).ids...)
	}
	return all
}

// Known reports whether the catalogue has a cause.
func Known(id ID) bool {
	_, ok := catalogue.stage(id.Stage()).text[id]
	return ok
}

// All returns every entry, in the order of [IDs]. The entries are shared: they
// must not be changed.
func All() []*Entry {
	var all []*Entry
	for _, id := range IDs() {
		all = append(all, Lookup(id))
	}
	return all
}

// Lookup returns the entry of an id, or nil when there is none. It is shared
// and must not be changed.
func Lookup(id ID) *Entry { return catalogue.get(id) }
