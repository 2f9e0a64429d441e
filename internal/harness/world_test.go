package harness

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"assay/evidence"
	"assay/perspective"
)

// A fate is what the world has in store for an order.
type fate int

// The fates.
const (
	// unseen: where its names are looked for nothing works, for our faults.
	unseen fate = iota
	// passes: it is ready once its value is published.
	passes
	// fails: other CAs only may issue for it, which these orders' profile refuses.
	fails
	// asks: it waits for a reviewer once its value is published.
	asks
	fates
)

// word is what a reviewer has to look at in a name.
const word = "qqbankqq"

// nameOf is the name of the nth order: n17.orchard.net, or with a word in it.
func nameOf(n int) string {
	if fate(n)%fates == asks {
		return fmt.Sprintf("n%d%s.%s", n, word, apex)
	}
	return fmt.Sprintf("n%d.%s", n, apex)
}

// fateOf is that of the order for a name of [book.think].
func fateOf(name string) fate {
	label := strings.TrimSuffix(strings.TrimSuffix(name, "."+apex), word)
	n, err := strconv.Atoi(strings.TrimPrefix(label, "n"))
	if err != nil {
		return passes
	}
	return fate(n) % fates
}

const apex = "orchard.net"

// publish is what an applicant does who was told his value.
func publish(dir, name, value string) error {
	path := filepath.Join(dir, "_dnsauth."+name)
	if err := os.WriteFile(path+".new", []byte(value), 0o600); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}

// world is a place that sees one zone with what applicants have published in a
// directory. It answers at once: what is tried is the service, not the world.
type world struct{ published string }

func (world) About() evidence.Perspective { return evidence.Perspective{ID: "P0", Region: "RIPE"} }
func (w world) Begin() perspective.Look   { return w }
func (world) Close()                      {}

func (w world) Answer(_ context.Context, questions []evidence.Question) []evidence.Observation {
	list := make([]evidence.Observation, len(questions))
	for i, q := range questions {
		o := evidence.Observation{Question: q, At: time.Now()}
		if q.DNS == nil || w.fate(q.DNS.Name) == unseen {
			o.Unknown = evidence.UnknownUnreachable + ": it is stopped"
		} else {
			o.DNS = w.answer(*q.DNS)
		}
		list[i] = o.Identify()
	}
	return list
}

func (world) fate(name string) fate { return fateOf(strings.TrimPrefix(name, "_dnsauth.")) }

// answer is what the zone's servers say, each and together.
func (w world) answer(q evidence.DNSQuestion) *evidence.DNSAnswer {
	a := &evidence.DNSAnswer{Security: "insecure"}
	switch {
	case q.Apex:
		q.Name, a.Asked = zoneOf(q.Name), zoneOf(q.Name)
	case q.Random:
		q.Name = "r4nd0mr4nd0mr4nd." + q.Name
		a.Asked = q.Name
	}
	l := evidence.DNSLink{Owner: q.Name, Zone: zoneOf(q.Name), Trust: "unsigned", Security: "insecure", DelegationTTL: 86400}
	if l.Zone != apex {
		l.Trust, l.Security = "signed", "secure"
	}
	for server, address := range map[string]string{"ns1." + apex: "45.155.10.11", "ns2." + apex: "45.155.10.12"} {
		c := evidence.DNSCopy{Server: server, Address: address, Status: "NOERROR", Authoritative: true, Transport: "udp", Tries: 1}
		c.Answer = w.records(q.Name, q.Type)
		if len(c.Answer) == 0 {
			c.Authority = w.records(l.Zone, "SOA")
		}
		if len(c.Answer) == 0 && !w.exists(q.Name) {
			c.Status = "NXDOMAIN"
		}
		l.Servers = append(l.Servers, evidence.DNSServer{Name: server, Addresses: []string{address}})
		l.Copies = append(l.Copies, c)
	}
	slices.SortFunc(l.Copies, func(x, y evidence.DNSCopy) int { return strings.Compare(x.Server, y.Server) })
	slices.SortFunc(l.Servers, func(x, y evidence.DNSServer) int { return strings.Compare(x.Name, y.Name) })
	c := &l.Copies[0]
	l.Decided, a.Status, a.Answer, a.Authority = c.Address, c.Status, c.Answer, c.Authority
	if q.Server != "" || q.Address != "" {
		a.Security, a.Authoritative, a.Copies = "", true, l.Copies
		return a
	}
	a.Links = []evidence.DNSLink{l}
	return a
}

func zoneOf(name string) string {
	switch {
	case name == apex || strings.HasSuffix(name, "."+apex):
		return apex
	case name == "net":
		return "net"
	}
	return ""
}

func (w world) exists(name string) bool {
	return zoneOf(name) == name || strings.HasPrefix(name, "ns") && strings.Count(name, ".") == 2 ||
		len(w.records(name, "A")) > 0 || len(w.records(name, "TXT")) > 0
}

// records are those of a name and type.
func (w world) records(name, typ string) []evidence.Record {
	record := func(data string) evidence.Record {
		return evidence.Record{Owner: name, Type: typ, TTL: 600, Data: data}
	}
	label, below := strings.CutSuffix(name, "."+apex)
	label = strings.TrimSuffix(label, word)
	ordered := below && strings.HasPrefix(label, "n") && strings.Trim(label[1:], "0123456789") == ""
	switch {
	case typ == "SOA" && zoneOf(name) == name:
		return []evidence.Record{record("ns1." + apex + ". hostmaster." + apex + ". 7 7200 3600 1209600 300")}
	case typ == "NS" && name == apex:
		return []evidence.Record{record("ns1." + apex + "."), record("ns2." + apex + ".")}
	case typ == "A" && ordered:
		return []evidence.Record{record("45.155.10.21")}
	case typ == "CAA" && ordered && fateOf(name) == fails:
		return []evidence.Record{record(`0 issue "other-ca.net"`)}
	case typ == "TXT" && strings.HasPrefix(name, "_dnsauth."):
		if value, err := os.ReadFile(filepath.Join(w.published, name)); err == nil {
			return []evidence.Record{record(`"` + string(value) + `"`)}
		}
	}
	return nil
}
