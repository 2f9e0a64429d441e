package lookup

import (
	"bytes"
	"cmp"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"

	"assay/evidence"
)

// A keyList finds keys by their digests.
type keyList interface {
	// find returns the entries that a key matches. covered is false where the
	// list has nothing to say about keys of this size, so that no hit means
	// nothing.
	find(q *evidence.LookupQuestion) (hits []evidence.Hit, covered bool, err error)
}

// answerKeys looks a key up in every list and in the service's own records.
func (s *Source) answerKeys(q evidence.LookupQuestion) evidence.Observation {
	a := &evidence.LookupAnswer{}
	var failed []string
	debian := len(s.debian) == 0 || q.ModulusBits == 0 || q.ModulusBits > maxDebianBits
	for _, l := range slices.Concat(s.compromised, s.debian) {
		hits, covered, err := l.find(&q)
		if err != nil {
			failed = append(failed, err.Error())
		}
		a.Hits = append(a.Hits, hits...)
		debian = debian || covered && slices.Contains(s.debian, l)
	}
	for _, h := range s.records.Keys {
		if h.Entry != "" && (strings.EqualFold(h.Entry, q.Keyprint) || strings.EqualFold(h.Entry, q.SPKISHA256)) {
			a.Hits = append(a.Hits, own(h, ""))
		}
	}
	if len(a.Hits) == 0 && len(failed) > 0 {
		return unknown(q, strings.Join(failed, "; "))
	}
	if len(a.Hits) == 0 && !debian {
		return unknown(q, fmt.Sprintf("keys.debian has no table for keys of %d bits", q.ModulusBits))
	}
	return answer(q, a)
}

// maxDebianBits is the longest key that Debian weak keys must be looked for
// (BR 6.1.1.3).
const maxDebianBits = 8192

// own completes a hit of the service's own records.
func own(h evidence.Hit, subject string) evidence.Hit {
	h.List = cmp.Or(h.List, "service")
	h.Match = cmp.Or(h.Match, "exact")
	h.Subject = subject
	return h
}

func (s *Source) openCompromised(path string) (info, error) {
	if isDatabase(path) {
		l, i, err := s.openDatabase(path, compromisedTable)
		if err == nil {
			s.compromised = append(s.compromised, l)
		}
		return i, err
	}
	t := &keyText{list: "keys.compromised", kind: "compromised"}
	i, err := readText(path, t.addDigest)
	t.finish(i)
	s.compromised = append(s.compromised, t)
	return i, err
}

func (s *Source) openDebian(path string) (info, error) {
	if isDatabase(path) {
		l, i, err := s.openDatabase(path, debianTable)
		if err == nil {
			s.debian = append(s.debian, l)
		}
		return i, err
	}
	t := &keyText{list: "keys.debian", kind: "debian-weak"}
	i, err := readText(path, t.addDebian)
	t.finish(i)
	s.debian = append(s.debian, t)
	return i, err
}

// keyText is a list in text form: sorted digests, 36 bytes an entry.
type keyText struct {
	list, kind string
	full       []keyEntry
	half       [][halfHash]byte
	reasons    []string
	reasonAt   map[string]uint32
	info       info
}

type keyEntry struct {
	sum    [32]byte
	reason uint32
}

// halfHash is the length of an entry of openssl-vulnkey's lists: the last ten
// bytes of SHA-1("Modulus=" + modulus in upper case hexadecimal + "\n").
const halfHash = 10

// addDigest reads "DIGEST [reason]": SHA-256 of a SubjectPublicKeyInfo, or a
// keyprint.
func (t *keyText) addDigest(line string) error {
	digest, reason, _ := strings.Cut(line, " ")
	if tab := strings.IndexByte(digest, '\t'); tab >= 0 {
		digest, reason = line[:tab], line[tab+1:]
	}
	var e keyEntry
	if len(digest) != 64 {
		return errors.New("want the 64 hexadecimal digits of a SHA-256 digest")
	}
	if _, err := hex.Decode(e.sum[:], []byte(digest)); err != nil {
		return errors.New("want the 64 hexadecimal digits of a SHA-256 digest")
	}
	e.reason = t.reason(strings.TrimSpace(reason))
	t.full = append(t.full, e)
	return nil
}

// addDebian reads a SHA-256 digest of a modulus, or an entry of openssl-vulnkey.
func (t *keyText) addDebian(line string) error {
	switch len(line) {
	case 2 * halfHash:
		var e [halfHash]byte
		if _, err := hex.Decode(e[:], []byte(line)); err != nil {
			return errors.New("want 20 or 64 hexadecimal digits")
		}
		t.half = append(t.half, e)
		return nil
	case 64:
		return t.addDigest(line)
	}
	return errors.New("want 20 hexadecimal digits (openssl-vulnkey) or 64 (SHA-256 of the modulus)")
}

// reason stores a reason once.
func (t *keyText) reason(text string) uint32 {
	if n, ok := t.reasonAt[text]; ok {
		return n
	}
	if t.reasonAt == nil {
		t.reasonAt = map[string]uint32{}
	}
	n := uint32(len(t.reasons))
	t.reasons = append(t.reasons, text)
	t.reasonAt[text] = n
	return n
}

func (t *keyText) finish(i info) {
	t.info, t.reasonAt = i, nil
	slices.SortFunc(t.full, func(a, b keyEntry) int { return bytes.Compare(a.sum[:], b.sum[:]) })
	slices.SortFunc(t.half, func(a, b [halfHash]byte) int { return bytes.Compare(a[:], b[:]) })
}

func (t *keyText) find(q *evidence.LookupQuestion) (hits []evidence.Hit, covered bool, err error) {
	digests := []string{q.SPKISHA256, q.Keyprint}
	if t.kind == "debian-weak" {
		digests = []string{q.ModulusSHA256}
	}
	for _, d := range digests {
		var sum [32]byte
		if n, err := hex.Decode(sum[:], []byte(d)); len(d) != 64 || err != nil || n != len(sum) {
			continue
		}
		if at, ok := slices.BinarySearchFunc(t.full, sum, func(e keyEntry, x [32]byte) int { return bytes.Compare(e.sum[:], x[:]) }); ok {
			hits = append(hits, t.hit(strings.ToLower(d), t.reasons[t.full[at].reason]))
		}
	}
	if d := q.VulnkeySHA1; t.kind == "debian-weak" && len(d) == 40 {
		var tail [halfHash]byte
		if _, err := hex.Decode(tail[:], []byte(d[20:])); err == nil {
			if _, ok := slices.BinarySearchFunc(t.half, tail, func(e, x [halfHash]byte) int { return bytes.Compare(e[:], x[:]) }); ok {
				hits = append(hits, t.hit(strings.ToLower(d[20:]), ""))
			}
		}
	}
	return hits, true, nil
}

func (t *keyText) hit(entry, reason string) evidence.Hit {
	return evidence.Hit{List: t.list, Kind: t.kind, Entry: entry, Match: "exact", Reason: reason, Date: t.info.date}
}
