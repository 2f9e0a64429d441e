package csr

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"assay/key"
)

// samples are the requests that the rules are tested with, most of them made by
// OpenSSL.
func samples(t testing.TB) map[string]string {
	t.Helper()
	files, err := filepath.Glob("../review/testdata/csr/*")
	if err != nil || len(files) < 80 {
		t.Fatal(len(files), err)
	}
	all := map[string]string{}
	for _, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		all[filepath.Base(file)] = string(raw)
	}
	return all
}

// TestAgreesWithOpenSSL: of every request that both read, OpenSSL says the same
// names, key, algorithm, and the same about the signature.
func TestAgreesWithOpenSSL(t *testing.T) {
	t.Parallel()
	openssl, err := exec.LookPath("openssl")
	if err != nil {
		t.Fatal("this test needs the openssl command (Debian: apt-get install openssl): ", err)
	}
	compared := 0
	for name, text := range samples(t) {
		r, p := Read(text)
		if p != nil {
			continue
		}
		compared++
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			command := exec.Command(openssl, "req", "-noout", "-text", "-verify", "-nameopt", "oneline,-esc_msb,utf8")
			command.Stdin = strings.NewReader(Encode(r.DER))
			output, err := command.CombinedOutput()
			shown := string(output)
			if strings.HasPrefix(r.Signature.Name, "ECDSA-SHA3-") {
				// OpenSSL 3.0 makes such requests and does not know them again.
				verifyDigest(t, openssl, r)
				return
			}
			if !strings.Contains(shown, "Certificate Request:") || !strings.Contains(shown, "Signature Algorithm:") {
				if r.Verify().OK {
					t.Fatalf("openssl does not read it: %v\n%s", err, shown)
				}
				return // a key or algorithm that openssl has no use for either
			}
			if name != "exponent-above-modulus.csr" && name != "even-modulus.csr" { // refused there as keys
				if ok := strings.Contains(shown, "verify OK"); ok != r.Verify().OK && r.Verify().Reason != "key" {
					t.Errorf("signature %+v, openssl: %s", r.Verify(), strings.SplitN(shown, "\n", 2)[0])
				}
			}
			compareText(t, r, shown)
		})
	}
	if compared < 60 {
		t.Errorf("only %d requests were compared", compared)
	}
}

// verifyDigest has OpenSSL verify the signature over the bytes alone.
func verifyDigest(t *testing.T, openssl string, r *Request) {
	t.Helper()
	dir := t.TempDir()
	pub := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: r.Key.SPKI})
	for name, content := range map[string][]byte{"key": pub, "signature": r.signature} {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	hash := strings.ToLower(strings.TrimPrefix(r.Signature.Name, "ECDSA-"))
	command := exec.Command(openssl, "dgst", "-"+hash, "-verify", filepath.Join(dir, "key"), "-signature", filepath.Join(dir, "signature"))
	command.Stdin = bytes.NewReader(r.signed)
	output, err := command.CombinedOutput()
	if ok := err == nil && strings.Contains(string(output), "Verified OK"); ok != r.Verify().OK {
		t.Errorf("signature %+v, openssl: %s", r.Verify(), output)
	}
}

var (
	sanLine  = regexp.MustCompile(`X509v3 Subject Alternative Name:.*\n +(.*)`)
	bitsLine = regexp.MustCompile(`Public-Key: \((\d+) bit\)`)
	cnPart   = regexp.MustCompile(`CN = ([^,\n]*)`)
)

func compareText(t *testing.T, r *Request, shown string) {
	t.Helper()
	subject := regexp.MustCompile(`Subject:(.*)`).FindStringSubmatch(shown)[1]
	var names []string
	for _, m := range cnPart.FindAllStringSubmatch(subject, -1) {
		names = append(names, strings.Trim(m[1], `"`))
	}
	if !slices.Equal(names, r.CommonNames()) {
		t.Errorf("common names %q, openssl %q", r.CommonNames(), names)
	}
	var ours, theirs []string
	for _, s := range r.SANs {
		if s.Kind != "other" {
			ours = append(ours, s.Value)
		}
	}
	if m := sanLine.FindStringSubmatch(shown); m != nil {
		for part := range strings.SplitSeq(m[1], ", ") {
			kind, value, _ := strings.Cut(part, ":")
			if kind == "IP Address" {
				value = netip.MustParseAddr(value).String()
			}
			if kind != "othername" {
				theirs = append(theirs, value)
			}
		}
	}
	if !slices.Equal(ours, theirs) {
		t.Errorf("alternative names %q, openssl %q", ours, theirs)
	}
	if m := bitsLine.FindStringSubmatch(shown); m != nil && r.Key.N != nil && r.Key.Describe() != "RSA "+m[1] {
		t.Errorf("key %s, openssl %s bits", r.Key.Describe(), m[1])
	}
	for phrase, want := range map[string]bool{
		"CA:TRUE": r.CA, "status_request\n": r.MustStaple, "TLS Web Client Authentication": slices.Contains(r.EKUs, OIDClientAuth),
		"challengePassword": r.ChallengePassword, "ecdsa-with-SHA256": r.Signature.Name == "ECDSA-SHA256",
		"sha1WithRSAEncryption": r.Signature.Name == "SHA1-RSA",
	} {
		if strings.Contains(shown, phrase) != want {
			t.Errorf("openssl shows %q: %v, want %v", phrase, !want, want)
		}
	}
}

