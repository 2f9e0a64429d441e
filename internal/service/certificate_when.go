package service

import (
	"context"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"assay/internal/issuer"
	"assay/internal/renewal"
	"assay/internal/store"
	"assay/profile"
)

// follow says what is due for a certificate that is new.
func (s *Service) follow(tx store.Tx, c *store.Certificate, p *profile.Profile) error {
	at := s.renewals(p).At(lifeOf(c))
	if s.adviser(c) != nil {
		at = earliest(at, s.now().Add(firstAdvice))
	}
	return tx.SetCertificateDue(s.endDue(c), store.CertificateDue{Certificate: c.ID, Kind: store.DueRenew, At: at})
}

// renewWhenDue has a certificate renewed whose owner wants that from now on: what
// was due before may have passed without.
func (s *Service) renewWhenDue(tx store.Tx, c *store.Certificate) error {
	if !c.AutoRenew || c.Profile == "" || c.ReplacedBy != "" {
		return nil
	}
	p, err := s.Profiles(c.Profile)
	if err != nil {
		return &Problem{Kind: WrongState, Message: "certificate.no-profile", Pairs: []any{"ID", c.ID, "Profile", c.Profile}, Err: err}
	}
	return s.follow(tx, c, p)
}

// dueAgain says when something of a certificate's end is due next.
func (s *Service) dueAgain(tx store.Tx, c *store.Certificate) error {
	return tx.SetCertificateDue(s.endDue(c))
}

func (s *Service) endDue(c *store.Certificate) store.CertificateDue {
	return store.CertificateDue{Certificate: c.ID, Kind: store.DueEnd, At: s.nextEnd(c, s.now())}
}

// nextEnd is the next notice of a certificate's end after a time, else the end.
func (s *Service) nextEnd(c *store.Certificate, after time.Time) time.Time {
	for _, n := range (renewal.Policy{Notices: s.NoticeDays}).Tell(lifeOf(c)) {
		if n.At.After(after) {
			return n.At
		}
	}
	return c.NotAfter.Add(time.Second)
}

func lifeOf(c *store.Certificate) renewal.Life {
	return renewal.Life{NotBefore: c.NotBefore, NotAfter: c.NotAfter}
}

// renewals are the rules of renewal of a profile.
func (s *Service) renewals(p *profile.Profile) renewal.Policy {
	return renewal.Policy{OpensDays: p.Limits.RenewalDaysLeft, Notices: s.NoticeDays}
}

const (
	// firstAdvice is how long after its issue the issuer of a certificate is first
	// asked when to renew it, adviceAgain how long it is not asked after an answer
	// that did not come.
	firstAdvice = time.Hour
	adviceAgain = 6 * time.Hour
)

// adviser is the issuer of a certificate where it says when to renew; nil elsewhere.
func (s *Service) adviser(c *store.Certificate) issuer.Adviser {
	a, _ := s.issuerByID(c.Profile, c.Issuer).(issuer.Adviser)
	return a
}

// renewsAt is when a certificate is renewed as far as is known, where something
// about it is due at a time: its issuer may only be asked then.
func (s *Service) renewsAt(c *store.Certificate, due time.Time) time.Time {
	p, err := s.Profiles(c.Profile)
	if err != nil || s.adviser(c) == nil {
		return due
	}
	if at := s.renewals(p).At(lifeOf(c)); at.After(due) {
		return at
	}
	return due
}

// advised asks the issuer of a certificate whether it is to be renewed now; wait is
// how long to look again after, 0: it is. An issuer that does not answer delays
// nothing: the schedule holds.
func (s *Service) advised(ctx context.Context, c *store.Certificate) (wait time.Duration, err error) {
	a := s.adviser(c)
	if a == nil {
		return 0, nil
	}
	p, err := s.Profiles(c.Profile)
	if err != nil {
		return 0, fmt.Errorf("certificate %s: %w", c.ID, err)
	}
	rules, now := s.renewals(p), s.now()
	at, again := rules.At(lifeOf(c)), now.Add(adviceAgain)
	parsed, err := x509.ParseCertificate(c.DER)
	if err != nil {
		return 0, fmt.Errorf("certificate %s: %w", c.ID, err)
	}
	switch advice, err := a.RenewalInfo(ctx, parsed); {
	case errors.Is(err, issuer.ErrNoAdvice):
		again = at
	case err != nil && ctx.Err() != nil:
		return 0, err
	case err != nil:
		s.Log.Warn("the issuer does not say when to renew a certificate; the schedule holds", "certificate", c.ID, "error", err)
	default:
		seed, err := hex.DecodeString(c.Fingerprint)
		if err != nil {
			seed = []byte(c.Fingerprint)
		}
		at, again = rules.In(lifeOf(c), renewal.Window{Start: advice.Start, End: advice.End}, seed), advice.Retry
		if advice.Explanation != "" && !at.After(now) {
			s.Log.Info("the issuer says why a certificate is to be renewed", "certificate", c.ID, "see", advice.Explanation)
		}
	}
	if !at.After(now) {
		return 0, nil
	}
	return max(earliest(at, again).Sub(now), time.Minute), nil
}

func earliest(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}
