package caa

import (
	"slices"
	"testing"
)

func TestParse(t *testing.T) {
	t.Parallel()
	for data, want := range map[string]Record{
		`0 issue "ca1.example.net"`:     {0, "issue", "ca1.example.net"},
		`128 tbs "Unknown"`:             {128, "tbs", "Unknown"},
		`0 ISSUE "ca\"1\; \195\164 \\"`: {0, "ISSUE", "ca\"1; ä \\"},
		`0 issue ""`:                    {0, "issue", ""},
		`0 issue ca1.example.net`:       {0, "issue", "ca1.example.net"},
	} {
		got, ok := Parse(data)
		if !ok || got != want {
			t.Errorf("%s: %+v %v", data, got, ok)
		}
		if again, ok := Parse(got.String()); !ok || again != want {
			t.Errorf("%s: written as %s reads %+v", data, got, again)
		}
	}
	for _, data := range []string{"", "issue", "x issue \"a\"", "256 issue \"a\"", `\# 3 000102`, `0 "issue" "a"`} {
		if r, ok := Parse(data); ok {
			t.Errorf("%q reads as %+v", data, r)
		}
	}
}

// TestParseIssue: the examples of RFC 8659 4.2 and 4.3 among them.
func TestParseIssue(t *testing.T) {
	t.Parallel()
	rfc := Dialect{LastSemicolon: true}
	boulder := Dialect{PlainTags: true}
	for _, c := range []struct {
		dialect Dialect
		value   string
		want    Issue
	}{
		{rfc, "ca1.example.net", Issue{Domain: "ca1.example.net"}},
		{rfc, "ca1.example.net; account=230123", Issue{Domain: "ca1.example.net", Parameters: []Parameter{{"account", "230123"}}}},
		{rfc, "ca1.example.net; policy=ev", Issue{Domain: "ca1.example.net", Parameters: []Parameter{{"policy", "ev"}}}},
		{rfc, " ca1.example.net ; a=1 ;\tb = 2 ", Issue{Domain: "ca1.example.net", Parameters: []Parameter{{"a", "1"}, {"b", "2"}}}},
		{rfc, ";", Issue{}},
		{rfc, "", Issue{}},
		{rfc, " ; ", Issue{}},
		{rfc, "%%%%%", Issue{Domain: "%%%%%", Fault: Grammar}},
		{rfc, "https://ca.net", Issue{Domain: "https://ca.net", Fault: URL, Offset: 5}},
		{rfc, "ca.net/x", Issue{Domain: "ca.net/x", Fault: URL, Offset: 6}},
		{rfc, "ca.net.", Issue{Domain: "ca.net.", Fault: FinalDot, Offset: 6}},
		{rfc, ".", Issue{Domain: ".", Fault: Grammar, Offset: 0}},
		{rfc, "ca..net", Issue{Domain: "ca..net", Fault: Grammar, Offset: 3}},
		{rfc, "ca net", Issue{Domain: "ca net", Fault: Space, Offset: 2}},
		{rfc, `"ca.net"`, Issue{Domain: `"ca.net"`, Fault: Quotes}},
		{rfc, "-ca.net", Issue{Domain: "-ca.net", Fault: Grammar}},
		{rfc, "ca.net-", Issue{Domain: "ca.net-", Fault: Grammar, Offset: 6}},
		{rfc, "ca.net; account", Issue{Domain: "ca.net", Fault: Parameters, Offset: 7}},
		{rfc, "ca.net; =1", Issue{Domain: "ca.net", Fault: Parameters, Offset: 7}},
		{rfc, "ca.net; a=1 2", Issue{Domain: "ca.net", Fault: Parameters, Offset: 10}},
		{rfc, "ca.net; a=1;", Issue{Domain: "ca.net", Parameters: []Parameter{{"a", "1"}}}},
		{boulder, "ca.net; a=1;", Issue{Domain: "ca.net", Parameters: []Parameter{{"a", "1"}}, Fault: Parameters, Offset: 12}},
		{rfc, "ca.net; a-b=1", Issue{Domain: "ca.net", Parameters: []Parameter{{"a-b", "1"}}}},
		{boulder, "ca.net; a-b=1", Issue{Domain: "ca.net", Fault: Parameters, Offset: 9}},
		{rfc, "ca.net; -b=1", Issue{Domain: "ca.net", Fault: Parameters, Offset: 8}},
		{rfc, "ca.net;; a=1", Issue{Domain: "ca.net", Fault: Parameters, Offset: 7}},
	} {
		got := c.dialect.ParseIssue(c.value)
		if got.Domain != c.want.Domain || got.Fault != c.want.Fault || got.Fault != "" && got.Offset != c.want.Offset ||
			got.Fault == "" && !slices.Equal(got.Parameters, c.want.Parameters) {
			t.Errorf("%q: got %+v, want %+v", c.value, got, c.want)
		}
	}
}

func TestRepair(t *testing.T) {
	t.Parallel()
	for value, want := range map[string]string{
		"https://ca.net/": "ca.net", "ca.net.": "ca.net", `"CA.net"`: "ca.net", "ca .net; a=1": "ca.net", "http://ca.net/x": "ca.net",
	} {
		if got := Repair(value); got != want {
			t.Errorf("%q: %q", value, got)
		}
	}
}

func TestDistance(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		a, b string
		want int
	}{
		{"sectigo.com", "sectigo.com", 0},
		{"sectigo.com", "sectgio.com", 1},
		{"sectigo.com", "sectig.com", 1},
		{"sectigo.com", "sectigoo.co", 2},
		{"sectigo.com", "digicert.com", 3},
		{"letsencrypt.org", "letencrypt.org", 1},
		{"abc", "", 3},
		{"", "", 0},
		{"ab", "ba", 1},
	} {
		if got := Distance(c.a, c.b, 2); got != min(c.want, 3) && !(c.want >= 3 && got >= 3) {
			t.Errorf("%s %s: %d", c.a, c.b, got)
		}
	}
}

func FuzzParseIssue(f *testing.F) {
	for _, s := range []string{"ca.net; a=1;b=2", ";", "%%%%%", "https://ca.net", "ca.net.", " \t;\x00=\xff"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if r, ok := Parse(s); ok {
			if again, ok := Parse(r.String()); !ok || again != r {
				t.Fatalf("%q: %+v, again %+v", s, r, again)
			}
		}
		for _, d := range []Dialect{{}, {PlainTags: true}, {LastSemicolon: true}} {
			i := d.ParseIssue(s)
			if i.Fault == "" && i.Domain != "" && Repair(i.Domain) == "" {
				t.Fatalf("%q: a good domain %q repairs to nothing", s, i.Domain)
			}
			if i.Offset < 0 || i.Offset > len(s) {
				t.Fatalf("%q: offset %d", s, i.Offset)
			}
		}
	})
}
