package lab

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"html"
	"maps"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
	"unicode/utf16"
)

// A webAnswer is an [Answer] made ready to match.
type webAnswer struct {
	Answer
	from    places
	matched atomic.Int64
}

// What an answer can do, and how its content can be written.
var (
	answerDeeds = []string{
		"", "close", "reset", "stall", "half-header", "half-body", "reset-body", "trickle", "endless", "flood", "informational", "tls", "http2", "garbage",
	}
	writings = []string{"", "bom", "utf-16", "quotes", "html", "blank", "gzip", "long"}
)

// newAnswer checks an answer and makes it ready.
func newWebAnswer(a Answer, value string) (*webAnswer, error) {
	x := &webAnswer{Answer: a}
	x.Body, x.Redirect = strings.ReplaceAll(a.Body, "$VALUE", value), strings.ReplaceAll(a.Redirect, "$VALUE", value)
	var err error
	if x.from, err = parsePlaces(a.From); err != nil {
		return nil, fmt.Errorf("from: %w", err)
	}
	if _, ok := pages[a.Page]; !ok && a.Page != "" {
		return nil, fmt.Errorf("page: %q must be one of %s", a.Page, strings.Join(slices.Sorted(maps.Keys(pages)), " "))
	}
	for _, f := range []struct {
		field, text string
		words       []string
	}{
		{"do", a.Do, answerDeeds},
		{"written", a.Written, writings},
		{"scheme", a.Scheme, []string{"", "http", "https"}},
		{"agent", a.Agent, []string{"", "browser", "program"}},
	} {
		if !slices.Contains(f.words, f.text) {
			return nil, fmt.Errorf("%s: %q must be one of%s", f.field, f.text, strings.Join(f.words, " "))
		}
	}
	return x, nil
}

// matches reports whether a request is treated so, and counts it.
func (x *webAnswer) matches(r *http.Request, scheme string, from int) bool {
	if x.Scheme != "" && x.Scheme != scheme || !x.from.has(from) ||
		len(x.Path) > 0 && !slices.ContainsFunc(x.Path, func(p string) bool { return pathMatches(p, r.URL.Path) }) ||
		len(x.Host) > 0 && !slices.ContainsFunc(x.Host, func(h string) bool { return hostMatches(h, r.Host) }) ||
		x.Agent != "" && (x.Agent == "browser") != isBrowser(r) ||
		x.Query != nil && *x.Query != (r.URL.RawQuery != "") {
		return false
	}
	n := x.matched.Add(1)
	return (x.First == 0 || n <= int64(x.First)) && (x.Every == 0 || n%int64(x.Every) == 0)
}

func pathMatches(pattern, path string) bool {
	if beginning, ok := strings.CutSuffix(pattern, "*"); ok {
		return strings.HasPrefix(path, beginning)
	}
	return pattern == path
}

func hostMatches(pattern, host string) bool {
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	host = strings.ToLower(host)
	if pattern == "other" {
		return host != "orchard.net" && !strings.HasSuffix(host, ".orchard.net")
	}
	return pattern == host
}

// isBrowser: no CA says that it can read two languages.
func isBrowser(r *http.Request) bool {
	return r.Header.Get("Accept-Language") != "" && strings.Contains(r.UserAgent(), "Mozilla/5.0")
}

// serve answers a request as the first answer that matches says, else with the
// site's file.
func (s *site) serve(rw http.ResponseWriter, r *http.Request, scheme string, stop <-chan struct{}) {
	files := s.http
	if scheme == "https" {
		files = s.https
	}
	for name, v := range s.header {
		rw.Header().Set(name, v)
	}
	if s.cache != nil && s.cache.serve(rw, r) {
		return
	}
	from, err := net.ResolveTCPAddr("tcp", r.RemoteAddr)
	place := -1
	if err == nil {
		place = placeOf(from.AddrPort().Addr())
	}
	for _, x := range s.answers {
		if x.matches(r, scheme, place) {
			x.give(rw, r, files, stop)
			return
		}
	}
	(&webAnswer{}).give(rw, r, files, stop)
}

// give answers.
func (x *webAnswer) give(rw http.ResponseWriter, r *http.Request, files map[string]string, stop <-chan struct{}) {
	if !pause(x.Delay, stop) {
		return
	}
	status, body := x.content(rw.Header(), r, files)
	if x.Do != "" {
		x.misbehave(rw, body, stop)
		return
	}
	rw.WriteHeader(status)
	_, _ = rw.Write(body)
}

