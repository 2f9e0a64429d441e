package private

import (
	"encoding/pem"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"assay/internal/issuer"
	"assay/order"
)

// openssl runs OpenSSL in a directory and returns what it says.
func openssl(t *testing.T, dir string, args ...string) (string, error) {
	t.Helper()
	c := exec.CommandContext(t.Context(), "openssl", args...)
	c.Dir = dir
	out, err := c.CombinedOutput()
	if _, missing := err.(*exec.Error); missing {
		t.Fatal("openssl is missing: install the Debian package openssl")
	}
	return string(out), err
}

func write(t *testing.T, dir, name, kind string, der ...[]byte) {
	t.Helper()
	var all []byte
	for _, d := range der {
		all = append(all, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: d})...)
	}
	if err := os.WriteFile(filepath.Join(dir, name), all, 0o600); err != nil {
		t.Fatal(err)
	}
}

// OpenSSL reads and believes what is issued, until it is revoked.
func TestOpenSSL(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Constraints{DNS: []string{"orchard.com"}})
	a := newAuthority(t, w.config())
	dir := t.TempDir()
	r := request(t, "baseline", "www.orchard.com", "*.orchard.com")
	r.Product, r.Subject, r.CommonName = order.OV, orchard(), "www.orchard.com"
	leaf, other := issue(t, a, r), issue(t, a, r)
	write(t, dir, "root.pem", "CERTIFICATE", w.root.Raw)
	write(t, dir, "issuing.pem", "CERTIFICATE", w.issuing.Raw)
	write(t, dir, "leaf.pem", "CERTIFICATE", leaf.Raw)
	when := []string{"-attime", "1795694400"} // at
	if at.Unix() != 1795694400 {
		t.Fatal(at.Unix())
	}
	verify := append([]string{"verify", "-x509_strict", "-purpose", "sslserver", "-verify_hostname", "mail.orchard.com", "-CAfile", "root.pem", "-untrusted", "issuing.pem"}, when...)
	if out, err := openssl(t, dir, append(verify, "leaf.pem")...); err != nil {
		t.Fatal(out)
	}
	text, err := openssl(t, dir, "x509", "-in", "leaf.pem", "-noout", "-text", "-nameopt", "utf8,sep_comma_plus")
	if err != nil {
		t.Fatal(text)
	}
	for _, want := range []string{
		"Subject: C=DE,ST=Bayern,L=München,O=Obst & Söhne GmbH,CN=www.orchard.com",
		"X509v3 Key Usage: critical\n                Digital Signature\n", "TLS Web Server Authentication\n", "CA:FALSE",
		"DNS:www.orchard.com, DNS:*.orchard.com", "Policy: 2.23.140.1.2.2", "URI:http://pki.example.net/crl/main/0.crl",
		"OCSP - URI:http://pki.example.net/ocsp", "CA Issuers - URI:http://pki.example.net/ca/main.crt", "ecdsa-with-SHA256",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	list := func(number int64, entries []byte) {
		der, err := a.SignList(t.Context(), List{Number: number, ThisUpdate: at.Add(-time.Hour), NextUpdate: at.Add(day), URL: a.ShardURL(0), Entries: entries})
		if err != nil {
			t.Fatal(err)
		}
		write(t, dir, "crl.pem", "X509 CRL", der)
		if out, err := openssl(t, dir, "crl", "-in", "crl.pem", "-CAfile", "issuing.pem", "-noout", "-text"); err != nil || !strings.Contains(out, "verify OK") || !strings.Contains(out, "Only User Certificates") {
			t.Errorf("%v: %s", err, out)
		}
	}
	check := append(append([]string{}, verify...), "-crl_check", "-CRLfile", "crl.pem", "leaf.pem")
	list(1, entries(t, Revoked{other.SerialNumber.Text(16), at.Add(-time.Hour), issuer.KeyCompromise}))
	if out, err := openssl(t, dir, check...); err != nil {
		t.Errorf("not revoked: %s", out)
	}
	list(2, entries(t, Revoked{leaf.SerialNumber.Text(16), at.Add(-time.Hour), issuer.Superseded}))
	if out, err := openssl(t, dir, check...); err == nil || !strings.Contains(out, "certificate revoked") {
		t.Errorf("revoked: %v, %s", err, out)
	}
}
