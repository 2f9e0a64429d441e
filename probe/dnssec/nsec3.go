package dnssec

import (
	"crypto/sha1"
	"encoding/base32"
	"encoding/hex"
	"strings"

	"github.com/miekg/dns"
)

// An nsec3 is an NSEC3 record: no name has a hash between owner and next (RFC 5155 3).
type nsec3 struct {
	owner, next string // hashes
	optOut      bool
	types       types
}

// nsec3s are the NSEC3 records of a message, all with the same parameters.
type nsec3s struct {
	zone       name
	iterations int
	salt       string
	list       []nsec3
	hashes     map[string]string // by wire name
	work       *Work
	// excessive: the iteration count is above MaxIterations. exhausted: the
	// budget of hashes ran out.
	excessive, exhausted bool
}

const sha1Size = sha1.Size

// add takes a verified record. Those with unknown hash algorithms or flags are
// ignored (RFC 5155 8.1, 8.2), and those whose parameters differ from the first
// one's: such a response may be called bogus (RFC 5155 8.2).
func (s *nsec3s) add(owner name, rr *dns.NSEC3) {
	if rr.Hash != dns.SHA1 || rr.Flags > 1 || len(owner.labels) != len(s.zone.labels)+1 {
		return
	}
	ownerHash, err := base32.HexEncoding.DecodeString(strings.ToUpper(owner.labels[0]))
	if err != nil || len(ownerHash) != sha1Size {
		return
	}
	next, err := base32.HexEncoding.DecodeString(strings.ToUpper(rr.NextDomain))
	if err != nil || len(next) != sha1Size {
		return
	}
	salt, err := hex.DecodeString(strings.TrimPrefix(rr.Salt, "-"))
	if err != nil {
		return
	}
	if rr.Iterations > MaxIterations {
		s.excessive = true
		return
	}
	if len(s.list) == 0 {
		s.iterations, s.salt = int(rr.Iterations), string(salt)
	} else if s.iterations != int(rr.Iterations) || s.salt != string(salt) {
		return
	}
	s.list = append(s.list, nsec3{string(ownerHash), string(next), rr.Flags&1 != 0, rr.TypeBitMap})
}

// hash is the hash of a name (RFC 5155 5); it fails when the budget is used up.
func (s *nsec3s) hash(n name) (string, bool) {
	if h, ok := s.hashes[n.wire]; ok {
		return h, true
	}
	if s.work.Hashes <= 0 {
		s.exhausted = true
		return "", false
	}
	s.work.Hashes--
	var buf [sha1Size + 255]byte // a salt is at most 255 bytes
	sum := sha1.Sum(append([]byte(n.wire), s.salt...))
	for range s.iterations {
		sum = sha1.Sum(append(append(buf[:0], sum[:]...), s.salt...))
	}
	if s.hashes == nil {
		s.hashes = make(map[string]string, 4)
	}
	h := string(sum[:])
	s.hashes[n.wire] = h
	return h, true
}

// at finds the record of a name that exists.
func (s *nsec3s) at(n name) *nsec3 {
	h, ok := s.hash(n)
	if !ok {
		return nil
	}
	for i := range s.list {
		if s.list[i].owner == h {
			return &s.list[i]
		}
	}
	return nil
}

// cover finds the record that says that the name does not exist.
func (s *nsec3s) cover(n name) *nsec3 {
	h, ok := s.hash(n)
	if !ok {
		return nil
	}
	for i := range s.list {
		r := &s.list[i]
		after, before := r.owner < h, h < r.next
		if r.owner < r.next && after && before || r.owner >= r.next && (after || before) {
			return r
		}
	}
	return nil
}

// closest is the closest encloser proof (RFC 5155 8.3): the nearest ancestor that
// exists, and the record that covers the name next closer to n. It fails where
// the ancestor is not one that this zone can speak below.
func (s *nsec3s) closest(n name) (encloser name, next *nsec3, ok bool) {
	if !n.below(s.zone) {
		return name{}, nil, false
	}
	for i := 1; i <= len(n.labels)-len(s.zone.labels); i++ {
		r := s.at(n.up(i))
		if s.exhausted {
			return name{}, nil, false
		}
		if r == nil {
			continue
		}
		if r.types.occludes() {
			return name{}, nil, false
		}
		next = s.cover(n.up(i - 1))
		return n.up(i), next, next != nil
	}
	return name{}, nil, false
}

// nxdomain follows RFC 5155 8.4. Where the next closer name is in an opt-out
// span an unsigned delegation may be there (RFC 5155 9.2).
func (s *nsec3s) nxdomain(n name) outcome {
	encloser, next, ok := s.closest(n)
	if !ok || s.cover(encloser.wildcard()) == nil {
		return unproven
	}
	return optOut(next)
}

// nodata follows RFC 5155 8.5 to 8.7, and erratum 3441: an empty non-terminal
// above unsigned delegations need not have a record in an opt-out zone.
func (s *nsec3s) nodata(n name, qtype uint16) outcome {
	if r := s.at(n); r != nil {
		return whether(r.types.lacks(qtype, s.zone))
	}
	encloser, next, ok := s.closest(n)
	if !ok {
		return unproven
	}
	if qtype == dns.TypeDS && next.optOut {
		// A wildcard is no delegation and does not bear on whether there is one
		// (RFC 5155 8.6, 8.9); its record may be the very one that covers the name.
		return open
	}
	if w := s.at(encloser.wildcard()); w != nil {
		// Of another type this denies what the wildcard has, even where its record
		// only covers an empty non-terminal: unbound decides so too.
		if !w.types.lacks(qtype, s.zone) {
			return unproven
		}
		return optOut(next)
	}
	if next.optOut {
		return open
	}
	return unproven
}

// wildcard follows RFC 5155 8.8.
func (s *nsec3s) wildcard(n, base name) outcome {
	if !n.below(base) {
		return unproven
	}
	next := s.cover(n.last(len(base.labels) + 1))
	if next == nil {
		return unproven
	}
	return optOut(next)
}

func optOut(next *nsec3) outcome {
	if next.optOut {
		return open
	}
	return proven
}
