package evidence

import (
	"slices"
	"time"
)

// HTTPQuestion is one fetch: a GET of a URL at a given address.
type HTTPQuestion struct {
	URL string `json:"url"`
	// Address is the IP address to dial for the first hop; empty: every address
	// is a question of its own.
	Address string `json:"address,omitempty"`
	// Host overrides the Host header (a random one tells who really answers).
	Host string `json:"host,omitempty"`
	// Agent is the User-Agent: "" for Assay's own, "browser" for a browser's.
	Agent string `json:"agent,omitempty"`
	// Attempt numbers repeated fetches of the same address.
	Attempt int `json:"attempt,omitempty"`
}

// HTTPExchange is what a fetch saw, hop by hop. Redirects are recorded whether
// or not the profile would follow them; the judgement decides which counted.
type HTTPExchange struct {
	Hops []Hop `json:"hops"`
	// Stopped says why the last redirect was not followed: "limit", "loop",
	// "scheme", "port", "guard", "location"; empty where the last hop is final.
	Stopped string `json:"stopped,omitempty"`
}

// Hop is one request and its response.
type Hop struct {
	URL  string `json:"url"`
	Dial Dial   `json:"dial"`
	// Status is the status code; 0 where no response came.
	Status int `json:"status,omitempty"`
	// Header holds the headers that matter (Location, Server, Content-Type,
	// Via, Age, X-Cache, …), names in canonical form, values as received.
	Header []Header `json:"header,omitempty"`
	Body   *Body    `json:"body,omitempty"`
	TLS    *TLSInfo `json:"tls,omitempty"`
	// Error is what ended the hop without a full response: "not-http",
	// "incomplete", "reset", "timeout", "too-large", "tls".
	Error string `json:"error,omitempty"`
	// Phases are times in milliseconds since the hop began: "connect", "tls",
	// "first-byte", "done".
	Phases map[string]float64 `json:"phases,omitempty"`
}

// Dial is one connection attempt.
type Dial struct {
	Address string `json:"address"` // IP address and port as the rules call it, before any dial map
	// Error is empty on success, else "refused", "timeout", "unreachable",
	// "reset", "guard" (never dialled: not a public address).
	Error string `json:"error,omitempty"`
}

// Header is one header line.
type Header struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// Body is what was read of a response body.
type Body struct {
	Bytes  int    `json:"bytes"`  // bytes read
	SHA256 string `json:"sha256"` // of the bytes read, hexadecimal
	Head   []byte `json:"head"`   // the first 1,024 bytes at most, base64 in JSON
	// Cut is set when reading stopped at the limit.
	Cut bool `json:"cut,omitempty"`
}

// TLSQuestion is one TLS handshake at an address.
type TLSQuestion struct {
	Name    string   `json:"name"` // server name to send
	Address string   `json:"address"`
	Port    int      `json:"port"`
	ALPN    []string `json:"alpn,omitempty"`
}

// TLSHandshake is what a handshake saw.
type TLSHandshake struct {
	Dial Dial `json:"dial"`
	// Error is empty on success, else "alert: NAME", "plain-http", "timeout",
	// "reset", "version".
	Error string   `json:"error,omitempty"`
	Info  *TLSInfo `json:"info,omitempty"`
}

// TLSInfo are the facts of a completed handshake.
type TLSInfo struct {
	Version      string        `json:"version"` // "TLS 1.3"
	ALPN         string        `json:"alpn,omitempty"`
	Certificates []Certificate `json:"certificates,omitempty"`
}

// Certificate are the facts of a certificate that a server showed.
type Certificate struct {
	SHA256     string    `json:"sha256"`
	Subject    string    `json:"subject"`
	Issuer     string    `json:"issuer"`
	Names      []string  `json:"names,omitempty"`
	NotBefore  time.Time `json:"not_before"`
	NotAfter   time.Time `json:"not_after"`
	SelfSigned bool      `json:"self_signed,omitempty"`
	DER        []byte    `json:"der,omitempty"` // kept where a rule reads more
}

// flickering are headers whose values change from one response to the next.
var flickering = []string{"Date", "Age", "Set-Cookie", "X-Request-Id", "Cf-Ray", "Expires", "Last-Modified"}

func (e *HTTPExchange) fact() *HTTPExchange {
	c := *e
	c.Hops = slices.Clone(e.Hops)
	for i := range c.Hops {
		c.Hops[i].Phases = nil
		c.Hops[i].Header = slices.Clone(c.Hops[i].Header)
		for j := range c.Hops[i].Header {
			if slices.Contains(flickering, c.Hops[i].Header[j].Name) {
				c.Hops[i].Header[j].Value = ""
			}
		}
	}
	return &c
}

func (h *TLSHandshake) fact() *TLSHandshake { return h }
