package review

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"assay/cause"
	"assay/data"
	"assay/evidence"
	"assay/order"
	"assay/profile"
)

// An internet answers DNS questions from zones in memory, in the form in which
// probes report them: it stands in for the network in tests of rules.
type internet struct {
	zones []*fakeZone
	// fault replaces what one server answers from one place; nil: the zone's.
	fault func(place, server string, q evidence.DNSQuestion, c *evidence.DNSCopy)
	// security changes the state of a resolved answer; nil: insecure.
	security func(q evidence.DNSQuestion, a *evidence.DNSAnswer)
	// resolvers answer by address.
	resolvers map[string]func(q evidence.DNSQuestion) *evidence.DNSAnswer
	// unknown says why a question cannot be asked.
	unknown func(place string, q evidence.DNSQuestion) string
	// shakes answers TLS questions; nil: nothing listens.
	shakes func(place string, q evidence.TLSQuestion) *evidence.TLSExchange
	// web answers fetches; nil: every connection is refused.
	web *fakeWeb
	// blindWeb says why no address is fetched from.
	blindWeb string
	// unknownWeb says why a question about a URL cannot be asked.
	unknownWeb func(q evidence.HTTPQuestion) string
	asked      []evidence.Question
}

// A fakeZone has the same records on every server unless own says otherwise.
type fakeZone struct {
	name    string
	servers []string // names; nsN.* has the address 45.155.10.1N
	records []string // "owner TYPE data", owners relative, "@" the apex
	own     map[string][]string
	hidden  []string // serve it without being delegated
	gone    bool     // the parent knows nothing of it
}

const (
	labValue = "20261125a7k2m9x4q8w3e5r6t1"
	soa      = "@ SOA ns1.orchard.net. hostmaster.orchard.net. 7 7200 3600 1209600 300"
)

// healthy is the state H of the catalogue's section G.
func healthy() *internet {
	return &internet{zones: []*fakeZone{
		{name: "", servers: []string{"a.root"}},
		{name: "net", servers: []string{"a.net"}, records: []string{"@ SOA a.net. h.net. 1 1 1 1 900"}},
		orchard(soa, "@ NS ns1.orchard.net.", "@ NS ns2.orchard.net.", "@ A 45.155.10.21", "_dnsauth TXT "+labValue),
	}}
}

func orchard(records ...string) *fakeZone {
	return &fakeZone{name: "orchard.net", servers: []string{"ns1.orchard.net", "ns2.orchard.net"}, records: records}
}

func (n *internet) orchard() *fakeZone { return n.zone("orchard.net") }

// zone is the deepest delegated zone that holds a name.
func (n *internet) zone(of string) *fakeZone {
	var found *fakeZone
	for _, z := range n.zones {
		if !z.gone && below(of, z.name) && (found == nil || len(z.name) > len(found.name) || found.name == "") {
			if found == nil || len(z.name) >= len(found.name) {
				found = z
			}
		}
	}
	return found
}

func (z *fakeZone) remove(prefix string) *fakeZone {
	z.records = slices.DeleteFunc(z.records, func(r string) bool { return strings.HasPrefix(r, prefix) })
	return z
}

func (z *fakeZone) add(records ...string) *fakeZone {
	z.records = append(z.records, records...)
	return z
}

func addressOf(server string) string {
	host, _, _ := strings.Cut(server, ".")
	n := 0
	for _, c := range server {
		n = n*31 + int(c)
	}
	if strings.HasPrefix(host, "ns") && len(host) == 3 && strings.HasSuffix(server, ".orchard.net") {
		return "45.155.10.1" + host[2:]
	}
	return fmt.Sprintf("45.155.%d.%d", 40+n%4&3, 1+(n%250+250)%250)
}

// parse turns the lines of a zone into records.
func (z *fakeZone) parse(lines []string) []evidence.Record {
	var list []evidence.Record
	for _, line := range lines {
		owner, rest, _ := strings.Cut(line, " ")
		typ, data, _ := strings.Cut(rest, " ")
		switch {
		case owner == "@":
			owner = z.name
		case strings.HasSuffix(owner, "."):
			owner = owner[:len(owner)-1]
		case z.name != "":
			owner += "." + z.name
		}
		if typ == "TXT" && !strings.HasPrefix(data, `"`) {
			data = `"` + data + `"`
		}
		list = append(list, evidence.Record{Owner: owner, Type: typ, TTL: 600, Data: data})
	}
	return list
}

// serve is what a server of the zone answers.
func (n *internet) serve(z *fakeZone, place, server string, q evidence.DNSQuestion) evidence.DNSCopy {
	c := evidence.DNSCopy{Server: server, Address: addressOf(server), Status: "NXDOMAIN", Authoritative: true, Transport: "udp", Tries: 1}
	lines := z.records
	if own, ok := z.own[server]; ok {
		lines = own
	}
	records := z.parse(lines)
	c.Answer, c.Status = find(records, q.Name, q.Type, z.name)
	if len(c.Answer) == 0 {
		c.Authority = recordsAt(records, z.name, "SOA")
	}
	if n.fault != nil {
		n.fault(place, server, q, &c)
	}
	return c
}

