package dnssec

import (
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/miekg/dns"

	"assay/evidence"
)

// Keys are the trusted keys of a zone, or why there are none. It is safe for
// concurrent use. The nil *Keys trusts nothing: all its answers are Indeterminate.
type Keys struct {
	zone  string
	name  name
	keys  []key
	trust Result
}

// Anchors turns the records of a trust anchor file, DS or DNSKEY, into DS records.
// Keys that are revoked or no zone keys are left out.
func Anchors(records []dns.RR) []*dns.DS {
	var out []*dns.DS
	for _, rr := range records {
		switch rr := rr.(type) {
		case *dns.DS:
			out = append(out, rr)
		case *dns.DNSKEY:
			if !zoneKey(rr) {
				continue
			}
			if ds := rr.ToDS(dns.SHA256); ds != nil {
				out = append(out, ds)
			}
		}
	}
	return out
}

// newKeys makes keys with the trust given; a zone that is no domain name is never trusted.
func newKeys(zone string, trust Result) *Keys {
	n, ok := parseName(zone)
	if !ok {
		return &Keys{zone: zone, trust: Result{
			State: Indeterminate, Reason: evidence.ReasonKeysMissing, Detail: "not a domain name",
		}}
	}
	return &Keys{zone: n.String(), name: n, trust: trust}
}

// Unsigned is a zone that is proven to need no signatures: its answers are Insecure.
func Unsigned(zone string) *Keys {
	return newKeys(zone, Result{State: Insecure})
}

// Broken is a zone whose chain of trust fails as r says, because its keys or
// the DS set could not be had: its answers repeat r, which must not be Secure or
// Insecure.
func Broken(zone string, r Result) *Keys {
	if r.State != Bogus {
		r.State = Indeterminate
	}
	return newKeys(zone, r)
}

// TrustKeys decides which keys of a zone to trust: those of a DNSKEY set that is
// signed by a key which a DS record names. The set is what servers gave for the
// zone's DNSKEY: records and signatures, others are ignored. The result is
// Insecure where no DS has an algorithm and digest that are supported (RFC 4035
// 5.2); without any DS it is Indeterminate. Keys is never nil: its answers
// repeat a result that is not Secure.
func TrustKeys(zone string, ds []*dns.DS, records []dns.RR, at time.Time, w *Work) (*Keys, Result) {
	k := newKeys(zone, Result{})
	if k.trust.State == "" {
		k.trust = k.build(ds, records, at, w.orNew())
	}
	if k.trust.State != Secure {
		k.keys = nil
	}
	return k, k.trust
}

func (k *Keys) build(ds []*dns.DS, records []dns.RR, at time.Time, w *Work) Result {
	if len(ds) == 0 {
		return Result{State: Indeterminate, Reason: evidence.ReasonKeysMissing, Detail: "no DS record to start from"}
	}
	usable := usableDS(ds, k.name, w)
	if len(usable) == 0 {
		return Result{State: Insecure, Detail: "no DS record of " + k.zone + " has a supported algorithm and digest"}
	}
	dnskeys := find(sets(records), k.name, dns.TypeDNSKEY)
	if dnskeys == nil {
		return Result{State: Bogus, Reason: evidence.ReasonKeysMissing, Detail: "no DNSKEY records of " + k.zone, KeyTag: usable[0].KeyTag}
	}
	entry, fail := k.entryKeys(usable, dnskeys, w)
	if len(entry) == 0 {
		return fail
	}
	v := k.verify(dnskeys, entry, at, w)
	if v.State != Secure {
		return v.Result
	}
	for _, rr := range dnskeys.rrs {
		if rr, ok := rr.(*dns.DNSKEY); ok && zoneKey(rr) && supportedAlgorithm(rr.Algorithm, w.SHA1) {
			k.keys = append(k.keys, parseKey(rr))
		}
	}
	return v.Result
}

