package web

import (
	"io"
	"net/url"
	"strings"
)

// agent is the User-Agent of a CA's fetch; it names what asks and why.
const agent = "Mozilla/5.0 (compatible; Assay; certificate validation)"

// browser is what a person's browser sends, for servers that tell apart.
const browser = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36"

// request writes a GET. Accept is sent because ModSecurity's rules block its
// absence; no content coding is accepted, so that bytes arrive as they are.
func request(u *url.URL, host, userAgent string) string {
	var b strings.Builder
	b.Grow(512)
	b.WriteString("GET ")
	b.WriteString(visible(u.RequestURI()))
	b.WriteString(" HTTP/1.1\r\nHost: ")
	b.WriteString(host)
	if userAgent == "browser" {
		b.WriteString("\r\nUser-Agent: " + browser +
			"\r\nAccept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8" +
			"\r\nAccept-Language: en-US,en;q=0.9,zh-CN;q=0.8\r\nUpgrade-Insecure-Requests: 1")
	} else {
		b.WriteString("\r\nUser-Agent: " + agent + "\r\nAccept: */*")
	}
	b.WriteString("\r\nAccept-Encoding: identity\r\nConnection: close\r\n\r\n")
	return b.String()
}

func send(w io.Writer, text string) error {
	_, err := io.WriteString(w, text)
	return err
}
