package certfile_test

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode/utf16"

	"assay/cause"
	"assay/evidence"
	"assay/internal/certfile"
	"assay/key"
	"assay/profile"
	"assay/review"
)

// keyPEM is a private key in PKCS #8.
func keyPEM(t testing.TB, m *made) string {
	t.Helper()
	text, err := key.Hold(m.key).PEM()
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func block(label string, raw []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: label, Bytes: raw}))
}

// wide writes a text in UTF-16.
func wide(text string, mark, big bool) string {
	units := utf16.Encode([]rune(text))
	if mark {
		units = append([]uint16{0xfeff}, units...)
	}
	raw := make([]byte, 0, 2*len(units))
	for _, u := range units {
		if big {
			raw = append(raw, byte(u>>8), byte(u))
		} else {
			raw = append(raw, byte(u), byte(u>>8))
		}
	}
	return string(raw)
}

// line replaces a line (from 0) of a text.
func line(text string, n int, by ...string) string {
	lines := strings.Split(text, "\n")
	return strings.Join(slices.Replace(lines, n, n+1, by...), "\n")
}

func csrPEM(t testing.TB, m *made) string {
	t.Helper()
	raw, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{Subject: pkix.Name{CommonName: "shop.orchard.net"}}, m.key)
	if err != nil {
		t.Fatal(err)
	}
	return block("CERTIFICATE REQUEST", raw)
}

// problems writes what could not be read: "certificate blank-line 7".
func problems(list []evidence.Unreadable) []string {
	var out []string
	for _, u := range list {
		text := u.Field + " " + u.Problem
		if u.Line > 0 {
			text += fmt.Sprintf(" %d", u.Line)
		}
		if u.Seen != "" {
			text += " (" + u.Seen + ")"
		}
		out = append(out, text)
	}
	return out
}