// content is the answer's status and body; header lines are set on the way.
func (x *webAnswer) content(header http.Header, r *http.Request, files map[string]string) (int, []byte) {
	header.Set("Content-Type", "text/plain")
	if header.Get("Server") == "" {
		header.Set("Server", "lab")
	}
	status, text := http.StatusOK, x.Body
	redirect := strings.NewReplacer("$HOST", r.Host, "$PATH", r.URL.Path, "$URI", r.URL.RequestURI()).Replace(x.Redirect)
	switch p, isPage := pages[x.Page]; {
	case isPage:
		status, text = p.status, fillPage(p.text, redirect, r)
		header.Set("Content-Type", p.kind)
		for name, v := range p.header {
			header.Set(name, v)
		}
	case redirect != "":
		status = http.StatusFound
		header.Set("Location", redirect)
	case text == "":
		content, ok := files[r.URL.Path]
		if text = content; !ok {
			status, text = http.StatusNotFound, "404 page not found\n"
		}
	}
	if x.Status != 0 {
		status = x.Status
	}
	for name, v := range x.Header {
		header.Set(name, v)
	}
	return status, x.write(header, text)
}

// write alters the content as the answer says.
func (x *webAnswer) write(header http.Header, text string) []byte {
	switch x.Written {
	case "bom":
		return []byte("\xef\xbb\xbf" + text)
	case "utf-16":
		out := []byte{0xff, 0xfe}
		for _, u := range utf16.Encode([]rune(text)) {
			out = append(out, byte(u), byte(u>>8))
		}
		return out
	case "quotes":
		return []byte(`"` + text + `"`)
	case "html":
		return []byte(html.EscapeString("<" + text + ">"))
	case "blank":
		return []byte("  \n" + text)
	case "long":
		return []byte(text + strings.Repeat("x", 200))
	case "gzip":
		header.Set("Content-Encoding", "gzip")
		var b bytes.Buffer
		z := gzip.NewWriter(&b)
		_, _ = z.Write([]byte(text))
		_ = z.Close()
		return b.Bytes()
	}
	return []byte(text)
}

// misbehave takes the connection over.
func (x *webAnswer) misbehave(rw http.ResponseWriter, body []byte, stop <-chan struct{}) {
	c, _, err := http.NewResponseController(rw).Hijack()
	if err != nil {
		return
	}
	defer c.Close()
	const status = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"
	whole := status + "Content-Length: " + strconv.Itoa(len(body)) + "\r\n\r\n"
	say := func(text string) bool { _, err := c.Write([]byte(text)); return err == nil }
	switch x.Do {
	case "reset":
		abort(c)
	case "stall":
		wait(c, stop)
	case "half-header":
		say(status + "Content-Le")
		wait(c, stop)
	case "half-body":
		say(whole + string(body[:len(body)/2]))
	case "reset-body":
		say(whole + string(body[:len(body)/2]))
		pause(20*time.Millisecond, stop) // a reset drops what was not read yet
		abort(c)
	case "trickle":
		for _, b := range []byte(whole + string(body)) {
			if !say(string(b)) || !pause(50*time.Millisecond, stop) {
				return
			}
		}
	case "endless":
		repeat(say, status+"\r\n", strings.Repeat("endless ", 512), stop)
	case "flood":
		repeat(say, status, "X-Flood: "+strings.Repeat("y", 100)+"\r\n", stop)
	case "informational":
		repeat(say, "", "HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n", stop)
	case "tls":
		say("\x15\x03\x01\x00\x02\x02\x0a") // unexpected_message
	case "http2":
		say("\x00\x00\x06\x04\x00\x00\x00\x00\x00\x00\x03\x00\x00\x00\x64")
		wait(c, stop)
	case "garbage":
		say("\x01\x02 220 this is no HTTP \x03\x04\r\n")
	}
}

// repeat says something until the client has heard enough.
func repeat(say func(string) bool, first, each string, stop <-chan struct{}) {
	for ok := say(first); ok; ok = say(each) {
		select {
		case <-stop:
			return
		default:
		}
	}
}

// serve adds an edge's lines, and answers what is in its cache.
func (c *Cache) serve(rw http.ResponseWriter, r *http.Request) bool {
	via := c.CDN
	if via == "" {
		via = "cdn"
	}
	if c.Edge != "" {
		via += "-" + c.Edge
	}
	rw.Header().Set("Via", "1.1 "+via)
	for _, p := range c.Primed {
		if p.Path != r.URL.Path || r.URL.RawQuery != "" {
			continue
		}
		rw.Header().Set("X-Cache", "HIT")
		rw.Header().Set("Age", strconv.Itoa(int(p.Age.Seconds())))
		rw.Header().Set("Content-Type", "text/plain")
		rw.WriteHeader(p.Status)
		_, _ = rw.Write([]byte(p.Body))
		return true
	}
	rw.Header().Set("X-Cache", "MISS")
	return false
}
