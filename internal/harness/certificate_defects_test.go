package harness

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

// TestCertificateDefects: the harness finds an issuer that signs twice what a process
// may have signed that died, one whose certificates are handed out before they are
// stored, a list that is not counted on, and a revocation that was acknowledged and
// lost.
func TestCertificateDefects(t *testing.T) {
	t.Parallel()
	for defect, want := range map[string]string{again: "two certificates:", eager: "not stored:", still: "list:", lenient: "revocation lost:"} {
		t.Run(defect, func(t *testing.T) {
			t.Parallel()
			for range 20 { // a siege has so many orders, and all of them are issued soon
				s := newSiege(t, filepath.Join(t.TempDir(), "assay.db"), 0)
				s.Defect, s.linger = defect, 200
				if s.found(t, want, 50) {
					return
				}
			}
			t.Error("not found")
		})
	}
}

// TestKeyAway: the key of the CA does not sign for a while, over and over. Orders
// wait; what was given up is revoked; at the end every order that passed has its
// certificate.
func TestKeyAway(t *testing.T) {
	t.Parallel()
	s := newSiege(t, filepath.Join(t.TempDir(), "assay.db"), 0)
	s.Fickle, s.linger = true, 300
	away := filepath.Join(s.Published, "away")
	s.strike = func(*field) error {
		if s.rand.IntN(2) == 0 {
			if err := os.Remove(away); err != nil && !os.IsNotExist(err) {
				return err
			}
			return nil
		}
		return os.WriteFile(away, nil, 0o600)
	}
	if err := os.WriteFile(away, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	s.run(t, 10, func() time.Time { return time.Now().Add(time.Hour) })
	if s.book.given == 0 {
		t.Error("nothing was given up")
	}
	t.Logf("%d serial numbers were given up", s.book.given)
}
