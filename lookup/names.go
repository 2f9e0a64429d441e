package lookup

import (
	"cmp"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"golang.org/x/net/idna"

	"assay/evidence"
	"assay/internal/strict"
)

// answerNames looks every name up in the block lists, the feeds and the
// service's own records.
func (s *Source) answerNames(q evidence.LookupQuestion) evidence.Observation {
	a := &evidence.LookupAnswer{}
	for _, name := range q.Names {
		for _, l := range s.blocked {
			a.Hits = l.find(a.Hits, name)
		}
		if len(s.unsafe) > 0 {
			base, _ := strings.CutPrefix(name, "*.")
			registrable := s.data.Suffix(base, true).Registrable
			for _, l := range s.unsafe {
				a.Hits = l.find(a.Hits, name, base, registrable)
			}
		}
		for _, h := range s.records.Names {
			if match := matchName(h.Entry, name); match != "" {
				h.Match = cmp.Or(h.Match, match)
				a.Hits = append(a.Hits, own(h, name))
			}
		}
	}
	return answer(q, a)
}

// matchName compares a name with an entry of records: the name itself, or with
// a leading dot it and everything below.
func matchName(entry, name string) string {
	base, _ := strings.CutPrefix(name, "*.")
	entry = strings.ToLower(entry)
	suffix, isSuffix := strings.CutPrefix(entry, ".")
	switch {
	case suffix == "":
	case !isSuffix && (name == entry || base == entry):
		return "exact"
	case isSuffix && (base == suffix || strings.HasSuffix(base, entry)):
		return "suffix"
	}
	return ""
}

func (s *Source) openBlocked(path string) (info, error) {
	l := newBlockedNames()
	i, err := readText(path, l.add)
	l.info = i
	s.blocked = append(s.blocked, l)
	return i, err
}

func (s *Source) openUnsafe(path string) (info, error) {
	l := &nameFeed{hosts: map[string]string{}}
	i, err := readText(path, l.add)
	l.info, i.entries = i, len(l.hosts)
	s.unsafe = append(s.unsafe, l)
	return i, err
}

// blockedNames is an operator's block list.
type blockedNames struct {
	exact    map[string]string // name → reason
	suffix   map[string]string // name without the leading dot → reason
	below    map[string]string // parent → an entry one label below it
	prefixes map[netip.Prefix]string
	lengths  []int // prefix lengths in use, longest first; IPv6 as its own
	info     info
}

func newBlockedNames() *blockedNames {
	return &blockedNames{
		exact: map[string]string{}, suffix: map[string]string{}, below: map[string]string{},
		prefixes: map[netip.Prefix]string{},
	}
}

// add reads "ENTRY [reason]": a name, an address, ".suffix" or a prefix.
func (l *blockedNames) add(line string) error {
	entry, reason := cutWord(line)
	if strings.Contains(entry, "/") {
		p, err := netip.ParsePrefix(entry)
		if err != nil {
			return fmt.Errorf("%q is no address prefix such as 192.0.2.0/24", strict.Quotable(entry))
		}
		if p != p.Masked() {
			return fmt.Errorf("the prefix %q has bits set beyond its length; %s is meant?", strict.Quotable(entry), p.Masked())
		}
		l.addPrefix(p, reason)
		return nil
	}
	if a, err := netip.ParseAddr(entry); err == nil && a.Zone() == "" {
		l.addPrefix(netip.PrefixFrom(a.Unmap(), a.Unmap().BitLen()), reason)
		return nil
	}
	bare, isSuffix := strings.CutPrefix(entry, ".")
	wildcard := strings.HasPrefix(bare, "*.") && !isSuffix
	host, err := hostName(strings.TrimPrefix(bare, "*."))
	if err != nil {
		return err
	}
	if wildcard {
		l.exact["*."+host] = reason
		return nil
	}
	if isSuffix {
		l.suffix[host] = reason
	} else {
		l.exact[host] = reason
	}
	if _, parent, ok := strings.Cut(host, "."); ok {
		if isSuffix {
			host = "." + host
		}
		if have, ok := l.below[parent]; !ok || host < have {
			l.below[parent] = host
		}
	}
	return nil
}

func (l *blockedNames) addPrefix(p netip.Prefix, reason string) {
	l.prefixes[p] = reason
	if !slices.Contains(l.lengths, p.Bits()) {
		l.lengths = append(l.lengths, p.Bits())
		slices.SortFunc(l.lengths, func(a, b int) int { return b - a })
	}
}

