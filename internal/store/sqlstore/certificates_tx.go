package sqlstore

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"assay/internal/store"
	"assay/order"
)

func (t *tx) InsertAuthority(a *store.Authority) error {
	return t.must("CA "+a.ID, store.ErrConflict, `INSERT INTO authorities (`+authorityColumns+`) VALUES ($1,$2,$3,$4,$5,$6,$7,$8,$9,$10,$11,$12,1) ON CONFLICT (id) DO NOTHING`,
		a.ID, a.Parent, a.Kind, a.State, a.Subject, a.URL, a.DER, a.KeyPlace, blob(a.Sealed), a.Blocks, micros(a.NotAfter), micros(a.Created))
}

func (t *tx) UpdateAuthority(a *store.Authority) error {
	return t.must("CA "+a.ID, store.ErrConflict, `UPDATE authorities SET state=$1, key_place=$2, sealed=$3, url=$4, version=version+1 WHERE id=$5 AND version=$6`,
		a.State, a.KeyPlace, blob(a.Sealed), a.URL, a.ID, a.Version)
}

func (t *tx) NextBlock(authority string) (int64, error) {
	if err := t.must("CA "+authority, store.ErrNotFound, `UPDATE authorities SET blocks=blocks+1 WHERE id=$1`, authority); err != nil {
		return 0, err
	}
	list, err := read(t, scanMicros, `SELECT blocks FROM authorities WHERE id=$1`, authority)
	if err != nil || len(list) == 0 {
		return 0, err
	}
	return list[0] - 1, nil
}

func (t *tx) AttemptsNow(orderID string) ([]store.Attempt, error) {
	list, err := read(t, scanAttempt, attemptsQuery, orderID)
	slices.Reverse(list)
	return list, err
}

func (t *tx) InsertAttempt(a *store.Attempt) error {
	return t.must(fmt.Sprintf("attempt %d of order %s", a.Seq, a.Order), store.ErrConflict, `INSERT INTO attempts (`+attemptColumns+`) VALUES ($1,$2,$3,$4,$5,$6,$7,$8,$9,$10,$11,$12,$13) ON CONFLICT DO NOTHING`,
		a.Order, a.Seq, a.Issuer, string(a.State), a.Serial, blob(a.TBS), blob(a.Data), a.Shard, a.Review, a.Lints, a.Detail, micros(a.Created), micros(a.Ended))
}

func (t *tx) EndAttempt(a *store.Attempt) error {
	if to := a.State; !slices.ContainsFunc(order.AttemptTransitions(), func(s order.AttemptTransition) bool { return s.From != "" && s.To == to }) {
		return t.fail(fmt.Errorf("an attempt does not become %q: %w", to, store.ErrStep))
	}
	return t.must(fmt.Sprintf("attempt %d of order %s", a.Seq, a.Order), store.ErrConflict, `UPDATE attempts SET state=$1, tbs=$2, detail=$3, ended_at=$4 WHERE order_id=$5 AND seq=$6 AND state='prepared'`,
		string(a.State), blob(a.TBS), a.Detail, micros(a.Ended), a.Order, a.Seq)
}

func (t *tx) PutUpstreamOrder(u *store.UpstreamOrder) error {
	return t.exec(`INSERT INTO upstream_orders (`+upstreamColumns+`) VALUES ($1,$2,$3,$4,$5,$6,$7,$8,$9,$10)
		ON CONFLICT (order_id) DO UPDATE SET issuer=excluded.issuer, reference=excluded.reference, data=excluded.data, deadline=excluded.deadline,
		waits_for=excluded.waits_for, passed_at=excluded.passed_at, changed_at=excluded.changed_at`,
		u.Order, u.Issuer, u.Reference, u.Tenant, u.Account, blob(u.Data), micros(u.Deadline), u.WaitsFor, micros(u.Passed), micros(u.Changed))
}

func (t *tx) CertificateNow(tenant, id string) (*store.Certificate, error) {
	if err := t.usable(); err != nil {
		return nil, err
	}
	c, err := t.certificate(t.ctx, tenant, id, t.dialect.ForUpdate)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return nil, t.fail(err)
	}
	return c, err
}

