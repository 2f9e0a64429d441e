package service

import (
	"context"
	"crypto"
	"crypto/elliptic"
	"crypto/x509"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"assay/internal/issuer/private"
	"assay/internal/store"
)

// TestAuthorityURL: where lists and OCSP are served is kept: a start without the flag
// issues certificates that name the same place, and so does another CA made then.
func TestAuthorityURL(t *testing.T) {
	t.Parallel()
	h, ctx := newCAHouse(t), context.Background()
	named := func() {
		t.Helper()
		v := h.issuedFor(t, dv(t, "orchard.net"))
		leaf, err := x509.ParseCertificate(h.certified(t, v).DER)
		if err != nil {
			t.Fatal(err)
		}
		places := append(leaf.CRLDistributionPoints, leaf.IssuingCertificateURL...)
		if len(places) != 2 {
			t.Errorf("places %v", places)
		}
		for _, p := range append(places, leaf.OCSPServer...) {
			if !strings.HasPrefix(p, "http://ca.orchard.net/") {
				t.Errorf("it names %s", p)
			}
		}
	}
	h.ca.Issuer = h.startAgain(t)
	named()
	if _, err := h.NewIssuing(ctx, "root-1", nil, AuthoritySettings{Name: private.Name{CommonName: "Orchard", Organization: "Orchard", Country: "CN"}}); err != nil {
		t.Fatal(err)
	}
	h.pass(time.Second)
	if h.ca.Issuer = h.startAgain(t); h.ca.ID() != "issuing-2" {
		t.Fatal(h.ca.ID())
	}
	named()
}

// second makes another issuing CA, whose key is at a place that the test says.
func (h *caHouse) second(t *testing.T, state string) crypto.Signer {
	t.Helper()
	ctx := context.Background()
	id, err := h.NewIssuing(ctx, "root-1", nil, AuthoritySettings{Name: private.Name{CommonName: "Orchard", Organization: "Orchard", Country: "CN"}})
	if err != nil || id != "issuing-2" {
		t.Fatal(id, err)
	}
	a, err := h.authority(ctx, id)
	if err != nil {
		t.Fatal(err)
	}
	key, err := h.authorityKey(a, AuthoritySettings{})
	if err != nil {
		t.Fatal(err)
	}
	a.KeyPlace, a.Sealed, a.State = "pkcs11:token=gone", nil, state
	h.do(t, func(tx store.Tx) error {
		if err := tx.UpdateAuthority(a); err != nil {
			return err
		}
		return tx.EnsureCRL(id, 0, h.clock().Add(-time.Hour))
	})
	return key
}

// mute is a key that does not sign.
type mute struct{ crypto.Signer }

func (mute) Sign(io.Reader, []byte, crypto.SignerOpts) ([]byte, error) {
	return nil, errors.New("the token was pulled out")
}

// TestRetiredKeyAway: a CA that was retired, and whose key cannot be reached, keeps
// nothing from starting: the others issue. One that is to issue does.
func TestRetiredKeyAway(t *testing.T) {
	t.Parallel()
	for name, keyAt := range map[string]func(string) (crypto.Signer, error){
		"nobody finds keys":   nil,
		"the device is away":  func(string) (crypto.Signer, error) { return nil, errors.New("no such token") },
		"it is another's key": func(string) (crypto.Signer, error) { return private.GenerateKey(elliptic.P256()) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for state, starts := range map[string]bool{store.AuthorityRetired: true, store.AuthorityActive: false} {
				h := newCAHouse(t)
				h.second(t, state)
				ca, err := h.OpenAuthorities(context.Background(), AuthoritySettings{KeyAt: keyAt})
				if started := err == nil; started != starts {
					t.Fatalf("%s: %v", state, err)
				}
				if !starts {
					continue
				}
				if ca.ID() != "issuing-1" || h.IssuerCertificates()["issuing-2"] == nil {
					t.Errorf("%s issues", ca.ID())
				}
				h.ca.Issuer = ca
				h.issuedFor(t, dv(t, "orchard.net"))
			}
		})
	}
}

// TestListsOfOthers: a list whose key is away, or does not sign, rests for a while; the
// lists of other CAs are signed all the same.
func TestListsOfOthers(t *testing.T) {
	t.Parallel()
	for name, signs := range map[string]bool{"the key is away": false, "the key does not sign": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newCAHouse(t)
			key := h.second(t, store.AuthorityRetired)
			in := AuthoritySettings{KeyAt: func(string) (crypto.Signer, error) { return mute{key}, nil }}
			if !signs {
				in.KeyAt = nil
			}
			if _, err := h.OpenAuthorities(context.Background(), in); err != nil {
				t.Fatal(err)
			}
			if there := h.ownCA("issuing-2") != nil; there != signs {
				t.Fatalf("it is in use: %v", there)
			}
			h.do(t, func(tx store.Tx) error { return tx.EnsureCRL("issuing-1", 0, h.clock()) })
			ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
			defer cancel()
			wait, err := h.publish(ctx)
			if err != nil || wait <= 0 || wait > crlRetry {
				t.Fatalf("again in %s, %v", wait, err)
			}
			for id, want := range map[string]bool{"root-1": true, "issuing-1": true, "issuing-2": false} {
				c, err := h.Store.CRL(ctx, id, 0)
				if err != nil || (c.Number > 0) != want {
					t.Errorf("%s: number %d, %v", id, c.Number, err)
				}
			}
			// When its key is there again its list follows.
			if _, err := h.OpenAuthorities(ctx, AuthoritySettings{KeyAt: func(string) (crypto.Signer, error) { return key, nil }}); err != nil {
				t.Fatal(err)
			}
			h.pass(crlRetry)
			if _, err := h.publish(ctx); err != nil {
				t.Fatal(err)
			}
			if c, err := h.Store.CRL(ctx, "issuing-2", 0); err != nil || c.Number == 0 {
				t.Errorf("number %d, %v", c.Number, err)
			}
		})
	}
}
