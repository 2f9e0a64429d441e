package review

import (
	"slices"
	"strings"

	"assay/cause"
	"assay/evidence"
)

// serverRules are about what the zone's own servers do with the questions.
var serverRules = []rule{
	{causes: []cause.ID{cause.DNSServersDisagree}, needs: needLook | needNames, run: eachTarget(serversDisagree)},
	{causes: []cause.ID{cause.DNSProtocolDefect}, needs: needLook | needNames, run: eachTarget(protocolDefect)},
	{causes: []cause.ID{cause.DNSEmptyNonterminalDenied}, needs: needLook | needNames, run: eachTarget(nonterminalDenied)},
}

// serverError: the zone is alive, but every server answers this question with
// an error.
func serverError(f *facts, s *sink, t *target, z *sight, l *evidence.DNSLink) {
	if !s.once(cause.DNSServerError, t.subject, l.Owner) {
		return
	}
	rcode, extended := commonStatus(l)
	s.addTarget(cause.DNSServerError, t).with("owner", l.Owner).with("zone", l.Zone).with("type", z.typ).
		with("servers", serverNames(l)).with("rcode", rcode).with("extended", extended).
		seenBy(z).reproduce(append(digAll(l, l.Owner, z.typ), dig(firstServer(l), l.Owner, z.typ, "+norec", "+cd"))...)
}

func firstServer(l *evidence.DNSLink) string {
	if names := serverNames(l); len(names) > 0 {
		return names[0]
	}
	return ""
}

// commonStatus is what most servers did, and the extended errors they gave.
func commonStatus(l *evidence.DNSLink) (status string, extended []string) {
	count := map[string]int{}
	for i := range l.Copies {
		c := &l.Copies[i]
		if c.Unknown != "" {
			continue
		}
		word := statusOf(c)
		if count[word]++; count[word] > count[status] || count[word] == count[status] && word < status {
			status = word
		}
		for _, e := range c.Extended {
			if !slices.Contains(extended, e) {
				extended = append(extended, e)
			}
		}
	}
	return status, shown(extended)
}

// serversDisagree: seen from one place, some servers have the record and some
// do not.
func serversDisagree(f *facts, s *sink, t *target) {
	if t.ready() || t.address {
		return
	}
	z := f.here(t)
	sp := f.split(t, z)
	if len(sp.with) == 0 || len(sp.without) == 0 {
		return
	}
	var conditions []string
	if !f.matched(t, z) || f.outvoted(checkValidation, t.subject) {
		conditions = []string{"hit"}
	}
	l := z.last()
	if fork, on, off := forkOf(z); fork != nil {
		l, sp.with, sp.without = fork, on, off
	}
	s.addTarget(cause.DNSServersDisagree, t, conditions...).
		with("owner", t.owner).with("zone", l.Zone).with("type", t.typ).with("expected", shorten(t.value)).
		with("servers_with", namesOf(sp.with)).with("servers_without", namesOf(sp.without)).
		with("answers", answersOf(l, t.typ)).with("serials", f.serials(z)).
		seenBy(z).reproduce(digAll(l, l.Owner, t.typ)...)
}

// forkOf is the first zone on the way whose servers do not all lead on to where
// the answer that counts comes from; nil where there is none.
func forkOf(z *sight) (l *evidence.DNSLink, on, off []*evidence.DNSCopy) {
	for i := range z.a.Links[:len(z.a.Links)-1] {
		l, on, off = &z.a.Links[i], nil, nil
		for j := range l.Copies {
			switch c := &l.Copies[j]; {
			case !usable(c):
			case leadsTo(c, l.Owner) == z.a.Links[i+1].Owner:
				on = append(on, c)
			default:
				off = append(off, c)
			}
		}
		if len(off) > 0 {
			return l, on, off
		}
	}
	return nil, nil, nil
}

