package rest

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/danielgtaylor/huma/v2"

	"assay/internal/message"
	"assay/internal/service"
	"assay/internal/strict"
)

// MaxBody bounds the body of a request, in bytes.
const MaxBody = 1 << 20

// A call is one request of an operation under way.
type call struct {
	*request
	s    *Server
	op   *Operation
	w    http.ResponseWriter
	r    *http.Request
	p    service.Principal
	body []byte

	query url.Values
}

func (c *call) ctx() context.Context { return c.r.Context() }

// An answer is what an operation answers.
type answer struct {
	status   int
	etag     string
	location string // path under Base
	replayed bool
	kind     string // of the content; "": JSON
	// file is the name of a download that no browser may show.
	file string
	// value is written as JSON; raw is written as it is; stream writes itself.
	value  any
	raw    []byte
	stream func() error
}

// bytes is the body.
func (a *answer) bytes() ([]byte, error) {
	if a.raw != nil || a.value == nil {
		return a.raw, nil
	}
	raw, err := json.Marshal(a.value)
	if err != nil {
		return nil, fmt.Errorf("writing the answer: %w", err)
	}
	a.raw = append(raw, '\n')
	return a.raw, nil
}

// tag gives an answer the entity tag of what it shows: its version, and a digest of
// what stands there. What is due next and how often was looked change without a
// version, and each language has its own texts (RFC 9110 8.8.3).
func (a *answer) tag(version int64) {
	raw, err := a.bytes()
	if err != nil {
		return // sending it says so
	}
	h := fnv.New64a()
	_, _ = h.Write(raw)
	a.etag = fmt.Sprintf(`"%d-%016x"`, version, h.Sum64())
}

// send writes an answer.
func (c *call) send(a *answer) error {
	if a.stream != nil {
		return a.stream()
	}
	raw, err := a.bytes()
	if err != nil {
		return err
	}
	h := c.w.Header()
	if a.etag != "" {
		h.Set("ETag", a.etag)
	}
	if a.location != "" {
		h.Set("Location", c.s.url(a.location))
	}
	if a.file != "" {
		h.Set("Content-Disposition", mime.FormatMediaType("attachment", map[string]string{"filename": a.file}))
		h.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; sandbox")
	}
	if a.replayed {
		h.Set("Idempotency-Replayed", "true")
	}
	if len(raw) > 0 {
		h.Set("Content-Type", orWord(a.kind, "application/json"))
		h.Set("Content-Length", strconv.Itoa(len(raw)))
	}
	c.w.WriteHeader(a.status)
	_, err = c.w.Write(raw)
	return err
}

func orWord(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

// check holds the request against what is documented: parameters that there are
// none of are refused, the others must fit their schema.
func (c *call) check(registry huma.Registry) error {
	var err error
	if c.query, err = url.ParseQuery(c.r.URL.RawQuery); err != nil {
		return invalid("rest.query", "Why", message.ID("rest.why.query"))
	}
	known := map[string]bool{}
	for _, p := range c.op.Parameters {
		known[p.In+" "+p.Name] = true
		value, given := c.param(p)
		if strings.ContainsRune(value, 0) || !utf8.ValidString(value) {
			return invalid("rest.parameter", "Name", p.Name, "Why", message.ID("rest.why.text"))
		}
		if !given && p.Required {
			return invalid("rest.parameter", "Name", p.Name, "Why", message.ID("rest.why.given"))
		}
		if !given {
			continue
		}
		if err := fits(registry, p, value); err != nil {
			return err
		}
	}
	for name, values := range c.query {
		if !known["query "+name] {
			return invalid("rest.unknown-parameter", "Name", strict.Quotable(name))
		}
		if len(values) > 1 {
			return invalid("rest.parameter", "Name", name, "Why", message.ID("rest.why.once"))
		}
	}
	return nil
}

func (c *call) param(p *huma.Param) (value string, given bool) {
	switch p.In {
	case "path":
		return c.r.PathValue(p.Name), true
	case "header":
		value = c.r.Header.Get(p.Name)
		return value, value != ""
	}
	return c.query.Get(p.Name), c.query.Has(p.Name)
}

// fits holds one parameter against its schema.
func fits(registry huma.Registry, p *huma.Param, text string) error {
	var value any = text
	if p.Schema.Type == "integer" {
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return invalid("rest.parameter", "Name", p.Name, "Why", message.ID("rest.why.number"))
		}
		value = n
	}
	var result huma.ValidateResult
	huma.Validate(registry, p.Schema, huma.NewPathBuffer(nil, 0), huma.ModeWriteToServer, value, &result)
	if len(result.Errors) > 0 {
		if err := unfit(p); err != nil {
			return err
		}
		var detail *huma.ErrorDetail
		if errors.As(result.Errors[0], &detail) {
			return invalid("rest.parameter", "Name", p.Name, "Why", detail.Message)
		}
		return invalid("rest.parameter", "Name", p.Name, "Why", result.Errors[0].Error())
	}
	return nil
}

