package sqlstore

import (
	"context"
	"slices"
	"strings"
	"time"

	"assay/internal/store"
)

const (
	authorityColumns = `id, parent, kind, state, subject, url, der, key_place, sealed, blocks, not_after, created_at, version`
	attemptColumns   = `order_id, seq, issuer, state, serial, tbs, data, shard, review, lints, detail, created_at, ended_at`
	certRowColumns   = `id, tenant, account, source, issuer, serial, shard, state, reason, product, profile, name, names, fingerprint, keyprint, not_before, not_after, alias, tags, auto_renew, muted, renews, replaced_by, asked_at, revoked_at, created_at, deleted_at, looked_at, version`
	certColumns      = certRowColumns + `, der, sealed, findings`
	crlColumns       = `issuer, shard, number, changes, published, this_update, next_update, due_at`
	csrColumns       = `id, tenant, account, name, names, key_type, der, digest, keyprint, made, note, sealed, taken_at, created_at, deleted_at, version`
)

func scanAuthority(scan func(...any) error) (a store.Authority, err error) {
	var end, created int64
	err = scan(&a.ID, &a.Parent, &a.Kind, &a.State, &a.Subject, &a.URL, &a.DER, &a.KeyPlace, &a.Sealed, &a.Blocks, &end, &created, &a.Version)
	a.NotAfter, a.Created = fromMicros(end), fromMicros(created)
	return a, err
}

func scanAttempt(scan func(...any) error) (a store.Attempt, err error) {
	var created, ended int64
	err = scan(&a.Order, &a.Seq, &a.Issuer, &a.State, &a.Serial, &a.TBS, &a.Data, &a.Shard, &a.Review, &a.Lints, &a.Detail, &created, &ended)
	a.Created, a.Ended = fromMicros(created), fromMicros(ended)
	return a, err
}

func scanCertRow(scan func(...any) error) (store.CertificateRow, error) { return scanCert(scan) }

func scanCert(scan func(...any) error, more ...any) (c store.CertificateRow, err error) {
	var before, after, auto, muted, asked, revoked, created, deleted, looked int64
	err = scan(append([]any{
		&c.ID, &c.Tenant, &c.Account, &c.Source, &c.Issuer, &c.Serial, &c.Shard, &c.State, &c.Reason, &c.Product, &c.Profile, &c.Name, &c.Names,
		&c.Fingerprint, &c.Keyprint, &before, &after, &c.Alias, &c.Tags, &auto, &muted, &c.Renews, &c.ReplacedBy, &asked, &revoked, &created, &deleted, &looked, &c.Version,
	}, more...)...)
	c.NotBefore, c.NotAfter, c.AutoRenew, c.Muted = fromMicros(before), fromMicros(after), auto != 0, muted != 0
	c.Asked, c.Revoked, c.Created, c.Deleted, c.LookedAt = fromMicros(asked), fromMicros(revoked), fromMicros(created), fromMicros(deleted), fromMicros(looked)
	return c, err
}

func scanWholeCert(scan func(...any) error) (c store.Certificate, err error) {
	c.CertificateRow, err = scanCert(scan, &c.DER, &c.Sealed, &c.Findings, &c.Chain)
	c.Sealed, c.Findings = full(c.Sealed), full(c.Findings)
	return c, err
}

// full is nil for what is empty, as either engine may give it.
func full(b []byte) []byte {
	if len(b) == 0 {
		return nil
	}
	return b
}

func scanRevocation(scan func(...any) error) (r store.Revocation, err error) {
	var end, at int64
	err = scan(&r.Issuer, &r.Serial, &r.Shard, &r.Reason, &end, &at)
	r.NotAfter, r.At = fromMicros(end), fromMicros(at)
	return r, err
}

func scanCRL(scan func(...any) error, more ...any) (c store.CRL, err error) {
	var this, next, due int64
	err = scan(append([]any{&c.Issuer, &c.Shard, &c.Number, &c.Changes, &c.Published, &this, &next, &due}, more...)...)
	c.ThisUpdate, c.NextUpdate, c.Due = fromMicros(this), fromMicros(next), fromMicros(due)
	return c, err
}

