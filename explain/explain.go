// Package explain names the causes that a message stands for: the words of a
// CA, of an ACME client, of a cloud console or of its API, as a person has
// them at hand.
//
//	for _, m := range explain.Text("DNS problem: NXDOMAIN looking up TXT for _acme-challenge.orchard.net") {
//		fmt.Println(m.Cause, m.Confidence, m.Excerpt, m.Check)
//	}
//
// A message says what the CA saw at one time from its place. What a match
// names is therefore an explanation to be checked, not a finding; [Match.Check]
// is the command that tells.
//
// The messages are data ([Pattern], in patterns/*.toml); adding one needs no
// code. The package does no input or output.
package explain

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"assay/cause"
)

// Limits of what is read and returned.
const (
	MaxText    = 64 << 10 // bytes of a text that are read; the rest is ignored
	MaxMatches = 32       // matches returned

	maxFound     = 8   // places of one text at which one pattern is recognised
	maxExcerpt   = 240 // characters of an excerpt
	maxParameter = 253 // characters of a parameter
)

// How sure a match is.
const (
	Certain  = "certain"  // the message says exactly this
	Likely   = "likely"   // the usual reason for this message
	Possible = "possible" // a reason that also leads to this message
)

// What the check of a match needs.
const (
	NeedsNothing = ""        // the check runs offline, in this release
	NeedsNetwork = "network" // the live network review, which the next release brings
	NeedsLater   = "later"   // no check yet; the command tells what to do
)

// A Match is one cause that a text stands for.
type Match struct {
	Cause cause.ID `json:"cause"`
	// Confidence is "certain", "likely" or "possible".
	Confidence string `json:"confidence"`
	// Source is whose words were recognised: "Let's Encrypt", "acme.sh", …
	Source string `json:"source"`
	// Excerpt is the part of the text that was recognised, on one line, at
	// most 240 characters. It is the pasted text: data, not to be trusted.
	Excerpt string `json:"excerpt"`
	// Parameters are the values found in it: "name", "url", "ip", "status", …
	Parameters map[string]string `json:"parameters,omitempty"`
	// Check is a command line that tells whether the cause holds. Where that
	// needs more than this release has, it ends with a comment that says so.
	Check string `json:"check"`
	// Needs says the same for a program: NeedsNothing, NeedsNetwork, NeedsLater.
	Needs string `json:"needs,omitempty"`
}

// Text returns the causes that a text stands for, likeliest first; none where
// nothing in it is known. The text may be of any kind and length; only the
// first [MaxText] bytes are read.
func Text(text string) []Match {
	text = normalise(text)
	folded := lower(text)
	found := finder{text: text, folded: folded}
	for _, general := range []bool{false, true} {
		if general && len(found.matches) > 0 {
			break
		}
		for _, p := range Patterns() {
			if p.Fallback == general && p.mayMatch(folded) {
				found.try(p)
			}
		}
	}
	slices.SortStableFunc(found.matches, func(a, b Match) int {
		return cmp.Compare(rank(a.Confidence), rank(b.Confidence))
	})
	if len(found.matches) > MaxMatches {
		found.matches = found.matches[:MaxMatches]
	}
	return found.matches
}

func rank(confidence string) int {
	return slices.Index([]string{Certain, Likely, Possible}, confidence)
}

// A finder collects matches of one text.
type finder struct {
	text, folded string // as written, and in lower case
	named        func(at int) string
	matches      []Match
	spans        [][2]int // the parts of the text that a pattern has explained
}

func (f *finder) try(p *Pattern) {
	for _, at := range p.expression.FindAllStringSubmatchIndex(f.folded, maxFound) {
		span := [2]int{at[0], at[1]}
		if f.explained(span) {
			continue
		}
		f.spans = append(f.spans, span)
		parameters := p.parameters(f.text, at)
		f.complete(parameters, at[0])
		for i, id := range p.Causes {
			m := Match{
				Cause: id, Confidence: Possible, Source: p.Source,
				Excerpt: shorten(strings.TrimSpace(f.text[at[0]:at[1]]), maxExcerpt), Parameters: maps.Clone(parameters),
			}
			if i == 0 {
				m.Confidence = cmp.Or(p.Confidence, Likely)
			}
			m.Check, m.Needs = check(id, hasRule(id), cmp.Or(parameters["name"], host(parameters["url"])), p.profile)
			f.add(m)
		}
	}
}

// complete adds the name that a client wrote before the message, where the
// message itself names none.
func (f *finder) complete(parameters map[string]string, at int) {
	if parameters["name"] != "" {
		return
	}
	if f.named == nil {
		f.named = clientNames(f.text, f.folded)
	}
	if name := f.named(at); name != "" {
		parameters["name"] = name
	}
}

// explained is true where an earlier, narrower pattern took part of the span.
func (f *finder) explained(span [2]int) bool {
	return slices.ContainsFunc(f.spans, func(taken [2]int) bool {
		return span[0] < taken[1] && taken[0] < span[1]
	})
}

// add keeps one match for each cause and subject, the surest.
func (f *finder) add(m Match) {
	for i := range f.matches {
		old := &f.matches[i]
		if old.Cause != m.Cause {
			continue
		}
		a, b := subject(old.Parameters), subject(m.Parameters)
		if a != b && a != "" && b != "" {
			continue
		}
		if rank(m.Confidence) < rank(old.Confidence) {
			*old = m
		}
		return
	}
	f.matches = append(f.matches, m)
}

// subject is what a match is about, where the text says.
func subject(parameters map[string]string) string {
	return cmp.Or(parameters["name"], parameters["url"], parameters["ip"])
}

// parameters returns the values of the named groups as they stand in the text.
func (p *Pattern) parameters(text string, at []int) map[string]string {
	values := map[string]string{}
	for i, name := range p.expression.SubexpNames() {
		if name == "" || at[2*i] < 0 {
			continue
		}
		value := strings.TrimSpace(text[at[2*i]:at[2*i+1]])
		if name == "name" || name == "server" || name == "host" {
			value = strings.TrimRight(value, ".,:;")
		}
		if value != "" {
			values[name] = shorten(value, maxParameter)
		}
	}
	return values
}
