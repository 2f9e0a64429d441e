package service

import (
	"context"
	"crypto/ed25519"
	"errors"
	"time"

	"assay/internal/audit"
	"assay/internal/store"
)

const (
	// sealEvery is how often the chain is looked at: an entry waits for less than
	// a second.
	sealEvery = 500 * time.Millisecond
	sealLease = 10 * time.Second
	// sealBatch is how many entries one unit seals.
	sealBatch = 1000
)

// sealing chains audit entries shortly after they were written, in one of the
// processes, and signs the end of the chain once an hour.
func (s *Service) sealing(ctx context.Context) {
	signed := time.Time{}
	for ctx.Err() == nil {
		err := s.seal(ctx)
		if now := s.now(); err == nil && (now.Sub(signed) >= time.Minute || now.Before(signed)) {
			if err = s.signHead(ctx); err == nil {
				signed = now
			}
		}
		if err != nil && ctx.Err() == nil {
			s.Log.Error("sealing the audit log failed; it is tried again", "error", err)
		}
		select {
		case <-s.work.wait(sealEvery):
		case <-ctx.Done():
		}
	}
}

// seal gives every entry that waits its place in the chain, batch by batch.
// Nothing is written where none waits.
func (s *Service) seal(ctx context.Context) error {
	for {
		waiting, err := s.Store.HasUnsealed(ctx)
		if err != nil || !waiting {
			return err
		}
		now, n := s.now(), 0
		err = s.Store.Write(ctx, func(tx store.Tx) error {
			n = 0
			mine, err := tx.TakeLease("sealer", s.Owner, now, now.Add(sealLease))
			if err != nil || !mine {
				return err
			}
			entries, err := tx.Unsealed(sealBatch)
			if err != nil || len(entries) == 0 {
				return err
			}
			last, err := tx.LastSealed()
			if err != nil {
				return err
			}
			n = len(entries)
			return tx.Seal(chained(audit.Chain{Seq: last.Seq, Hash: last.Hash}, entries))
		})
		if errors.Is(err, store.ErrConflict) {
			return nil // another process seals
		}
		if err != nil {
			return err
		}
		s.count(CountSealed, n)
		if n < sealBatch {
			return nil
		}
	}
}

// chained gives entries their places behind the end of a chain.
func chained(end audit.Chain, entries []store.Entry) []store.Entry {
	batch := make([]audit.Entry, len(entries))
	for i := range entries {
		batch[i] = audit.Entry(entries[i])
	}
	end.Seal(batch)
	for i := range batch {
		entries[i] = store.Entry(batch[i])
	}
	return entries
}

// signHead signs the end of the chain where the last signature is an hour old.
// Without a key nothing is signed.
func (s *Service) signHead(ctx context.Context) error {
	if len(s.AuditKey) != ed25519.PrivateKeySize {
		return nil
	}
	heads, err := s.Store.Heads(ctx)
	if err != nil {
		return err
	}
	var last audit.Head
	for _, h := range heads {
		if h.Seq >= last.Seq {
			last = audit.Head(h)
		}
	}
	now := s.now()
	return s.Store.Write(ctx, func(tx store.Tx) error {
		mine, err := tx.TakeLease("sealer", s.Owner, now, now.Add(sealLease))
		if err != nil || !mine {
			return err
		}
		end, err := tx.LastSealed()
		if err != nil {
			return err
		}
		chain := audit.Chain{Seq: end.Seq, Hash: end.Hash}
		if !chain.HeadDue(last, now) {
			return nil
		}
		return tx.PutHead(store.Head(chain.Sign(s.AuditKey, now)))
	})
}