func (t *tx) AfterNow(tenant, id string, at time.Time) (*store.CertificateRow, error) {
	list, err := read(t, scanCertRow, certificateAfter, id, tenant, micros(at))
	if err == nil && len(list) == 0 {
		err = store.ErrNotFound
	}
	if err != nil {
		return nil, err
	}
	return &list[0], nil
}

func (t *tx) InsertCertificate(c *store.Certificate, names []store.OrderName) error {
	sum := sha256.Sum256(c.Chain)
	chain := hex.EncodeToString(sum[:])
	if err := t.exec(`INSERT INTO chains (digest, der) VALUES ($1,$2) ON CONFLICT (digest) DO NOTHING`, chain, blob(c.Chain)); err != nil {
		return err
	}
	if err := t.must("certificate "+c.ID, store.ErrConflict, `INSERT INTO certificates (`+certColumns+`, chain) VALUES ($1,$2,$3,$4,$5,$6,$7,$8,$9,$10,$11,$12,$13,$14,$15,$16,$17,$18,$19,$20,$21,$22,$23,$24,$25,
		$26,$27,$28,1,$29,$30,$31,$32) ON CONFLICT DO NOTHING`,
		c.ID, c.Tenant, c.Account, c.Source, c.Issuer, c.Serial, c.Shard, string(c.State), c.Reason, string(c.Product), c.Profile, c.Name, c.Names,
		c.Fingerprint, c.Keyprint, micros(c.NotBefore), micros(c.NotAfter), c.Alias, c.Tags, flag(c.AutoRenew), flag(c.Muted), c.Renews, c.ReplacedBy,
		micros(c.Asked), micros(c.Revoked), micros(c.Created), micros(c.Deleted), micros(c.LookedAt), c.DER, blob(c.Sealed), blob(c.Findings), chain); err != nil {
		return err
	}
	rows := make([][]any, len(names))
	led := map[string]bool{}
	for i, n := range names {
		rows[i] = []any{c.ID, c.Tenant, n.Name, n.Domain, flag(!led[n.Domain]), micros(c.Created)}
		led[n.Domain] = true
	}
	return t.insert("certificate_names (certificate, tenant, name, domain, lead, created_at)", "ON CONFLICT (certificate, name) DO NOTHING", rows)
}

func (t *tx) UpdateCertificate(c *store.Certificate) error {
	// The states that lead to this one, or are it.
	from := []string{"'" + string(c.State) + "'"}
	known := false
	for _, s := range order.CertificateTransitions() {
		known = known || s.To == c.State
		if s.To == c.State && s.From != "" {
			from = append(from, "'"+string(s.From)+"'")
		}
	}
	if !known {
		return t.fail(fmt.Errorf("certificate %s: %q is no state: %w", c.ID, c.State, store.ErrStep))
	}
	n, err := t.execN(`UPDATE certificates SET state=$1, reason=$2, alias=$3, tags=$4, auto_renew=$5, muted=$6, renews=$7, replaced_by=$8, asked_at=$9,
		revoked_at=$10, deleted_at=$11, looked_at=$12, sealed=$13, findings=$14, version=version+1 WHERE id=$15 AND version=$16 AND state IN (`+strings.Join(from, ",")+`)`,
		string(c.State), c.Reason, c.Alias, c.Tags, flag(c.AutoRenew), flag(c.Muted), c.Renews, c.ReplacedBy, micros(c.Asked), micros(c.Revoked),
		micros(c.Deleted), micros(c.LookedAt), blob(c.Sealed), blob(c.Findings), c.ID, c.Version)
	if err != nil {
		return err
	}
	if n == 0 {
		now, err := read(t, scanMicros, `SELECT version FROM certificates WHERE id=$1`, c.ID)
		if err == nil && len(now) == 1 && now[0] == c.Version {
			return t.fail(fmt.Errorf("certificate %s to %q: %w", c.ID, c.State, store.ErrStep))
		}
		return t.fail(fmt.Errorf("certificate %s: %w", c.ID, store.ErrConflict))
	}
	before := c.Version
	c.Version++
	t.undos = append(t.undos, func() { c.Version = before })
	return nil
}

