package sqlstore

import (
	"context"
	"time"

	"assay/internal/store"
)

const entryColumns = `id, at, tenant, actor, role, action, subject, order_id, order_version, data, private, COALESCE(seq, 0), hash`

func scanEntry(scan func(...any) error) (e store.Entry, err error) {
	var at int64
	var data []byte
	err = scan(&e.ID, &at, &e.Tenant, &e.Actor, &e.Role, &e.Action, &e.Subject, &e.Order, &e.OrderVersion, &data, &e.Private, &e.Seq, &e.Hash)
	e.At, e.Data = fromMicros(at), data
	return e, err
}

func (t *tx) Append(e store.Entry) error {
	return t.exec(`INSERT INTO audit (id, at, tenant, actor, role, action, subject, order_id, order_version, data, private)
		VALUES ($1,$2,$3,$4,$5,$6,$7,$8,$9,$10,$11)`,
		e.ID, micros(e.At), e.Tenant, e.Actor, e.Role, e.Action, e.Subject, e.Order, e.OrderVersion, blob(e.Data), e.Private)
}

func (t *tx) Unsealed(limit int) ([]store.Entry, error) {
	return read(t, scanEntry, `SELECT `+entryColumns+` FROM audit WHERE seq IS NULL ORDER BY at, id LIMIT $1`, limit)
}

func (t *tx) LastSealed() (store.Head, error) {
	heads, err := read(t, scanHead, `SELECT seq, hash, at, hash FROM audit WHERE seq IS NOT NULL ORDER BY seq DESC LIMIT 1`)
	if err != nil || len(heads) == 0 {
		return store.Head{}, err
	}
	heads[0].Signature = nil
	return heads[0], nil
}

func scanHead(scan func(...any) error) (h store.Head, err error) {
	var at int64
	err = scan(&h.Seq, &h.Hash, &at, &h.Signature)
	h.At = fromMicros(at)
	return h, err
}

// Seal writes places that the unique index guards: of two sealers one fails.
func (t *tx) Seal(entries []store.Entry) error {
	for i := range entries {
		e := &entries[i]
		if err := t.must("audit entry "+e.ID, store.ErrConflict, `UPDATE audit SET seq=$1, hash=$2 WHERE id=$3 AND seq IS NULL`, e.Seq, e.Hash, e.ID); err != nil {
			return err
		}
	}
	return nil
}

func (t *tx) PutHead(h store.Head) error {
	return t.exec(`INSERT INTO audit_heads (seq, hash, at, signature) VALUES ($1,$2,$3,$4) ON CONFLICT (seq) DO NOTHING`,
		h.Seq, blob(h.Hash), micros(h.At), blob(h.Signature))
}

func (t *tx) PutRequest(r store.Request) error {
	n, err := t.execN(`INSERT INTO requests (token, key, digest, status, headers, body, order_id, created_at) VALUES ($1,$2,$3,$4,$5,$6,$7,$8)
		ON CONFLICT (token, key) DO NOTHING`, r.Token, r.Key, blob(r.Digest), r.Status, blob(r.Headers), blob(r.Body), r.Order, micros(r.Created))
	if err == nil && n == 0 {
		err = t.fail(store.ErrAnswered)
	}
	return err
}

func (t *tx) PutSecret(id string, sealed []byte, at time.Time) error {
	return t.exec(`INSERT INTO secrets (id, sealed, created_at) VALUES ($1,$2,$3)
		ON CONFLICT (id) DO UPDATE SET sealed=excluded.sealed, created_at=excluded.created_at`, id, blob(sealed), micros(at))
}

