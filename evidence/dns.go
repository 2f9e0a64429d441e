package evidence

import "slices"

// DNSQuestion is one DNS question. With Server empty it is resolved from the
// root by the perspective's own resolver and validated; otherwise it is asked
// of that server without recursion.
type DNSQuestion struct {
	Name string `json:"name"` // lower case, no trailing dot; "" is the root
	Type string `json:"type"` // "TXT", "CAA", "A", …
	// Server and Address are the name and the IP address of the server to ask.
	Server  string `json:"server,omitempty"`
	Address string `json:"address,omitempty"`
	// Transport is "udp" (default, falling back to TCP on truncation) or "tcp".
	Transport string `json:"transport,omitempty"`
	// CheckingDisabled sets CD; Subnet adds an EDNS client subnet (RFC 7871);
	// Plain leaves EDNS out.
	CheckingDisabled bool   `json:"cd,omitempty"`
	Subnet           string `json:"subnet,omitempty"`
	Plain            bool   `json:"plain,omitempty"`
}

// DNSAnswer is what came back for one DNS question.
type DNSAnswer struct {
	// Status is the response code ("NOERROR", "NXDOMAIN", …), or what happened
	// instead of a response: "timeout", "refused-connection", "unreachable",
	// "garbled".
	Status string `json:"status"`
	// The header bits of the response.
	Authoritative     bool `json:"aa,omitempty"`
	Truncated         bool `json:"tc,omitempty"`
	AuthenticatedData bool `json:"ad,omitempty"`
	// Extended are the extended DNS errors (RFC 8914) as "code: text".
	Extended []string `json:"ede,omitempty"`
	// Answer, Authority and Additional are the sections, each sorted.
	Answer     []Record `json:"answer,omitempty"`
	Authority  []Record `json:"authority,omitempty"`
	Additional []Record `json:"additional,omitempty"`
	// Transport is what carried the answer that counts: "udp" or "tcp".
	Transport string `json:"transport,omitempty"`
	// Bytes is the size of the response message.
	Bytes int `json:"bytes,omitempty"`
	// Security is the DNSSEC state of a resolved answer: "secure", "insecure",
	// "bogus", "indeterminate"; empty where nothing was validated.
	Security string `json:"security,omitempty"`
	// Reason explains bogus and indeterminate in a fixed word ("signature-expired").
	Reason string `json:"reason,omitempty"`
	// Chain lists the names that CNAME and DNAME records led through.
	Chain []string `json:"chain,omitempty"`
	// Zone and Servers are the zone that answered a resolved question and the
	// servers its parent delegates it to.
	Zone    string      `json:"zone,omitempty"`
	Servers []DNSServer `json:"servers,omitempty"`
}

// DNSServer is a name server of a delegation with its addresses.
type DNSServer struct {
	Name      string   `json:"name"`
	Addresses []string `json:"addresses,omitempty"`
}

// Record is one resource record in presentation form.
type Record struct {
	Owner string `json:"owner"` // lower case, no trailing dot
	Type  string `json:"type"`
	TTL   int    `json:"ttl"`  // seconds; not part of the observation's id
	Data  string `json:"data"` // presentation form of the RDATA
}

func (a *DNSAnswer) fact() *DNSAnswer {
	c := *a
	c.Answer, c.Authority, c.Additional = still(a.Answer), still(a.Authority), still(a.Additional)
	return &c
}

func still(records []Record) []Record {
	c := slices.Clone(records)
	for i := range c {
		c[i].TTL = 0
	}
	return c
}
