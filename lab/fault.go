package lab

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/miekg/dns"
)

// A fault is a [Fault] made ready to match.
type fault struct {
	Fault
	types    []uint16
	from     places
	records  []string
	extended *dns.EDNS0_EDE
	matched  atomic.Int64
}

// What a fault can do; see [Fault.Do].
var deeds = []string{
	"", "drop", "servfail", "refused", "formerr", "notimp", "nxdomain", "nodata", "truncate", "lowercase",
	"not-authoritative", "lame", "no-edns", "no-signatures", "garbage", "bloat", "wrong-id", "wrong-question",
	"spoof", "answer", "reset",
}

// newFault checks a fault and makes it ready.
func newFault(f Fault, value string) (*fault, error) {
	x := &fault{Fault: f}
	if !slices.Contains(deeds, f.Do) {
		return nil, fmt.Errorf("do: %q must be one of%s", f.Do, strings.Join(deeds, " "))
	}
	if f.Network != "" && f.Network != "udp" && f.Network != "tcp" {
		return nil, fmt.Errorf("network: %q must be udp or tcp", f.Network)
	}
	for _, t := range f.Type {
		n, ok := dns.StringToType[strings.ToUpper(t)]
		if !ok {
			return nil, fmt.Errorf("type: there is no record type %q", t)
		}
		x.types = append(x.types, n)
	}
	x.Name, x.Below = qualified(f.Name), qualified(f.Below)
	var err error
	if x.from, err = parsePlaces(f.From); err != nil {
		return nil, fmt.Errorf("from: %w", err)
	}
	if f.Extended != "" {
		code, text, _ := strings.Cut(f.Extended, ":")
		n, err := strconv.ParseUint(code, 10, 16)
		if err != nil {
			return nil, fmt.Errorf("ede: %q must be \"code: text\"", f.Extended)
		}
		x.extended = &dns.EDNS0_EDE{InfoCode: uint16(n), ExtraText: strings.TrimSpace(text)}
	}
	for _, line := range f.Answer {
		x.records = append(x.records, strings.ReplaceAll(line, "$VALUE", value))
	}
	_, err = parse("orchard.net.", x.records, value)
	return x, err
}

func qualified(names []string) []string {
	list := make([]string, 0, len(names))
	for _, n := range names {
		list = append(list, dns.Fqdn(strings.ToLower(n)))
	}
	return list
}

// matches reports whether the fault concerns a query, and counts those it does.
func (f *fault) matches(q *query) bool {
	if !f.concerns(q) {
		return false
	}
	n := f.matched.Add(1)
	return (f.First == 0 || n <= int64(f.First)) && (f.Every == 0 || n%int64(f.Every) == 0)
}

func (f *fault) concerns(q *query) bool {
	if len(f.types) > 0 && !slices.Contains(f.types, q.qtype) ||
		f.Network != "" && (f.Network == "tcp") != q.tcp ||
		!f.from.has(q.from) ||
		f.EDNS != nil && *f.EDNS != q.edns || f.DNSSEC != nil && *f.DNSSEC != q.do || f.MixedCase != nil && *f.MixedCase != q.mixed {
		return false
	}
	if len(f.Name) == 0 && len(f.Below) == 0 {
		return true
	}
	name := q.name()
	return slices.Contains(f.Name, name) ||
		slices.ContainsFunc(f.Below, func(above string) bool { return dns.IsSubDomain(above, name) })
}

// An outcome is what a server does with one query.
type outcome struct {
	message []byte // nil: no answer
	before  []byte // a forged message sent first
	delay   time.Duration
	reset   bool
}

