package explain

import (
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"assay/cause"
)

// TestPatterns holds every pattern to its form, its example and its near miss.
func TestPatterns(t *testing.T) {
	t.Parallel()
	if n := len(Patterns()); n < 120 {
		t.Errorf("%d patterns", n)
	}
	seen := map[string]bool{}
	for _, p := range Patterns() {
		t.Run(p.Match, func(t *testing.T) {
			if p.Source == "" || len(p.Causes) == 0 || p.Example == "" || p.Near == "" {
				t.Fatal("source, causes, example and near are all needed")
			}
			if seen[p.Match] {
				t.Error("the same expression twice")
			}
			seen[p.Match] = true
			if !slices.Contains([]string{"", Certain, Likely, Possible}, p.Confidence) {
				t.Errorf("confidence %q", p.Confidence)
			}
			for i, id := range p.Causes {
				if cause.Lookup(id) == nil {
					t.Errorf("cause %q is not in the catalogue", id)
				}
				if slices.Contains(p.Causes[:i], id) {
					t.Errorf("cause %q twice", id)
				}
			}
			literal := regexp.MustCompile(`\\.|\(\?P<[a-z]+>|\{\{[a-z]+\}\}`).ReplaceAllString(p.Match, "")
			if strings.ContainsFunc(literal, func(r rune) bool { return r < 128 && unicode.IsUpper(r) }) {
				t.Error("upper case never matches: the text is in lower case")
			}
			if len(p.needles) == 0 || shortest(p.needles) < 3 {
				t.Errorf("needles %q: the expression needs a literal of three bytes in every branch", p.needles)
			}
			if p.expression.MatchString("") {
				t.Error("matches nothing at all")
			}
			if p.expression.MatchString(lower(normalise(p.Near))) {
				t.Errorf("recognises its near miss %q", p.Near)
			}
			checkExample(t, p)
		})
	}
}

// checkExample: of the whole set, it is this pattern that recognises the example.
func checkExample(t *testing.T, p *Pattern) {
	t.Helper()
	matches := Text(p.Example)
	for _, id := range p.Causes {
		i := slices.IndexFunc(matches, func(m Match) bool { return m.Cause == id })
		if i < 0 {
			t.Errorf("%q: no %s in %v", p.Example, id, matches)
			continue
		}
		if id != p.Causes[0] {
			continue
		}
		m := matches[i]
		if m.Source != p.Source {
			t.Errorf("%q: recognised as %s, want %s", p.Example, m.Source, p.Source)
		}
		for key, want := range p.Want {
			if got := m.Parameters[key]; got != want {
				t.Errorf("%q: parameter %s = %q, want %q", p.Example, key, got, want)
			}
		}
	}
}

