package sqlstore

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"assay/internal/store"
)

const (
	deskColumns = `order_id, tenant, account, product, name, names, review, causes, state, opened_at, due_at, asked_at, urged_at, remind_at,
		claimed_by, claimed_until, closed_at, version`
	decisionColumns = `id, order_id, tenant, account, kind, cause, subject, scope, facts, review, by_account, by_token, agreed_by, agreed_at, note,
		refers, at, until`
)

func scanDesk(scan func(...any) error) (i store.DeskItem, err error) {
	var causes string
	var opened, due, asked, urged, remind, claimed, closed int64
	err = scan(&i.Order, &i.Tenant, &i.Account, &i.Product, &i.Name, &i.Names, &i.Review, &causes, &i.State, &opened, &due, &asked, &urged, &remind,
		&i.ClaimedBy, &claimed, &closed, &i.Version)
	if causes != "" {
		i.Causes = strings.Split(causes, ",")
	}
	i.Opened, i.Due, i.Asked, i.Urged = fromMicros(opened), fromMicros(due), fromMicros(asked), fromMicros(urged)
	i.Remind, i.ClaimedUntil, i.Closed = fromMicros(remind), fromMicros(claimed), fromMicros(closed)
	return i, err
}

func scanDecision(scan func(...any) error) (d store.Decision, err error) {
	var agreed, at, until int64
	err = scan(&d.ID, &d.Order, &d.Tenant, &d.Account, &d.Kind, &d.Cause, &d.Subject, &d.Scope, &d.Facts, &d.Review, &d.By, &d.Token, &d.AgreedBy,
		&agreed, &d.Note, &d.Refers, &at, &until)
	d.Agreed, d.At, d.Until = fromMicros(agreed), fromMicros(at), fromMicros(until)
	return d, err
}

// DeskItem reads the place of an order in the queue.
func (r reader) DeskItem(ctx context.Context, tenant, orderID string) (*store.DeskItem, error) {
	return r.deskItem(ctx, tenant, orderID, "")
}

func (r reader) deskItem(ctx context.Context, tenant, orderID, lock string) (*store.DeskItem, error) {
	w := &where{}
	w.equal("order_id", orderID)
	w.equal("tenant", tenant)
	if orderID == "" {
		return nil, store.ErrNotFound
	}
	return one(ctx, r.q, r.dialect, scanDesk, `SELECT `+deskColumns+` FROM desk`+w.sql()+lock, w.args...)
}

// Desk lists the queue by the end of the service level.
func (r reader) Desk(ctx context.Context, f store.DeskFilter) ([]store.DeskItem, error) {
	w := &where{}
	w.add("tenant = ?", f.Tenant)
	w.add("state = ?", f.State)
	w.equal("product", string(f.Product))
	w.equal("account", f.Account)
	if f.ClaimedBy != "" {
		w.add("claimed_by = ?", f.ClaimedBy)
		w.terms = append(w.terms, "claimed_by <> ''") // what the index of claims holds
	}
	if f.After.Order != "" {
		w.add("(due_at, order_id) > (?, ?)", micros(f.After.Due), f.After.Order)
	}
	return collect(ctx, r.q, r.dialect, scanDesk, `SELECT `+deskColumns+` FROM desk`+w.sql()+` ORDER BY due_at, order_id LIMIT `+w.arg(limited(f.Limit)), w.args...)
}

// Decisions are the newest decisions about an order.
func (r reader) Decisions(ctx context.Context, orderID string, limit int) ([]store.Decision, error) {
	return collect(ctx, r.q, r.dialect, scanDecision, decisionsOf, orderID, limited(limit))
}

const decisionsOf = `SELECT ` + decisionColumns + ` FROM decisions WHERE order_id = $1 ORDER BY id DESC LIMIT $2`

// Approvals are those that count beyond their order.
func (r reader) Approvals(ctx context.Context, tenant, account string, scopes []string, at time.Time) (all []store.Decision, err error) {
	err = r.all(ctx, approvalReads(tenant, account, scopes, at, &all))
	return all, err
}

// approvalReads read approvals scope by scope: each comes sorted from the index.
func approvalReads(tenant, account string, scopes []string, at time.Time, list *[]store.Decision) (reads []Statement) {
	asked := map[string]bool{store.ScopeOrder: true}
	for _, scope := range scopes {
		if asked[scope] || scope == "" {
			continue
		}
		asked[scope] = true
		reads = append(reads, reading(into(list, scanDecision), `SELECT `+decisionColumns+` FROM decisions d
			WHERE tenant = $1 AND account = $2 AND scope = $3 AND kind = 'approve' AND scope <> 'order' AND (until = 0 OR until > $4)
			AND NOT EXISTS (SELECT 1 FROM decisions w WHERE w.refers = d.id AND w.refers <> '')
			ORDER BY id DESC LIMIT $5`, tenant, account, scope, micros(at), maxRows))
	}
	return reads
}

