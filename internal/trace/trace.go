// Package trace puts the exchanges of one resolution in the order a person
// follows them: zone by zone from the root, each server that was asked and what
// it gave, then the answer and what DNSSEC says of it.
package trace

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/miekg/dns"

	"assay/evidence"
	"assay/probe/resolver"
)

// A Trace is the way to an answer.
type Trace struct {
	Name  string `json:"name"`
	Type  string `json:"type"`
	Zones []Zone `json:"zones"`
	// Answer is the resolved answer with its DNSSEC state; nil where the question
	// could not be put, for the reason in Unknown.
	Answer  *evidence.DNSAnswer `json:"answer,omitempty"`
	Unknown string              `json:"unknown,omitempty"`
	// Lab is set where settings are not the public internet's.
	Lab bool `json:"lab,omitempty"`
}

// A Zone is one zone on the way and what its servers gave.
type Zone struct {
	// Name of the zone, "" for the root; of questions to a resolver Resolver is
	// set instead.
	Name     string `json:"name"`
	Resolver string `json:"resolver,omitempty"`
	// DS lists the key tags of the delegation signers that the parent has for it;
	// Signed is set where there are any, and for the root.
	DS     []int `json:"ds,omitempty"`
	Signed bool  `json:"signed"`
	// Trust is that of the zone that answers, "signed" or "unsigned"; "bogus" or
	// "indeterminate" where DNSSEC fails; empty for other zones on the way.
	Trust     string     `json:"trust,omitempty"`
	Exchanges []Exchange `json:"exchanges"`
}

// An Exchange is one question to one server.
type Exchange struct {
	Server    string  `json:"server,omitempty"`
	Address   string  `json:"address"`
	Transport string  `json:"transport"`
	Name      string  `json:"name"`
	Type      string  `json:"type"`
	Status    string  `json:"status"`
	Millis    float64 `json:"ms"`
	Bytes     int     `json:"bytes,omitempty"`
	// Kind is what came back: "answer", "referral", "no-data", "no-name",
	// "alias" (a CNAME or DNAME), "truncated", "error" (see Status).
	Kind string `json:"kind"`
	// Data are the records of the answer, or the servers referred to.
	Data []string `json:"data,omitempty"`
	// Cut is the zone a referral leads to.
	Cut string `json:"cut,omitempty"`
}

// A Recorder collects the exchanges of a resolution. Its zero value is ready.
type Recorder struct {
	lock  sync.Mutex
	steps []resolver.Step
}

// Step notes an exchange; it is what resolver.Config.Trace takes.
func (r *Recorder) Step(s resolver.Step) {
	r.lock.Lock()
	defer r.lock.Unlock()
	r.steps = append(r.steps, s)
}

// Trace orders what was recorded for a question and its answer. Root servers
// are those of the hints; through is the resolver that was asked, if one was.
func (r *Recorder) Trace(name, typ string, answer *evidence.DNSAnswer, roots []string, through string) *Trace {
	r.lock.Lock()
	defer r.lock.Unlock()
	t := &Trace{Name: name, Type: typ, Answer: answer, Zones: []Zone{}}
	b := builder{serves: map[string][]string{}, zones: map[string]*Zone{}}
	for _, root := range roots {
		b.serve(root, "")
	}
	for i := range r.steps {
		b.learn(r.steps[i].Message)
	}
	if answer != nil {
		for _, l := range answer.Links {
			for _, s := range l.Servers {
				b.serve(s.Name, l.Zone)
			}
		}
	}
	for i := range r.steps {
		b.add(&r.steps[i], through)
	}
	for _, z := range b.zones {
		t.Zones = append(t.Zones, *z)
	}
	slices.SortFunc(t.Zones, func(x, y Zone) int {
		return cmp.Or(cmp.Compare(labels(x.Name), labels(y.Name)), cmp.Compare(x.Name, y.Name))
	})
	if answer != nil {
		for _, l := range answer.Links {
			t.trust(l.Zone, l.Trust)
			if l.Security == "bogus" || l.Security == "indeterminate" {
				t.trust(cmp.Or(l.FaultZone, l.Zone), l.Security)
			}
		}
	}
	return t
}

// trust says what is known of a zone's trust in the end.
func (t *Trace) trust(zone, state string) {
	for i := range t.Zones {
		if z := &t.Zones[i]; z.Name == zone && z.Resolver == "" {
			z.Trust = state
		}
	}
}

func labels(name string) int {
	if name == "" {
		return 0
	}
	return strings.Count(name, ".") + 1
}

