package data

import (
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/xml"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// An Anchor is a trust anchor of the root zone: the digest of a key that signs
// the root's keys (RFC 4034 5.1).
type Anchor struct {
	KeyTag     uint16
	Algorithm  uint8  // 8 is RSA/SHA-256, 13 is ECDSA P-256
	DigestType uint8  // 1 (SHA-1; DS lines only), 2 (SHA-256), 4 (SHA-384)
	Digest     string // upper-case hexadecimal
	// Key is the public key in base64, where it is known.
	Key string
}

// DS is the anchor as a DS record in presentation form.
func (a Anchor) DS() string {
	return fmt.Sprintf(". IN DS %d %d %d %s", a.KeyTag, a.Algorithm, a.DigestType, a.Digest)
}

const (
	sha1Digest   = 1
	sha256Digest = 2
	sha384Digest = 4
	// keyFlags are those of a key that signs keys: zone key and secure entry
	// point (RFC 4034 2.1.1); keyRevoked is RFC 5011 7.
	keyFlags   = 257
	keyRevoked = 0x80
	maxAnchors = 20
)

// ParseAnchors reads trust anchors of the root zone: DS and DNSKEY records in
// presentation form (as root.key of unbound, root.ds, dig), or IANA's
// root-anchors.xml (RFC 9718), of which those valid at the time given are
// taken. A DS and a DNSKEY of one key are one anchor and must agree.
func ParseAnchors(text string, at time.Time) ([]Anchor, error) {
	var anchors []Anchor
	var err error
	if strings.HasPrefix(strings.TrimSpace(text), "<") {
		anchors, err = xmlAnchors(text, at)
	} else {
		anchors, err = recordAnchors(text)
	}
	if err != nil {
		return nil, err
	}
	if len(anchors) == 0 {
		return nil, errors.New("holds no trust anchor: no DS or DNSKEY record of the root zone")
	}
	if len(anchors) > maxAnchors {
		return nil, fmt.Errorf("holds %d trust anchors, at most %d are taken", len(anchors), maxAnchors)
	}
	return anchors, nil
}

// join adds an anchor to those that are there.
func join(anchors []Anchor, a Anchor) ([]Anchor, error) {
	for i := range anchors {
		b := &anchors[i]
		if a.KeyTag != b.KeyTag || a.Algorithm != b.Algorithm || a.DigestType != b.DigestType {
			continue
		}
		if a.Digest == b.Digest {
			b.Key = max(b.Key, a.Key)
			return anchors, nil
		}
		if a.Key != "" || b.Key != "" {
			return nil, fmt.Errorf("the DS and the DNSKEY with key tag %d do not belong together", a.KeyTag)
		}
	}
	return append(anchors, a), nil
}

func recordAnchors(text string) ([]Anchor, error) {
	records, err := masterRecords(text)
	if err != nil {
		return nil, err
	}
	var anchors []Anchor
	for _, r := range records {
		var a Anchor
		switch {
		case r.owner != "":
			err = fmt.Errorf("%s of %.80q: anchors are those of the root zone", r.typ, r.owner)
		case r.typ == "DS" && len(r.data) >= 4:
			a, err = digestAnchor(r.data[0], r.data[1], r.data[2], strings.Join(r.data[3:], ""))
		case r.typ == "DNSKEY" && len(r.data) >= 4:
			a, err = keyAnchor(r.data[0], r.data[1], r.data[2], strings.Join(r.data[3:], ""))
		default:
			err = fmt.Errorf("want a DS or DNSKEY record, not %.20s with %d fields", r.typ, len(r.data))
		}
		if err == nil {
			anchors, err = join(anchors, a)
		}
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", r.line, err)
		}
	}
	return anchors, nil
}

func digestAnchor(tag, algorithm, digestType, digest string) (Anchor, error) {
	t, err1 := strconv.ParseUint(tag, 10, 16)
	alg, err2 := strconv.ParseUint(algorithm, 10, 8)
	typ, err3 := strconv.ParseUint(digestType, 10, 8)
	raw, err4 := hex.DecodeString(digest)
	if err := errors.Join(err1, err2, err3, err4); err != nil {
		return Anchor{}, fmt.Errorf("not a DS record (key tag, algorithm, digest type, digest): %w", err)
	}
	if length := map[uint64]int{sha1Digest: 20, sha256Digest: sha256.Size, sha384Digest: sha512.Size384}[typ]; length != len(raw) {
		return Anchor{}, fmt.Errorf("digest type %d with a digest of %d bytes", typ, len(raw))
	}
	return Anchor{KeyTag: uint16(t), Algorithm: uint8(alg), DigestType: uint8(typ), Digest: strings.ToUpper(digest)}, nil
}