// unfit says what a parameter may be, where that is a list of words, a range or a time;
// nil for another.
func unfit(p *huma.Param) error {
	switch s := p.Schema; {
	case len(s.Enum) > 0:
		words := make([]string, len(s.Enum))
		for i, w := range s.Enum {
			words[i] = fmt.Sprint(w)
		}
		return invalid("rest.parameter-word", "Name", p.Name, "Allowed", strings.Join(words, ", "))
	case s.Minimum != nil && s.Maximum != nil:
		return invalid("rest.parameter-range", "Name", p.Name, "Least", int64(*s.Minimum), "Most", int64(*s.Maximum))
	case s.Format == "date-time":
		return invalid("rest.parameter", "Name", p.Name, "Why", message.ID("rest.why.time"))
	}
	return nil
}

func (c *call) id() string              { return c.r.PathValue("id") }
func (c *call) text(name string) string { return c.query.Get(name) }
func (c *call) number(name string) int  { return int(c.number64(name)) }
func (c *call) time(name string) time.Time { // it fits its schema by now
	t, _ := time.Parse(time.RFC3339, c.query.Get(name))
	return t.UTC()
}

func (c *call) number64(name string) int64 {
	n, _ := strconv.ParseInt(c.query.Get(name), 10, 64)
	return n
}

// ifMatch is the version that the caller read; 0: none is named.
func (c *call) ifMatch() (int64, error) {
	tag := c.r.Header.Get("If-Match")
	if tag == "" || tag == "*" {
		return 0, nil
	}
	version, ok := versionOf(tag)
	if !ok {
		return 0, invalid("rest.parameter", "Name", "If-Match", "Why", message.ID("rest.why.tag"))
	}
	return version, nil
}

func entityTag(version int64) string { return `"` + strconv.FormatInt(version, 10) + `"` }

// versionOf is the version in an entity tag. What else stands in the tag is of what
// was shown: a change is held against the version alone.
func versionOf(tag string) (int64, bool) {
	if len(tag) < 3 || tag[0] != '"' || tag[len(tag)-1] != '"' {
		return 0, false
	}
	word, digest, more := strings.Cut(tag[1:len(tag)-1], "-")
	if raw, err := hex.DecodeString(digest); more && (err != nil || len(raw) != 8) {
		return 0, false
	}
	n, err := strconv.ParseInt(word, 10, 64)
	return n, err == nil && n > 0 && strconv.FormatInt(n, 10) == word
}

// unchanged reports whether the caller has that version already.
func (c *call) unchanged(etag string) bool {
	for tag := range strings.SplitSeq(c.r.Header.Get("If-None-Match"), ",") {
		if tag = strings.TrimSpace(tag); tag == "*" || strings.TrimPrefix(tag, "W/") == etag {
			return true
		}
	}
	return false
}

