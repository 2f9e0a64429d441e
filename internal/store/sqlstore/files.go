package sqlstore

import (
	"context"

	"assay/internal/store"
)

const (
	dossierColumns = `id, tenant, account, kind, parent, state, reason, domain, body, submitted_by, first_by, second_by, created_at, submitted_at, decided_at, expires_at, erased_at, version`
	claimColumns   = `id, tenant, dossier, order_id, item, class, body, snapshot, by_account, obtained_at, created_at, withdrawn_at`
	callColumns    = `id, tenant, dossier, order_id, result, body, by_account, called_at, created_at`
	letterColumns  = `id, tenant, dossier, order_id, state, type, bytes, sha256, reason, note, by_account, decided_by, created_at, decided_at, erased_at`
)

func scanDossier(scan func(...any) error) (d store.Dossier, err error) {
	var created, submitted, decided, expires, erased int64
	err = scan(&d.ID, &d.Tenant, &d.Account, &d.Kind, &d.Parent, &d.State, &d.Reason, &d.Domain, &d.Body, &d.SubmittedBy, &d.FirstBy, &d.SecondBy,
		&created, &submitted, &decided, &expires, &erased, &d.Version)
	d.Created, d.Submitted, d.Decided = fromMicros(created), fromMicros(submitted), fromMicros(decided)
	d.Expires, d.Erased = fromMicros(expires), fromMicros(erased)
	return d, err
}

func scanClaim(scan func(...any) error) (c store.Claim, err error) {
	var obtained, created, withdrawn int64
	err = scan(&c.ID, &c.Tenant, &c.Dossier, &c.Order, &c.Item, &c.Class, &c.Body, &c.Snapshot, &c.By, &obtained, &created, &withdrawn)
	c.Obtained, c.Created, c.Withdrawn = fromMicros(obtained), fromMicros(created), fromMicros(withdrawn)
	return c, err
}

func scanCall(scan func(...any) error) (c store.Call, err error) {
	var at, created int64
	err = scan(&c.ID, &c.Tenant, &c.Dossier, &c.Order, &c.Result, &c.Body, &c.By, &at, &created)
	c.At, c.Created = fromMicros(at), fromMicros(created)
	return c, err
}

func scanLetter(scan func(...any) error) (l store.Letter, err error) {
	var created, decided, erased int64
	err = scan(&l.ID, &l.Tenant, &l.Dossier, &l.Order, &l.State, &l.Type, &l.Bytes, &l.SHA256, &l.Reason, &l.Note, &l.By, &l.DecidedBy,
		&created, &decided, &erased)
	l.Created, l.Decided, l.Erased = fromMicros(created), fromMicros(decided), fromMicros(erased)
	if len(l.Note) == 0 {
		l.Note = nil
	}
	return l, err
}

// Dossier reads one dossier of a tenant.
func (r reader) Dossier(ctx context.Context, tenant, id string) (*store.Dossier, error) {
	return one(ctx, r.q, r.dialect, scanDossier, `SELECT `+dossierColumns+` FROM dossiers WHERE id = $1 AND tenant = $2`, id, tenant)
}

// Dossiers lists dossiers, newest first.
func (r reader) Dossiers(ctx context.Context, f store.DossierFilter) ([]store.Dossier, error) {
	w := &where{}
	switch {
	case f.Parent != "":
		// By the parent's own index; COALESCE keeps the engine from taking another.
		w.equal("parent", f.Parent)
		w.terms = append(w.terms, "parent <> ''")
		w.equal("COALESCE(tenant, '')", f.Tenant)
		w.equal("COALESCE(account, '')", f.Account)
		w.equal("COALESCE(kind, '')", string(f.Kind))
		w.equal("COALESCE(state, '')", string(f.State))
	case f.Account != "":
		w.equal("tenant", f.Tenant)
		w.equal("account", f.Account)
		w.equal("kind", string(f.Kind))
		w.equal("COALESCE(state, '')", string(f.State))
	default:
		w.equal("tenant", f.Tenant)
		w.equal("kind", string(f.Kind))
		w.equal("state", string(f.State))
	}
	return collect(ctx, r.q, r.dialect, scanDossier, `SELECT `+dossierColumns+` FROM dossiers`+w.page(f.Before, f.Limit), w.args...)
}

