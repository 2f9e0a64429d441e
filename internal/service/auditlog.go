package service

import (
	"context"
	"crypto/ed25519"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"time"

	"assay/internal/audit"
	"assay/internal/store"
)

// An EntryView is one audit entry.
type EntryView struct {
	ID           string          `json:"id"`
	At           time.Time       `json:"at"`
	Tenant       string          `json:"tenant"`
	Actor        string          `json:"actor"`
	Role         string          `json:"role"`
	Action       string          `json:"action"`
	Subject      string          `json:"subject"`
	Order        string          `json:"order,omitempty"`
	OrderVersion int64           `json:"order_version,omitempty"`
	Data         json.RawMessage `json:"data"`
	// Seq and Hash are its place in the chain; absent until it is sealed.
	Seq  int64  `json:"seq,omitempty"`
	Hash string `json:"hash,omitempty"`
}

// An AuditQuery narrows a list of audit entries.
type AuditQuery struct {
	Order, Actor, Action string
	Since, Until         time.Time
	Cursor               string
	Limit                int // 1 to 200; 0: 50
}

// AuditEntries lists the tenant's audit entries, newest first.
func (s *Service) AuditEntries(ctx context.Context, p Principal, q AuditQuery) (items []EntryView, next string, err error) {
	if err := allow(p, MayReadAudit); err != nil {
		return nil, "", err
	}
	before, err := readCursor(q.Cursor)
	if err != nil {
		return nil, "", err
	}
	f := store.EntryFilter{
		Tenant: p.Tenant, Order: q.Order, Actor: q.Actor, Action: q.Action, Since: q.Since, Until: q.Until,
		BeforeAt: before.Created, BeforeID: before.ID, Limit: pageSize(q.Limit),
	}
	entries, err := s.Store.Entries(ctx, f)
	if err != nil {
		return nil, "", problemOf(err)
	}
	items = make([]EntryView, len(entries))
	for i := range entries {
		e := &entries[i]
		items[i] = EntryView{
			ID: e.ID, At: e.At, Tenant: e.Tenant, Actor: e.Actor, Role: e.Role, Action: e.Action, Subject: e.Subject, Order: e.Order,
			OrderVersion: e.OrderVersion, Data: e.Data, Seq: e.Seq, Hash: hex.EncodeToString(e.Hash),
		}
	}
	if len(entries) == f.Limit {
		last := &entries[len(entries)-1]
		next = writeCursor(store.OrderKeyset{Created: last.At, ID: last.ID})
	}
	return items, next, nil
}

// An AuditResult is what verifying the chain found.
type AuditResult struct {
	Valid bool `json:"valid"`
	// Problem is the first thing wrong, "" where nothing is.
	Problem string `json:"problem,omitempty"`
	Seq     int64  `json:"seq,omitempty"`
	// Entries is how many were verified, Signed the last one that a signed head
	// covers, Unsealed how many have no place in the chain yet.
	Entries  int64 `json:"entries"`
	Heads    int   `json:"heads"`
	Signed   int64 `json:"signed"`
	Unsealed int64 `json:"unsealed"`
	// Key is the public key of the heads, in hexadecimal.
	Key string `json:"key"`
}

// AuditVerify verifies the whole chain, of all tenants: it is one. The answer
// shows nothing of an entry.
func (s *Service) AuditVerify(ctx context.Context, p Principal) (*AuditResult, error) {
	if err := allow(p, MayReadAudit); err != nil {
		return nil, err
	}
	bounded, end, err := s.job(ctx, p.Tenant)
	if err != nil {
		return nil, err
	}
	defer end()
	r, err := VerifyAudit(bounded, s.Store, s.auditPublic())
	if err != nil && bounded.Err() != nil && ctx.Err() == nil {
		return nil, &Problem{Kind: Unavailable, Message: "service.audit-time", Err: err}
	}
	if err != nil {
		return nil, err
	}
	stats, err := s.Store.Stats(ctx, s.now())
	if err != nil {
		return nil, problemOf(err)
	}
	r.Unsealed = stats.Unsealed
	return answered(ctx, s, r)
}

// VerifyAudit verifies the whole chain of a store with the public key of its
// heads. What is not sealed yet is not looked at: Unsealed stays 0.
func VerifyAudit(ctx context.Context, from store.Reader, public ed25519.PublicKey) (*AuditResult, error) {
	v := audit.NewVerifier(audit.Chain{}, public)
	if err := walk(ctx, from, v.Head, func(e *audit.Entry) error { v.Entry(e); return nil }); err != nil {
		return nil, err
	}
	sum, err := v.End()
	r := &AuditResult{
		Valid: err == nil, Entries: max(0, sum.To-sum.From+1), Heads: sum.Heads, Signed: sum.Signed, Key: hex.EncodeToString(public),
	}
	var wrong *audit.Problem
	if errors.As(err, &wrong) {
		r.Problem, r.Seq = wrong.Error(), wrong.Seq
	} else if err != nil {
		return nil, err
	}
	return r, nil
}

// walk calls entry with every sealed entry and head with the signed heads, each
// after the entry that it is of.
func walk(ctx context.Context, from store.Reader, head func(audit.Head), entry func(*audit.Entry) error) error {
	heads, err := from.Heads(ctx)
	if err != nil {
		return problemOf(err)
	}
	err = from.Sealed(ctx, 1, func(e *store.Entry) error {
		one := audit.Entry(*e)
		if err := entry(&one); err != nil {
			return err
		}
		for len(heads) > 0 && heads[0].Seq <= e.Seq {
			head(audit.Head(heads[0]))
			heads = heads[1:]
		}
		return ctx.Err()
	})
	for _, h := range heads {
		head(audit.Head(h)) // of entries that are gone
	}
	return problemOf(err)
}

// AuditExport writes the whole chain with its signed heads as JSON lines, for
// keeping where the database's administrator cannot reach. It holds every
// tenant's entries, so only [RootTenant] gets it.
func (s *Service) AuditExport(ctx context.Context, p Principal, w io.Writer) error {
	if err := allow(p, MayReadAudit); err != nil {
		return err
	}
	if p.Tenant != RootTenant {
		return &Problem{Kind: Forbidden, Message: "service.root-only"}
	}
	heads, err := s.Store.Heads(ctx)
	if err != nil {
		return problemOf(err)
	}
	all := make([]audit.Head, len(heads))
	for i := range heads {
		all[i] = audit.Head(heads[i])
	}
	out, err := audit.NewWriter(w, audit.Chain{}, all, s.auditPublic())
	if err != nil {
		return err
	}
	if err := walk(ctx, s.Store, func(audit.Head) {}, out.Entry); err != nil {
		return err
	}
	return out.Close()
}

// AuditPublicKey is the key that heads are verified with.
func (s *Service) AuditPublicKey(_ context.Context, p Principal) (ed25519.PublicKey, error) {
	if err := allow(p, MayReadAudit); err != nil {
		return nil, err
	}
	return s.auditPublic(), nil
}

// auditPublic is the public half of the key, nil where heads are not signed.
func (s *Service) auditPublic() ed25519.PublicKey {
	if len(s.AuditKey) != ed25519.PrivateKeySize {
		return nil
	}
	public, _ := s.AuditKey.Public().(ed25519.PublicKey)
	return public
}