// TestUnreadable: each way in which a text is spoilt is named with its line, and
// what can be read in spite of it is read.
func TestUnreadable(t *testing.T) {
	t.Parallel()
	h := newHierarchy(t, nil, "shop.orchard.net")
	leaf, lower, upper := certPEM(h.leaf), certPEM(h.lower), certPEM(h.upper)
	private, full := keyPEM(t, h.leaf), certPEM(h.leaf, h.lower, h.upper)
	sec1, err := x509.MarshalECPrivateKey(h.leaf.key.(*ecdsa.PrivateKey))
	if err != nil {
		t.Fatal(err)
	}
	p12 := string(makeFile(t, h.set(t, true), "pkcs12", certfile.Options{Password: password}).Content)
	p7b := string(makeFile(t, h.set(t, true), "pkcs7", certfile.Options{}).Content)
	jks := string(makeFile(t, h.set(t, true), "jks", certfile.Options{Password: password}).Content)
	lines := strings.Count(leaf, "\n")
	oneLine := strings.ReplaceAll(strings.TrimSuffix(strings.TrimPrefix(leaf, "-----BEGIN CERTIFICATE-----\n"), "-----END CERTIFICATE-----\n"), "\n", "")
	for _, c := range []struct {
		name  string
		texts certfile.Texts
		want  []string
		leaf  bool // it is read all the same
		key   bool
	}{
		{"whole", certfile.Texts{Certificate: full, Key: private}, nil, true, true},
		{"in two fields", certfile.Texts{Certificate: leaf, Chain: lower + upper, Key: private}, nil, true, true},
		{"lines of Windows", certfile.Texts{Certificate: strings.ReplaceAll(full, "\n", "\r\n"), Key: strings.ReplaceAll(private, "\n", "\r\n")}, nil, true, true},
		{"mark of UTF-8", certfile.Texts{Certificate: "\ufeff" + full}, nil, true, false},
		{"blank lines between", certfile.Texts{Certificate: "\n" + leaf + "\n\n" + lower + upper}, nil, true, false},
		{"attributes before", certfile.Texts{Certificate: "Bag Attributes\n    friendlyName: shop\nsubject=CN = shop\n\n" + full}, nil, true, false},
		{"SEC 1", certfile.Texts{Certificate: full, Key: "-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n" + block("EC PRIVATE KEY", sec1)}, nil, true, true},

		{"empty", certfile.Texts{Certificate: " \n\t\n"}, []string{"certificate empty"}, false, false},
		{"blank line", certfile.Texts{Certificate: line(full, 4, "", strings.Split(full, "\n")[4])}, []string{"certificate blank-line 5"}, true, false},
		{"blank line in the key", certfile.Texts{Certificate: full, Key: line(private, 2, "", strings.Split(private, "\n")[2])}, []string{"key blank-line 3"}, true, true},
		{"joined body", certfile.Texts{Certificate: "-----BEGIN CERTIFICATE-----\n" + oneLine + "\n-----END CERTIFICATE-----\n" + lower + upper}, []string{"certificate joined-lines 2"}, true, false},
		{"joined with BEGIN", certfile.Texts{Certificate: strings.Replace(leaf, "-----\n", "-----", 1) + lower + upper}, []string{"certificate joined-lines 1"}, true, false},
		{"joined blocks", certfile.Texts{Certificate: strings.TrimSuffix(leaf, "\n") + lower + upper}, []string{fmt.Sprintf("certificate joined-lines %d", lines)}, true, false},
		{"everything on one line", certfile.Texts{Certificate: strings.ReplaceAll(leaf, "\n", " ")}, []string{"certificate joined-lines 1"}, true, false},
		{"chain first", certfile.Texts{Certificate: lower + leaf + upper}, []string{"certificate wrong-order 1"}, true, false},
		{"leaf in the chain's field", certfile.Texts{Certificate: lower, Chain: leaf}, []string{"certificate wrong-order 1"}, true, false},
		{"CSR", certfile.Texts{Certificate: csrPEM(t, h.leaf)}, []string{"certificate csr-given 1"}, false, false},
		{"CSR under a certificate's label", certfile.Texts{Certificate: strings.ReplaceAll(csrPEM(t, h.leaf), "CERTIFICATE REQUEST", "CERTIFICATE")}, []string{"certificate csr-given 1"}, false, false},
		{"key in the certificate's field", certfile.Texts{Certificate: private + full}, []string{"certificate key-given 1"}, true, false},
		{"key under a certificate's label", certfile.Texts{Certificate: full + strings.ReplaceAll(private, "PRIVATE KEY", "CERTIFICATE")}, []string{fmt.Sprintf("certificate key-given %d", strings.Count(full, "\n")+1)}, true, false},
		{"certificate in the key's field", certfile.Texts{Certificate: full, Key: leaf}, []string{"key certificate-given 1"}, true, false},
		{"CSR in the key's field", certfile.Texts{Certificate: full, Key: csrPEM(t, h.leaf)}, []string{"key csr-given 1"}, true, false},
		{"UTF-16 of Windows", certfile.Texts{Certificate: wide(full, true, false)}, []string{"certificate utf-16"}, true, false},
		{"UTF-16, the other way", certfile.Texts{Certificate: wide(full, true, true)}, []string{"certificate utf-16"}, true, false},
		{"UTF-16 without a mark", certfile.Texts{Certificate: wide(full, false, false)}, []string{"certificate utf-16"}, true, false},
		{"key in UTF-16", certfile.Texts{Certificate: full, Key: wide(private, true, false)}, []string{"key utf-16"}, true, true},
		{"DER", certfile.Texts{Certificate: string(h.leaf.Raw)}, []string{"certificate binary (DER certificate)"}, true, false},
		{"PKCS #12", certfile.Texts{Certificate: p12}, []string{"certificate binary (PKCS #12)"}, false, false},
		{"PKCS #7", certfile.Texts{Certificate: p7b}, []string{"certificate binary (PKCS #7)"}, false, false},
		{"PKCS #7 in PEM", certfile.Texts{Certificate: block("PKCS7", []byte(p7b))}, []string{"certificate pkcs7 1"}, false, false},
		{"JKS", certfile.Texts{Certificate: jks}, []string{"certificate binary (JKS)"}, false, false},
		{"ZIP", certfile.Texts{Certificate: "PK\x03\x04abcd"}, []string{"certificate binary (ZIP)"}, false, false},
		{"no PEM", certfile.Texts{Certificate: "hello"}, []string{"certificate no-pem"}, false, false},
		{"base64 alone", certfile.Texts{Certificate: oneLine}, []string{"certificate no-pem"}, false, false},
		{"no END", certfile.Texts{Certificate: strings.Replace(leaf, "-----END CERTIFICATE-----\n", "", 1)}, []string{"certificate no-end 1"}, false, false},
		{"no END before the next", certfile.Texts{Certificate: strings.Replace(leaf, "-----END CERTIFICATE-----\n", "", 1) + lower}, []string{"certificate no-end 1"}, true, false},
		{"no BEGIN", certfile.Texts{Certificate: strings.Replace(leaf, "-----BEGIN CERTIFICATE-----\n", "", 1)}, []string{fmt.Sprintf("certificate no-begin %d", lines-1)}, false, false},
		{"another END", certfile.Texts{Certificate: strings.Replace(leaf, "END CERTIFICATE", "END PRIVATE KEY", 1)}, []string{"certificate no-end 1"}, false, false},
		{"a letter of no alphabet", certfile.Texts{Certificate: line(leaf, 3, "Zürich")}, []string{"certificate base64 4"}, false, false},
		{"a line lost", certfile.Texts{Certificate: line(leaf, 3)}, []string{"certificate der 1"}, false, false},
		{"public key", certfile.Texts{Certificate: block("PUBLIC KEY", h.leaf.RawSubjectPublicKeyInfo)}, []string{"certificate other 1 (PUBLIC KEY)"}, false, false},
		{"OpenSSL's own form", certfile.Texts{Certificate: block("TRUSTED CERTIFICATE", append(slices.Clone(h.leaf.Raw), 0x30, 0))}, []string{"certificate other 1 (TRUSTED CERTIFICATE)"}, false, false},
		{"a label that nobody knows", certfile.Texts{Certificate: block("MY SECRET", []byte("hunter2hunter2"))}, []string{"certificate other 1"}, false, false},
		{"too large", certfile.Texts{Certificate: strings.Repeat("x", certfile.MaxBytes+1)}, []string{"certificate too-large"}, false, false},
		{"two keys", certfile.Texts{Certificate: full, Key: private + private}, []string{fmt.Sprintf("key second-key %d", strings.Count(private, "\n")+1)}, true, true},
		{"no key", certfile.Texts{Certificate: full, Key: "-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n"}, []string{"key no-key"}, true, false},
		{"key of OpenSSH", certfile.Texts{Certificate: full, Key: block("OPENSSH PRIVATE KEY", []byte("openssh-key-v1\x00 and more than that"))}, []string{"key openssh 1"}, true, false},
		{"damaged key", certfile.Texts{Certificate: full, Key: block("PRIVATE KEY", []byte("damaged"))}, []string{"key der 1"}, true, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			u := certfile.Read(c.texts, nil, now)
			if got := problems(u.Facts.Unreadable); !slices.Equal(got, c.want) {
				t.Errorf("%q, want %q", got, c.want)
			}
			if (u.Leaf != nil) != c.leaf || c.leaf && !u.Leaf.Equal(h.leaf.Certificate) && c.name != "no END before the next" {
				t.Errorf("leaf %v", u.Leaf)
			}
			if (u.Key != nil) != c.key {
				t.Errorf("key %v", u.Key)
			}
			checkTexts(t, u, c.texts)
		})
	}
}