func scanBareCRL(scan func(...any) error) (store.CRL, error) { return scanCRL(scan) }

func scanCSR(scan func(...any) error) (c store.CSR, err error) {
	var taken, created, deleted, made int64
	err = scan(&c.ID, &c.Tenant, &c.Account, &c.Name, &c.Names, &c.KeyType, &c.DER, &c.Digest, &c.Keyprint, &made, &c.Note, &c.Sealed, &taken, &created, &deleted, &c.Version)
	c.Made = made != 0
	c.Taken, c.Created, c.Deleted = fromMicros(taken), fromMicros(created), fromMicros(deleted)
	return c, err
}

func scanMicros(scan func(...any) error) (n int64, err error) { return n, scan(&n) }

// first is the time that a query gives, the zero time where it gives none.
func (r reader) first(ctx context.Context, query string, args ...any) (time.Time, error) {
	list, err := collect(ctx, r.q, r.dialect, scanMicros, query, args...)
	if err != nil || len(list) == 0 {
		return time.Time{}, err
	}
	return fromMicros(list[0]), nil
}

// Authorities are all CAs of our own, the oldest first.
func (r reader) Authorities(ctx context.Context) ([]store.Authority, error) {
	return collect(ctx, r.q, r.dialect, scanAuthority, `SELECT `+authorityColumns+` FROM authorities ORDER BY id LIMIT 1000`)
}

const attemptsQuery = `SELECT ` + attemptColumns + ` FROM attempts WHERE order_id = $1 ORDER BY seq DESC LIMIT 1000`

// Attempts are the newest 1,000 of an order, oldest first.
func (r reader) Attempts(ctx context.Context, orderID string) ([]store.Attempt, error) {
	list, err := collect(ctx, r.q, r.dialect, scanAttempt, attemptsQuery, orderID)
	slices.Reverse(list)
	return list, err
}

// UpstreamOrder is the order at an upstream CA.
func (r reader) UpstreamOrder(ctx context.Context, orderID string) (*store.UpstreamOrder, error) {
	return one(ctx, r.q, r.dialect, scanUpstream, `SELECT `+upstreamColumns+` FROM upstream_orders WHERE order_id = $1`, orderID)
}

// UpstreamOrderBy is the one with a reference.
func (r reader) UpstreamOrderBy(ctx context.Context, issuer, reference string) (*store.UpstreamOrder, error) {
	return one(ctx, r.q, r.dialect, scanUpstream, `SELECT `+upstreamColumns+` FROM upstream_orders WHERE issuer = $1 AND reference = $2 AND reference <> ''`, issuer, reference)
}

// ValueOrders are the orders that values belong to, by value.
func (r reader) ValueOrders(ctx context.Context, values []string) (map[string]string, error) {
	owners := map[string]string{}
	for part := range slices.Chunk(values, maxInsert) {
		in, args := listOf(part)
		list, err := collect(ctx, r.q, r.dialect, func(scan func(...any) error) (v [2]string, err error) { return v, scan(&v[0], &v[1]) },
			`SELECT value, order_id FROM challenge_values WHERE value IN `+in, args...)
		if err != nil {
			return nil, err
		}
		for _, v := range list {
			owners[v[0]] = v[1]
		}
	}
	return owners, nil
}

const upstreamColumns = `order_id, issuer, reference, tenant, account, data, deadline, waits_for, passed_at, changed_at`

func scanUpstream(scan func(...any) error) (u store.UpstreamOrder, err error) {
	var deadline, passed, changed int64
	err = scan(&u.Order, &u.Issuer, &u.Reference, &u.Tenant, &u.Account, &u.Data, &deadline, &u.WaitsFor, &passed, &changed)
	u.Deadline, u.Passed, u.Changed = fromMicros(deadline), fromMicros(passed), fromMicros(changed)
	if len(u.Data) == 0 {
		u.Data = nil // on either engine
	}
	return u, err
}

// Certificate reads one certificate.
func (r reader) Certificate(ctx context.Context, tenant, id string) (*store.Certificate, error) {
	return r.certificate(ctx, tenant, id, "")
}

