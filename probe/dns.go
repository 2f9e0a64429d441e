package probe

import (
	"context"
	"fmt"
	"net/netip"
	"sort"
	"strings"

	"github.com/miekg/dns"

	"assay/evidence"
	"assay/probe/dial"
)

// udpSize is the EDNS buffer size asked for (DNS flag day 2020): it fits one
// packet on every path.
const udpSize = 1232

// DNS asks one server one question, over UDP and again over TCP where the
// answer is cut off. A failure of the server is an answer; only a question that
// cannot be asked at all comes back as unknown.
func (p *Prober) DNS(ctx context.Context, q evidence.DNSQuestion) evidence.Observation {
	began := p.Now()
	question := evidence.Question{Kind: evidence.KindDNS, Perspective: p.Perspective, DNS: &q}
	answer, err := p.exchange(ctx, q)
	o := p.observation(question, began)
	if err != nil {
		o.Unknown = err.Error()
		return o.Identify()
	}
	o.DNS = answer
	return o.Identify()
}

func (p *Prober) exchange(ctx context.Context, q evidence.DNSQuestion) (*evidence.DNSAnswer, error) {
	qtype, ok := dns.StringToType[q.Type]
	if !ok {
		return nil, fmt.Errorf("record type %q is not known", q.Type)
	}
	addr, err := netip.ParseAddr(q.Address)
	if err != nil {
		return nil, fmt.Errorf("server address: %w", err)
	}
	m := new(dns.Msg)
	m.SetQuestion(dns.Fqdn(q.Name), qtype)
	m.RecursionDesired = false
	if !q.Plain {
		m.SetEdns0(udpSize, true)
	}
	networks := []string{"udp", "tcp"}
	if q.Transport == "tcp" {
		networks = networks[1:]
	}
	var answer *evidence.DNSAnswer
	for _, network := range networks {
		answer = p.ask(ctx, network, netip.AddrPortFrom(addr, 53), m)
		if !answer.Truncated {
			break
		}
	}
	return answer, nil
}

func (p *Prober) ask(ctx context.Context, network string, to netip.AddrPort, m *dns.Msg) *evidence.DNSAnswer {
	conn, err := p.Dialer.Dial(ctx, network, to)
	if err != nil {
		return &evidence.DNSAnswer{Status: dnsFailure(err), Transport: network}
	}
	defer conn.Close()
	c := &dns.Client{Net: network, UDPSize: udpSize, Timeout: p.timeout()}
	reply, _, err := c.ExchangeWithConnContext(ctx, m, &dns.Conn{Conn: conn, UDPSize: udpSize})
	if err != nil {
		return &evidence.DNSAnswer{Status: dnsFailure(err), Transport: network}
	}
	a := &evidence.DNSAnswer{
		Status: dns.RcodeToString[reply.Rcode], Authoritative: reply.Authoritative, Truncated: reply.Truncated,
		AuthenticatedData: reply.AuthenticatedData, Transport: network, Bytes: reply.Len(),
		Answer: records(reply.Answer), Authority: records(reply.Ns), Additional: records(reply.Extra),
	}
	if opt := reply.IsEdns0(); opt != nil {
		for _, option := range opt.Option {
			if e, ok := option.(*dns.EDNS0_EDE); ok {
				a.Extended = append(a.Extended, fmt.Sprintf("%d: %s", e.InfoCode, e.ExtraText))
			}
		}
	}
	return a
}

func dnsFailure(err error) string {
	switch word := dial.Failure(err); word {
	case "refused":
		return "refused-connection"
	case "failed":
		return "garbled"
	default:
		return word
	}
}

// records turns a section into plain data, sorted, without OPT.
func records(section []dns.RR) []evidence.Record {
	var list []evidence.Record
	for _, rr := range section {
		h := rr.Header()
		if h.Rrtype == dns.TypeOPT {
			continue
		}
		list = append(list, evidence.Record{
			Owner: strings.TrimSuffix(strings.ToLower(h.Name), "."),
			Type:  dns.TypeToString[h.Rrtype],
			TTL:   int(h.Ttl),
			Data:  strings.TrimPrefix(rr.String(), h.String()),
		})
	}
	sort.Slice(list, func(i, j int) bool {
		a, b := list[i], list[j]
		return a.Owner+"\x00"+a.Type+"\x00"+a.Data < b.Owner+"\x00"+b.Type+"\x00"+b.Data
	})
	return list
}
