// Package name reads the names of an order: DNS names, wildcards and IP
// addresses, in whatever form people write them. It states facts (the A-label
// form, the labels, what breaks which rule and where) and judges nothing.
package name

import "net/netip"

// A Name is one name of an order, read.
type Name struct {
	// Text is the name as it was written.
	Text string
	// Clean is N of the catalogue: trimmed, lower case, A-label form, one
	// trailing dot removed, "*." kept. Where no A-label form exists it is the
	// nearest such text.
	Clean string
	// Base is B: Clean without "*.".
	Base string
	// Unicode is Base in U-label form, for showing and searching.
	Unicode string
	// Wildcard is set where the first label is exactly "*".
	Wildcard bool
	// TrailingDot is set where a final dot was removed.
	TrailingDot bool
	// Labels are the labels of Base.
	Labels []string
	// IP is valid where the text is an IP address in any notation; Canonical is
	// its one correct spelling.
	IP        netip.Addr
	Canonical string
	// Problems are all breaches of syntax, in the order of their place.
	Problems []Problem
}

// A Problem is one breach of a syntax rule.
type Problem struct {
	// Kind: "character", "not-ascii", "empty-label", "label-too-long",
	// "name-too-long", "hyphen", "reserved-hyphens", "punycode", "idna",
	// "wildcard", "ip-notation", "empty".
	Kind string
	// Offset is the byte offset in Text; Label the index of the label.
	Offset, Label int
	// Rune is the offending character, 0 where there is none.
	Rune rune
	// Detail holds the label, the decoded form or the rule broken.
	Detail string
	// Suggestion is a spelling that would be right, "" where none is evident.
	Suggestion string
}