func (r reader) certificate(ctx context.Context, tenant, id, lock string) (*store.Certificate, error) {
	w := &where{}
	w.add("certificates.id = ?", id)
	w.equal("certificates.tenant", tenant)
	if lock != "" {
		lock += " OF certificates"
	}
	return one(ctx, r.q, r.dialect, scanWholeCert,
		`SELECT `+certColumns+`, COALESCE((SELECT chains.der FROM chains WHERE chains.digest = certificates.chain), '') FROM certificates`+w.sql()+lock, w.args...)
}

// CertificateAfter follows the line of certificates that replaced one, by their key.
// CROSS JOIN has SQLite begin with the line.
func (r reader) CertificateAfter(ctx context.Context, tenant, id string, at time.Time) (*store.CertificateRow, error) {
	return one(ctx, r.q, r.dialect, scanCertRow, certificateAfter, id, tenant, micros(at))
}

const certificateAfter = `WITH RECURSIVE line (next, place) AS (
		SELECT replaced_by, 1 FROM certificates WHERE id = $1 AND tenant = $2
		UNION ALL
		SELECT c.replaced_by, line.place + 1 FROM line CROSS JOIN certificates c WHERE c.id = line.next AND line.place < 1000)
		SELECT ` + certRowColumns + ` FROM line CROSS JOIN certificates WHERE id = line.next AND tenant = $2 AND deleted_at = 0
		AND state IN ('valid', 'revocation-letter') AND not_after > $3 ORDER BY line.place DESC LIMIT 1`

// CertificateBy finds one by its fingerprint.
func (r reader) CertificateBy(ctx context.Context, tenant, account, fingerprint string) (*store.CertificateRow, error) {
	w := &where{}
	w.add("fingerprint = ?", fingerprint)
	w.add("tenant = ?", tenant)
	w.terms = append(w.terms, "deleted_at = 0")
	w.equal("COALESCE(account, '')", account)
	return one(ctx, r.q, r.dialect, scanCertRow, `SELECT `+certRowColumns+` FROM certificates`+w.sql()+` LIMIT 1`, w.args...)
}

// ChainsOf are the chains of a tenant's newest certificates.
func (r reader) ChainsOf(ctx context.Context, tenant string) ([][]byte, error) {
	return collect(ctx, r.q, r.dialect, func(scan func(...any) error) (der []byte, err error) { return der, scan(&der) },
		`SELECT der FROM chains WHERE digest IN (SELECT chain FROM (SELECT chain FROM certificates WHERE tenant = $1 AND deleted_at = 0 ORDER BY created_at DESC, id DESC LIMIT 1000) newest) LIMIT 100`, tenant)
}

// CertificatesByKey are those with a public key.
func (r reader) CertificatesByKey(ctx context.Context, keyprint, after string, limit int) ([]store.CertificateRow, error) {
	return collect(ctx, r.q, r.dialect, scanCertRow, `SELECT `+certRowColumns+` FROM certificates WHERE keyprint = $1 AND id > $2 ORDER BY id LIMIT $3`,
		keyprint, after, limited(limit))
}

// Certificates lists certificates, newest first, or those that end first. What is
// narrowed beside the index that leads goes by COALESCE, so that the engine takes
// no other.
func (r reader) Certificates(ctx context.Context, f store.CertificateFilter) ([]store.CertificateRow, error) {
	w := &where{}
	if f.Name != "" || f.Domain != "" {
		return r.certificatesNamed(ctx, f, w)
	}
	w.add("tenant = ?", f.Tenant)
	w.terms = append(w.terms, "deleted_at = 0")
	by := `created_at DESC, id DESC`
	switch {
	case !f.EndsBefore.IsZero():
		by = `not_after, id`
		w.add("not_after < ?", micros(f.EndsBefore))
		w.add("not_after >= ?", micros(f.EndsAfter))
		if f.Before.ID != "" {
			w.add("(not_after, id) > (?, ?)", micros(f.Before.Created), f.Before.ID)
		}
		w.equal("account", f.Account)
		w.equal("COALESCE(state, '')", string(f.State))
	default:
		w.equal("account", f.Account)
		w.equal("state", string(f.State))
	}
	w.equal("COALESCE(source, '')", f.Source)
	if f.NotRevoked {
		w.terms = append(w.terms, "COALESCE(state, '') <> 'revoked'")
	}
	if f.EndsBefore.IsZero() && f.Before.ID != "" {
		w.add("(created_at, id) < (?, ?)", micros(f.Before.Created), f.Before.ID)
	}
	return collect(ctx, r.q, r.dialect, scanCertRow, `SELECT `+certRowColumns+` FROM certificates`+w.sql()+` ORDER BY `+by+` LIMIT `+w.arg(limited(f.Limit)), w.args...)
}

