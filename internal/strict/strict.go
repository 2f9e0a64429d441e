// Package strict reads YAML and JSON documents into structs by their json tags
// and accepts nothing it does not know: an unknown field, a value of the wrong
// type, a time without an offset, a field given twice are errors with the line
// and column, all of them at once.
//
// Anchors and aliases are refused, so a small document cannot grow.
package strict

import (
	"errors"
	"fmt"
	"io"
	"math"
	"reflect"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"assay/key"
)

// MaxErrors is how many errors are reported at most.
const MaxErrors = 20

// maxDepth bounds the nesting of a document.
const maxDepth = 40

// What is said of null where it stands for nothing.
const (
	OnlyNull = "nothing but null: want a document"
	NullItem = "must not be null: leave it out of the list"
)

// An Error is one thing wrong with a document.
type Error struct {
	Line, Column int
	Path         string // "organization.phone.area"
	Message      string
}

func (e *Error) Error() string {
	at := ""
	if e.Line > 0 {
		at = fmt.Sprintf("line %d, column %d: ", e.Line, e.Column)
	}
	if e.Path != "" {
		return at + e.Path + ": " + e.Message
	}
	return at + e.Message
}

// Errors are all things wrong with a document, at most [MaxErrors].
type Errors []*Error

func (e Errors) Error() string {
	lines := make([]string, len(e))
	for i := range e {
		lines[i] = e[i].Error()
	}
	return strings.Join(lines, "\n")
}

// A NodeReader is a type that reads itself, for values of more than one shape.
// It calls read to decode the node into a value of its choice.
type NodeReader interface {
	ReadNode(isScalar bool, read func(into any))
}

// Decode reads one document into the struct that into points at. The error is
// [Errors].
func Decode(raw []byte, into any) error {
	var doc yaml.Node
	dec := yaml.NewDecoder(strings.NewReader(string(raw)))
	if err := dec.Decode(&doc); err != nil {
		return Errors{syntaxError(err)}
	}
	if err := dec.Decode(new(yaml.Node)); err == nil {
		return Errors{{Message: "more than one document in the file"}}
	}
	d := &decoder{}
	switch {
	case len(doc.Content) != 1:
	case isNull(doc.Content[0]):
		d.fail(doc.Content[0], "", OnlyNull)
	default:
		d.value(doc.Content[0], reflect.ValueOf(into).Elem(), "", 0)
	}
	if len(d.errs) > 0 {
		return d.errs
	}
	return nil
}

func syntaxError(err error) *Error {
	text := strings.TrimPrefix(err.Error(), "yaml: ")
	e := &Error{Message: text}
	if rest, ok := strings.CutPrefix(text, "line "); ok {
		number, message, _ := strings.Cut(rest, ": ")
		if n, err := strconv.Atoi(number); err == nil {
			e.Line, e.Column, e.Message = n, 1, message
		}
	}
	if errors.Is(err, io.EOF) {
		e.Message = "the document is empty"
	}
	return e
}

func isNull(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.Tag == "!!null" }

type decoder struct{ errs Errors }

func (d *decoder) fail(n *yaml.Node, path, format string, args ...any) {
	if len(d.errs) < MaxErrors {
		d.errs = append(d.errs, &Error{n.Line, n.Column, path, fmt.Sprintf(format, args...)})
	}
}

var (
	timeType       = reflect.TypeFor[time.Time]()
	durationType   = reflect.TypeFor[time.Duration]()
	nodeReaderType = reflect.TypeFor[NodeReader]()
)

func (d *decoder) value(n *yaml.Node, v reflect.Value, path string, depth int) {
	if depth > maxDepth {
		d.fail(n, path, "nested deeper than %d levels", maxDepth)
		return
	}
	if n.Kind == yaml.AliasNode || n.Anchor != "" {
		d.fail(n, path, "anchors and aliases are not allowed")
		return
	}
	if v.CanAddr() && v.Addr().Type().Implements(nodeReaderType) {
		v.Addr().Interface().(NodeReader).ReadNode(n.Kind == yaml.ScalarNode, func(into any) {
			d.value(n, reflect.ValueOf(into).Elem(), path, depth+1)
		})
		return
	}
	if isNull(n) {
		return
	}
	switch {
	case v.Type() == timeType:
		d.time(n, v, path)
	case v.Type() == durationType:
		if x, err := time.ParseDuration(n.Value); err == nil {
			v.SetInt(int64(x))
		} else {
			d.fail(n, path, "%q is no duration: write 90m or 72h", Quotable(n.Value))
		}
	case v.Kind() == reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		d.value(n, v.Elem(), path, depth)
	case v.Kind() == reflect.Struct:
		d.structure(n, v, path, depth)
	case v.Kind() == reflect.Slice:
		d.list(n, v, path, depth)
	case v.Kind() == reflect.Map:
		d.table(n, v, path, depth)
	default:
		d.scalar(n, v, path)
	}
}

func (d *decoder) scalar(n *yaml.Node, v reflect.Value, path string) {
	if n.Kind != yaml.ScalarNode {
		d.fail(n, path, "must be %s, not %s", kindWord(v.Kind()), nodeWord(n))
		return
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString(n.Value)
	case reflect.Int, reflect.Int64:
		x, err := strconv.ParseInt(n.Value, 10, 64)
		if err != nil {
			d.fail(n, path, "%q is not a whole number", Quotable(n.Value))
		}
		v.SetInt(x)
	case reflect.Float64:
		x, err := strconv.ParseFloat(n.Value, 64)
		if err != nil || math.IsInf(x, 0) || math.IsNaN(x) {
			d.fail(n, path, "%q is no number", Quotable(n.Value))
			return
		}
		v.SetFloat(x)
	case reflect.Bool:
		x, err := strconv.ParseBool(n.Value)
		if err != nil {
			d.fail(n, path, "%q is neither true nor false", Quotable(n.Value))
		}
		v.SetBool(x)
	case reflect.Interface:
		var x any
		if err := n.Decode(&x); err != nil {
			d.fail(n, path, "%v", err)
			return
		}
		v.Set(reflect.ValueOf(x))
	default:
		panic("strict: unsupported kind " + v.Kind().String())
	}
}

