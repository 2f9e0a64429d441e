// Package page says what a web server's answer is, where it is not the file
// that was asked for: a web page, a login form, a parked domain, a challenge, the
// page of a hosting provider that blocks the domain; and which CDN's edge gave
// it. It is pure: headers and first bytes in, words out. What things look like
// is data (fingerprints.toml).
package page

import (
	"encoding/json"
	"slices"
	"strings"

	"assay/evidence"
)

// Kind says what an answer is.
type Kind string

// The kinds of answer.
const (
	Filing      Kind = "filing"       // the provider's page for a domain without ICP filing
	Challenge   Kind = "challenge"    // asks the visitor to prove being human
	Cookie      Kind = "cookie"       // a script that sets a cookie and asks again
	Firewall    Kind = "waf"          // the block page of a web application firewall
	Parking     Kind = "parking"      // a domain parking page
	Registrar   Kind = "registrar"    // a page of the registrar
	Router      Kind = "router"       // the console of a router or other device
	DefaultPage Kind = "default-page" // the default page of a web server
	CMS         Kind = "cms"          // a page of a known application; of fingerprints only
	Login       Kind = "login"        // a login form
	HTML        Kind = "html"         // a web page otherwise
	XML         Kind = "xml"
	JSON        Kind = "json"
	Text        Kind = "text"   // text without markup
	Binary      Kind = "binary" // bytes that are no text
	Empty       Kind = "empty"
)

var kinds = []Kind{Filing, Challenge, Cookie, Firewall, Parking, Registrar, Router, DefaultPage, CMS}

// A Page is what an answer is, so far as it shows.
type Page struct {
	Kind Kind
	// Product is whose page it is ("Cloudflare", "WordPress"), where that shows.
	Product string
	// Title is the page's title, white space folded, at most 200 characters.
	Title string
	// Encoding is how the text is written, where that is not plain UTF-8: "bom"
	// (UTF-8 with a byte order mark), "utf-16le", "utf-16be", "gb18030".
	Encoding string
	// Coding is the content coding that the body came with unasked ("gzip");
	// such a body is not looked into.
	Coding string
	// Redirect is how the page sends a browser elsewhere without a Location
	// header: "meta-refresh", "header" (Refresh), "script"; Target is where to.
	Redirect, Target string
}

// Is reports whether the kind is one of these.
func (p *Page) Is(kinds ...Kind) bool { return slices.Contains(kinds, p.Kind) }

// Markup reports whether the answer is a page for people.
func (p *Page) Markup() bool { return !p.Is(Text, Binary, Empty, JSON, XML) }

// Read says what the response of a hop is.
func Read(h *evidence.Hop) Page { return Embedded().Read(h) }

// Read says what the response of a hop is, by this set's fingerprints.
func (s *Set) Read(h *evidence.Hop) Page {
	r := response{hop: h}
	p := Page{Coding: coding(h)}
	if h.Body != nil && p.Coding == "" {
		r.text, p.Encoding = Decode(h.Body.Head, header(h, "Content-Type"))
	}
	r.lower = strings.ToLower(r.text)
	p.Kind = r.form()
	if p.Kind == HTML || p.Kind == Login {
		p.Title = title(r.text, r.lower)
		p.Redirect, p.Target = r.leads()
	}
	if v := header(h, "Refresh"); v != "" && p.Redirect == "" {
		p.Redirect, p.Target = "header", refreshTarget(v)
	}
	r.title = strings.ToLower(p.Title)
	for i := range s.Pages {
		print := &s.Pages[i]
		if !r.any(print.Match) {
			continue
		}
		if print.Kind != CMS {
			p.Kind, p.Product = print.Kind, print.Product
			return p
		}
		if p.Product == "" && p.Markup() {
			p.Product = print.Product
		}
	}
	return p
}

// coding is the content coding of a response, "" for none.
func coding(h *evidence.Hop) string {
	c := strings.ToLower(strings.TrimSpace(header(h, "Content-Encoding")))
	if c == "identity" {
		return ""
	}
	return c
}

// header returns the first line of a header.
func header(h *evidence.Hop, name string) string {
	for i := range h.Header {
		if h.Header[i].Name == name {
			return h.Header[i].Value
		}
	}
	return ""
}

// A response is what clauses look at.
type response struct {
	hop                *evidence.Hop
	text, lower, title string
}

// form tells the kind without fingerprints.
func (r *response) form() Kind {
	b := r.hop.Body
	kind := strings.ToLower(header(r.hop, "Content-Type"))
	trimmed := strings.TrimSpace(r.lower)
	switch {
	case b == nil || b.Bytes == 0:
		return Empty
	case r.text == "" || strings.ContainsRune(r.text, 0):
		return Binary
	case strings.HasPrefix(trimmed, "<?xml") && !strings.Contains(trimmed, "<html"):
		return XML
	case strings.Contains(kind, "html"), looksLikeHTML(trimmed):
		if strings.Contains(r.lower, "type=\"password\"") || strings.Contains(r.lower, "type='password'") || strings.Contains(r.lower, "type=password") {
			return Login
		}
		if !strings.Contains(trimmed, "<") {
			return Text // a file served with the wrong type is still a file
		}
		return HTML
	case trimmed != "" && (trimmed[0] == '{' || trimmed[0] == '[') && (json.Valid([]byte(r.text)) || !b.Whole() || strings.Contains(kind, "json")):
		return JSON
	}
	return Text
}

func looksLikeHTML(lower string) bool {
	for strings.HasPrefix(lower, "<!--") {
		_, rest, _ := strings.Cut(lower, "-->")
		lower = strings.TrimSpace(rest)
	}
	for _, tag := range []string{"<!doctype html", "<html", "<head", "<body", "<script", "<title", "<meta", "<div", "<h1", "<p>", "<center", "<iframe"} {
		if strings.HasPrefix(lower, tag) {
			return true
		}
	}
	return false
}

func (r *response) any(clauses []Clause) bool {
	for i := range clauses {
		if r.all(&clauses[i]) {
			return true
		}
	}
	return false
}

func (r *response) all(c *Clause) bool {
	return (c.Title == "" || strings.Contains(r.title, c.Title)) &&
		(c.Body == "" || strings.Contains(r.lower, c.Body)) &&
		(c.Header == "" || r.hasHeader(c.Header, c.Value)) &&
		(c.Location == "" || strings.Contains(strings.ToLower(header(r.hop, "Location")), c.Location) || strings.Contains(strings.ToLower(r.hop.URL), c.Location)) &&
		(len(c.Status) == 0 || slices.Contains(c.Status, r.hop.Status))
}

func (r *response) hasHeader(name, value string) bool {
	for i := range r.hop.Header {
		if r.hop.Header[i].Name == name && (value == "" || strings.Contains(strings.ToLower(r.hop.Header[i].Value), value)) {
			return true
		}
	}
	return false
}
