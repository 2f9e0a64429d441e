package lookup

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
	"unicode"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"

	"assay/evidence"
	"assay/internal/strict"
)

// maxPartyBytes bounds a list of denied parties.
const maxPartyBytes = 64 << 20

// answerParties compares the organization with the denied lists, and it, the
// names and the key with the service's own cases.
func (s *Source) answerParties(q evidence.LookupQuestion) evidence.Observation {
	a := &evidence.LookupAnswer{}
	key := partyKey(q.Organization)
	for _, l := range s.denied {
		a.Hits = l.find(a.Hits, &q, key)
	}
	for _, h := range s.records.Parties {
		switch {
		case key != "" && partyKey(h.Entry) == key:
			a.Hits = append(a.Hits, own(h, q.Organization))
		case h.Entry != "" && (strings.EqualFold(h.Entry, q.Keyprint) || strings.EqualFold(h.Entry, q.SPKISHA256)):
			a.Hits = append(a.Hits, own(h, "key"))
		default:
			if i := slices.IndexFunc(q.Names, func(n string) bool { return matchName(h.Entry, n) != "" }); i >= 0 {
				h.Match = matchName(h.Entry, q.Names[i])
				a.Hits = append(a.Hits, own(h, q.Names[i]))
			}
		}
	}
	return answer(q, a)
}

// partyList is a list of parties that get no certificate.
type partyList struct {
	byName map[string][]party
	info   info
}

type party struct {
	name, country, reason string
	date                  time.Time
}

func (s *Source) openDenied(path string) (info, error) {
	l := &partyList{byName: map[string][]party{}}
	s.denied = append(s.denied, l)
	f, i, err := openList(path)
	if err != nil {
		return i, err
	}
	defer f.Close()
	raw, err := io.ReadAll(io.LimitReader(f, maxPartyBytes+1))
	if err == nil && len(raw) > maxPartyBytes {
		err = fmt.Errorf("larger than %d MiB", maxPartyBytes>>20)
	}
	if err == nil {
		err = l.read(raw, &i)
	}
	l.info = i
	if err != nil {
		return i, readError(path, err)
	}
	return i, nil
}

var partyColumns = []string{"name", "country", "reason", "date"}

// read reads a CSV whose first line names the columns: name, and optionally
// country, reason and date in any order. Lines that begin with "#" are
// comments; a date among them dates the list.
func (l *partyList) read(raw []byte, i *info) error {
	for line := range bytes.Lines(raw) {
		if line = bytes.TrimSpace(line); len(line) > 0 && line[0] == '#' {
			if err := i.header(string(line[1:])); err != nil {
				return err
			}
		}
	}
	r := csv.NewReader(bytes.NewReader(bytes.TrimPrefix(raw, []byte("\xef\xbb\xbf"))))
	r.Comment, r.TrimLeadingSpace = '#', true
	head, err := r.Read()
	if err == io.EOF {
		return errors.New("is empty: the first line must name the columns: name,country,reason,date")
	}
	if err != nil {
		return csvError(err)
	}
	column := map[string]int{}
	for at, name := range head {
		name = strings.ToLower(strings.TrimSpace(name))
		if !slices.Contains(partyColumns, name) {
			return fmt.Errorf("line 1: unknown column %q: the columns are name, country, reason, date", strict.Quotable(name))
		}
		column[name] = at
	}
	if _, ok := column["name"]; !ok {
		return errors.New("line 1: no column \"name\": the columns are name, country, reason, date")
	}
	for {
		row, err := r.Read()
		if err == io.EOF {
			i.sha256 = digestOf(string(raw))
			return nil
		}
		if err != nil {
			return csvError(err)
		}
		if err := l.add(row, column); err != nil {
			at, _ := r.FieldPos(0)
			return fmt.Errorf("line %d: %w", at, err)
		}
		i.entries++
	}
}

// csvError says what encoding/csv found wrong as the other lists do.
func csvError(err error) error {
	var at *csv.ParseError
	if !errors.As(err, &at) {
		return err
	}
	what := at.Err.Error()
	switch {
	case errors.Is(err, csv.ErrFieldCount):
		return fmt.Errorf("line %d: want as many fields as the first line names columns", at.Line)
	case errors.Is(err, csv.ErrQuote), errors.Is(err, csv.ErrBareQuote):
		what = `a quotation mark is not closed or stands inside a field: put the field in quotation marks and write "" for one inside`
	}
	return fmt.Errorf("line %d, column %d: %s", at.Line, at.Column, what)
}

func (l *partyList) add(row []string, column map[string]int) error {
	field := func(name string) string {
		if at, ok := column[name]; ok {
			return strings.TrimSpace(row[at])
		}
		return ""
	}
	p := party{name: field("name"), country: strings.ToUpper(field("country")), reason: field("reason")}
	if p.country != "" && len(p.country) != 2 {
		return fmt.Errorf("the country %q must be a code of two letters", strict.Quotable(p.country))
	}
	if date := field("date"); date != "" {
		var err error
		if p.date, err = parseDate(date); err != nil {
			return err
		}
	}
	key := partyKey(p.name)
	if key == "" {
		return errors.New("the name is empty")
	}
	l.byName[key] = append(l.byName[key], p)
	return nil
}

// find appends the entries of the same name; a country counts only where both
// sides give one.
func (l *partyList) find(hits []evidence.Hit, q *evidence.LookupQuestion, key string) []evidence.Hit {
	if key == "" {
		return hits
	}
	for _, p := range l.byName[key] {
		if p.country != "" && q.Country != "" && !strings.EqualFold(p.country, q.Country) {
			continue
		}
		h := evidence.Hit{
			List: "parties.denied", Kind: "denied", Entry: p.name, Match: "exact", Subject: q.Organization, Reason: p.reason, Date: p.date,
		}
		if h.Date.IsZero() {
			h.Date = l.info.date
		}
		hits = append(hits, h)
	}
	return hits
}

// partyKey is what two spellings of one party's name share: compatibility
// forms folded, case folded, punctuation and spaces removed.
func partyKey(name string) string {
	folded := cases.Fold().String(norm.NFKC.String(name))
	return strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsNumber(r) || unicode.IsMark(r) {
			return r
		}
		return -1
	}, folded)
}
