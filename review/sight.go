package review

import (
	"slices"
	"strings"

	"assay/evidence"
)

// state is what became of a question at a place.
type state int

const (
	unseen     state = iota // not looked at yet
	blind                   // not looked at for a reason that lies with us
	answered                // a validated answer: records, or that there are none
	unanswered              // no server of a zone on the way gives a usable answer
	bogus                   // an answer that does not pass validation
	endless                 // a CNAME chain that loops or is too long
)

// A sight is one resolved question as one place saw it.
type sight struct {
	place *evidence.Perspective
	o     *evidence.Observation
	a     *evidence.DNSAnswer
	state state
	typ   string // the type asked for
	// why says in a word of ours why the place is blind.
	why string
	// retried is set where it is a second attempt.
	retried bool
}

// sightOf is what a place saw of a target. Where a place has no way to the name
// servers themselves, what its resolver says stands in.
func (f *facts) sightOf(t *target, place *evidence.Perspective) *sight {
	if t.sights == nil {
		t.sights = make(map[string]*sight, len(f.places))
	}
	s := t.sights[place.ID]
	if s == nil {
		s = f.resolveAnyhow(place, t.question(t.typ))
		t.sights[place.ID] = s
	}
	return s
}

// resolveAnyhow is what a place saw for a question to the servers, or through
// its resolver where it cannot reach servers itself.
func (f *facts) resolveAnyhow(place *evidence.Perspective, q evidence.DNSQuestion) *sight {
	s := f.resolve(place, q)
	if s.state != blind || place.Resolver == "" || q.Apex {
		return s
	}
	through := f.resolve(place, evidence.DNSQuestion{Name: q.Name, Type: q.Type, Random: q.Random, Resolver: place.Resolver})
	if through.state == blind {
		return s
	}
	return through
}

// direct reports whether servers were asked, not a resolver.
func (s *sight) direct() bool {
	return s.o != nil && s.a != nil && s.o.Question.DNS.Resolver == "" && slices.ContainsFunc(s.a.Links, func(l evidence.DNSLink) bool {
		return len(l.Servers) > 0 || len(l.Copies) > 0
	})
}

// probe resolves a question that explains, at the primary place: by asking
// servers, not a resolver that would remember it.
func (f *facts) probe(q evidence.DNSQuestion) *sight {
	q.Each = q.Each || f.primary().Resolver != ""
	return f.resolve(f.primary(), q)
}

// here is what the primary place saw of a target.
func (f *facts) here(t *target) *sight { return f.sightOf(t, f.primary()) }

// resolve is what a place saw for a question.
func (f *facts) resolve(place *evidence.Perspective, q evidence.DNSQuestion) *sight {
	seen := f.find(place, q)
	if seen == nil {
		return &sight{place: place, typ: q.Type}
	}
	if seen.sight != nil {
		return seen.sight
	}
	s := &sight{place: place, o: seen.o, typ: q.Type}
	seen.sight = s
	s.read(q)
	if s.state == unanswered && q.Resolver == "" && f.aboveDomain(q.Name, s.last()) {
		// A top-level domain that does not answer is not the applicant's.
		s.state, s.why = blind, "no server of the zone \""+s.last().Zone+"\" answers"
	}
	return s
}

// aboveDomain reports whether a zone lies above the registrable domain of a
// name: a public suffix, or above one. What an internal name ends with is none.
func (f *facts) aboveDomain(n string, l *evidence.DNSLink) bool {
	if l == nil || l.Owner == "" {
		return false
	}
	if l.Zone == "" {
		return true
	}
	suffix := f.Data.Suffix(l.Owner, true)
	return suffix.Rule != "" && below(suffix.Suffix, l.Zone)
}

func (s *sight) read(q evidence.DNSQuestion) {
	switch {
	case s.o == nil:
		return
	case s.o.Unknown != "":
		s.state, s.why = blind, s.o.Unknown
		return
	case s.o.DNS == nil:
		s.state, s.why = blind, "no answer"
		return
	}
	s.a = s.o.DNS
	switch s.a.Status {
	case "NOERROR", "NXDOMAIN":
		switch s.a.Security {
		case "secure", "insecure":
			s.state = answered
		case "bogus", "indeterminate":
			s.state = bogus
		default:
			s.state, s.why = blind, "the answer was not validated"
		}
	case "bogus", "indeterminate":
		s.state = bogus
	case "chain-loop", "chain-too-long":
		s.state = endless
	case "not-asked", "budget":
		s.state, s.why = blind, s.a.Status
	default:
		s.state = unanswered
	}
	if s.state == unanswered {
		if q.Resolver != "" || len(s.a.Links) > 0 && !s.direct() {
			s.state, s.why = blind, "resolver: "+s.a.Status
		} else if l := s.last(); l == nil {
			s.state, s.why = blind, s.a.Status
		} else if why := notAsked(l); why != "" {
			s.state, s.why = blind, why
		}
	}
}

