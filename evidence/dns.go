package evidence

import "slices"

// DNSQuestion is one DNS question put from a perspective. How it is put follows
// from the fields set:
//
//   - neither Server, Address nor Resolver: resolved from the root and
//     validated (RFC 4035); the first authoritative server that answers decides.
//     With Each, every server that the parent delegates the zone to is asked at
//     the same time, and so on along the CNAME chain. Where a place was given a
//     resolver, that is asked instead, unless Each is set and servers can be
//     reached: links without Servers tell such an answer.
//   - Server or Address: put to that one server, without recursion.
//   - Resolver: put to that recursive resolver.
type DNSQuestion struct {
	Name string `json:"name"` // lower case, no trailing dot; "" is the root
	Type string `json:"type"` // "TXT", "CAA", "A", …
	// Each asks every authoritative server, at each of its addresses.
	Each bool `json:"each,omitempty"`
	// Apex puts the question at the apex of the zone that Name is in, wherever
	// that is: the zone's own NS set or SOA, in the round that finds the zone.
	Apex bool `json:"apex,omitempty"`
	// Random puts the question at a label below Name that nobody has created:
	// 16 characters of [a-z0-9], new each time, reported in DNSAnswer.Asked.
	Random bool `json:"random,omitempty"`
	// Server and Address are the name and the IP address of the server to ask.
	// With Server alone its addresses are looked up and each is asked.
	Server  string `json:"server,omitempty"`
	Address string `json:"address,omitempty"`
	// Resolver is a recursive resolver: an address with port, or a DNS-over-HTTPS
	// URL. It is asked with CD=1 and validated here.
	Resolver string `json:"resolver,omitempty"`
	// Transport is "udp" (default, falling back to TCP on truncation) or "tcp".
	Transport string `json:"transport,omitempty"`
	// Subnet adds an EDNS client subnet (RFC 7871) in CIDR notation; Plain
	// leaves EDNS out.
	Subnet string `json:"subnet,omitempty"`
	Plain  bool   `json:"plain,omitempty"`
}

// DNSAnswer is what came back for one DNS question.
type DNSAnswer struct {
	// Status is the response code that counts ("NOERROR", "NXDOMAIN", …), or
	// why there is none. Of one server that is what happened instead of a
	// response, see [DNSCopy]; of a resolved question it is "unanswered" (no
	// server of a zone gave a usable answer: its link says what each did),
	// "chain-loop" or "chain-too-long" (the CNAME chain), "bogus" (not
	// validated, Security says whether bogus or indeterminate: what servers gave
	// is in the links, and counts for nothing).
	Status string `json:"status"`
	// The header bits of the response of a single server or resolver.
	Authoritative     bool `json:"aa,omitempty"`
	Truncated         bool `json:"tc,omitempty"`
	AuthenticatedData bool `json:"ad,omitempty"`
	// Extended are the extended DNS errors (RFC 8914) as "code: text".
	Extended []string `json:"ede,omitempty"`
	// Answer and Authority are the sections that count, each sorted, with the
	// signatures and denial records of DNSSEC. For a resolved question Answer
	// holds the chain and the records at its end.
	Answer    []Record `json:"answer,omitempty"`
	Authority []Record `json:"authority,omitempty"`
	// Additional is kept for the answer of a single server.
	Additional []Record `json:"additional,omitempty"`
	// Transport is what carried the answer of a single server: "udp", "tcp" or "https".
	Transport string `json:"transport,omitempty"`
	// Bytes is the size of that response message.
	Bytes int `json:"bytes,omitempty"`
	// Asked is the name that a Random or Apex question was put at.
	Asked string `json:"asked,omitempty"`
	// Security is the DNSSEC state of a resolved answer, the weakest of its
	// links: see [DNSLink]. Empty where nothing was validated.
	Security string `json:"security,omitempty"`
	// Links are the steps of a resolved answer: the name asked, then the target
	// of each CNAME or DNAME.
	Links []DNSLink `json:"links,omitempty"`
	// Copies are the answers at each address of a server asked by name.
	Copies []DNSCopy `json:"copies,omitempty"`
}

// DNSLink is one owner name of a resolved answer and the zone that answers for it.
type DNSLink struct {
	Owner string `json:"owner"`
	// Via is what led here from the link before: "CNAME" or "DNAME".
	Via string `json:"via,omitempty"`
	// Zone is the deepest zone that delegations led to, Parent the zone whose
	// servers delegated it.
	Zone   string `json:"zone"`
	Parent string `json:"parent,omitempty"`
	// Servers are those that the parent delegates the zone to, sorted by name.
	Servers []DNSServer `json:"servers,omitempty"`
	// DelegationTTL is the TTL in seconds of the delegation at the parent, DSTTL
	// that of the DS records or of the proof that there are none.
	DelegationTTL int `json:"delegation_ttl,omitempty"`
	DSTTL         int `json:"ds_ttl,omitempty"`
	// Trust says how the zone hangs on the trust anchor: "signed" (a chain of DS
	// records leads to it), "unsigned" (the absence of a DS is proven on the
	// way), "bogus", "indeterminate" (what decides could not be had).
	Trust string `json:"trust,omitempty"`
	// Security is the state of the answer at this link: "secure", "insecure",
	// "bogus", "indeterminate" (RFC 4035 4.3).
	Security string `json:"security,omitempty"`
	// Reason says why it is bogus or indeterminate, one of the Reason words.
	Reason string `json:"reason,omitempty"`
	// FaultZone is the zone where the chain of trust breaks, where it is not Zone.
	FaultZone string `json:"fault_zone,omitempty"`
	// KeyTag, ValidFrom and ValidUntil are those of the signature or DS at
	// fault; times as RFC 3339, UTC.
	KeyTag     int    `json:"key_tag,omitempty"`
	ValidFrom  string `json:"valid_from,omitempty"`
	ValidUntil string `json:"valid_until,omitempty"`
	// Decided is the address of the server whose answer decided.
	Decided string `json:"decided,omitempty"`
	// Copies are the answers of the servers that were asked, sorted by server
	// and address: with Each all of them, else those tried until one decided.
	Copies []DNSCopy `json:"copies,omitempty"`
}

