package review

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"compress/zlib"
	"fmt"
	"html"
	"io"
	"slices"
	"strings"

	"assay/cause"
	"assay/evidence"
	"assay/internal/page"
)

// wrongContent: a success status, and what comes is something else.
func (f *facts) wrongContent(s *sink, v *visit, c *scheme, p *page.Page, n *siblings) {
	h := c.chosen.last()
	kind := map[page.Kind]string{page.HTML: "html", page.CMS: "html", page.JSON: "json", page.Login: "login"}[p.Kind]
	switch {
	case same(h, n.host):
		f.otherHost(s, v, c, "any-host", p, n.host)
	case kind != "" || same(h, n.path):
		d := s.addVisit(cause.FileContentIsWebPage, v).with("url", clipped(h.URL)).with("title", clipped(visible(p.Title)))
		if kind == "" {
			kind = "any-path"
			d.with("random", n.path.HTTP.Fetches[0].Hops[0].URL)
		}
		d.with("kind", kind).fetched(f.primary(), c.o, n.path).reproduce(curl(h.URL, ipOf(h)))
	default:
		f.mismatch(s, v, c)
	}
}

// mismatch: other content, and nothing that says why.
func (f *facts) mismatch(s *sink, v *visit, c *scheme) {
	h := c.chosen.last()
	d := s.addVisit(cause.FileContentMismatch, v).with("url", clipped(h.URL)).with("expected", shorten(v.file)).
		fetched(f.primary(), c.o).reproduce(curl(h.URL, ipOf(h)))
	if h.Body == nil || h.Body.Bytes == 0 {
		d.with("problem", "empty")
		return
	}
	seen := shorten(visible(string(h.Body.Head)))
	if strings.TrimSpace(seen) == "" {
		seen = `"` + seen + `"`
	}
	d.with("problem", "other").with("seen", seen).with("size", h.Body.Bytes).with("sha256", h.Body.SHA256)
}

// otherHost: a site or device answers that is not the one of the name.
func (f *facts) otherHost(s *sink, v *visit, c *scheme, fingerprint string, p *page.Page, more ...*evidence.Observation) {
	h := c.chosen.last()
	d := s.addVisit(cause.FileOtherHostAnswers, v).with("name", v.subject).with("address", ipOf(h)).with("fingerprint", fingerprint).
		with("title", clipped(visible(p.Title))).with("server", clipped(visible(headerOf(h, "Server")))).
		fetched(f.primary(), c.o).fetched(f.primary(), more...).reproduce(curl(h.URL, ipOf(h)))
	if hostOfURL(h.URL) != v.base {
		d.with("name", clipped(hostOfURL(h.URL)))
	}
}

// fileOfOtherOrder: the content of another order of the same account.
func (f *facts) fileOfOtherOrder(s *sink, v *visit, c *scheme) bool {
	h := c.chosen.last()
	records, ok := f.records(evidence.TopicOrders)
	if !ok || h.Body == nil || !h.Body.Whole() {
		return false
	}
	body := strings.TrimRight(string(h.Body.Head), blanks)
	for i := range records.Orders {
		o := &records.Orders[i]
		if !o.Own || o.Order != "" && o.Order == f.Order.ID || body == "" || f.asksFor(body) {
			continue
		}
		if slices.ContainsFunc(o.Values, func(value string) bool { return strings.TrimRight(value, blanks) == body }) {
			s.addVisit(cause.FileContentOfOtherOrder, v).with("url", clipped(h.URL)).with("order", o.Order).with("submitted", o.SubmittedAt).
				with("expected", shorten(v.file)).from(f, evidence.TopicOrders).fetched(f.primary(), c.o).reproduce(curl(h.URL, ipOf(h)))
			return true
		}
	}
	return false
}

