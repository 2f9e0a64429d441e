package data

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// A format is how the text of one kind of snapshot is checked and made
// canonical.
type format struct {
	maxBytes int64
	// date finds the day the text describes, zero where it does not say.
	date func(text string) time.Time
	// canonical checks a text of a day and returns it without comments, and the
	// number of its entries.
	canonical func(text string, day time.Time) (body string, entries int, err error)
}

func formatOf(name string) (format, bool) {
	switch name {
	case PublicSuffixes:
		return format{4 << 20, suffixDate, canonicalSuffixes}, true
	case RootZone:
		return format{256 << 10, rootZoneDate, canonicalRootZone}, true
	case AddressBlocks:
		return format{1 << 20, noDate, canonicalBlocks}, true
	case Confusables:
		return format{8 << 20, confusablesDate, canonicalConfusables}, true
	case Words:
		return format{8 << 20, noDate, canonicalWords}, true
	case Brands:
		return format{8 << 20, noDate, canonicalBrands}, true
	case RootHints:
		return format{64 << 10, hintsDate, canonicalHints}, true
	case RootAnchors:
		return format{64 << 10, noDate, canonicalAnchors}, true
	}
	return format{}, false
}

func maxBytes(name string) int64 {
	f, _ := formatOf(name)
	return f.maxBytes
}

// Import reads a snapshot in the form its authority publishes it, checks it and
// writes it into a directory, where [Open] takes it instead of the embedded
// one. The file is replaced in one step; an error leaves the old one.
//
//	psl             public_suffix_list.dat
//	root-zone       tlds-alpha-by-domain.txt
//	iana-addresses  the CSV files of both special-purpose registries, one after the other
//	confusables     confusables.txt of UTS 39
//	words, brands   TOML, see docs/lists.md
//	root-hints      named.root
//	root-anchors    root-anchors.xml, or DS and DNSKEY records (root.key)
//
// The date of a snapshot is the one its text states, else the day of now; a
// text may begin with the header of an assay snapshot file, which then gives
// source and date. Errors name the line. A text that is too short to be whole,
// or that lacks what every edition has (com in the root zone), is refused.
func Import(dir, name string, r io.Reader, now time.Time) (Snapshot, error) {
	return importFrom(dir, name, "", r, now)
}

func importFrom(dir, name, source string, r io.Reader, now time.Time) (Snapshot, error) {
	f, ok := formatOf(name)
	if !ok {
		return Snapshot{}, fmt.Errorf("import %q: no such snapshot; there are %s", name, strings.Join(Names(), ", "))
	}
	p, err := f.read(name, r, now)
	if err != nil {
		return Snapshot{}, fmt.Errorf("import %s: %w", name, err)
	}
	if source != "" {
		p.Source = source
	}
	if err := replaceFile(filepath.Join(dir, fileName(name)), p.write()); err != nil {
		return Snapshot{}, fmt.Errorf("import %s: %w", name, err)
	}
	p.Imported = true
	return p.Snapshot, nil
}

// read reads and checks a text from outside.
func (f format) read(name string, r io.Reader, now time.Time) (part, error) {
	raw, err := io.ReadAll(io.LimitReader(r, f.maxBytes+1))
	if err != nil {
		return part{}, err
	}
	if int64(len(raw)) > f.maxBytes {
		return part{}, fmt.Errorf("is larger than %d bytes", f.maxBytes)
	}
	raw = bytes.ReplaceAll(bytes.TrimPrefix(raw, []byte("\ufeff")), []byte("\r\n"), []byte("\n"))
	if !utf8.Valid(raw) || bytes.IndexByte(raw, 0) >= 0 {
		return part{}, errors.New("is not UTF-8 text")
	}
	p := part{Snapshot: Snapshot{Name: name, Source: "imported"}, body: string(raw)}
	if strings.HasPrefix(p.body, headerFirst) {
		if p, err = readHeader(name, p.body); err != nil {
			return part{}, err
		}
	} else {
		p.Date = f.date(p.body)
	}
	if p.Date.IsZero() {
		p.Date = now.UTC().Truncate(24 * time.Hour)
	}
	if p.Date.After(now.Add(48 * time.Hour)) {
		return part{}, fmt.Errorf("says it is of %s, which is in the future", p.Date.Format(time.DateOnly))
	}
	if p.body, p.Entries, err = f.canonical(p.body, p.Date); err != nil {
		return part{}, err
	}
	p.SHA256 = digest(p.body)
	return p, nil
}

// replaceFile writes a file beside its place and moves it there.
func replaceFile(path, text string) (err error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".import-*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			f.Close()
			os.Remove(f.Name())
		}
	}()
	if _, err = f.WriteString(text); err != nil {
		return err
	}
	if err = f.Chmod(0o644); err != nil {
		return err
	}
	if err = f.Sync(); err != nil {
		return err
	}
	if err = f.Close(); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}

func noDate(string) time.Time { return time.Time{} }

// comment returns the rest of the first of the leading lines that begins with a
// prefix.
func comment(text, prefix string) string {
	for range 40 {
		line, rest, found := strings.Cut(text, "\n")
		if after, ok := strings.CutPrefix(line, prefix); ok {
			return strings.TrimSpace(after)
		}
		if !found {
			break
		}
		text = rest
	}
	return ""
}

