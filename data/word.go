package data

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/pelletier/go-toml/v2"
)

// How a word may be matched.
const (
	// ModeLabel: a whole label is the word.
	ModeLabel = "label"
	// ModeToken: the word is bounded by the edge of the label, a hyphen or a digit.
	ModeToken = "token"
	// ModeSubstring: the word is anywhere else inside one label.
	ModeSubstring = "substring"
	// ModeCrossLabel: a pattern with a dot, anywhere in the whole dotted name.
	ModeCrossLabel = "cross-label"
	// ModeSuffix: the name is the pattern or ends with a dot and the pattern.
	ModeSuffix = "suffix"
	// ModeTLD: the last label is the word.
	ModeTLD = "tld"
)

// wordFile is a file of word lists:
//
//	[[lists]]
//	id = "seed-2024"
//	version = "1"
//	title = "…"
//	modes = ["label", "token", "substring"]   # of every word that states none
//	words = ["bank", …]
//
//	[[lists.entries]]                          # a word with its own rules
//	word = "ban.c"
//	modes = ["cross-label"]
//	search_tld = true                          # look for it in the last label too
type wordFile struct {
	Lists []struct {
		ID      string      `toml:"id"`
		Version string      `toml:"version"`
		Title   string      `toml:"title"`
		Modes   []string    `toml:"modes"`
		Words   []string    `toml:"words"`
		Entries []wordEntry `toml:"entries"`
	} `toml:"lists"`
}

type wordEntry struct {
	Word      string   `toml:"word"`
	Modes     []string `toml:"modes"`
	SearchTLD bool     `toml:"search_tld"`
}

// A wordList is a list made ready to search.
type wordList struct {
	version string
	entries []wordEntry
	finder  *automaton
	dotted  bool // an entry is searched in the whole name
}

// Bounds of a word list.
const (
	maxWords      = 100_000
	maxWordLength = 253
)

// parseWords reads a file of word lists.
func parseWords(text string) (map[string]*wordList, error) {
	var f wordFile
	if err := decodeTOML(text, &f); err != nil {
		return nil, err
	}
	if len(f.Lists) == 0 {
		return nil, errors.New("holds no list: want at least one [[lists]]")
	}
	lists := make(map[string]*wordList, len(f.Lists))
	for _, l := range f.Lists {
		if l.ID == "" || l.Version == "" {
			return nil, fmt.Errorf("list %q: id and version must not be empty", l.ID)
		}
		if lists[l.ID] != nil {
			return nil, fmt.Errorf("list %q stands there twice", l.ID)
		}
		entries := l.Entries
		for _, w := range l.Words {
			entries = append(entries, wordEntry{Word: w})
		}
		for i := range entries {
			if len(entries[i].Modes) == 0 {
				entries[i].Modes = l.Modes
			}
		}
		list, err := newWordList(l.Version, entries)
		if err != nil {
			return nil, fmt.Errorf("list %q: %w", l.ID, err)
		}
		lists[l.ID] = list
	}
	return lists, nil
}

func newWordList(version string, entries []wordEntry) (*wordList, error) {
	if len(entries) == 0 || len(entries) > maxWords {
		return nil, fmt.Errorf("holds %d words; want 1 to %d", len(entries), maxWords)
	}
	l := &wordList{version: version, entries: entries}
	patterns := make([]string, len(entries))
	for i, e := range entries {
		if err := e.check(); err != nil {
			return nil, err
		}
		patterns[i] = e.Word
		l.dotted = l.dotted || slices.Contains(e.Modes, ModeCrossLabel) || slices.Contains(e.Modes, ModeSuffix)
	}
	if sorted := slices.Sorted(slices.Values(patterns)); len(slices.Compact(sorted)) != len(patterns) {
		return nil, errors.New("a word stands there twice")
	}
	l.finder = newAutomaton(patterns)
	return l, nil
}

func (e wordEntry) check() error {
	switch {
	case e.Word == "" || len(e.Word) > maxWordLength:
		return fmt.Errorf("word %.40q: want 1 to %d bytes", e.Word, maxWordLength)
	case e.Word != strings.ToLower(e.Word):
		return fmt.Errorf("word %q: must be in lower case, as names are searched", e.Word)
	case strings.ContainsAny(e.Word, " \t\r\n*"):
		return fmt.Errorf("word %q: must hold no white space and no *", e.Word)
	case len(e.Modes) == 0:
		return fmt.Errorf("word %q: no modes, and its list states none", e.Word)
	}
	for _, m := range e.Modes {
		switch m {
		case ModeLabel, ModeToken, ModeSubstring, ModeTLD:
			if strings.Contains(e.Word, ".") {
				return fmt.Errorf("word %q: a dot needs the modes %s or %s", e.Word, ModeCrossLabel, ModeSuffix)
			}
		case ModeCrossLabel, ModeSuffix:
		default:
			return fmt.Errorf("word %q: mode %q: must be one of label, token, substring, cross-label, suffix, tld", e.Word, m)
		}
	}
	return nil
}

