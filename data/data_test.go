package data

import (
	"maps"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/publicsuffix"

	"assay/evidence"
)

// TestEmbedded: the headers of the embedded snapshots tell the truth, and each
// would be accepted as an import and come out as it is.
func TestEmbedded(t *testing.T) {
	t.Parallel()
	for _, name := range Names() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := embeddedPart(name)
			if _, err := checkedPart(name, p.write()); err != nil {
				t.Fatal(err)
			}
			f, _ := formatOf(name)
			again, err := f.read(name, strings.NewReader(p.write()), p.Date)
			if err != nil {
				t.Fatal(err)
			}
			if again != p {
				t.Errorf("imported again: %+v, want %+v", again.Snapshot, p.Snapshot)
			}
			if p.Source == "" || p.Entries == 0 {
				t.Errorf("header %+v", p.Snapshot)
			}
		})
	}
}

func TestSuffix(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name      string
		icannOnly bool
		want      Suffix
	}{
		{"www.orchard.net", false, Suffix{"net", "orchard.net", "net", true}},
		{"orchard.net", false, Suffix{"net", "orchard.net", "net", true}},
		{"net", false, Suffix{"net", "", "net", true}},
		{"a.b.co.uk", false, Suffix{"co.uk", "b.co.uk", "co.uk", true}},
		{"co.uk", false, Suffix{"co.uk", "", "co.uk", true}},
		{"uk", false, Suffix{"uk", "", "uk", true}},
		{"a.b.c.ck", false, Suffix{"c.ck", "b.c.ck", "*.ck", true}},
		{"c.ck", false, Suffix{"c.ck", "", "*.ck", true}},
		{"ck", false, Suffix{"ck", "", "", false}},
		{"www.ck", false, Suffix{"ck", "www.ck", "!www.ck", true}},
		{"a.www.ck", false, Suffix{"ck", "www.ck", "!www.ck", true}},
		{"x.city.kawasaki.jp", false, Suffix{"kawasaki.jp", "city.kawasaki.jp", "!city.kawasaki.jp", true}},
		{"x.y.kawasaki.jp", false, Suffix{"y.kawasaki.jp", "x.y.kawasaki.jp", "*.kawasaki.jp", true}},
		{"kawasaki.jp", false, Suffix{"jp", "kawasaki.jp", "jp", true}},
		{"a.b.github.io", false, Suffix{"github.io", "b.github.io", "github.io", false}},
		{"a.b.github.io", true, Suffix{"io", "github.io", "io", true}},
		{"github.io", true, Suffix{"io", "github.io", "io", true}},
		{"a.server.intern", false, Suffix{"intern", "server.intern", "", false}},
		{"localhost", false, Suffix{"localhost", "", "", false}},
		{"x.xn--55qx5d.cn", false, Suffix{"xn--55qx5d.cn", "x.xn--55qx5d.cn", "xn--55qx5d.cn", true}},
		{"", false, Suffix{}},
		{".", false, Suffix{Registrable: "."}},
	} {
		if got := Embedded().Suffix(c.name, c.icannOnly); got != c.want {
			t.Errorf("Suffix(%q, %v) = %+v, want %+v", c.name, c.icannOnly, got, c.want)
		}
	}
}

func everySuffix(t *testing.T) suffixRules {
	t.Helper()
	rules, _, err := parseSuffixes(embeddedPart(PublicSuffixes).body, "")
	if err != nil {
		t.Fatal(err)
	}
	return rules
}

// TestSuffixesAlone: the rules of one top-level domain, read alone, are those
// of the whole list; a table gives the same before and after it reads it all.
func TestSuffixesAlone(t *testing.T) {
	t.Parallel()
	body := embeddedPart(PublicSuffixes).body
	byTLD := map[string]suffixRules{"unknown": {}, "xn--unknown": {}}
	for base, rule := range everySuffix(t) {
		tld := base[strings.LastIndexByte(base, '.')+1:]
		if byTLD[tld] == nil {
			byTLD[tld] = suffixRules{}
		}
		byTLD[tld][base] = rule
	}
	table, err := newSuffixTable(body)
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	for tld, want := range byTLD {
		if seen%8 == 0 || strings.HasPrefix(tld, "xn--") || len(want) > 100 {
			if got, _, err := parseSuffixes(body, tld); err != nil || !maps.Equal(got, want) {
				t.Errorf("%s: %d rules alone, %d in the list, %v", tld, len(got), len(want), err)
			}
		}
		got := table.rules(tld)
		for base, rule := range want {
			if got[base] != rule {
				t.Errorf("%s: %s has rules %b, want %b", tld, base, got[base], rule)
			}
		}
		if seen++; seen <= maxFew != (table.all.Load() == nil) {
			t.Errorf("the whole list was read after %d top-level domains: %v", seen, table.all.Load() != nil)
		}
	}
}

