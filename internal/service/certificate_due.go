package service

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
	"time"

	"assay/internal/issuer"
	"assay/internal/store"
	"assay/order"
)

// certificateWorkers is how many certificates are seen to at once.
const certificateWorkers = 8

// wakeCertificates tells the worker that something may be due for a certificate.
func (s *Service) wakeCertificates() {
	select {
	case s.certified <- struct{}{}:
	default:
	}
}

// certifying does what is due for certificates until ctx ends: notices of their
// end, the end, renewal, revocations to tell an upstream CA, looks at where they
// are used.
func (s *Service) certifying(ctx context.Context) {
	for ctx.Err() == nil {
		n, wait, err := s.certificatesDue(ctx)
		if err != nil && ctx.Err() == nil {
			s.Log.Error("looking for what is due for certificates failed; it is tried again", "error", err)
			wait = pollAlone / 2
		}
		if n > 0 && err == nil {
			continue
		}
		select {
		case <-s.certified:
		case <-s.work.wait(wait):
		case <-ctx.Done():
		}
	}
}

// certificatesDue does what is due now, and says how much that was.
func (s *Service) certificatesDue(ctx context.Context) (n int, wait time.Duration, err error) {
	now := s.now()
	next, err := s.Store.NextCertificateDue(ctx)
	if err != nil {
		return 0, 0, err
	}
	if next.IsZero() || next.After(now) {
		wait = pollAlone
		if !next.IsZero() {
			wait = min(wait, next.Sub(now))
		}
		return 0, wait, nil
	}
	var due []store.CertificateDue
	err = s.Store.Write(ctx, func(tx store.Tx) (err error) {
		due, err = tx.TakeCertificateDue(now, s.Owner, now.Add(s.Lease), certificateWorkers)
		return err
	})
	if err != nil {
		return 0, 0, err
	}
	var running sync.WaitGroup
	for _, d := range due {
		running.Go(func() { s.attendCertificate(ctx, d) })
	}
	running.Wait()
	return len(due), 0, nil
}

// attendCertificate does one piece of work and has it done again where it failed.
func (s *Service) attendCertificate(ctx context.Context, d store.CertificateDue) {
	err := s.guardedCertificate(ctx, d)
	if err == nil || errors.Is(err, store.ErrLeaseLost) {
		return
	}
	wait := backoff(d.Attempt)
	if ctx.Err() != nil {
		wait = 0
	} else {
		s.count(CountRetries, 1)
		s.Log.Error("failed; it is tried again", "certificate", d.Certificate, "due", d.Kind, "error", err, "attempt", d.Attempt, "in", wait)
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), farewell)
	defer cancel()
	err = s.Store.Write(ctx, func(tx store.Tx) error {
		if err := tx.FinishCertificateDue(d, s.Owner); err != nil {
			return err
		}
		return tx.SetCertificateDue(store.CertificateDue{Certificate: d.Certificate, Kind: d.Kind, At: s.now().Add(wait), Attempt: d.Attempt})
	})
	if err != nil && !errors.Is(err, store.ErrLeaseLost) {
		s.Log.Error("work could not be given back; it is done when its lease ends", "certificate", d.Certificate, "due", d.Kind, "error", err)
	}
}

