package page

import (
	_ "embed"
	"fmt"
	"net/textproto"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/pelletier/go-toml/v2"
)

//go:embed fingerprints.toml
var embedded string

// A Set is a set of fingerprints: what pages, CDNs and caches look like.
type Set struct {
	Pages []PagePrint `toml:"page"`
	CDNs  []CDNPrint  `toml:"cdn"`
	Cache struct {
		// Headers tell whether a cache answered; the first that says so counts.
		Headers []string `toml:"headers"`
	} `toml:"cache"`
	Headers struct {
		// Also are headers kept as evidence though no fingerprint reads them.
		Also []string `toml:"also"`
	} `toml:"headers"`

	reads map[string]bool
}

// A PagePrint recognises a kind of page. It matches where one of its clauses does.
type PagePrint struct {
	Kind Kind `toml:"kind"`
	// Product is whose page it is; empty where several look alike.
	Product string   `toml:"product"`
	Match   []Clause `toml:"match"`
}

// A CDNPrint recognises a content delivery network by its headers.
type CDNPrint struct {
	// Name is empty for a cache that does not say whose it is.
	Name  string   `toml:"name"`
	Match []Clause `toml:"match"`
	// Edge reads the place or machine that answered; the first that is there counts.
	Edge []Reading `toml:"edge"`
}

// A Clause matches where everything it says does. Texts are compared without
// regard to letter case.
type Clause struct {
	Title string `toml:"title"` // the page's title contains it
	Body  string `toml:"body"`  // the body, as far as it is known, contains it
	// Header is the name of a header that must be there; with Value, a line of it
	// contains that.
	Header string `toml:"header"`
	Value  string `toml:"value"`
	// Location is contained in the Location header or in the response's own URL.
	Location string `toml:"location"`
	Status   []int  `toml:"status"` // the status is one of these
}

// A Reading takes a word out of a header: the first group of Pattern (RE2).
type Reading struct {
	Header  string `toml:"header"`
	Pattern string `toml:"pattern"`

	expression *regexp.Regexp
}

// Embedded is the set that comes with the program.
var Embedded = sync.OnceValue(func() *Set {
	s, err := Parse(embedded)
	if err != nil {
		panic("page: embedded fingerprints: " + err.Error())
	}
	return s
})

// Parse reads a set from TOML and prepares it.
func Parse(text string) (*Set, error) {
	s := &Set{reads: map[string]bool{}}
	d := toml.NewDecoder(strings.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(s); err != nil {
		return nil, err
	}
	for i := range s.Pages {
		if p := &s.Pages[i]; !slices.Contains(kinds, p.Kind) {
			return nil, fmt.Errorf("page %d: no kind %q", i+1, p.Kind)
		}
		if err := s.prepare(s.Pages[i].Match); err != nil {
			return nil, fmt.Errorf("page %d (%s, %s): %w", i+1, s.Pages[i].Kind, s.Pages[i].Product, err)
		}
	}
	for i := range s.CDNs {
		if err := s.prepareCDN(&s.CDNs[i]); err != nil {
			return nil, fmt.Errorf("cdn %q: %w", s.CDNs[i].Name, err)
		}
	}
	for _, list := range [][]string{s.Cache.Headers, s.Headers.Also} {
		for _, name := range list {
			if err := s.read(name); err != nil {
				return nil, err
			}
		}
	}
	return s, nil
}

func (s *Set) prepare(clauses []Clause) error {
	if len(clauses) == 0 {
		return fmt.Errorf("nothing to match")
	}
	for i := range clauses {
		c := &clauses[i]
		if c.Title == "" && c.Body == "" && c.Header == "" && c.Location == "" && len(c.Status) == 0 || c.Value != "" && c.Header == "" {
			return fmt.Errorf("clause %d says nothing", i+1)
		}
		c.Title, c.Body, c.Value, c.Location = strings.ToLower(c.Title), strings.ToLower(c.Body), strings.ToLower(c.Value), strings.ToLower(c.Location)
		if c.Header != "" {
			if err := s.read(c.Header); err != nil {
				return err
			}
		}
	}
	return nil
}

func (s *Set) prepareCDN(c *CDNPrint) error {
	for i := range c.Edge {
		e := &c.Edge[i]
		var err error
		if e.expression, err = regexp.Compile(e.Pattern); err != nil {
			return err
		}
		if e.expression.NumSubexp() < 1 {
			return fmt.Errorf("pattern %q has no group", e.Pattern)
		}
		if err := s.read(e.Header); err != nil {
			return err
		}
	}
	return s.prepare(c.Match)
}

// read notes that a header is read; its name is to be canonical.
func (s *Set) read(name string) error {
	if canonical := textproto.CanonicalMIMEHeaderKey(name); canonical != name {
		return fmt.Errorf("header %q is written %q", name, canonical)
	}
	s.reads[name] = true
	return nil
}

// Reads reports whether a header, by its canonical name, is read by anything
// here; those are the ones that are kept as evidence.
func Reads(name string) bool { return Embedded().reads[name] }
