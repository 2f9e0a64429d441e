package review

import (
	"net/url"
	"path"
	"slices"
	"strings"

	"assay/evidence"
	"assay/name"
	"assay/order"
)

// A visit is what a file method fetches for one name of the order: the file F at
// the URL U. It is made for each name, never for one above it (catalogue B14),
// and never for a wildcard (B29).
type visit struct {
	// subject is the name as the order writes it, base the host that is asked,
	// domain its registrable domain (base where it has none).
	subject, base, domain string
	method                order.Method
	// place is path and file name, as a URL writes them.
	place string
	// file is F without white space at its end; empty where the order has none yet.
	file string
	// about identifies the visit for precedence among findings.
	about string

	schemes [2]*scheme // what the primary place saw over HTTP and HTTPS
}

// Where the file lies (BR 3.2.2.4.18, .19).
const (
	fileDirectory = "/.well-known/pki-validation/"
	acmeDirectory = "/.well-known/acme-challenge/"
	// fixedFile is the name of the file where the order gives no URL.
	fixedFile = "fileauth.txt"
)

// fileMethods are the methods that fetch a file.
var fileMethods = []order.Method{order.MethodFile, order.MethodFileProxy, order.MethodHTTP01}

func isFileMethod(m order.Method) bool { return slices.Contains(fileMethods, m) }

// blanks are what is ignored at the end of a file.
const blanks = " \t\r\n"

// visits are those of the order, each once, in the order of its challenges.
func (f *facts) visits() []*visit {
	if !f.visitsSet {
		f.visitsSet = true
		for i := range f.Order.Challenges {
			if c := &f.Order.Challenges[i]; isFileMethod(f.challengeMethod(c)) && c.Value != "" && !f.settled(c) {
				f.addVisit(c)
			}
		}
	}
	return f.visitList
}

// challengeMethod is the method of a challenge.
func (f *facts) challengeMethod(c *order.Challenge) order.Method {
	if c.Method == "" {
		return f.Order.Method
	}
	return c.Method
}

func (f *facts) addVisit(c *order.Challenge) {
	n := f.ownName(c.Name)
	if n == nil {
		// It is for no name of the order, or for one that it cannot cover: that
		// name lacks a challenge, which is said elsewhere.
		return
	}
	method := f.challengeMethod(c)
	place, rule := placeOf(c, method, n.Base)
	if rule != "" {
		f.lost = true // methodNotAllowed says why
		return
	}
	t := f.newTarget(n, method)
	v := &visit{
		subject: t.subject, base: t.base, domain: t.domain, method: method, place: place,
		file: strings.TrimRight(c.Value, blanks),
	}
	v.about = "visit\x00" + v.subject + "\x00" + v.place + "\x00" + v.file
	if !slices.ContainsFunc(f.visitList, func(o *visit) bool { return o.about == v.about }) {
		f.visitList = append(f.visitList, v)
	}
}

// ownName is the name of the order that a file for a name validates: exactly
// that one. It is nil for a wildcard, and for what nothing can be asked of.
func (f *facts) ownName(text string) *nameFact {
	parsed := name.Parse(text)
	for i := range f.names {
		if n := &f.names[i]; n.Clean == parsed.Clean && f.connectable(n) {
			return n
		}
	}
	return nil
}

// placeOf is the place of the file on the web server that a challenge means. rule
// says why it cannot be looked for there: "url" (another host, another
// directory, a port, a query), "key-authorization" (the value is none, RFC 8555
// 8.1), "url-value" (the request would hold the whole
// value, so that a server that repeats it would pass: BR 3.2.2.4.18).
func placeOf(c *order.Challenge, m order.Method, base string) (place, rule string) {
	value := strings.TrimRight(c.Value, blanks)
	token, _, dotted := strings.Cut(value, ".")
	switch {
	case value == "":
		return "", "url"
	case m == order.MethodHTTP01 && (!dotted || !plainToken(token)):
		return "", "key-authorization"
	}
	if c.URL == "" {
		if m == order.MethodHTTP01 {
			return acmeDirectory + token, ""
		}
		return fileDirectory + fixedFile, ""
	}
	u, err := url.Parse(strings.TrimSpace(c.URL))
	switch {
	case err != nil, u.Scheme != "http" && u.Scheme != "https", u.User != nil, u.RawQuery != "", u.Fragment != "", u.Opaque != "",
		u.Port() != "" && u.Port() != map[string]string{"http": "80", "https": "443"}[u.Scheme],
		name.Parse(u.Hostname()).Clean != base, path.Clean(u.Path) != u.Path:
		return "", "url"
	case m == order.MethodHTTP01 && u.EscapedPath() != acmeDirectory+token,
		!strings.HasPrefix(u.Path, fileDirectory) && !strings.HasPrefix(u.Path, acmeDirectory):
		return "", "url"
	case strings.Contains(strings.ToLower(u.Path), strings.ToLower(value)):
		return "", "url-value"
	}
	return u.EscapedPath(), ""
}

// plainToken reports whether a text is a token (RFC 8555 8.3: base64url).
func plainToken(s string) bool {
	for _, c := range []byte(s) {
		if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '_') {
			return false
		}
	}
	return s != ""
}

// url is U over a scheme.
func (v *visit) url(https bool) string { return v.urlOf(https, v.place) }

// urlOf is the URL of another place on the same host.
func (v *visit) urlOf(https bool, place string) string {
	host := v.base
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	if https {
		return "https://" + host + place
	}
	return "http://" + host + place
}

// fileName is the last part of U.
func (v *visit) fileName() string { return v.place[strings.LastIndexByte(v.place, '/')+1:] }

// question is what decides over a scheme. Without a file to look for, one beside
// it is asked for that nobody has made.
func (v *visit) question(https bool) evidence.HTTPQuestion {
	return evidence.HTTPQuestion{URL: v.url(https), Each: true, RandomPath: v.file == ""}
}

// eachVisit runs a rule for every visit.
func eachVisit(rule func(*facts, *sink, *visit)) func(*facts, *sink) {
	return func(f *facts, s *sink) {
		for _, v := range f.visits() {
			rule(f, s, v)
		}
	}
}
