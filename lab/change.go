package lab

import (
	"time"

	"assay/evidence"
)

// A Change is what differs from the healthy world: an overlay, read from the
// world: table of a scenario. What it does not mention stays. The healthy world:
//
//	.            NS root; signed
//	net.         NS tld; signed; delegates orchard.net without DS
//	orchard.net. served by ns1 and ns2, unsigned:
//	             @ 3600 SOA ns1 hostmaster 7 7200 3600 1209600 300
//	             @ 3600 NS ns1
//	             @ 3600 NS ns2
//	             ns1 3600 A 45.155.10.11
//	             ns2 3600 A 45.155.10.12
//	             @ 600 A 45.155.10.21
//	             www 600 A 45.155.10.21
//	             _dnsauth 600 TXT "$VALUE"
//	w1           a web server, the validation file on ports 80 and 443
//	P0 … P5      places that resolve from the root themselves
//
// Servers and sites are called by short names. A short name without a dot is a
// host of orchard.net, so "ns3" has the host name ns3.orchard.net. These have
// fixed addresses; any other server gets one from 45.155.40.0/22, in the order
// of the names:
//
//	root     45.155.10.1   serves the root
//	tld      45.155.10.2   serves net. and every other top-level zone
//	ns1…ns9  45.155.10.11 … 45.155.10.19
//	w1…w9    45.155.10.21 … 45.155.10.29  web servers
//	r1…r9    45.155.53.1  … 45.155.53.9   recursive resolvers
//
// Perspectives are P0 (primary) to P5. P0 and P1 are home, P2 to P5 abroad;
// where a perspective is named, "home", "abroad" and "all" are also
// understood.
//
// In every text of a change, $VALUE stands for [Value], the value that the
// order asks to be published; $SPKI_NEW, $SPKI_OLD, $SPKI_CA and $CERT_NEW in
// zones are digests of the certificates of [Deployed].
type Change struct {
	// Zones changes the content of zones, by name without final dot ("" or "."
	// is the root). A zone that the healthy world lacks is a new one.
	Zones map[string]ZoneChange `json:"zones"`
	// Delegation changes what the parent says of a zone, by the zone's name.
	Delegation map[string]Delegation `json:"delegation"`
	// Servers changes name servers, by short name, or adds them. A server that a
	// zone names need not be listed here.
	Servers map[string]ServerChange `json:"servers"`
	// Sites changes web servers, by short name, or adds them.
	Sites map[string]SiteChange `json:"sites"`
	// Resolvers adds caching recursive resolvers, by short name.
	Resolvers map[string]Resolver `json:"resolvers"`
	// Perspectives changes the places looked from, by id or group. Wider groups
	// are applied first: all, then home and abroad, then one id.
	Perspectives map[string]PerspectiveChange `json:"perspectives"`
	// Places are the ids of the perspectives there are, P0 first; default P0 to P5.
	Places Strings `json:"places"`
}

// A ZoneChange is what differs in a zone. A new zone starts with a SOA record
// (MINIMUM 300), the NS records of its servers and their addresses, where these
// lie in the zone.
type ZoneChange struct {
	ZoneCopy
	// Servers are the short names of the servers that serve the zone and are in
	// its NS set; default for a new zone: one server "ns1.<zone>".
	// Of a zone that the healthy world has, Servers replaces the servers.
	Servers Strings `json:"servers"`
	// Hidden are servers that serve the zone too but are not in its NS set.
	Hidden Strings `json:"hidden"`
	// Delegated is false where the parent does not delegate the zone.
	Delegated *bool `json:"delegated"`
	// On is what differs further in one server's own copy, by short name.
	On map[string]ZoneCopy `json:"on"`
}

// A ZoneCopy is what differs in a copy of a zone. Remove comes first, then Add.
type ZoneCopy struct {
	// Remove lists record sets as "owner type": the owner relative to the zone
	// ("@" is the apex) or absolute with a final dot, and a type or * for all of
	// the owner's: "_dnsauth TXT", "www *". The text "all" empties the zone.
	Remove Strings `json:"remove"`
	// Add lists lines of a zone file (RFC 1035 5), owners relative to the zone,
	// TTL 600 where none is given: `_dnsauth TXT "$VALUE"`, `sub NS ns4`.
	// $GENERATE is understood.
	Add Strings `json:"add"`
	// Serial replaces the serial of the SOA record; the healthy one is 7.
	Serial int `json:"serial"`
	// Minimum replaces the MINIMUM field of the SOA record and its TTL: how long
	// denials are kept (RFC 2308). The healthy one is 300 s.
	Minimum int `json:"minimum"`
	// TTL replaces the TTL of every record, in seconds.
	TTL int `json:"ttl"`
	// Sign signs the zone. The root and net. are signed in the healthy world,
	// orchard.net is not.
	Sign *Signing `json:"sign"`
}

