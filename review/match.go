package review

import (
	"slices"
	"strconv"
	"strings"

	"assay/caa"
	"assay/evidence"
	"assay/order"
)

// accepts reports whether a record is what a target asks for: TXT strings
// joined and compared with case, CNAME targets without case and final dot, and
// any record of a set may match (catalogue B15, RFC 8555 8.4).
func (f *facts) accepts(t *target, r *evidence.Record) bool {
	if t.value == "" || r.Type != t.typ {
		return false
	}
	switch {
	case t.method == order.MethodDNSPersist:
		return f.persists(t, textOf(r.Data))
	case t.typ == "CNAME":
		return hostOf(r.Data) == hostOf(t.value)
	case t.typ == "CAA":
		record, ok := caa.Parse(r.Data)
		return ok && record.Value == t.value
	}
	return valueOf(r) == t.value
}

// persists reports whether a record of dns-persist-01 allows the order (BR
// 3.2.2.4.22): it names an issuer domain of this CA and the account, has not
// run out, and has policy=wildcard where more than the name itself is covered.
// Unknown parameters are ignored, repeated ones void it.
func (f *facts) persists(t *target, text string) bool {
	dialect := f.dialect()
	dialect.LastSemicolon = false
	got, want := dialect.ParseIssue(text), dialect.ParseIssue(t.value)
	if got.Fault != "" || want.Fault != "" || want.Domain == "" || !strings.EqualFold(got.Domain, want.Domain) {
		return false
	}
	have := map[string]string{}
	for _, p := range got.Parameters {
		tag := strings.ToLower(p.Tag)
		if _, repeated := have[tag]; repeated {
			return false
		}
		have[tag] = p.Value
	}
	account := ""
	for _, p := range want.Parameters {
		if strings.EqualFold(p.Tag, "accounturi") {
			account = p.Value
		}
	}
	if account == "" || have["accounturi"] != account {
		return false
	}
	if until, ok := have["persistuntil"]; ok {
		seconds, err := strconv.ParseInt(until, 10, 64)
		if err != nil || f.at.Unix() > seconds {
			return false
		}
	}
	return strings.EqualFold(have["policy"], "wildcard") || !t.wildcard && !f.covering(t)
}

// persistValue is what a record of dns-persist-01 has to say where the order
// does not spell it out: this CA and the account; "" where either is not known.
func (f *facts) persistValue() string {
	if f.issuer() == "" || f.accountURI() == "" {
		return ""
	}
	return f.issuer() + "; accounturi=" + f.accountURI()
}

// covering reports whether a name of the order rests on the target without
// being its base.
func (f *facts) covering(t *target) bool {
	return slices.ContainsFunc(f.names, func(n nameFact) bool {
		return n.Text == t.subject && (n.Base != t.base || n.Wildcard)
	})
}

// dialect is how this CA reads issuer values.
func (f *facts) dialect() caa.Dialect {
	return caa.Dialect{PlainTags: f.profile.CAA.PlainTags, LastSemicolon: f.profile.CAA.LastSemicolon}
}

// matched reports whether the answer that counts at a place has the record.
func (f *facts) matched(t *target, s *sight) bool {
	return f.acceptsAny(t, s.records())
}

func (f *facts) acceptsAny(t *target, records []evidence.Record) bool {
	return slices.ContainsFunc(records, func(r evidence.Record) bool { return f.accepts(t, &r) })
}

// A split is how the servers of the zone at the end of the chain answer: with
// the record, without it, or not usably.
type split struct {
	with, without, failed []*evidence.DNSCopy
}

// split sorts what each server gave. A server of a zone on the way that does
// not lead to where the answer that counts does, is one without.
func (f *facts) split(t *target, s *sight) split {
	var sp split
	if s.state != answered {
		return sp
	}
	for i := range s.a.Links {
		l := &s.a.Links[i]
		last := i == len(s.a.Links)-1
		for j := range l.Copies {
			c := &l.Copies[j]
			switch {
			case refersDown(c, l):
				sp.without = append(sp.without, c)
			case failed(c):
				sp.failed = append(sp.failed, c)
			case c.Unknown != "":
			case last && f.acceptsAny(t, recordsAt(c.Answer, l.Owner, t.typ)):
				sp.with = append(sp.with, c)
			case last:
				sp.without = append(sp.without, c)
			case leadsTo(c, l.Owner) != s.a.Links[i+1].Owner:
				sp.without = append(sp.without, c)
			}
		}
	}
	return sp
}

// refersDown reports whether a server says that the name is in a zone delegated
// away, where others answer for it themselves.
func refersDown(c *evidence.DNSCopy, l *evidence.DNSLink) bool {
	return failed(c) && c.Status == "NOERROR" && slices.ContainsFunc(c.Authority, func(r evidence.Record) bool {
		return r.Type == "NS" && r.Owner != l.Zone && below(r.Owner, l.Zone) && below(l.Owner, r.Owner)
	})
}

// leadsTo is the name that a server leads on to from another one, by a CNAME or
// DNAME record; "" where it does not.
func leadsTo(c *evidence.DNSCopy, owner string) string {
	for i := range c.Answer {
		r := &c.Answer[i]
		switch {
		case r.Type == "CNAME" && r.Owner == owner:
			return hostOf(r.Data)
		case r.Type == "DNAME" && owner != r.Owner && below(owner, r.Owner):
			return strings.TrimSuffix(strings.TrimSuffix(owner, r.Owner)+hostOf(r.Data), ".")
		}
	}
	return ""
}

// missingHere is what the primary place saw of a target whose value is nowhere:
// every server asked lacks it, and so does every other place. ok is false where
// that is not so, or where it is not known yet.
func (f *facts) missingHere(t *target) (s *sight, ok bool) {
	if t.address || t.value == "" {
		return nil, false
	}
	s = f.here(t)
	if s.state != answered && s.state != endless || f.matched(t, s) || len(f.split(t, s).with) > 0 {
		return s, false
	}
	for i := range f.places[1:] {
		other := f.sightOf(t, &f.places[i+1])
		if other.state == unseen && f.wanted != nil || f.matched(t, other) {
			return s, false
		}
	}
	if !f.explained(t) {
		return s, true
	}
	return s, len(f.subnets(t, s)) == 0
}

// maxExplained bounds the records for whose absence explanations are looked for
// on the network: an order of a hundred names has one mistake, not a hundred.
const maxExplained = 10

// explained reports whether explanations are looked for.
func (f *facts) explained(t *target) bool {
	return slices.Index(f.targets(), t) < maxExplained
}