func (t *tx) DeskItem(tenant, orderID string) (*store.DeskItem, error) {
	if err := t.usable(); err != nil {
		return nil, err
	}
	return found(t, func() (*store.DeskItem, error) { return t.deskItem(t.ctx, tenant, orderID, t.dialect.ForUpdate) })
}

// found keeps the error of a read, but for that there is no such row.
func found[T any](t *tx, read func() (*T, error)) (*T, error) {
	v, err := read()
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return nil, t.fail(err)
	}
	return v, err
}

func (t *tx) OpenDesk(i store.DeskItem) error {
	return t.exec(`INSERT INTO desk (`+deskColumns+`) VALUES ($1,$2,$3,$4,$5,$6,$7,$8,'open',$9,$10,0,0,$11,'',0,0,1)
		ON CONFLICT (order_id) DO UPDATE SET account=excluded.account, product=excluded.product, name=excluded.name, names=excluded.names,
		review=excluded.review, causes=excluded.causes, version=desk.version+1,
		state=CASE desk.state WHEN 'closed' THEN 'open' ELSE desk.state END,
		opened_at=CASE desk.state WHEN 'closed' THEN excluded.opened_at ELSE desk.opened_at END,
		due_at=CASE desk.state WHEN 'closed' THEN excluded.due_at ELSE desk.due_at END,
		remind_at=CASE desk.state WHEN 'closed' THEN excluded.remind_at ELSE desk.remind_at END,
		asked_at=CASE desk.state WHEN 'closed' THEN 0 ELSE desk.asked_at END,
		urged_at=CASE desk.state WHEN 'closed' THEN 0 ELSE desk.urged_at END,
		claimed_by=CASE desk.state WHEN 'closed' THEN '' ELSE desk.claimed_by END,
		claimed_until=CASE desk.state WHEN 'closed' THEN 0 ELSE desk.claimed_until END,
		closed_at=0`,
		i.Order, i.Tenant, i.Account, string(i.Product), i.Name, i.Names, i.Review, strings.Join(i.Causes, ","), micros(i.Opened), micros(i.Due), micros(i.Remind))
}

func (t *tx) UpdateDesk(i store.DeskItem) error {
	n, err := t.execN(`UPDATE desk SET state=$1, due_at=$2, asked_at=$3, urged_at=$4, remind_at=$5, claimed_by=$6, claimed_until=$7, closed_at=$8,
		version=version+1 WHERE order_id=$9 AND version=$10`,
		i.State, micros(i.Due), micros(i.Asked), micros(i.Urged), micros(i.Remind), i.ClaimedBy, micros(i.ClaimedUntil), micros(i.Closed), i.Order, i.Version)
	if err == nil && n == 0 {
		err = t.fail(fmt.Errorf("order %s in the review queue: %w", i.Order, store.ErrConflict))
	}
	return err
}

func (t *tx) CloseDesk(orderID string, at time.Time) error {
	return t.exec(`UPDATE desk SET state='closed', closed_at=$1, claimed_by='', claimed_until=0, remind_at=0, version=version+1
		WHERE order_id=$2 AND state <> 'closed'`, micros(at), orderID)
}

func (t *tx) LateDesk(now time.Time, limit int) ([]store.DeskItem, error) {
	return read(t, scanDesk, `SELECT `+deskColumns+` FROM desk WHERE state = 'open' AND remind_at > 0 AND remind_at <= $1
		ORDER BY remind_at, order_id LIMIT $2`+t.dialect.SkipLocked, micros(now), limited(limit))
}

func (t *tx) Decisions(orderID string) ([]store.Decision, error) {
	return read(t, scanDecision, decisionsOf, orderID, maxRows)
}

func (t *tx) AddDecision(d store.Decision) error {
	return t.exec(`INSERT INTO decisions (`+decisionColumns+`) VALUES ($1,$2,$3,$4,$5,$6,$7,$8,$9,$10,$11,$12,$13,$14,$15,$16,$17,$18)`,
		d.ID, d.Order, d.Tenant, d.Account, d.Kind, d.Cause, d.Subject, d.Scope, d.Facts, d.Review, d.By, d.Token, d.AgreedBy, micros(d.Agreed), d.Note,
		d.Refers, micros(d.At), micros(d.Until))
}

func (t *tx) Token(id string) (*store.Token, error) {
	if err := t.usable(); err != nil {
		return nil, err
	}
	return found(t, func() (*store.Token, error) {
		return one(t.ctx, t.q, t.dialect, scanToken, `SELECT `+tokenColumns+` FROM tokens WHERE id = $1`+t.dialect.ForUpdate, id)
	})
}

func (t *tx) Account(tenant, id string) (*store.Account, error) {
	if err := t.usable(); err != nil {
		return nil, err
	}
	return found(t, func() (*store.Account, error) { return t.account(t.ctx, tenant, id, t.dialect.ForUpdate) })
}