// commit does what the fault says, given the right answer.
func (f *fault) commit(q *query, s *server) outcome {
	o := outcome{delay: f.Delay}
	switch f.Do {
	case "drop":
		return o
	case "reset":
		o.reset = q.tcp
		return o
	case "garbage":
		o.message = stream("assay lab garbage", min(max(f.Bytes, 64), 65000))
		copy(o.message, q.raw[:2]) // with the right id, so that it is read
		return o
	case "no-edns":
		plain := *q
		plain.edns, plain.do, plain.size = false, false, dns.MinMsgSize
		o.message = plain.finish(plain.pack(s.reply(&plain)))
		return o
	case "truncate":
		if q.tcp {
			break
		}
		m := q.reply()
		m.Truncated, m.Authoritative = true, true
		o.message = q.finish(q.pack(m))
		return o
	}
	m := f.distort(q, s.reply(q))
	if f.extended != nil {
		if opt := m.IsEdns0(); opt != nil {
			opt.Option = append(opt.Option, f.extended)
		}
	}
	raw := f.packed(q, m)
	switch f.Do {
	case "lowercase":
		copy(raw[:2], q.raw[:2])
		raw[2] |= q.raw[2] & 1
	case "wrong-question":
		copy(raw[:2], q.raw[:2])
	case "wrong-id":
		raw = q.finish(raw)
		raw[0] ^= 0x55
	case "spoof":
		forged := q.reply()
		forged.Authoritative, forged.Answer = true, f.answer(q)
		o.before = q.finish(q.pack(forged))
		o.before[0] ^= 0x55
		raw = q.finish(raw)
	default:
		raw = q.finish(raw)
	}
	o.message = raw
	return o
}

// distort changes the right answer.
func (f *fault) distort(q *query, m *dns.Msg) *dns.Msg {
	empty := q.reply()
	switch f.Do {
	case "servfail":
		empty.Rcode = dns.RcodeServerFailure
	case "refused":
		empty.Rcode = dns.RcodeRefused
	case "formerr", "notimp": // of a server that does not know what OPT is (RFC 6891 7)
		empty.Rcode, empty.Extra = dns.RcodeFormatError, nil
		if f.Do == "notimp" {
			empty.Rcode = dns.RcodeNotImplemented
		}
	case "nxdomain", "nodata":
		empty.Authoritative = true
		if f.Do == "nxdomain" {
			empty.Rcode = dns.RcodeNameError
		}
		empty.Ns = f.denial(q, m)
	case "lame":
		empty.Ns = []dns.RR{&dns.NS{Hdr: dns.RR_Header{Name: ".", Rrtype: dns.TypeNS, Class: dns.ClassINET, Ttl: 86400}, Ns: hostRoot}}
	case "answer":
		empty.Authoritative, empty.Answer = true, f.answer(q)
	default:
		switch f.Do {
		case "not-authoritative":
			m.Authoritative = false
		case "no-signatures":
			m.Answer, m.Ns = unsigned(m.Answer), unsigned(m.Ns)
		case "wrong-question":
			m.Question[0].Name = "unasked.orchard.net."
		}
		return m
	}
	return empty
}

// denial is the SOA record of the zone that the right answer comes from.
func (f *fault) denial(q *query, right *dns.Msg) []dns.RR {
	for _, rr := range right.Ns {
		if rr.Header().Rrtype == dns.TypeSOA {
			return []dns.RR{rr}
		}
	}
	return []dns.RR{&dns.SOA{
		Hdr: dns.RR_Header{Name: parent(q.name()), Rrtype: dns.TypeSOA, Class: dns.ClassINET, Ttl: 300},
		Ns:  hostNS1, Mbox: "hostmaster.orchard.net.", Serial: 7, Refresh: 7200, Retry: 3600, Expire: 1209600, Minttl: 300,
	}}
}

func (f *fault) answer(q *query) []dns.RR {
	rrs, err := parse(q.name(), f.records, "")
	if err != nil {
		return nil // a name that no zone file can say
	}
	return rrs
}

func unsigned(rrs []dns.RR) []dns.RR {
	return slices.DeleteFunc(slices.Clone(rrs), func(rr dns.RR) bool { return rr.Header().Rrtype == dns.TypeRRSIG })
}

// packed writes a message; a bloated one is filled up, whatever the client takes.
func (f *fault) packed(q *query, m *dns.Msg) []byte {
	if f.Do != "bloat" {
		return q.pack(m)
	}
	size := f.Bytes
	if size == 0 {
		size = 65000
	}
	filler := strings.Repeat("x", 255)
	for n := m.Len(); n+270 < min(size, 65000); n += 268 {
		m.Extra = append(m.Extra, &dns.TXT{
			Hdr: dns.RR_Header{Name: q.name(), Rrtype: dns.TypeTXT, Class: dns.ClassINET, Ttl: 1}, Txt: []string{filler},
		})
	}
	wide := *q
	wide.size = 65535
	return wide.pack(m)
}