// altered: the right content but for what an editor or filter made of it.
func (f *facts) altered(s *sink, v *visit, c *scheme, p *page.Page) bool {
	h := c.chosen.last()
	if h.Body == nil {
		return false
	}
	changes := f.changesOf(v, h, p)
	if len(changes) == 0 {
		return false
	}
	d := s.addVisit(cause.FileContentAltered, v).with("url", clipped(h.URL)).with("changes", changes).with("expected", shorten(v.file)).
		with("seen", shorten(visible(string(h.Body.Head)))).with("difference", differing(h.Body.Head, v.file)).
		with("size", h.Body.Bytes).fetched(f.primary(), c.o).reproduce(curl(h.URL, ipOf(h)) + piped(h.URL))
	if slices.Contains(changes, "too-long") {
		d.with("limit", f.profile.File.MaxBytes)
	}
	return true
}

// piped shows bytes as they are.
func piped(url string) string {
	if curl(url, "") == "" {
		return ""
	}
	return " | hexdump -C | head"
}

// changesOf names what has to be undone until a body is F; none where that does
// not lead to it.
func (f *facts) changesOf(v *visit, h *evidence.Hop, p *page.Page) []string {
	raw := h.Body.Head
	var changes []string
	if p.Coding != "" {
		if raw = decompressed(raw, p.Coding); raw == nil || !h.Body.Whole() {
			return nil
		}
		changes = append(changes, "content-coding")
	}
	text, encoding := page.Decode(raw, headerOf(h, "Content-Type"))
	switch encoding {
	case "bom":
		changes = append(changes, "bom")
	case "utf-16le", "utf-16be":
		changes = append(changes, "utf-16")
	}
	is := func() bool { return strings.TrimRight(text, blanks) == v.file }
	for _, undo := range []struct {
		name string
		do   func(string) string
	}{
		{"leading-blank", func(s string) string { return strings.TrimLeft(s, blanks+"\v\f\u00a0\u200b") }},
		{"quotes", func(s string) string { return strings.Trim(strings.TrimRight(s, blanks), "\"'“”„‘’`") }},
		{"html-escaped", html.UnescapeString},
	} {
		if is() {
			break
		}
		if plain := undo.do(text); strings.TrimRight(plain, blanks) != strings.TrimRight(text, blanks) {
			text, changes = plain, append(changes, undo.name)
		}
	}
	switch {
	case is() && f.tooLong(h.Body):
		return append(changes, "too-long") // white space, for one
	case is():
		return changes
	case v.file != "" && strings.Contains(text, v.file) && f.tooLong(h.Body):
		return append(written(changes), "too-long")
	case v.file != "" && strings.Contains(text, v.file):
		return append(written(changes), "extra-text")
	}
	return nil
}

// written keeps the changes that say how the whole is written, not what stands
// around the value: there is other text besides.
func written(changes []string) []string {
	return slices.DeleteFunc(changes, func(c string) bool { return c == "quotes" || c == "leading-blank" || c == "html-escaped" })
}

// maxUnpacked bounds what a compressed body becomes.
const maxUnpacked = 64 << 10

// decompressed undoes a content coding; nil where that cannot be done.
func decompressed(raw []byte, coding string) []byte {
	var r io.Reader
	var err error
	switch coding {
	case "gzip", "x-gzip":
		r, err = gzip.NewReader(bytes.NewReader(raw))
	case "deflate":
		if r, err = zlib.NewReader(bytes.NewReader(raw)); err != nil {
			r, err = flate.NewReader(bytes.NewReader(raw)), nil
		}
	default:
		return nil
	}
	if err != nil {
		return nil
	}
	out, err := io.ReadAll(io.LimitReader(r, maxUnpacked))
	if err != nil {
		return nil
	}
	return out
}

// differing shows, in hexadecimal, the bytes from which a body differs.
func differing(body []byte, want string) string {
	const most = 16
	i := 0
	for i < len(body) && i < len(want) && body[i] == want[i] {
		i++
	}
	shown := body[i:min(len(body), i+most)]
	if len(shown) == 0 {
		return ""
	}
	text := fmt.Sprintf("% x", shown)
	if i > 0 {
		text = "… " + text
	}
	if i+most < len(body) {
		text += " …"
	}
	return text
}