// TestSuffixLetters: a rule in other letters than ASCII is found by its A-label;
// one that only looks foreign is refused.
func TestSuffixLetters(t *testing.T) {
	t.Parallel()
	list := beginICANN + "\nCOM\nco.рф\n*.РФ\n!x.net // comment\n" + endICANN + "\n"
	for tld, want := range map[string]suffixRules{
		"com":       {"com": ruleICANN},
		"xn--p1ai":  {"co.xn--p1ai": ruleICANN, "xn--p1ai": wildICANN},
		"net":       {"x.net": exceptICANN},
		"xn--p1acf": {},
	} {
		if got, _, err := parseSuffixes(list, tld); err != nil || !maps.Equal(got, want) {
			t.Errorf("%s: %v %v, want %v", tld, got, err, want)
		}
	}
	for _, rule := range []string{"ｃｏｍ", "shop.ｃｏｍ", "shop。com"} {
		_, _, err := parseSuffixes(beginICANN+"\n"+rule+"\n", "")
		if err == nil || !strings.Contains(err.Error(), `write its last label as "com"`) {
			t.Errorf("%s: %v", rule, err)
		}
	}
}

// TestSuffixAgainstNet holds the list and the algorithm against the Go
// project's copy (of another day) on names under every kind of rule.
func TestSuffixAgainstNet(t *testing.T) {
	t.Parallel()
	rules := everySuffix(t)
	checked, differ := 0, 0
	for base := range rules {
		for _, name := range []string{base, "a." + base, "b.a." + base, "c.b.a." + base} {
			want, icann := publicsuffix.PublicSuffix(name)
			got := Embedded().Suffix(name, false)
			checked++
			if got.Suffix != want || got.Rule != "" && got.ICANN != icann {
				differ++
				if section := Embedded().Suffix(name, true); section.Rule == got.Rule {
					t.Logf("%s: %+v, x/net has %s %v", name, got, want, icann)
				}
			}
		}
	}
	// The two copies are a month apart: some private rules came in between.
	if checked < 30000 || differ*200 > checked {
		t.Errorf("%d of %d names have another suffix in x/net", differ, checked)
	}
	for _, name := range []string{
		"www.example.com", "a.b.co.jp", "x.ide.kyoto.jp", "www.city.kobe.jp", "a.b.c.kobe.jp", "c.mm", "a.com.ac",
		"x.blogspot.com", "a.s3.amazonaws.com", "x.compute.amazonaws.com", "a.b.nom.br", "k12.ma.us", "a.pvt.k12.ma.us",
	} {
		want, _ := publicsuffix.PublicSuffix(name)
		if got := Embedded().Suffix(name, false).Suffix; got != want {
			t.Errorf("Suffix(%s) = %s, x/net says %s", name, got, want)
		}
	}
}

func TestIsTLD(t *testing.T) {
	t.Parallel()
	for label, want := range map[string]bool{
		"com": true, "net": true, "de": true, "cn": true, "pw": true, "live": true, "lv": true, "arpa": true, "xn--fiqs8s": true,
		"local": false, "internal": false, "onion": false, "test": false, "example": false, "": false, "corp": false,
	} {
		if got := Embedded().IsTLD(label); got != want {
			t.Errorf("IsTLD(%q) = %v", label, got)
		}
	}
}