func find(records []evidence.Record, owner, typ, apex string) ([]evidence.Record, string) {
	exists := owner == apex
	var found []evidence.Record
	for _, r := range records {
		if r.Owner == owner {
			exists = true
			if r.Type == typ || r.Type == "CNAME" {
				found = append(found, r)
			}
		}
		if below(r.Owner, owner) {
			exists = true
		}
	}
	if exists {
		return found, "NOERROR"
	}
	for parent := parentOf(owner); below(parent, apex) && parent != ""; parent = parentOf(parent) {
		star := false
		for _, r := range records {
			if r.Owner == "*."+parent {
				star = true
				if r.Type == typ || r.Type == "CNAME" {
					r.Owner = owner
					found = append(found, r)
				}
			}
		}
		if star {
			return found, "NOERROR"
		}
		for _, r := range records {
			if below(r.Owner, parent) && r.Owner != "*."+parent {
				return nil, "NXDOMAIN" // the closest encloser has no wildcard
			}
		}
	}
	return nil, "NXDOMAIN"
}

// answer answers one question from one place.
func (n *internet) answer(q evidence.Question) evidence.Observation {
	n.asked = append(n.asked, q)
	o := evidence.Observation{Question: q, At: labClock}
	if q.TLS != nil {
		return n.shake(o)
	}
	if q.HTTP != nil {
		if n.unknownWeb != nil {
			if o.Unknown = n.unknownWeb(*q.HTTP); o.Unknown != "" {
				return o
			}
		}
		o.HTTP = n.web.exchange(n, q.Perspective, *q.HTTP)
		for i := range o.HTTP.Fetches {
			if n.blindWeb != "" {
				o.HTTP.Fetches[i].Hops, o.HTTP.Fetches[i].Unknown = nil, n.blindWeb
			}
		}
		return o
	}
	d := *q.DNS
	if n.unknown != nil {
		if o.Unknown = n.unknown(q.Perspective, d); o.Unknown != "" {
			return o
		}
	}
	asked := ""
	switch {
	case d.Apex:
		d.Name = n.zone(d.Name).name
		asked = d.Name
	case d.Random:
		d.Name = "r4nd0mr4nd0mr4nd." + d.Name
		asked = d.Name
	}
	switch {
	case d.Resolver != "":
		if r := n.resolvers[d.Resolver]; r != nil {
			o.DNS = r(d)
		}
		if o.DNS == nil {
			o.DNS = n.resolve(q.Perspective, d)
			o.DNS.Links = nil
		}
	case d.Server != "" || d.Address != "":
		o.DNS = n.direct(q.Perspective, d)
	default:
		o.DNS = n.resolve(q.Perspective, d)
	}
	o.DNS.Asked = asked
	return o
}

// direct asks one server for what it serves.
func (n *internet) direct(place string, q evidence.DNSQuestion) *evidence.DNSAnswer {
	a := &evidence.DNSAnswer{Status: "NOERROR"}
	for _, z := range n.zones {
		for _, server := range slices.Concat(z.servers, z.hidden) {
			if (server == q.Server || addressOf(server) == q.Address) && below(q.Name, z.name) {
				c := n.serve(z, place, server, q)
				if q.Server != "" {
					a.Copies = append(a.Copies, c)
				} else {
					a.Status, a.Authoritative, a.Answer = c.Status, c.Authoritative, c.Answer
				}
			}
		}
	}
	return a
}

func (n *internet) resolve(place string, q evidence.DNSQuestion) *evidence.DNSAnswer {
	a := &evidence.DNSAnswer{Security: "insecure"}
	seen := map[string]bool{}
	via := ""
	for hops := 0; ; hops++ {
		if hops > maxHops {
			a.Status = "chain-too-long"
			break
		}
		if seen[q.Name] {
			a.Status = "chain-loop"
			break
		}
		seen[q.Name] = true
		z := n.zone(q.Name)
		l := evidence.DNSLink{Owner: q.Name, Via: via, Zone: z.name, Trust: "unsigned", Security: "insecure", DelegationTTL: 86400}
		if z.name == "" || z.name == "net" {
			l.Trust, l.Security = "signed", "secure"
		}
		var decided *evidence.DNSCopy
		for _, server := range z.servers {
			l.Servers = append(l.Servers, evidence.DNSServer{Name: server, Addresses: []string{addressOf(server)}})
			l.Copies = append(l.Copies, n.serve(z, place, server, q))
			if c := l.Copies[len(l.Copies)-1]; decided == nil && usable(&c) {
				decided = &c
			}
		}
		a.Links = append(a.Links, l)
		if decided == nil {
			a.Status, a.Security = "unanswered", "indeterminate"
			break
		}
		a.Links[len(a.Links)-1].Decided = decided.Address
		a.Status, a.Authority = decided.Status, decided.Authority
		a.Answer = append(a.Answer, decided.Answer...)
		next := recordsAt(decided.Answer, q.Name, "CNAME")
		if len(next) == 0 || q.Type == "CNAME" {
			break
		}
		q.Name, via = hostOf(next[0].Data), "CNAME"
	}
	if n.security != nil {
		n.security(q, a)
	}
	return a
}

