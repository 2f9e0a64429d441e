package der

import (
	"encoding/asn1"
	"testing"
)

func TestNext(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		in      []byte
		message string
		missing int
	}{
		"short form":            {in: []byte{0x02, 0x01, 0x05}},
		"indefinite":            {in: []byte{0x30, 0x80, 0, 0}, message: "an indefinite length (BER, not DER)"},
		"long form not minimal": {in: []byte{0x02, 0x81, 0x01, 0x05}, message: "a length that is not in its shortest form (BER, not DER)"},
		"cut":                   {in: []byte{0x04, 0x05, 1, 2}, message: "an element of 5 bytes reaches 3 bytes beyond the end", missing: 3},
		"cut in the length":     {in: []byte{0x30, 0x82, 1}, message: "the data ends inside a length", missing: 1},
		"high tag":              {in: []byte{0x1f, 0x81, 0x01, 0}, message: "a tag number above 30"},
		"nothing":               {in: nil, message: "the data ends", missing: 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := NewReader(c.in)
			_, err := r.Next()
			if err == nil {
				if c.message != "" {
					t.Fatal("no error")
				}
				return
			}
			if err.Message != c.message || err.Missing != c.missing {
				t.Errorf("%q, %d missing", err.Message, err.Missing)
			}
		})
	}
}

// FuzzOID: well-formed identifiers are those that encoding/asn1 reads, and are
// written as it writes them.
func FuzzOID(f *testing.F) {
	f.Add([]byte{0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 1})
	f.Add([]byte{0x80, 1})
	f.Add([]byte{0x88, 0x37})
	f.Fuzz(func(t *testing.T, body []byte) {
		if len(body) > 100 {
			return
		}
		var oid asn1.ObjectIdentifier
		rest, err := asn1.Unmarshal(append([]byte{OID, byte(len(body))}, body...), &oid)
		if err != nil || len(rest) > 0 {
			return // it also refuses arcs of more than 31 bits
		}
		if !ValidOID(body) || OIDString(body) != oid.String() {
			t.Errorf("%x: %v %s, want %s", body, ValidOID(body), OIDString(body), oid)
		}
	})
}