func namesOf(copies []*evidence.DNSCopy) []string {
	var names []string
	for _, c := range copies {
		names = append(names, copyName(c))
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// answersOf is a line for each server and address: what it answers.
func answersOf(l *evidence.DNSLink, typ string) []string {
	var rows []string
	for i := range l.Copies {
		if c := &l.Copies[i]; c.Unknown == "" {
			answer := answerOf(c, l.Owner, typ)
			if refersDown(c, l) {
				answer = "NS " + c.Authority[0].Owner
			}
			rows = append(rows, at(c)+": "+answer)
		}
	}
	return rows
}

func answerOf(c *evidence.DNSCopy, owner, typ string) string {
	if !usable(c) {
		return statusOf(c)
	}
	if values := valuesOf(recordsAt(c.Answer, owner, typ)); len(values) > 0 {
		return strings.Join(shown(values), " ")
	}
	if values := valuesOf(recordsAt(c.Answer, owner, "CNAME")); len(values) > 0 {
		return "CNAME " + shorten(values[0])
	}
	if c.Status == "NOERROR" {
		return "NODATA"
	}
	return c.Status
}

// serials are the serial numbers of the zone that an answer comes from, one for
// each server: what tells a copy that lags from one that was changed.
func (f *facts) serials(z *sight) []string {
	soa := f.apex(z.last(), "SOA")
	if soa.state != answered {
		return nil
	}
	var rows []string
	for _, c := range copiesOf(soa) {
		for _, r := range recordsAt(c.Answer, soa.asked(), "SOA") {
			if fields := strings.Fields(r.Data); len(fields) == 7 && usable(&c) {
				rows = append(rows, copyName(&c)+": "+fields[2])
			}
		}
	}
	slices.Sort(rows)
	return slices.Compact(rows)
}

// protocolFault is what every server without a usable answer mishandles, ""
// where one fails in another way.
func protocolFault(l *evidence.DNSLink) string {
	if l == nil {
		return ""
	}
	defect := ""
	for i := range l.Copies {
		c := &l.Copies[i]
		if c.Unknown != "" {
			continue
		}
		word := defectOf(c)
		if word == "" {
			return ""
		}
		if defect == "" {
			defect = word
		}
	}
	return defect
}

// defectOf is what a server mishandles, a word of the texts' phrases.
func defectOf(c *evidence.DNSCopy) string {
	for _, d := range c.Defects {
		switch d {
		case "case", "edns", "tcp":
			return d
		}
	}
	if c.Truncated {
		return "tcp"
	}
	return ""
}

// protocolDefect: a server answers only when asked in a simpler way than CAs
// ask. Condition none: there is no usable answer at all.
func protocolDefect(f *facts, s *sink, t *target) {
	z := f.here(t)
	if z.a == nil {
		return
	}
	for i := range z.a.Links {
		l := &z.a.Links[i]
		var servers []string
		problem := ""
		for j := range l.Copies {
			if word := defectOf(&l.Copies[j]); word != "" && (problem == "" || word == problem) {
				problem = word
				servers = append(servers, copyName(&l.Copies[j]))
			}
		}
		if problem == "" || z.state == unanswered && i == len(z.a.Links)-1 && protocolFault(l) == "" ||
			!s.once(cause.DNSProtocolDefect, t.subject, l.Zone, problem) {
			continue
		}
		var conditions []string
		if z.state == unanswered {
			conditions = []string{"none"}
		}
		slices.Sort(servers)
		s.addTarget(cause.DNSProtocolDefect, t, conditions...).with("owner", l.Owner).with("zone", l.Zone).
			with("type", z.typ).with("servers", slices.Compact(servers)).with("problem", problem).
			seenBy(z).reproduce(simplerQuestions(l, z.typ, problem)...)
	}
}

// simplerQuestions is the pair of questions that shows the defect.
func simplerQuestions(l *evidence.DNSLink, typ, problem string) []string {
	server := firstServer(l)
	switch problem {
	case "edns":
		return []string{dig(server, l.Owner, typ, "+norec", "+edns=0"), dig(server, l.Owner, typ, "+norec", "+noedns")}
	case "tcp":
		return []string{dig(server, l.Owner, typ, "+norec", "+ignore"), dig(server, l.Owner, typ, "+norec", "+tcp")}
	}
	plain := dig(server, l.Owner, typ)
	if plain == "" {
		return nil
	}
	return []string{plain, strings.Replace(plain, l.Owner, alternate(l.Owner), 1)}
}

// alternate writes every second letter in upper case.
func alternate(n string) string {
	b := []byte(n)
	for i := 0; i < len(b); i += 2 {
		if 'a' <= b[i] && b[i] <= 'z' {
			b[i] -= 'a' - 'A'
		}
	}
	return string(b)
}

// nonterminalDenied: a server denies a name above V that it has records below
// of. The names above are asked about for CAA anyway.
func nonterminalDenied(f *facts, s *sink, t *target) {
	z := f.here(t)
	l := z.first()
	if t.address || z.state != answered || l == nil || z.a.Status == "NXDOMAIN" && len(z.chain()) == 1 || len(z.a.Answer) == 0 {
		return
	}
	for n := parentOf(t.owner); n != l.Zone && below(n, l.Zone); n = parentOf(n) {
		above := f.resolve(f.primary(), caaQuestion(n, t.domain))
		link := above.first()
		if link == nil || link.Zone != l.Zone {
			continue
		}
		var servers []string
		for i := range link.Copies {
			c := &link.Copies[i]
			if usable(c) && c.Status == "NXDOMAIN" && len(c.Answer) == 0 && holdsData(l, c.Address) {
				servers = append(servers, copyName(c))
			}
		}
		if len(servers) == 0 || !s.once(cause.DNSEmptyNonterminalDenied, n) {
			continue
		}
		slices.Sort(servers)
		s.addTarget(cause.DNSEmptyNonterminalDenied, t).with("owner", t.owner).with("zone", l.Zone).with("type", z.typ).
			with("denied", n).with("servers", slices.Compact(servers)).
			seenBy(z, above).reproduce(digOne(l, n, "A"), digOne(l, t.owner, z.typ))
		return
	}
}

// holdsData reports whether the server at an address has records at the name of
// a link.
func holdsData(l *evidence.DNSLink, address string) bool {
	return slices.ContainsFunc(l.Copies, func(c evidence.DNSCopy) bool {
		return c.Address == address && usable(&c) && len(c.Answer) > 0
	})
}
