package private

import (
	"bytes"
	"context"
	"crypto"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	zx509 "github.com/zmap/zcrypto/x509"
	"github.com/zmap/zlint/v3"
	"github.com/zmap/zlint/v3/lint"
	"golang.org/x/crypto/ocsp"

	"assay/internal/issuer"
)

func entries(t testing.TB, list ...Revoked) []byte {
	t.Helper()
	var all []byte
	for _, r := range list {
		var err error
		if all, err = AppendRevoked(all, r); err != nil {
			t.Fatal(err)
		}
	}
	return all
}

func TestList(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Constraints{})
	a := newAuthority(t, w.config())
	c := issue(t, a, request(t, "private", "www.orchard.com"))
	revoked := []Revoked{
		{Serial: "7f", At: at, Reason: issuer.KeyCompromise},
		{Serial: "00ff", At: at.Add(-time.Hour)},
		{Serial: c.SerialNumber.Text(16), At: at, Reason: issuer.PrivilegeWithdrawn},
		{Serial: "80", At: time.Date(2051, 1, 1, 0, 0, 0, 0, time.UTC), Reason: issuer.Superseded},
	}
	der, err := a.SignList(t.Context(), List{
		Number: 300, ThisUpdate: at, NextUpdate: at.Add(7 * day), URL: a.ShardURL(0), Entries: entries(t, revoked...),
	})
	if err != nil {
		t.Fatal(err)
	}
	list, err := x509.ParseRevocationList(der)
	if err != nil {
		t.Fatal(err)
	}
	if err := list.CheckSignatureFrom(w.issuing); err != nil {
		t.Error(err)
	}
	if list.Number.Int64() != 300 || !list.ThisUpdate.Equal(at) || !list.NextUpdate.Equal(at.Add(7*day)) || !bytes.Equal(list.AuthorityKeyId, w.issuing.SubjectKeyId) {
		t.Errorf("number %s, %s to %s, key %x", list.Number, list.ThisUpdate, list.NextUpdate, list.AuthorityKeyId)
	}
	for i, e := range list.RevokedCertificateEntries {
		want := revoked[i]
		if e.SerialNumber.Text(16) != trim(want.Serial) || !e.RevocationTime.Equal(want.At) || e.ReasonCode != int(want.Reason) {
			t.Errorf("entry %d: %x, %s, %d; want %+v", i, e.SerialNumber, e.RevocationTime, e.ReasonCode, want)
		}
		if has := len(e.Extensions) > 0; has != (want.Reason != issuer.Unspecified) {
			t.Errorf("entry %d: reason given: %v", i, has)
		}
	}
	// The part says the same place as the certificate, with the same bytes (BR 7.2.2.1).
	point := extension(t, list.Extensions, oidIssuingPoint, true)
	place := extension(t, c.Extensions, oidCRLPoints, false)
	if inner := place[4:]; !bytes.Contains(point, inner) {
		t.Errorf("the list's place %x is not the certificate's %x", point, inner)
	}
}

func trim(serial string) string {
	for len(serial) > 1 && serial[0] == '0' {
		serial = serial[1:]
	}
	return serial
}

// Lists are clean for zlint, with entries and without.
func TestCleanLists(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Constraints{})
	a := newAuthority(t, w.config())
	for name, e := range map[string][]byte{"empty": nil, "two": entries(t, Revoked{"7f", at.Add(-time.Hour), issuer.KeyCompromise}, Revoked{Serial: "1234", At: at.Add(-time.Hour)})} {
		der, err := a.SignList(t.Context(), List{Number: 1, ThisUpdate: at, NextUpdate: at.Add(7 * day), URL: a.ShardURL(3), Entries: e})
		if err != nil {
			t.Fatal(err)
		}
		list, err := zx509.ParseRevocationList(der)
		if err != nil {
			t.Fatal(err)
		}
		for lintName, r := range zlint.LintRevocationList(list).Results {
			if r.Status >= lint.Warn {
				t.Errorf("%s: %s %s %s", name, lintName, r.Status, r.Details)
			}
		}
	}
}

func extension(t *testing.T, all []pkix.Extension, id asn1.ObjectIdentifier, critical bool) []byte {
	t.Helper()
	i := slices.IndexFunc(all, func(e pkix.Extension) bool { return e.Id.Equal(id) })
	if i < 0 || all[i].Critical != critical {
		t.Fatalf("extension %s: at %d, critical %v", id, i, i >= 0 && all[i].Critical)
	}
	return all[i].Value
}

func TestListsThatCannotBe(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Constraints{})
	a := newAuthority(t, w.config())
	for name, l := range map[string]List{
		"no number":       {ThisUpdate: at, NextUpdate: at.Add(day)},
		"no time between": {Number: 1, ThisUpdate: at, NextUpdate: at},
	} {
		if _, err := a.SignList(t.Context(), l); err == nil {
			t.Error(name)
		}
	}
	good := List{Number: 1, ThisUpdate: at, NextUpdate: at.Add(day)}
	var gone *issuer.Unavailable
	if _, err := SignList(w.issuing, away{w.issuingKey}, good); !errors.As(err, &gone) {
		t.Errorf("key away: %v", err)
	}
	if _, err := SignList(w.issuing, w.rootKey, good); err == nil {
		t.Error("signed with another key")
	}
	leaf := issue(t, a, request(t, "private", "www.orchard.com"))
	if _, err := SignList(leaf, leafKeys()["P-256"], good); err == nil {
		t.Error("a leaf signed a list")
	}
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := a.SignList(cancelled, good); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	for _, r := range []Revoked{
		{Serial: "", At: at},
		{Serial: "xyz", At: at},
		{Serial: "00", At: at},
		{Serial: "ff" + fmt.Sprintf("%040x", 0), At: at},
		{Serial: "01", At: at, Reason: 6},
		{Serial: "01"},
	} {
		if _, err := AppendRevoked(nil, r); err == nil {
			t.Errorf("%+v is an entry", r)
		}
	}
}