// TakeLease also takes a lease that ends later than twice the time it is taken
// for: whoever held it had another clock, or this one has been set back.
func (t *tx) TakeLease(name, owner string, now, until time.Time) (bool, error) {
	n, err := t.execN(`INSERT INTO leases (name, owner, until) VALUES ($1,$2,$3)
		ON CONFLICT (name) DO UPDATE SET owner=excluded.owner, until=excluded.until
		WHERE leases.owner = excluded.owner OR leases.until <= $4 OR leases.until > $5`,
		name, owner, micros(until), micros(now), micros(until.Add(until.Sub(now))))
	return n == 1, err
}

func (t *tx) Erase(orderID string, at time.Time) error {
	if err := t.exec(`DELETE FROM observations WHERE order_id=$1`, orderID); err != nil {
		return err
	}
	if err := t.exec(`UPDATE decisions SET note='' WHERE order_id=$1`, orderID); err != nil {
		return err
	}
	if err := t.exec(`UPDATE requests SET status=410, headers=$1, body=$1 WHERE order_id=$2 AND order_id <> ''`, []byte{}, orderID); err != nil {
		return err
	}
	if err := t.eraseFiles("order_id", orderID, at); err != nil {
		return err
	}
	return t.exec(`UPDATE reviews SET report=$1, seen=$2 WHERE order_id=$3`, store.Pack([]byte("null")), store.Pack([]byte("[]")), orderID)
}

// Entries lists audit entries, newest first.
func (r reader) Entries(ctx context.Context, f store.EntryFilter) ([]store.Entry, error) {
	w := &where{}
	switch {
	case f.Order != "":
		// COALESCE keeps the engine from an index of more entries than an order has.
		w.equal("order_id", f.Order)
		w.add("order_id <> ''")
		w.equal("COALESCE(tenant, '')", f.Tenant)
		w.equal("COALESCE(actor, '')", f.Actor)
		w.equal("COALESCE(action, '')", f.Action)
	case f.Actor != "" && f.Action != "":
		w.equal("tenant", f.Tenant)
		w.equal("actor", f.Actor)
		w.equal("COALESCE(action, '')", f.Action)
	default:
		w.equal("tenant", f.Tenant)
		w.equal("actor", f.Actor)
		w.equal("action", f.Action)
	}
	if !f.Since.IsZero() {
		w.add("at >= ?", micros(f.Since))
	}
	if !f.Until.IsZero() {
		w.add("at < ?", micros(f.Until))
	}
	if !f.BeforeAt.IsZero() {
		w.add("(at, id) < (?, ?)", micros(f.BeforeAt), f.BeforeID)
	}
	return collect(ctx, r.q, r.dialect, scanEntry, `SELECT `+entryColumns+` FROM audit`+w.sql()+` ORDER BY at DESC, id DESC LIMIT `+w.arg(limited(f.Limit)), w.args...)
}

// OrderEntries lists what happened to an order, oldest first.
func (r reader) OrderEntries(ctx context.Context, orderID string, after int64, limit int) ([]store.Entry, error) {
	return collect(ctx, r.q, r.dialect, scanEntry, `SELECT `+entryColumns+` FROM audit WHERE order_id = $1 AND order_id <> '' AND order_version > $2
		ORDER BY order_version, id LIMIT $3`, orderID, after, limited(limit))
}

// Sealed walks the chain.
func (r reader) Sealed(ctx context.Context, from int64, fn func(*store.Entry) error) error {
	const page = 1000
	for {
		entries, err := collect(ctx, r.q, r.dialect, scanEntry, `SELECT `+entryColumns+` FROM audit WHERE seq >= $1 ORDER BY seq LIMIT $2`, from, page)
		if err != nil {
			return err
		}
		for i := range entries {
			if err := fn(&entries[i]); err != nil {
				return err
			}
			from = entries[i].Seq + 1
		}
		if len(entries) < page {
			return nil
		}
	}
}

// Heads lists the signed heads, oldest first.
func (r reader) Heads(ctx context.Context) ([]store.Head, error) {
	return collect(ctx, r.q, r.dialect, scanHead, `SELECT seq, hash, at, signature FROM audit_heads ORDER BY seq`)
}