// certificatesNamed lists those with a name, or with one in a domain.
func (r reader) certificatesNamed(ctx context.Context, f store.CertificateFilter, w *where) ([]store.CertificateRow, error) {
	w.add("n.tenant = ?", f.Tenant)
	if f.Name != "" {
		w.add("n.name = ?", f.Name)
		w.equal("COALESCE(n.domain, '')", f.Domain)
	} else {
		w.add("n.domain = ?", f.Domain)
		w.terms = append(w.terms, "n.lead = 1")
	}
	if f.Before.ID != "" {
		w.add("(n.created_at, n.certificate) < (?, ?)", micros(f.Before.Created), f.Before.ID)
	}
	w.terms = append(w.terms, "c.deleted_at = 0")
	w.equal("COALESCE(c.account, '')", f.Account)
	w.equal("COALESCE(c.state, '')", string(f.State))
	w.equal("COALESCE(c.source, '')", f.Source)
	if f.NotRevoked {
		w.terms = append(w.terms, "COALESCE(c.state, '') <> 'revoked'")
	}
	if !f.EndsBefore.IsZero() {
		w.add("COALESCE(c.not_after, 0) < ?", micros(f.EndsBefore))
		w.add("COALESCE(c.not_after, 0) >= ?", micros(f.EndsAfter))
	}
	return collect(ctx, r.q, r.dialect, scanCertRow, `SELECT `+prefixed("c", certRowColumns)+` FROM certificate_names n JOIN certificates c ON c.id = n.certificate`+
		w.sql()+` ORDER BY n.created_at DESC, n.certificate DESC LIMIT `+w.arg(limited(f.Limit)), w.args...)
}

// prefixed are columns of a table that has a name in the query.
func prefixed(table, columns string) string {
	return table + "." + strings.ReplaceAll(columns, ", ", ", "+table+".")
}

// CertificateDueOf is what is due for a certificate.
func (r reader) CertificateDueOf(ctx context.Context, id string) ([]store.CertificateDue, error) {
	return collect(ctx, r.q, r.dialect, scanCertificateDue, `SELECT certificate, kind, due_at, attempt FROM certificate_due WHERE certificate = $1 ORDER BY kind`, id)
}

func scanCertificateDue(scan func(...any) error) (d store.CertificateDue, err error) {
	var at int64
	err = scan(&d.Certificate, &d.Kind, &at, &d.Attempt)
	d.At = fromMicros(at)
	return d, err
}

// NextCertificateDue is when something is due next, leased or not.
func (r reader) NextCertificateDue(ctx context.Context) (time.Time, error) {
	return r.first(ctx, `SELECT due_at FROM certificate_due ORDER BY due_at, certificate, kind LIMIT 1`)
}

// Serial says what is known of a serial number.
func (r reader) Serial(ctx context.Context, issuer, serial string) (s store.SerialStatus, err error) {
	revoked, err := collect(ctx, r.q, r.dialect, scanRevocation,
		`SELECT issuer, serial, shard, reason, not_after, revoked_at FROM revocations WHERE issuer = $1 AND serial = $2`, issuer, serial)
	if err != nil {
		return s, err
	}
	if len(revoked) > 0 {
		return store.SerialStatus{Known: true, Revoked: revoked[0].At, Reason: revoked[0].Reason}, nil
	}
	// Only what was signed, and stored: an attempt that is merely prepared is not good.
	ids, err := collect(ctx, r.q, r.dialect, scanText, `SELECT id FROM certificates WHERE issuer = $1 AND serial = $2 AND issuer <> ''`, issuer, serial)
	return store.SerialStatus{Known: len(ids) > 0}, err
}