type builder struct {
	serves map[string][]string // by server name: the zones delegated to it
	zones  map[string]*Zone
	ds     map[string][]int
}

func (b *builder) serve(server, zone string) {
	server = plain(server)
	if !slices.Contains(b.serves[server], zone) {
		b.serves[server] = append(b.serves[server], zone)
	}
}

// learn reads out of a response which servers serve which zone, and whose
// delegation is signed.
func (b *builder) learn(m *dns.Msg) {
	if m == nil {
		return
	}
	for _, section := range [][]dns.RR{m.Answer, m.Ns} {
		for _, rr := range section {
			owner := plain(rr.Header().Name)
			switch rr := rr.(type) {
			case *dns.NS:
				b.serve(rr.Ns, owner)
			case *dns.DS:
				if b.ds == nil {
					b.ds = map[string][]int{}
				}
				if tag := int(rr.KeyTag); !slices.Contains(b.ds[owner], tag) {
					b.ds[owner] = append(b.ds[owner], tag)
				}
			}
		}
	}
}

func (b *builder) add(s *resolver.Step, through string) {
	e := exchange(s)
	zone, key := b.zoneOf(&e), ""
	if through != "" {
		zone, key = "", "resolver "
	}
	z := b.zones[key+zone]
	if z == nil {
		z = &Zone{Name: zone, DS: b.ds[zone], Signed: zone == "" || len(b.ds[zone]) > 0}
		if through != "" {
			z = &Zone{Resolver: through}
		}
		slices.Sort(z.DS)
		b.zones[key+zone] = z
	}
	z.Exchanges = append(z.Exchanges, e)
}

// zoneOf is the deepest zone that the server serves and the name asked is in. DS
// records are the parent's, and so is a referral.
func (b *builder) zoneOf(e *Exchange) string {
	best, found := "", false
	for _, zone := range b.serves[plain(e.Server)] {
		in := within(e.Name, zone)
		if e.Type == "DS" && zone == e.Name || e.Kind == "referral" && within(zone, e.Cut) {
			in = false
		}
		if in && (!found || len(zone) > len(best)) {
			best, found = zone, true
		}
	}
	return best
}

func within(name, zone string) bool {
	return zone == "" || name == zone || strings.HasSuffix(name, "."+zone)
}

func exchange(s *resolver.Step) Exchange {
	e := Exchange{
		Server: s.Server, Transport: s.Transport, Name: s.Name, Type: s.Type, Status: s.Status,
		Millis: float64(s.RTT.Microseconds()) / 1000, Bytes: s.Size, Kind: "error",
	}
	if s.Address.IsValid() {
		e.Address = s.Address.String()
	}
	if s.Message != nil {
		e.read(s.Message)
	}
	return e
}

// maxData bounds the records shown of one response.
const maxData = 16

func (e *Exchange) read(m *dns.Msg) {
	switch {
	case m.Truncated:
		e.Kind = "truncated"
		return
	case m.Rcode == dns.RcodeNameError:
		e.Kind = "no-name"
		return
	case m.Rcode != dns.RcodeSuccess:
		return
	}
	for _, rr := range m.Answer {
		typ := dns.TypeToString[rr.Header().Rrtype]
		switch {
		case typ == e.Type:
			e.Kind = "answer"
		case typ == "CNAME" || typ == "DNAME":
			if e.Kind == "error" {
				e.Kind = "alias"
			}
		default:
			continue
		}
		if len(e.Data) < maxData {
			e.Data = append(e.Data, short(rr))
		}
	}
	if e.Kind != "error" {
		return
	}
	e.Kind = "no-data"
	for _, rr := range m.Ns {
		if ns, ok := rr.(*dns.NS); ok && !m.Authoritative {
			e.Kind, e.Cut = "referral", plain(ns.Hdr.Name)
			if len(e.Data) < maxData {
				e.Data = append(e.Data, plain(ns.Ns))
			}
		}
	}
	slices.Sort(e.Data)
}

// short is a record's data, of a key only what names it.
func short(rr dns.RR) string {
	if key, ok := rr.(*dns.DNSKEY); ok {
		role := "ZSK"
		if key.Flags&dns.SEP != 0 {
			role = "KSK"
		}
		return role + " " + strconv.Itoa(int(key.KeyTag())) + " (" + dns.AlgorithmToString[key.Algorithm] + ")"
	}
	return strings.TrimPrefix(rr.String(), rr.Header().String())
}

// plain is a name in lower case without its final dot.
func plain(name string) string { return strings.ToLower(strings.TrimSuffix(name, ".")) }
