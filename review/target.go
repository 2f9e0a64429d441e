package review

import (
	"crypto/sha256"
	"encoding/base32"
	"slices"
	"strings"

	"assay/evidence"
	"assay/name"
	"assay/order"
)

// A target is one record set that decides about a name of the order: the
// validation record, or the addresses a file or TLS method connects to.
type target struct {
	// subject is the name as the order writes it, base that name without "*.",
	// domain its registrable domain (base where it has none).
	subject, base, domain string
	wildcard              bool
	method                order.Method
	// owner and typ are V and the record type asked for.
	owner, typ string
	// value is T; empty where the order has none yet: then only whether
	// validation could work here is looked at (catalogue B31).
	value string
	// address is set for the addresses of the name (type A; AAAA goes with it).
	address bool
	// about identifies the target for precedence among findings.
	about  string
	sights map[string]*sight // by place
}

// ready reports whether there is no value to look for.
func (t *target) ready() bool { return t.value == "" && !t.address }

// liveFacts are what rules about the network compute once.
type liveFacts struct {
	targetList []*target
	targetsSet bool
	visitList  []*visit
	visitsSet  bool
	// lost is set where a challenge could not be turned into a target: then the
	// order is not decided.
	lost    bool
	caaSets map[string]*caaFact
	// handshakeList are the names that tls-alpn-01 validates.
	handshakeList []*handshake
	handshakesSet bool
	// readyList are the visits that would be made for names without a value.
	readyList []*visit
	readySet  bool
	// partners are the facts of names that come with others, by visit.
	partners map[string]*facts
	// elsewhere are these facts as other places see them, by id; rows what the
	// rules find there, by id and check.
	elsewhere map[string]*facts
	rows      map[string]*sink
	// compared are the checks as all places see them.
	compared    []*comparison
	comparedSet bool
}

// dnsMethods are the methods that look for a record.
var dnsMethods = []order.Method{
	order.MethodDNS, order.MethodDNSCNAME, order.MethodDNSAuto, order.MethodDNSProxy,
	order.MethodDNS01, order.MethodDNSAccount, order.MethodDNSPersist,
}

func isDNSMethod(m order.Method) bool { return slices.Contains(dnsMethods, m) }

// connectMethods are the methods that connect to an address of the name.
var connectMethods = []order.Method{
	order.MethodFile, order.MethodFileProxy, order.MethodHTTP01, order.MethodTLSALPN01,
}

func isConnectMethod(m order.Method) bool { return slices.Contains(connectMethods, m) }

// targets are the record sets that decide, each once.
func (f *facts) targets() []*target {
	if !f.targetsSet {
		f.targetsSet = true
		f.findTargets()
		for _, t := range f.targetList {
			f.followADN(t)
		}
	}
	return f.targetList
}

// findTargets goes from the challenges to the names: a challenge stands for its
// authorization domain name, which covers the names below it where the method
// allows pruning (BR 3.2.2.4, catalogue B14). Names that no challenge covers
// are looked at for readiness.
func (f *facts) findTargets() {
	for i := range f.Order.Challenges {
		if c := &f.Order.Challenges[i]; !f.settled(c) {
			f.addChallenge(c)
		}
	}
	for i := range f.names {
		n := &f.names[i]
		if n.same != i || !f.lookable(n) || f.challenged(n) {
			continue
		}
		f.addReadiness(n)
	}
}

// lookable reports whether there is anything to ask the DNS about a name: it is
// one that can be asked for, and for a public CA one that can exist.
func (f *facts) lookable(n *nameFact) bool {
	if n.isIP() || n.Base == "" || !n.hasHost() || f.profile.Public && !n.inRootZone() {
		return false
	}
	return !slices.ContainsFunc(n.Problems, func(p name.Problem) bool {
		switch p.Kind {
		case name.EmptyLabel, name.LabelTooLong, name.NameTooLong, name.Wildcard, name.Empty, name.IPNotation:
			return true
		case name.Character:
			return p.Rule != "underscore"
		}
		return false
	})
}

