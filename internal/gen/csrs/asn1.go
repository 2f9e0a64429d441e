package main

import (
	"bytes"
	"math/big"
)

// tlv encodes one element of DER.
func tlv(tag byte, body []byte) []byte {
	out := []byte{tag}
	switch n := len(body); {
	case n < 0x80:
		out = append(out, byte(n))
	case n < 0x100:
		out = append(out, 0x81, byte(n))
	default:
		out = append(out, 0x82, byte(n>>8), byte(n))
	}
	return append(out, body...)
}

func sequence(parts ...[]byte) []byte { return tlv(0x30, bytes.Join(parts, nil)) }

func bits(body []byte) []byte { return tlv(3, append([]byte{0}, body...)) }

func integer(n *big.Int) []byte {
	b := n.Bytes()
	if len(b) == 0 || b[0]&0x80 != 0 {
		b = append([]byte{0}, b...)
	}
	return tlv(2, b)
}

// subject is what a request says besides the key.
type subject struct {
	cn           string
	extensions   [][]byte
	noAttributes bool
}

func standardNames() subject {
	return subject{cn: "www.orchard.net", extensions: [][]byte{names("www.orchard.net", "orchard.net")}}
}

// names is a subjectAltName extension.
func names(dns ...string) []byte {
	var list []byte
	for _, name := range dns {
		list = append(list, tlv(0x82, []byte(name))...)
	}
	return sequence(raw("0603551d11"), tlv(4, sequence(list)))
}

// info is CertificationRequestInfo (RFC 2986 4.1).
func (s subject) info(spki []byte) []byte {
	name := sequence(tlv(0x31, sequence(raw("0603550403"), tlv(0x0c, []byte(s.cn)))))
	parts := [][]byte{{2, 1, 0}, name, spki}
	if s.noAttributes {
		return sequence(parts...)
	}
	var attributes []byte
	if len(s.extensions) > 0 {
		attributes = sequence(raw("06092a864886f70d01090e"), tlv(0x31, sequence(s.extensions...)))
	}
	return sequence(append(parts, tlv(0xa0, attributes))...)
}
