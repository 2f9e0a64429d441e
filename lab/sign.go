package lab

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"strings"
	"time"

	"github.com/miekg/dns"
)

// Signatures are valid from a week before the world's clock to three weeks after.
const (
	signedBefore = 7 * 24 * time.Hour
	signedAfter  = 21 * 24 * time.Hour
)

// A keyring signs a zone, or fails to in the way that a scenario chose.
type keyring struct {
	zone     string
	signing  Signing
	now      time.Time
	ksk, zsk *key
	trap     []*dns.DNSKEY

	expired, notYet, unsigned, corrupt []selector
}

func newKeyring(origin string, s Signing, now time.Time) (*keyring, error) {
	if err := s.check(); err != nil {
		return nil, err
	}
	r := &keyring{zone: origin, signing: s, now: now}
	algorithm := uint8(s.Algorithm)
	switch {
	case s.KeyTrap > 0:
		algorithm = dns.RSASHA256
		r.trap = trapKeys(origin, s.KeyTrap)
	case algorithm == 0:
		algorithm = dns.ECDSAP256SHA256
	}
	var err error
	if r.ksk, err = newKey(origin, flagSecure, algorithm); err != nil {
		return nil, err
	}
	if r.zsk, err = newKey(origin, flagZone, algorithm); err != nil {
		return nil, err
	}
	for _, list := range []struct {
		into *[]selector
		from Strings
	}{{&r.expired, s.Expired}, {&r.notYet, s.NotYet}, {&r.unsigned, s.Unsigned}, {&r.corrupt, s.Corrupt}} {
		if *list.into, err = parseSelectors(origin, list.from); err != nil {
			return nil, err
		}
	}
	return r, nil
}

// maxTrap is how many colliding keys a zone can have: more do not fit a message.
const maxTrap = 300

func (s *Signing) check() error {
	if s.Algorithm < 0 || s.Algorithm > 255 {
		return fmt.Errorf("algorithm: %d is no DNSSEC algorithm number", s.Algorithm)
	}
	if s.KeyTrap < 0 || s.KeyTrap > maxTrap {
		return fmt.Errorf("key_trap: %d must be at most %d", s.KeyTrap, maxTrap)
	}
	if p := s.NSEC3; p != nil {
		if p.Iterations < 0 || p.Iterations > 65535 {
			return fmt.Errorf("iterations: %d is not in 0 to 65535", p.Iterations)
		}
		if _, err := hex.DecodeString(p.Salt); err != nil || len(p.Salt) > 2*255 {
			return fmt.Errorf("salt: %q is not at most 255 bytes in hexadecimal", p.Salt)
		}
	}
	return nil
}

// ds returns the DS records that the parent publishes.
func (r *keyring) ds() ([]dns.RR, error) {
	const ttl = 86400
	switch r.signing.DS {
	case "", "present":
		return []dns.RR{r.ksk.ds(ttl)}, nil
	case "absent":
		return nil, nil
	case "wrong":
		other, err := newKey("other."+strings.TrimPrefix(r.zone, "."), flagSecure, r.ksk.record.Algorithm)
		if err != nil {
			return nil, err
		}
		ds := other.ds(ttl)
		ds.Hdr.Name = r.zone
		return []dns.RR{ds}, nil
	case "unsupported":
		ds := r.ksk.ds(ttl)
		ds.Algorithm = 251
		return []dns.RR{ds}, nil
	}
	return nil, fmt.Errorf("%s: ds: %q must be one of present, absent, wrong, unsupported", r.zone, r.signing.DS)
}

// addKeys adds what a signed zone has at its apex.
func (z *zone) addKeys() {
	n := z.nodes[z.origin]
	keys := &set{rrs: []dns.RR{z.keys.ksk.record, z.keys.zsk.record}}
	for _, k := range z.keys.trap {
		keys.rrs = append(keys.rrs, k)
	}
	n.sets[dns.TypeDNSKEY] = keys
	if p := z.keys.signing.NSEC3; p != nil {
		n.sets[dns.TypeNSEC3PARAM] = &set{rrs: []dns.RR{&dns.NSEC3PARAM{
			Hdr:  dns.RR_Header{Name: z.origin, Rrtype: dns.TypeNSEC3PARAM, Class: dns.ClassINET},
			Hash: dns.SHA1, Iterations: uint16(p.Iterations), Salt: strings.ToLower(p.Salt), SaltLength: uint8(len(p.Salt) / 2),
		}}}
	}
}

// signatures returns the RRSIG records of a set, made once.
func (z *zone) signatures(s *set) []dns.RR {
	if z.keys == nil || s == nil {
		return nil
	}
	s.once.Do(func() { s.sigs = z.keys.sign(s.rrs) })
	return s.sigs
}

func selects(list []selector, h *dns.RR_Header) bool {
	for _, s := range list {
		if s.matches(h.Name, h.Rrtype) {
			return true
		}
	}
	return false
}

func (r *keyring) sign(rrs []dns.RR) []dns.RR {
	h := rrs[0].Header()
	if selects(r.unsigned, h) {
		return nil
	}
	from, until := r.now.Add(-signedBefore), r.now.Add(signedAfter)
	switch {
	case selects(r.expired, h):
		from, until = r.now.Add(-22*24*time.Hour), r.now.Add(-24*time.Hour)
	case selects(r.notYet, h):
		from = r.now.Add(24 * time.Hour)
	}
	k := r.zsk
	if h.Rrtype == dns.TypeDNSKEY {
		k = r.ksk
	} else if len(r.trap) > 0 {
		return r.trapSignatures(h, from, until)
	}
	sig := r.blank(h, k.record.Algorithm, k.tag, from, until)
	if k.signer == nil {
		sig.Signature = base64.StdEncoding.EncodeToString(stream(h.String(), 64))
		return []dns.RR{sig}
	}
	if err := sig.Sign(k.signer, rrs); err != nil {
		// The records of a set were parsed and the key is ours.
		panic(fmt.Sprintf("lab: signing %s: %v", h, err))
	}
	sig.Hdr.Ttl = h.Ttl
	if selects(r.corrupt, h) {
		raw, _ := base64.StdEncoding.DecodeString(sig.Signature)
		raw[len(raw)/2] ^= 1
		sig.Signature = base64.StdEncoding.EncodeToString(raw)
	}
	return []dns.RR{sig}
}

// trapSignatures are as many wrong signatures as there are colliding keys.
func (r *keyring) trapSignatures(h *dns.RR_Header, from, until time.Time) []dns.RR {
	var list []dns.RR
	for i, k := range r.trap {
		sig := r.blank(h, dns.RSASHA256, k.KeyTag(), from, until)
		raw := stream(fmt.Sprint("assay lab trap signature ", h, i), 128)
		raw[0] = 1 // below every modulus
		sig.Signature = base64.StdEncoding.EncodeToString(raw)
		list = append(list, sig)
	}
	return list
}

func (r *keyring) blank(h *dns.RR_Header, algorithm uint8, tag uint16, from, until time.Time) *dns.RRSIG {
	labels := dns.CountLabel(h.Name)
	if strings.HasPrefix(h.Name, "*.") {
		labels--
	}
	return &dns.RRSIG{
		Hdr:         dns.RR_Header{Name: h.Name, Rrtype: dns.TypeRRSIG, Class: dns.ClassINET, Ttl: h.Ttl},
		TypeCovered: h.Rrtype, Algorithm: algorithm, Labels: uint8(labels), OrigTtl: h.Ttl, KeyTag: tag,
		SignerName: r.zone, Inception: uint32(from.Unix()), Expiration: uint32(until.Unix()),
	}
}
