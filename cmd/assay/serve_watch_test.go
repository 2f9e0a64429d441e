package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"testing"
	"time"

	"assay/cause"
	"assay/internal/store"
	"assay/lab"
	"assay/lab/trial"
	"assay/profile"
)

// TestWatchOfService: what the service hears of a stored certificate is what its
// servers show.
func TestWatchOfService(t *testing.T) {
	t.Parallel()
	made, err := lab.Deployed()
	if err != nil {
		t.Fatal(err)
	}
	stored := &store.Certificate{DER: made.New.Certificate[0], Chain: bytes.Join(made.New.Certificate[1:], nil)}
	stored.ID = "c1"
	for shows, want := range map[string]cause.ID{"new": "", "old": cause.DeployOldCertificateServed, "new-alone": cause.DeployChainMissing} {
		w, err := lab.New(lab.Change{
			Places: lab.Strings{"P0"}, Sites: map[string]lab.SiteChange{"w1": {WebChange: lab.WebChange{Handshakes: []lab.Handshake{{Deployment: shows}}}}},
		}, lab.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if err := w.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = w.Close() })
		places, err := trial.Places(context.Background(), w)
		if err != nil {
			t.Fatal(err)
		}
		a := &app{now: func() time.Time { return lab.Clock }}
		found, err := a.watchInUse(places, profile.Named, "cloud")(context.Background(), stored, "")
		if err != nil {
			t.Fatal(err)
		}
		// The certificate names orchard.net, www.orchard.net and an address.
		if want == cause.DeployOldCertificateServed {
			// Of two that begin together nothing else tells which one came later.
			sum := sha256.Sum256(made.Old.Certificate[0])
			if found, err := a.watchInUse(places, profile.Named, "cloud")(context.Background(), stored, hex.EncodeToString(sum[:])); err != nil || len(found) != 0 {
				t.Errorf("the one in its place is served: %v %v", found, err)
			}
		}
		if len(found) != 0 && want == "" || want != "" && (len(found) != 3 || found[0].Cause != want) {
			t.Errorf("%s: %v", shows, found)
		}
	}
	broken := &store.Certificate{DER: []byte("x")}
	a := &app{now: time.Now}
	if _, err := a.watchInUse(nil, profile.Named, "cloud")(context.Background(), broken, ""); err == nil {
		t.Error("of no certificate: no error")
	}
	if _, err := a.watchInUse(nil, profile.Named, "none")(context.Background(), stored, ""); err == nil {
		t.Error("of no profile: no error")
	}
}
