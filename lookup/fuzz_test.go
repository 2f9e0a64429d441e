package lookup

import (
	"strings"
	"testing"

	"assay/data"
	"assay/evidence"
)

// FuzzKeyText: any text is read or refused, and a list that was read finds what
// is written in it.
func FuzzKeyText(f *testing.F) {
	digest := strings.Repeat("0123456789abcdef", 4)
	f.Add("# date: 2026-11-01\n"+digest+" reason\n"+strings.ToUpper(digest), true)
	f.Add("0123456789abcdef0123\n"+digest, false)
	f.Add("\xef\xbb\xbf#\n\n \t\n", true)
	f.Add(digest+"\tleaked\r\n# date: never", true)
	f.Fuzz(func(t *testing.T, text string, compromised bool) {
		l := &keyText{list: "keys.debian", kind: "debian-weak"}
		add := l.addDebian
		if compromised {
			l.list, l.kind, add = "keys.compromised", "compromised", l.addDigest
		}
		var lines []string
		var i info
		n, err := scanText(strings.NewReader(text), 1<<20, &i, func(line string) error {
			if err := add(line); err != nil {
				return err
			}
			word, _ := cutWord(line)
			lines = append(lines, word)
			return nil
		})
		l.finish(i)
		if err == nil && (n != len(lines) || i.sha256 == "") {
			t.Fatalf("%d entries, %d lines, digest %q", n, len(lines), i.sha256)
		}
		for _, word := range lines {
			q := &evidence.LookupQuestion{SPKISHA256: word, ModulusSHA256: word, VulnkeySHA1: strings.Repeat("0", 20) + word}
			if hits, _, err := l.find(q); err != nil || len(hits) == 0 {
				t.Fatalf("%q was read and is not found", word)
			}
		}
	})
}

// FuzzNameLists: the same for block lists and feeds.
func FuzzNameLists(f *testing.F) {
	for _, seed := range []string{
		"www.orchard.net famous\n.corp.example\n192.0.2.0/24\n*.a.example\n2001:db8::/32 x", "0.0.0.0 a.example b.example # c",
		"http://u:p@h.example:80/x?y#z\nhttps://[::1]:443/", "Bücher.example", "::ffff:192.0.2.1", "a..b", "/", "1.2.3.4/33", ". x",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		blocked := newBlockedNames()
		var i info
		_, err := scanText(strings.NewReader(text), 1<<20, &i, func(line string) error {
			if err := blocked.add(line); err != nil {
				return err
			}
			entry, _ := cutWord(line)
			if name, err := hostName(entry); err == nil && len(blocked.find(nil, name)) == 0 {
				t.Fatalf("%q was read and %q is not found", line, name)
			}
			return nil
		})
		if err != nil && !strings.Contains(err.Error(), "line ") && !strings.Contains(err.Error(), "too long") {
			t.Fatalf("the error names no line: %v", err)
		}
		feed := &nameFeed{hosts: map[string]string{}}
		_, _ = scanText(strings.NewReader(text), 1<<20, &i, feed.add)
		for host := range feed.hosts {
			if len(feed.find(nil, host, host, "")) != 1 {
				t.Fatalf("%q was read and is not found", host)
			}
		}
	})
}

// FuzzParties: any bytes are a list or an error, and a listed name finds itself.
func FuzzParties(f *testing.F) {
	f.Add("# date: 2026-11-01\nname,country,reason,date\n\"Foo, Inc.\",US,embargo,2026-03-01\n")
	f.Add("name\n测试有限公司\n")
	f.Add("country,name\nUS,\n")
	f.Add("name,name\na,b\n\"")
	f.Fuzz(func(t *testing.T, text string) {
		l := &partyList{byName: map[string][]party{}}
		var i info
		if err := l.read([]byte(text), &i); err != nil {
			return
		}
		for _, list := range l.byName {
			for _, p := range list {
				q := &evidence.LookupQuestion{Organization: p.name, Country: p.country}
				if len(l.find(nil, q, partyKey(q.Organization))) == 0 {
					t.Fatalf("%q was read and is not found", p.name)
				}
			}
		}
	})
}

// FuzzRecords: any document gives records that answer every topic, or an error.
func FuzzRecords(f *testing.F) {
	f.Add("orders: [{order: A1, csr: x, names: [a.test], submitted_at: 2026-11-01T00:00:00Z}]\naccount: {id: a1}\n")
	f.Add(`{"checks": {"rates": [{"name": "requests", "window": "3h"}]}, "keys": [{"entry": "00"}]}`)
	f.Add("orders: []\nparties: [{entry: .a}]\nnames: [{entry: \".\"}]")
	f.Add("&a [*a]")
	f.Fuzz(func(t *testing.T, text string) {
		r, err := ParseRecords([]byte(text))
		if err != nil {
			return
		}
		if err := r.ReadCSRs(func(string) (string, error) { return "-----", nil }); err != nil {
			t.Fatal(err)
		}
		s, err := Open(Config{Records: r, Data: data.Embedded()})
		if err != nil {
			return
		}
		for topic := range s.absent {
			q := evidence.LookupQuestion{Topic: topic, Names: []string{"a.test", "*.a.test", ""}, Organization: "x", Account: "a1", Keyprint: "00"}
			if o := s.answer(q); o.Lookup == nil && o.Unknown == "" {
				t.Fatalf("%s has no answer", topic)
			}
		}
	})
}

// FuzzConfig: any bytes are a configuration or an error.
func FuzzConfig(f *testing.F) {
	f.Add("[keys]\ncompromised = [\"a\"]\n[parties]\ndenied = []\n")
	f.Add("[names]\nblocked = 1")
	f.Fuzz(func(t *testing.T, text string) {
		if c, err := parseConfig([]byte(text), "/d"); err == nil {
			for _, p := range c.CompromisedKeys {
				if !strings.HasPrefix(p, "/") {
					t.Fatalf("%q is relative", p)
				}
			}
		}
	})
}
