package strict

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"
)

type inner struct {
	Area string `json:"area,omitempty"`
}

type base struct {
	Names []string `json:"names"`
}

type document struct {
	base
	Text    string            `json:"text"`
	Count   int               `json:"count"`
	On      bool              `json:"on"`
	When    time.Time         `json:"when"`
	Wait    time.Duration     `json:"wait"`
	Phone   inner             `json:"phone"`
	Pointer *inner            `json:"pointer"`
	Table   map[string]string `json:"table"`
	hidden  string
}

// TestErrors: every fault is named with its line, column and field.
func TestErrors(t *testing.T) {
	for _, c := range []struct{ name, in, want string }{
		{"unknown field", "text: a\ntxt: b", `line 2, column 1: unknown field "txt"; did you mean "text"?`},
		{"unknown nested field", "phone: {aera: 1}", `line 1, column 9: phone: unknown field "aera"; did you mean "area"?`},
		{"unexported field", "hidden: x", `line 1, column 1: unknown field "hidden"`},
		{"twice", "text: a\ntext: b", `line 2, column 1: field "text" is given twice`},
		{"no offset", "when: 2026-11-20T08:00:00", `line 1, column 7: when: the time "2026-11-20T08:00:00" has no offset: write 2026-11-20T08:00:00Z for UTC, or +08:00 at its end`},
		{"date alone", "when: 2026-11-20", `has no offset`},
		{"no time", "when: soon", `line 1, column 7: when: "soon" is no time: write it as 2026-11-20T08:00:00Z`},
		{"not a number", "count: many", `line 1, column 8: count: "many" is not a whole number`},
		{"not a bool", "on: maybe", `"maybe" is neither true nor false`},
		{"not a duration", "wait: 3 days", `"3 days" is no duration`},
		{"list for a text", "text: [a]", `line 1, column 7: text: must be a text, not a list`},
		{"text for a list", "names: a", `line 1, column 8: names: must be a list, not a single value`},
		{"text for a table", "phone: 12", `line 1, column 8: phone: must be a table of keys and values, not a single value`},
		{"list item", "names: [a, {b: c}]", `line 1, column 12: names[1]: must be a text, not a table`},
		{"alias", "text: &x a\ntable: {k: *x}", `anchors and aliases are not allowed`},
		{"key twice in a table", "table: {k: a, k: b}", `"k" is given twice`},
		{"two documents", "text: a\n---\ntext: b", `more than one document`},
		{"empty", "", `the document is empty`},
		{"syntax", "text: [a", `line 1`},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			err := Decode([]byte(c.in), &document{})
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v\nwant %s", err, c.want)
			}
		})
	}
}

// TestAllAtOnce: several faults are reported together, a flood is bounded.
func TestAllAtOnce(t *testing.T) {
	err := Decode([]byte("count: x\nwhen: y\non: z"), &document{})
	var errs Errors
	if !errors.As(err, &errs) || len(errs) != 3 {
		t.Fatalf("got %v", err)
	}
	err = Decode([]byte("names: ["+strings.Repeat("{a: b},", 1000)+"]"), &document{})
	if !errors.As(err, &errs) || len(errs) != MaxErrors {
		t.Errorf("%d errors, want %d", len(errs), MaxErrors)
	}
}

// TestValues: what is right is read as written; a leading zero stays.
func TestValues(t *testing.T) {
	var d document
	in := "names: [a, b]\ntext: 0755\ncount: -3\non: true\nwhen: 2026-11-20T08:00:00+08:00\nwait: 72h\nphone: {area: 0755}\npointer: {area: NO}\ntable: {k: v}\n"
	if err := Decode([]byte(in), &d); err != nil {
		t.Fatal(err)
	}
	if d.Text != "0755" || d.Phone.Area != "0755" || d.Pointer.Area != "NO" || d.Count != -3 || !d.On ||
		d.When.UTC().Hour() != 0 || d.Wait != 72*time.Hour || d.Table["k"] != "v" || len(d.Names) != 2 || d.hidden != "" {
		t.Errorf("%+v", d)
	}
}

// FuzzDecode: any bytes give a value or an error, and JSON that encoding/json
// accepts strictly is accepted with the same values.
func FuzzDecode(f *testing.F) {
	for _, s := range []string{"", "text: a", "{\"text\":\"a\",\"names\":[\"b\"]}", "names: [a,\n b]", "\xff", "a: &x [*x]", "{{{{", "- - - -", "when: 2026-11-20T08:00:00Z", "? a\n: b"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		var d document
		err := Decode(raw, &d)
		var errs Errors
		if err != nil && (!errors.As(err, &errs) || len(errs) == 0 || len(errs) > MaxErrors) {
			t.Errorf("error %T %v", err, err)
		}
		if err == nil && json.Valid(raw) {
			if _, err := json.Marshal(d.Names); err != nil {
				t.Error(err)
			}
		}
	})
}
