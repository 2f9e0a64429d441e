package review

import (
	"slices"
	"strings"
	"testing"

	"assay/cause"
	"assay/data"
	"assay/order"
	"assay/profile"
)

func TestParseEmail(t *testing.T) {
	for _, c := range []struct{ email, rule string }{
		{"mei@orchard.net", ""},
		{"mei.lin+ca@mail.orchard.net", ""},
		{"o'neil/x=y@orchard.net", ""},
		{`"mei lin"@orchard.net`, ""},
		{`"a@b"@orchard.net`, ""},
		{`"a\"b"@orchard.net`, ""},
		{strings.Repeat("m", 64) + "@orchard.net", ""},
		{strings.Repeat("m", 65) + "@orchard.net", "too-long"},
		{"m@" + strings.Repeat(strings.Repeat("a", 62)+".", 4) + "net", "too-long"},
		{"orchard.net", "no-at"},
		{"@orchard.net", "local-part"},
		{".mei@orchard.net", "local-part"},
		{"mei.@orchard.net", "local-part"},
		{"mei lin@orchard.net", "local-part"},
		{"a@b@orchard.net", "local-part"},
		{`"mei@orchard.net`, "local-part"},
		{`"mei"lin"@orchard.net`, "local-part"},
		{`"mei\"@orchard.net`, "local-part"},
		{"\u6885@orchard.net", "local-part"},
		{"mei(home)@orchard.net", "local-part"},
		{"<mei@orchard.net>", "local-part"},
		{"mei@", "domain"},
		{"mei@orchard", "domain"},
		{"mei@orchard..net", "domain"},
		{"mei@orchard.net.", "domain"},
		{"mei@ orchard.net", "domain"},
		{"mei@[192.0.2.1]", "domain"},
		{"mei@192.0.2.1", "domain"},
		{"mei@*.orchard.net", "domain"},
		{"mei@https://orchard.net", "domain"},
		{"mei@b\u00fccher.de", "domain"},
	} {
		t.Run(c.email, func(t *testing.T) {
			t.Parallel()
			domain, rule := parseEmail(c.email)
			if rule != c.rule || (domain == nil) != (rule != "") {
				t.Errorf("rule %q, want %q", rule, c.rule)
			}
		})
	}
}

func FuzzParseEmail(f *testing.F) {
	for _, s := range []string{"", "@", "a@b.c", `"\"@a.b`, `"`, "\"\\"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, email string) {
		domain, rule := parseEmail(email)
		if (domain == nil) != (rule != "") {
			t.Fatalf("%q: %v, %q", email, domain, rule)
		}
		if domain != nil && !strings.HasSuffix(strings.ToLower(email), "@"+domain.Clean) {
			t.Fatalf("%q: domain %q", email, domain.Clean)
		}
	})
}

// TestContactRequired: before submission nobody is asked for an administrator,
// at an attempt one must be there. "0" is no administrator.
func TestContactRequired(t *testing.T) {
	p, err := profile.Named("cloud")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		what  string
		mode  Mode
		id    string
		found bool
	}{
		{"precheck", Precheck, "", false},
		{"attempt", Attempt, "", true},
		{"attempt with number 0", Attempt, "0", true},
		{"attempt with an approved administrator", Attempt, "m17", false},
	} {
		t.Run(c.what, func(t *testing.T) {
			t.Parallel()
			o := &order.Order{Product: order.OV, Names: []string{"www.orchard.net"}, Contacts: &order.Contacts{AdministratorID: c.id}}
			r := Prepare(o, data.Embedded()).Judge(Input{Profile: p, Mode: c.mode, Scope: ScopeOrder})
			found := slices.ContainsFunc(r.Findings, func(f Finding) bool {
				return f.Cause == cause.RequestContactEmailInvalid && f.Parameters["rule"] == "empty"
			})
			if found != c.found {
				t.Errorf("found %v, want %v", found, c.found)
			}
		})
	}
}
