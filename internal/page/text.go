package page

import (
	"bytes"
	"html"
	"regexp"
	"strings"
	"sync"
	"unicode/utf16"
	"unicode/utf8"

	"golang.org/x/text/encoding/simplifiedchinese"
)

// Decode turns the bytes of a body into text and says how they were written
// (see Page.Encoding). Bytes that are no text give "".
func Decode(raw []byte, contentType string) (text, encoding string) {
	switch {
	case bytes.HasPrefix(raw, []byte("\xef\xbb\xbf")):
		return clean(string(raw[3:])), "bom"
	case bytes.HasPrefix(raw, []byte("\xff\xfe")):
		return wide(raw[2:], false), "utf-16le"
	case bytes.HasPrefix(raw, []byte("\xfe\xff")):
		return wide(raw[2:], true), "utf-16be"
	case zeros(raw, 1):
		return wide(raw, false), "utf-16le"
	case zeros(raw, 0):
		return wide(raw, true), "utf-16be"
	case chinese(raw, contentType):
		if out, err := simplifiedchinese.GB18030.NewDecoder().Bytes(raw); err == nil {
			return string(out), "gb18030"
		}
	}
	return clean(string(raw)), ""
}

// clean drops what is no UTF-8, as at the place where a body was cut; too much
// of it means that it is no text.
func clean(s string) string {
	if utf8.ValidString(s) {
		return s
	}
	valid := strings.ToValidUTF8(s, "")
	if len(s)-len(valid) > len(s)/10+3 {
		return ""
	}
	return valid
}

// zeros reports whether every second byte is zero, as in UTF-16 without a mark.
func zeros(raw []byte, at int) bool {
	if len(raw) < 4 {
		return false
	}
	for i := range min(len(raw), 64) {
		if (i%2 == at) != (raw[i] == 0) {
			return false
		}
	}
	return true
}

func wide(raw []byte, big bool) string {
	units := make([]uint16, len(raw)/2)
	for i := range units {
		if big {
			units[i] = uint16(raw[2*i])<<8 | uint16(raw[2*i+1])
		} else {
			units[i] = uint16(raw[2*i+1])<<8 | uint16(raw[2*i])
		}
	}
	return string(utf16.Decode(units))
}

// chinese reports whether a text says that it is written in GB 2312, GBK or GB
// 18030, as older pages of Chinese providers are.
func chinese(raw []byte, contentType string) bool {
	if utf8.Valid(raw) {
		return false
	}
	for _, text := range []string{strings.ToLower(contentType), strings.ToLower(string(raw[:min(len(raw), 1024)]))} {
		if _, after, ok := strings.Cut(text, "charset="); ok {
			after = strings.TrimLeft(after, "\"' ")
			return strings.HasPrefix(after, "gb")
		}
	}
	return false
}

const maxTitle = 200

// title reads the title of a page; lower is text in lower case.
func title(text, lower string) string {
	if len(text) != len(lower) {
		text = lower // letters whose case has other lengths: places differ
	}
	start := strings.Index(lower, "<title")
	if start < 0 {
		return ""
	}
	open := strings.IndexByte(lower[start:], '>')
	if open < 0 {
		return ""
	}
	start += open + 1
	end := strings.Index(lower[start:], "</title")
	if end < 0 {
		end = len(lower) - start
	}
	folded := strings.Join(strings.Fields(html.UnescapeString(text[start:start+end])), " ")
	if runes := []rune(folded); len(runes) > maxTitle {
		folded = string(runes[:maxTitle])
	}
	return folded
}

var (
	metaRefresh = once(`(?i)<meta[^>]{0,100}http-equiv\s*=\s*["']?refresh["']?[^>]{0,100}content\s*=\s*["']?([^"'>]{0,500})`)
	scripted    = once(`(?i)(?:window|document|self|top)?\.?location(?:\.href|\.replace|\.assign)?\s*(?:=|\()\s*["']([^"']{1,500})["']`)
)

// once compiles an expression when a page is first read: most runs read none.
func once(expression string) func() *regexp.Regexp {
	return sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(expression) })
}

// smallPage bounds the page that is taken for a redirect by script: a larger
// one does more than that.
const smallPage = 2048

// leads reads where a page sends a browser.
func (r *response) leads() (how, target string) {
	if m := metaRefresh().FindStringSubmatch(r.text); m != nil {
		if target := refreshTarget(m[1]); target != "" {
			return "meta-refresh", target
		}
	}
	if len(r.text) <= smallPage && r.hop.Body.Whole() {
		if m := scripted().FindStringSubmatch(r.text); m != nil {
			return "script", m[1]
		}
	}
	return "", ""
}

// refreshTarget reads "0; url=http://…"; a refresh of the page itself has none.
func refreshTarget(v string) string {
	_, after, ok := strings.Cut(v, ";")
	if !ok {
		return ""
	}
	after = strings.TrimSpace(after)
	if len(after) < 4 || !strings.EqualFold(after[:3], "url") {
		return ""
	}
	after = strings.TrimSpace(after[3:])
	return strings.Trim(strings.TrimPrefix(after, "="), " \"'")
}