func (s *Service) guardedCertificate(ctx context.Context, d store.CertificateDue) (err error) {
	defer func() {
		if p := recover(); p != nil {
			s.count(CountPanics, 1)
			s.Log.Error("panic", "certificate", d.Certificate, "due", d.Kind, "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
			err = fmt.Errorf("panic: %v", p)
		}
	}()
	ctx, cancel := context.WithTimeout(ctx, s.Lease-s.Lease/4)
	defer cancel()
	c, err := s.Store.Certificate(ctx, "", d.Certificate)
	if err != nil {
		return err
	}
	if !c.Deleted.IsZero() {
		return s.finishCertificate(ctx, d, nil)
	}
	switch d.Kind {
	case store.DueEnd:
		return s.nearEnd(ctx, d)
	case store.DueRenew:
		return s.renewDue(ctx, d, c)
	case store.DueRevoke:
		return s.revokeDue(ctx, d, c)
	case store.DueWatch:
		return s.watchDue(ctx, d, c)
	}
	return s.finishCertificate(ctx, d, nil)
}

// finishCertificate ends a piece of work with what follows from it.
func (s *Service) finishCertificate(ctx context.Context, d store.CertificateDue, then func(tx store.Tx) error) error {
	return s.Store.Write(ctx, func(tx store.Tx) error {
		if err := tx.FinishCertificateDue(d, s.Owner); err != nil || then == nil {
			return err
		}
		return then(tx)
	})
}

// itsOwn is the service as who acts on a certificate.
func itsOwn(c *store.Certificate) Principal {
	return Principal{Tenant: c.Tenant, Account: c.Account, Token: serviceActor, Role: RoleAdministrator}
}

// nearEnd tells that a certificate ends soon, and notes it when it has.
func (s *Service) nearEnd(ctx context.Context, d store.CertificateDue) error {
	return s.finishCertificate(ctx, d, func(tx store.Tx) error {
		c, err := tx.CertificateNow("", d.Certificate)
		if err != nil {
			return err
		}
		now := s.now()
		if now.After(c.NotAfter) {
			to, ok := c.State.Next(order.CertificateExpire)
			if !ok {
				return nil // it was revoked
			}
			c.State = to
			if err := tx.UpdateCertificate(c); err != nil {
				return err
			}
			if err := errors.Join(tx.ClearCertificateDue(c.ID), s.givesBack(tx, c)); err != nil {
				return err
			}
			return s.auditCertificate(tx, itsOwn(c), c, "expire", nil)
		}
		if c.State == order.CertificateRevoked {
			return nil
		}
		if err := s.dueAgain(tx, c); err != nil {
			return err
		}
		if !s.news(c) {
			return nil
		}
		left := int(c.NotAfter.Sub(now).Round(day) / day)
		return s.auditCertificate(tx, itsOwn(c), c, "ending", map[string]any{"days": left, "not_after": c.NotAfter.UTC().Format(time.RFC3339)})
	})
}

// news reports whether the end of a certificate is worth telling.
func (s *Service) news(c *store.Certificate) bool {
	return !c.Muted && c.ReplacedBy == "" && c.State != order.CertificateRevoked
}

// renewDue orders a certificate anew where its owner wants that.
func (s *Service) renewDue(ctx context.Context, d store.CertificateDue, c *store.Certificate) error {
	if c.State == order.CertificateRevocationLetter {
		return s.renewAgain(ctx, d, day) // it stays where no letter comes, or none that counts
	}
	if !c.AutoRenew || c.ReplacedBy != "" || c.State != order.CertificateValid || s.now().After(c.NotAfter) {
		return s.finishCertificate(ctx, d, nil)
	}
	if other, err := renewing(&c.CertificateRow, "", s.read(ctx)); err != nil {
		return err
	} else if other != "" {
		// It is on its way; looked at again, should that fail, or what came of it be
		// revoked. Of one that came this certificate would say that it replaced it.
		return s.renewAgain(ctx, d, day)
	}
	if wait, err := s.advised(ctx, c); err != nil {
		return err
	} else if wait > 0 {
		return s.renewAgain(ctx, d, wait)
	}
	v, err := s.renewal(ctx, itsOwn(c), c, nil)
	var p *Problem
	if errors.As(err, &p) && p.Kind != Unavailable {
		return s.finishCertificate(ctx, d, func(tx store.Tx) error {
			if err := tx.SetCertificateDue(store.CertificateDue{Certificate: c.ID, Kind: store.DueRenew, At: s.now().Add(day)}); err != nil {
				return err
			}
			data := map[string]any{"why": p.Message}
			if p.Report != nil {
				data["causes"] = causesOf(p.Report)
			}
			return s.auditCertificate(tx, itsOwn(c), c, "renew-failed", data)
		})
	}
	if err != nil {
		return err
	}
	s.Log.Info("a certificate is renewed", "certificate", c.ID, "order", v.ID)
	return s.renewAgain(ctx, d, day)
}

func (s *Service) renewAgain(ctx context.Context, d store.CertificateDue, wait time.Duration) error {
	return s.finishCertificate(ctx, d, func(tx store.Tx) error {
		return tx.SetCertificateDue(store.CertificateDue{Certificate: d.Certificate, Kind: store.DueRenew, At: s.now().Add(wait)})
	})
}

// revokeDue goes on with a revocation: an upstream CA is told, or a key is
// compromised that other certificates have too.
func (s *Service) revokeDue(ctx context.Context, d store.CertificateDue, c *store.Certificate) error {
	if c.State == order.CertificateRevoked || c.State == order.CertificateExpired {
		return s.finishCertificate(ctx, d, nil)
	}
	reason := issuer.Reason(c.Reason)
	if c.State == order.CertificateValid || c.State == order.CertificateRevocationLetter {
		blocked, err := s.Store.Blocked(ctx, c.Keyprint)
		if err != nil {
			return err
		}
		switch {
		case !blocked.IsZero(): // no letter is waited for any more
			reason = issuer.KeyCompromise
		case c.State == order.CertificateValid:
			return s.finishCertificate(ctx, d, nil)
		}
	}
	if c.State == order.CertificateRevocationLetter && reason != issuer.KeyCompromise {
		return s.letterMissed(ctx, d)
	}
	ca, ours := s.revoker(c)
	if ca == nil && !ours {
		return fmt.Errorf("certificate %s is of %s, which this service does not reach any more", c.ID, c.Issuer)
	}
	if ca != nil {
		cert, err := x509.ParseCertificate(c.DER)
		if err != nil {
			return err
		}
		if err := ca.Revoke(ctx, &issuer.Revocation{Certificate: cert, Reason: reason, At: s.now()}); err != nil {
			return err
		}
	}
	err := s.finishCertificate(ctx, d, func(tx store.Tx) error {
		now, err := tx.CertificateNow("", c.ID)
		if err != nil || now.State == order.CertificateRevoked {
			return err
		}
		return s.revokeNow(tx, itsOwn(now), now, reason)
	})
	if err == nil {
		s.told(c.Issuer, c.Serial)
	}
	return err
}

// revoker is the upstream CA that has to be told of a revocation; ours says that a CA
// of our own issued the certificate, and nobody has to be told. Neither: the CA is
// not among those of this service any more.
func (s *Service) revoker(c *store.Certificate) (ca issuer.Issuer, ours bool) {
	if _, ours := s.IssuerCertificates()[c.Issuer]; ours {
		return nil, true
	}
	ca = s.issuerByID(c.Profile, c.Issuer)
	if ca == nil || ca.Upstream() {
		return ca, false
	}
	return nil, true
}

// issuerByID is the CA that issued a certificate, where it is one of a profile's.
func (s *Service) issuerByID(profile, id string) issuer.Issuer {
	if s.Issuer == nil {
		return nil
	}
	if ca := s.Issuer(profile); ca != nil && ca.ID() == id {
		return ca
	}
	return nil
}

// watchDue looks at where a certificate is used.
func (s *Service) watchDue(ctx context.Context, d store.CertificateDue, c *store.Certificate) error {
	inForce := c.State == order.CertificateValid || c.State == order.CertificateRevocationLetter
	if s.Watch == nil || !inForce {
		return s.finishCertificate(ctx, d, nil)
	}
	newer := ""
	if c.ReplacedBy != "" {
		after, err := s.Store.CertificateAfter(ctx, c.Tenant, c.ID, s.now())
		if err == nil {
			newer = after.Fingerprint
		} else if !errors.Is(err, store.ErrNotFound) {
			return err
		}
	}
	findings, err := s.Watch(ctx, c, newer)
	if err != nil {
		return err
	}
	raw, err := json.Marshal(findings)
	if err != nil {
		return err
	}
	return s.finishCertificate(ctx, d, func(tx store.Tx) error {
		now, err := tx.CertificateNow("", c.ID)
		if err != nil {
			return err
		}
		had := causesAmong(decodeFindings(now.Findings))
		now.Findings, now.LookedAt = raw, s.now()
		if err := tx.UpdateCertificate(now); err != nil {
			return err
		}
		// Densely at first, when something is being installed; then once a day.
		wait := day
		if age := s.now().Sub(now.Created); age < day {
			wait = max(age, 10*time.Minute)
		}
		if err := tx.SetCertificateDue(store.CertificateDue{Certificate: c.ID, Kind: store.DueWatch, At: s.now().Add(wait)}); err != nil {
			return err
		}
		causes := causesAmong(findings)
		added := without(causes, had)
		if len(added) == 0 && len(without(had, causes)) == 0 {
			return nil
		}
		return s.auditCertificate(tx, itsOwn(now), now, "watch", map[string]any{"causes": causes, "added": added})
	})
}
