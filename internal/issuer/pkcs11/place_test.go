package pkcs11

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const uri = "pkcs11:token=assay;object=issuing%20key?module-path=/usr/lib/softhsm/libsofthsm2.so&pin-source=file:/etc/assay/pin"

func TestParse(t *testing.T) {
	t.Parallel()
	want := Place{Module: "/usr/lib/softhsm/libsofthsm2.so", Token: "assay", Object: "issuing key", PINFile: "/etc/assay/pin"}
	if p, err := Parse(uri); err != nil || p != want {
		t.Errorf("%+v, %v", p, err)
	}
	if !Is(uri) || Is("sealed") {
		t.Error("what says where a key lies is not told")
	}
	for text, want := range map[string]string{
		"sealed": "begins with pkcs11:",
		strings.Replace(uri, "token=assay;", "", 1): "does not say its token",
		strings.Replace(uri, "object=", "id=", 1):   `"id"`,
		uri + "&pin-source=/x":                      "twice",
		uri + "&pin-value=hunter2":                  "holds its PIN",
		strings.Replace(uri, "=/usr", "=usr", 1):    "needs module-path",
		strings.Replace(uri, "assay;", "%zz;", 1):   "no readable value for token",
		strings.Replace(uri, "assay;", "%0a;", 1):   "no readable value for token",
		"pkcs11:" + strings.Repeat("x", maxURI):     "characters",
	} {
		if _, err := Parse(text); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%.80s: %v", text, err)
		}
	}
}

// TestParseShowsNoPIN: whatever is wrong with a URI that holds a PIN, no error shows it.
func TestParseShowsNoPIN(t *testing.T) {
	t.Parallel()
	const secret = "hunter2"
	for _, text := range []string{
		uri + "&pin-value=hunter2",
		uri + "&pin-value=hunter2&pin-value=hunter2",
		uri + "&PIN-VALUE=hunter2",
		uri + "&pin%2Dvalue=hunter2",
		uri + "&pin=hunter2",
		uri + "&pin-value:hunter2",
		uri + "&pin-value hunter2",
		uri + "&hunter2",
		strings.Replace(uri, "?", ";pin-value=hunter2?", 1),
		strings.Replace(uri, "?", ";hunter2?", 1),
		strings.Replace(uri, "file:/etc/assay/pin", "hunter2", 1),
		strings.Replace(uri, "file:/etc/assay/pin", "hunter2%zz", 1),
		strings.Replace(uri, "file:/etc/assay/pin", "hunter2%0a", 1),
		strings.TrimPrefix(uri, "pkcs11:") + "&pin-value=hunter2",
		uri + "&pin-value=hunter2" + strings.Repeat("x", maxURI),
	} {
		if _, err := Parse(text); err == nil || strings.Contains(err.Error(), secret) {
			t.Errorf("%.200s: %v", text, err)
		}
	}
}

func TestPIN(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "pin")
	for content, want := range map[string]string{"1234\n": "1234", "": "", strings.Repeat("9", maxPIN+1): ""} {
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if got, err := (Place{PINFile: file}).pin(); got != want || (err == nil) != (want != "") {
			t.Errorf("%.10q: %.10q, %v", content, got, err)
		}
	}
	if _, err := (Place{PINFile: file + "x"}).pin(); err == nil {
		t.Error("a PIN out of no file")
	}
}

func FuzzParse(f *testing.F) {
	f.Add(uri)
	f.Add("pkcs11:token=a;object=b?module-path=/m&pin-source=/p")
	f.Fuzz(func(t *testing.T, text string) {
		p, err := Parse(text)
		if err == nil && (p.check() != nil || !Is(text)) {
			t.Errorf("%q: %+v", text, p)
		}
	})
}