// usableDS leaves out what is not supported, and SHA-1 digests where there are
// better ones (RFC 4509 3): a downgrade must not be possible.
func usableDS(ds []*dns.DS, zone name, w *Work) []*dns.DS {
	var usable []*dns.DS
	better := false
	for _, d := range ds {
		owner, ok := parseName(d.Hdr.Name)
		if !ok || owner.wire != zone.wire || !supportedAlgorithm(d.Algorithm, w.SHA1) || !supportedDigest(d.DigestType) {
			continue
		}
		usable = append(usable, d)
		better = better || d.DigestType != dns.SHA1
	}
	if better {
		usable = slices.DeleteFunc(usable, func(d *dns.DS) bool { return d.DigestType == dns.SHA1 })
	}
	return usable
}

// entryKeys are the keys that a DS names.
func (k *Keys) entryKeys(ds []*dns.DS, dnskeys *set, w *Work) ([]key, Result) {
	fail := Result{State: Bogus, Reason: evidence.ReasonNoKey, KeyTag: ds[0].KeyTag}
	fail.Detail = fmt.Sprintf("no DNSKEY of %s matches its DS records (%s)", k.zone, tags(ds))
	var entry []key
	for _, rr := range dnskeys.rrs {
		rr, ok := rr.(*dns.DNSKEY)
		if !ok || !zoneKey(rr) {
			continue
		}
		tag := rr.KeyTag()
		for _, d := range ds {
			if d.KeyTag != tag || d.Algorithm != rr.Algorithm {
				continue
			}
			if w.Digests <= 0 {
				fail.Reason, fail.Detail = evidence.ReasonTooMuchWork, "too many keys of "+k.zone+" have the tag of a DS"
				return entry, fail
			}
			w.Digests--
			if digestMatches(d, rr) {
				entry = append(entry, parseKey(rr))
				break
			}
		}
	}
	return entry, fail
}

func digestMatches(d *dns.DS, rr *dns.DNSKEY) bool {
	want, err := hex.DecodeString(d.Digest)
	if err != nil {
		return false
	}
	made := rr.ToDS(d.DigestType)
	return made != nil && strings.EqualFold(made.Digest, hex.EncodeToString(want))
}

// tags lists key tags for people, at most eight.
func tags(ds []*dns.DS) string {
	var out []string
	for _, d := range ds[:min(len(ds), 8)] {
		out = append(out, fmt.Sprintf("%d", d.KeyTag))
	}
	return strings.Join(out, ", ")
}

// Zone is the name of the zone, lower case with the trailing dot.
func (k *Keys) Zone() string { return k.zone }

// Trust is the result of TrustKeys.
func (k *Keys) Trust() Result { return k.trust }

// Verify checks that one signature of a set is good and made by the zone. It
// accepts records that come from a wildcard (Result.Wildcard); whether they may,
// only Answer decides.
func (k *Keys) Verify(rrset, sigs []dns.RR, at time.Time, w *Work) Result {
	if r, stop := k.untrusted(); stop {
		return r
	}
	var s *set
	for _, one := range sets(slices.Concat(rrset, sigs)) {
		if len(one.rrs) > 0 {
			s = one
			break
		}
	}
	if s == nil || len(s.rrs) != len(rrset) {
		return Result{State: Bogus, Reason: evidence.ReasonNoSignature, Detail: "not one set of records"}
	}
	v := k.verify(s, k.keys, at, w.orNew())
	v.Wildcard = v.State == Secure && v.wildcard(s)
	return v.Result
}

// Insecure is what [Keys.Answer] says of every answer of a zone that needs no
// signatures, for those who do not need to know what was found; false for others.
func (k *Keys) Insecure() (Result, bool) {
	if k == nil || k.trust.State != Insecure {
		return Result{}, false
	}
	return k.trust, true
}

// untrusted is the answer of keys that are not Secure.
func (k *Keys) untrusted() (Result, bool) {
	if k == nil {
		return Result{State: Indeterminate, Reason: evidence.ReasonKeysMissing, Detail: "no keys"}, true
	}
	return k.trust, k.trust.State != Secure
}