func (f *facts) addChallenge(c *order.Challenge) {
	method, n := f.challengeMethod(c), f.nameOf(c.Name)
	if n == nil {
		return
	}
	if !f.lookable(n) || n.Wildcard && isConnectMethod(method) {
		// An address is connected to without asking the DNS.
		f.lost = f.lost || !(n.isIP() && isConnectMethod(method) && f.connectable(n))
		return
	}
	t := f.newTarget(n, method)
	switch {
	case isDNSMethod(method):
		t.owner, t.typ, t.value = f.ownerOf(c, n.Base, method), recordType(c.Type, method), c.Value
		if t.method == order.MethodDNSPersist && t.value == "" {
			t.value = f.persistValue()
		}
		if t.owner == "" || !ownerFits(t.owner, n.Base, t.domain) {
			f.lost = true // methodNotAllowed says why, where it is the owner
			return
		}
		f.addTarget(t)
	case isConnectMethod(method):
		f.addAddress(t)
	}
}

// nameOf finds the name of the order that a challenge is for: the same, the
// same without "*.", else one of its own, shown as the first that lies below it.
// It is nil for a challenge that has nothing to do with the order.
func (f *facts) nameOf(text string) *nameFact {
	parsed := name.Parse(text)
	var base, below *nameFact
	for i := range f.names {
		n := &f.names[i]
		switch {
		case n.Clean == parsed.Clean:
			return n
		case base == nil && n.Base == parsed.Base && parsed.Base != "":
			base = n
		case below == nil && parsed.Base != "" && n.Below(parsed.Base):
			below = n
		}
	}
	if base != nil {
		return base
	}
	if below == nil {
		return nil
	}
	n := &nameFact{Name: parsed, set: f.Data}
	n.Text = below.Text
	return n
}

func (f *facts) newTarget(n *nameFact, method order.Method) *target {
	t := &target{subject: n.subject(), base: n.Base, domain: n.registrable(), wildcard: n.Wildcard, method: method}
	if t.domain == "" {
		t.domain = n.Base
	}
	return t
}

// addTarget adds a target unless one like it is there already.
func (f *facts) addTarget(t *target) {
	for _, o := range f.targetList {
		if o.owner == t.owner && o.typ == t.typ && o.value == t.value && o.address == t.address && o.method == t.method {
			return
		}
	}
	t.about = t.subject + "\x00" + t.owner + "\x00" + t.typ + "\x00" + t.value
	f.targetList = append(f.targetList, t)
}

func (f *facts) addAddress(t *target) {
	t.owner, t.typ, t.address = t.base, "A", true
	f.addTarget(t)
}

// challenged reports whether a name has a challenge, or lies below one whose
// method covers it, or needs none.
func (f *facts) challenged(n *nameFact) bool {
	if f.validated(n) {
		return true
	}
	for i := range f.Order.Challenges {
		if f.covers(&f.Order.Challenges[i], n) {
			return true
		}
	}
	return false
}

// withinDomain reports whether a name above n is not above its registrable
// domain (BR 3.2.2.4: pruning ends at the base domain name).
func (f *facts) withinDomain(above string, n *nameFact) bool {
	r := n.registrable()
	return r != "" && below(above, r)
}

// addReadiness adds what has to work for a name without a value: the owner
// names of the method, or of every DNS method on offer, and the addresses.
func (f *facts) addReadiness(n *nameFact) {
	methods := []order.Method{f.Order.Method}
	if f.Order.Method == "" {
		methods = methods[:0]
		for i := range f.profile.Methods {
			if m := &f.profile.Methods[i]; !f.ended(m) && shapeRule(m, n) == "" {
				methods = append(methods, m.Name)
			}
		}
	}
	for _, m := range methods {
		t := f.newTarget(n, m)
		switch {
		case isConnectMethod(m):
			t.method = f.Order.Method
			f.addAddress(t)
		case isDNSMethod(m):
			c := &order.Challenge{}
			if t.owner, t.typ = f.ownerOf(c, n.Base, m), recordType("", m); t.owner == "" {
				continue
			}
			if !slices.ContainsFunc(f.targetList, func(o *target) bool { return o.owner == t.owner && o.ready() }) {
				f.addTarget(t)
			}
		}
	}
}