func (t *tx) SetCertificateDue(list ...store.CertificateDue) error {
	rows := make([][]any, len(list))
	for i, d := range list {
		rows[i] = []any{d.Certificate, d.Kind, micros(d.At), "", d.Attempt}
	}
	return t.insert("certificate_due (certificate, kind, due_at, lease, attempt)",
		"ON CONFLICT (certificate, kind) DO UPDATE SET due_at=excluded.due_at, lease='', attempt=excluded.attempt", rows)
}

func (t *tx) ClearCertificateDue(id string, kinds ...string) error {
	if len(kinds) == 0 {
		return t.exec(`DELETE FROM certificate_due WHERE certificate = $1`, id)
	}
	for _, k := range kinds {
		if err := t.exec(`DELETE FROM certificate_due WHERE certificate = $1 AND kind = $2`, id, k); err != nil {
			return err
		}
	}
	return nil
}

// TakeCertificateDue leases rows as [tx.TakeDue] does.
func (t *tx) TakeCertificateDue(now time.Time, owner string, until time.Time, limit int) ([]store.CertificateDue, error) {
	due, err := read(t, scanCertificateDue, `SELECT certificate, kind, due_at, attempt FROM certificate_due WHERE due_at <= $1
		ORDER BY due_at, certificate, kind LIMIT $2`+t.dialect.SkipLocked, micros(now), limit)
	if err != nil {
		return nil, err
	}
	for i := range due {
		d := &due[i]
		d.Attempt++
		if err := t.exec(`UPDATE certificate_due SET lease=$1, due_at=$2, attempt=$3 WHERE certificate=$4 AND kind=$5`,
			owner, micros(until), d.Attempt, d.Certificate, d.Kind); err != nil {
			return nil, err
		}
	}
	return due, nil
}

func (t *tx) FinishCertificateDue(d store.CertificateDue, owner string) error {
	return t.must(d.Kind+" of certificate "+d.Certificate, store.ErrLeaseLost, `DELETE FROM certificate_due WHERE certificate=$1 AND kind=$2 AND lease=$3 AND attempt=$4`, d.Certificate, d.Kind, owner, d.Attempt)
}

func (t *tx) Revoke(r store.Revocation) error {
	if err := t.must("serial "+r.Serial, store.ErrConflict, `INSERT INTO revocations (issuer, serial, shard, reason, not_after, revoked_at) VALUES ($1,$2,$3,$4,$5,$6) ON CONFLICT (issuer, serial) DO NOTHING`,
		r.Issuer, r.Serial, r.Shard, r.Reason, micros(r.NotAfter), micros(r.At)); err != nil {
		return err
	}
	return t.exec(`INSERT INTO crls (`+crlColumns+`, der) VALUES ($1,$2,0,1,0,0,0,CAST($3 AS BIGINT),$4)
		ON CONFLICT (issuer, shard) DO UPDATE SET changes=crls.changes+1, due_at=CASE WHEN crls.due_at < excluded.due_at THEN crls.due_at ELSE excluded.due_at END`,
		r.Issuer, r.Shard, micros(r.At), []byte{})
}

func (t *tx) EnsureCRL(issuer string, shard int64, at time.Time) error {
	return t.exec(`INSERT INTO crls (`+crlColumns+`, der) VALUES ($1,$2,0,0,0,0,0,$3,$4) ON CONFLICT (issuer, shard) DO NOTHING`, issuer, shard, micros(at), []byte{})
}

// PutCRL leaves the list due at once where something came while it was signed.
func (t *tx) PutCRL(c *store.CRL, before int64) error {
	n, err := t.execN(`UPDATE crls SET number=$1, published=$2, this_update=$3, next_update=$4, der=$5,
		due_at=CASE WHEN changes > $2 THEN due_at ELSE CAST($6 AS BIGINT) END WHERE issuer=$7 AND shard=$8 AND number=$9`,
		c.Number, c.Published, micros(c.ThisUpdate), micros(c.NextUpdate), c.DER, micros(c.Due), c.Issuer, c.Shard, before)
	if err == nil && c.Number <= before {
		return t.fail(fmt.Errorf("CRL %d after %d: %w", c.Number, before, store.ErrStep))
	}
	return t.met(n, err, fmt.Sprintf("CRL of %s, shard %d", c.Issuer, c.Shard), store.ErrConflict)
}