func TestReserved(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ addr, row, rfc string }{
		{"10.1.2.3", "Private-Use", "RFC 1918"},
		{"172.31.255.255", "Private-Use", "RFC 1918"},
		{"172.32.0.0", "", ""},
		{"192.168.0.1", "Private-Use", "RFC 1918"},
		{"127.0.0.1", "Loopback", "RFC 1122, Section 3.2.1.3"},
		{"169.254.169.254", "Link Local", "RFC 3927"},
		{"100.64.0.1", "Shared Address Space", "RFC 6598"},
		{"0.0.0.0", "This host on this network", "RFC 1122, Section 3.2.1.3"},
		{"0.0.0.1", "This network", "RFC 791, Section 3.2"},
		{"192.0.0.170", "NAT64/DNS64 Discovery", "RFC 8880, RFC 7050, Section 2.2"},
		{"192.0.0.171", "NAT64/DNS64 Discovery", "RFC 8880, RFC 7050, Section 2.2"},
		{"192.0.0.99", "IETF Protocol Assignments", "RFC 6890, Section 2.1"},
		{"255.255.255.255", "Limited Broadcast", "RFC 8190, RFC 919, Section 7"},
		{"240.0.0.1", "Reserved", "RFC 1112, Section 4"},
		{"224.0.0.1", "Multicast", "RFC 5771"},
		{"8.8.8.8", "", ""},
		{"1.1.1.1", "", ""},
		{"::1", "Loopback Address", "RFC 4291"},
		{"::", "Unspecified Address", "RFC 4291"},
		{"fc00::1", "Unique-Local", "RFC 4193, RFC 8190"},
		{"fdff::1", "Unique-Local", "RFC 4193, RFC 8190"},
		{"fe80::1", "Link-Local Unicast", "RFC 4291"},
		{"fe80::1%eth0", "Link-Local Unicast", "RFC 4291"},
		{"2001:db8::1", "Documentation", "RFC 3849"},
		{"3fff::1", "Documentation", "RFC 9637"},
		{"2001::1", "TEREDO", "RFC 4380, RFC 8190"},
		{"ff02::1", "Multicast", "RFC 4291, Section 2.7"},
		{"::127.0.0.1", "Not global unicast", "RFC 4291, Section 2.4"},
		{"::ffff:0:127.0.0.1", "Not global unicast", "RFC 4291, Section 2.4"},
		{"fec0::1", "Not global unicast", "RFC 4291, Section 2.4"},
		{"4000::1", "Not global unicast", "RFC 4291, Section 2.4"},
		{"2606:4700::1111", "", ""},
		{"2a00:1450::1", "", ""},
		{"::ffff:10.0.0.1", "Private-Use", "RFC 1918"},
		{"::ffff:8.8.8.8", "IPv4-mapped Address", "RFC 4291"},
		{"64:ff9b::7f00:1", "Loopback", "RFC 1122, Section 3.2.1.3"},
		{"64:ff9b::808:808", "IPv4-IPv6 Translat.", "RFC 6052"},
		{"2002:c0a8:1::1", "Private-Use", "RFC 1918"},
		{"2002:808:808::1", "6to4", "RFC 3056"},
	} {
		b, ok := Embedded().Reserved(netip.MustParseAddr(c.addr))
		if ok != (c.row != "") || b.Name != c.row || b.RFC != c.rfc {
			t.Errorf("Reserved(%s) = %q, %q; want %q, %q", c.addr, b.Name, b.RFC, c.row, c.rfc)
		}
	}
	if _, ok := Embedded().Reserved(netip.Addr{}); ok {
		t.Error("no address is reserved")
	}
}

func TestSnapshotsAndInputs(t *testing.T) {
	t.Parallel()
	snapshots, inputs := Embedded().Snapshots(), Embedded().Inputs()
	if len(snapshots) != len(Names()) || len(inputs) != len(Names()) {
		t.Fatal(snapshots, inputs)
	}
	for i, s := range snapshots {
		if s.Name != Names()[i] || len(s.SHA256) != 64 || s.Entries == 0 || s.Date.IsZero() || s.Imported || s.Error != "" {
			t.Errorf("%+v", s)
		}
		if in := inputs[i]; !in.Configured || in.Name != s.Name || in.SHA256 != s.SHA256 || !in.Date.Equal(s.Date) {
			t.Errorf("%+v", in)
		}
	}
}

var importTime = time.Date(2026, 11, 24, 10, 0, 0, 0, time.UTC)

func TestImport(t *testing.T) {
	t.Parallel()
	psl := embeddedPart(PublicSuffixes).body
	upstream := "// comment\n// VERSION: 2026-10-01_07-00-00_UTC\n" +
		strings.Replace(psl, beginPrivate+"\n", beginPrivate+"\n\n// 测试\n*.测试.net // since ever\r\n", 1)
	dir := filepath.Join(t.TempDir(), "new")
	got, err := Import(dir, PublicSuffixes, strings.NewReader(upstream), importTime)
	if err != nil {
		t.Fatal(err)
	}
	if got.Date.Format(time.DateOnly) != "2026-10-01" || !got.Imported || got.Entries != embeddedPart(PublicSuffixes).Entries+1 {
		t.Errorf("%+v", got)
	}
	s, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	if x := s.Suffix("a.b.xn--0zwm56d.net", false); x.Suffix != "b.xn--0zwm56d.net" || x.ICANN {
		t.Errorf("the imported rule is not used: %+v", x)
	}
	if !slices.Contains(s.Snapshots(), got) {
		t.Errorf("%+v lacks %+v", s.Snapshots(), got)
	}
	if !s.IsTLD("com") {
		t.Error("the embedded root zone is gone")
	}
	files, _ := os.ReadDir(dir)
	if len(files) != 1 {
		t.Errorf("left behind: %v", files)
	}
}