// notAsked says why none of the servers was asked, "" where one was, or where
// there was none to ask.
func notAsked(l *evidence.DNSLink) string {
	why := ""
	for i := range l.Copies {
		c := &l.Copies[i]
		if c.Unknown == "" {
			return ""
		}
		if why == "" {
			why = c.Unknown
		}
	}
	return why
}

// last is the link that the answer comes from, or at which it ends.
func (s *sight) last() *evidence.DNSLink {
	if s.a == nil || len(s.a.Links) == 0 {
		return nil
	}
	return &s.a.Links[len(s.a.Links)-1]
}

// first is the link of the name that was asked for.
func (s *sight) first() *evidence.DNSLink {
	if s.a == nil || len(s.a.Links) == 0 {
		return nil
	}
	return &s.a.Links[0]
}

// zone is the zone that answers for the name asked, "" where it is not known.
func (s *sight) zone() string {
	if l := s.first(); l != nil {
		return l.Zone
	}
	return ""
}

// asked is the name that the question was put at.
func (s *sight) asked() string {
	if s.a != nil && s.a.Asked != "" {
		return s.a.Asked
	}
	return s.o.Question.DNS.Name
}

// maxChain bounds the CNAME records that are followed within one answer.
const maxChain = 20

// chain are the names from the one asked to the end of its CNAME chain; one
// name where there is none. A question for CNAME records follows none.
func (s *sight) chain() []string {
	if s.a == nil {
		return nil
	}
	names := []string{s.asked()}
	if s.typ == "CNAME" {
		return names
	}
	if len(s.a.Links) > 0 {
		// Whoever asked followed the chain. A CNAME beside the records asked for
		// was not followed.
		for i := range s.a.Links[1:] {
			names = append(names, s.a.Links[i+1].Owner)
		}
		return names
	}
	for len(names) < maxChain {
		i := slices.IndexFunc(s.a.Answer, func(r evidence.Record) bool {
			return r.Type == "CNAME" && r.Owner == names[len(names)-1]
		})
		if i < 0 {
			break
		}
		target := hostOf(s.a.Answer[i].Data)
		if slices.Contains(names, target) {
			break
		}
		names = append(names, target)
	}
	return names
}

// end is the name at the end of the chain.
func (s *sight) end() string {
	c := s.chain()
	if len(c) == 0 {
		return ""
	}
	return c[len(c)-1]
}

// records are those of the type asked for at the end of the chain, of the
// answer that counts: none unless it was validated.
func (s *sight) records() []evidence.Record {
	if s.state != answered {
		return nil
	}
	return recordsAt(s.a.Answer, s.end(), s.typ)
}

func recordsAt(section []evidence.Record, owner, typ string) []evidence.Record {
	var found []evidence.Record
	for i := range section {
		if section[i].Type == typ && section[i].Owner == owner {
			found = append(found, section[i])
		}
	}
	return found
}

// rcode is the response code as texts name it.
func (s *sight) rcode() string {
	switch {
	case s.a == nil:
		return ""
	case s.state == answered && s.a.Status == "NOERROR" && len(s.records()) == 0:
		return "NODATA"
	}
	return s.a.Status
}

// usable reports whether a server's answer is one to judge by.
func usable(c *evidence.DNSCopy) bool { return c.Usable() && !c.Truncated && c.Unknown == "" }

// failed reports whether a server was asked and gave no answer to judge by.
func failed(c *evidence.DNSCopy) bool { return c.Unknown == "" && !usable(c) }

// statusOf is what a server did, in a word.
func statusOf(c *evidence.DNSCopy) string {
	switch {
	case c.Truncated:
		return "truncated"
	case c.Status == "NOERROR" && !c.Authoritative, c.Status == "NXDOMAIN" && !c.Authoritative:
		return "AA=0"
	}
	return c.Status
}

// serverNames are the names of the servers of a link, each once, in order.
func serverNames(l *evidence.DNSLink) []string {
	if l == nil {
		return nil
	}
	names := make([]string, 0, len(l.Servers))
	for i := range l.Servers {
		names = append(names, l.Servers[i].Name)
	}
	if len(names) == 0 {
		for i := range l.Copies {
			names = append(names, copyName(&l.Copies[i]))
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// copyName is the server's name, its address where it has none.
func copyName(c *evidence.DNSCopy) string {
	if c.Server != "" {
		return c.Server
	}
	return c.Address
}

// at is the server as a row of results names it.
func at(c *evidence.DNSCopy) string {
	if c.Server == "" || c.Address == "" {
		return copyName(c)
	}
	return c.Server + " (" + c.Address + ")"
}

// hostOf is a host name from the RDATA of a CNAME, NS or PTR record.
func hostOf(data string) string {
	return strings.ToLower(strings.TrimSuffix(strings.TrimSpace(data), "."))
}
