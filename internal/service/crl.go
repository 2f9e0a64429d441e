package service

import (
	"context"
	"errors"
	"fmt"
	"time"

	"assay/internal/issuer"
	"assay/internal/issuer/private"
	"assay/internal/store"
)

const (
	// crlLife is how long a list holds, crlEvery how often it is signed again though
	// nothing came to it (BR 4.9.7: at least every 7 days, for at most 10).
	crlLife  = 7 * day
	crlEvery = day
	crlBatch = 50
	// crlRetry is how long a list rests that could not be signed: it is tried twice more in
	// the minute in which a revocation is to be in a list.
	crlRetry = 20 * time.Second
	// crlLease is how long at most a publisher that died keeps the others from it: well
	// within the minute in which a revocation is to be in a list. One that takes longer
	// shares the work, see [store.CertificateTx.PutCRL].
	crlLease = 20 * time.Second
	// rootListWarns is how long before its end a list is missed that is signed by hand.
	rootListWarns = 60 * day
)

// wakeLists tells the publisher that a list may be due.
func (s *Service) wakeLists() {
	select {
	case s.listed <- struct{}{}:
	default:
	}
}

// publishing signs the lists that are due, in one of the processes, until ctx ends.
func (s *Service) publishing(ctx context.Context) {
	defer s.endPublishing(ctx)
	for ctx.Err() == nil {
		wait, err := time.Duration(0), s.idleAuthorities(ctx)
		if err == nil {
			wait, err = s.publish(ctx)
		}
		if err != nil && ctx.Err() == nil {
			s.Log.Error("publishing revocations failed; it is tried again", "error", err, "in", crlRetry.String())
			wait = crlRetry
		}
		select {
		case <-s.listed:
		case <-s.work.wait(wait):
		case <-ctx.Done():
		}
	}
}

// endPublishing gives the lease back, so that the next process need not wait for its end.
func (s *Service) endPublishing(ctx context.Context) {
	now := s.now()
	if s.listsUntil.Load() <= now.UnixMicro() {
		return // it is nobody's, or another one's already
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), farewell)
	defer cancel()
	err := s.Store.Write(ctx, func(tx store.Tx) error {
		_, err := tx.TakeLease("publisher", s.Owner, now, now)
		return err
	})
	if err != nil {
		s.Log.Warn("the lists of revoked certificates could not be given back; another process signs them when the lease ends", "error", err)
	}
}

// publish signs every list that is due and says when the next is.
func (s *Service) publish(ctx context.Context) (wait time.Duration, err error) {
	for {
		now := s.now()
		next, err := s.Store.NextCRL(ctx)
		if err != nil {
			return 0, err
		}
		wait = pollAlone
		if s.Store.Engine() != "sqlite" {
			wait = pollShared
		}
		if next.IsZero() || next.After(now) {
			if !next.IsZero() {
				wait = min(wait, next.Sub(now))
			}
			return wait, nil
		}
		mine, until := false, now.Add(min(crlLease, s.Lease))
		err = s.Store.Write(ctx, func(tx store.Tx) (err error) {
			mine, err = tx.TakeLease("publisher", s.Owner, now, until)
			return err
		})
		if mine && err == nil {
			s.listsUntil.Store(until.UnixMicro())
		}
		if err != nil || !mine {
			// Who has the lease may have died: on a database of our own, too.
			return pollShared, err
		}
		due, err := s.Store.CRLsDue(ctx, now, crlBatch)
		if err != nil {
			return 0, err
		}
		for i := range due {
			ok, err := s.signList(ctx, &due[i])
			if ok && err == nil {
				continue
			}
			if ctx.Err() != nil {
				return 0, ctx.Err()
			}
			// The key is not here, or does not sign: the lists of other CAs go on.
			if err != nil {
				s.Log.Error("a list is not signed; it is tried again", "ca", due[i].Issuer, "shard", due[i].Shard, "error", err, "in", crlRetry.String())
			}
			at := now.Add(s.restOf(&due[i], now, err))
			if err := s.Store.Write(ctx, func(tx store.Tx) error { return tx.RestCRL(due[i].Issuer, due[i].Shard, at) }); err != nil {
				return 0, err
			}
		}
	}
}

// restOf is how long a list rests that is not signed. That of a root whose key was
// taken away is signed by hand, see [Service.SignRootList]: that it is time is said
// once a day.
func (s *Service) restOf(c *store.CRL, now time.Time, err error) time.Duration {
	s.own.lock.RLock()
	away := s.own.away[c.Issuer]
	s.own.lock.RUnlock()
	if !away || err != nil {
		return crlRetry
	}
	if left := c.NextUpdate.Sub(now); left < rootListWarns || c.Changes > c.Published {
		s.Log.Warn("the list of a root has to be signed with its key, which is not here: assay crl sign "+c.Issuer+" --root-key FILE",
			"ca", c.Issuer, "ends", c.NextUpdate.UTC().Format(time.RFC3339), "missing", c.Changes-c.Published)
	}
	return day
}

// signList signs one list; ok is false where the key of its CA is not here.
func (s *Service) signList(ctx context.Context, c *store.CRL) (ok bool, err error) {
	sign := s.listSigner(c.Issuer)
	if sign == nil {
		return false, nil
	}
	err = s.writeList(ctx, c, sign, nil, nil)
	if errors.Is(err, store.ErrConflict) {
		return true, nil // another process signed one
	}
	return err == nil, err
}

// writeList signs the list that follows on one, with the revocations in more, which also
// writes: both are in the unit of the list, so that whatever is signed is written, and
// what is not signed is not. [store.ErrConflict]: another one followed meanwhile. Lists
// are numbered upwards also where the database is an older one that was restored: by the
// seconds since 1970.
func (s *Service) writeList(ctx context.Context, c *store.CRL, sign listSigning, more []store.Revocation, also func(tx store.Tx, list *store.CRL) error) error {
	// What ended before the last list was signed was in a list after its end, and
	// need not be in one more (RFC 5280 3.3).
	revoked, err := s.Store.Revocations(ctx, c.Issuer, c.Shard, c.ThisUpdate)
	if err != nil {
		return err
	}
	revoked = append(revoked, more...)
	var entries []byte
	for i := range revoked {
		r := &revoked[i]
		if entries, err = private.AppendRevoked(entries, private.Revoked{Serial: r.Serial, At: r.At, Reason: issuer.Reason(r.Reason)}); err != nil {
			return fmt.Errorf("the list of %s, shard %d: %w", c.Issuer, c.Shard, err)
		}
	}
	now := s.now().Truncate(time.Second)
	list := *c
	list.Changes += int64(len(more))
	list.Number, list.Published = max(c.Number+1, now.Unix()), list.Changes
	list.ThisUpdate, list.NextUpdate, list.Due = now, now.Add(crlLife), now.Add(crlEvery)
	if list.DER, err = sign(ctx, &list, entries); err != nil {
		return fmt.Errorf("signing the list of %s, shard %d: %w", c.Issuer, c.Shard, err)
	}
	err = s.Store.Write(ctx, func(tx store.Tx) error {
		if also != nil { // what is in it first: else it is due again at once
			if err := also(tx, &list); err != nil {
				return err
			}
		}
		return tx.PutCRL(&list, c.Number)
	})
	if err == nil && s.OnList != nil {
		s.OnList(c.Issuer, c.Shard)
	}
	return err
}
