package order

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const example = `
product: OV
names: [www.orchard.net, orchard.net]
common_name: www.orchard.net
method: dns
account: a1
submitted_at: 2026-11-20T16:00:00+08:00
expect:
  orchard.net: "20261120"
  www.orchard.net: {method: file, url: "http://www.orchard.net/.well-known/pki-validation/f.txt", content: abc}
organization:
  name: Orchard Ltd
  country: CN
  phone: {area: 0755, number: "86013388"}
contacts: {administrator: {first_name: Li, email: li@orchard.net}}
history: [{order: A17, account: a1, csr: old.csr, submitted_at: 2026-10-01T00:00:00Z}]
`

func TestParse(t *testing.T) {
	f, err := Parse([]byte(example))
	if err != nil {
		t.Fatal(err)
	}
	o := f.Resolve()
	if o.Product != OV || o.Organization.Phone.Area != "0755" || o.SubmittedAt.Format("2006-01-02T15:04:05Z07:00") != "2026-11-20T08:00:00Z" {
		t.Errorf("%+v", o)
	}
	want := []Challenge{
		{Name: "orchard.net", Method: MethodDNS, Value: "20261120", Origin: "own"},
		{Name: "www.orchard.net", Method: MethodFile, URL: "http://www.orchard.net/.well-known/pki-validation/f.txt", Value: "abc", Origin: "own"},
	}
	if diff := cmp.Diff(want, o.Challenges); diff != "" {
		t.Error(diff)
	}
	if len(f.History) != 1 || f.History[0].Order != "A17" {
		t.Errorf("history %+v", f.History)
	}
}

// TestParseErrors: a wrong word names the field and the words that are right.
func TestParseErrors(t *testing.T) {
	for _, c := range []struct{ name, in, want string }{
		{"product", "names: [a.net]\nproduct: dx", `product: "dx" must be one of dv, ov, ev`},
		{"kind", "names: [a.net]\nkind: old", `kind: "old" must be one of new, reissue, renewal`},
		{"method", "names: [a.net]\nmethod: carrier-pigeon", `method: "carrier-pigeon" must be one of dns, `},
		{"method of a value", "names: [a.net]\nexpect: {a.net: {method: x, value: y}}", `expect.a.net.method: "x"`},
		{"two words", "names: [a.net]\nexpect: {a.net: {content: x, value: y}}", `two words for one thing`},
		{"applicant", "names: [a.net]\napplicant: robot", `applicant: "robot"`},
		{"unknown", "names: [a.net]\norganisation: {}", `unknown field "organisation"; did you mean "organization"?`},
		{"too large", strings.Repeat("#", MaxFileBytes+1), "larger than"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			_, err := Parse([]byte(c.in))
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %s", err, c.want)
			}
		})
	}
}

// TestParseLine: the fast reader agrees with the strict one, and hands its
// faults to it for the message.
func TestParseLine(t *testing.T) {
	slow, err := Parse([]byte(example))
	if err != nil {
		t.Fatal(err)
	}
	raw, err := json.Marshal(slow)
	if err != nil {
		t.Fatal(err)
	}
	fast, err := ParseLine(raw)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(slow.Resolve(), fast.Resolve()); diff != "" {
		t.Error(diff)
	}
	for in, want := range map[string]string{
		`{"names":["a.net"],"nmaes":[]}`:                           `did you mean "names"?`,
		`{"names":["a.net"],"names":["b.net"]}`:                    "names is given twice",
		`{"names":["a.net"],"validity":{"days":1,"days":2}}`:       "validity.days is given twice",
		`{"names":["a.net"],"Product":"ov"}`:                       `did you mean "product"?`,
		`{"names":["a.net"]} {}`:                                   "more than one JSON value",
		`{"names":["a.net"],"submitted_at":"2026-11-20T08:00:00"}`: "has no offset",
		`names: [a.net]`:                                           "not a JSON object",
		``:                                                         "empty",
		`null`:                                                     "nothing but null",
		"  null \t":                                                "nothing but null",
		`{"names":["a.net",null]}`:                                 "names[1]: must not be null",
		`{"names":["a.net"],"history":[null]}`:                     "history[0]: must not be null",
	} {
		if _, err := ParseLine([]byte(in)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %s", in, err, want)
		}
	}
}

// TestNull: null stands for a field that is left out, and for nothing else; in
// a name it is a word.
func TestNull(t *testing.T) {
	for _, in := range []string{
		`{"names":["null.orchard.net"],"product":null,"history":null,"organization":null}`,
		"{\"names\":[\"null.orchard.net\"],\"plan\":\"\x7f\"}",
	} {
		f, err := ParseLine([]byte(in))
		if err != nil || f.Names[0] != "null.orchard.net" {
			t.Errorf("%s: %v", in, err)
		}
	}
	for _, in := range []string{"null", "~", "names: [a.net, ~]", "history: [null]"} {
		if _, err := Parse([]byte(in)); err == nil || !strings.Contains(err.Error(), "null") {
			t.Errorf("%s: %v", in, err)
		}
	}
}

// FuzzParse: any bytes give an order or an error, and an order that was read
// survives being written and read again.
func FuzzParse(f *testing.F) {
	f.Add([]byte(example))
	f.Add([]byte(`{"names":["a.net"],"expect":{"a.net":"x"}}`))
	f.Add([]byte("names: [\xff]"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		file, err := Parse(raw)
		if err != nil {
			return
		}
		written, err := json.Marshal(file)
		if err != nil {
			return // a year past 9999 cannot be written
		}
		again, err := ParseLine(written)
		if err != nil {
			t.Fatalf("read but not read again: %v\n%s", err, written)
		}
		first, _ := json.Marshal(file.Resolve())
		second, _ := json.Marshal(again.Resolve())
		if string(first) != string(second) {
			t.Errorf("%s\n%s", first, second)
		}
	})
}
