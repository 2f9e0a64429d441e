// Package data holds the snapshots that rules read and that age: the public
// suffix list, the root zone, the special-purpose address registries, the
// confusable characters, word lists and brand lists, the root's name servers and
// trust anchors. Each is embedded with the date it describes and its digest; an
// operator's newer copy replaces it.
//
// A [Set] is plain data: looking something up in it has no side effects, so a
// review over the same set gives the same report.
package data

import (
	"net/netip"
	"time"
)

// Names of the snapshots of a set, as reports and profiles call them.
const (
	PublicSuffixes = "psl"
	RootZone       = "root-zone"
	AddressBlocks  = "iana-addresses"
	Confusables    = "confusables"
	Words          = "words"
	Brands         = "brands"
	RootHints      = "root-hints"
	RootAnchors    = "root-anchors"
)

// A Snapshot says what a part of a set is.
type Snapshot struct {
	Name    string    // "psl", …
	Source  string    // where it comes from
	Date    time.Time // the day it describes
	SHA256  string    // of its canonical text, hexadecimal
	Entries int
	// Imported is set where it is an operator's copy, not the embedded one.
	Imported bool
	// Error is why an operator's copy could not be used; the embedded one, which
	// the other fields describe, stands in.
	Error string
}

// A Ref names a snapshot in a report.
type Ref struct {
	Date   string `json:"date,omitempty"` // YYYY-MM-DD
	Digest string `json:"digest"`
}

// A Suffix is the public suffix of a name.
type Suffix struct {
	// Suffix is the public suffix itself ("co.uk"); Registrable is the suffix
	// and one label more, "" where the name is itself the suffix.
	Suffix, Registrable string
	// Rule is the rule of the list that matched ("*.ck"), "" where none did and
	// the suffix is simply the last label.
	Rule string
	// ICANN is set for a rule of the ICANN section, unset for a private one.
	ICANN bool
}

// A Block is one row of the IANA special-purpose address registries.
type Block struct {
	Prefix netip.Prefix
	Name   string // "Private-Use"
	RFC    string // "RFC 1918"
}

// A WordHit is a listed word found in a name.
type WordHit struct {
	Word string
	// Mode says how it was found: "label", "token", "substring", "suffix",
	// "tld", "cross-label".
	Mode string
	// Start and End are byte offsets in the name that was searched.
	Start, End int
	Label      int // index of the label from the left
}

// A BrandHit is a label that looks like a brand without being it.
type BrandHit struct {
	Brand    string // the brand imitated
	Domains  []string
	Label    string // the label or token that imitates it
	Skeleton string
}
