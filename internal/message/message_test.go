package message

import (
	"regexp"
	"slices"
	"sort"
	"strings"
	"testing"

	"github.com/pelletier/go-toml/v2"

	"assay/cause"
)

// TestFiles: both languages have the same messages with the same values, and
// each has the plural forms its language needs.
func TestFiles(t *testing.T) {
	t.Parallel()
	en, zh := read(t, "en"), read(t, "zh")
	for id, forms := range en {
		other, ok := zh[id]
		if !ok {
			t.Errorf("%s: no Chinese", id)
			continue
		}
		if a, b := values(forms), values(other); !slices.Equal(a, b) {
			t.Errorf("%s: values %v in English, %v in Chinese", id, a, b)
		}
		if (forms["one"] == "") != (len(forms) == 1) {
			t.Errorf("%s: English needs one and other, has %v", id, forms)
		}
	}
	for id := range zh {
		if _, ok := en[id]; !ok {
			t.Errorf("%s: no English", id)
		}
	}
}

func read(t *testing.T, lang string) map[string]map[string]string {
	t.Helper()
	raw := map[string]string{"en": englishFile, "zh": chineseFile}[lang]
	var tree map[string]any
	if err := toml.Unmarshal([]byte(raw), &tree); err != nil {
		t.Fatal(err)
	}
	all := map[string]map[string]string{}
	for id, v := range tree {
		switch v := v.(type) {
		case string:
			all[id] = map[string]string{"other": v}
		case map[string]any:
			all[id] = map[string]string{}
			for form, text := range v {
				all[id][form] = text.(string)
			}
		}
	}
	return all
}

var value = regexp.MustCompile(`{{\.(\w+)}}`)

func values(forms map[string]string) []string {
	var all []string
	for _, m := range value.FindAllStringSubmatch(forms["other"], -1) {
		all = append(all, m[1])
	}
	sort.Strings(all)
	return slices.Compact(all)
}

// TestSource: a message read alone is the message of the whole file, and there
// are no others.
func TestSource(t *testing.T) {
	t.Parallel()
	for _, lang := range cause.Languages() {
		all, s := read(t, string(lang)), sources[lang]()
		if len(s.entries) != len(all) {
			t.Errorf("%s: split into %d messages, the file has %d", lang, len(s.entries), len(all))
		}
		for id, forms := range all {
			m := s.message(id)
			if m == nil {
				t.Errorf("%s: %s was not found", lang, id)
				continue
			}
			if m.Other != forms["other"] || m.One != forms["one"] {
				t.Errorf("%s: %s is %q, %q; in the file %q", lang, id, m.One, m.Other, forms)
			}
		}
	}
}

func TestPrinter(t *testing.T) {
	t.Parallel()
	en, zh := New(cause.English), New(cause.Chinese)
	for _, tt := range []struct{ got, want string }{
		{en.Text("error.open", "Path", "a.csr", "Why", "no such file"), "a.csr: no such file"},
		{zh.Text("error.open", "Path", "a.csr", "Why", "文件不存在"), "a.csr：文件不存在"},
		{en.Text("error.open", "Path", "{{.Why}}<b>", "Why", "x"), "{{.Why}}<b>: x"},
		{en.Count("doctor.list", 1), "1 entry"},
		{en.Count("doctor.list", 2), "2 entries"},
		{zh.Count("doctor.list", 1), "1 条"},
		{en.Text("no.such.message"), "no.such.message"},
	} {
		if tt.got != tt.want {
			t.Errorf("got %q, want %q", tt.got, tt.want)
		}
	}
	if en.Has("no.such.message") || !en.Has("verdict.pass") {
		t.Error("Has")
	}
}

// TestWords: a value that is a message itself is shown in the language of the text
// around it; one that there is none of is shown as it is.
func TestWords(t *testing.T) {
	t.Parallel()
	for lang, want := range map[cause.Language]string{
		cause.English: "cancel is not possible while the order is issued",
		cause.Chinese: "订单处于“已签发”状态时不能取消",
	} {
		if got := New(lang).Text("service.wrong-state", "Action", ID("action.cancel"), "State", ID("order.is.issued")); got != want {
			t.Errorf("%s: %q, want %q", lang, got, want)
		}
	}
	if got := New(cause.English).Text("service.wrong-state", "Action", ID("action.dance"), "State", ID("issued")); got != "dance is not possible while the order is issued" {
		t.Errorf("%q", got)
	}
}

func TestDetect(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, asked string
		env         map[string]string
		want        cause.Language
		ok          bool
	}{
		{"nothing", "", nil, "en", true},
		{"flag", "zh", map[string]string{"LANG": "en_US.UTF-8"}, "zh", true},
		{"flag with region", "zh-TW", nil, "zh", true},
		{"unknown flag", "fr", nil, "en", false},
		{"locale", "", map[string]string{"LANG": "zh_CN.UTF-8"}, "zh", true},
		{"LC_ALL first", "", map[string]string{"LANG": "zh_CN.UTF-8", "LC_ALL": "C"}, "en", true},
		{"unknown locale", "", map[string]string{"LANG": "fr_FR.UTF-8"}, "en", true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			lang, ok := Detect(tt.asked, func(k string) string { return tt.env[k] })
			if lang != tt.want || ok != tt.ok {
				t.Errorf("%s, %v; want %s, %v", lang, ok, tt.want, tt.ok)
			}
		})
	}
}

// TestNoCauseTexts: words about causes stand in package cause alone.
func TestNoCauseTexts(t *testing.T) {
	t.Parallel()
	for id := range read(t, "en") {
		if cause.Lookup(cause.ID(id)) != nil || strings.HasPrefix(id, "cause.") {
			t.Errorf("%s: a text about a cause", id)
		}
	}
}
