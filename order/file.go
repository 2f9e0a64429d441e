package order

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"assay/internal/strict"
)

// MaxFileBytes bounds an order file and a line of a batch.
const MaxFileBytes = 1 << 20

// A File is an order as people write it: an [Order] with two short forms.
type File struct {
	Order
	// Expect is the value asked of the applicant for each name: the value
	// alone, or the long form with method, owner, type, url.
	Expect map[string]Expectation `json:"expect,omitempty"`
	// History lists earlier orders to compare the CSR and key with.
	History []Earlier `json:"history,omitempty"`
}

// An Expectation is one value of expect: a text, or a table.
type Expectation struct {
	Value string `json:"value,omitempty"`
	// Content is another word for Value with file methods.
	Content string    `json:"content,omitempty"`
	Method  Method    `json:"method,omitempty"`
	Owner   string    `json:"owner,omitempty"`
	Type    string    `json:"type,omitempty"`
	URL     string    `json:"url,omitempty"`
	Created time.Time `json:"created,omitzero"`
	Expires time.Time `json:"expires,omitzero"`
}

type expectationTable Expectation

// ReadNode reads the short form or the table; see package strict.
func (e *Expectation) ReadNode(isScalar bool, read func(into any)) {
	if isScalar {
		read(&e.Value)
		return
	}
	read((*expectationTable)(e))
}

// UnmarshalJSON reads the short form or the table.
func (e *Expectation) UnmarshalJSON(raw []byte) error {
	if len(raw) > 0 && raw[0] == '"' {
		return json.Unmarshal(raw, &e.Value)
	}
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.DisallowUnknownFields()
	return dec.Decode((*expectationTable)(e))
}

// An Earlier is an order of the past, as an order file lists it.
type Earlier struct {
	Order   string `json:"order"`
	Account string `json:"account,omitempty"`
	// CSR is PEM text, or a path for the command line.
	CSR         string    `json:"csr,omitempty"`
	Names       []string  `json:"names,omitempty"`
	State       string    `json:"state,omitempty"`
	SubmittedAt time.Time `json:"submitted_at,omitzero"`
	IssuedAt    time.Time `json:"issued_at,omitzero"`
}

// Parse reads an order file, YAML or JSON. The error names line, column and
// field; see package strict.
func Parse(raw []byte) (*File, error) {
	if len(raw) > MaxFileBytes {
		return nil, fmt.Errorf("the order is larger than %d bytes", MaxFileBytes)
	}
	f := &File{}
	if err := strict.Decode(raw, f); err != nil {
		return nil, err
	}
	return f, f.check()
}

// ParseLine reads one JSON order, a line of a batch. It is faster than [Parse]
// and reads the same fields.
func ParseLine(raw []byte) (*File, error) {
	f := &File{}
	if err := strict.Keys(raw, f); err != nil {
		return nil, err // encoding/json takes the last of two
	}
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.DisallowUnknownFields()
	if err := dec.Decode(f); err != nil {
		// The slow reader has the better message; where it finds no fault the
		// text is YAML but no JSON.
		if _, better := Parse(raw); better != nil {
			return nil, better
		}
		return nil, fmt.Errorf("not a JSON object: %w", err)
	}
	if _, err := dec.Token(); err != io.EOF {
		return nil, fmt.Errorf("more than one JSON value on the line")
	}
	if bytes.Contains(raw, []byte("null")) {
		if err := refuseNull(raw); err != nil {
			return nil, err
		}
	}
	return f, f.check()
}

// refuseNull refuses null where package strict does: as the whole document and
// in a list. encoding/json takes it for anything.
func refuseNull(raw []byte) error {
	var document any
	if err := json.Unmarshal(raw, &document); err != nil {
		return fmt.Errorf("not a JSON object: %w", err)
	}
	if document == nil {
		return strict.Errors{{Message: strict.OnlyNull}}
	}
	if path := nullItem(document, ""); path != "" {
		return strict.Errors{{Path: path, Message: strict.NullItem}}
	}
	return nil
}

// nullItem returns the path of a null in a list, "" where there is none.
func nullItem(value any, path string) string {
	switch value := value.(type) {
	case []any:
		for i, item := range value {
			at := fmt.Sprintf("%s[%d]", path, i)
			if item == nil {
				return at
			}
			if found := nullItem(item, at); found != "" {
				return found
			}
		}
	case map[string]any:
		for _, key := range slices.Sorted(maps.Keys(value)) {
			if found := nullItem(value[key], strict.Join(path, key)); found != "" {
				return found
			}
		}
	}
	return ""
}

// check refuses words that no rule could make sense of.
func (f *File) check() error {
	var errs strict.Errors
	bad := func(path string, value any, allowed string) {
		errs = append(errs, &strict.Error{Path: path, Message: fmt.Sprintf("%q must be one of %s", strict.Quotable(fmt.Sprint(value)), allowed)})
	}
	if p := Product(strings.ToLower(string(f.Product))); p == "" || slices.Contains([]Product{DV, OV, EV}, p) {
		f.Product = p
	} else {
		bad("product", f.Product, "dv, ov, ev")
	}
	if f.Kind != "" && !slices.Contains([]Kind{New, Reissue, Renewal}, f.Kind) {
		bad("kind", f.Kind, "new, reissue, renewal")
	}
	if f.Applicant != "" && f.Applicant != "company" && f.Applicant != "personal" {
		bad("applicant", f.Applicant, "company, personal")
	}
	if f.CSROrigin != "" && f.CSROrigin != "original" && f.CSROrigin != "new" && f.CSROrigin != "service" {
		bad("csr_origin", f.CSROrigin, "original, new, service")
	}
	if f.Method != "" && !slices.Contains(Methods(), f.Method) {
		bad("method", f.Method, methodList())
	}
	for name, e := range f.Expect {
		if e.Method != "" && !slices.Contains(Methods(), e.Method) {
			bad("expect."+strict.Quotable(name)+".method", e.Method, methodList())
		}
		if e.Value != "" && e.Content != "" {
			errs = append(errs, &strict.Error{Path: "expect." + strict.Quotable(name), Message: "value and content are two words for one thing: give one"})
		}
	}
	if len(errs) > 0 {
		return errs
	}
	return nil
}

func methodList() string {
	words := make([]string, 0, len(Methods()))
	for _, m := range Methods() {
		words = append(words, string(m))
	}
	return strings.Join(words, ", ")
}

// Resolve returns the order with its short forms spelled out: expectations
// become challenges, sorted by name. The CSR must be text by now.
func (f *File) Resolve() *Order {
	o := f.Order
	if o.Product == "" {
		o.Product = DV
	}
	names := make([]string, 0, len(f.Expect))
	for name := range f.Expect {
		names = append(names, name)
	}
	slices.Sort(names)
	o.Challenges = slices.Clone(o.Challenges)
	for _, name := range names {
		e := f.Expect[name]
		c := Challenge{
			Name: name, Method: e.Method, Type: e.Type, Owner: e.Owner, URL: e.URL, Value: e.Value,
			Origin: "own", Created: e.Created, Expires: e.Expires,
		}
		if c.Method == "" {
			c.Method = o.Method
		}
		if c.Value == "" {
			c.Value = e.Content
		}
		o.Challenges = append(o.Challenges, c)
	}
	if !o.SubmittedAt.IsZero() {
		o.SubmittedAt = o.SubmittedAt.UTC()
	}
	return &o
}