// keyAnchor makes the anchor of a key: its SHA-256 digest.
func keyAnchor(flags, protocol, algorithm, key string) (Anchor, error) {
	f, err1 := strconv.ParseUint(flags, 10, 16)
	alg, err2 := strconv.ParseUint(algorithm, 10, 8)
	raw, err3 := base64.StdEncoding.DecodeString(key)
	if err := errors.Join(err1, err2, err3); err != nil || protocol != "3" || len(raw) == 0 {
		return Anchor{}, fmt.Errorf("not a DNSKEY record (flags, 3, algorithm, key): %w", err)
	}
	if f&keyRevoked != 0 {
		return Anchor{}, errors.New("the key is revoked")
	}
	if f != keyFlags {
		return Anchor{}, fmt.Errorf("flags %d: a key that signs keys has %d", f, keyFlags)
	}
	rdata := append(binary.BigEndian.AppendUint16(nil, uint16(f)), 3, uint8(alg))
	rdata = append(rdata, raw...)
	sum := sha256.Sum256(append([]byte{0}, rdata...)) // the root's name is one zero byte
	return Anchor{
		KeyTag: keyTag(rdata), Algorithm: uint8(alg), DigestType: sha256Digest,
		Digest: strings.ToUpper(hex.EncodeToString(sum[:])), Key: base64.StdEncoding.EncodeToString(raw),
	}, nil
}

// keyTag is RFC 4034, Appendix B.
func keyTag(rdata []byte) uint16 {
	var sum uint32
	for i, b := range rdata {
		if i%2 == 0 {
			sum += uint32(b) << 8
		} else {
			sum += uint32(b)
		}
	}
	return uint16(sum + sum>>16)
}

// xmlAnchors reads root-anchors.xml.
func xmlAnchors(text string, at time.Time) ([]Anchor, error) {
	var file struct {
		XMLName xml.Name `xml:"TrustAnchor"`
		Zone    string
		Keys    []struct {
			From       string `xml:"validFrom,attr"`
			Until      string `xml:"validUntil,attr"`
			KeyTag     string
			Algorithm  string
			DigestType string
			Digest     string
			PublicKey  string
			Flags      string
		} `xml:"KeyDigest"`
	}
	if err := xml.Unmarshal([]byte(text), &file); err != nil {
		return nil, err
	}
	if strings.TrimSpace(file.Zone) != "." {
		return nil, fmt.Errorf("is for the zone %.80q, not for the root", file.Zone)
	}
	var anchors []Anchor
	for i, k := range file.Keys {
		valid, err := within(k.From, k.Until, at)
		if err == nil && valid {
			var a Anchor
			a, err = digestAnchor(k.KeyTag, k.Algorithm, k.DigestType, strings.TrimSpace(k.Digest))
			if err == nil {
				anchors, err = join(anchors, a)
			}
			if err == nil && k.PublicKey != "" {
				a, err = keyAnchor(k.Flags, "3", k.Algorithm, strings.Join(strings.Fields(k.PublicKey), ""))
				if err == nil {
					anchors, err = join(anchors, a)
				}
			}
		}
		if err != nil {
			return nil, fmt.Errorf("KeyDigest %d: %w", i+1, err)
		}
	}
	return anchors, nil
}

// within reports whether a time lies in a period. An anchor published before it
// signs is taken already, as RFC 9718 wants: only the end counts.
func within(from, until string, at time.Time) (bool, error) {
	if _, err := time.Parse(time.RFC3339, from); err != nil {
		return false, fmt.Errorf("validFrom: %w", err)
	}
	if until == "" {
		return true, nil
	}
	end, err := time.Parse(time.RFC3339, until)
	if err != nil {
		return false, fmt.Errorf("validUntil: %w", err)
	}
	return at.Before(end), nil
}

// Anchors returns the trust anchors of the root zone. The slice is shared and
// must not be changed.
func (s *Set) Anchors() []Anchor { return s.anchors() }

// canonicalAnchors writes anchors as DS records, and DNSKEY records where the
// key is known.
func canonicalAnchors(text string, day time.Time) (string, int, error) {
	anchors, err := ParseAnchors(text, day)
	if err != nil {
		return "", 0, err
	}
	slices.SortFunc(anchors, func(a, b Anchor) int { return strings.Compare(a.DS(), b.DS()) })
	var b strings.Builder
	for _, a := range anchors {
		fmt.Fprintln(&b, a.DS())
		if a.Key != "" {
			fmt.Fprintf(&b, ". IN DNSKEY %d 3 %d %s\n", keyFlags, a.Algorithm, a.Key)
		}
	}
	return b.String(), len(anchors), nil
}