// recordType is the type a method asks for, unless the challenge says so.
func recordType(given string, m order.Method) string {
	switch {
	case given != "" && m != order.MethodDNS01 && m != order.MethodDNSAccount && m != order.MethodDNSPersist:
		return strings.ToUpper(given)
	case m == order.MethodDNSCNAME, m == order.MethodDNSProxy:
		return "CNAME"
	}
	return "TXT"
}

// ownerOf is V: the owner name that the challenge gives, else the one of the
// method (BR 3.2.2.4.7, RFC 8555 8.4). It is "" where it cannot be known.
func (f *facts) ownerOf(c *order.Challenge, base string, m order.Method) string {
	if owner := strings.Trim(strings.ToLower(strings.TrimSpace(c.Owner)), "."); owner != "" {
		if owner == "@" {
			return base
		}
		if !strings.Contains(owner, ".") {
			owner += "." + base
		}
		return owner
	}
	switch m {
	case order.MethodDNS01:
		return "_acme-challenge." + base
	case order.MethodDNSAccount:
		uri := f.accountURI()
		if uri == "" {
			return ""
		}
		return accountLabel(uri) + "._acme-challenge." + base
	case order.MethodDNSPersist:
		return "_validation-persist." + base
	}
	return f.profile.DNS.Label + "." + base
}

// accountLabel is the label of dns-account-01: "_" and the first ten octets of
// the SHA-256 of the account's URL in base32, lower case.
func accountLabel(uri string) string {
	sum := sha256.Sum256([]byte(uri))
	return "_" + strings.ToLower(base32.StdEncoding.EncodeToString(sum[:10]))
}

// accountURI is the ordering account's URI, "" where none is known.
func (f *facts) accountURI() string {
	switch a := f.Order.Account; {
	case a == "":
		return ""
	case strings.Contains(a, "://"), strings.HasPrefix(a, "acct:"):
		return a
	case f.profile.CAA.AccountURI == "":
		return ""
	default:
		return strings.ReplaceAll(f.profile.CAA.AccountURI, "{account}", a)
	}
}

// ownerFits reports whether a record at an owner name may validate a name: it
// is the name, or one above it within its registrable domain, alone or with
// labels before it that begin with "_" (BR 3.2.2.4.7).
func ownerFits(owner, base, domain string) bool {
	adn := owner
	for strings.HasPrefix(adn, "_") {
		_, rest, ok := strings.Cut(adn, ".")
		if !ok {
			return false
		}
		adn = rest
	}
	return below(base, adn) && below(adn, domain)
}

// below reports whether a name equals another or lies below it.
func below(n, above string) bool {
	rest, ok := strings.CutSuffix(n, above)
	return ok && (rest == "" || above == "" || strings.HasSuffix(rest, "."))
}

// parentOf is the name without its first label, "" above a top-level domain.
func parentOf(n string) string {
	_, parent, _ := strings.Cut(n, ".")
	return parent
}

// eachTarget runs a rule for every target.
func eachTarget(rule func(*facts, *sink, *target)) func(*facts, *sink) {
	return func(f *facts, s *sink) {
		for _, t := range f.targets() {
			rule(f, s, t)
		}
	}
}

// question is the question that decides about a target.
func (t *target) question(typ string) evidence.DNSQuestion {
	return evidence.DNSQuestion{Name: t.owner, Type: typ, Each: !t.address}
}