// readBody reads the body an operation documents, whole and bounded.
func (c *call) readBody() error {
	want := c.op.Body
	limit := int64(MaxBody)
	if want != nil && want.Limit > 0 {
		limit = want.Limit
	}
	limited := http.MaxBytesReader(c.w, c.r.Body, limit)
	raw, err := io.ReadAll(limited)
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return &service.Problem{Kind: kindTooLarge, Message: "rest.too-large", Pairs: []any{"Limit", limit}}
	case err != nil:
		return invalid("rest.body", "Why", message.ID("rest.why.whole"))
	case want == nil && len(raw) > 0:
		return invalid("rest.no-body")
	case want == nil || len(raw) == 0 && want.Optional:
		return nil
	case len(raw) == 0:
		return invalid("rest.body", "Why", message.ID("rest.why.body"))
	}
	kind := orWord(want.ContentType, "application/json")
	if given := c.r.Header.Get("Content-Type"); given != "" {
		media, _, err := mime.ParseMediaType(given)
		if err != nil || media != kind {
			return &service.Problem{Kind: kindMediaType, Message: "rest.media-type", Pairs: []any{"Want", kind}}
		}
	}
	c.body = raw
	return nil
}

// decode reads the body as JSON into a struct and accepts nothing it does not
// know; the error names the field.
func (c *call) decode(into any) error { return decode(c.body, into) }

func decode(raw []byte, into any) error {
	if bytes.HasPrefix(bytes.TrimSpace(raw), []byte("[")) {
		return invalid("rest.body", "Why", message.ID("rest.why.object"))
	}
	if err := strict.Keys(raw, into); err != nil {
		return invalid("rest.body", "Why", err.Error())
	}
	if zeroByte(raw) {
		return invalid("rest.body", "Why", `a text in it has a zero byte (\u0000)`)
	}
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.DisallowUnknownFields()
	err := dec.Decode(into)
	if err == nil {
		if _, end := dec.Token(); end != io.EOF {
			err = errors.New("there is more than one JSON value")
		} else if bytes.Equal(bytes.TrimSpace(raw), []byte("null")) {
			err = errors.New(strict.OnlyNull)
		}
	}
	if err != nil {
		return invalid("rest.body", "Why", plainly(err))
	}
	return nil
}

// zeroByte reports whether a text of a JSON document has a zero byte, which stands in no
// text that means anything, and which PostgreSQL cannot hold.
func zeroByte(raw []byte) bool {
	if !bytes.Contains(raw, []byte(`\u0000`)) { // may be \\u0000, which is another text
		return false
	}
	dec := json.NewDecoder(bytes.NewReader(raw))
	for {
		t, err := dec.Token()
		if text, ok := t.(string); ok && strings.ContainsRune(text, 0) {
			return true
		}
		if err != nil {
			return false
		}
	}
}

// plainly says what encoding/json means to somebody who does not know Go.
func plainly(err error) string {
	var syntax *json.SyntaxError
	var kind *json.UnmarshalTypeError
	switch {
	case errors.As(err, &syntax):
		return fmt.Sprintf("it is not JSON, at byte %d", syntax.Offset)
	case errors.As(err, &kind) && kind.Field == "":
		return fmt.Sprintf("it is a %s: want an object, {…}", kind.Value)
	case errors.As(err, &kind):
		return fmt.Sprintf("%s: %s does not fit", strict.Quotable(kind.Field), kind.Value)
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		return "it ends in the middle"
	}
	return strict.Quotable(strings.TrimPrefix(err.Error(), "json: "))
}

// A request is what every request has, whichever route it takes.
type request struct {
	id     string
	began  time.Time
	client string // address
	words  *message.Printer
	route  string // operation id, or the pattern
	who    service.Principal
}

type requestKey struct{}

func requestOf(ctx context.Context) *request {
	r, _ := ctx.Value(requestKey{}).(*request)
	return r
}

// listed is a list as it is shown: an empty one is [], not null.
func listed[T any](items []T) []T {
	if items == nil {
		return []T{}
	}
	return items
}
