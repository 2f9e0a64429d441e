package web

import (
	"bytes"
	"net/url"
	"strings"
	"testing"

	"assay/probe/host"
)

// FuzzResponse: whatever a server sends, reading it ends within the bounds, and
// what is recorded is in bounds too.
func FuzzResponse(f *testing.F) {
	for _, s := range []string{
		head + "\r\nbody", head + "Content-Length: 3\r\n\r\nbody", head + "Transfer-Encoding: chunked\r\n\r\n4;x\r\nbody\r\n0\r\nT: x\r\n\r\n",
		"HTTP/1.1 103 Early Hints\r\n\r\n" + head + "\r\n", "HTTP/1.0 200\r\n\r\n", "\x15\x03\x01\x00\x02\x02\x28", "\x00\x00\x06\x04\x00\x00\x00\x00\x00",
		"HTTP/1.1 302 Found\r\nLocation: http://10.0.0.5/\r\nSet-Cookie: a=b\r\n\r\n",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		r := newReader(bytes.NewReader(raw))
		defer r.free()
		response, failure := r.response()
		if response == nil {
			if failure.Error == "" || failure.Phase != "header" || len(failure.Seen) > maxSeen || len(failure.Detail) > 200 {
				t.Errorf("%+v", failure)
			}
			return
		}
		size := 0
		for _, h := range kept(response.Header) {
			size += len(h.Name) + len(h.Value)
		}
		b, _ := r.body(response, gist{url: "http://orchard.net/f"})
		if size > maxKept || b.Bytes > maxBody || len(b.Head) > keepWhole || b.Head == nil {
			t.Errorf("%d bytes of headers, body %d, head %d", size, b.Bytes, len(b.Head))
		}
	})
}

// FuzzRedirect: a redirect that is followed leads to http or https on port 80 or
// 443 of a name or an address, and cannot break out of the request line.
func FuzzRedirect(f *testing.F) {
	for _, a := range attempts {
		f.Add(a.location)
	}
	from := &url.URL{Scheme: "http", Host: "orchard.net", Path: "/.well-known/x"}
	f.Fuzz(func(t *testing.T, location string) {
		u, stopped := redirect(from, 302, []string{location})
		if u == nil {
			if stopped == "" {
				t.Errorf("%q: neither followed nor stopped", location)
			}
			return
		}
		if _, _, ok := host.Parse(u.Hostname()); !ok || u.User != nil || u.Scheme != "http" && u.Scheme != "https" || u.Port() != "" && u.Port() != "80" && u.Port() != "443" {
			t.Errorf("%q leads to %s", location, u)
		}
		text := request(u, hostHeader(u), "")
		line, _, _ := strings.Cut(text, "\r\n")
		if strings.Count(line, " ") != 2 || strings.Count(text, "\n") != 7 || strings.Count(text, "\r") != 7 {
			t.Errorf("%q makes the request %q", location, text)
		}
		if again, stopped := target(u.String()); again == nil || again.String() != u.String() {
			t.Errorf("%q leads to %s, which reads as %v (%s)", location, u, again, stopped)
		}
	})
}