// find appends the narrowest entry that a name matches: itself, the longest
// suffix or prefix, or for a wildcard an entry that it covers.
func (l *blockedNames) find(hits []evidence.Hit, name string) []evidence.Hit {
	hit := func(entry, match, reason string) []evidence.Hit {
		return append(hits, evidence.Hit{
			List: "names.blocked", Kind: "blocked", Entry: entry, Match: match, Subject: name, Reason: reason, Date: l.info.date,
		})
	}
	if reason, ok := l.exact[name]; ok {
		return hit(name, "exact", reason)
	}
	if a, err := netip.ParseAddr(name); err == nil {
		a = a.Unmap()
		for _, bits := range l.lengths {
			p, err := a.Prefix(bits)
			if err != nil {
				continue
			}
			if reason, ok := l.prefixes[p]; ok {
				return hit(p.String(), "prefix", reason)
			}
		}
		return hits
	}
	base, wildcard := strings.CutPrefix(name, "*.")
	for parent := base; parent != ""; {
		if reason, ok := l.suffix[parent]; ok {
			return hit("."+parent, "suffix", reason)
		}
		_, parent, _ = strings.Cut(parent, ".")
	}
	if wildcard {
		if entry, ok := l.below[base]; ok {
			reason, isExact := l.exact[entry]
			if !isExact {
				reason = l.suffix[strings.TrimPrefix(entry, ".")]
			}
			return hit(entry, "covers", reason)
		}
	}
	return hits
}

// nameFeed is a list of hosts that were seen to harm.
type nameFeed struct {
	hosts map[string]string // host → entry as listed, "" where they are equal
	info  info
}

// add reads one line: a host, a URL, or a line of a hosts file ("0.0.0.0 host").
func (l *nameFeed) add(line string) error {
	if before, _, ok := strings.Cut(line, " #"); ok {
		line = strings.TrimSpace(before)
	}
	if first, rest := cutWord(line); rest != "" {
		if _, err := netip.ParseAddr(first); err != nil {
			return errors.New("want a host, a URL, or an address and hosts as in a hosts file")
		}
		for _, host := range strings.Fields(rest) {
			// "localhost", "broadcasthost": what every hosts file begins with.
			if !strings.Contains(strings.TrimSuffix(host, "."), ".") {
				continue
			}
			if err := l.addHost(host, host); err != nil {
				return err
			}
		}
		return nil
	}
	host := line
	if _, rest, ok := strings.Cut(line, "://"); ok {
		if end := strings.IndexAny(rest, "/?#\\"); end >= 0 {
			rest = rest[:end]
		}
		if at := strings.LastIndexByte(rest, '@'); at >= 0 {
			rest = rest[at+1:]
		}
		host = rest
		if inner, ok := strings.CutPrefix(rest, "["); ok {
			host, _, _ = strings.Cut(inner, "]")
		} else if colon := strings.LastIndexByte(rest, ':'); colon >= 0 {
			host = rest[:colon]
		}
	}
	return l.addHost(host, line)
}

func (l *nameFeed) addHost(host, entry string) error {
	if a, err := netip.ParseAddr(host); err == nil {
		host = a.Unmap().WithZone("").String()
	} else if host, err = hostName(host); err != nil {
		return err
	}
	if entry == host {
		entry = ""
	}
	if _, ok := l.hosts[host]; !ok {
		l.hosts[host] = entry
	}
	return nil
}

func (l *nameFeed) find(hits []evidence.Hit, name, base, registrable string) []evidence.Hit {
	for i, host := range []string{base, registrable} {
		if i > 0 && (host == "" || host == base) {
			continue
		}
		entry, ok := l.hosts[host]
		if !ok {
			continue
		}
		match := "exact"
		if i > 0 {
			match = "suffix"
		}
		return append(hits, evidence.Hit{
			List: "names.unsafe", Kind: "unsafe", Entry: cmp.Or(entry, host), Match: match, Subject: name, Date: l.info.date,
		})
	}
	return hits
}

// hostName returns a listed host in lower-case A-label form. Lists of what was
// seen in the wild hold names no CA would issue for (underscores): they are
// kept as they are.
func hostName(text string) (string, error) {
	host := strings.ToLower(strings.TrimSuffix(text, "."))
	ascii := true
	for i := range len(host) {
		c := host[i]
		if c >= 0x80 {
			ascii = false
			continue
		}
		if !(c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '-' || c == '_' || c == '.') {
			return "", fmt.Errorf("%q is no host name", strict.Quotable(text))
		}
	}
	if !ascii {
		var err error
		if host, err = idna.Lookup.ToASCII(host); err != nil {
			return "", fmt.Errorf("%q is no host name", strict.Quotable(text))
		}
	}
	if host == "" || len(host) > 253 || host[0] == '.' || strings.Contains(host, "..") {
		return "", fmt.Errorf("%q is no host name", strict.Quotable(text))
	}
	return host, nil
}

// cutWord splits a line after its first word.
func cutWord(line string) (word, rest string) {
	if i := strings.IndexAny(line, " \t"); i >= 0 {
		return line[:i], strings.TrimSpace(line[i:])
	}
	return line, ""
}