func parseDay(layout, text string) time.Time {
	if len(text) < len(layout) {
		return time.Time{}
	}
	day, err := time.Parse(layout, text[:len(layout)])
	if err != nil {
		return time.Time{}
	}
	return day
}

// suffixDate reads "// VERSION: 2026-03-02_12-22-01_UTC".
func suffixDate(text string) time.Time {
	return parseDay(time.DateOnly, comment(text, "// VERSION:"))
}

// rootZoneDate reads "# Version 2026112300, Last Updated …".
func rootZoneDate(text string) time.Time { return parseDay("20060102", comment(text, "# Version ")) }

// confusablesDate reads "# Date: 2025-07-22, 05:49:25 GMT".
func confusablesDate(text string) time.Time {
	return parseDay(time.DateOnly, comment(strings.TrimPrefix(text, "\ufeff"), "# Date:"))
}

func canonicalSuffixes(text string, _ time.Time) (string, int, error) {
	rules, count, err := parseSuffixes(text, "")
	if err != nil {
		return "", 0, err
	}
	if err := enough(count, 5000, "rules"); err != nil {
		return "", 0, err
	}
	for _, want := range []struct {
		base string
		rule suffixRule
	}{{"com", ruleICANN}, {"co.uk", ruleICANN}, {"ck", wildICANN}, {"www.ck", exceptICANN}, {"github.io", rulePrivate}} {
		if rules[want.base]&want.rule == 0 {
			return "", 0, fmt.Errorf("has no rule for %s in its section, as every edition has", want.base)
		}
	}
	var b strings.Builder
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		switch {
		case line == beginICANN, line == endICANN, line == beginPrivate, line == endPrivate:
		case line == "" || strings.HasPrefix(line, "//"):
			continue
		default:
			base, kind, _ := readSuffixRule(line)
			line = map[suffixRule]string{wildICANN: "*.", exceptICANN: "!"}[kind] + base
		}
		b.WriteString(line + "\n")
	}
	return b.String(), count, nil
}

func enough(n, least int, what string) error {
	if n < least {
		return fmt.Errorf("holds %d %s; every edition has more than %d: is the file whole?", n, what, least)
	}
	return nil
}

func canonicalRootZone(text string, _ time.Time) (string, int, error) {
	labels, err := parseRootZone(text)
	if err != nil {
		return "", 0, err
	}
	if err := enough(len(labels), 1000, "top-level domains"); err != nil {
		return "", 0, err
	}
	sorted := make([]string, 0, len(labels))
	for l := range labels {
		sorted = append(sorted, l)
	}
	slices.Sort(sorted)
	for _, want := range []string{"com", "org", "de", "cn", "xn--fiqs8s"} {
		if !slices.Contains(sorted, want) {
			return "", 0, fmt.Errorf("lacks %q, which is in the root zone", want)
		}
	}
	return strings.Join(sorted, "\n") + "\n", len(sorted), nil
}

func canonicalBlocks(text string, _ time.Time) (string, int, error) {
	blocks, err := parseBlocks(text)
	if err != nil {
		return "", 0, err
	}
	count := map[bool]int{}
	var prefixes []string
	for _, b := range blocks {
		count[b.Prefix.Addr().Is4()]++
		prefixes = append(prefixes, b.Prefix.String())
	}
	for _, family := range []bool{true, false} {
		if count[family] < 15 {
			return "", 0, fmt.Errorf("holds %d IPv4 and %d IPv6 blocks; want both registries in one file, iana-ipv4-special-registry-1.csv and then iana-ipv6-special-registry-1.csv",
				count[true], count[false])
		}
	}
	for _, want := range []string{"10.0.0.0/8", "127.0.0.0/8", "192.168.0.0/16", "::1/128", "fc00::/7", "fe80::/10"} {
		if !slices.Contains(prefixes, want) {
			return "", 0, fmt.Errorf("lacks %s, which is in the registries", want)
		}
	}
	return text, len(blocks), nil
}

func canonicalConfusables(text string, _ time.Time) (string, int, error) {
	t, err := parseConfusables(text)
	if err != nil {
		return "", 0, err
	}
	if err := enough(len(t), 3000, "characters"); err != nil {
		return "", 0, err
	}
	// The program knows these by heart, see appendASCIISkeleton.
	for r, want := range map[rune]string{'0': "O", '1': "l", 'm': "rn", 'а': "a"} {
		if t[r] != want {
			return "", 0, fmt.Errorf("maps %q to %q; UTS 39 has %q", r, t[r], want)
		}
	}
	runes := make([]rune, 0, len(t))
	for r := range t {
		runes = append(runes, r)
	}
	slices.Sort(runes)
	var b strings.Builder
	for _, r := range runes {
		fmt.Fprintf(&b, "%04X;", r)
		for i, to := range []rune(t[r]) {
			if i > 0 {
				b.WriteByte(' ')
			}
			fmt.Fprintf(&b, "%04X", to)
		}
		b.WriteByte('\n')
	}
	return b.String(), len(t), nil
}

func canonicalWords(text string, _ time.Time) (string, int, error) {
	lists, err := parseWords(text)
	n := 0
	for _, l := range lists {
		n += len(l.entries)
	}
	return text, n, err
}

func canonicalBrands(text string, _ time.Time) (string, int, error) {
	lists, err := parseBrands(text)
	n := 0
	for _, l := range lists {
		n += len(l.brands)
	}
	return text, n, err
}
