package resolver

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/miekg/dns"

	"assay/evidence"
)

// records turns a section into plain data, sorted, without OPT. Records that are
// not in the zone are left out: its servers have no say there. zone "" keeps
// all. Signatures and denials are kept only with proofs.
func records(section []dns.RR, zone string, proofs bool) []evidence.Record {
	if len(section) == 0 {
		return nil
	}
	list := make([]evidence.Record, 0, len(section))
	for _, rr := range section {
		h := rr.Header()
		if h.Rrtype == dns.TypeOPT || h.Class != dns.ClassINET || zone != "" && !within(zone, h.Name) {
			continue
		}
		if !proofs && (h.Rrtype == dns.TypeRRSIG || h.Rrtype == dns.TypeNSEC || h.Rrtype == dns.TypeNSEC3) {
			continue
		}
		list = append(list, record(rr))
	}
	if len(list) == 0 {
		return nil
	}
	sortRecords(list)
	return list
}

func sortRecords(list []evidence.Record) {
	slices.SortFunc(list, func(a, b evidence.Record) int {
		return cmp.Or(strings.Compare(a.Owner, b.Owner), strings.Compare(a.Type, b.Type), strings.Compare(a.Data, b.Data))
	})
}

func record(rr dns.RR) evidence.Record {
	h := rr.Header()
	// The presentation form is owner, TTL, class and type, then the data, each
	// followed by a tab.
	data := rr.String()
	for range 4 {
		_, data, _ = strings.Cut(data, "\t")
	}
	return evidence.Record{Owner: plain(h.Name), Type: dns.Type(h.Rrtype).String(), TTL: int(h.Ttl), Data: data}
}

// rcode is the name of a response code.
func rcode(m *dns.Msg) string {
	if word, ok := dns.RcodeToString[m.Rcode]; ok {
		return word
	}
	return "RCODE" + strconv.Itoa(m.Rcode)
}

// extended are the extended DNS errors of a message (RFC 8914).
func extended(m *dns.Msg) []string {
	var list []string
	if opt := m.IsEdns0(); opt != nil {
		for _, option := range opt.Option {
			if e, ok := option.(*dns.EDNS0_EDE); ok && len(list) < 8 {
				list = append(list, fmt.Sprintf("%d: %s", e.InfoCode, e.ExtraText))
			}
		}
	}
	return list
}