var labClock = time.Date(2026, 11, 25, 8, 0, 0, 0, time.UTC)

// labOrder is the order of the laboratory.
func labOrder() *order.Order {
	return &order.Order{
		Product: order.DV, Names: []string{"orchard.net"}, Method: order.MethodDNS, SubmittedAt: labClock.Add(-time.Hour),
		Challenges: []order.Challenge{{Name: "orchard.net", Method: order.MethodDNS, Value: labValue, Created: labClock.Add(-time.Hour)}},
	}
}

// A trial is one review in an internet.
type trial struct {
	net     *internet
	order   *order.Order
	profile string
	toml    string
	mode    Mode
	places  []evidence.Perspective
	at      time.Time // default: labClock
	records map[evidence.Topic]evidence.LookupAnswer
	facts   *facts // of the judgement
	rounds  int
}

// fataler is what a test and a property have in common.
type fataler interface {
	Helper()
	Fatal(args ...any)
	Fatalf(format string, args ...any)
}

// judge runs the rounds of a review.
func (tr *trial) judge(t fataler) *Report {
	t.Helper()
	if tr.order == nil {
		tr.order = labOrder()
	}
	name := tr.profile
	if name == "" {
		name = "cloud"
	}
	p, err := profile.Named(name)
	if tr.toml != "" {
		p, err = profile.Parse([]byte(tr.toml))
	}
	if err != nil {
		t.Fatal(err)
	}
	if tr.places == nil {
		tr.places = []evidence.Perspective{{ID: "P0", Region: "APNIC"}}
	}
	if tr.mode == "" {
		tr.mode = Precheck
	}
	c := Prepare(tr.order, data.Embedded())
	if tr.at.IsZero() {
		tr.at = labClock
	}
	in := Input{Profile: p, At: tr.at, Mode: tr.mode, Scope: ScopeNetwork, Perspectives: tr.places}
	for round := range 8 {
		questions := c.Ask(in)
		if len(questions) == 0 {
			r := c.Judge(in)
			tr.facts, tr.rounds = c.facts(in), round
			r.Localize(cause.English)
			return r
		}
		if round == 7 {
			t.Fatalf("still asks after %d rounds: %+v %+v", round, questions[0].DNS, questions[0].HTTP)
		}
		for _, q := range questions {
			if q.Lookup != nil {
				answer := tr.records[q.Lookup.Topic]
				in.Seen = append(in.Seen, evidence.Observation{Question: q, At: labClock, Lookup: &answer})
				continue
			}
			in.Seen = append(in.Seen, tr.net.answer(q))
		}
	}
	return nil
}

// network are the findings of the stages that look at the network, roots and
// consequences, as "level cause@subject" or with "<- root".
func network(r *Report) []string {
	list := []string{}
	for _, f := range r.Findings {
		if !networkStage(f.Stage) {
			continue
		}
		row := string(f.Level) + " " + f.ID
		if f.ExplainedBy != "" {
			row += " <- " + f.ExplainedBy
		}
		list = append(list, row)
	}
	slices.Sort(list)
	return list
}

// onTarget are those of network that do not only say that few places looked.
func onTarget(r *Report) []string {
	return slices.DeleteFunc(network(r), func(row string) bool {
		return strings.HasSuffix(row, " "+string(cause.PerspectiveSetNotConformant)+"@perspectives")
	})
}

// finding is the finding of a cause.
func finding(t testing.TB, r *Report, id cause.ID) *Finding {
	t.Helper()
	for i := range r.Findings {
		if r.Findings[i].Cause == id {
			return &r.Findings[i]
		}
	}
	t.Fatalf("no %s in %v", id, network(r))
	return nil
}

// textsComplete: texts are filled in both languages, with no placeholder open
// and no parameter that the catalogue does not declare.
func textsComplete(t testing.TB, r *Report) {
	t.Helper()
	for _, lang := range cause.Languages() {
		r.Localize(lang)
		for _, f := range r.Findings {
			for _, text := range append([]string{f.Title, f.Explanation}, f.Handling...) {
				if strings.ContainsAny(text, "‹›") || strings.Contains(text, "[[") || text == "" {
					t.Errorf("%s %s: %q", lang, f.ID, text)
				}
			}
			for k := range f.Parameters {
				if _, ok := cause.Lookup(f.Cause).Parameters[k]; !ok {
					t.Errorf("%s: parameter %q is not declared", f.Cause, k)
				}
			}
		}
	}
	r.Localize(cause.English)
}