// checkTexts: everything that is found has words in both languages, and they
// hold nothing of a key.
func checkTexts(t *testing.T, u *certfile.Upload, texts certfile.Texts) {
	t.Helper()
	p, err := profile.Named("cloud")
	if err != nil {
		t.Fatal(err)
	}
	for _, lang := range cause.Languages() {
		j := review.JudgeUpload(&u.Facts, p, now)
		j.Localize(lang)
		if (len(u.Facts.Unreadable) > 0) != slices.ContainsFunc(j.Findings, func(f review.Finding) bool { return f.Cause == cause.UploadUnreadable }) {
			t.Errorf("%v for %v", j.Findings, u.Facts.Unreadable)
		}
		for _, f := range j.Findings {
			said := f.Title + f.Explanation + strings.Join(f.Handling, "")
			if strings.ContainsAny(said, "‹›{}") {
				t.Errorf("%s: %s", lang, said)
			}
			for text := range strings.Lines(texts.Key + texts.Certificate) {
				if text = strings.TrimSpace(text); len(text) > 30 && !strings.HasPrefix(text, "-----") && strings.Contains(said, text) {
					t.Errorf("%s: a line of what was pasted stands in: %s", lang, said)
				}
			}
			// The words of a problem are those of the catalogue.
			if f.Cause == cause.UploadUnreadable && cause.TextsOf(f.Cause, lang).Phrases["problem"][f.Parameters["problem"].(string)] == "" {
				t.Errorf("%s: no words for %v", lang, f.Parameters["problem"])
			}
		}
	}
}

