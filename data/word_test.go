package data

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

// seedWords are the words of the founding document, written out again here so
// that the list cannot lose one.
var seedWords = strings.Fields("live bank banc alpha test example credit pw apple ebay trust root amazon android " +
	"visa google discover financial wordpress pal hp lv free scp pay")

func TestSeedWords(t *testing.T) {
	t.Parallel()
	if version, ok := Embedded().WordList("seed-2024"); !ok || version == "" || len(seedWords) != 25 {
		t.Fatal(version, ok, len(seedWords))
	}
	if n := len(Embedded().words()["seed-2024"].entries); n != 25 {
		t.Errorf("%d words", n)
	}
	for _, w := range seedWords {
		for name, want := range map[string]WordHit{
			w + ".orchard.net":            {w, ModeLabel, 0, len(w), 0},
			"a." + w + ".net":             {w, ModeLabel, 2, 2 + len(w), 1},
			"my-" + w + ".orchard.net":    {w, ModeToken, 3, 3 + len(w), 0},
			w + "24.orchard.net":          {w, ModeToken, 0, len(w), 0},
			"x1" + w + "2y.net":           {w, ModeToken, 2, 2 + len(w), 0},
			"qq" + w + "qq.orchard.net":   {w, ModeSubstring, 2, 2 + len(w), 0},
			"ü" + w + "-zz.orchard.net":   {w, ModeSubstring, 2, 2 + len(w), 0},
			"orchard." + w:                {},
			"xn--" + w + "-yyy.orchard.x": {},
		} {
			hits := slices.DeleteFunc(Embedded().FindWords("seed-2024", name, false), func(h WordHit) bool { return h.Word != w })
			if want == (WordHit{}) {
				if len(hits) != 0 {
					t.Errorf("%s: %+v, want none", name, hits)
				}
			} else if !slices.Equal(hits, []WordHit{want}) {
				t.Errorf("%s: %+v, want %+v", name, hits, want)
			}
		}
	}
}

func TestFindWords(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		list, name string
		tld        bool
		want       string // "word/mode@start-end …"
	}{
		{"seed-2024", "www.qq.pw", false, ""},
		{"seed-2024", "www.qq.pw", true, "pw/label@7-9"},
		{"seed-2024", "pw.shop.org", false, "pw/label@0-2"},
		{"seed-2024", "foo.live", false, ""},
		{"seed-2024", "shop.lv", false, ""},
		{"seed-2024", "urban.com", false, ""},
		{"seed-2024", "php.net", false, "hp/substring@1-3"},
		{"seed-2024", "bank-mabank.org", false, "bank/token@0-4 bank/substring@7-11"},
		{"seed-2024", "bank.mabank.org", false, "bank/label@0-4 bank/substring@7-11"},
		{"seed-2024", "paypal.org", false, "pay/substring@0-3 pal/substring@3-6"},
		{"seed-2024", "xn--hpmir-xqa.org", false, ""},
		{"seed-2024", "orchard.net", false, ""},
		{"seed-2024", "", false, ""},
		{"seed-2024", "..", false, ""},
		{"alibaba-2024", "urban.com", false, "ban.c/cross-label@2-7"},
		{"alibaba-2024", "www.qq.pw", false, "pw/tld@7-9"},
		{"alibaba-2024", "myfund.net", false, "fund/substring@2-6"},
		{"huawei-2024", "test.net", false, ""},
		{"huawei-2024", "shop.gov.net", false, "gov/label@5-8"},
		{"none", "bank.org", false, ""},
	} {
		var got []string
		for _, h := range Embedded().FindWords(c.list, c.name, c.tld) {
			if c.name[h.Start:h.End] != h.Word {
				t.Errorf("%s: span %d-%d is not %s", c.name, h.Start, h.End, h.Word)
			}
			got = append(got, h.Word+"/"+h.Mode+"@"+itoa(h.Start)+"-"+itoa(h.End))
		}
		if strings.Join(got, " ") != c.want {
			t.Errorf("%s in %s: %v, want %s", c.list, c.name, got, c.want)
		}
	}
	// The false hits known of a substring search.
	for _, label := range strings.Fields("php municipal principal elvis solve latest grassroots freedom alphabet pineapple mabank") {
		hits := Embedded().FindWords("seed-2024", label+".org", false)
		for _, h := range hits {
			if h.Mode != ModeSubstring {
				t.Errorf("%s: %+v", label, h)
			}
		}
		if len(hits) == 0 {
			t.Errorf("%s: no hit at all", label)
		}
	}
}

