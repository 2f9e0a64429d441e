package service

import (
	"bytes"
	"context"
	"crypto"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"assay/internal/issuer"
	"assay/internal/issuer/private"
	"assay/internal/store"
	"assay/order"
)

// rootAway takes the key of the root away and gives it.
func (h *caHouse) rootAway(t *testing.T) []byte {
	t.Helper()
	ctx := context.Background()
	key, err := h.ExportRootKey(ctx, "root-1")
	if err == nil {
		err = h.ForgetRootKey(ctx, "root-1")
	}
	if err != nil {
		t.Fatal(err)
	}
	h.startAgain(t)
	return key
}

// startAgain is the next start.
func (h *caHouse) startAgain(t *testing.T) *private.Authority {
	t.Helper()
	ca, err := h.OpenAuthorities(context.Background(), AuthoritySettings{})
	if err != nil {
		t.Fatal(err)
	}
	return ca
}

func (h *caHouse) rootListed(t *testing.T) *x509.RevocationList {
	t.Helper()
	l, err := h.StatusSource().List(context.Background(), "root-1", 0)
	if err != nil {
		t.Fatal(err)
	}
	list, err := x509.ParseRevocationList(l.DER)
	if err == nil {
		err = list.CheckSignatureFrom(h.IssuerCertificates()["root-1"])
	}
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// verifies asks openssl for a certificate with the lists of both CAs.
func (h *caHouse) verifies(t *testing.T, leaf []byte) (string, error) {
	t.Helper()
	dir := t.TempDir()
	write := func(name, kind string, list ...[]byte) string {
		var b bytes.Buffer
		for _, der := range list {
			if err := pem.Encode(&b, &pem.Block{Type: kind, Bytes: der}); err != nil {
				t.Fatal(err)
			}
		}
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, b.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	certs := h.IssuerCertificates()
	lists := [][]byte{h.listed(t).Raw, h.rootListed(t).Raw}
	crl := write("crl.pem", "X509 CRL", lists...)
	root := write("root.pem", "CERTIFICATE", certs["root-1"].Raw)
	if out, err := exec.Command("openssl", "crl", "-in", write("root.crl", "X509 CRL", lists[1]), "-CAfile", root, "-noout", "-text").CombinedOutput(); err != nil || !strings.Contains(string(out), "verify OK") {
		t.Errorf("openssl crl: %v\n%s", err, out)
	}
	out, err := exec.Command("openssl", "verify", "-x509_strict", "-crl_check_all", "-attime", strconv.FormatInt(h.now().Unix()+1, 10), "-CAfile", root, "-CRLfile", crl,
		"-untrusted", write("issuing.pem", "CERTIFICATE", certs["issuing-1"].Raw), write("leaf.pem", "CERTIFICATE", leaf)).CombinedOutput()
	return string(out), err
}

// TestSignRootList: the list of a root whose key was taken away is signed with the key
// that is brought, under a higher number each time, and with no other key.
func TestSignRootList(t *testing.T) {
	t.Parallel()
	h, ctx := newCAHouse(t), context.Background()
	if v, err := h.SignRootList(ctx, "root-1", nil, AuthoritySettings{}); err != nil || v.Number == 0 {
		t.Fatalf("while the key is here: %+v, %v", v, err)
	}
	key := h.rootAway(t)
	before := h.rootListed(t)
	for name, c := range map[string]struct {
		id      string
		key     []byte
		kind    Kind
		message string
	}{
		"without the key": {"root-1", nil, WrongState, "ca.no-root-key"},
		"no key":          {"root-1", []byte("none"), Invalid, "ca.failed"},
		"another key":     {"root-1", anotherKey(t), Invalid, "ca.failed"},
		"no root":         {"issuing-1", key, WrongState, "ca.no-list"},
		"no CA":           {"root-9", key, NotFound, "ca.none"},
	} {
		var p *Problem
		if _, err := h.SignRootList(ctx, c.id, c.key, AuthoritySettings{}); !errors.As(err, &p) || p.Kind != c.kind || p.Message != c.message {
			t.Errorf("%s: %v", name, err)
		}
	}
	number := before.Number
	for range 3 { // within one second, too
		v, err := h.SignRootList(ctx, "root-1", key, AuthoritySettings{})
		if err != nil {
			t.Fatal(err)
		}
		now := h.rootListed(t)
		if now.Number.Cmp(number) <= 0 || now.Number.Int64() != v.Number || !v.NextUpdate.Equal(v.ThisUpdate.Add(rootListLife)) {
			t.Errorf("number %v after %v: %+v", now.Number, number, v)
		}
		number = now.Number
	}
	if got := h.told(t, "ca:root-1"); !slices.Contains(got, "ca.list") {
		t.Errorf("%v", got)
	}
	// It ends: it is said, and the lists of the others go on.
	h.pass(rootListLife)
	if wait, err := h.publish(ctx); err != nil || wait <= 0 {
		t.Errorf("%v, %v", wait, err)
	}
	if now := h.rootListed(t); now.Number.Cmp(number) != 0 {
		t.Error("signed without the key")
	}
}

func anotherKey(t *testing.T) []byte {
	t.Helper()
	h := newCAHouse(t)
	key, err := h.ExportRootKey(context.Background(), "root-1")
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// TestRevokeAuthority: an issuing CA that is revoked is in the list of its root, issues
// nothing more and is not revoked twice; another one takes its place.
func TestRevokeAuthority(t *testing.T) {
	t.Parallel()
	h, ctx := newCAHouse(t), context.Background()
	leaf := h.certified(t, h.issuedFor(t, dv(t, "orchard.net")))
	key := h.rootAway(t)
	if out, err := h.verifies(t, leaf.DER); err != nil {
		t.Fatalf("openssl verify before: %v\n%s", err, out)
	}
	before := h.rootListed(t)
	for name, c := range map[string]struct {
		id, reason string
		key        []byte
		message    string
	}{
		"a whim":          {"issuing-1", "whim", key, "service.one-of"},
		"no reason":       {"issuing-1", "", key, "service.one-of"},
		"a root":          {"root-1", "superseded", key, "ca.not-below"},
		"without the key": {"issuing-1", "superseded", nil, "ca.no-root-key"},
		"another key":     {"issuing-1", "superseded", anotherKey(t), "ca.failed"},
	} {
		var p *Problem
		if _, err := h.RevokeAuthority(ctx, c.id, c.reason, c.key, AuthoritySettings{}); !errors.As(err, &p) || p.Message != c.message {
			t.Errorf("%s: %v", name, err)
		}
	}
	waiting := h.ready(t, dv(t, "fig.orchard.net"))
	h.pass(time.Second)
	v, err := h.RevokeAuthority(ctx, "issuing-1", "ca-compromise", key, AuthoritySettings{})
	if err != nil || v.Issuer != "root-1" || v.Revoked != 1 || v.Published != 1 {
		t.Fatalf("%+v, %v", v, err)
	}
	list := h.rootListed(t)
	if len(list.RevokedCertificateEntries) != 1 || list.Number.Cmp(before.Number) <= 0 {
		t.Fatalf("%d entries, number %v after %v", len(list.RevokedCertificateEntries), list.Number, before.Number)
	}
	issuing := h.IssuerCertificates()["issuing-1"]
	if e := list.RevokedCertificateEntries[0]; e.SerialNumber.Cmp(issuing.SerialNumber) != 0 || e.ReasonCode != int(issuer.CACompromise) {
		t.Errorf("%+v", e)
	}
	if out, err := h.verifies(t, leaf.DER); err == nil || !strings.Contains(out, "error 23 at 1 depth lookup") {
		t.Errorf("openssl verify after: %v\n%s", err, out)
	}
	h.nothingFrom(t, waiting)
	if _, err := h.RevokeAuthority(ctx, "issuing-1", "superseded", key, AuthoritySettings{}); !problemIs(err, WrongState) {
		t.Errorf("twice: %v", err)
	}
	if err := h.RetireAuthority(ctx, "issuing-1"); !problemIs(err, WrongState) {
		t.Errorf("retired after it was revoked: %v", err)
	}
	all, err := h.AllAuthorities(ctx)
	i := slices.IndexFunc(all, func(v AuthorityView) bool { return v.ID == "issuing-1" })
	if err != nil || all[i].State != "revoked" || all[i].Reason != "ca-compromise" || all[i].RevokedAt == nil || !all[i].RevokedAt.Equal(h.clock()) {
		t.Errorf("%+v, %v", all, err)
	}
	if got := h.told(t, "ca:issuing-1"); !slices.Contains(got, "ca.revoke") {
		t.Errorf("%v", got)
	}
	print, err := keyprintOf(issuing)
	if err != nil {
		t.Fatal(err)
	}
	if at, err := h.Store.Blocked(ctx, print); err != nil || at.IsZero() {
		t.Errorf("its key is not blocked: %v, %v", at, err)
	}
	if id, err := h.NewIssuing(ctx, "root-1", key, AuthoritySettings{Name: private.Name{CommonName: "Orchard", Organization: "Orchard", Country: "CN"}}); err != nil || id != "issuing-2" {
		t.Fatal(id, err)
	}
	if ca := h.startAgain(t); ca == nil || ca.ID() != "issuing-2" {
		t.Fatalf("%v issues", ca)
	}
	h.ca.Issuer = h.ownCA("issuing-2")
	h.pass(10 * time.Minute)
	h.once(t)
	if waiting = h.read(t, waiting.ID); waiting.State != order.StateIssued {
		t.Errorf("%s %v", waiting.State, causesIn(waiting))
	}
	// Lists and OCSP of the old one go on.
	if h.ownCA("issuing-1") == nil || h.listed(t) == nil {
		t.Error("the revoked CA signs no lists")
	}
}

// A device signs with a key that is elsewhere, after before has been called.
type device struct {
	crypto.Signer
	before func() error
}

func (d device) Sign(rand io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	if err := d.before(); err != nil {
		return nil, err
	}
	return d.Signer.Sign(rand, digest, opts)
}

// TestRevokeAuthorityUnsigned: where the root's key does not sign nothing has changed, and
// the CA issues as before; where another list was signed meanwhile the revocation is in
// one that follows, once.
func TestRevokeAuthorityUnsigned(t *testing.T) {
	t.Parallel()
	h, ctx := newCAHouse(t), context.Background()
	key := h.rootAway(t)
	signer, err := private.ReadKey(key)
	if err != nil {
		t.Fatal(err)
	}
	root, err := h.authority(ctx, "root-1")
	if err != nil {
		t.Fatal(err)
	}
	root.KeyPlace = "device"
	h.do(t, func(tx store.Tx) error { return tx.UpdateAuthority(root) })
	signing := 0
	at := func(before func() error) AuthoritySettings {
		return AuthoritySettings{KeyAt: func(string) (crypto.Signer, error) { return device{signer, before}, nil }}
	}
	before := h.rootListed(t)
	issuing := h.IssuerCertificates()["issuing-1"]
	var p *Problem
	_, err = h.RevokeAuthority(ctx, "issuing-1", "ca-compromise", nil, at(func() error { return errors.New("no card in the reader") }))
	if !errors.As(err, &p) || p.Kind != Unavailable || p.Message != "ca.unsigned" {
		t.Fatalf("%v", err)
	}
	print, err := keyprintOf(issuing)
	if err != nil {
		t.Fatal(err)
	}
	known, err := h.Store.Serial(ctx, "root-1", serialText(issuing))
	blocked, err2 := h.Store.Blocked(ctx, print)
	row, err3 := h.authority(ctx, "issuing-1")
	if err := errors.Join(err, err2, err3); err != nil || !known.Revoked.IsZero() || !blocked.IsZero() || row.State != store.AuthorityActive {
		t.Errorf("%+v, blocked %v, %+v, %v", known, blocked, row, err)
	}
	if got := h.told(t, "ca:issuing-1"); slices.Contains(got, "ca.revoke") || h.rootListed(t).Number.Cmp(before.Number) != 0 {
		t.Errorf("%v", got)
	}
	v, err := h.RevokeAuthority(ctx, "issuing-1", "ca-compromise", nil, at(func() error {
		if signing++; signing > 1 {
			return nil
		}
		_, err := h.SignRootList(ctx, "root-1", key, AuthoritySettings{})
		return err
	}))
	if err != nil || signing != 2 || v.Revoked != 1 || v.Published != 1 {
		t.Fatalf("%+v after %d signatures, %v", v, signing, err)
	}
	list := h.rootListed(t)
	if len(list.RevokedCertificateEntries) != 1 || list.RevokedCertificateEntries[0].SerialNumber.Cmp(issuing.SerialNumber) != 0 {
		t.Errorf("%+v", list.RevokedCertificateEntries)
	}
	stored, err := h.Store.CRL(ctx, "root-1", 0)
	if err != nil || stored.Changes != 1 || stored.Published != 1 || !stored.Due.After(h.clock()) {
		t.Errorf("%+v, %v", stored, err)
	}
}

// TestRevokeAuthorityChanged: a CA that is changed while the list with its revocation is
// signed is read anew: one that was retired is revoked, one that was revoked is not twice.
func TestRevokeAuthorityChanged(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		meanwhile func(h *caHouse, key []byte) error
		problem   string
		signed    int
	}{
		"retired": {func(h *caHouse, _ []byte) error { return h.RetireAuthority(context.Background(), "issuing-1") }, "", 2},
		"revoked": {func(h *caHouse, key []byte) error {
			_, err := h.RevokeAuthority(context.Background(), "issuing-1", "superseded", key, AuthoritySettings{})
			return err
		}, "ca.revoked", 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h, ctx := newCAHouse(t), context.Background()
			key := h.rootAway(t)
			signer, err := private.ReadKey(key)
			if err != nil {
				t.Fatal(err)
			}
			root, err := h.authority(ctx, "root-1")
			if err != nil {
				t.Fatal(err)
			}
			root.KeyPlace = "device"
			h.do(t, func(tx store.Tx) error { return tx.UpdateAuthority(root) })
			signed := 0
			_, err = h.RevokeAuthority(ctx, "issuing-1", "ca-compromise", nil, AuthoritySettings{KeyAt: func(string) (crypto.Signer, error) {
				return device{signer, func() error {
					if signed++; signed > 1 {
						return nil
					}
					return c.meanwhile(h, key)
				}}, nil
			}})
			var p *Problem
			if c.problem == "" && err != nil || c.problem != "" && (!errors.As(err, &p) || p.Message != c.problem) || signed != c.signed {
				t.Fatalf("%v after %d signatures", err, signed)
			}
			row, err := h.authority(ctx, "issuing-1")
			if list := h.rootListed(t); err != nil || row.State != store.AuthorityRevoked || len(list.RevokedCertificateEntries) != 1 {
				t.Errorf("%+v, %d entries, %v", row, len(list.RevokedCertificateEntries), err)
			}
		})
	}
}

// nothingFrom: a process that has a revoked CA in use issues nothing more with it,
// and does not take it up again.
func (h *caHouse) nothingFrom(t *testing.T, waiting *View) {
	t.Helper()
	if err := h.idleAuthorities(context.Background()); err != nil {
		t.Fatal(err)
	}
	h.once(t)
	if waiting = h.read(t, waiting.ID); waiting.State != order.StateReady {
		t.Errorf("%s %v", waiting.State, causesIn(waiting))
	}
	if ca := h.startAgain(t); ca != nil {
		t.Errorf("%s issues", ca.ID())
	}
}
