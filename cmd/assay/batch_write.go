package main

import (
	"bytes"
	"encoding/json"
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"

	"assay/data"
	"assay/evidence"
	"assay/review"
)

// A reportWriter appends reports as lines, byte for byte as encoding/json
// writes them. Most of a report is the same for every order of a batch: which
// profile, which data, what was not asked, which lists there are. That is
// written once and copied. It is not safe for concurrent use.
type reportWriter struct {
	buf bytes.Buffer
	enc *json.Encoder

	profile  kept[review.ProfileRef]
	data     kept[map[string]data.Ref]
	notAsked kept[[]review.NotAsked]
	seen     map[seenKey][]byte
}

// kept is the last value of a field and how it is written.
type kept[T any] struct {
	value T
	raw   []byte
}

// seenKey tells observations apart that are written differently: the id covers
// everything but the time and the duration.
type seenKey struct {
	id string
	at time.Time
}

func newReportWriter() *reportWriter {
	w := &reportWriter{seen: map[seenKey][]byte{}}
	w.enc = json.NewEncoder(&w.buf)
	w.enc.SetEscapeHTML(false)
	return w
}

// reportField is one field of a report's JSON.
type reportField struct {
	index int
	// head is `,"name":`.
	head      string
	omitEmpty bool
}

var reportFields = func() []reportField {
	t := reflect.TypeFor[review.Report]()
	var fields []reportField
	for i := range t.NumField() {
		name, options, _ := strings.Cut(t.Field(i).Tag.Get("json"), ",")
		fields = append(fields, reportField{i, `,"` + name + `":`, options == "omitempty"})
	}
	return fields
}()

// append appends a report and a line break.
func (w *reportWriter) append(out []byte, r *review.Report) []byte {
	start := len(out)
	v := reflect.ValueOf(r).Elem()
	for _, f := range reportFields {
		field := v.Field(f.index)
		if f.omitEmpty && isEmpty(field) {
			continue
		}
		out = append(out, f.head...)
		switch value := field.Addr().Interface().(type) {
		case *review.ProfileRef:
			out = w.profile.append(w, out, *value, func(a, b review.ProfileRef) bool { return a == b })
		case *map[string]data.Ref:
			out = w.data.append(w, out, *value, maps.Equal[map[string]data.Ref])
		case *[]review.NotAsked:
			out = w.notAsked.append(w, out, *value, sameNotAsked)
		case *[]evidence.Observation:
			out = w.observations(out, *value)
		default:
			out = append(out, w.marshal(value)...)
		}
	}
	out[start] = '{'
	return append(out, '}', '\n')
}

// isEmpty is what encoding/json leaves out with omitempty.
func isEmpty(v reflect.Value) bool {
	switch v.Kind() {
	case reflect.Slice, reflect.Map, reflect.String:
		return v.Len() == 0
	case reflect.Struct:
		return false
	}
	return v.IsZero()
}

func (k *kept[T]) append(w *reportWriter, out []byte, value T, same func(a, b T) bool) []byte {
	if k.raw == nil || !same(k.value, value) {
		k.raw = slices.Clone(w.marshal(value))
		k.value = value
	}
	return append(out, k.raw...)
}

// marshal returns the JSON of a value, escaped for terminals, valid until the
// next call.
func (w *reportWriter) marshal(value any) []byte {
	w.buf.Reset()
	if err := w.enc.Encode(value); err != nil {
		panic("report does not marshal: " + err.Error())
	}
	return escapeUnprintable(bytes.TrimSuffix(w.buf.Bytes(), []byte{'\n'}))
}

func sameNotAsked(a, b []review.NotAsked) bool {
	return (a == nil) == (b == nil) && slices.EqualFunc(a, b, func(x, y review.NotAsked) bool {
		return x.What == y.What && x.Why == y.Why && slices.Equal(x.Causes, y.Causes)
	})
}

func (w *reportWriter) observations(out []byte, seen []evidence.Observation) []byte {
	if seen == nil {
		return append(out, "null"...)
	}
	out = append(out, '[')
	for i := range seen {
		if i > 0 {
			out = append(out, ',')
		}
		out = append(out, w.observation(&seen[i])...)
	}
	return append(out, ']')
}

// observation keeps those that many orders share: lists of inputs, and records
// that are not there.
func (w *reportWriter) observation(o *evidence.Observation) []byte {
	shared := o.Lookup != nil && (o.Lookup.Absent || o.Lookup.Inputs != nil) && o.Millis == 0
	if !shared {
		return w.marshal(o)
	}
	key := seenKey{o.ID, o.At}
	raw := w.seen[key]
	if raw == nil {
		raw = slices.Clone(w.marshal(o))
		if len(w.seen) >= 64 {
			clear(w.seen)
		}
		w.seen[key] = raw
	}
	return raw
}