func (d *decoder) time(n *yaml.Node, v reflect.Value, path string) {
	t, err := time.Parse(time.RFC3339, n.Value)
	if err == nil {
		v.Set(reflect.ValueOf(t))
		return
	}
	for _, layout := range []string{"2006-01-02T15:04:05", "2006-01-02 15:04:05", "2006-01-02T15:04", "2006-01-02 15:04", "2006-01-02"} {
		if t, err := time.Parse(layout, n.Value); err == nil {
			d.fail(n, path, "the time %q has no offset: write %sZ for UTC, or +08:00 at its end", Quotable(n.Value), t.Format("2006-01-02T15:04:05"))
			return
		}
	}
	d.fail(n, path, "%q is no time: write it as 2026-11-20T08:00:00Z", Quotable(n.Value))
}

func (d *decoder) list(n *yaml.Node, v reflect.Value, path string, depth int) {
	if n.Kind != yaml.SequenceNode {
		d.fail(n, path, "must be a list, not %s", nodeWord(n))
		return
	}
	s := reflect.MakeSlice(v.Type(), len(n.Content), len(n.Content))
	for i, item := range n.Content {
		at := path + "[" + strconv.Itoa(i) + "]"
		if isNull(item) {
			d.fail(item, at, NullItem)
			continue
		}
		d.value(item, s.Index(i), at, depth+1)
	}
	v.Set(s)
}

func (d *decoder) table(n *yaml.Node, v reflect.Value, path string, depth int) {
	if n.Kind != yaml.MappingNode {
		d.fail(n, path, "must be a table of keys and values, not %s", nodeWord(n))
		return
	}
	m := reflect.MakeMapWithSize(v.Type(), len(n.Content)/2)
	for i := 0; i+1 < len(n.Content); i += 2 {
		key := reflect.ValueOf(n.Content[i].Value).Convert(v.Type().Key())
		if m.MapIndex(key).IsValid() {
			d.fail(n.Content[i], path, "%q is given twice", Quotable(n.Content[i].Value))
		}
		item := reflect.New(v.Type().Elem()).Elem()
		d.value(n.Content[i+1], item, Join(path, n.Content[i].Value), depth+1)
		m.SetMapIndex(key, item)
	}
	v.Set(m)
}

func (d *decoder) structure(n *yaml.Node, v reflect.Value, path string, depth int) {
	if n.Kind != yaml.MappingNode {
		d.fail(n, path, "must be a table of keys and values, not %s", nodeWord(n))
		return
	}
	known := fields(v.Type())
	seen := map[string]bool{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, item := n.Content[i], n.Content[i+1]
		index, ok := known[key.Value]
		switch {
		case !ok:
			d.fail(key, path, "unknown field %q%s", Quotable(key.Value), suggest(key.Value, known))
		case seen[key.Value]:
			d.fail(key, path, "field %q is given twice", Quotable(key.Value))
		default:
			seen[key.Value] = true
			d.value(item, v.FieldByIndex(index), Join(path, key.Value), depth+1)
		}
	}
}

// fields maps the json names of a struct, embedded ones included, to indexes.
func fields(t reflect.Type) map[string][]int {
	m := map[string][]int{}
	for i := range t.NumField() {
		f := t.Field(i)
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if f.Anonymous && name == "" {
			for k, index := range fields(f.Type) {
				m[k] = append([]int{i}, index...)
			}
			continue
		}
		if f.IsExported() && name != "" && name != "-" {
			m[name] = []int{i}
		}
	}
	return m
}

// suggest names the known field nearest to a wrong one.
func suggest(wrong string, known map[string][]int) string {
	best, distance := "", 4
	for k := range known {
		if n := editDistance(wrong, k); n < distance || n == distance && best != "" && k < best {
			best, distance = k, n
		}
	}
	if best == "" {
		return ""
	}
	return fmt.Sprintf("; did you mean %q?", best)
}

func editDistance(a, b string) int {
	if len(a) > 64 {
		return len(a)
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(a); i++ {
		previous := row[0]
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := previous
			if a[i-1] != b[j-1] {
				cost++
			}
			previous = row[j]
			row[j] = min(cost, row[j]+1, row[j-1]+1)
		}
	}
	return row[len(b)]
}

func Join(path, key string) string {
	if path == "" {
		return Quotable(key)
	}
	return path + "." + Quotable(key)
}

// clip shortens a text from outside for an error message; control characters
// are left to the quoting of the message.
// Quotable is what an error may quote of a value: not all of a long one, and
// nothing of a private key.
func Quotable(s string) string {
	if key.InText(s) {
		return key.Removed
	}
	if len(s) <= 60 {
		return s
	}
	return s[:57] + "..."
}

func nodeWord(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "a table"
	case yaml.SequenceNode:
		return "a list"
	}
	return "a single value"
}

func kindWord(k reflect.Kind) string {
	switch k {
	case reflect.String:
		return "a text"
	case reflect.Bool:
		return "true or false"
	}
	return "a number"
}