func itoa(n int) string {
	if n < 10 {
		return string(rune('0' + n))
	}
	return itoa(n/10) + itoa(n%10)
}

const customWords = `
[[lists]]
id = "acme"
version = "7"
modes = ["token"]
words = ["银行", "vault"]

[[lists.entries]]
word = "gov.cn"
modes = ["suffix"]

[[lists.entries]]
word = "zip"
modes = ["tld"]

[[lists.entries]]
word = "mov"
modes = ["label"]
search_tld = true
`

func TestOperatorsWords(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if _, err := Import(dir, Words, strings.NewReader(customWords), importTime); err != nil {
		t.Fatal(err)
	}
	s, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	if v, ok := s.WordList("acme"); !ok || v != "7" {
		t.Error(v, ok)
	}
	if _, ok := s.WordList("seed-2024"); !ok {
		t.Error("the embedded lists are gone")
	}
	for name, want := range map[string]string{
		"我的-银行.cn": ModeToken, "vault.net": ModeToken, "myvault.net": "", "vault1.net": ModeToken,
		"tax.gov.cn": ModeSuffix, "gov.cn": ModeSuffix, "xgov.cn": "", "gov.cn.net": "",
		"a.zip": ModeTLD, "zip.net": "", "a.mov": ModeLabel, "mov.net": ModeLabel,
	} {
		got := ""
		for _, h := range s.FindWords("acme", name, false) {
			got += h.Mode
		}
		if got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}

func TestFindBrands(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, registrable, want string }{
		{"paypal.com", "paypal.com", ""},
		{"paypal.org", "paypal.org", ""},
		{"paypa1.com", "paypa1.com", "paypal:paypa1"},
		{"www.paypa1.com", "paypa1.com", "paypal:paypa1"},
		{"www.paypa1-login.com", "paypa1-login.com", "paypal:paypa1"},
		{"paypa1.paypal.com", "paypal.com", ""},
		{"аррӏе.com", "xn--80ak6aa92e.com", "apple:аррӏе"},
		{"my-аpple24.net", "xn--my-pple24-w4i.net", "apple:аpple"},
		{"rnicrosoft.com", "rnicrosoft.com", "microsoft:rnicrosoft"},
		{"micros0ft.com", "micros0ft.com", "microsoft:micros0ft"},
		{"g00gle.net", "g00gle.net", "google:g00gle"},
		{"gооgle.net", "xn--ggle-55da.net", "google:gооgle"},
		{"apply.com", "apply.com", ""},
		{"ample.com", "ample.com", ""},
		{"goggle.com", "goggle.com", ""},
		{"pineapple.com", "pineapple.com", ""},
		{"amazonas.com", "amazonas.com", ""},
		{"aрple", "", ""},
		{"", "", ""},
		{"xn--80ak6aa92e.com", "xn--80ak6aa92e.com", ""},
	} {
		var got []string
		for _, h := range Embedded().FindBrands("default", c.name, c.registrable) {
			got = append(got, h.Brand+":"+h.Label)
		}
		if strings.Join(got, " ") != c.want {
			t.Errorf("%s: %v, want %s", c.name, got, c.want)
		}
	}
}