// page ends a query of a list that is newest first.
func (w *where) page(before store.OrderKeyset, limit int) string {
	if before.ID != "" {
		w.add("(created_at, id) < (?, ?)", micros(before.Created), before.ID)
	}
	return w.sql() + ` ORDER BY created_at DESC, id DESC LIMIT ` + w.arg(limited(limit))
}

// DomainDossiers are those of an account for these domains.
func (r reader) DomainDossiers(ctx context.Context, tenant, account string, domains []string) ([]store.Dossier, error) {
	if len(domains) == 0 {
		return nil, nil
	}
	w := &where{}
	w.equal("tenant", tenant)
	w.equal("account", account)
	w.in("domain", domains)
	w.terms = append(w.terms, "domain <> ''")
	return collect(ctx, r.q, r.dialect, scanDossier, `SELECT `+dossierColumns+` FROM dossiers`+w.sql()+` LIMIT `+w.arg(maxRows), w.args...)
}

// in adds that a column is one of a list.
func (w *where) in(column string, list []string) {
	term := column + " IN ("
	for i, v := range list {
		if i > 0 {
			term += ","
		}
		term += w.arg(v)
	}
	w.terms = append(w.terms, term+")")
}

// files is the condition of a list of what belongs to dossiers or to an order.
func files(f store.FileFilter) (*where, bool) {
	w := &where{}
	switch {
	case f.Order != "":
		w.equal("order_id", f.Order)
		w.terms = append(w.terms, "order_id <> ''")
	case len(f.Dossiers) == 1:
		w.equal("dossier", f.Dossiers[0])
		w.terms = append(w.terms, "dossier <> ''")
	case len(f.Dossiers) > 1:
		w.in("dossier", f.Dossiers)
		w.terms = append(w.terms, "dossier <> ''")
	default:
		return nil, false
	}
	return w, true
}

// Claims lists claims, newest first.
func (r reader) Claims(ctx context.Context, f store.FileFilter) ([]store.Claim, error) {
	w, ok := files(f)
	if !ok {
		return nil, nil
	}
	return collect(ctx, r.q, r.dialect, scanClaim, `SELECT `+claimColumns+` FROM claims`+w.page(f.Before, f.Limit), w.args...)
}

// Calls lists calls, newest first.
func (r reader) Calls(ctx context.Context, f store.FileFilter) ([]store.Call, error) {
	w, ok := files(f)
	if !ok {
		return nil, nil
	}
	return collect(ctx, r.q, r.dialect, scanCall, `SELECT `+callColumns+` FROM calls`+w.page(f.Before, f.Limit), w.args...)
}

// Letters lists letters, newest first.
func (r reader) Letters(ctx context.Context, f store.FileFilter) ([]store.Letter, error) {
	w, ok := files(f)
	if !ok {
		return nil, nil
	}
	return collect(ctx, r.q, r.dialect, scanLetter, `SELECT `+letterColumns+` FROM letters`+w.page(f.Before, f.Limit), w.args...)
}

// Letter reads one letter of a tenant.
func (r reader) Letter(ctx context.Context, tenant, id string) (*store.Letter, error) {
	return one(ctx, r.q, r.dialect, scanLetter, `SELECT `+letterColumns+` FROM letters WHERE id = $1 AND tenant = $2`, id, tenant)
}

// LetterParts is the sealed content of a letter.
func (r reader) LetterParts(ctx context.Context, id string) ([][]byte, error) {
	return collect(ctx, r.q, r.dialect, func(scan func(...any) error) (b []byte, err error) { return b, scan(&b) },
		`SELECT sealed FROM letter_parts WHERE letter = $1 ORDER BY n LIMIT $2`, id, maxRows)
}
