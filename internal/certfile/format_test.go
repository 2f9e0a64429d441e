package certfile_test

import (
	"archive/zip"
	"bytes"
	"crypto"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"assay/cause"
	"assay/internal/certfile"
	"assay/internal/message"
	"assay/key"
)

const password = "correct horse"

// run runs an oracle and returns what it says.
func run(t *testing.T, debian, name string, args ...string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Fatalf("%s is missing: install the Debian package %s", name, debian)
	}
	out, err := exec.Command(path, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return string(out)
}

// write writes a file that was made into a directory.
func write(t *testing.T, dir string, f *certfile.File) string {
	t.Helper()
	path := filepath.Join(dir, f.Name)
	if err := os.WriteFile(path, f.Content, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func makeFile(t *testing.T, s *certfile.Set, id string, o certfile.Options) *certfile.File {
	t.Helper()
	f, err := s.Make(id, o)
	if err != nil {
		t.Fatalf("%s: %v", id, err)
	}
	return f
}

// TestPlainFormats: OpenSSL reads each of them and verifies the chain.
func TestPlainFormats(t *testing.T) {
	t.Parallel()
	h, dir := newHierarchy(t, nil, "shop.orchard.net"), t.TempDir()
	s := h.set(t, false)
	paths := map[string]string{}
	for _, id := range []string{"pem", "chain", "fullchain", "root", "der", "pkcs7"} {
		f := makeFile(t, s, id, certfile.Options{})
		if f.Secret {
			t.Errorf("%s: is secret", id)
		}
		paths[id] = write(t, dir, f)
	}
	if out := run(t, "openssl", "openssl", "verify", "-CAfile", paths["root"], "-untrusted", paths["chain"], paths["pem"]); !strings.Contains(out, "OK") {
		t.Errorf("verify: %s", out)
	}
	if out := run(t, "openssl", "openssl", "x509", "-inform", "DER", "-in", paths["der"], "-noout", "-subject"); !strings.Contains(out, "shop.orchard.net") {
		t.Errorf("x509: %s", out)
	}
	if out := run(t, "openssl", "openssl", "pkcs7", "-inform", "DER", "-in", paths["pkcs7"], "-print_certs", "-noout"); strings.Count(out, "subject=") != 3 {
		t.Errorf("pkcs7: %s", out)
	}
	full, err := os.ReadFile(paths["fullchain"])
	if err != nil {
		t.Fatal(err)
	}
	if want := certPEM(h.leaf, h.lower, h.upper); string(full) != want {
		t.Errorf("fullchain: %s", full)
	}
}

// TestPKCS12: OpenSSL opens it with the password and with no other, in both
// encodings, for keys of both kinds.
func TestPKCS12(t *testing.T) {
	t.Parallel()
	for name, k := range map[string]crypto.Signer{"rsa": rsaKey(), "ecdsa": nil} {
		for _, legacy := range []bool{false, true} {
			h, dir := newHierarchy(t, k, "shop.orchard.net"), t.TempDir()
			s := h.set(t, true)
			f := makeFile(t, s, "pkcs12", certfile.Options{Password: password, Legacy: legacy})
			if !f.Secret {
				t.Errorf("%s: is not secret", name)
			}
			path := write(t, dir, f)
			out := run(t, "openssl", "openssl", "pkcs12", "-in", path, "-passin", "pass:"+password, "-info", "-nodes")
			if strings.Count(out, "BEGIN CERTIFICATE") != 3 || !strings.Contains(out, "PRIVATE KEY") {
				t.Errorf("%s: %s", name, out)
			}
			if got := strings.Contains(out, "TripleDES"); got != legacy {
				t.Errorf("%s: triple DES %v, want %v", name, got, legacy)
			}
			if out, err := exec.Command("openssl", "pkcs12", "-in", path, "-passin", "pass:wrong one", "-nodes").CombinedOutput(); err == nil {
				t.Errorf("%s: opens with another password: %s", name, out)
			}
		}
	}
}

// TestJKS: keytool lists one key with its chain, or the certificates.
func TestJKS(t *testing.T) {
	t.Parallel()
	h, dir := newHierarchy(t, rsaKey(), "shop.orchard.net"), t.TempDir()
	path := write(t, dir, makeFile(t, h.set(t, true), "jks", certfile.Options{Password: password}))
	out := run(t, "default-jre-headless", "keytool", "-J-Duser.language=en", "-list", "-v", "-keystore", path, "-storepass", password)
	if !strings.Contains(out, "PrivateKeyEntry") || !strings.Contains(out, "Certificate chain length: 3") {
		t.Errorf("keytool: %s", out)
	}
	// The key itself comes out too, and it is the certificate's.
	p12 := filepath.Join(dir, "out.p12")
	run(t, "default-jre-headless", "keytool", "-importkeystore", "-srckeystore", path, "-srcstorepass", password,
		"-destkeystore", p12, "-deststoretype", "PKCS12", "-deststorepass", password)
	pem := run(t, "openssl", "openssl", "pkcs12", "-in", p12, "-passin", "pass:"+password, "-nodes", "-nocerts")
	k, problem := certfile.ReadKey(pem[strings.Index(pem, "-----BEGIN"):])
	if problem != nil || !certfile.Matches(h.leaf.Certificate, k) {
		t.Errorf("the key that keytool gives back: %v", problem)
	}
	trusted := write(t, dir, makeFile(t, h.set(t, false), "jks", certfile.Options{Password: password}))
	out = run(t, "default-jre-headless", "keytool", "-J-Duser.language=en", "-list", "-keystore", trusted, "-storepass", password)
	if strings.Count(out, "trustedCertEntry") != 4 {
		t.Errorf("keytool: %s", out)
	}
}

// unzip returns the files of a bundle.
func unzip(t *testing.T, raw []byte) map[string]*zip.File {
	t.Helper()
	z, err := zip.NewReader(bytes.NewReader(raw), int64(len(raw)))
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]*zip.File{}
	for _, f := range z.File {
		files[f.Name] = f
	}
	return files
}

func content(t *testing.T, f *zip.File) string {
	t.Helper()
	if f == nil {
		t.Fatal("no such file in the bundle")
	}
	r, err := f.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	raw, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

// TestBundles: what lies in them, with the key and without.
func TestBundles(t *testing.T) {
	t.Parallel()
	h := newHierarchy(t, nil, "shop.orchard.net", "www.orchard.net")
	for _, c := range []struct {
		id            string
		without, with []string // beside the notes and the root
		secret        []string
	}{
		{"nginx", []string{".fullchain.pem", ".nginx.conf"}, []string{".fullchain.pem", ".key", ".nginx.conf"}, []string{".key"}},
		{"apache", []string{".apache.conf", ".fullchain.pem"}, []string{".apache.conf", ".fullchain.pem", ".key"}, []string{".key"}},
		{"tomcat", []string{".chain.pem", ".p7b", ".pem", ".server.xml"}, []string{".jks", ".server.xml"}, []string{".jks"}},
		{"iis", []string{".cer", ".install.ps1", ".p7b"}, []string{".install.ps1", ".pfx"}, []string{".pfx"}},
		{"haproxy", []string{".haproxy.cfg", ".pem"}, []string{".haproxy.cfg", ".pem"}, []string{".pem"}},
	} {
		for _, withKey := range []bool{false, true} {
			s := h.set(t, withKey)
			f := makeFile(t, s, c.id, certfile.Options{Password: password})
			if f.Name != "shop.orchard.net."+c.id+".zip" || f.Secret != withKey {
				t.Errorf("%s: %s, secret %v", c.id, f.Name, f.Secret)
			}
			files := unzip(t, f.Content)
			want := c.without
			if withKey {
				want = c.with
			}
			want = append(slices.Clone(want), ".install.en.txt", ".install.zh.txt", ".root.pem")
			var got []string
			for name, file := range files {
				suffix := strings.TrimPrefix(name, "shop.orchard.net")
				got = append(got, suffix)
				if !file.Modified.Equal(h.leaf.NotBefore) {
					t.Errorf("%s: %s has the time %v", c.id, name, file.Modified)
				}
				mode := os.FileMode(0o644)
				if withKey && slices.Contains(c.secret, suffix) {
					mode = 0o600
				}
				if file.Mode() != mode {
					t.Errorf("%s: %s has mode %v", c.id, name, file.Mode())
				}
				if text := content(t, file); !withKey && key.InText(text) {
					t.Errorf("%s: %s holds a private key", c.id, name)
				}
			}
			slices.Sort(got)
			slices.Sort(want)
			if !slices.Equal(got, want) {
				t.Errorf("%s, key %v: %v, want %v", c.id, withKey, got, want)
			}
			checkNotes(t, files, want)
			if again := makeFile(t, s, c.id, certfile.Options{Password: password}); (c.id == "nginx" || !withKey) && !bytes.Equal(f.Content, again.Content) {
				t.Errorf("%s: not the same bytes twice", c.id)
			}
		}
	}
}

// checkNotes: every file that a note names is there or is the key, and the
// Chinese note is in Chinese.
func checkNotes(t *testing.T, files map[string]*zip.File, suffixes []string) {
	t.Helper()
	named := regexp.MustCompile(`shop\.orchard\.net(\.[a-z0-9.]*[a-z0-9])?`)
	for _, lang := range cause.Languages() {
		text := content(t, files["shop.orchard.net.install."+string(lang)+".txt"])
		for _, m := range named.FindAllStringSubmatch(text, -1) {
			if s := m[1]; s != "" && s != ".key" && s != ".pem.key" && !slices.Contains(suffixes, s) {
				t.Errorf("%s: the note names %s, which is not there", lang, m[0])
			}
		}
		if strings.Contains(text, "bundle.") || strings.Contains(text, "{{") || strings.Contains(text, "<no value>") {
			t.Errorf("%s: a text is missing:\n%s", lang, text)
		}
		if han := regexp.MustCompile(`\p{Han}`).MatchString(text); han != (lang == cause.Chinese) {
			t.Errorf("%s: the note is in the other language", lang)
		}
	}
}

// TestIIS: OpenSSL reads the PFX of the bundle.
func TestIIS(t *testing.T) {
	t.Parallel()
	h, dir := newHierarchy(t, rsaKey(), "*.orchard.net"), t.TempDir()
	files := unzip(t, makeFile(t, h.set(t, true), "iis", certfile.Options{Password: password}).Content)
	path := filepath.Join(dir, "x.pfx")
	if err := os.WriteFile(path, []byte(content(t, files["_.orchard.net.pfx"])), 0o600); err != nil {
		t.Fatal(err)
	}
	out := run(t, "openssl", "openssl", "pkcs12", "-in", path, "-passin", "pass:"+password, "-nodes")
	if strings.Count(out, "BEGIN CERTIFICATE") != 3 || !strings.Contains(out, "PRIVATE KEY") {
		t.Errorf("pkcs12: %s", out)
	}
	if script := content(t, files["_.orchard.net.install.ps1"]); strings.Contains(script, "HostHeader") || !strings.Contains(script, "_.orchard.net.pfx") {
		t.Errorf("a wildcard has no host header:\n%s", script)
	}
}

// TestRefused: what cannot be made is said in both languages, and quotes nothing.
func TestRefused(t *testing.T) {
	t.Parallel()
	h := newHierarchy(t, nil, "shop.orchard.net")
	short, err := certfile.New(h.leaf.Raw, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, format string
		set          *certfile.Set
		password     string
		want         certfile.What
	}{
		{"format", "docx", h.set(t, true), password, certfile.UnknownFormat},
		{"no key", "pkcs12", h.set(t, false), password, certfile.KeyNeeded},
		{"no password", "pkcs12", h.set(t, true), "", certfile.PasswordNeeded},
		{"no password for a keystore", "jks", h.set(t, false), "", certfile.PasswordNeeded},
		{"no password for a bundle with a key", "tomcat", h.set(t, true), "", certfile.PasswordNeeded},
		{"short password", "jks", h.set(t, true), "s3cr3", certfile.PasswordUnfit},
		{"password of other signs", "iis", h.set(t, true), "gehörtmir", certfile.PasswordUnfit},
		{"no chain", "chain", short, "", certfile.NoChain},
		{"no root", "root", short, "", certfile.NoRoot},
	} {
		_, err := c.set.Make(c.format, certfile.Options{Password: c.password})
		var e *certfile.Error
		if !errors.As(err, &e) || e.What != c.want {
			t.Errorf("%s: %v, want %s", c.name, err, c.want)
			continue
		}
		for _, lang := range cause.Languages() {
			text := e.Text(message.New(lang))
			if strings.HasPrefix(text, "certfile.") || strings.Contains(text, "{{") || len(c.password) > 0 && strings.Contains(text, c.password) {
				t.Errorf("%s: %s", c.name, text)
			}
		}
	}
	other := newHierarchy(t, nil, "shop.orchard.net")
	var e *certfile.Error
	if err := short.SetKey(key.Hold(other.leaf.key)); !errors.As(err, &e) || e.What != certfile.KeyMismatch || short.HasKey() {
		t.Errorf("a foreign key: %v", err)
	}
	if _, err := certfile.New([]byte("x"), nil, nil); !errors.As(err, &e) || e.What != certfile.Unreadable {
		t.Errorf("no certificate: %v", err)
	}
	if _, err := certfile.New(h.leaf.Raw, make([][]byte, 30), nil); !errors.As(err, &e) || e.What != certfile.TooMany {
		t.Errorf("thirty: %v", err)
	}
}

// TestHostileNames: names from outside do not get into configurations, scripts
// and file names.
func TestHostileNames(t *testing.T) {
	t.Parallel()
	ca := issue(t, authority("Evil\nCA"), nil, nil)
	for _, name := range []string{"a; } evil", `x"$(calc)`, "../../etc/passwd", "a b", "-x.org", "a\nb", "."} {
		template := server("good.orchard.net")
		template.DNSNames = []string{name}
		template.IPAddresses = nil
		raw := issue(t, template, ca, nil)
		s, err := certfile.New(raw.Raw, nil, nil)
		if err != nil {
			continue // crypto/x509 refuses some
		}
		if s.Name() != "certificate" || len(s.Names()) != 0 {
			t.Errorf("%q becomes %q, %q", name, s.Name(), s.Names())
		}
		for _, f := range certfile.Formats() {
			if !f.Bundle {
				continue
			}
			for path, file := range unzip(t, makeFile(t, s, f.ID, certfile.Options{Password: password}).Content) {
				if strings.Contains(path, name) && name != "." || strings.ContainsAny(path, "/\\ ") {
					t.Errorf("%s: a file is called %q", f.ID, path)
				}
				if text := content(t, file); !strings.HasSuffix(path, ".p7b") && !strings.HasSuffix(path, ".cer") && (name != "." && strings.Contains(text, name) || strings.Contains(text, "Evil\nCA")) {
					t.Errorf("%s: %q stands in %s", f.ID, name, path)
				}
			}
		}
	}
}
