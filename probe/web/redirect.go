package web

import (
	"net/netip"
	"net/url"
	"strconv"
	"strings"

	"assay/evidence"
	"assay/probe/host"
)

// redirect says where a response leads: to a URL, or nowhere because the
// redirect is of a kind that no profile follows, or because it is none.
func redirect(from *url.URL, status int, location []string) (next *url.URL, stopped string) {
	switch {
	case status == 301 || status == 302 || status == 307 || status == 308:
		if len(location) == 0 || strings.TrimSpace(location[0]) == "" {
			return nil, evidence.StoppedMissing
		}
		return resolve(from, location[0])
	case status/100 == 3 && status != 304 && len(location) > 0:
		return nil, evidence.StoppedCode
	}
	return nil, ""
}

// resolve reads a Location header, relative to the URL that gave it.
func resolve(from *url.URL, location string) (*url.URL, string) {
	if len(location) > maxURL {
		return nil, evidence.StoppedPath
	}
	u, err := url.Parse(strings.TrimSpace(location))
	if err != nil || u.Opaque != "" && (u.Scheme == "http" || u.Scheme == "https") {
		return nil, evidence.StoppedURL
	}
	return check(from.ResolveReference(u))
}

// target reads the URL of a question.
func target(text string) (*url.URL, string) {
	if len(text) > maxURL {
		return nil, evidence.StoppedPath
	}
	u, err := url.Parse(text)
	if err != nil {
		return nil, evidence.StoppedURL
	}
	return check(u)
}

// check brings an absolute URL into the form that is asked and recorded, or
// says why it is not asked.
func check(u *url.URL) (*url.URL, string) {
	switch {
	case u.Scheme != "http" && u.Scheme != "https":
		return nil, evidence.StoppedScheme
	case u.User != nil:
		return nil, evidence.StoppedUser
	case u.Opaque != "" || u.Host == "" || u.Hostname() == "":
		return nil, evidence.StoppedURL
	}
	name, addr, ok := host.Parse(u.Hostname())
	if !ok || addr.IsValid() && strings.HasPrefix(u.Host, "[") != addr.Is6() {
		return nil, evidence.StoppedHost
	}
	if strings.HasSuffix(strings.TrimSuffix(strings.ToLower(u.Hostname()), "."), ".well-known") {
		return nil, evidence.StoppedWellKnown
	}
	port, err := plainPort(u)
	if err != nil || port != 80 && port != 443 {
		return nil, evidence.StoppedPort
	}
	if len(u.EscapedPath()) > maxPath || len(u.String()) > maxURL {
		return nil, evidence.StoppedPath
	}
	return normal(u, name, addr, port), ""
}

func plainPort(u *url.URL) (uint16, error) {
	if u.Port() == "" {
		if u.Scheme == "https" {
			return 443, nil
		}
		return 80, nil
	}
	n, err := strconv.ParseUint(u.Port(), 10, 16)
	return uint16(n), err
}

// normal writes a URL in one way: host in A-label form or canonical address,
// the port only where it is not the scheme's, a path, no fragment.
func normal(u *url.URL, name string, addr netip.Addr, port uint16) *url.URL {
	c := *u
	c.Fragment, c.RawFragment, c.ForceQuery = "", "", false
	c.Host = name
	switch {
	case addr.Is6():
		c.Host = "[" + addr.String() + "]"
	case addr.IsValid():
		c.Host = addr.String()
	}
	if scheme := map[uint16]string{80: "http", 443: "https"}[port]; scheme != c.Scheme {
		c.Host += ":" + strconv.Itoa(int(port))
	}
	if c.Path == "" {
		c.Path = "/"
	}
	c.RawQuery = visible(c.RawQuery)
	return &c
}

// visible escapes what cannot stand in a request line: everything that is no
// printing ASCII character.
func visible(s string) string {
	for i := range len(s) {
		if s[i] <= ' ' || s[i] >= 0x7f {
			var b strings.Builder
			for _, c := range []byte(s) {
				if c <= ' ' || c >= 0x7f {
					b.WriteString("%" + strings.ToUpper(strconv.FormatUint(uint64(c)+0x100, 16)[1:]))
				} else {
					b.WriteByte(c)
				}
			}
			return b.String()
		}
	}
	return s
}