// agrees holds a text to crypto/x509: what is read it reads too, unless there
// is something to say about the key, and what it verifies is verified here.
func agrees(t *testing.T, text string) {
	t.Helper()
	r, _ := Read(text)
	if r == nil {
		return
	}
	standard, err := x509.ParseCertificateRequest(r.DER)
	known := r.Key.Type == key.RSA || r.Key.Type == key.ECDSA && slices.Contains([]string{"P-224", "P-256", "P-384", "P-521"}, r.Key.Curve)
	if err != nil {
		if known && r.Key.Encoding == nil && !oddly(err) {
			t.Errorf("crypto/x509 refuses it: %v", err)
		}
		return
	}
	if standard.Subject.CommonName != "" && !slices.Contains(r.CommonNames(), standard.Subject.CommonName) {
		t.Errorf("common names %q, crypto/x509 %q", r.CommonNames(), standard.Subject.CommonName)
	}
	var dns []string
	for _, s := range r.SANs {
		if s.Kind == "dns" {
			dns = append(dns, s.Value)
		}
	}
	if !slices.Equal(dns, standard.DNSNames) {
		t.Errorf("DNS names %q, crypto/x509 %q", dns, standard.DNSNames)
	}
	if standard.CheckSignature() == nil && !r.Verify().OK {
		t.Errorf("crypto/x509 verifies the signature, here %+v", r.Verify())
	}
	if r.Verify().OK && standard.SignatureAlgorithm == x509.UnknownSignatureAlgorithm && !beyondX509.MatchString(r.Signature.Name) && r.Signature.OID != "1.3.14.3.2.29" {
		t.Error("a signature was verified whose algorithm crypto/x509 does not know")
	}
}

// beyondX509 are the algorithms that are verified here and unknown to
// crypto/x509; OpenSSL is the oracle for them.
var beyondX509 = regexp.MustCompile(`^(SHA224-RSA|ECDSA-SHA224|SHA3-[0-9]+-RSA|ECDSA-SHA3-[0-9]+|SHA[0-9]+-RSAPSS)$`)

// TestBeyondX509: each of them is verified, and not once a bit has changed.
func TestBeyondX509(t *testing.T) {
	t.Parallel()
	tried := 0
	for name, text := range samples(t) {
		r, _ := Read(text)
		if r == nil || !beyondX509.MatchString(r.Signature.Name) || r.Verify().Reason == "key" {
			continue
		}
		tried++
		if v := r.Verify(); !v.OK {
			t.Errorf("%s: %s: %+v", name, r.Signature.Name, v)
		}
		raw := slices.Clone(r.DER)
		raw[len(raw)-1] ^= 1
		if changed, _ := Read(Encode(raw)); changed == nil || changed.Verify().Reason != "wrong" {
			t.Errorf("%s: %s: a changed signature is %+v", name, r.Signature.Name, changed.Verify())
		}
	}
	if tried < 13 {
		t.Errorf("only %d requests", tried)
	}
	// The salt's length stands outside of what is signed, and is held to.
	r, _ := Read(samples(t)["pss-longest-salt.csr"])
	raw := bytes.Replace(r.DER, []byte("\xa2\x04\x02\x02\x00\xde"), []byte("\xa2\x04\x02\x02\x00\xdd"), 1)
	if changed, _ := Read(Encode(raw)); changed == nil || changed.Verify().Reason != "wrong" {
		t.Errorf("with another salt: %+v", changed.Verify())
	}
}

// TestPSSParameters: defaults count, and what is not understood is not guessed.
func TestPSSParameters(t *testing.T) {
	t.Parallel()
	sha256 := "\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x01\x05\x00"
	sha384 := strings.Replace(sha256, "\x02\x01\x05", "\x02\x02\x05", 1)
	mgf := func(hash string) string {
		return "\xa1\x1c\x30\x1a\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x08" + hash
	}
	salt, trailer := "\xa2\x03\x02\x01\x20", "\xa3\x03\x02\x01\x01"
	for _, c := range []struct {
		what, body, name string
		weak             bool
	}{
		{"nothing stated", "", "SHA1-RSAPSS", true},
		{"everything stated", "\xa0\x0f" + sha256 + mgf(sha256) + salt + trailer, "SHA256-RSAPSS", false},
		{"without the trailer", "\xa0\x0f" + sha256 + mgf(sha256) + salt, "SHA256-RSAPSS", false},
		{"another hash in the mask", "\xa0\x0f" + sha256 + mgf(sha384) + salt, "RSASSA-PSS", false},
		{"the mask of SHA-1", "\xa0\x0f" + sha256 + salt, "RSASSA-PSS", false},
		{"another trailer", "\xa0\x0f" + sha256 + mgf(sha256) + salt + "\xa3\x03\x02\x01\x02", "RSASSA-PSS", false},
		{"fields out of order", mgf(sha256) + "\xa0\x0f" + sha256 + salt, "RSASSA-PSS", false},
		{"a negative salt", "\xa0\x0f" + sha256 + mgf(sha256) + "\xa2\x03\x02\x01\xff", "RSASSA-PSS", false},
		{"a salt beyond any key", "\xa0\x0f" + sha256 + mgf(sha256) + "\xa2\x05\x02\x03\x01\x00\x00", "RSASSA-PSS", false},
		{"cut off", "\xa0\x0f" + sha256[:9], "RSASSA-PSS", false},
	} {
		a := pssOf([]byte("\x30" + string([]byte{byte(len(c.body))}) + c.body))
		if a.Name != c.name || a.Weak != c.weak {
			t.Errorf("%s: %s weak %v, want %s %v", c.what, a.Name, a.Weak, c.name, c.weak)
		}
	}
	if a := pssOf(nil); a.Name != "RSASSA-PSS" || !a.Weak {
		t.Errorf("without parameters: %+v", a)
	}
}