// TestBrandsDoNotImitate: no brand of the list looks like another, and in its
// own domains nothing is found.
func TestBrandsDoNotImitate(t *testing.T) {
	t.Parallel()
	for id, l := range Embedded().brands() {
		for _, b := range l.brands {
			if len(b.Domains) == 0 {
				t.Errorf("%s has no domain", b.Name)
			}
			if hits := Embedded().FindBrands(id, b.Name+".invalid", b.Name+".invalid"); len(hits) != 0 {
				t.Errorf("%s: %+v", b.Name, hits)
			}
			for _, d := range b.Domains {
				if got := Embedded().Suffix(d, true).Registrable; got != d {
					t.Errorf("%s: %s is not registrable (%s)", b.Name, d, got)
				}
			}
		}
	}
}

// TestASCIISkeleton holds the short cut against the table for every character
// that names in ASCII may have.
func TestASCIISkeleton(t *testing.T) {
	t.Parallel()
	table := Embedded().confusables()
	for _, c := range "abcdefghijklmnopqrstuvwxyz0123456789-_" {
		want, ok := table[c]
		if !ok {
			want = string(c)
		}
		if got := string(appendASCIISkeleton(nil, byte(c))); got != strings.ToLower(want) {
			t.Errorf("%c: %q, the table has %q", c, got, want)
		}
	}
}

func TestMixedScripts(t *testing.T) {
	t.Parallel()
	for label, want := range map[string]string{
		"orchard": "", "obst-und-gemüse": "", "яблоко": "", "苹果apple": "", "ソフトウェア東京tokyo": "", "한국어seoul漢": "",
		"ㄅㄆ漢字abc": "", "apple-яблоко": "Cyrillic Latin", "pаypal": "Cyrillic Latin", "αpple": "Greek Latin",
		"ソ한": "Hangul Katakana", "": "", "123-4": "", "café": "", "मानक१": "",
	} {
		if got := strings.Join(Embedded().MixedScripts(label), " "); got != want {
			t.Errorf("%s: %q, want %q", label, got, want)
		}
	}
}

// TestAutomaton holds the automaton against a plain search.
func TestAutomaton(t *testing.T) {
	t.Parallel()
	patterns := []string{"a", "ab", "bab", "bc", "bca", "c", "caa", "aba", "bababab"}
	a := newAutomaton(patterns)
	for _, text := range []string{"", "abccab", "bababababcaa", "zzz", "abzabcaz", "caacaacab"} {
		want, got := map[[3]int]bool{}, map[[3]int]bool{}
		for i, p := range patterns {
			for j := range text {
				if strings.HasPrefix(text[j:], p) {
					want[[3]int{i, j, j + len(p)}] = true
				}
			}
		}
		a.find(text, func(p, start, end int) { got[[3]int{p, start, end}] = true })
		if !maps.Equal(got, want) {
			t.Errorf("%s: %v, want %v", text, got, want)
		}
	}
}

func FuzzFind(f *testing.F) {
	for _, name := range []string{"www.qq.pw", "my-bank24.org", "аррӏе.com", "xn--hpmir-xqa.org", "a..b", "\xff.\xfe", "ソ한.jp"} {
		f.Add(name)
	}
	f.Fuzz(func(t *testing.T, name string) {
		s := Embedded()
		for _, list := range []string{"seed-2024", "alibaba-2024"} {
			for _, h := range s.FindWords(list, name, true) {
				if h.Start < 0 || h.End > len(name) || name[h.Start:h.End] != h.Word || h.Label != strings.Count(name[:h.Start], ".") {
					t.Errorf("%q: %+v", name, h)
				}
			}
		}
		for _, h := range s.FindBrands("default", name, "") {
			if h.Label == h.Brand || !strings.Contains(name, h.Label) {
				t.Errorf("%q: %+v", name, h)
			}
		}
		s.MixedScripts(name)
		x := s.Suffix(name, false)
		if !strings.HasSuffix(name, x.Suffix) || !strings.HasSuffix(name, x.Registrable) {
			t.Errorf("%q: %+v", name, x)
		}
	})
}

