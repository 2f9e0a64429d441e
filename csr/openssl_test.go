package csr

import (
	"crypto/x509"
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
	if r.Verify().OK && standard.SignatureAlgorithm == x509.UnknownSignatureAlgorithm && r.Signature.OID != "1.3.14.3.2.29" {
		t.Error("a signature was verified whose algorithm crypto/x509 does not know")
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
		{"SHA-224", "-newkey rsa:2048", "-sha224", "SHA224-RSA", "algorithm"},
		{"SHA-3", "-newkey rsa:2048", "-sha3-256", "SHA3-256-RSA", "algorithm"},
		{"ECDSA with SHA-3", "-newkey ec -pkeyopt ec_paramgen_curve:P-256", "-sha3-384", "ECDSA-SHA3-384", "algorithm"},
		{"ECDSA with SHA-224", "-newkey ec -pkeyopt ec_paramgen_curve:P-256", "-sha224", "ECDSA-SHA224", "algorithm"},
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
