// Package renewal says when a certificate is renewed, how long the next one lives,
// and when its end is told. It is pure: it reads no clock, and chance comes in as
// a seed.
//
// A certificate is renewed at two thirds of its life: a 90-day one 30 days before
// its end, a 45-day one 15, a 6-day one 2. Where its CA publishes renewal
// information (RFC 9773) the CA's window says when. In any case there is time left
// to find out why a renewal fails: see [Policy.Latest].
package renewal

import (
	"crypto/sha256"
	"encoding/binary"
	"math/bits"
	"slices"
	"time"
)

const day = 24 * time.Hour

// A Life is the time in which a certificate is valid: both seconds count (RFC 5280
// 4.1.2.5).
type Life struct{ NotBefore, NotAfter time.Time }

// Length counts the last second too.
func (l Life) Length() time.Duration { return max(l.NotAfter.Sub(l.NotBefore)+time.Second, 0) }

// end is the first moment at which it is over.
func (l Life) end() time.Time { return l.NotBefore.Add(l.Length()) }

// A Window is when a CA wants a certificate to be renewed (RFC 9773 4.2).
type Window struct{ Start, End time.Time }

// Valid: a window ends after it begins, otherwise one's own schedule holds.
func (w Window) Valid() bool { return !w.Start.IsZero() && w.Start.Before(w.End) }

// A Share is a part of a life.
type Share struct{ Of, In int64 }

// DefaultNotices are the days before the end on which it is told.
func DefaultNotices() []int { return []int{30, 14, 7, 3, 1} }

const (
	// Long is what a life has to exceed for LongLeft to hold.
	Long = 90 * day
	// LongLeft is how long before its end a certificate with a long life is renewed
	// at the latest.
	LongLeft = 30 * day
	// shortLeft is the part of a shorter life that is left at the latest: a tenth,
	// 4.5 days of 45, 14 hours of 6 days.
	shortLeft = 10
)

// A Policy says when to renew. The zero value is the default.
type Policy struct {
	// Share is the part of the life after which a certificate is renewed, more than
	// none and less than all; the zero value, and what cannot be: two thirds.
	Share Share
	// OpensDays is how many days before the end renewal opens where a CA offers it
	// only then ([assay/profile.Limits.RenewalDaysLeft]); 0: at any time.
	OpensDays int
	// Notices are the days before the end on which it is told, in any order; nil:
	// [DefaultNotices]; empty: on none.
	Notices []int
}

// At is when a certificate is renewed whose CA publishes no renewal information.
func (p Policy) At(l Life) time.Time {
	share := p.Share
	if share.Of <= 0 || share.In <= share.Of {
		share = Share{2, 3}
	}
	at := l.NotBefore.Add(part(l.Length(), share))
	return p.within(l, at)
}

// part is a share of a length, without overflow and rounded down to a second.
func part(d time.Duration, s Share) time.Duration {
	high, low := bits.Mul64(uint64(d), uint64(s.Of))
	n, _ := bits.Div64(high, low, uint64(s.In)) // s.Of < s.In, so the quotient fits
	return time.Duration(n).Truncate(time.Second)
}

// Latest is when a certificate is renewed at the latest: 30 days before its end
// where its life is longer than 90 days, else a tenth of its life before.
func (p Policy) Latest(l Life) time.Time {
	left := LongLeft
	if length := l.Length(); length <= Long {
		left = length / shortLeft
	}
	return l.end().Add(-left)
}

// Opens is from when on a certificate may be renewed.
func (p Policy) Opens(l Life) time.Time {
	if p.OpensDays <= 0 {
		return l.NotBefore
	}
	opens := l.end().Add(-time.Duration(min(p.OpensDays, maxDays)) * day)
	if opens.Before(l.NotBefore) {
		return l.NotBefore
	}
	return opens
}

// maxDays bounds days that are given: 100 years.
const maxDays = 36525

// within keeps a time from being too late, and then from being too early: what is
// not open cannot be renewed.
func (p Policy) within(l Life, at time.Time) time.Time {
	if latest := p.Latest(l); at.After(latest) {
		at = latest
	}
	if opens := p.Opens(l); at.Before(opens) {
		at = opens
	}
	return at
}

// In is when a certificate is renewed whose CA has named a window: a moment that
// chance picks in it, so that a CA's certificates do not come all at once (RFC 9773
// 4.2). The moment is the same for the same seed and window, however often the CA
// is asked, and another for another window. It lies in the past where the window
// does: then the certificate is renewed now, whatever is left of its life (the CA
// may be about to revoke it). A window that is none is not looked at.
//
// The seed is what tells certificates apart: the fingerprint.
func (p Policy) In(l Life, w Window, seed []byte) time.Time {
	if !w.Valid() {
		return p.At(l)
	}
	at := Pick(w, seed)
	if latest := p.Latest(l); at.After(latest) {
		return latest
	}
	return at
}

// Pick is a moment in a window, every second of it as likely as another.
func Pick(w Window, seed []byte) time.Time {
	start, end := w.Start.UTC(), w.End.UTC()
	seconds := max(end.Unix()-start.Unix(), 0)
	h := sha256.New()
	var fixed [16]byte
	binary.BigEndian.PutUint64(fixed[:8], uint64(start.Unix()))
	binary.BigEndian.PutUint64(fixed[8:], uint64(end.Unix()))
	_, _ = h.Write(fixed[:])
	_, _ = h.Write(seed)
	chance := binary.BigEndian.Uint64(h.Sum(nil))
	offset, _ := bits.Mul64(chance, uint64(seconds)+1)
	at := time.Unix(start.Unix()+int64(offset), 0).UTC()
	switch { // the window's own fractions of a second
	case at.Before(start):
		return start
	case at.After(end):
		return end
	}
	return at
}

// A Notice is one telling of an end.
type Notice struct {
	// Days is how many days before the end it is.
	Days int
	At   time.Time
}

// Tell are the notices of a certificate's end, the earliest first, each day once.
// Days beyond its life are dropped, and those that lie in the first third of it:
// of a certificate that was just made they would tell nothing.
func (p Policy) Tell(l Life) []Notice {
	days := p.Notices
	if days == nil {
		days = DefaultNotices()
	}
	first := l.NotBefore.Add(l.Length() / 3)
	var list []Notice
	for _, d := range slices.Backward(slices.Compact(slices.Sorted(slices.Values(days)))) {
		if d < 0 || d > maxDays {
			continue
		}
		if at := l.end().Add(-time.Duration(d) * day); at.After(first) && at.Before(l.end()) {
			list = append(list, Notice{d, at})
		}
	}
	return list
}

// Next is the life of the certificate that follows another, from the day of
// signing on. length is how long it would live by itself; kept is how many days of
// what is left of the old one are added at most (cloud: 30); maximum is the longest
// life that the dated table allows on that day (BR 6.3.2), or 0 where it allows
// any: kept time never leads over it.
func Next(start time.Time, length time.Duration, old Life, kept int, maximum time.Duration) Life {
	unused := min(max(old.end().Sub(start), 0), old.Length())
	length += min(unused, time.Duration(min(max(kept, 0), maxDays))*day)
	if maximum > 0 {
		length = min(length, maximum)
	}
	return Life{NotBefore: start, NotAfter: start.Add(max(length, time.Second) - time.Second)}
}
