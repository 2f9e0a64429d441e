package lab

import "time"

// A WebChange is what a web server does besides giving files.
type WebChange struct {
	// Like is the short name of a site that this one is a copy of before the rest
	// of its change applies: its files, answers, handshakes.
	Like string `json:"like"`
	// Header are lines that every answer of the site has.
	Header map[string]string `json:"header"`
	// Answers are what it gives to some requests instead of its files. Of those
	// that match a request the first one counts.
	Answers []Answer `json:"answers"`
	// Handshakes are what it does with some TLS connections on port 443. Of those
	// that match the first one counts; without, it shows a certificate of an
	// issuer for orchard.net and www.orchard.net and speaks HTTP/1.1.
	Handshakes []Handshake `json:"handshakes"`
	// Closed are ports on which nothing listens: connections are refused.
	Closed []int `json:"closed"`
	// Filters are what a firewall before it does with some connections; of those
	// that match the first one counts.
	Filters []Filter `json:"filters"`
	// Cache makes it an edge of a CDN.
	Cache *Cache `json:"cache"`
}

// An Answer is what a site gives to some requests: those that every field given
// of Scheme, Path, Host, From, Agent and Query matches.
type Answer struct {
	Scheme string `json:"scheme"` // "http" or "https"
	// Path is the path asked; with a final * the beginning of it.
	Path Strings `json:"path"`
	// Host is the host asked for, without port; "other" stands for every host that
	// is not under orchard.net.
	Host Strings `json:"host"`
	// From are perspectives.
	From Strings `json:"from"`
	// Agent is "browser" for requests that look like a browser's, "program" for
	// the others.
	Agent string `json:"agent"`
	// Query is whether there is a query.
	Query *bool `json:"query"`
	// First is how many matching requests are treated so, 0: all; Every treats
	// each n-th only, so that answers alternate.
	First int `json:"first"`
	Every int `json:"every"`

	// Status of the answer; default 200, with Redirect 302, with Page the page's own.
	Status int `json:"status"`
	// Body is the content. Where there is no Body, Page or Redirect, it is that of
	// the site's file at the path.
	Body string `json:"body"`
	// Page is a page that is often met instead of the file: home, login, json,
	// parking, registrar, router, default, challenge, cookie, waf, filing,
	// refresh (meta refresh to Redirect), script (redirect to it by script), and
	// echo (repeats path and host).
	Page string `json:"page"`
	// Redirect is the Location header. $HOST, $PATH and $URI stand for those of
	// the request.
	Redirect string `json:"redirect"`
	// Header are further lines.
	Header map[string]string `json:"header"`
	// Written is how the content is altered: bom, utf-16, quotes, html (entities),
	// blank (in front), gzip (compressed unasked), long (200 bytes more).
	Written string `json:"written"`
	// Do is what happens instead of an answer, or on the way:
	//
	//	close           the connection is closed without a word
	//	reset           it is reset
	//	stall           no answer, the connection stays open
	//	half-header     half of the headers, then as stall
	//	half-body       half of the body, then the connection is closed
	//	reset-body      half of the body, then it is reset
	//	trickle         the answer at a byte every 50 ms
	//	endless         a body without end
	//	flood           headers without end
	//	informational   interim responses (103) without end
	//	tls             a TLS alert, as a TLS server gives for plain HTTP
	//	http2           an HTTP/2 SETTINGS frame
	//	garbage         bytes that are no HTTP
	Do string `json:"do"`
	// Delay before answering.
	Delay time.Duration `json:"delay"`
}

// A Handshake is what a site does with some TLS connections: those that every
// field given of ALPN, Name and From matches.
type Handshake struct {
	// ALPN is a protocol that the client offers, such as acme-tls/1; "none"
	// matches a client that offers none.
	ALPN string `json:"alpn"`
	// Name is the server name sent, "none" for no name.
	Name Strings `json:"name"`
	From Strings `json:"from"`

	// Do is what happens instead of the handshake: alert (with Alert), plain (the
	// server speaks plain HTTP; of the fields above only From counts), close, reset,
	// stall, garbage. Empty: a handshake.
	Do string `json:"do"`
	// Alert is the number of the alert (RFC 8446 B.2); default 40, handshake_failure.
	Alert int `json:"alert"`
	// Min and Max are the versions spoken: "1.0" to "1.3"; default "1.2" to "1.3".
	Min string `json:"min"`
	Max string `json:"max"`
	// Protocols are what it agrees to by ALPN; default "http/1.1", with Challenge
	// "acme-tls/1". "none" ignores ALPN.
	Protocols Strings `json:"protocols"`
	// Names are in its certificate, instead of the site's own; Issuer is "lab"
	// (default: a CA of the laboratory) or "self".
	Names  Strings `json:"names"`
	Issuer string  `json:"issuer"`
	// Deployment shows one of [Deployed] instead: new, old or newer with its
	// intermediate, new-alone or old-alone without.
	Deployment string `json:"deployment"`
	// Challenge shows a challenge certificate (RFC 8737).
	Challenge *Challenge `json:"challenge"`
}

// A Challenge is a certificate that answers tls-alpn-01.
type Challenge struct {
	// Name is the name validated, or an IP address; default orchard.net.
	Name string `json:"name"`
	// Key is the key authorization; default $VALUE.
	Key string `json:"key"`
	// Fault is what is wrong with it: other-digest (of another token), two-names,
	// other-name, no-name, missing (the extension), twice (the extension),
	// not-critical, old-oid (1.3.6.1.5.5.7.1.30.1), short (31 bytes), bare (the
	// digest without its OCTET STRING), issued (by a CA).
	Fault string `json:"fault"`
}

// A Filter is what happens to some connections before a site sees them. On real
// addresses there is none.
type Filter struct {
	// From are perspectives.
	From Strings `json:"from"`
	// Ports are 80 and 443 by default.
	Ports []int `json:"ports"`
	// Address are addresses of the site; default all.
	Address Strings `json:"address"`
	// Do is drop (no answer ever comes) or refuse (reset at once).
	Do string `json:"do"`
}

// A Cache makes a site an edge of a CDN: every answer has Via and X-Cache lines,
// and what is primed is given out of the cache, to requests without a query.
type Cache struct {
	// CDN is what Via says; default "cdn". Edge is added to it: "1.1 cdn-e1".
	CDN  string `json:"cdn"`
	Edge string `json:"edge"`
	// Primed is what is in the cache when the world starts.
	Primed []CachedAnswer `json:"primed"`
}

// A CachedAnswer is one entry of an edge's cache.
type CachedAnswer struct {
	Path   string `json:"path"`   // default: that of the validation file
	Status int    `json:"status"` // default 404
	Body   string `json:"body"`
	// Age is how long it has been there; default 300 s.
	Age time.Duration `json:"age"`
}