func TestText(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, text string
		first      cause.ID
		confidence string
		parameters map[string]string
		check      string
	}{
		{
			"certbot, wrapped and indented",
			"Certbot failed to authenticate some domains (authenticator: webroot). The Certificate Authority reported these problems:\n" +
				"  Domain: some.orchard.net\n  Type:   unauthorized\n  Detail: 203.0.113.7: Invalid response from\n   http://some.orchard.net/.well-known/acme-challenge/x1: 404\n",
			cause.FileMissing, Likely,
			map[string]string{"name": "some.orchard.net", "url": "http://some.orchard.net/.well-known/acme-challenge/x1", "status": "404"},
			"assay check some.orchard.net --profile letsencrypt",
		},
		{
			"problem document within a log within JSON",
			`{"msg":"validating","error":"{\"type\":\"urn:ietf:params:acme:error:unauthorized\",\"detail\":\"Incorrect TXT record \\\"abc\\\" found at _acme-challenge.orchard.net\"}"}`,
			cause.DNSValueMismatch, Likely,
			map[string]string{"name": "_acme-challenge.orchard.net", "value": "abc"},
			"assay check orchard.net --profile letsencrypt",
		},
		{
			"name by the address alone",
			"203.0.113.7: Fetching http://www.orchard.net:80/.well-known/acme-challenge/x1: Connection refused",
			cause.FileConnectionRefused, Likely,
			map[string]string{"url": "http://www.orchard.net:80/.well-known/acme-challenge/x1"},
			"assay check www.orchard.net --profile letsencrypt",
		},
		{
			"name of the client before the words of the CA",
			"[Sat Jul 12 16:17:25 CST 2025] Shop.orchard.net:Verify error:During secondary validation: wrong",
			cause.PerspectiveQuorumNotMet, Certain,
			map[string]string{"name": "Shop.orchard.net"},
			"assay check shop.orchard.net --profile letsencrypt",
		},
		{
			"static cause of a name",
			`Cannot issue for "intranet.orchard.lan": Domain name does not end with a valid public suffix (TLD)`,
			cause.NameInternal, Certain,
			map[string]string{"name": "intranet.orchard.lan"},
			"",
		},
		{
			"type alone",
			"urn:ietf:params:acme:error:caa",
			cause.CAAForbids, Likely, nil,
			"assay check NAME --profile letsencrypt",
		},
		{
			"Chinese escaped by JSON",
			`{"Message":"\u89e3\u6790\u8bb0\u5f55\u503c\u9519\u8bef\uff0c\u8bf7\u68c0\u67e5"}`,
			cause.DNSValueMismatch, Likely, nil,
			"assay check NAME --profile cloud",
		},
		{
			"upload",
			"FailedOperation.CertificateMismatch",
			cause.UploadKeyMismatch, Certain, nil,
			"assay cert inspect FILE.pem --key FILE.key --profile cloud",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			matches := Text(test.text)
			if len(matches) == 0 {
				t.Fatal("no match")
			}
			m := matches[0]
			if m.Cause != test.first || m.Confidence != test.confidence || test.check != "" && m.Check != test.check {
				t.Errorf("got %s, %s, %q", m.Cause, m.Confidence, m.Check)
			}
			if test.parameters != nil && !maps.Equal(m.Parameters, test.parameters) {
				t.Errorf("parameters %v", m.Parameters)
			}
		})
	}
}

func TestCheck(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		id             cause.ID
		rule           bool
		name           string
		command, needs string
	}{
		{cause.NameInternal, true, "srv.orchard.lan", "assay check --offline srv.orchard.lan --profile cloud", NeedsNothing},
		{cause.NameInternal, true, "*.orchard.net", "assay check --offline '*.orchard.net' --profile cloud", NeedsNothing},
		{cause.NameInternal, true, "$(reboot)", "assay check --offline NAME --profile cloud", NeedsNothing},
		{cause.KeyROCA, true, "", "assay check --offline NAME --csr FILE.csr --profile cloud", NeedsNothing},
		{cause.CSRReused, true, "", "assay check --offline NAME --csr FILE.csr --profile cloud --history HISTORY.yaml", NeedsNothing},
		{cause.OrganizationPhoneEmpty, true, "", "assay check --offline --order ORDER.yaml --profile cloud", NeedsNothing},
		{cause.LimitQuotaExceeded, true, "orchard.net", "assay check --offline --order ORDER.yaml --history HISTORY.yaml --profile cloud", NeedsNothing},
		{cause.DNSRecordMissing, false, "_acme-challenge.orchard.net", "assay check orchard.net --profile cloud  # needs the live network review, which the next release brings", NeedsNetwork},
		{cause.UploadUnreadable, true, "", "assay cert inspect FILE.pem --profile cloud", NeedsNothing},
		{cause.UploadDuplicate, false, "", "assay causes upload.duplicate  # what to do (this release has no check for it)", NeedsLater},
	} {
		command, needs := check(test.id, test.rule, test.name, "cloud")
		if command != test.command || needs != test.needs {
			t.Errorf("%s: %q, %q; want %q, %q", test.id, command, needs, test.command, test.needs)
		}
	}
}

