package lab

import (
	"fmt"
	"strings"

	"github.com/miekg/dns"
)

// authority answers for some zones without recursion, as RFC 1034 4.3.2 says
// for a server that is asked about its own data: answer, referral, NXDOMAIN,
// NODATA, REFUSED.
type authority struct {
	zones map[string]map[string][]dns.RR // zone -> owner -> records
}

func newAuthority(zones map[string][]string) (*authority, error) {
	a := &authority{zones: map[string]map[string][]dns.RR{}}
	for zone, lines := range zones {
		owners := map[string][]dns.RR{}
		for _, line := range lines {
			rr, err := dns.NewRR(line)
			if err != nil {
				return nil, fmt.Errorf("zone %s: %q: %w", zone, line, err)
			}
			owner := strings.ToLower(rr.Header().Name)
			owners[owner] = append(owners[owner], rr)
		}
		a.zones[strings.ToLower(dns.Fqdn(zone))] = owners
	}
	return a, nil
}

// ServeDNS answers one question.
func (a *authority) ServeDNS(w dns.ResponseWriter, r *dns.Msg) {
	m := new(dns.Msg)
	m.SetReply(r)
	if len(r.Question) != 1 {
		m.Rcode = dns.RcodeFormatError
	} else {
		a.answer(m, strings.ToLower(r.Question[0].Name), r.Question[0].Qtype)
	}
	if opt := r.IsEdns0(); opt != nil {
		m.SetEdns0(opt.UDPSize(), opt.Do())
		if w.LocalAddr().Network() == "udp" {
			m.Truncate(int(opt.UDPSize()))
		}
	} else if w.LocalAddr().Network() == "udp" {
		m.Truncate(dns.MinMsgSize)
	}
	_ = w.WriteMsg(m)
}

func (a *authority) answer(m *dns.Msg, name string, qtype uint16) {
	zone, owners := a.find(name)
	if owners == nil {
		m.Rcode = dns.RcodeRefused
		return
	}
	if cut := referral(zone, name, owners); cut != "" {
		for _, rr := range owners[cut] {
			m.Ns = append(m.Ns, rr)
			if ns, ok := rr.(*dns.NS); ok {
				m.Extra = append(m.Extra, owners[strings.ToLower(ns.Ns)]...)
			}
		}
		return
	}
	m.Authoritative = true
	for _, rr := range owners[name] {
		if t := rr.Header().Rrtype; t == qtype || t == dns.TypeCNAME {
			m.Answer = append(m.Answer, rr)
		}
	}
	if len(m.Answer) > 0 {
		return
	}
	for _, rr := range owners[zone] {
		if rr.Header().Rrtype == dns.TypeSOA {
			m.Ns = append(m.Ns, rr)
		}
	}
	if !exists(name, owners) {
		m.Rcode = dns.RcodeNameError
	}
}

// find returns the closest enclosing zone served here.
func (a *authority) find(name string) (string, map[string][]dns.RR) {
	for _, offset := range append(dns.Split(name), len(name)-1) {
		if owners, ok := a.zones[name[offset:]]; ok {
			return name[offset:], owners
		}
	}
	return "", nil
}

// referral returns the delegation point below the zone that the name is at or
// under, "" where the zone itself is authoritative.
func referral(zone, name string, owners map[string][]dns.RR) string {
	cut := ""
	for _, offset := range dns.Split(name) {
		at := name[offset:]
		if at == zone {
			break
		}
		for _, rr := range owners[at] {
			if rr.Header().Rrtype == dns.TypeNS {
				cut = at
			}
		}
	}
	return cut
}

// exists reports whether a name owns records or has names below it (an empty
// non-terminal exists, RFC 8020).
func exists(name string, owners map[string][]dns.RR) bool {
	for owner := range owners {
		if owner == name || strings.HasSuffix(owner, "."+name) {
			return true
		}
	}
	return false
}