// Signing is how a zone is signed: by default correctly, with a key-signing and
// a zone-signing key of algorithm 13, NSEC, from a week before the world's clock
// to three weeks after it, and with its DS at the parent.
//
// Record sets are selected as in ZoneCopy.Remove; "all" selects every one,
// "denial" the NSEC or NSEC3 sets.
type Signing struct {
	// Algorithm is the DNSSEC algorithm number: 8 (RSA/SHA-256), 13 (P-256), 14
	// (P-384), 15 (Ed25519); default 13. With another number the keys and
	// signatures carry it, and no validator can check them.
	Algorithm int `json:"algorithm"`
	// NSEC3 denies with NSEC3 instead of NSEC.
	NSEC3 *NSEC3 `json:"nsec3"`
	// DS is "present" (default), "absent" (the zone is an island: signed, not
	// trusted), "wrong" (of another key), "unsupported" (of algorithm 251 only).
	DS string `json:"ds"`
	// Expired sets have signatures that ended a day ago, NotYet sets such as
	// begin in a day, Unsigned sets none, Corrupt sets wrong ones.
	Expired  Strings `json:"expired"`
	NotYet   Strings `json:"not_yet"`
	Unsigned Strings `json:"unsigned"`
	Corrupt  Strings `json:"corrupt"`
	// NoDenial leaves NSEC and NSEC3 records out of answers.
	NoDenial bool `json:"no_denial"`
	// KeyTrap gives the zone many keys of one key tag and every set as many
	// signatures, none of them right (CVE-2023-50387).
	KeyTrap int `json:"key_trap"`
	// Off leaves a zone unsigned that the healthy world signs.
	Off bool `json:"off"`
}

// NSEC3 are the parameters of hashed denial (RFC 5155).
type NSEC3 struct {
	Iterations int    `json:"iterations"`
	Salt       string `json:"salt"` // hexadecimal
	OptOut     bool   `json:"opt_out"`
}

// A Delegation is what the parent says of a zone.
type Delegation struct {
	// NS are the short names of the servers that the parent names, instead of
	// those the zone names itself.
	NS Strings `json:"ns"`
	// Glue replaces the addresses that the parent gives for servers, by short
	// name; an empty list leaves the server without any.
	Glue map[string]Strings `json:"glue"`
	// Absent is set where the parent knows nothing of the zone: NXDOMAIN.
	Absent bool `json:"absent"`
	// TTL of the NS set in seconds; default 86400.
	TTL int `json:"ttl"`
}

// A ServerChange is what differs in a name server.
type ServerChange struct {
	// Address is its addresses, of either family.
	Address Strings `json:"address"`
	// Zones are zones that it serves besides those whose change names it, each a
	// copy of the zone as it is elsewhere.
	Zones Strings `json:"zones"`
	// Faults are what it does wrong. Of those that match a question the first
	// one counts.
	Faults []Fault `json:"faults"`
	// Views answer some clients from other zone contents. The first that matches
	// counts.
	Views []View `json:"views"`
	// Closed lists networks ("udp", "tcp") on which nothing listens: the
	// connection is refused.
	Closed Strings `json:"closed"`
	// Absent is set where nothing is at its addresses: unreachable.
	Absent bool `json:"absent"`
	// Recursive answers what it is no authority for from the root, as a server
	// that is both does.
	Recursive bool `json:"recursive"`
}

// A View is what some clients see of zones.
type View struct {
	// From are perspectives (by source address); Subnet are networks of the EDNS
	// client subnet option (RFC 7871). The view is for either.
	From   Strings `json:"from"`
	Subnet Strings `json:"subnet"`
	// Zones differ from the server's own copies, by zone name.
	Zones map[string]ZoneCopy `json:"zones"`
}

// A Fault is something that a server does wrong with some questions: those that
// every field given of Type, Name, Below, Network, From, EDNS, DNSSEC and
// MixedCase matches.
type Fault struct {
	Type Strings `json:"type"`
	// Name is the name asked, Below a name that it is at or under; no final dot.
	Name  Strings `json:"name"`
	Below Strings `json:"below"`
	// Network is "udp" or "tcp".
	Network string `json:"network"`
	// From are perspectives.
	From Strings `json:"from"`
	// EDNS, DNSSEC and MixedCase are whether the question has an OPT record, the
	// DO bit, an upper-case letter in its name.
	EDNS      *bool `json:"edns"`
	DNSSEC    *bool `json:"dnssec"`
	MixedCase *bool `json:"mixed_case"`
	// First is how many matching questions are treated so, 0: all; Every treats
	// each n-th only (2: the second, fourth, …), so that answers alternate.
	First int `json:"first"`
	Every int `json:"every"`

	// Do is what happens:
	//
	//	drop                  no answer
	//	servfail refused formerr notimp nxdomain nodata
	//	                      that response, nothing in it; nxdomain and nodata with AA and the SOA,
	//	                      formerr and notimp without OPT
	//	truncate              TC=1 and nothing else, on UDP
	//	lowercase             the right answer with the question in lower case
	//	not-authoritative     the right answer with AA=0
	//	lame                  a referral to the root, AA=0
	//	no-edns               the right answer without OPT and without DNSSEC records
	//	no-signatures         the right answer without RRSIG records
	//	garbage               bytes that are no DNS message: Bytes of them, default 64
	//	bloat                 the right answer with additional records up to Bytes, default 65000
	//	wrong-id              the right answer with another message id
	//	wrong-question        the right answer to another question
	//	spoof                 a forged answer with a wrong id first (made of Answer), then the right one
	//	answer                the records of Answer, AA=1, whatever the zone says
	//	reset                 the connection is reset, on TCP; on UDP as drop
	//
	// Empty: the right answer, after Delay.
	Do string `json:"do"`
	// Delay before answering.
	Delay time.Duration `json:"delay"`
	// Answer are lines of a zone file; "@" is the name asked.
	Answer Strings `json:"answer"`
	// Extended is an extended DNS error to add (RFC 8914), "22: no reachable authority".
	Extended string `json:"ede"`
	Bytes    int    `json:"bytes"`
}