// TestSeveral: a log of two names gives a match for each, and words that only
// sum up are not counted beside words that say why.
func TestSeveral(t *testing.T) {
	t.Parallel()
	matches := Text(`Some challenges have failed.
  Domain: a.orchard.net
  Detail: DNS problem: NXDOMAIN looking up TXT for _acme-challenge.a.orchard.net - check that a DNS record exists for this domain
  Domain: b.orchard.net
  Detail: During secondary validation: DNS problem: NXDOMAIN looking up TXT for _acme-challenge.b.orchard.net - check that a DNS record exists for this domain`)
	var names []string
	for _, m := range matches {
		if m.Cause == cause.DNSRecordMissing {
			names = append(names, m.Parameters["name"])
		}
		if strings.HasPrefix(string(m.Cause), "file.missing") {
			t.Errorf("%s from words that only sum up", m.Cause)
		}
	}
	if !slices.Equal(names, []string{"_acme-challenge.a.orchard.net", "_acme-challenge.b.orchard.net"}) {
		t.Errorf("names %v", names)
	}
	if matches[0].Cause != cause.PerspectiveQuorumNotMet {
		t.Errorf("the certain one comes first, got %s", matches[0].Cause)
	}
}

func TestNothingKnown(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"", " ", "hello", "证书已签发", "The certificate was issued.", "\x00\xff\xfe", "200 OK"} {
		if matches := Text(text); len(matches) > 0 {
			t.Errorf("%q: %v", text, matches)
		}
	}
}

// TestHostileText: what comes from outside neither reaches a command line nor
// a terminal as it is, private keys are not repeated, and only 64 KiB are read.
func TestHostileText(t *testing.T) {
	t.Parallel()
	const key = "MIIEvQIBADANBgkqhkiG9w0BAQEFAASC"
	for name, text := range map[string]string{
		"shell in a name":   "No TXT record found at orchard.net;rm",
		"option as a name":  "No TXT record found at --profile",
		"control character": "No TXT record found at \x1b[31morchard.net\x1b[0m",
		"private key":       "too many new orders -----BEGIN PRIVATE KEY-----\n" + key + "\n-----END PRIVATE KEY----- retry after 2026-11-24 01:20:00 UTC",
		"private key, cut":  "invalid domain -----BEGIN RSA PRIVATE KEY-----\n" + key,
	} {
		for _, m := range Text(text) {
			all := m.Excerpt + m.Check
			for _, v := range m.Parameters {
				all += v
			}
			if strings.ContainsAny(m.Check, ";|&`$") || strings.ContainsFunc(all, unicode.IsControl) || strings.Contains(all, key) {
				t.Errorf("%s: %+v", name, m)
			}
		}
	}
	long := strings.Repeat("a ", MaxText/2) + "urn:ietf:params:acme:error:caa"
	if matches := Text(long); len(matches) > 0 {
		t.Errorf("read past the limit: %v", matches)
	}
}

// FuzzText: any bytes give bounded, printable matches of known causes.
func FuzzText(f *testing.F) {
	for _, p := range Patterns() {
		f.Add(p.Example)
	}
	f.Add("\xff\xfe\\u00zz\\ud800\\\"")
	f.Fuzz(func(t *testing.T, text string) {
		matches := Text(text)
		if len(matches) > MaxMatches {
			t.Fatalf("%d matches", len(matches))
		}
		for _, m := range matches {
			if cause.Lookup(m.Cause) == nil || rank(m.Confidence) < 0 || m.Check == "" {
				t.Fatalf("%+v", m)
			}
			shown := m.Excerpt
			for _, v := range m.Parameters {
				shown += v
			}
			if !utf8.ValidString(shown) || strings.ContainsFunc(shown, func(r rune) bool { return !unicode.IsPrint(r) }) {
				t.Fatalf("not printable: %q", shown)
			}
			if utf8.RuneCountInString(m.Excerpt) > maxExcerpt+1 {
				t.Fatalf("excerpt of %d characters", utf8.RuneCountInString(m.Excerpt))
			}
		}
	})
}

func BenchmarkLongLog(b *testing.B) {
	text := strings.Repeat("2026-11-24 00:00:00 DEBUG certbot: polling http://orchard.net/.well-known/acme-challenge/x1 status pending\n", 700)
	for b.Loop() {
		Text(text)
	}
}
