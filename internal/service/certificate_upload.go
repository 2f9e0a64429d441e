package service

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base32"
	"errors"
	"fmt"
	"strconv"
	"time"

	"assay/evidence"
	"assay/internal/certfile"
	"assay/internal/store"
	"assay/order"
	"assay/review"
)

// An UploadRequest is a certificate that was made elsewhere, in PEM. Each text has
// at most [certfile.MaxBytes].
type UploadRequest struct {
	// Certificate is the server's, with or without the chain behind it.
	Certificate string `json:"certificate"`
	// Chain are the certificates above it, where they are apart.
	Chain string `json:"chain,omitempty"`
	// Key is its private key, unencrypted; it is kept sealed and handed out once.
	Key string `json:"key,omitempty"`
	// Profile names the rules to judge by; "": the service's default.
	Profile string `json:"profile,omitempty"`
	Alias   string `json:"alias,omitempty"`
}

// An UploadView is what became of an upload: the certificate as it is kept, and
// what was found that does not stop it.
type UploadView struct {
	Certificate *CertificateView `json:"certificate"`
	// Known says that it was here before, and is not kept twice.
	Known    bool             `json:"known,omitempty"`
	Findings []review.Finding `json:"findings"`
}

// Upload keeps a certificate that was made elsewhere, so that its end is told. It
// is refused with the findings where no server could use it as it is: unreadable,
// ended, another key, a chain with gaps that nobody here can fill. One that is here
// already is not kept twice.
func (s *Service) Upload(ctx context.Context, p Principal, in UploadRequest) (*UploadView, error) {
	v, err := s.upload(ctx, p, in)
	if problemIs(err, Conflict) {
		return s.upload(ctx, p, in) // another was first: now it is found
	}
	return v, err
}

func (s *Service) upload(ctx context.Context, p Principal, in UploadRequest) (*UploadView, error) {
	if err := allow(p, MayWriteCertificates); err != nil {
		return nil, err
	}
	if err := s.checkOffered(p, in.Profile); err != nil {
		return nil, err
	}
	if len(in.Alias) > mostAlias || !plainText(in.Alias) {
		return nil, &Problem{Kind: Invalid, Message: "certificate.text", Pairs: []any{"Field", "alias", "Most", mostAlias}}
	}
	rules, err := s.profileOf(in.Profile)
	if err != nil {
		return nil, err
	}
	known, err := s.knownAbove(ctx, p.Tenant)
	if err != nil {
		return nil, err
	}
	u := certfile.Read(certfile.Texts{Certificate: in.Certificate, Key: in.Key, Chain: in.Chain}, known, s.now())
	if u.Leaf != nil {
		row, err := s.storedBefore(ctx, p, fingerprintOf(u.Leaf.Raw))
		if err != nil {
			return nil, err
		}
		if row != nil {
			u.Facts.Stored = storedFact(row)
		}
		if print, err := keyprintOf(u.Leaf); err == nil {
			blocked, err := s.Store.Blocked(ctx, print)
			if err != nil {
				return nil, problemOf(err)
			}
			u.Facts.Compromised = blockedKey(print, blocked)
		}
	}
	judged := review.JudgeUpload(&u.Facts, rules, s.now())
	if judged.Verdict.Blocks() || u.Leaf == nil {
		return nil, refusedUpload(u, judged)
	}
	c, names, err := s.uploaded(p, u)
	if err != nil {
		return nil, err
	}
	c.Profile, c.Alias = rules.Name, in.Alias
	v, err := unit(ctx, s, func(tx store.Tx) (*UploadView, error) {
		if u.Facts.Stored != nil {
			return s.uploadedAgain(tx, p, u, judged.Findings)
		}
		there, err := s.insertUploaded(tx, c, names, u)
		if err != nil {
			return nil, err
		}
		if there != nil { // of two at once this is the second: it is judged anew
			return nil, store.ErrConflict
		}
		if err := s.dueAgain(tx, c); err != nil {
			return nil, err
		}
		if s.Watch != nil && c.State == order.CertificateValid {
			if err := tx.SetCertificateDue(store.CertificateDue{Certificate: c.ID, Kind: store.DueWatch, At: s.now().Add(watchAfter)}); err != nil {
				return nil, err
			}
		}
		v := viewOfCertificate(&c.CertificateRow)
		v.HasKey = len(c.Sealed) > 0
		return &UploadView{Certificate: v, Findings: append([]review.Finding{}, judged.Findings...)}, s.auditCertificate(tx, p, c, "upload", map[string]any{
			"fingerprint": c.Fingerprint, "not_after": c.NotAfter.Format(time.RFC3339), "key_here": v.HasKey, "causes": causesAmong(judged.Findings),
		})
	})
	if err == nil {
		s.wakeCertificates()
	}
	return v, err
}

// uploadedAgain is the certificate that is here already. A key that it had none of is
// kept with it.
func (s *Service) uploadedAgain(tx store.Tx, p Principal, u *certfile.Upload, findings []review.Finding) (*UploadView, error) {
	c, err := tx.CertificateNow(p.Tenant, u.Facts.Stored.ID)
	if err != nil {
		return nil, err
	}
	if u.Key != nil && len(c.Sealed) == 0 && c.Source == store.SourceUploaded {
		text, err := u.Key.PEM()
		if err != nil {
			return nil, fmt.Errorf("the key of an upload: %w", err)
		}
		if c.Sealed, err = s.conceal(certificateRow(c.ID), string(text)); err != nil {
			return nil, err
		}
		if err := tx.UpdateCertificate(c); err != nil {
			return nil, err
		}
		if err := s.auditCertificate(tx, p, c, "upload", map[string]any{"fingerprint": c.Fingerprint, "key_here": true}); err != nil {
			return nil, err
		}
	}
	v := viewOfCertificate(&c.CertificateRow)
	v.HasKey = len(c.Sealed) > 0
	return &UploadView{Certificate: v, Known: true, Findings: append([]review.Finding{}, findings...)}, nil
}

