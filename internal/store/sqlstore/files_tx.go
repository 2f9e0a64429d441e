package sqlstore

import (
	"errors"
	"fmt"
	"time"

	"assay/internal/store"
)

// DossierNow reads a dossier as of now, for a change of it.
func (t *tx) DossierNow(tenant, id string) (*store.Dossier, error) {
	if err := t.usable(); err != nil {
		return nil, err
	}
	d, err := one(t.ctx, t.q, t.dialect, scanDossier, `SELECT `+dossierColumns+` FROM dossiers WHERE id = $1 AND tenant = $2`+t.dialect.ForUpdate, id, tenant)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return nil, t.fail(err)
	}
	return d, err
}

// CountDossiers counts up to most, and keeps others from doing so.
func (t *tx) CountDossiers(tenant, account string, kind store.DossierKind, most int) (int, error) {
	if t.dialect.Lock != "" {
		if err := t.exec(t.dialect.Lock, "dossiers:"+tenant+":"+account+":"+string(kind)); err != nil {
			return 0, err
		}
	}
	ids, err := read(t, scanText, `SELECT id FROM dossiers WHERE tenant = $1 AND account = $2 AND kind = $3 ORDER BY created_at DESC, id DESC LIMIT $4`,
		tenant, account, string(kind), limited(most))
	return len(ids), err
}

// OrdersWaiting are the newest orders of an account that are pending.
func (t *tx) OrdersWaiting(tenant, account string, limit int) ([]string, error) {
	return read(t, scanText, `SELECT id FROM orders WHERE tenant = $1 AND account = $2 AND state = 'pending' AND product <> 'dv'
		ORDER BY created_at DESC, id DESC LIMIT $3`, tenant, account, limited(limit))
}

func (t *tx) InsertDossier(d *store.Dossier) error {
	return t.must("dossier "+d.ID, store.ErrConflict, `INSERT INTO dossiers (`+dossierColumns+`) VALUES ($1,$2,$3,$4,$5,$6,$7,$8,$9,$10,$11,$12,$13,$14,$15,$16,$17,1) ON CONFLICT (id) DO NOTHING`,
		d.ID, d.Tenant, d.Account, string(d.Kind), d.Parent, string(d.State), d.Reason, d.Domain, blob(d.Body), d.SubmittedBy, d.FirstBy, d.SecondBy,
		micros(d.Created), micros(d.Submitted), micros(d.Decided), micros(d.Expires), micros(d.Erased))
}

// met is the error of a statement that met no row.
func (t *tx) met(n int64, err error, what string, none error) error {
	if err == nil && n == 0 {
		return t.fail(fmt.Errorf("%s: %w", what, none))
	}
	return err
}

func (t *tx) UpdateDossier(d *store.Dossier) error {
	return t.must("dossier "+d.ID, store.ErrConflict, `UPDATE dossiers SET parent=$1, state=$2, reason=$3, domain=$4, body=$5, submitted_by=$6, first_by=$7, second_by=$8, submitted_at=$9,
		decided_at=$10, expires_at=$11, version=version+1 WHERE id=$12 AND version=$13 AND erased_at=0`,
		d.Parent, string(d.State), d.Reason, d.Domain, blob(d.Body), d.SubmittedBy, d.FirstBy, d.SecondBy, micros(d.Submitted),
		micros(d.Decided), micros(d.Expires), d.ID, d.Version)
}

func (t *tx) DeleteDossier(id string) error {
	for _, used := range []string{
		`SELECT id FROM dossiers WHERE parent = $1 AND parent <> '' LIMIT 1`,
		`SELECT id FROM calls WHERE dossier = $1 AND dossier <> '' LIMIT 1`,
		`SELECT id FROM letters WHERE dossier = $1 AND dossier <> '' LIMIT 1`,
	} {
		ids, err := read(t, scanText, used, id)
		if err != nil {
			return err
		}
		if len(ids) > 0 {
			return t.fail(fmt.Errorf("dossier %s: %s belongs to it: %w", id, ids[0], store.ErrConflict))
		}
	}
	if err := t.exec(`DELETE FROM claims WHERE dossier = $1 AND dossier <> ''`, id); err != nil {
		return err
	}
	return t.exec(`DELETE FROM dossiers WHERE id = $1`, id)
}

