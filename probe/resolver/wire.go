package resolver

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"net/netip"
	"strings"

	"github.com/miekg/dns"
)

const (
	udpSize    = 1232 // EDNS buffer size asked for (DNS flag day 2020): one packet on every path
	headerSize = 12
	// packetSize is what is read of a datagram. A server that sends more than was
	// asked for is asked again over TCP.
	packetSize  = 2048
	messageSize = 65535
	maxQuery    = 255 + 4 + 11 + 24 // name, type and class, OPT, client subnet
)

// A query is one DNS message to send.
type query struct {
	name    string // canonical: lower case, with final dot
	qtype   uint16
	recurse bool         // RD=1 and CD=1: to a recursive resolver
	plain   bool         // without EDNS
	tcp     bool         // over TCP only
	exact   bool         // in lower case, not in mixed case
	subnet  netip.Prefix // EDNS client subnet; the zero Prefix: none
}

// pack writes the query into buf. It returns the message and where its question
// ends. random holds the message id (2 bytes) and a bit for the case of each
// letter (32 bytes).
func (q *query) pack(buf, random []byte) (msg []byte, end int, err error) {
	clear(buf[:headerSize])
	copy(buf, random[:2])
	if q.recurse {
		buf[2], buf[3] = 1, 0x10
	}
	buf[5] = 1
	end, err = dns.PackDomainName(q.name, buf, headerSize, nil, false)
	if err != nil {
		return nil, 0, fmt.Errorf("name %q: %w", q.name, err)
	}
	if !q.exact {
		mixCase(buf[headerSize:end], random[2:])
	}
	binary.BigEndian.PutUint16(buf[end:], q.qtype)
	binary.BigEndian.PutUint16(buf[end+2:], dns.ClassINET)
	end += 4
	msg = buf[:end]
	if !q.plain {
		buf[11] = 1
		// Owner root, type OPT, buffer size, extended RCODE and version 0, DO.
		msg = append(msg, 0, 0, byte(dns.TypeOPT), udpSize>>8, udpSize&0xff, 0, 0, 0x80, 0)
		msg = q.packSubnet(msg)
	}
	return msg, end, nil
}

// packSubnet writes the options of the OPT record (RFC 7871 6).
func (q *query) packSubnet(msg []byte) []byte {
	if !q.subnet.IsValid() {
		return append(msg, 0, 0)
	}
	p := q.subnet.Masked()
	address := p.Addr().AsSlice()[:(p.Bits()+7)/8]
	family := byte(1)
	if p.Addr().Is6() {
		family = 2
	}
	size := byte(4 + len(address))
	msg = append(msg, 0, size+4, 0, dns.EDNS0SUBNET, 0, size, 0, family, byte(p.Bits()), 0)
	return append(msg, address...)
}

// mixCase sets each letter of a packed name in upper or lower case
// (draft-vixie-dnsext-dns0x20): what must be guessed to forge an answer.
func mixCase(name, random []byte) {
	bit := 0
	for at := 0; at < len(name) && name[at] != 0; {
		label := name[at+1 : at+1+int(name[at])]
		for i, c := range label {
			if 'a' <= c && c <= 'z' {
				if random[bit/8%len(random)]>>(bit%8)&1 == 1 {
					label[i] = c - 'a' + 'A'
				}
				bit++
			}
		}
		at += 1 + len(label)
	}
}

// A match is how a message relates to the query it came after.
type match int

const (
	foreign match = iota // not an answer to it: forged, late or garbage
	exactly              // its answer
	folded               // its answer, but for the case of the name
	bare                 // a failure without the question, as some servers send
)

// compare says whether a message answers the query sent, whose question ends at
// end. Nothing else is read of a message that does not.
func compare(sent []byte, end int, got []byte) match {
	if len(got) < headerSize || got[0] != sent[0] || got[1] != sent[1] || got[2]&0x80 == 0 || got[2]&0x78 != 0 {
		return foreign
	}
	if binary.BigEndian.Uint16(got[4:]) == 0 {
		switch got[3] & 0x0f {
		case dns.RcodeFormatError, dns.RcodeServerFailure, dns.RcodeNotImplemented, dns.RcodeRefused:
			return bare
		}
		return foreign
	}
	if binary.BigEndian.Uint16(got[4:]) != 1 || len(got) < end || !bytes.Equal(got[end-4:end], sent[end-4:end]) {
		return foreign
	}
	switch {
	case bytes.Equal(got[headerSize:end], sent[headerSize:end]):
		return exactly
	case equalFold(got[headerSize:end-4], sent[headerSize:end-4]):
		return folded
	}
	return foreign
}

// equalFold compares packed names without regard to ASCII case. Length octets
// are below 'A', so folding leaves them alone.
func equalFold(a, b []byte) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if lower(a[i]) != lower(b[i]) {
			return false
		}
	}
	return true
}

func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}

// unpack reads a message that compare has matched. The name of the question is
// set in lower case first: compressed owner names point to it.
func unpack(got []byte, end int, m match) (*dns.Msg, error) {
	if m != bare {
		for i := headerSize; i < end-4; i++ {
			got[i] = lower(got[i])
		}
	}
	msg := new(dns.Msg)
	if err := msg.Unpack(got); err != nil {
		return nil, fmt.Errorf("response: %w", err)
	}
	for _, section := range [][]dns.RR{msg.Answer, msg.Ns, msg.Extra} {
		for _, rr := range section {
			h := rr.Header()
			h.Name = strings.ToLower(h.Name)
		}
	}
	return msg, nil
}

// fits reports whether a name can be put into a message (RFC 1035 2.3.4).
func fits(name string) bool {
	var wire [255]byte
	_, err := dns.PackDomainName(name, wire[:], 0, nil, false)
	return err == nil
}

// within reports whether a canonical name is at or under a zone.
func within(zone, name string) bool {
	if zone == "." || zone == name {
		return true
	}
	return len(name) > len(zone) && name[len(name)-len(zone)-1] == '.' && strings.HasSuffix(name, zone)
}

// below reports whether a canonical name is under a zone, not at its apex.
func below(zone, name string) bool { return zone != name && within(zone, name) }

// above returns a canonical name without its first label, "." at the end.
func above(name string) string {
	next, end := dns.NextLabel(name, 0)
	if end {
		return "."
	}
	return name[next:]
}

// canonical and plain translate between the names of evidence (no final dot)
// and those of messages.
func canonical(name string) string { return strings.ToLower(dns.Fqdn(name)) }

func plain(name string) string { return strings.TrimSuffix(name, ".") }
