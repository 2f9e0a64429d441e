package status

import (
	"crypto"
	_ "crypto/sha1" // the hash of requests of RFC 5019
	"crypto/x509"
	"encoding/asn1"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"slices"

	"golang.org/x/crypto/cryptobyte"
	der "golang.org/x/crypto/cryptobyte/asn1"
)

// A question is the CertID of a request (RFC 6960 4.1.1).
type question struct {
	hash crypto.Hash
	// issuer is the hash's octet and both hashes, one after the other: what an
	// issuer is found by.
	issuer string
	// serial in hexadecimal, lower case.
	serial string
}

// hashes are those by which a request may name an issuer.
var hashes = []struct {
	oid  asn1.ObjectIdentifier
	hash crypto.Hash
}{
	{asn1.ObjectIdentifier{1, 3, 14, 3, 2, 26}, crypto.SHA1},
	{asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 2, 1}, crypto.SHA256},
	{asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 2, 2}, crypto.SHA384},
	{asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 2, 3}, crypto.SHA512},
}

var (
	errMalformed = errors.New("this is no OCSP request for one certificate")
	errHash      = errors.New("the request names its issuer by a hash that is not known here")
)

// parse reads an OCSP request for one certificate. Names, signatures and
// extensions, the nonce among them, are not looked at.
func parse(request []byte) (question, error) {
	in := cryptobyte.String(request)
	var whole, body, list, single, id cryptobyte.String
	if !in.ReadASN1(&whole, der.SEQUENCE) || !in.Empty() || !whole.ReadASN1(&body, der.SEQUENCE) {
		return question{}, errMalformed
	}
	if !whole.SkipOptionalASN1(der.Tag(0).ContextSpecific().Constructed()) || !whole.Empty() { // the signature
		return question{}, errMalformed
	}
	if !body.SkipOptionalASN1(der.Tag(0).ContextSpecific().Constructed()) || // version
		!body.SkipOptionalASN1(der.Tag(1).ContextSpecific().Constructed()) || // requestorName
		!body.ReadASN1(&list, der.SEQUENCE) ||
		!body.SkipOptionalASN1(der.Tag(2).ContextSpecific().Constructed()) || !body.Empty() { // extensions
		return question{}, errMalformed
	}
	if !list.ReadASN1(&single, der.SEQUENCE) || !list.Empty() || !single.ReadASN1(&id, der.SEQUENCE) ||
		!single.SkipOptionalASN1(der.Tag(0).ContextSpecific().Constructed()) || !single.Empty() {
		return question{}, errMalformed
	}
	return parseID(id)
}

func parseID(id cryptobyte.String) (question, error) {
	var algorithm, name, key, serial cryptobyte.String
	var oid asn1.ObjectIdentifier
	if !id.ReadASN1(&algorithm, der.SEQUENCE) || !algorithm.ReadASN1ObjectIdentifier(&oid) ||
		!id.ReadASN1(&name, der.OCTET_STRING) || !id.ReadASN1(&key, der.OCTET_STRING) ||
		!id.ReadASN1(&serial, der.INTEGER) || !id.Empty() {
		return question{}, errMalformed
	}
	// The serial number is one of ours only where it is positive and written the
	// shortest way; 21 octets hold 20 and a zero.
	if len(serial) == 0 || len(serial) > 21 || serial[0]&0x80 != 0 || (len(serial) > 1 && serial[0] == 0 && serial[1]&0x80 == 0) {
		return question{}, errMalformed
	}
	if len(serial) > 1 && serial[0] == 0 {
		serial = serial[1:]
	}
	for i, h := range hashes {
		if oid.Equal(h.oid) {
			if len(name) != h.hash.Size() || len(key) != h.hash.Size() {
				return question{}, errMalformed
			}
			return question{hash: h.hash, issuer: string(rune(i)) + string(name) + string(key), serial: hex.EncodeToString(serial)}, nil
		}
	}
	return question{}, errHash
}

// issuers are those that the handler answers for: by id, and by their hashes the first id
// of each group.
type issuers struct {
	byID   map[string]*x509.Certificate
	byHash map[string]string
	// groups are the ids of those that have the same name and key, by the first of them:
	// no request tells them apart, a serial number is of whichever gave it out.
	groups map[string][]string
	// first is the first id of an id's group.
	first map[string]string
}

func newIssuers(certificates map[string]*x509.Certificate) (*issuers, error) {
	all := &issuers{byID: map[string]*x509.Certificate{}, byHash: map[string]string{}, groups: map[string][]string{}, first: map[string]string{}}
	for _, id := range slices.Sorted(maps.Keys(certificates)) {
		c := certificates[id]
		var key asn1.BitString
		spki, inner := cryptobyte.String(c.RawSubjectPublicKeyInfo), cryptobyte.String(nil)
		if !spki.ReadASN1(&inner, der.SEQUENCE) || !inner.SkipASN1(der.SEQUENCE) || !inner.ReadASN1BitString(&key) {
			return nil, fmt.Errorf("status: the public key of issuer %s cannot be read", id)
		}
		all.byID[id] = c
		first := id
		for i, h := range hashes {
			sum := func(b []byte) string {
				w := h.hash.New()
				w.Write(b)
				return string(w.Sum(nil))
			}
			name := string(rune(i)) + sum(c.RawSubject) + sum(key.RightAlign())
			if other, taken := all.byHash[name]; taken {
				first = other
			} else {
				all.byHash[name] = id
			}
		}
		all.first[id] = first
		all.groups[first] = append(all.groups[first], id)
	}
	return all, nil
}
