//go:build pkcs11

package pkcs11

import (
	"context"
	"crypto"
	"crypto/elliptic"
	"crypto/rand"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"assay/internal/issuer"
	"assay/internal/issuer/issuertest"
	"assay/internal/issuer/private"
	"assay/order"
	"assay/profile"
)

// token makes a token of SoftHSM in a directory of its own. The library reads
// its environment, which is the whole process's: these tests do not run beside
// each other.
func token(t *testing.T) Place {
	t.Helper()
	modules, err := filepath.Glob("/usr/lib/*/softhsm/libsofthsm2.so")
	if more, _ := filepath.Glob("/usr/lib/softhsm/libsofthsm2.so"); err == nil {
		modules = append(modules, more...)
	}
	if len(modules) == 0 {
		t.Fatal("SoftHSM is missing: install the Debian package softhsm2")
	}
	dir := t.TempDir()
	config := filepath.Join(dir, "softhsm2.conf")
	file(t, config, "directories.tokendir = "+dir+"\nobjectstore.backend = file\nlog.level = ERROR\n")
	file(t, filepath.Join(dir, "pin"), "4321\n")
	t.Setenv("SOFTHSM2_CONF", config)
	out, err := exec.CommandContext(t.Context(), "softhsm2-util", "--init-token", "--free", "--label", "assay", "--so-pin", "9876", "--pin", "4321").CombinedOutput()
	if err != nil {
		t.Fatalf("softhsm2-util (Debian package softhsm2): %v\n%s", err, out)
	}
	return Place{Module: modules[0], Token: "assay", Object: "issuing", PINFile: filepath.Join(dir, "pin")}
}

func file(t *testing.T, name, content string) {
	t.Helper()
	if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

var at = time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)

// fixture is a CA with its issuing key in a device.
func fixture(t testing.TB, key crypto.Signer) *issuertest.Fixture {
	t.Helper()
	rootKey, err := private.GenerateKey(elliptic.P384())
	if err != nil {
		t.Fatal(err)
	}
	root, err := private.CreateRoot(private.Name{CommonName: "Root", Organization: "Orchard", Country: "DE"}, rootKey, at.Add(-time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	issuing, err := private.CreateIssuing(private.Name{CommonName: "Issuing", Organization: "Orchard", Country: "DE"}, key.Public(), private.Constraints{}, root, rootKey, private.URLs{}, at.Add(-time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	a, err := private.New(private.Config{
		ID: "device", Hierarchy: private.Hierarchy{Issuing: issuing, Root: root}, Key: key, URLs: private.URLsAt("http://pki.example.net", "device"),
		NextShard: func(context.Context) (int, error) { return 0, nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	p, err := profile.Named("baseline")
	if err != nil {
		t.Fatal(err)
	}
	return &issuertest.Fixture{
		Issuer: a, Root: root, Names: []string{"www.orchard.com", "mail.orchard.com"},
		Request: func(_ testing.TB, csr []byte, names ...string) *issuer.Request {
			return &issuer.Request{Order: "1", Attempt: 1, Profile: p, Product: order.DV, Names: names, CSR: csr, Now: at}
		},
	}
}

// A CA with its key in a device passes the suite of every other.
func TestSuite(t *testing.T) {
	place := token(t)
	key, err := Generate(place)
	if err != nil {
		t.Fatal(err)
	}
	defer key.Close()
	gone := place
	gone.Object = "gone"
	away, err := Generate(gone)
	if err != nil {
		t.Fatal(err)
	}
	if err := away.Close(); err != nil {
		t.Fatal(err)
	}
	issuertest.Run(t, issuertest.Engine{
		New:      func(t testing.TB) *issuertest.Fixture { return fixture(t, key) },
		Away:     func(t testing.TB) *issuertest.Fixture { return fixture(t, away) },
		Serially: true,
	})
}

func TestKeyInDevice(t *testing.T) {
	place := token(t)
	if _, err := Open(place); err == nil || !strings.Contains(err.Error(), "there are 0") {
		t.Errorf("no key yet: %v", err)
	}
	made, err := Generate(place)
	if err != nil {
		t.Fatal(err)
	}
	defer made.Close()
	if _, err := Generate(place); err == nil || !strings.Contains(err.Error(), "already") {
		t.Errorf("a second key of the same label: %v", err)
	}
	found, err := Open(place)
	if err != nil {
		t.Fatal(err)
	}
	if !made.Public().(interface{ Equal(crypto.PublicKey) bool }).Equal(found.Public()) {
		t.Error("another key was found than was made")
	}
	var wait sync.WaitGroup
	for range 8 {
		wait.Go(func() {
			for range 20 {
				if _, err := found.Sign(rand.Reader, make([]byte, 32), crypto.SHA256); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	wait.Wait()
	if err := errors.Join(found.Close(), found.Close()); err != nil {
		t.Error(err)
	}
	if _, err := found.Sign(rand.Reader, make([]byte, 32), crypto.SHA256); !errors.Is(err, errClosed) {
		t.Errorf("closed: %v", err)
	}
}

// removed is a key whose device was taken out.
type removed struct{ crypto.Signer }

func (removed) Sign(io.Reader, []byte, crypto.SignerOpts) ([]byte, error) {
	return nil, errors.New("CKR_DEVICE_REMOVED")
}

// A device that was away is looked for again.
func TestAwayAndBack(t *testing.T) {
	place := token(t)
	key, err := Generate(place)
	if err != nil {
		t.Fatal(err)
	}
	defer key.Close()
	d := key.(*device)
	d.signer = removed{d.signer}
	pin := place.PINFile
	if err := os.Rename(pin, pin+".away"); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if _, err := key.Sign(rand.Reader, make([]byte, 32), crypto.SHA256); err == nil {
			t.Fatal("signed without its device")
		}
	}
	if err := os.Rename(pin+".away", pin); err != nil {
		t.Fatal(err)
	}
	if _, err := key.Sign(rand.Reader, make([]byte, 32), crypto.SHA256); err != nil {
		t.Errorf("the device is back: %v", err)
	}
}

func TestWrongPIN(t *testing.T) {
	place := token(t)
	file(t, place.PINFile, "0000")
	if _, err := Open(place); err == nil || strings.Contains(err.Error(), "0000") {
		t.Errorf("%v", err)
	}
	place.Token = "another"
	if _, err := Open(place); err == nil || !strings.Contains(err.Error(), "another") {
		t.Errorf("%v", err)
	}
}
