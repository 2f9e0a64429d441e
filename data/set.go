package data

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"assay/evidence"
)

// A Set is the snapshots of one moment. Each is parsed when it is first used.
// A set is safe for concurrent use and never changes.
type Set struct {
	snapshots []Snapshot // sorted by name
	refs      map[string]Ref
	inputs    []evidence.Input

	suffixes    func() *suffixTable
	rootZone    func() map[string]struct{}
	blocks      func() []Block
	confusables func() confusableTable
	words       func() map[string]*wordList
	brands      func() map[string]*brandList
	skeletons   func() map[string]skeletonIndex // of the brand lists
	rootServers func() []RootServer
	anchors     func() []Anchor
}

// Names lists the names of the snapshots of a set, sorted.
func Names() []string {
	return []string{Brands, Confusables, AddressBlocks, PublicSuffixes, RootAnchors, RootHints, RootZone, Words}
}

// Embedded returns the snapshots built into the program. It is shared.
func Embedded() *Set { return embeddedSet() }

var embeddedSet = sync.OnceValue(func() *Set {
	parts := make(map[string]part, len(Names()))
	for _, name := range Names() {
		parts[name] = embeddedPart(name)
	}
	return newSet(parts)
})

// Open returns the embedded set with the snapshots that [Import] wrote into a
// directory in place of the embedded ones. A directory that does not exist
// holds none.
//
// A file there that cannot be used does not fail the set: the embedded snapshot
// stands in and its [Snapshot] carries the Error, so that a review says unknown
// instead of silently judging by other data. The error returned is about the
// directory itself.
func Open(dir string) (*Set, error) {
	if info, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		return Embedded(), nil
	} else if err != nil {
		return nil, fmt.Errorf("open data directory: %w", err)
	} else if !info.IsDir() {
		return nil, fmt.Errorf("open data directory: %s is not a directory", dir)
	}
	parts := make(map[string]part, len(Names()))
	imported := 0
	for _, name := range Names() {
		p, err := readPart(filepath.Join(dir, fileName(name)), name)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			p = embeddedPart(name)
		case err != nil:
			p = embeddedPart(name)
			p.Imported, p.Error = true, err.Error()
			imported++
		default:
			imported++
		}
		parts[name] = p
	}
	if imported == 0 {
		return Embedded(), nil
	}
	return newSet(parts), nil
}

// newSet makes a set of one part for every name. The texts were checked when
// they were imported, or by a test for the embedded ones.
func newSet(parts map[string]part) *Set {
	s := &Set{}
	for _, p := range parts {
		s.snapshots = append(s.snapshots, p.Snapshot)
	}
	slices.SortFunc(s.snapshots, func(a, b Snapshot) int { return cmp.Compare(a.Name, b.Name) })
	s.refs = make(map[string]Ref, len(parts))
	for _, p := range s.snapshots {
		ref := Ref{Digest: "sha256:" + p.SHA256}
		if !p.Date.IsZero() {
			ref.Date = p.Date.Format(time.DateOnly)
		}
		s.refs[p.Name] = ref
		s.inputs = append(s.inputs, evidence.Input{
			Name: p.Name, Configured: true, Date: p.Date, SHA256: p.SHA256, Entries: p.Entries, Error: p.Error,
		})
	}
	s.suffixes = lazily(parts[PublicSuffixes], newSuffixTable)
	s.rootZone = lazily(parts[RootZone], parseRootZone)
	s.blocks = lazily(parts[AddressBlocks], parseBlocks)
	s.confusables = lazily(parts[Confusables], parseConfusables)
	s.rootServers = lazily(parts[RootHints], ParseRootHints)
	anchorDate := parts[RootAnchors].Date
	s.anchors = lazily(parts[RootAnchors], func(text string) ([]Anchor, error) { return ParseAnchors(text, anchorDate) })
	words, brands := embeddedPart(Words).body, embeddedPart(Brands).body
	s.words = sync.OnceValue(func() map[string]*wordList {
		return overlay(words, parts[Words].body, parseWords)
	})
	s.brands = sync.OnceValue(func() map[string]*brandList {
		return overlay(brands, parts[Brands].body, parseBrands)
	})
	s.skeletons = sync.OnceValue(s.indexBrands)
	return s
}

// lazily parses a part on first use.
func lazily[T any](p part, parse func(string) (T, error)) func() T {
	return sync.OnceValue(func() T {
		v, err := parse(p.body)
		if err != nil {
			panic("data: " + p.Name + " was checked and does not parse: " + err.Error())
		}
		return v
	})
}

// overlay reads lists by id: those of an operator stand beside the embedded
// ones and replace the ones of the same id.
func overlay[T any](embedded, imported string, parse func(string) (map[string]T, error)) map[string]T {
	lists, err := parse(embedded)
	if err == nil && imported != embedded {
		var more map[string]T
		more, err = parse(imported)
		for id, list := range more {
			lists[id] = list
		}
	}
	if err != nil {
		panic("data: a list was checked and does not parse: " + err.Error())
	}
	return lists
}

// Snapshots lists the parts of the set, sorted by name.
func (s *Set) Snapshots() []Snapshot { return slices.Clone(s.snapshots) }

// Snapshot returns the part of a name; ok is false where a set has no such part.
func (s *Set) Snapshot(name string) (snapshot Snapshot, ok bool) {
	for i := range s.snapshots {
		if s.snapshots[i].Name == name {
			return s.snapshots[i], true
		}
	}
	return Snapshot{}, false
}

// Refs names the snapshots as reports do. The map is shared and must not be
// changed.
func (s *Set) Refs() map[string]Ref { return s.refs }

// Inputs returns the snapshots as the inputs that checks depend on. The slice
// is shared and must not be changed.
func (s *Set) Inputs() []evidence.Input {
	return s.inputs
}

// readPart reads a snapshot file that Import wrote.
func readPart(path, name string) (part, error) {
	f, err := os.Open(path)
	if err != nil {
		return part{}, err
	}
	defer f.Close()
	raw, err := io.ReadAll(io.LimitReader(f, maxBytes(name)+headerBytes+1))
	if err != nil {
		return part{}, err
	}
	p, err := checkedPart(name, string(raw))
	if err != nil {
		return part{}, fmt.Errorf("%s: %w; import it again", path, err)
	}
	p.Imported = true
	return p, nil
}
