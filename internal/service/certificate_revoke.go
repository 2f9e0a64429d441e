package service

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"time"

	"assay/csr"
	"assay/internal/issuer"
	"assay/internal/message"
	"assay/internal/store"
	"assay/key"
	"assay/order"
	"assay/review"
)

// A RevocationRequest asks for a certificate to be revoked.
type RevocationRequest struct {
	// Reason is one of [issuer.Reasons]; "" is "unspecified".
	Reason string `json:"reason,omitempty"`
	// Proof is a certificate request, PEM, that is signed by the certificate's own
	// key and has the common name "revoke " and the serial number: whoever has the key
	// may revoke. It makes the reason key-compromise.
	Proof string `json:"proof,omitempty"`
}

// letterDays is how long the letter of an OV or EV revocation is waited for.
const letterDays = 3

// Revoke has a certificate revoked: by its account, by an administrator or
// reviewer of the tenant, or by whoever proves to have its key. Of OV and EV its
// account sends a letter first; the others decide for the CA (BR 4.9.1.1, 4.9.2).
// There is no way back.
func (s *Service) Revoke(ctx context.Context, p Principal, id string, version int64, in RevocationRequest) (*CertificateView, error) {
	reason, err := reasonOf(in.Reason)
	if err != nil {
		return nil, err
	}
	if len(in.Proof) > maxCSRText {
		return nil, &Problem{Kind: Invalid, Message: "certificate.proof"}
	}
	do := MayRevoke
	if in.Proof != "" {
		do = MayReadCertificates
	}
	return s.changeCertificate(ctx, p, id, version, do, "revoke", func(tx store.Tx, c *store.Certificate) (map[string]any, error) {
		if c.Source != store.SourceIssued {
			return nil, &Problem{Kind: WrongState, Message: "certificate.revoke-uploaded"}
		}
		if in.Proof != "" {
			if err := proves(in.Proof, c); err != nil {
				return nil, err
			}
			if s.now().After(c.NotAfter) || c.State != order.CertificateValid && c.State != order.CertificateRevocationLetter {
				// It is too late for this certificate, and not for its key.
				return map[string]any{"reason": issuer.Reasons()[issuer.KeyCompromise], "proof": true, "late": true}, s.compromised(tx, c)
			}
		}
		if s.now().After(c.NotAfter) || c.State != order.CertificateValid && c.State != order.CertificateRevocationLetter {
			return nil, &Problem{Kind: WrongState, Message: "certificate.revoke-state", Pairs: []any{"State", message.ID("cert.is." + string(c.State))}}
		}
		why := reason
		if in.Proof != "" {
			why = issuer.KeyCompromise
		}
		data := map[string]any{"reason": issuer.Reasons()[why], "proof": in.Proof != ""}
		owner := p.Role == RoleApplicant && in.Proof == ""
		if owner && why != issuer.KeyCompromise && order.RevokeTo(c.Product) == order.CertificateRevocationLetter {
			if c.State == order.CertificateRevocationLetter {
				return nil, &Problem{Kind: WrongState, Message: "certificate.revoke-state", Pairs: []any{"State", message.ID("cert.is." + string(c.State))}}
			}
			c.State, c.Reason, c.Asked = order.CertificateRevocationLetter, int(why), s.now()
			if err := tx.UpdateCertificate(c); err != nil {
				return nil, err
			}
			until := s.now().Add(letterDays * day)
			data["letter_until"] = until.UTC().Format(time.RFC3339)
			return data, tx.SetCertificateDue(store.CertificateDue{Certificate: c.ID, Kind: store.DueRevoke, At: until})
		}
		spread := !owner
		if owner && why == issuer.KeyCompromise {
			// Whoever says so of a key without showing it says it of the own certificates.
			elsewhere, err := tx.KeyElsewhere(c.Keyprint, c.Tenant, c.Account)
			if err != nil {
				return nil, err
			}
			spread = !elsewhere
		}
		return data, s.revoke(tx, c, why, spread)
	})
}

// revoke revokes a certificate now, or has its upstream CA told: then it has
// happened when that CA knows.
func (s *Service) revoke(tx store.Tx, c *store.Certificate, why issuer.Reason, spread bool) error {
	ca, ours := s.revoker(c)
	if ca == nil && !ours {
		return &Problem{Kind: WrongState, Message: "certificate.revoke-elsewhere", Pairs: []any{"Issuer", c.Issuer}}
	}
	if ca == nil {
		return s.revokeStates(tx, c, why, spread)
	}
	c.State, c.Reason, c.Asked = order.CertificateRevoking, int(why), s.now()
	if err := tx.UpdateCertificate(c); err != nil {
		return err
	}
	if err := s.givesBack(tx, c); err != nil {
		return err
	}
	if why == issuer.KeyCompromise && spread {
		if err := s.compromised(tx, c); err != nil {
			return err
		}
	}
	return tx.SetCertificateDue(store.CertificateDue{Certificate: c.ID, Kind: store.DueRevoke, At: s.now()})
}

// compromised blocks a key for ever, and has every other certificate with it revoked
// (BR 4.9.1.1 (3)).
func (s *Service) compromised(tx store.Tx, c *store.Certificate) error {
	if err := tx.BlockKey(c.Keyprint, c.ID, s.now()); err != nil {
		return err
	}
	return tx.DueByKey(c.Keyprint, c.ID, s.now())
}