// WordList reports whether the set has a word list, and its version.
func (s *Set) WordList(list string) (version string, ok bool) {
	l := s.words()[list]
	if l == nil {
		return "", false
	}
	return l.version, true
}

// FindWords returns the hits of a word list in a name in U-label form, lower
// case, without "*.", in the order of their place. The last label is searched
// only for words of mode "tld", words that say so, and with searchTLD. A label
// that is still in Punycode is not searched: its letters are not the name's.
func (s *Set) FindWords(list, name string, searchTLD bool) []WordHit {
	l := s.words()[list]
	if l == nil {
		return nil
	}
	var hits []WordHit
	last := strings.LastIndexByte(name, '.') + 1
	start, label := 0, 0
	for start <= len(name) {
		end := len(name)
		if i := strings.IndexByte(name[start:], '.'); i >= 0 {
			end = start + i
		}
		if !strings.HasPrefix(name[start:end], "xn--") {
			hits = l.inLabel(hits, name[start:end], start, label, start == last, searchTLD)
		}
		start, label = end+1, label+1
	}
	if l.dotted {
		hits = l.across(hits, name)
		slices.SortStableFunc(hits, func(a, b WordHit) int { return a.Start - b.Start })
	}
	return hits
}

// inLabel adds the hits in one label that begins at a byte offset of the name.
func (l *wordList) inLabel(hits []WordHit, text string, offset, label int, isTLD, searchTLD bool) []WordHit {
	state := 0
	a := l.finder
	for i := 0; i < len(text); i++ {
		state = int(a.next[state*a.classes+int(a.class[text[i]])])
		for _, p := range a.matches[state] {
			e := &l.entries[p]
			start, end := i+1-len(e.Word), i+1
			mode := e.mode(text, start, end, isTLD, searchTLD)
			if mode != "" {
				hits = append(hits, WordHit{Word: e.Word, Mode: mode, Start: offset + start, End: offset + end, Label: label})
			}
		}
	}
	return hits
}

// mode says how a word matched at a place of a label, "" where that is no hit.
func (e *wordEntry) mode(label string, start, end int, isTLD, searchTLD bool) string {
	whole := start == 0 && end == len(label)
	if isTLD && !searchTLD && !e.SearchTLD {
		if whole && slices.Contains(e.Modes, ModeTLD) {
			return ModeTLD
		}
		return ""
	}
	switch {
	case whole && isTLD && slices.Contains(e.Modes, ModeTLD):
		return ModeTLD
	case whole && slices.Contains(e.Modes, ModeLabel):
		return ModeLabel
	case boundary(label, start-1) && boundary(label, end):
		if slices.Contains(e.Modes, ModeToken) {
			return ModeToken
		}
	}
	if !whole && slices.Contains(e.Modes, ModeSubstring) {
		return ModeSubstring
	}
	return ""
}

// boundary reports whether a token ends at a place: beyond the label, at a
// hyphen, at a digit.
func boundary(label string, i int) bool {
	if i < 0 || i >= len(label) {
		return true
	}
	c := label[i]
	return c == '-' || '0' <= c && c <= '9'
}

// across adds the hits of patterns that are matched on the whole name.
func (l *wordList) across(hits []WordHit, name string) []WordHit {
	l.finder.find(name, func(pattern, start, end int) {
		e := &l.entries[pattern]
		mode := ""
		switch {
		case end == len(name) && (start == 0 || name[start-1] == '.') && slices.Contains(e.Modes, ModeSuffix):
			mode = ModeSuffix
		case slices.Contains(e.Modes, ModeCrossLabel):
			mode = ModeCrossLabel
		default:
			return
		}
		hits = append(hits, WordHit{
			Word: e.Word, Mode: mode, Start: start, End: end, Label: strings.Count(name[:start], "."),
		})
	})
	return hits
}

// decodeTOML reads a file strictly; errors name the line.
func decodeTOML(text string, into any) error {
	err := toml.NewDecoder(bytes.NewReader([]byte(text))).DisallowUnknownFields().Decode(into)
	var unknown *toml.StrictMissingError
	if errors.As(err, &unknown) && len(unknown.Errors) > 0 {
		line, column := unknown.Errors[0].Position()
		return fmt.Errorf("line %d, column %d: unknown field %q", line, column, strings.Join(unknown.Errors[0].Key(), "."))
	}
	var decode *toml.DecodeError
	if errors.As(err, &decode) {
		line, column := decode.Position()
		return fmt.Errorf("line %d, column %d: %s", line, column, decode.Error())
	}
	return err
}
