package strict

import (
	"encoding/json"
	"strings"
	"testing"
)

type keyed struct {
	Name  string            `json:"name"`
	Draft bool              `json:"draft,omitempty"`
	Order json.RawMessage   `json:"order"`
	Inner *keyedInner       `json:"inner"`
	List  []keyedInner      `json:"list"`
	Map   map[string]string `json:"map"`
	Plain int
}

type keyedInner struct {
	Phone string `json:"phone"`
}

func TestKeys(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		`{"name":"a","draft":true,"order":{"a":1,"a":2,"A":3},"Plain":1}`: "",
		`{"name":"a","name":"b"}`:                       "name is given twice",
		`{"name":"a","n\u0061me":"b"}`:                  "name is given twice",
		`{"Name":"a"}`:                                  `did you mean "name"`,
		`{"drAft":true}`:                                `did you mean "draft"`,
		`{"\u017ftrange":1}`:                            "",
		`{"li\u017ft":[]}`:                              `did you mean "list"`,
		`{"inner":{"phone":"1","phone":"2"}}`:           "inner.phone is given twice",
		`{"inner":{"PHONE":"1"}}`:                       `did you mean "phone"`,
		`{"list":[{"phone":"1"},{"Phone":"2"}]}`:        `did you mean "phone"`,
		`{"map":{"a":"1","A":"2"}}`:                     "",
		`{"map":{"a":"1","a":"2"}}`:                     "map.a is given twice",
		`{"unknown":{"a":1,"a":2},"name":"a"}`:          "",
		`{"name":{"a":1}}`:                              "",
		`{"name":`:                                      "",
		`[1]`:                                           "",
		`null`:                                          "",
		strings.Repeat(`{"inner":`, 100):                "",
		`{"inner":{"phone":[` + strings.Repeat("[", 99): "",
	} {
		err := Keys([]byte(text), &keyed{})
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
}

// FuzzKeys: what is no JSON, or nested without end, is passed over.
func FuzzKeys(f *testing.F) {
	f.Add(`{"name":"a","list":[{"phone":"1"}],"map":{"a":"b"}}`)
	f.Add(`{"list":[[[{}]]],"inner":3,"order":[}`)
	f.Fuzz(func(t *testing.T, text string) {
		err := Keys([]byte(text), &keyed{})
		if err != nil && strings.ContainsAny(err.Error(), "\x00\x1b") {
			t.Errorf("%q", err)
		}
	})
}