func refusedUpload(u *certfile.Upload, j *review.Judgement) error {
	var names []string
	if set := u.Set(); set != nil {
		names = set.Names()
	}
	return &Problem{Kind: Refused, Message: "upload.refused", Report: j.Report(names)}
}

// storedBefore is the row of a certificate that somebody has already: the own one, or for
// who sees those of others theirs. nil: none.
func (s *Service) storedBefore(ctx context.Context, p Principal, fingerprint string) (*store.CertificateRow, error) {
	row, err := s.Store.CertificateBy(ctx, p.Tenant, p.Account, fingerprint)
	if errors.Is(err, store.ErrNotFound) && p.Role != RoleApplicant {
		row, err = s.Store.CertificateBy(ctx, p.Tenant, "", fingerprint)
	}
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil
	}
	return row, problemOf(err)
}

func storedFact(c *store.CertificateRow) *evidence.StoredFact {
	return &evidence.StoredFact{ID: c.ID, Serial: c.Serial, Stored: c.Created}
}

// knownAbove are the certificates that may complete the chain of an upload: those of
// our own CAs, and the chains of what the tenant has.
func (s *Service) knownAbove(ctx context.Context, tenant string) ([]*x509.Certificate, error) {
	own, err := s.Store.Authorities(ctx)
	if err != nil {
		return nil, problemOf(err)
	}
	chains, err := s.Store.ChainsOf(ctx, tenant)
	if err != nil {
		return nil, problemOf(err)
	}
	for i := range own {
		chains = append(chains, own[i].DER)
	}
	var known []*x509.Certificate
	for _, der := range chains {
		list, err := x509.ParseCertificates(der)
		if err != nil {
			s.Log.Error("a chain that is kept cannot be read", "error", err)
			continue
		}
		known = append(known, list...)
	}
	return known, nil
}

// uploaded is the row of a certificate that was read, without its id and key.
func (s *Service) uploaded(p Principal, u *certfile.Upload) (*store.Certificate, []store.OrderName, error) {
	keyprint, err := keyprintOf(u.Leaf)
	if err != nil {
		return nil, nil, &Problem{Kind: Invalid, Message: "upload.key-kind", Err: err}
	}
	names := s.orderNames(&order.Order{Names: u.Set().Names()})
	c := &store.Certificate{
		CertificateRow: store.CertificateRow{
			Tenant: p.Tenant, Account: p.Account, Source: store.SourceUploaded, Serial: serialText(u.Leaf), State: order.CertificateValid, Name: u.Facts.Leaf.Subject,
			Names: len(names), Fingerprint: fingerprintOf(u.Leaf.Raw), Keyprint: keyprint, NotBefore: u.Leaf.NotBefore.UTC(), NotAfter: u.Leaf.NotAfter.UTC(),
			Created: s.now(), Version: 1,
		},
		DER: u.Leaf.Raw,
	}
	if len(names) > 0 {
		c.Name = names[0].Name
	}
	var chain [][]byte
	for _, above := range u.Chain {
		chain = append(chain, above.Raw)
		c.Chain = append(c.Chain, above.Raw...)
	}
	if _, err := certfile.New(u.Leaf.Raw, chain, nil); err != nil {
		return nil, nil, fileProblem(err)
	}
	if u.Root != nil && !u.Root.Equal(u.Leaf) {
		c.Chain = append(c.Chain, u.Root.Raw...)
	}
	return c, names, nil
}

// mostUploads is how often an account may upload one certificate that it deleted.
const mostUploads = 1000

// insertUploaded writes a certificate under an id that follows from what it is and
// whose: of two uploads at once one finds the other, which it returns.
func (s *Service) insertUploaded(tx store.Tx, c *store.Certificate, names []store.OrderName, u *certfile.Upload) (there *store.CertificateRow, err error) {
	for n := range mostUploads {
		c.ID = uploadID(c, n)
		old, err := tx.CertificateNow(c.Tenant, c.ID)
		if err == nil && old.Deleted.IsZero() {
			return &old.CertificateRow, nil
		}
		if err == nil {
			continue
		}
		if !errors.Is(err, store.ErrNotFound) {
			return nil, err
		}
		if u.Key != nil {
			text, err := u.Key.PEM()
			if err != nil {
				return nil, fmt.Errorf("the key of an upload: %w", err)
			}
			if c.Sealed, err = s.conceal(certificateRow(c.ID), string(text)); err != nil {
				return nil, err
			}
		}
		return nil, tx.InsertCertificate(c, names)
	}
	return nil, &Problem{Kind: Conflict, Message: "upload.too-often"}
}

// uploadID is the id of the nth upload of a certificate by an account.
func uploadID(c *store.Certificate, n int) string {
	sum := sha256.Sum256([]byte(c.Tenant + "\x00" + c.Account + "\x00" + c.Fingerprint + "\x00" + strconv.Itoa(n)))
	return "U" + base32.StdEncoding.EncodeToString(sum[:10])
}
