package tls

import (
	"net"

	"golang.org/x/crypto/cryptobyte"
)

// maxTap bounds what is kept of a handshake's first flight.
const maxTap = 64 << 10

// A tap keeps what a server sent.
type tap struct {
	net.Conn
	read []byte
}

func (t *tap) Read(p []byte) (int, error) {
	n, err := t.Conn.Read(p)
	t.read = append(t.read, p[:min(n, maxTap-len(t.read))]...)
	return n, err
}

// serverMessages is what the clear part of a TLS 1.2 handshake tells.
type serverMessages struct {
	version uint16
	alpn    string
	leaf    []byte // DER
}

// readServerMessages reads ServerHello and Certificate (RFC 5246 7.4.1.3,
// 7.4.2) out of the records a server sent. What cannot be read is left out.
func readServerMessages(stream []byte) (m serverMessages) {
	records := cryptobyte.String(stream)
	var handshake cryptobyte.String
	for {
		var kind uint8
		var version uint16
		var fragment cryptobyte.String
		if !records.ReadUint8(&kind) || kind != 22 || !records.ReadUint16(&version) || !records.ReadUint16LengthPrefixed(&fragment) {
			break
		}
		handshake = append(handshake, fragment...)
	}
	for {
		var kind uint8
		var body cryptobyte.String
		if !handshake.ReadUint8(&kind) || !handshake.ReadUint24LengthPrefixed(&body) {
			return m
		}
		switch kind {
		case 2:
			readServerHello(body, &m)
		case 11:
			var list, leaf cryptobyte.String
			if body.ReadUint24LengthPrefixed(&list) && list.ReadUint24LengthPrefixed(&leaf) {
				m.leaf = leaf
			}
			return m
		}
	}
}

const (
	randomLength  = 32
	extensionALPN = 16
)

func readServerHello(body cryptobyte.String, m *serverMessages) {
	var session, extensions cryptobyte.String
	if !body.ReadUint16(&m.version) || !body.Skip(randomLength) || !body.ReadUint8LengthPrefixed(&session) ||
		!body.Skip(3) || !body.ReadUint16LengthPrefixed(&extensions) {
		return
	}
	for !extensions.Empty() {
		var kind uint16
		var value, list, protocol cryptobyte.String
		if !extensions.ReadUint16(&kind) || !extensions.ReadUint16LengthPrefixed(&value) {
			return
		}
		if kind == extensionALPN && value.ReadUint16LengthPrefixed(&list) && list.ReadUint8LengthPrefixed(&protocol) {
			m.alpn = string(protocol)
		}
	}
}
