package key_test

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/pem"
	"net/url"
	"strings"
	"testing"

	"assay/key"
)

func TestPrivateKeysInText(t *testing.T) {
	t.Parallel()
	private, err := key.New(key.KindP256, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	armoured, err := private.PEM()
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(armoured)
	text, bare := string(armoured), base64.StdEncoding.EncodeToString(block.Bytes)
	secret := bare[60:90]
	forURL := strings.NewReplacer("+", "-", "/", "_").Replace(bare)
	for name, given := range map[string]string{
		"PEM":              text,
		"PEM in a log":     "error: cannot load\n" + text + "giving up",
		"one line":         strings.ReplaceAll(text, "\n", " "),
		"escaped":          `{"key":"` + strings.ReplaceAll(text, "\n", `\n`) + `"}`,
		"form":             "csr=" + url.QueryEscape(text),
		"small letters":    strings.ToLower(text),
		"no end":           text[:120],
		"no dashes":        strings.ReplaceAll(text, "-----", ""),
		"other dashes":     strings.ReplaceAll(text, "-----", "—————"),
		"base64 alone":     bare,
		"base64 in a line": "password=" + bare + ";",
		"base64url":        forURL,
		"wrapped base64":   bare[:64] + "\n" + bare[64:],
		"JSON web key":     `{"kty":"EC","crv":"P-256","d":"` + forURL[60:100] + `"}`,
		"PuTTY":            "PuTTY-User-Key-File-3: ecdsa-sha2-nistp256\nPrivate-Lines: 1\n" + bare,
		"OpenSSH":          base64.StdEncoding.EncodeToString([]byte("openssh-key-v1\x00" + strings.Repeat("x", 40))),
	} {
		if !key.InText(given) {
			t.Errorf("%s: not recognised", name)
		}
		clean := key.Redact(given)
		if !strings.Contains(clean, key.Removed) || strings.Contains(strings.ToLower(clean), strings.ToLower(secret)) {
			t.Errorf("%s: left %q", name, clean)
		}
		if again := key.Redact(clean); again != clean || !key.InText(clean) {
			t.Errorf("%s: redacted twice: %q", name, again)
		}
	}
}

func TestTextsWithoutPrivateKeys(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"", "www.orchard.net", "Private Key Holdings Ltd, begin-of-the-road 1, Shenzhen",
		"the private key must be kept on the server, see the handbook for how to begin",
		strings.Repeat("m", 63) + ".net", strings.Repeat("MIIBoard", 20),
		"-----BEGIN CERTIFICATE REQUEST-----\nMIICijCCAXICAQAwRTELMAkGA1UEBhMCQVUxEzARBgNVBAgMClNvbWUtU3RhdGUx\n-----END CERTIFICATE REQUEST-----",
		"evaGxfADs6pSRb2LAv9IZf17Dt3juxGJ-PCt92wr-oA.9jg46WB3rR_AHD-EBXdN7cBkH1WOu0tA3M9fm21mqTI",
	} {
		if key.InText(text) || key.Redact(text) != text {
			t.Errorf("%q is taken for a private key", text)
		}
	}
}

// FuzzRedact: what is left holds no key, and a second time changes nothing.
func FuzzRedact(f *testing.F) {
	f.Add("-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQ\n-----END PRIVATE KEY-----")
	f.Add("x MC4CAQAwBQYDK2VwBCIEIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA y")
	f.Fuzz(func(t *testing.T, text string) {
		clean := key.Redact(text)
		if !key.InText(text) && clean != text {
			t.Errorf("%q was changed to %q", text, clean)
		}
		if rest := strings.ReplaceAll(clean, key.Removed, ""); len(text) >= 40 && key.InText(rest) && !strings.Contains(rest, key.Removed) {
			t.Errorf("%q left a key: %q", text, clean)
		}
	})
}
