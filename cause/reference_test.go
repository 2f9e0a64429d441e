package cause

import (
	"net/url"
	"slices"
	"strconv"
	"testing"
)

// TestReferences: every reference of the catalogue is spelled out, in every
// language, and every address is one.
func TestReferences(t *testing.T) {
	t.Parallel()
	used := map[string]bool{}
	for _, e := range All() {
		if len(e.References)+len(e.Seed) == 0 {
			t.Errorf("%s: no reference", e.ID)
		}
		for _, short := range slices.Concat(e.References, e.Seed) {
			used[short] = true
			for _, lang := range Languages() {
				title, address := ReferenceIn(short, lang)
				if title == "" {
					t.Errorf("%s: reference %q is not known", e.ID, short)
				}
				if u, err := url.Parse(address); err != nil || (address != "" && (u.Scheme != "https" || u.Host == "")) {
					t.Errorf("%s: reference %q: address %q", e.ID, short, address)
				}
			}
		}
	}
	for n := 1; n <= 20; n++ {
		if short := "S" + strconv.Itoa(n); !used[short] {
			t.Errorf("no entry covers cause %s of the founding document", short)
		}
	}
}

func TestReferenceForms(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ name, short, title, url string }{
		{"section of the BR", "BR 6.1.5", "CA/Browser Forum Baseline Requirements 2.3.1, section 6.1.5", baselineURL},
		{"two sections", "BR 3.2.2.1, .7", "CA/Browser Forum Baseline Requirements 2.3.1, sections 3.2.2.1, .7", baselineURL},
		{"RFC", "RFC 8737", "RFC 8737: ACME TLS application-layer protocol negotiation (ALPN) challenge", "https://www.rfc-editor.org/rfc/rfc8737"},
		{"RFC with section", "RFC 8555 7.4", "RFC 8555: Automatic certificate management environment (ACME), section 7.4", "https://www.rfc-editor.org/rfc/rfc8555#section-7.4"},
		{"RFC with appendix", "RFC 5280 A.1", "RFC 5280: X.509 certificate and CRL profile, section A.1", "https://www.rfc-editor.org/rfc/rfc5280#appendix-A.1"},
		{"RFC without title", "RFC 9999", "RFC 9999", "https://www.rfc-editor.org/rfc/rfc9999"},
		{"page with a place in it", "TC-api −3/−8", "Tencent Cloud: SSL Certificates API and error codes (−3/−8)", "https://cloud.tencent.com/document/api/400/41680"},
		{"name with a blank", "Let's Debug", "Let's Debug", "https://github.com/letsdebug/letsdebug"},
		{"version of a programme", "Chrome root programme 1.8", "Chrome Root Program Policy (1.8)", "https://googlechrome.github.io/chromerootprogram/"},
		{"practice has no page", "practice", "Seen in operation", ""},
		{"unknown", "TC-nothing", "", ""},
		{"unknown with place", "Nobody 3.2", "", ""},
		{"BR without section", "BR x", "", ""},
		{"empty", "", "", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			title, address := Reference(test.short)
			if title != test.title || address != test.url {
				t.Errorf("Reference(%q) = %q, %q; want %q, %q", test.short, title, address, test.title, test.url)
			}
		})
	}
	if title, _ := ReferenceIn("S12", Chinese); title != "原始文档，原因 12：CSR 已在其他订单中使用" {
		t.Errorf("Chinese title of S12: %q", title)
	}
}