// ConfirmRevocation accepts the letter of an OV or EV revocation, or rejects it:
// then the certificate stays. A reviewer or administrator who did not ask for it.
func (s *Service) ConfirmRevocation(ctx context.Context, p Principal, id string, version int64, accept bool) (*CertificateView, error) {
	action := "revoke-letter"
	if !accept {
		action = "revoke-refused"
	}
	return s.changeCertificate(ctx, p, id, version, MayDecideRevocation, action, func(tx store.Tx, c *store.Certificate) (map[string]any, error) {
		if c.State != order.CertificateRevocationLetter {
			return nil, &Problem{Kind: WrongState, Message: "certificate.revoke-state", Pairs: []any{"State", message.ID("cert.is." + string(c.State))}}
		}
		if p.Account == c.Account {
			return nil, &Problem{Kind: Forbidden, Message: "certificate.revoke-own"}
		}
		if accept {
			return nil, s.revoke(tx, c, issuer.Reason(c.Reason), true)
		}
		c.State, c.Asked, c.Reason = order.CertificateValid, time.Time{}, 0
		if err := tx.UpdateCertificate(c); err != nil {
			return nil, err
		}
		return nil, tx.ClearCertificateDue(c.ID, store.DueRevoke)
	})
}

// letterMissed: no letter came in time.
func (s *Service) letterMissed(ctx context.Context, d store.CertificateDue) error {
	return s.finishCertificate(ctx, d, func(tx store.Tx) error {
		c, err := tx.CertificateNow("", d.Certificate)
		if err != nil || c.State != order.CertificateRevocationLetter {
			return err
		}
		c.State, c.Asked, c.Reason = order.CertificateValid, time.Time{}, 0
		if err := tx.UpdateCertificate(c); err != nil {
			return err
		}
		return s.auditCertificate(tx, itsOwn(c), c, "revoke-expired", nil)
	})
}

// revokeNow is revokeStates with the audit entry of its own.
func (s *Service) revokeNow(tx store.Tx, p Principal, c *store.Certificate, reason issuer.Reason) error {
	if err := s.revokeStates(tx, c, reason, true); err != nil {
		return err
	}
	return s.auditCertificate(tx, p, c, "revoked", map[string]any{"reason": issuer.Reasons()[reason]})
}

// revokeStates takes a certificate to revoked with all that follows: the entry
// in the list and what OCSP says are its row. Where it is to spread, a key that is
// compromised is nobody's any more.
func (s *Service) revokeStates(tx store.Tx, c *store.Certificate, reason issuer.Reason, spread bool) error {
	now := s.now()
	if c.Asked.IsZero() {
		c.Asked = now
	}
	c.Reason = int(reason)
	if c.State != order.CertificateRevoking {
		c.State = order.CertificateRevoking
		if err := tx.UpdateCertificate(c); err != nil {
			return err
		}
	}
	c.State, c.Revoked, c.AutoRenew = order.CertificateRevoked, now, false
	if err := tx.UpdateCertificate(c); err != nil {
		return err
	}
	r := store.Revocation{Issuer: c.Issuer, Serial: c.Serial, Shard: c.Shard, Reason: int(reason), NotAfter: c.NotAfter, At: now}
	if err := tx.Revoke(r); err != nil {
		return err
	}
	if err := tx.ClearCertificateDue(c.ID); err != nil {
		return err
	}
	if err := s.givesBack(tx, c); err != nil {
		return err
	}
	if reason != issuer.KeyCompromise || !spread {
		return nil
	}
	return s.compromised(tx, c)
}

func reasonOf(word string) (issuer.Reason, error) {
	if word == "" {
		return issuer.Unspecified, nil
	}
	words := []string{}
	for r, w := range issuer.Reasons() {
		if w == word {
			return r, nil
		}
		words = append(words, w)
	}
	slices.Sort(words)
	return 0, oneOf("reason", word, words)
}

// maxCSRText bounds a certificate request.
const maxCSRText = 64 << 10

// proves checks that a request was signed for this revocation by the key of a
// certificate.
func proves(text string, c *store.Certificate) error {
	wrong := func(err error) error {
		return &Problem{Kind: Invalid, Message: "certificate.proof", Pairs: []any{"Serial", c.Serial}, Err: err}
	}
	r, problem := csr.Read(text)
	if r == nil || problem != nil || r.Key == nil {
		return wrong(nil)
	}
	if key.Print(r.Key) != c.Keyprint {
		return wrong(errors.New("another key"))
	}
	if v := r.Verify(); !v.OK {
		return wrong(errors.New("the signature does not verify"))
	}
	if !slices.ContainsFunc(r.Subject, func(a csr.Attribute) bool { return a.Name == "CN" && a.Value == "revoke "+c.Serial }) {
		return wrong(errors.New("another common name"))
	}
	return nil
}

// decodeFindings reads what is stored of a look; nothing where there is none.
func decodeFindings(raw []byte) (list []review.Finding) {
	if len(raw) > 0 && json.Unmarshal(raw, &list) != nil {
		return nil
	}
	return list
}
