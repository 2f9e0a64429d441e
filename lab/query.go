package lab

import (
	"encoding/binary"
	"net/netip"

	"github.com/miekg/dns"
)

// maxName is the longest domain name on the wire (RFC 1035 2.3.4).
const maxName = 255

// A query is one question as it arrived. It is read without allocating, so that
// an answer that is cached costs little more than its two system calls.
type query struct {
	raw      []byte // the whole message
	question []byte // its question section: name, type, class
	lower    [maxName]byte
	length   int // of the name in lower, in wire form
	qtype    uint16
	qclass   uint16
	mixed    bool // an upper-case letter in the name
	edns, do bool
	version  uint8
	size     uint16 // the largest UDP response the client takes
	subnet   netip.Prefix
	tcp      bool
	from     int // index of the perspective that asks, -1: none
}

// read parses a message with one question. What is left of a query that it
// cannot read is good for a FORMERR at best: ok is false.
func (q *query) read(msg []byte) (ok bool) {
	*q = query{raw: msg, size: dns.MinMsgSize, from: q.from, tcp: q.tcp}
	if len(msg) < 12 || msg[2]&0x80 != 0 || binary.BigEndian.Uint16(msg[4:]) != 1 {
		return false
	}
	at, ok := q.readName(msg)
	if !ok || at+4 > len(msg) {
		return false
	}
	q.qtype, q.qclass = binary.BigEndian.Uint16(msg[at:]), binary.BigEndian.Uint16(msg[at+2:])
	q.question = msg[12 : at+4]
	if binary.BigEndian.Uint16(msg[6:]) != 0 || binary.BigEndian.Uint16(msg[8:]) != 0 {
		return false
	}
	if binary.BigEndian.Uint16(msg[10:]) > 0 {
		return q.readOPT(msg[at+4:])
	}
	return true
}

func (q *query) readName(msg []byte) (end int, ok bool) {
	for i := 12; i < len(msg); {
		n := int(msg[i])
		if n > 63 || i+n >= len(msg) || q.length+n+1 > maxName {
			return 0, false
		}
		q.lower[q.length] = msg[i]
		for k, c := range msg[i+1 : i+1+n] {
			if 'A' <= c && c <= 'Z' {
				q.mixed = true
				c += 'a' - 'A'
			}
			q.lower[q.length+1+k] = c
		}
		q.length += n + 1
		i += n + 1
		if n == 0 {
			return i, true
		}
	}
	return 0, false
}

// readOPT reads the first additional record, which is the OPT record in every
// query that has one; a signed query (TSIG) is not understood.
func (q *query) readOPT(b []byte) bool {
	if len(b) < 11 || b[0] != 0 || binary.BigEndian.Uint16(b[1:]) != dns.TypeOPT {
		return false
	}
	q.edns, q.size, q.version, q.do = true, max(binary.BigEndian.Uint16(b[3:]), dns.MinMsgSize), b[6], b[7]&0x80 != 0
	n := int(binary.BigEndian.Uint16(b[9:]))
	if len(b) < 11+n {
		return false
	}
	for options := b[11 : 11+n]; len(options) >= 4; {
		code, n := binary.BigEndian.Uint16(options), int(binary.BigEndian.Uint16(options[2:]))
		if len(options) < 4+n {
			return false
		}
		if code == dns.EDNS0SUBNET {
			q.subnet = readSubnet(options[4 : 4+n])
		}
		options = options[4+n:]
	}
	return true
}

// readSubnet reads an EDNS client subnet (RFC 7871 6); the zero Prefix where it
// is none.
func readSubnet(b []byte) netip.Prefix {
	if len(b) < 4 {
		return netip.Prefix{}
	}
	var full [16]byte
	copy(full[:], b[4:])
	address := netip.AddrFrom16(full)
	if binary.BigEndian.Uint16(b) == 1 {
		address = netip.AddrFrom4([4]byte(full[:4]))
	}
	p, err := address.Prefix(int(b[2]))
	if err != nil {
		return netip.Prefix{}
	}
	return p
}

// name returns the name asked, lower case and fully qualified.
func (q *query) name() string {
	name, _, err := dns.UnpackDomainName(q.lower[:q.length], 0)
	if err != nil {
		return "."
	}
	return name
}

// key appends to b what a cached answer depends on.
func (q *query) key(b []byte, view int) []byte {
	var flags byte
	for i, set := range []bool{q.edns, q.do, q.tcp} {
		if set {
			flags |= 1 << i
		}
	}
	b = append(b, byte(view), flags)
	b = binary.BigEndian.AppendUint16(b, q.size)
	b = binary.BigEndian.AppendUint16(b, q.qtype)
	b = binary.BigEndian.AppendUint16(b, q.qclass)
	return append(b, q.lower[:q.length]...)
}

// finish makes a packed response to the same question an answer to this very
// query: its id, RD and CD bits and the case of its name. The name stands once
// in a response; all others point to it (see [pack]).
func (q *query) finish(response []byte) []byte {
	copy(response, q.raw[:2])
	response[2] = response[2]&^1 | q.raw[2]&1
	response[3] = response[3]&^0x10 | q.raw[3]&0x10
	if len(response) >= 12+len(q.question) && response[5] == 1 {
		copy(response[12:], q.question)
	}
	return response
}
