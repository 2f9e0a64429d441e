package key

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/x509"
	"encoding/binary"
	"strings"

	"assay/internal/der"
)

// opensshMagic begins the private key format of OpenSSH (PROTOCOL.key).
const opensshMagic = "openssh-key-v1\x00"

// IsPrivate reports whether bytes are, or begin like, a private key: PKCS #1,
// PKCS #8 plain or encrypted, SEC 1 (EC), DSA, PKCS #12, OpenSSH. The beginning
// is enough, so that a truncated key is recognised too. No certificate, request
// or public key begins like one.
func IsPrivate(raw []byte) bool {
	if bytes.HasPrefix(raw, []byte(opensshMagic)) {
		return true
	}
	body := bodyOf(raw, der.Sequence)
	if body == nil {
		return false
	}
	switch {
	case bytes.HasPrefix(body, []byte{2, 1, 0}), bytes.HasPrefix(body, []byte{2, 1, 1}), bytes.HasPrefix(body, []byte{2, 1, 3}):
		return true
	}
	// EncryptedPrivateKeyInfo: a SEQUENCE that begins with the OID of a
	// password based encryption (PKCS #5 or #12).
	inner := bodyOf(body, der.Sequence)
	oid := bodyOf(inner, der.OID)
	return bytes.HasPrefix(oid, []byte("\x2a\x86\x48\x86\xf7\x0d\x01\x05")) ||
		bytes.HasPrefix(oid, []byte("\x2a\x86\x48\x86\xf7\x0d\x01\x0c\x01"))
}

// bodyOf returns what follows the header of an element of a tag, however much
// of it there is; nil where there is no such element.
func bodyOf(raw []byte, tag byte) []byte {
	if len(raw) < 2 || raw[0] != tag {
		return nil
	}
	header := 2
	if raw[1] > 0x80 {
		header += int(raw[1] & 0x7f)
	}
	if header > 6 || header > len(raw) {
		return nil
	}
	return raw[header:]
}

// PublicOf returns the public key of a private one, in any of the forms of
// [IsPrivate] that is not encrypted, and nil where it cannot be told. The
// private key is not kept.
func PublicOf(private []byte) *Public {
	if rest, ok := bytes.CutPrefix(private, []byte(opensshMagic)); ok {
		return opensshPublic(rest)
	}
	r := der.NewReader(private)
	whole, err := r.Expect(der.Sequence, "")
	if err != nil {
		return nil
	}
	in := whole.Inside()
	if _, err := in.Expect(der.Integer, ""); err != nil {
		return nil
	}
	second, err := in.Next()
	if err != nil {
		return nil
	}
	switch second.Tag {
	case der.Integer: // PKCS #1: version, n, e, …
		exponent, err := in.Expect(der.Integer, "")
		if err != nil {
			return nil
		}
		return rsaPublic(&second, &exponent)
	case der.Sequence: // PKCS #8: version, algorithm, key
		content, err := in.Expect(der.OctetString, "")
		if err != nil {
			return nil
		}
		if bytes.Contains(second.Body, []byte(oidRSA)) {
			return PublicOf(content.Body)
		}
		if k, err := x509.ParsePKCS8PrivateKey(whole.Raw); err == nil {
			if signer, ok := k.(*ecdsa.PrivateKey); ok {
				return marshalled(&signer.PublicKey)
			}
		}
	case der.OctetString: // SEC 1
		if k, err := x509.ParseECPrivateKey(whole.Raw); err == nil {
			return marshalled(&k.PublicKey)
		}
	}
	return nil
}

func rsaPublic(n, e *der.Element) *Public {
	p := &Public{Type: RSA, OID: "1.2.840.113549.1.1.1", Algorithm: []byte(algorithmRSA)}
	content := append(append([]byte{}, n.Raw...), e.Raw...)
	p.parseRSA(wrap(der.Sequence, content))
	if p.N == nil {
		return nil
	}
	return p
}

func wrap(tag byte, body []byte) []byte {
	head := []byte{tag, 0x84, 0, 0, 0, 0}
	binary.BigEndian.PutUint32(head[2:], uint32(len(body)))
	switch {
	case len(body) < 0x80:
		head = []byte{tag, byte(len(body))}
	case len(body) < 0x100:
		head = []byte{tag, 0x81, byte(len(body))}
	case len(body) < 0x10000:
		head = []byte{tag, 0x82, byte(len(body) >> 8), byte(len(body))}
	}
	return append(head, body...)
}

func marshalled(pub *ecdsa.PublicKey) *Public {
	spki, err := x509.MarshalPKIXPublicKey(pub)
	if err != nil {
		return nil
	}
	p, err := Parse(spki)
	if err != nil {
		return nil
	}
	return p
}

// opensshPublic reads the public part that stands in clear before the private
// one: cipher, kdf, its options, the number of keys, the public key.
func opensshPublic(rest []byte) *Public {
	field := func() []byte {
		if len(rest) < 4 {
			rest = nil
			return nil
		}
		n := binary.BigEndian.Uint32(rest)
		if uint64(n) > uint64(len(rest)-4) {
			rest = nil
			return nil
		}
		f := rest[4 : 4+n]
		rest = rest[4+n:]
		return f
	}
	field()
	field()
	field()
	if len(rest) < 4 {
		return nil
	}
	rest = rest[4:]
	rest = field()
	switch kind := string(field()); {
	case kind == "ssh-rsa":
		e, n := field(), field()
		if len(e) == 0 || len(n) == 0 {
			return nil
		}
		p := &Public{Type: RSA, OID: "1.2.840.113549.1.1.1", Algorithm: []byte(algorithmRSA)}
		p.parseRSA(wrap(der.Sequence, append(wrap(der.Integer, n), wrap(der.Integer, e)...)))
		if p.N == nil {
			return nil
		}
		return p
	case strings.HasPrefix(kind, "ecdsa-sha2-nistp"):
		field()
		point := field()
		algorithm := map[string]string{"256": algorithmP256, "384": algorithmP384, "521": algorithmP521}[kind[len("ecdsa-sha2-nistp"):]]
		if algorithm == "" || point == nil {
			return nil
		}
		content := append([]byte(algorithm), wrap(der.BitString, append([]byte{0}, point...))...)
		if p, err := Parse(wrap(der.Sequence, content)); err == nil && p.X != nil {
			return p
		}
	}
	return nil
}