func (t *tx) BlockKey(keyprint, certificate string, at time.Time) error {
	return t.exec(`INSERT INTO blocked_keys (keyprint, certificate, blocked_at) VALUES ($1,$2,$3) ON CONFLICT (keyprint) DO NOTHING`, keyprint, certificate, micros(at))
}

func (t *tx) DueByKey(keyprint, except string, at time.Time) error {
	return t.exec(`INSERT INTO certificate_due (certificate, kind, due_at, lease, attempt)
		SELECT id, 'revoke', CAST($1 AS BIGINT), '', 0 FROM certificates WHERE keyprint = $2 AND id <> $3 AND source = 'issued' AND state IN ('valid', 'revocation-letter')
		ON CONFLICT (certificate, kind) DO UPDATE SET due_at=excluded.due_at, lease='', attempt=0`, micros(at), keyprint, except)
}

func (t *tx) DueIfBlocked(keyprint string, d store.CertificateDue) error {
	return t.exec(`INSERT INTO certificate_due (certificate, kind, due_at, lease, attempt)
		SELECT $1, $2, CAST($3 AS BIGINT), '', CAST($4 AS BIGINT) FROM blocked_keys WHERE keyprint = $5
		ON CONFLICT (certificate, kind) DO UPDATE SET due_at=excluded.due_at, lease='', attempt=excluded.attempt`, d.Certificate, d.Kind, micros(d.At), d.Attempt, keyprint)
}

func (t *tx) BlockedNow(keyprint string) (time.Time, error) {
	list, err := read(t, scanMicros, `SELECT blocked_at FROM blocked_keys WHERE keyprint = $1`, keyprint)
	if err != nil || len(list) == 0 {
		return time.Time{}, err
	}
	return fromMicros(list[0]), nil
}

func (t *tx) KeyElsewhere(keyprint, tenant, account string) (bool, error) {
	const others = ` WHERE keyprint = $1 AND (tenant <> $2 OR account <> $3) AND `
	for _, query := range []string{
		`SELECT id FROM certificates` + others + `source = 'issued' LIMIT 1`,
		`SELECT id FROM csrs` + others + `deleted_at = 0 LIMIT 1`,
	} {
		if list, err := read(t, scanText, query, keyprint, tenant, account); err != nil || len(list) > 0 {
			return err == nil, err
		}
	}
	return false, nil
}

func (t *tx) RestCRL(issuer string, shard int64, at time.Time) error {
	return t.exec(`UPDATE crls SET due_at = $1 WHERE issuer = $2 AND shard = $3`, micros(at), issuer, shard)
}

func (t *tx) CSRNow(tenant, id string) (*store.CSR, error) {
	if err := t.usable(); err != nil {
		return nil, err
	}
	c, err := t.csr(t.ctx, tenant, id, t.dialect.ForUpdate)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return nil, t.fail(err)
	}
	return c, err
}

func (t *tx) InsertCSR(c *store.CSR) error {
	return t.must("CSR "+c.ID, store.ErrConflict, `INSERT INTO csrs (`+csrColumns+`) VALUES ($1,$2,$3,$4,$5,$6,$7,$8,$9,$10,$11,$12,$13,$14,$15,1) ON CONFLICT (id) DO NOTHING`,
		c.ID, c.Tenant, c.Account, c.Name, c.Names, c.KeyType, c.DER, c.Digest, c.Keyprint, flag(c.Made), c.Note, blob(c.Sealed), micros(c.Taken), micros(c.Created), micros(c.Deleted))
}

func (t *tx) UpdateCSR(c *store.CSR) error {
	return t.must("CSR "+c.ID, store.ErrConflict, `UPDATE csrs SET note=$1, sealed=$2, taken_at=$3, deleted_at=$4, version=version+1 WHERE id=$5 AND version=$6`,
		c.Note, blob(c.Sealed), micros(c.Taken), micros(c.Deleted), c.ID, c.Version)
}
