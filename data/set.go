package data

import "net/netip"

// A Set is the snapshots of one moment.
type Set struct{}

// Embedded returns the snapshots built into the program. It is shared.
func Embedded() *Set { return &Set{} }

// Snapshots lists the parts of the set.
func (s *Set) Snapshots() []Snapshot { return nil }

// Suffix finds the public suffix of a name in A-label form, without "*." and
// final dot. With icannOnly the private section is not read.
func (s *Set) Suffix(name string, icannOnly bool) Suffix { return Suffix{} }

// IsTLD reports whether a label is a top-level domain of the root zone.
func (s *Set) IsTLD(label string) bool { return true }

// Reserved returns the most specific row of the special-purpose registries
// that holds an address; v4-mapped, NAT64 and 6to4 forms are judged by the
// address inside too.
func (s *Set) Reserved(a netip.Addr) (Block, bool) { return Block{}, false }

// FindWords returns the hits of a word list in a name in U-label form; the
// last label is searched only by words of mode "tld" or with searchTLD.
func (s *Set) FindWords(list, name string, searchTLD bool) []WordHit { return nil }

// WordList reports whether the set has a word list, and its version.
func (s *Set) WordList(list string) (version string, ok bool) { return "", false }

// FindBrands returns brands of a list that labels of a name imitate; suffix is
// its public suffix, registrable its registrable domain.
func (s *Set) FindBrands(list, unicodeName, registrable string) []BrandHit { return nil }

// MixedScripts returns the scripts of a label that mixes more than UTS 39
// "Highly Restrictive" allows, nil for a label within it.
func (s *Set) MixedScripts(label string) []string { return nil }