// oddly: values that no subject holds as text (numbers, times), URIs with a host
// that is no domain, and exponents beyond 63 bits, about which crypto/x509 is
// stricter.
func oddly(err error) bool {
	return strings.Contains(err.Error(), "asn1: ") || strings.Contains(err.Error(), "URI") || strings.Contains(err.Error(), "RSA public exponent")
}

func TestAgreesWithStandardLibrary(t *testing.T) {
	t.Parallel()
	for name, text := range samples(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			agrees(t, text)
			same(t, text)
			// What crypto/x509 reads is read here.
			if raw, p := (&pasted{}).decode(strings.Join(strings.Split(text, "\n")[1:max(1, strings.Count(text, "\n")-1)], "\n"), 0); p == nil {
				if _, err := x509.ParseCertificateRequest(raw); err == nil {
					if _, p := parse(raw); p != nil {
						t.Errorf("crypto/x509 reads it: %v", p)
					}
				}
			}
		})
	}
}

// FuzzRead: no text breaks the reader, what is kept reads like the text, and
// what is read is what crypto/x509 reads.
func FuzzRead(f *testing.F) {
	for _, text := range samples(f) {
		if len(text) < 1500 {
			f.Add(text)
		}
	}
	f.Add("-----BEGIN CERTIFICATE REQUEST-----\n-----END CERTIFICATE REQUEST-----")
	f.Add("BEGIN CERTIFICATE REQUEST\\nMIIB\\u003d&#43;%2B –––END")
	f.Fuzz(func(t *testing.T, text string) {
		same(t, text)
		agrees(t, text)
	})
}

// FuzzDER is FuzzRead below the armour, where mutations reach.
func FuzzDER(f *testing.F) {
	for _, text := range samples(f) {
		if r, _ := Read(text); r != nil && len(r.DER) < 900 {
			f.Add(r.DER)
		}
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		agrees(t, Encode(raw))
	})
}

// FuzzScrub: whatever stands around a private key and however its lines end,
// nothing of it is kept.
func FuzzScrub(f *testing.F) {
	secret := derOf(samples(f)["private-key-only.csr"])
	armoured := pemOf("EC PRIVATE KEY", secret)
	secret = secret[7:39] // the scalar
	for _, around := range [][3]string{
		{"", "", "\n"},
		{"key: ", "", "\r\n"},
		{sample(), sample(), "\n"},
		{"\"", "\"", "\\n"},
		{"<pre>", "</pre>", "<br>"},
		{"-----BEGIN ", "", "\n> "},
		{"ssh-rsa ", "x", " "},
	} {
		f.Add(around[0], around[1], around[2])
	}
	f.Fuzz(func(t *testing.T, before, after, lineEnd string) {
		text := before + strings.ReplaceAll(armoured, "\n", lineEnd) + after
		clean, _, _ := Scrub(text)
		leaks(t, clean, secret)
		_, p := Read(text)
		if p != nil {
			leaks(t, p.Error(), secret)
		}
		same(t, text)
	})
}

// TestUnverified: a signature that is not verified here is named, and is no
// fault of its own where the key is of a curve that nothing is verified with.
func TestUnverified(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, newKey, sign, algorithm, reason string }{
		{"SM2", "-newkey sm2", "-sm3", "SM2-SM3", "key"},
		{"secp256k1", "-newkey ec -pkeyopt ec_paramgen_curve:secp256k1", "-sha256", "ECDSA-SHA256", "key"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			args := append([]string{"req", "-new", "-nodes", "-keyout", os.DevNull, "-subj", "/CN=www.orchard.net", c.sign}, strings.Fields(c.newKey)...)
			made, err := exec.Command("openssl", args...).Output()
			if err != nil {
				t.Fatal(err)
			}
			r, p := Read(string(made))
			if p != nil {
				t.Fatal(p)
			}
			if v := r.Verify(); r.Signature.Name != c.algorithm || v.OK || v.Reason != c.reason {
				t.Errorf("%s: %+v", r.Signature.Name, v)
			}
		})
	}
}