func TestImportErrors(t *testing.T) {
	t.Parallel()
	iana := embeddedPart(AddressBlocks).body
	for _, c := range []struct{ name, kind, text, want string }{
		{"unknown kind", "psl2", "", "no such snapshot"},
		{"empty", PublicSuffixes, "", "is the file whole?"},
		{"web page", PublicSuffixes, "<html>", "line 1: the rule \"<html>\" stands in no section"},
		{"cut off", PublicSuffixes, embeddedPart(PublicSuffixes).body[:100_000], "is no domain name"},
		{"bad rule", PublicSuffixes, beginICANN + "\ncom\na..b\n", "line 3: rule \"a..b\""},
		{"root zone cut off", RootZone, "COM\nNET\n", "holds 2 top-level domains"},
		{"root zone with a space", RootZone, "COM\nN ET\n", "line 2: \"n et\" is no top-level domain"},
		{"one family", AddressBlocks, iana[:strings.LastIndex(iana, "\nAddress Block,")], "want both registries in one file"},
		{"bad prefix", AddressBlocks, "Address Block,Name,RFC\n10.0.0.0/33,x,y\n", "line 2:"},
		{"no header", AddressBlocks, "10.0.0.0/8,x,y\n", "line 1: the first line must be the header"},
		{"confusables without target", Confusables, "0430 ;\n", "line 1: want"},
		{"confusables short", Confusables, "0430 ; 0061 ; MA\n", "holds 1 characters"},
		{"not text", Words, "\xff\xfe", "is not UTF-8"},
		{"words unknown field", Words, "[[lists]]\nid = 'a'\nversion = '1'\nwordz = []\n", "line 4, column 1: unknown field \"lists.wordz\""},
		{"words bad mode", Words, "[[lists]]\nid = 'a'\nversion = '1'\nmodes = ['near']\nwords = ['x']\n", "mode \"near\""},
		{"words without mode", Words, "[[lists]]\nid = 'a'\nversion = '1'\nwords = ['x']\n", "no modes"},
		{"words capital", Words, "[[lists]]\nid = 'a'\nversion = '1'\nmodes = ['label']\nwords = ['Bank']\n", "lower case"},
		{"word twice", Words, "[[lists]]\nid = 'a'\nversion = '1'\nmodes = ['label']\nwords = ['x', 'x']\n", "twice"},
		{"dot in label mode", Words, "[[lists]]\nid = 'a'\nversion = '1'\nmodes = ['label']\nwords = ['x.y']\n", "a dot needs"},
		{"no lists", Brands, "", "holds no list"},
		{"brand domain", Brands, "[[lists]]\nid = 'a'\nversion = '1'\n[[lists.brands]]\nname = 'x'\ndomains = ['X.com']\n", "is no domain in lower case"},
		{"from the future", Words, "# assay snapshot\n# date: 2027-01-01\n\n[[lists]]\n", "in the future"},
		{"of another kind", Words, "# assay snapshot\n# name: psl\n\n[[lists]]\n", "holds the snapshot \"psl\""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			_, err := Import(dir, c.kind, strings.NewReader(c.text), importTime)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want %q", err, c.want)
			}
			if files, _ := os.ReadDir(dir); len(files) != 0 {
				t.Errorf("left behind: %v", files)
			}
		})
	}
}

// endless yields spaces for ever.
type endless struct{ read int }

func (e *endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = '\n'
	}
	e.read += len(p)
	return len(p), nil
}

func TestImportBounded(t *testing.T) {
	t.Parallel()
	r := &endless{}
	if _, err := Import(t.TempDir(), RootZone, r, importTime); err == nil || !strings.Contains(err.Error(), "larger than") {
		t.Error(err)
	}
	if r.read > 2<<20 {
		t.Errorf("read %d bytes", r.read)
	}
}

// TestOpenBroken: a file that was changed by hand never decides; the set says so.
func TestOpenBroken(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	text := strings.Replace(embeddedPart(RootZone).write(), "\nzip\n", "\nlocal\n", 1)
	if err := os.WriteFile(filepath.Join(dir, "root-zone.snapshot"), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	s, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	if s.IsTLD("local") || !s.IsTLD("zip") {
		t.Error("the changed file is used")
	}
	i := slices.IndexFunc(s.Inputs(), func(in evidence.Input) bool { return in.Name == RootZone })
	if e := s.Inputs()[i].Error; !strings.Contains(e, "was changed") {
		t.Errorf("error %q", e)
	}
	if s, err := Open(filepath.Join(dir, "absent")); err != nil || s != Embedded() {
		t.Errorf("a directory that is not there: %v, %v", s, err)
	}
	if _, err := Open(filepath.Join(dir, "root-zone.snapshot")); err == nil {
		t.Error("a file is no directory")
	}
}
