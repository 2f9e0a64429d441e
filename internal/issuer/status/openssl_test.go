package status

import (
	"crypto/x509"
	"encoding/pem"
	"io"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"assay/internal/issuer"
	"assay/internal/issuer/private"
)

// OpenSSL asks the handler over HTTP and believes it; curl's way, by GET, is
// tried in status_test.go.
func TestOpenSSL(t *testing.T) {
	t.Parallel()
	l := newLedger(t)
	server := httptest.NewServer(l.handler(t, nil))
	defer server.Close()
	dir := t.TempDir()
	for name, c := range map[string]*x509.Certificate{"root.pem": l.root, "issuing.pem": l.issuing} {
		if err := os.WriteFile(filepath.Join(dir, name), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw}), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	openssl := func(args ...string) (string, error) {
		c := exec.CommandContext(t.Context(), "openssl", args...)
		c.Dir = dir
		out, err := c.CombinedOutput()
		if _, missing := err.(*exec.Error); missing {
			t.Fatal("openssl is missing: install the Debian package openssl")
		}
		return string(out), err
	}
	l.set("4001", Known{})
	l.set("ff01", Known{Revoked: l.now.Add(-time.Hour), Reason: issuer.CessationOfOperation})
	cases := []struct{ serial, hash, want string }{
		{"0x4001", "-sha1", "0x4001: good"},
		{"0x4001", "-sha256", "0x4001: good"},
		{"0xff01", "-sha256", "Reason: cessationOfOperation"},
		{"0x4002", "-sha1", "Responder Error: unauthorized"},
	}
	for _, c := range cases {
		out, err := openssl("ocsp", c.hash, "-issuer", "issuing.pem", "-serial", c.serial, "-url", server.URL+"/ocsp", "-CAfile", "root.pem", "-verify_other", "issuing.pem", "-no_nonce")
		if !strings.Contains(out, c.want) || (err == nil && !strings.Contains(out, "Response verify OK") && !strings.Contains(c.want, "Error")) {
			t.Errorf("%s %s: %v\n%s", c.serial, c.hash, err, out)
		}
	}
	// With a nonce OpenSSL remarks that it did not come back, and believes the rest.
	out, err := openssl("ocsp", "-issuer", "issuing.pem", "-serial", "0x4001", "-nonce", "-url", server.URL+"/ocsp", "-CAfile", "root.pem", "-verify_other", "issuing.pem")
	if err != nil || !strings.Contains(out, "no nonce in response") || !strings.Contains(out, "0x4001: good") {
		t.Errorf("with a nonce: %v\n%s", err, out)
	}
	list, err := private.SignList(l.issuing, l.key, private.List{Number: 1, ThisUpdate: l.now, NextUpdate: l.now.Add(time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	l.lists[0] = &List{DER: list, ThisUpdate: l.now, NextUpdate: l.now.Add(time.Hour)}
	for file, path := range map[string]string{"0.crl": "/crl/main/0.crl", "main.crt": "/ca/main.crt"} {
		answer, err := server.Client().Get(server.URL + path)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(answer.Body)
		answer.Body.Close()
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, file), body, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if out, err := openssl("crl", "-in", "0.crl", "-inform", "DER", "-noout", "-CAfile", "issuing.pem"); err != nil || !strings.Contains(out, "verify OK") {
		t.Errorf("%v %s", err, out)
	}
	if out, err := openssl("verify", "-CAfile", "root.pem", "main.crt"); err != nil {
		t.Errorf("%s", out)
	}
}
