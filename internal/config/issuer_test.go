package config

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/pem"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"assay/data"
	"assay/probe/dial"
)

// TestIssuer: the table [issuer] becomes the configuration of an upstream CA, and
// what is wrong with it is told by its name.
func TestIssuer(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	server := httptest.NewTLSServer(nil)
	t.Cleanup(server.Close)
	for name, text := range map[string]string{
		"roots.pem": string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})),
		"eab.key":   "MDEyMzQ1Njc4OWFiY2RlZg\n", "bad.key": "short",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	const needed = "[issuer]\nkind = \"acme\"\nid = \"letsencrypt\"\ndirectory = \"https://ca.orchard.net/dir\"\n"
	for _, c := range []struct {
		name, text string
		parse, err []string
	}{
		{name: "what is needed", text: needed},
		{name: "everything", text: needed + `contact = ["ca@orchard.net"]
agree-to-terms = true
eab-key-id = "kid-1"
eab-hmac-file = "eab.key"
roots-file = "roots.pem"
chain-roots-file = "roots.pem"
ask-not-after = true
timeout = "10s"
wait = "1m"
[issuer.profiles]
free = "classic"
`},
		{name: "an unknown key", text: needed + "directories = 1", parse: []string{"issuer.directories", "there are kind, id, directory, contact"}},
		{name: "a number", text: "[issuer]\ndirectory = 1", parse: []string{"assay.toml:2:13: issuer.directory"}},
		{name: "nothing", text: "", err: []string{"[issuer]: id:", "directory: needed"}},
		{name: "half a binding", text: needed + "eab-key-id = \"kid-1\"", err: []string{"[issuer]: eab-hmac-file: needed beside eab-key-id"}},
		{name: "the other half", text: needed + "eab-hmac-file = \"eab.key\"", err: []string{"eab-key-id is needed"}},
		{name: "a bad key", text: needed + "eab-key-id = \"kid-1\"\neab-hmac-file = \"bad.key\"", err: []string{"eab-hmac-file: want the HMAC key"}},
		{name: "no such file", text: needed + "roots-file = \"none.pem\"\nchain-roots-file = \"none.pem\"", err: []string{"[issuer]: roots-file: no such file", "[issuer]: chain-roots-file: no such file"}},
		{name: "not PEM", text: needed + "roots-file = \"eab.key\"", err: []string{"roots-file: holds no certificate"}},
		{name: "durations", text: needed + "timeout = \"10\"\nwait = \"-1s\"", err: []string{"timeout: \"10\" is no duration", "wait: \"-1s\" is no duration"}},
		{name: "too long", text: needed + "wait = \"10h\"", err: []string{"wait: 10h0m0s is out of range"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			parsed, err := Parse([]byte(c.text), filepath.Join(dir, "assay.toml"))
			if !says(t, err, c.parse) || err != nil {
				return
			}
			if err := parsed.Issuer.CheckKind(); err != nil {
				t.Fatal(err)
			}
			got, err := parsed.Issuer.Upstream(key, &dial.Dialer{Data: data.Embedded()})
			if !says(t, err, c.err) || err != nil || c.name != "everything" {
				return
			}
			if !got.AgreeToTerms || !got.AskNotAfter || got.Roots == nil || got.Anchors == nil || got.EAB.KeyID != "kid-1" || string(got.EAB.HMAC) != "0123456789abcdef" ||
				got.Timeout != 10*time.Second || got.Wait != time.Minute || got.Profiles["free"] != "classic" || got.Contact[0] != "ca@orchard.net" {
				t.Errorf("%+v", got)
			}
		})
	}
	if err := (&Issuer{Kind: "est"}).CheckKind(); err == nil || !strings.Contains(err.Error(), `[issuer]: kind: "est"`) {
		t.Error(err)
	}
}

// says reports whether an error is as it is wanted: none, or with all the words.
func says(t *testing.T, err error, words []string) bool {
	t.Helper()
	if (err != nil) != (len(words) > 0) {
		t.Errorf("%v, want %q", err, words)
		return false
	}
	for _, w := range words {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("%v, want %q", err, w)
			return false
		}
	}
	return true
}
