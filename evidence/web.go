package evidence

import "time"

// HTTPQuestion asks what a URL gives: a GET, with the redirects it leads to.
// How it is put follows from the fields set:
//
//   - Each: the host of the URL is resolved and the URL fetched at every address
//     of both families, at the same time.
//   - Address: fetched at that one address, whatever the DNS says (an edge of a
//     CDN, one server of several). Redirects to the same host stay there.
//
// Certificates are never verified: a site that is about to get its first
// certificate has none that could be.
type HTTPQuestion struct {
	// URL is absolute, http or https, port 80 or 443; its host is a name or an
	// IP address.
	URL string `json:"url"`
	// Each fetches at every address: at most 8 of a family.
	Each bool `json:"each,omitempty"`
	// Address is the IP address to dial.
	Address string `json:"address,omitempty"`
	// RandomHost sends a Host header (and TLS server name) that is nobody's,
	// RandomPath asks for a file beside the one of the URL that nobody has made,
	// RandomQuery adds a query that no cache has seen: 16 characters of
	// [a-z0-9], new each time, reported in HTTPExchange.Random.
	RandomHost  bool `json:"random_host,omitempty"`
	RandomPath  bool `json:"random_path,omitempty"`
	RandomQuery bool `json:"random_query,omitempty"`
	// Agent is the User-Agent: "" for Assay's own, "browser" for a browser's
	// headers.
	Agent string `json:"agent,omitempty"`
	// Attempts fetches that often at each address, at most 10 times, each over a
	// connection of its own; 0 means once.
	Attempts int `json:"attempts,omitempty"`
}

// HTTPExchange is what the fetches of one question saw.
type HTTPExchange struct {
	// Hosts are the hosts that were resolved on the way, sorted by name: the
	// URL's and those of redirects, each resolved once. None for a URL whose
	// host is an address.
	Hosts []Host `json:"hosts,omitempty"`
	// Random is the random value that was sent. Where a server sends it back, the
	// bodies below have "?" in its place, so that answers can be compared.
	Random string `json:"random,omitempty"`
	// Fetches are sorted: IPv6 before IPv4, then by address, then by attempt.
	Fetches []Fetch `json:"fetches,omitempty"`
}

// Host is how the addresses of a host were found.
type Host struct {
	Name string `json:"name"`
	// Lookups are those of AAAA and A, in this order.
	Lookups []HostLookup `json:"lookups"`
}

// HostLookup is one look-up of the addresses of a host.
type HostLookup struct {
	Type string `json:"type"` // "A" or "AAAA"
	// Status and Security are those of the resolved answer: see [DNSAnswer].
	Status   string `json:"status"`
	Security string `json:"security,omitempty"`
	// Addresses are in the order of the answer, the first one first.
	Addresses []string `json:"addresses,omitempty"`
	// Unknown is why it could not be asked for a reason that lies with us.
	Unknown string `json:"unknown,omitempty"`
}

// Fetch is one fetch, begun at one address. Redirects are followed where any
// profile would; the judgement decides which counted.
type Fetch struct {
	Address string `json:"address"`           // IP address of the first hop
	Family  string `json:"family"`            // "ipv6" or "ipv4"
	Attempt int    `json:"attempt,omitempty"` // from 1, where there are several
	// Unknown is why this address was not dialled for a reason that lies with
	// us: "no-ipv6", "no-ipv4" (the self-test found it missing), "budget" (more
	// addresses than are fetched at).
	Unknown string `json:"unknown,omitempty"`
	Hops    []Hop  `json:"hops,omitempty"` // at most 12
	// Stopped says why the redirect of the last hop was not followed, one of the
	// Stopped words; empty where the last hop is final.
	Stopped string `json:"stopped,omitempty"`
}

// The reasons why a redirect is not followed.
const (
	StoppedLimit     = "limit"           // eleven were followed already, the most that any profile allows
	StoppedLoop      = "loop"            // to a URL that was asked before
	StoppedCode      = "code"            // status 300, 303, 305, 306, …: not 301, 302, 307 or 308
	StoppedMissing   = "location"        // no Location header
	StoppedURL       = "location-url"    // the Location header is no URL with a host
	StoppedScheme    = "scheme"          // neither http nor https
	StoppedUser      = "user-info"       // user name or password in the URL
	StoppedHost      = "host"            // the host is no domain name and no IP address: a number, a zone, bad characters
	StoppedWellKnown = "well-known-host" // the host ends in .well-known: the slash before the path is missing
	StoppedPort      = "port"            // neither 80 nor 443
	StoppedPath      = "path-too-long"   // more than 2,000 bytes
	StoppedGuard     = "guard"           // no address that may be dialled
)

// Hop is one request and its response.
type Hop struct {
	URL string `json:"url"`
	// Dial is the connection that was used, or the attempt that failed last.
	Dial Dial `json:"dial"`
	// Tried are failed attempts at another address before it: of the host of a
	// redirect the first AAAA is tried, then the first A.
	Tried []Dial `json:"tried,omitempty"`
	// Status is the status code; 0 where no response came.
	Status int `json:"status,omitempty"`
	// Header holds the headers that matter (Location, Server, Content-Type, those
	// of caches and protections), names in canonical form, values as received but
	// for 2,048 bytes at most each, sorted by name. Of Set-Cookie only the name.
	Header []Header `json:"header,omitempty"`
	Body   *Body    `json:"body,omitempty"`
	TLS    *TLSInfo `json:"tls,omitempty"`
	Failure
	// Phases are times in milliseconds since the hop began, when each phase
	// ended: "connect", "tls", "first-byte", "done".
	Phases map[string]float64 `json:"phases,omitempty"`
}