func (t *tx) InsertClaim(c *store.Claim) error {
	return t.exec(`INSERT INTO claims (`+claimColumns+`) VALUES ($1,$2,$3,$4,$5,$6,$7,$8,$9,$10,$11,$12)`,
		c.ID, c.Tenant, c.Dossier, c.Order, c.Item, c.Class, blob(c.Body), c.Snapshot, c.By, micros(c.Obtained), micros(c.Created), micros(c.Withdrawn))
}

func (t *tx) WithdrawClaim(tenant, id string, at time.Time) error {
	return t.must("claim "+id, store.ErrNotFound, `UPDATE claims SET withdrawn_at=$1 WHERE id=$2 AND tenant=$3 AND withdrawn_at=0`, micros(at), id, tenant)
}

func (t *tx) InsertCall(c *store.Call) error {
	return t.exec(`INSERT INTO calls (`+callColumns+`) VALUES ($1,$2,$3,$4,$5,$6,$7,$8,$9)`,
		c.ID, c.Tenant, c.Dossier, c.Order, c.Result, blob(c.Body), c.By, micros(c.At), micros(c.Created))
}

func (t *tx) InsertLetter(l *store.Letter, parts [][]byte) error {
	err := t.exec(`INSERT INTO letters (`+letterColumns+`) VALUES ($1,$2,$3,$4,$5,$6,$7,$8,$9,$10,$11,$12,$13,$14,$15)`,
		l.ID, l.Tenant, l.Dossier, l.Order, l.State, l.Type, l.Bytes, l.SHA256, l.Reason, blob(l.Note), l.By, l.DecidedBy,
		micros(l.Created), micros(l.Decided), micros(l.Erased))
	if err != nil {
		return err
	}
	rows := make([][]any, len(parts))
	for i, p := range parts {
		rows[i] = []any{l.ID, i, p}
	}
	return t.insert("letter_parts (letter, n, sealed)", "", rows)
}

func (t *tx) DecideLetter(l *store.Letter) error {
	return t.must("letter "+l.ID, store.ErrConflict, `UPDATE letters SET state=$1, reason=$2, note=$3, decided_by=$4, decided_at=$5 WHERE id=$6 AND tenant=$7 AND state='pending' AND erased_at=0`,
		l.State, l.Reason, blob(l.Note), l.DecidedBy, micros(l.Decided), l.ID, l.Tenant)
}

func (t *tx) EraseDossier(id string, at time.Time) error {
	if err := t.exec(`UPDATE dossiers SET body=$1, erased_at=$2, version=version+1 WHERE id=$3`, []byte{}, micros(at), id); err != nil {
		return err
	}
	return t.eraseFiles("dossier", id, at)
}

// eraseFiles removes what is sealed of claims, calls and letters. Who they belong
// to stands in column: "dossier" or "order_id".
func (t *tx) eraseFiles(column, id string, at time.Time) error {
	belongs := " WHERE " + column + " = $1 AND " + column + " <> ''"
	if err := t.exec(`DELETE FROM letter_parts WHERE letter IN (SELECT id FROM letters`+belongs+`)`, id); err != nil {
		return err
	}
	for _, set := range []string{`claims SET body = $2`, `calls SET body = $2`} {
		if err := t.exec(`UPDATE `+set+belongs, id, []byte{}); err != nil {
			return err
		}
	}
	return t.exec(`UPDATE letters SET note = $2, erased_at = $3`+belongs, id, []byte{}, micros(at))
}
