package private

import (
	"errors"
	"fmt"
	"io"
	"time"

	"assay/cause"
	"assay/internal/issuer"
	"assay/profile"
)

const day = 24 * time.Hour

// newSerial makes a serial number of 20 octets: 158 random bits below a set one,
// so that it is positive, never zero and always of the same length. BR 7.1 asks
// for 64 bits; RFC 5280 4.1.2.2 allows 20 octets.
func newSerial(random io.Reader) ([]byte, error) {
	serial := make([]byte, 20)
	if _, err := io.ReadFull(random, serial); err != nil {
		return nil, fmt.Errorf("take random bits for a serial number: %w", err)
	}
	serial[0] = serial[0]&0x7f | 0x40
	return serial, nil
}

// validity is the first and the last second of a certificate: as long as the
// dated table of the profile allows on the day of signing, both seconds counted
// (BR 6.3.2), no longer than asked for, and within the life of every certificate
// above it: with any of them it is believed no more.
func (a *Authority) validity(r *issuer.Request) (first, last time.Time, err error) {
	now := r.Now.UTC()
	if err := a.Issues(now); err != nil {
		return first, last, &issuer.Unavailable{Problem: "key-offline", Err: err}
	}
	begin, end := a.hierarchy.InForce()
	first = now.Add(-a.backdate).Truncate(time.Second)
	if first.Before(begin) {
		first = begin
	}
	last = end
	if longest, ok := longest(r); ok {
		last = earlier(last, first.Add(longest-time.Second))
	}
	if !r.NotAfter.IsZero() {
		last = earlier(last, r.NotAfter.UTC().Truncate(time.Second))
	}
	if !last.After(now) {
		return first, last, ended(last)
	}
	return first, last, nil
}

// ended is the refusal of a certificate that would end before it is signed: time does
// not make that good.
func ended(last time.Time) error {
	return &issuer.Refusal{
		Problems: []issuer.Problem{{Cause: cause.RequestValidityTooLong, Subject: "validity", Parameters: map[string]any{"rule": "ended", "end": last}}},
		Err:      errors.New("the certificate would end at " + last.Format(time.RFC3339) + ", before it is signed: ask for a later end"),
	}
}

// longest is the longest validity, the lesser where days and hours are both set.
func longest(r *issuer.Request) (d time.Duration, ok bool) {
	if n, _, set := r.Profile.On(profile.ValidityDays, r.Now, r.Plan); set {
		d, ok = time.Duration(n)*day, true
	}
	if n, _, set := r.Profile.On(profile.ValidityHours, r.Now, r.Plan); set {
		if h := time.Duration(n) * time.Hour; !ok || h < d {
			d, ok = h, true
		}
	}
	return d, ok
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}