// Failure is what ended an exchange over an established connection too early.
type Failure struct {
	// Error is empty on success, else one of the Error words.
	Error string `json:"error,omitempty"`
	// Phase is where it ended: "tls", "header" (before the headers were
	// complete), "body".
	Phase string `json:"phase,omitempty"`
	// Alert is the name of the TLS alert received (RFC 8446 B.2).
	Alert string `json:"alert,omitempty"`
	// Seen are the first bytes received, at most 64, where they are not what was
	// expected; base64 in JSON.
	Seen []byte `json:"seen,omitempty"`
	// Detail is the error's own text, for a person; at most 200 bytes.
	Detail string `json:"detail,omitempty"`
}

// What can end an exchange.
const (
	ErrorTimeout     = "timeout"     // no progress in time
	ErrorReset       = "reset"       // the connection was reset
	ErrorIncomplete  = "incomplete"  // the connection was closed before the end
	ErrorTooLarge    = "too-large"   // more headers than are read (32 KiB)
	ErrorNotHTTP     = "not-http"    // what came is no HTTP/1 response
	ErrorTLSOnHTTP   = "tls"         // TLS where plain HTTP was asked for
	ErrorHTTP2       = "http2"       // HTTP/2 where HTTP/1.1 was asked for
	ErrorAlert       = "alert"       // a TLS alert
	ErrorPlainHTTP   = "plain-http"  // plain HTTP where TLS was asked for
	ErrorVersion     = "version"     // no TLS version of 1.2 or newer
	ErrorCertificate = "certificate" // a certificate that cannot be read
	ErrorHandshake   = "handshake"   // the handshake failed otherwise
)

// Dial is one connection attempt.
type Dial struct {
	// Address is the IP address and port as the rules call it, before any dial
	// map; empty where the host has no address.
	Address string `json:"address,omitempty"`
	// Error is empty on success, else "refused", "timeout", "unreachable",
	// "reset", "guard" (never dialled: not a public address), "no-address" (see
	// Hosts), "failed".
	Error string `json:"error,omitempty"`
}

// Header is one header line.
type Header struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// Body is what was read of a response body, undone of chunks, not of a content
// coding.
type Body struct {
	Bytes  int    `json:"bytes"`  // bytes read, at most 65,536; a random value sent back counts as one
	SHA256 string `json:"sha256"` // of the bytes read, hexadecimal
	// Head is the whole body where it has at most 4,096 bytes, else its first
	// 1,024; base64 in JSON.
	Head []byte `json:"head"`
	// Cut is set when reading stopped at the limit.
	Cut bool `json:"cut,omitempty"`
	// Gist is a hash of what a page says without what changes from one view to
	// the next: two bodies with one gist are the same page. Empty for an empty
	// body.
	Gist string `json:"gist,omitempty"`
}

// Whole reports whether Head is the whole body.
func (b *Body) Whole() bool { return !b.Cut && len(b.Head) == b.Bytes }

// TLSQuestion asks for a TLS handshake and nothing after it. Each and Address
// are as in [HTTPQuestion].
type TLSQuestion struct {
	// Name is whose certificate is asked for: a host name, or an IP address, for
	// which its reverse name is sent as the server name (RFC 8738 6).
	Name    string   `json:"name"`
	Each    bool     `json:"each,omitempty"`
	Address string   `json:"address,omitempty"`
	Port    int      `json:"port"`           // 443
	ALPN    []string `json:"alpn,omitempty"` // "acme-tls/1" (RFC 8737), "http/1.1"
}

// TLSExchange is what the handshakes of one question saw.
type TLSExchange struct {
	// Hosts holds the host as it was resolved: see [HTTPExchange].
	Hosts []Host `json:"hosts,omitempty"`
	// Handshakes are sorted: IPv6 before IPv4, then by address.
	Handshakes []Handshake `json:"handshakes,omitempty"`
}

// Handshake is one TLS handshake.
type Handshake struct {
	Address string `json:"address"`           // IP address
	Family  string `json:"family"`            // "ipv6" or "ipv4"
	Unknown string `json:"unknown,omitempty"` // as of [Fetch]
	Dial    Dial   `json:"dial"`
	Failure
	// Info is there where a handshake was completed, and where it failed
	// afterwards (version) or the certificate could not be read.
	Info   *TLSInfo           `json:"info,omitempty"`
	Phases map[string]float64 `json:"phases,omitempty"` // "connect", "tls"
}

// TLSInfo are the facts of a handshake.
type TLSInfo struct {
	Version string `json:"version"` // "TLS 1.3"
	ALPN    string `json:"alpn,omitempty"`
	// Certificates are those shown, the leaf first; at most 5.
	Certificates []Certificate `json:"certificates,omitempty"`
}

// Certificate are the facts of a certificate that a server showed. Of one that
// cannot be read only SHA256 and DER are there.
type Certificate struct {
	SHA256  string `json:"sha256"`
	Subject string `json:"subject"`
	Issuer  string `json:"issuer"`
	// Names are its DNS names and IP addresses, at most 100.
	Names     []string  `json:"names,omitempty"`
	NotBefore time.Time `json:"not_before"`
	NotAfter  time.Time `json:"not_after"`
	// SelfSigned is set where issuer and subject are equal and the signature is
	// made with the certificate's own key; of leaves only.
	SelfSigned bool `json:"self_signed,omitempty"`
	// DER is the certificate itself: the leaf, in answer to a TLSQuestion, at
	// most 16 KiB.
	DER []byte `json:"der,omitempty"`
}
