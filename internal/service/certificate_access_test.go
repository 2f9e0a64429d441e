package service

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"slices"
	"testing"
	"time"

	"assay/internal/store"
	"assay/order"
)

// certificateUses are tried on a certificate, and a kept request, of the account
// shop of root.
func certificateUses(t *testing.T) []use {
	text := request(t, "fig.orchard.net")
	block, _ := pem.Decode([]byte(text))
	made := func(ctx context.Context, s *Service, source string) (string, error) {
		id, err := s.random(8)
		if err != nil {
			return "", err
		}
		s.Secrets, s.ServerKeys = plain{}, true
		c := &store.Certificate{
			CertificateRow: store.CertificateRow{
				ID: id, Tenant: RootTenant, Account: "shop", Source: source, Issuer: "own", Serial: id, State: order.CertificateValid, Product: order.DV,
				Profile: "cloud", Name: "fig.orchard.net", Names: 1, Fingerprint: id, Keyprint: id, NotBefore: s.now(), NotAfter: s.now().Add(90 * day), Created: s.now().Add(time.Hour),
			},
			DER: testLeaf(t),
		}
		if source == store.SourceUploaded {
			c.Issuer = ""
		}
		return id, s.Store.Write(ctx, func(tx store.Tx) error {
			if err := tx.InsertCertificate(c, nil); err != nil {
				return err
			}
			return tx.InsertCSR(&store.CSR{ID: id, Tenant: RootTenant, Account: "shop", DER: block.Bytes, Digest: id, Created: s.now().Add(time.Hour), Version: 1})
		})
	}
	on := func(source string, do func(ctx context.Context, s *Service, p Principal, id string) error) func(context.Context, *Service, Principal, string) error {
		return func(ctx context.Context, s *Service, p Principal, _ string) error {
			id, err := made(ctx, s, source)
			if err != nil {
				return err
			}
			return do(ctx, s, p, id)
		}
	}
	mute, note := true, "n"
	return []use{
		{"Certificate", MayReadCertificates, NotFound, on("issued", func(ctx context.Context, s *Service, p Principal, id string) error {
			_, err := s.Certificate(ctx, p, id)
			return err
		})},
		{"Certificates", MayReadCertificates, "", on("issued", func(ctx context.Context, s *Service, p Principal, id string) error {
			list, _, err := s.Certificates(ctx, p, CertificateQuery{Limit: 200})
			return shows(err, p, slices.ContainsFunc(list, func(v CertificateView) bool { return v.ID == id }))
		})},
		{"Upload", MayWriteCertificates, "", func(ctx context.Context, s *Service, p Principal, _ string) error {
			s.Secrets = plain{}
			_, err := s.Upload(ctx, p, UploadRequest{Certificate: "x"})
			if problemIs(err, Refused) {
				return nil // what it is does not matter: it was looked at
			}
			return err
		}},
		{"ChangeCertificate", MayWriteCertificates, NotFound, on("issued", func(ctx context.Context, s *Service, p Principal, id string) error {
			_, err := s.ChangeCertificate(ctx, p, id, 0, CertificateChange{Muted: &mute})
			return err
		})},
		{"DeleteCertificate", MayWriteCertificates, NotFound, on("uploaded", func(ctx context.Context, s *Service, p Principal, id string) error {
			_, err := s.DeleteCertificate(ctx, p, id, 0)
			return err
		})},
		// Of a certificate without an order, that may be renewed by nobody.
		{"Renew", MayWriteCertificates, NotFound, on("uploaded", func(ctx context.Context, s *Service, p Principal, id string) error {
			p.Scopes = with(p.Scopes, MayWriteCertificates, MayWriteOrders)
			_, err := s.Renew(ctx, p, id, RenewalRequest{})
			return err
		})},
		{"Reissue", MayWriteCertificates, NotFound, on("uploaded", func(ctx context.Context, s *Service, p Principal, id string) error {
			p.Scopes = with(p.Scopes, MayWriteCertificates, MayWriteOrders)
			_, err := s.Reissue(ctx, p, id, RenewalRequest{})
			return err
		})},
		{"Revoke", MayRevoke, NotFound, on("issued", func(ctx context.Context, s *Service, p Principal, id string) error {
			_, err := s.Revoke(ctx, p, id, 0, RevocationRequest{})
			return err
		})},
		{"ConfirmRevocation", MayDecideRevocation, NotFound, on("issued", func(ctx context.Context, s *Service, p Principal, id string) error {
			_, err := s.ConfirmRevocation(ctx, p, id, 0, true)
			return err
		})},
		{"Download", MayReadCertificates, NotFound, on("issued", func(ctx context.Context, s *Service, p Principal, id string) error {
			_, err := s.Download(ctx, p, id, DownloadRequest{Format: "pem"})
			return err
		})},
		{"Authorities", MayReadCertificates, "", func(ctx context.Context, s *Service, p Principal, _ string) error {
			_, err := s.Authorities(ctx, p)
			return err
		}},
		{"NewCSR", MayWriteCertificates, "", func(ctx context.Context, s *Service, p Principal, _ string) error {
			_, err := s.NewCSR(ctx, p, CSRRequest{CSR: text})
			return err
		}},
		{"CSRs", MayReadCertificates, "", on("issued", func(ctx context.Context, s *Service, p Principal, id string) error {
			list, _, err := s.CSRs(ctx, p, "", 200)
			return shows(err, p, slices.ContainsFunc(list, func(v CSRView) bool { return v.ID == id }))
		})},
		{"CSR", MayReadCertificates, NotFound, on("issued", func(ctx context.Context, s *Service, p Principal, id string) error {
			_, err := s.CSR(ctx, p, id)
			return err
		})},
		{"ChangeCSR", MayWriteCertificates, NotFound, on("issued", func(ctx context.Context, s *Service, p Principal, id string) error {
			_, err := s.ChangeCSR(ctx, p, id, 0, CSRChange{Note: &note})
			return err
		})},
	}
}

// with are scopes that also have what a second use case asks for, where they have
// what the first does.
func with(scopes []string, first, also Permission) []string {
	if slices.Contains(scopes, string(first)) && !slices.Contains(scopes, string(also)) {
		return append(slices.Clone(scopes), string(also))
	}
	return scopes
}

// testLeaf is a certificate of no importance.
func testLeaf(t *testing.T) []byte {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{SerialNumber: big.NewInt(7), NotAfter: time.Now().Add(time.Hour), DNSNames: []string{"fig.orchard.net"}}
	der, err := x509.CreateCertificate(rand.Reader, c, c, k.Public(), k)
	if err != nil {
		t.Fatal(err)
	}
	return der
}