// FuzzImport: any bytes give a snapshot that opens again, or an error.
func FuzzImport(f *testing.F) {
	for _, name := range Names() {
		text := embeddedPart(name).body
		f.Add(name, text[:min(len(text), 2000)])
	}
	f.Add(Words, customWords)
	f.Add(Confusables, "\ufeff0430 ;\t0061 ;\tMA\t# comment")
	f.Fuzz(func(t *testing.T, name, text string) {
		format, ok := formatOf(name)
		if !ok {
			return
		}
		switch name { // the parsers below the minimum number of entries
		case PublicSuffixes:
			_, _, _ = parseSuffixes(text, "")
			_, _, _ = parseSuffixes(text, "xn--p1ai")
		case RootZone:
			_, _ = parseRootZone(text)
		case AddressBlocks:
			_, _ = parseBlocks(text)
		case Confusables:
			_, _ = parseConfusables(text)
		}
		p, err := format.read(name, strings.NewReader(text), importTime)
		if err != nil {
			return
		}
		if !utf8.ValidString(p.body) {
			t.Error("not UTF-8")
		}
		again, err := checkedPart(name, p.write())
		if err != nil || again != p {
			t.Errorf("written and read: %v\n%+v\n%+v", err, again, p)
		}
	})
}

func BenchmarkScreenName(b *testing.B) { benchmarkScreen(b, "www.shop.orchard.co.uk") }
func BenchmarkScreenLong(b *testing.B) {
	benchmarkScreen(b, "a-rather-long-host-name-2.department.region.customer.orchard-fruit-company.com")
}
func BenchmarkScreenHits(b *testing.B)    { benchmarkScreen(b, "my-bank24.paypa1.mabank.net") }
func BenchmarkScreenUnicode(b *testing.B) { benchmarkScreen(b, "www.яблоко-и-груши.рф") }

// benchmarkScreen does to one name all that a review with everything on does.
func benchmarkScreen(b *testing.B, name string) {
	s := Embedded()
	ascii, err := toASCII(name)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		suffix := s.Suffix(ascii, true)
		s.IsTLD(ascii[strings.LastIndexByte(ascii, '.')+1:])
		s.FindWords("seed-2024", name, false)
		s.FindBrands("default", name, suffix.Registrable)
		for label := range strings.SplitSeq(name, ".") {
			s.MixedScripts(label)
		}
	}
}

func BenchmarkParseSuffixes(b *testing.B) {
	text := embeddedPart(PublicSuffixes).body
	for b.Loop() {
		if _, _, err := parseSuffixes(text, ""); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkParseRootZone(b *testing.B) {
	text := embeddedPart(RootZone).body
	for b.Loop() {
		if _, err := parseRootZone(text); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkParseConfusables(b *testing.B) {
	text := embeddedPart(Confusables).body
	for b.Loop() {
		if _, err := parseConfusables(text); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkParseWordsAndBrands(b *testing.B) {
	words, brands := embeddedPart(Words).body, embeddedPart(Brands).body
	for b.Loop() {
		if _, err := parseWords(words); err != nil {
			b.Fatal(err)
		}
		if _, err := parseBrands(brands); err != nil {
			b.Fatal(err)
		}
	}
}

// TestGenerated: what the generator reads by hand is what is embedded.
func TestGenerated(t *testing.T) {
	t.Parallel()
	for name, file := range map[string]string{Words: "words.toml", Brands: "brands.toml"} {
		raw, err := os.ReadFile(filepath.Join("../internal/gen/data", file))
		if err != nil {
			t.Fatal(err)
		}
		if string(raw) != embeddedPart(name).body {
			t.Errorf("%s was edited: run `go run .` in internal/gen/data", file)
		}
	}
}