// The reasons why an answer is bogus or indeterminate.
const (
	ReasonExpired      = "signature-expired"
	ReasonNotYetValid  = "signature-not-yet-valid"
	ReasonNoSignature  = "signature-missing"
	ReasonBadSignature = "signature-invalid"
	ReasonNoKey        = "no-matching-key"
	ReasonNoDenial     = "denial-unproven"
	ReasonKeysMissing  = "keys-unavailable" // the zone's DNSKEY set, or a DS set, could not be had
	ReasonTooMuchWork  = "too-much-work"    // more signatures or hashes than are computed (KeyTrap, NSEC3)
)

// DNSServer is a name server of a delegation with its addresses.
type DNSServer struct {
	Name      string   `json:"name"`
	Addresses []string `json:"addresses,omitempty"`
	// Problem says why there is no address: a Status word of the look-up.
	Problem string `json:"problem,omitempty"`
}

// DNSCopy is what one server at one address gave.
type DNSCopy struct {
	Server  string `json:"server,omitempty"`
	Address string `json:"address"`
	// Status is the response code, or what happened instead of a response:
	// "timeout", "refused-connection", "unreachable", "reset", "garbled" (not a
	// DNS message, or not the answer to what was asked), "guard" (an address that
	// is never dialled), "wrong-certificate" (of a DNS-over-HTTPS resolver),
	// "not-asked" (see Unknown).
	Status string `json:"status"`
	// Unknown says why the server was not asked for a reason that lies with us:
	// "no-ipv6", "no-ipv4", "no-udp", "no-tcp" (the self-test found it missing), "budget".
	Unknown       string `json:"unknown,omitempty"`
	Authoritative bool   `json:"aa,omitempty"`
	Truncated     bool   `json:"tc,omitempty"`
	// Answer and Authority are the sections, sorted, without DNSSEC records.
	Answer    []Record `json:"answer,omitempty"`
	Authority []Record `json:"authority,omitempty"`
	Extended  []string `json:"ede,omitempty"`
	Transport string   `json:"transport,omitempty"`
	// Defects are what the server mishandled until a simpler question worked:
	// "case" (the case of the name), "edns", "tcp" (cut short, no TCP).
	Defects []string `json:"defects,omitempty"`
	// Tries is how often it was asked; Millis how long the last try took.
	Tries  int     `json:"tries,omitempty"`
	Millis float64 `json:"ms,omitempty"`
}

// Usable reports whether the server answered as an authority for the zone:
// NOERROR or NXDOMAIN with AA.
func (c *DNSCopy) Usable() bool {
	return c.Authoritative && (c.Status == "NOERROR" || c.Status == "NXDOMAIN")
}

// Record is one resource record in presentation form.
type Record struct {
	Owner string `json:"owner"` // lower case, no trailing dot
	Type  string `json:"type"`
	TTL   int    `json:"ttl"`  // seconds; not part of the observation's id
	Data  string `json:"data"` // presentation form of the RDATA
}

// fact leaves out what flickers: TTLs, durations, the random name (written "?"
// where it owns a record), and which of several equal servers was the fastest.
func (a *DNSAnswer) fact() *DNSAnswer {
	c := *a
	random := ""
	if a.Asked != "" {
		random, c.Asked = a.Asked, "?"
	}
	c.Answer, c.Authority, c.Additional = still(a.Answer, random), still(a.Authority, random), still(a.Additional, random)
	c.Copies = stillCopies(a.Copies, random)
	c.Links = slices.Clone(a.Links)
	for i := range c.Links {
		l := &c.Links[i]
		if random != "" && l.Owner == random {
			l.Owner = "?"
		}
		l.DelegationTTL, l.DSTTL, l.Decided = 0, 0, ""
		l.Copies = stillCopies(l.Copies, random)
	}
	return &c
}

func stillCopies(copies []DNSCopy, random string) []DNSCopy {
	c := slices.Clone(copies)
	for i := range c {
		c[i].Tries, c[i].Millis = 0, 0
		c[i].Answer, c[i].Authority = still(c[i].Answer, random), still(c[i].Authority, random)
	}
	return c
}

func still(records []Record, random string) []Record {
	c := slices.Clone(records)
	for i := range c {
		c[i].TTL = 0
		if random != "" && c[i].Owner == random {
			c[i].Owner = "?"
		}
	}
	return c
}
