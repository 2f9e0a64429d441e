package dnssec

import (
	"encoding/base64"
	"fmt"
	"time"

	"github.com/miekg/dns"

	"assay/evidence"
)

// A verdict is the result for one set, and how the signature was made.
type verdict struct {
	Result
	// labels is the Labels field of the good signature.
	labels int
}

// wildcard reports whether the set was made from a wildcard: the signature
// covers fewer labels than the owner has (RFC 4035 5.3.4).
func (v *verdict) wildcard(s *set) bool { return v.labels < s.owner.signedLabels() }

// telling orders reasons: where several signatures fail, the one nearest to a
// good one explains most.
var telling = map[string]int{
	evidence.ReasonTooMuchWork:  6,
	evidence.ReasonExpired:      5,
	evidence.ReasonNotYetValid:  4,
	evidence.ReasonBadSignature: 3,
	evidence.ReasonNoKey:        2,
	evidence.ReasonNoSignature:  1,
}

// more returns the more telling of two failures.
func more(a, b Result) Result {
	if telling[b.Reason] > telling[a.Reason] {
		return b
	}
	return a
}

// verify looks for a good signature of the set by the zone with one of keys.
func (k *Keys) verify(s *set, keys []key, at time.Time, w *Work) verdict {
	worst := Result{
		State: Bogus, Reason: evidence.ReasonNoSignature,
		Detail: fmt.Sprintf("no signature of %s %s", s.owner, dns.Type(s.typ)),
	}
	if !s.owner.under(k.name) {
		worst.Reason, worst.Detail = evidence.ReasonNoKey, fmt.Sprintf("%s is not in zone %s", s.owner, k.zone)
		return verdict{Result: worst}
	}
	var canonical *canonicalSet
	for _, sig := range s.sigs {
		fail := k.check(s, sig, at)
		if fail.Reason == "" && canonical == nil {
			var err error
			if canonical, err = canonicalize(s.owner, s.rrs); err != nil {
				fail.Reason, fail.Detail = evidence.ReasonBadSignature, fmt.Sprintf("%s %s: %v", s.owner, dns.Type(s.typ), err)
			}
		}
		if fail.Reason == "" {
			r := k.try(canonical, sig, keys, w)
			if r.State == Secure {
				r.TTL = keep(s, sig, at)
				return verdict{describe(r, sig, at), int(sig.Labels)}
			}
			fail.Reason, fail.Detail = r.Reason, r.Detail
		}
		worst = more(worst, describe(fail, sig, at))
		if worst.Reason == evidence.ReasonTooMuchWork {
			break
		}
	}
	return verdict{Result: worst}
}

// describe adds the facts about a signature.
func describe(r Result, sig *dns.RRSIG, at time.Time) Result {
	r.KeyTag = sig.KeyTag
	r.ValidFrom, r.ValidUntil = moment(sig.Inception, at), moment(sig.Expiration, at)
	return r
}

// moment reads a 32-bit time in the 68 years around at (RFC 4034 3.1.5, RFC 1982).
func moment(serial uint32, at time.Time) time.Time {
	now := at.Unix()
	return time.Unix(now+int64(int32(serial-uint32(now))), 0).UTC()
}

// check finds out what is wrong with a signature before any cryptography
// (RFC 4035 5.3.1).
func (k *Keys) check(s *set, sig *dns.RRSIG, at time.Time) Result {
	what := func() string {
		return fmt.Sprintf("signature of %s %s by %s/%d", s.owner, dns.Type(s.typ), dns.AlgorithmToString[sig.Algorithm], sig.KeyTag)
	}
	fail := func(reason, detail string) Result {
		return Result{State: Bogus, Reason: reason, Detail: what() + " " + detail}
	}
	signer, ok := parseName(sig.SignerName)
	from, until := moment(sig.Inception, at), moment(sig.Expiration, at)
	switch {
	case !ok || signer.wire != k.name.wire:
		r := fail(evidence.ReasonNoKey, "is made by zone "+sig.SignerName)
		if ok && signer.below(k.name) && s.owner.under(signer) {
			r.Cut = signer.String()
		}
		return r
	case int(sig.Labels) > s.owner.signedLabels() || int(sig.Labels) < len(k.name.labels):
		return fail(evidence.ReasonBadSignature, fmt.Sprintf("covers %d labels", sig.Labels))
	case int32(sig.Expiration-sig.Inception) < 0:
		return fail(evidence.ReasonBadSignature, "ends before it begins")
	case at.Unix() > until.Unix():
		return fail(evidence.ReasonExpired, "expired "+until.Format(time.RFC3339))
	case at.Unix() < from.Unix():
		return fail(evidence.ReasonNotYetValid, "is valid from "+from.Format(time.RFC3339))
	}
	return Result{State: Bogus}
}

// try verifies one signature with the keys that have its tag and algorithm.
func (k *Keys) try(c *canonicalSet, sig *dns.RRSIG, keys []key, w *Work) Result {
	what := func() string {
		return fmt.Sprintf("%s %s: signature by %s/%d", c.owner, dns.Type(c.typ), dns.AlgorithmToString[sig.Algorithm], sig.KeyTag)
	}
	raw, err := base64.StdEncoding.DecodeString(sig.Signature)
	if err != nil {
		return Result{State: Bogus, Reason: evidence.ReasonBadSignature, Detail: what() + " is no base64"}
	}
	var data []byte
	tried := 0
	for i := range keys {
		if keys[i].tag != sig.KeyTag || keys[i].algorithm != sig.Algorithm {
			continue
		}
		if tried == MaxCollisions || w.Verifications <= 0 || w.Failures <= 0 {
			return Result{State: Bogus, Reason: evidence.ReasonTooMuchWork, Detail: what() + " needs too many verifications"}
		}
		if data == nil {
			data = c.signedData(sig, k.name)
		}
		tried++
		w.Verifications--
		if keys[i].verify(data, raw) {
			return Result{State: Secure}
		}
		w.Failures--
	}
	if tried == 0 {
		return Result{State: Bogus, Reason: evidence.ReasonNoKey, Detail: what() + ": the zone has no such key"}
	}
	return Result{State: Bogus, Reason: evidence.ReasonBadSignature, Detail: what() + " does not verify"}
}

// keep is how long a validated set may be kept (RFC 4035 5.3.3).
func keep(s *set, sig *dns.RRSIG, at time.Time) int {
	ttl := min(int64(sig.OrigTtl), moment(sig.Expiration, at).Unix()-at.Unix())
	for _, rr := range s.rrs {
		ttl = min(ttl, int64(rr.Header().Ttl))
	}
	return int(ttl)
}
