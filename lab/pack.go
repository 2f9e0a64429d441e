package lab

import (
	"encoding/binary"

	"github.com/miekg/dns"
)

// serverUDPSize is the EDNS buffer size that servers announce.
const serverUDPSize = 1232

// reply starts the response to a query, name in lower case.
func (q *query) reply() *dns.Msg {
	m := &dns.Msg{Question: []dns.Question{{Name: q.name(), Qtype: q.qtype, Qclass: q.qclass}}, Compress: true}
	m.Response = true
	m.Opcode = int(q.raw[2]>>3) & 0xf
	if q.edns {
		m.Extra = append(m.Extra, q.opt())
	}
	return m
}

func (q *query) opt() *dns.OPT {
	opt := &dns.OPT{Hdr: dns.RR_Header{Name: ".", Rrtype: dns.TypeOPT}}
	opt.SetUDPSize(serverUDPSize)
	opt.SetDo(q.do)
	return opt
}

// pack writes a response, cut to what the client takes: TC and no records.
// Names are compressed, so the question holds the only copy of the name asked.
func (q *query) pack(m *dns.Msg) []byte {
	m.Compress = true
	raw, err := m.Pack()
	limit := 65535
	if !q.tcp {
		limit = int(q.size)
	}
	if err == nil && len(raw) <= limit {
		return raw
	}
	cut := q.reply()
	cut.Authoritative, cut.Rcode, cut.Truncated = m.Authoritative, m.Rcode, !q.tcp
	if q.tcp { // does not fit any message
		cut.Rcode = dns.RcodeServerFailure
	}
	if raw, err = cut.Pack(); err != nil {
		return formErr(q.raw)
	}
	return raw
}

// formErr answers a message that cannot be read, nil where there is no header.
func formErr(msg []byte) []byte {
	if len(msg) < 12 || msg[2]&0x80 != 0 {
		return nil
	}
	b := make([]byte, 12)
	copy(b, msg[:2])
	binary.BigEndian.PutUint16(b[2:], 0x8000|uint16(msg[2]&0x79)<<8|dns.RcodeFormatError)
	return b
}