func TestRootList(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Constraints{})
	der, err := SignList(w.root, w.rootKey, List{Number: 1, ThisUpdate: at, NextUpdate: at.Add(365 * day), URL: "http://pki.example.net/crl/root/0.crl", CAs: true})
	if err != nil {
		t.Fatal(err)
	}
	list, err := x509.ParseRevocationList(der)
	if err != nil {
		t.Fatal(err)
	}
	if err := list.CheckSignatureFrom(w.root); err != nil {
		t.Error(err)
	}
	if point := extension(t, list.Extensions, oidIssuingPoint, true); !bytes.HasSuffix(point, []byte{0x82, 1, 0xff}) {
		t.Errorf("%x", point)
	}
}

func TestOCSP(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Constraints{})
	a := newAuthority(t, w.config())
	for _, hash := range []crypto.Hash{0, crypto.SHA1, crypto.SHA256} {
		for name, s := range map[string]Status{
			"good":    {Serial: "0abc"},
			"revoked": {Serial: "0abc", Revoked: at.Add(-time.Hour), Reason: issuer.KeyCompromise},
			"unknown": {Serial: "0abc", Unknown: true},
		} {
			s.ThisUpdate, s.NextUpdate, s.Hash = at, at.Add(4*day), hash
			der, err := a.SignOCSP(t.Context(), s)
			if err != nil {
				t.Fatal(err)
			}
			r, err := ocsp.ParseResponse(der, w.issuing)
			if err != nil {
				t.Fatal(err)
			}
			want := map[string]int{"good": ocsp.Good, "revoked": ocsp.Revoked, "unknown": ocsp.Unknown}[name]
			if r.Status != want || r.SerialNumber.Int64() != 0xabc || !r.NextUpdate.Equal(at.Add(4*day)) || (want == ocsp.Revoked) != (r.RevocationReason == ocsp.KeyCompromise) {
				t.Errorf("%s: %+v", name, r)
			}
		}
	}
	var gone *issuer.Unavailable
	if _, err := SignOCSP(w.issuing, away{w.issuingKey}, Status{Serial: "01", ThisUpdate: at, NextUpdate: at.Add(day)}); !errors.As(err, &gone) {
		t.Errorf("key away: %v", err)
	}
	for _, s := range []Status{{Serial: "zz"}, {Serial: "01", Revoked: at, Reason: 6}, {Serial: "01", Hash: crypto.MD5}} {
		if _, err := a.SignOCSP(t.Context(), s); err == nil || errors.As(err, &gone) {
			t.Errorf("%+v: %v", s, err)
		}
	}
}

func TestReasons(t *testing.T) {
	t.Parallel()
	for r := issuer.Reason(-1); r < 12; r++ {
		_, leaf := issuer.Reasons()[r]
		if _, ca := issuer.CAReasons()[r]; known(r) != (leaf || ca) {
			t.Errorf("reason %d: known %v", r, known(r))
		}
	}
}

func FuzzAppendRevoked(f *testing.F) {
	f.Add("7f", int64(0), 1)
	f.Add("00ff", int64(2556144000), 0)
	w := newWorld(f, Constraints{})
	f.Fuzz(func(t *testing.T, serial string, at int64, reason int) {
		e, err := AppendRevoked(nil, Revoked{serial, time.Unix(at, 0), issuer.Reason(reason)})
		if err != nil {
			return
		}
		der, err := SignList(w.issuing, w.issuingKey, List{Number: 1, ThisUpdate: time.Unix(0, 0), NextUpdate: time.Unix(1, 0), Entries: e})
		if err != nil {
			t.Fatal(err)
		}
		list, err := x509.ParseRevocationList(der)
		if err != nil || len(list.RevokedCertificateEntries) != 1 {
			t.Fatalf("%x: %v", e, err)
		}
		if got := list.RevokedCertificateEntries[0]; got.RevocationTime.Unix() != at || got.ReasonCode != reason {
			t.Fatalf("%+v", got)
		}
	})
}

func BenchmarkSignList10000(b *testing.B) {
	w := newWorld(b, Constraints{})
	revoked := make([]Revoked, 10000)
	for i := range revoked {
		revoked[i] = Revoked{fmt.Sprintf("40%038x", i+1), at, issuer.Superseded}
	}
	kept := entries(b, revoked...)
	for name, encode := range map[string]bool{"entries kept": false, "entries written": true} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				e := kept
				if encode {
					e = entries(b, revoked...)
				}
				if _, err := SignList(w.issuing, w.issuingKey, List{Number: 1, ThisUpdate: at, NextUpdate: at.Add(day), URL: "http://pki.example.net/crl/main/0.crl", Entries: e}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