// A SiteChange is what differs in a web server. Where it has no files and does
// nothing on a port, connections are refused.
type SiteChange struct {
	WebChange
	Address Strings `json:"address"`
	// HTTP and HTTPS are contents by path, instead of the healthy ones.
	HTTP  map[string]string `json:"http"`
	HTTPS map[string]string `json:"https"`
	// Absent is set where nothing is at its addresses.
	Absent bool `json:"absent"`
}

// A Resolver is a caching recursive resolver. What is not in its cache it
// resolves from the root of the world; it validates nothing.
type Resolver struct {
	// Address is its addresses; DNS over HTTPS is served there on port 443, path
	// /dns-query, too.
	Address Strings `json:"address"`
	// As is the perspective whose source address it asks from, so that views and
	// faults apply; default: an address that is no perspective's.
	As string `json:"as"`
	// Primed is what is in its cache when the world starts. TTLs count down with
	// the world's clock, and what has run out is asked anew.
	Primed []Cached `json:"primed"`
	// Rewrites are lines of a zone file with owner "@" that it gives for every
	// NXDOMAIN and NODATA of their type: `@ 60 A 198.18.0.9`, `@ TXT "ad"`.
	Rewrites Strings `json:"rewrites"`
	// Faults are what it does wrong.
	Faults []Fault `json:"faults"`
	// Absent is set where it does not run.
	Absent bool `json:"absent"`
}

// A Cached is one entry of a resolver's cache.
type Cached struct {
	// Question is "name type", as "_dnsauth.orchard.net TXT". An entry of type NS
	// is also the delegation that the resolver follows for names below it.
	Question string `json:"question"`
	// Answer are lines of a zone file with absolute owners, "@" for the name
	// asked: `@ 600 TXT "old"`. Server names are absolute.
	Answer Strings `json:"answer"`
	// Status is NOERROR (default) or NXDOMAIN.
	Status string `json:"status"`
	// Authority are lines like Answer: for a denial the SOA of the zone, whose
	// TTL counts: `orchard.net. 1800 SOA ns1.orchard.net. h.orchard.net. 7 7200 3600 1209600 1800`.
	Authority Strings `json:"authority"`
	// Age is for how long it has been in the cache when the world starts.
	Age time.Duration `json:"age"`
}

// A PerspectiveChange is what differs at a perspective.
type PerspectiveChange struct {
	// Resolver is the short name of the resolver that decides there; Public are
	// those that only explain. Default none: it resolves from the root.
	Resolver string  `json:"resolver"`
	Public   Strings `json:"public"`
	// HTTPS asks these resolvers by DNS over HTTPS.
	HTTPS bool `json:"https"`
	// Region is the RIR region of its network: ARIN, RIPE, APNIC, LACNIC,
	// AFRINIC. The healthy ones are P0 APNIC, P1 APNIC, P2 RIPE, P3 ARIN, P4
	// LACNIC, P5 AFRINIC.
	Region string `json:"region"`
	// Location is where it is, in degrees. P0 to P11 are in cities that are more
	// than 500 km apart.
	Location *evidence.Location `json:"location"`
	// Own are the addresses of the machine that looks.
	Own Strings `json:"own"`
	// Delay is the round-trip time of its link to every server.
	Delay time.Duration `json:"delay"`
	// Routes lead what it sends to one server or site to another, by short name:
	// {w1: w2}.
	Routes map[string]string `json:"routes"`
	// Lacks are networks it does not have: "ipv4", "ipv6", "udp", "tcp".
	Lacks Strings `json:"lacks"`
	// Stopped is set where nobody looks from it: it does not answer.
	Stopped bool `json:"stopped"`
}

// Strings is a list of texts that may also be written as one text.
type Strings []string

// ReadNode reads one text or a list; see package strict.
func (s *Strings) ReadNode(isScalar bool, read func(into any)) {
	if isScalar {
		var one string
		read(&one)
		*s = Strings{one}
		return
	}
	read((*[]string)(s))
}