// TestEncrypted: keys that OpenSSL protected, in both of its forms, are named
// with the command that helps, which gives a key that can be read.
func TestEncrypted(t *testing.T) {
	t.Parallel()
	h, dir := newHierarchy(t, rsaKey(), "shop.orchard.net"), t.TempDir()
	plain := filepath.Join(dir, "plain.key")
	writeText(t, plain, keyPEM(t, h.leaf))
	for name, args := range map[string][]string{
		"PKCS #8": {"pkcs8", "-topk8", "-in", plain, "-passout", "pass:" + password},
		"PKCS #1": {"rsa", "-in", plain, "-traditional", "-aes128", "-passout", "pass:" + password},
	} {
		sealed := filepath.Join(dir, "sealed "+name)
		run(t, "openssl", "openssl", append(args, "-out", sealed)...)
		raw, err := os.ReadFile(sealed)
		if err != nil {
			t.Fatal(err)
		}
		u := certfile.Read(certfile.Texts{Certificate: certPEM(h.leaf, h.lower, h.upper), Key: string(raw)}, nil, now)
		if got := problems(u.Facts.Unreadable); !slices.Equal(got, []string{"key encrypted 1"}) || u.Key != nil {
			t.Errorf("%s: %q, key %v", name, got, u.Key)
		}
		out := filepath.Join(dir, "out "+name)
		if said, err := exec.Command("openssl", "pkey", "-in", sealed, "-passin", "pass:"+password, "-out", out).CombinedOutput(); err != nil {
			t.Fatalf("the command of the text: %v\n%s", err, said)
		}
		if raw, err = os.ReadFile(out); err != nil {
			t.Fatal(err)
		}
		if k, problem := certfile.ReadKey(string(raw)); problem != nil || !certfile.Matches(h.leaf.Certificate, k) {
			t.Errorf("%s: after it %v", name, problem)
		}
	}
}

// TestKeyKinds: keys of OpenSSL's three kinds are read.
func TestKeyKinds(t *testing.T) {
	t.Parallel()
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for name, m := range map[string]*made{
		"rsa": newHierarchy(t, rsaKey(), "a.net").leaf, "ed25519": newHierarchy(t, ed, "a.net").leaf, "ecdsa": newHierarchy(t, nil, "a.net").leaf,
	} {
		k, problem := certfile.ReadKey(keyPEM(t, m))
		if problem != nil || !certfile.Matches(m.Certificate, k) {
			t.Errorf("%s: %v", name, problem)
		}
	}
}