// Revocations are those of a shard, by serial.
func (r reader) Revocations(ctx context.Context, issuer string, shard int64, after time.Time) ([]store.Revocation, error) {
	return collect(ctx, r.q, r.dialect, scanRevocation, `SELECT issuer, serial, shard, reason, not_after, revoked_at FROM revocations
		WHERE issuer = $1 AND shard = $2 AND COALESCE(not_after, 0) > $3 ORDER BY serial`, issuer, shard, micros(after))
}

// RevokedSince are those since a time.
func (r reader) RevokedSince(ctx context.Context, since time.Time, limit int) ([]store.Revocation, error) {
	return collect(ctx, r.q, r.dialect, scanRevocation, `SELECT issuer, serial, shard, reason, not_after, revoked_at FROM revocations
		WHERE revoked_at >= $1 ORDER BY revoked_at, issuer, serial LIMIT $2`, micros(since), limit)
}

// CRL reads one list.
func (r reader) CRL(ctx context.Context, issuer string, shard int64) (*store.CRL, error) {
	return one(ctx, r.q, r.dialect, func(scan func(...any) error) (store.CRL, error) {
		var der []byte
		c, err := scanCRL(scan, &der)
		c.DER = der
		return c, err
	}, `SELECT `+crlColumns+`, der FROM crls WHERE issuer = $1 AND shard = $2`, issuer, shard)
}

// CRLs are the lists of a CA, without their bytes.
func (r reader) CRLs(ctx context.Context, issuer string, after int64, limit int) ([]store.CRL, error) {
	return collect(ctx, r.q, r.dialect, scanBareCRL, `SELECT `+crlColumns+` FROM crls WHERE issuer = $1 AND shard > $2 ORDER BY shard LIMIT $3`, issuer, after, limited(limit))
}

// CRLsDue are those that are to be signed.
func (r reader) CRLsDue(ctx context.Context, now time.Time, limit int) ([]store.CRL, error) {
	return collect(ctx, r.q, r.dialect, scanBareCRL, `SELECT `+crlColumns+` FROM crls WHERE due_at <= $1 ORDER BY due_at, issuer, shard LIMIT $2`, micros(now), limited(limit))
}

// NextCRL is when a list is to be signed next.
func (r reader) NextCRL(ctx context.Context) (time.Time, error) {
	return r.first(ctx, `SELECT due_at FROM crls ORDER BY due_at, issuer, shard LIMIT 1`)
}

// Blocked is since when a key is blocked, the zero time where it is not.
func (r reader) Blocked(ctx context.Context, keyprint string) (time.Time, error) {
	return r.first(ctx, `SELECT blocked_at FROM blocked_keys WHERE keyprint = $1`, keyprint)
}

// CSR reads one request of a tenant.
func (r reader) CSR(ctx context.Context, tenant, id string) (*store.CSR, error) {
	return r.csr(ctx, tenant, id, "")
}

func (r reader) csr(ctx context.Context, tenant, id, lock string) (*store.CSR, error) {
	return one(ctx, r.q, r.dialect, scanCSR, `SELECT `+csrColumns+` FROM csrs WHERE id = $1 AND tenant = $2`+lock, id, tenant)
}

// CSRs lists requests, newest first.
func (r reader) CSRs(ctx context.Context, f store.CSRFilter) ([]store.CSR, error) {
	w := &where{terms: []string{"deleted_at = 0"}}
	w.add("tenant = ?", f.Tenant)
	w.equal("account", f.Account)
	return collect(ctx, r.q, r.dialect, scanCSR, `SELECT `+csrColumns+` FROM csrs`+w.page(f.Before, f.Limit), w.args...)
}

// OrdersReady are those that nothing is due for.
func (r reader) OrdersReady(ctx context.Context, after string, limit int) ([]string, error) {
	return collect(ctx, r.q, r.dialect, scanText, `SELECT id FROM orders WHERE state IN ('pending', 'letter', 'ready', 'cancelling') AND state = 'ready' AND id > $1
		AND NOT EXISTS (SELECT 1 FROM due WHERE due.order_id = orders.id) ORDER BY id LIMIT $2`, after, limited(limit))
}
