package strict

import (
	"bytes"
	"encoding"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
)

// Keys refuses what encoding/json takes silently when it reads a JSON document
// into the struct that into points at: a field given twice, of which the last one
// counts, and a field whose name has other capitals. Fields that read themselves
// ([json.RawMessage], [json.Unmarshaler]) are left to their own reader. What is
// not JSON is no error of this function.
func Keys(raw []byte, into any) error {
	k := keys{dec: json.NewDecoder(bytes.NewReader(raw))}
	k.dec.UseNumber()
	k.value(reflect.TypeOf(into), "", 0)
	return k.err
}

type keys struct {
	dec *json.Decoder
	err error
	bad bool // it is not JSON, or nested too deeply to be looked through
}

func (k *keys) over() bool { return k.err != nil || k.bad }

func (k *keys) token() json.Token {
	t, err := k.dec.Token()
	if err != nil {
		k.bad = true
	}
	return t
}

// skip passes over a value that is not looked into.
func (k *keys) skip() {
	var raw json.RawMessage
	if k.dec.Decode(&raw) != nil {
		k.bad = true
	}
}

var (
	readsJSON = reflect.TypeFor[json.Unmarshaler]()
	readsText = reflect.TypeFor[encoding.TextUnmarshaler]()
)

func (k *keys) value(t reflect.Type, path string, depth int) {
	for t != nil && t.Kind() == reflect.Pointer && !t.Implements(readsJSON) {
		t = t.Elem()
	}
	if t == nil || depth > maxDepth || t.Implements(readsJSON) || reflect.PointerTo(t).Implements(readsJSON) || reflect.PointerTo(t).Implements(readsText) {
		k.skip()
		return
	}
	switch t.Kind() {
	case reflect.Struct, reflect.Map, reflect.Slice, reflect.Array:
	default:
		k.skip()
		return
	}
	switch k.token() {
	case json.Delim('{'):
		k.object(t, path, depth)
	case json.Delim('['):
		for !k.over() && k.dec.More() {
			k.value(elementOf(t), path, depth+1)
		}
		k.token()
	}
}

func (k *keys) object(t reflect.Type, path string, depth int) {
	given := map[string]bool{}
	for !k.over() && k.dec.More() {
		name, _ := k.token().(string)
		at := strings.TrimPrefix(path+"."+name, ".")
		if given[name] {
			k.err = fmt.Errorf("%s is given twice", Quotable(at))
			return
		}
		given[name] = true
		inner := elementOf(t)
		if t.Kind() == reflect.Struct {
			field, meant := fieldOf(t, name)
			if meant != "" {
				k.err = fmt.Errorf("%s: did you mean %q? Names are in small letters", Quotable(at), meant)
				return
			}
			inner = field
		}
		k.value(inner, at, depth+1)
	}
	if !k.over() {
		k.token()
	}
}

// elementOf is the type of what stands in a list or map; nil for other types.
func elementOf(t reflect.Type) reflect.Type {
	switch t.Kind() {
	case reflect.Map, reflect.Slice, reflect.Array:
		return t.Elem()
	}
	return nil
}

// fieldOf is the type of a struct's field, and where only the capitals are others,
// its right name. Unknown ones are for the decoder to refuse.
func fieldOf(t reflect.Type, name string) (field reflect.Type, meant string) {
	for _, f := range reflect.VisibleFields(t) {
		tag, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		switch {
		case !f.IsExported() || tag == "-" || f.Anonymous && tag == "":
			continue
		case tag == "":
			tag = f.Name
		}
		if tag == name {
			return f.Type, ""
		}
		if strings.EqualFold(tag, name) {
			meant = tag
		}
	}
	return nil, meant
}
