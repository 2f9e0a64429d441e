package sqlstore

import (
	"context"
	"fmt"
	"strings"
	"time"

	"assay/internal/store"
)

const (
	channelColumns = `id, tenant, account, role, kind, language, events, shown, sealed, created_by, created_at, tested_at, removed_at`
	noticeColumns  = `entry, channel, tenant, account, event, COALESCE(order_id, ''), COALESCE(certificate, ''), at, state, due_at, attempt, digest, settled_at, reason`
)

func scanChannel(scan func(...any) error) (c store.Channel, err error) {
	var events string
	var created, tested, removed int64
	err = scan(&c.ID, &c.Tenant, &c.Account, &c.Role, &c.Kind, &c.Language, &events, &c.Shown, &c.Sealed, &c.By, &created, &tested, &removed)
	c.Events = strings.Fields(events)
	c.Created, c.Tested, c.Removed = fromMicros(created), fromMicros(tested), fromMicros(removed)
	return c, err
}

func scanNotice(scan func(...any) error) (n store.Notice, err error) {
	var at, due, settled int64
	err = scan(&n.Entry, &n.Channel, &n.Tenant, &n.Account, &n.Event, &n.Order, &n.Certificate, &at, &n.State, &due, &n.Attempt, &n.Digest, &settled, &n.Reason)
	n.At, n.Due, n.Settled = fromMicros(at), fromMicros(due), fromMicros(settled)
	return n, err
}

func (t *tx) PutChannel(c store.Channel) error {
	err := t.exec(`INSERT INTO channels (`+channelColumns+`) VALUES ($1,$2,$3,$4,$5,$6,$7,$8,$9,$10,$11,$12,$13)`,
		c.ID, c.Tenant, c.Account, c.Role, c.Kind, c.Language, strings.Join(c.Events, " "), c.Shown, blob(c.Sealed), c.By,
		micros(c.Created), micros(c.Tested), micros(c.Removed))
	if err != nil {
		return err
	}
	return t.putEvents(&c)
}

func (t *tx) putEvents(c *store.Channel) error {
	rows := make([][]any, len(c.Events))
	for i, e := range c.Events {
		rows[i] = []any{c.Tenant, e, c.Account, c.ID}
	}
	return t.insert("channel_events (tenant, event, account, channel)", "ON CONFLICT (tenant, event, account, channel) DO NOTHING", rows)
}

func (t *tx) ChangeChannel(c store.Channel) error {
	n, err := t.execN(`UPDATE channels SET events=$1, language=$2 WHERE id=$3 AND tenant=$4 AND removed_at=0`, strings.Join(c.Events, " "), c.Language, c.ID, c.Tenant)
	if err != nil {
		return err
	}
	if n == 0 {
		return t.fail(fmt.Errorf("channel %s: %w", c.ID, store.ErrNotFound))
	}
	if err := t.exec(`DELETE FROM channel_events WHERE channel=$1`, c.ID); err != nil {
		return err
	}
	return t.putEvents(&c)
}

func (t *tx) TriedChannel(tenant, id string, last, at time.Time) error {
	n, err := t.execN(`UPDATE channels SET tested_at=$1 WHERE id=$2 AND tenant=$3 AND removed_at=0 AND tested_at=$4`, micros(at), id, tenant, micros(last))
	if err == nil && n == 0 {
		err = t.fail(fmt.Errorf("channel %s: %w", id, store.ErrConflict))
	}
	return err
}

func (t *tx) RemoveChannel(tenant, id string, at time.Time) error {
	n, err := t.execN(`UPDATE channels SET removed_at=$1, sealed=$2 WHERE id=$3 AND tenant=$4 AND removed_at=0`, micros(at), []byte{}, id, tenant)
	if err != nil {
		return err
	}
	if n == 0 {
		return t.fail(fmt.Errorf("channel %s: %w", id, store.ErrNotFound))
	}
	if err := t.exec(`DELETE FROM channel_events WHERE channel=$1`, id); err != nil {
		return err
	}
	return t.exec(`UPDATE notices SET state='dropped', lease='', settled_at=$1 WHERE channel=$2 AND state='due'`, micros(at), id)
}

// AddNotices finds the channels and writes their notices in one statement: where
// nobody wants to hear of anything an event costs no round trip.
func (t *tx) AddNotices(n store.NewNotice) error {
	return t.exec(`INSERT INTO notices (entry, channel, tenant, account, event, order_id, certificate, at, state, due_at)
		SELECT $1, e.channel, e.tenant, CASE c.role WHEN 'applicant' THEN e.account ELSE '' END, e.event,
			NULLIF(CAST($2 AS TEXT), ''), NULLIF(CAST($3 AS TEXT), ''), CAST($4 AS BIGINT), 'due', CAST($4 AS BIGINT)
		FROM channel_events e JOIN channels c ON c.id = e.channel WHERE e.tenant = $5 AND e.event = $6 AND e.account IN ('', $7)
		ON CONFLICT (entry, channel) DO NOTHING`, n.Entry, n.Order, n.Certificate, micros(n.At), n.Tenant, n.Event, n.Account)
}

// TakeNotices moves the time at which a leased row is due to the end of the
// lease, as [tx.TakeDue] does.
func (t *tx) TakeNotices(now time.Time, owner string, until time.Time, limit int) ([]store.Notice, error) {
	list, err := read(t, scanNotice, `SELECT `+noticeColumns+` FROM notices WHERE state = 'due' AND due_at <= $1
		ORDER BY due_at, entry, channel LIMIT $2`+t.dialect.SkipLocked, micros(now), limit)
	if err != nil {
		return nil, err
	}
	for i := range list {
		n := &list[i]
		n.Attempt++
		err := t.exec(`UPDATE notices SET lease=$1, due_at=$2, attempt=$3 WHERE entry=$4 AND channel=$5`, owner, micros(until), n.Attempt, n.Entry, n.Channel)
		if err != nil {
			return nil, err
		}
	}
	return list, nil
}

func (t *tx) FinishNotice(n store.Notice, owner string, r store.NoticeResult) error {
	settled, attempt := time.Time{}, n.Attempt
	if r.State != store.NoticeDue {
		settled = r.At
	}
	if r.Try == nil {
		attempt--
	}
	met, err := t.execN(`UPDATE notices SET state=$1, due_at=$2, lease='', attempt=$3, digest=$4, settled_at=$5, reason=$6
		WHERE entry=$7 AND channel=$8 AND state='due' AND lease=$9 AND attempt=$10`,
		string(r.State), micros(r.Due), attempt, r.Digest, micros(settled), r.Reason, n.Entry, n.Channel, owner, n.Attempt)
	if err != nil {
		return err
	}
	if met == 0 {
		return t.fail(fmt.Errorf("notice %s to %s: %w", n.Entry, n.Channel, store.ErrLeaseLost))
	}
	if r.Try == nil {
		return nil
	}
	return t.exec(`INSERT INTO notice_tries (entry, channel, attempt, at, took, delivered, detail) VALUES ($1,$2,$3,$4,$5,$6,$7)`,
		n.Entry, n.Channel, r.Try.Attempt, micros(r.Try.At), r.Try.Took.Microseconds(), flag(r.Try.Delivered), r.Try.Detail)
}

func (t *tx) PostponeNotices(channel string, now, until time.Time, limit int) error {
	return t.exec(`UPDATE notices SET due_at=$1 WHERE state='due' AND (entry, channel) IN (
		SELECT entry, channel FROM notices WHERE channel=$2 AND state='due' AND due_at <= $3 AND lease='' ORDER BY due_at, entry LIMIT $4)`,
		micros(until), channel, micros(now), limit)
}

func (t *tx) ReviveNotice(tenant, entry, channel string, at time.Time) error {
	n, err := t.execN(`UPDATE notices SET state='due', due_at=$1, settled_at=0, reason='' WHERE entry=$2 AND channel=$3 AND tenant=$4 AND state='dead'`,
		micros(at), entry, channel, tenant)
	if err == nil && n == 0 {
		err = t.fail(fmt.Errorf("notice %s to %s: %w", entry, channel, store.ErrNotFound))
	}
	return err
}

// Channel reads one channel.
func (r reader) Channel(ctx context.Context, tenant, id string) (*store.Channel, error) {
	w := &where{}
	w.equal("id", id)
	w.equal("tenant", tenant)
	if id == "" {
		return nil, store.ErrNotFound
	}
	return one(ctx, r.q, r.dialect, scanChannel, `SELECT `+channelColumns+` FROM channels`+w.sql(), w.args...)
}

// Channels lists channels by id.
func (r reader) Channels(ctx context.Context, f store.ChannelFilter) ([]store.Channel, error) {
	w := &where{terms: []string{"removed_at = 0"}}
	w.add("tenant = ?", f.Tenant)
	if f.Whole {
		w.add("account = ?", "")
	} else {
		w.equal("account", f.Account)
	}
	w.equal("role", f.Role)
	w.add("id > ?", f.After)
	return collect(ctx, r.q, r.dialect, scanChannel, `SELECT `+channelColumns+` FROM channels`+w.sql()+` ORDER BY id LIMIT `+w.arg(limited(f.Limit)), w.args...)
}

// Notices lists notices, newest first. The narrowest of what is asked for names
// the index; COALESCE keeps the engine from taking another.
func (r reader) Notices(ctx context.Context, f store.NoticeFilter) ([]store.Notice, error) {
	w := &where{}
	terms := []struct{ column, value string }{
		{"order_id", f.Order}, {"certificate", f.Certificate}, {"channel", f.Channel}, {"account", f.Account}, {"state", string(f.State)},
	}
	led := false
	for i, term := range terms {
		if term.value == "" {
			continue
		}
		if led {
			w.equal("COALESCE("+term.column+", '')", term.value)
			continue
		}
		led = true
		w.equal(term.column, term.value)
		if i < 3 { // their index does not begin with the tenant
			w.add("COALESCE(tenant, '') = ?", f.Tenant)
		} else {
			w.add("tenant = ?", f.Tenant)
		}
	}
	if !led {
		w.add("tenant = ?", f.Tenant)
	}
	order := "at DESC, entry DESC, channel DESC"
	if f.Before.Entry != "" {
		w.add("(at, entry, channel) < (?, ?, ?)", micros(f.Before.At), f.Before.Entry, f.Before.Channel)
	}
	return collect(ctx, r.q, r.dialect, scanNotice, `SELECT `+noticeColumns+` FROM notices`+w.sql()+` ORDER BY `+order+` LIMIT `+w.arg(limited(f.Limit)), w.args...)
}

// Notice reads one notice of a tenant.
func (r reader) Notice(ctx context.Context, tenant, entry, channel string) (*store.Notice, error) {
	return one(ctx, r.q, r.dialect, scanNotice, `SELECT `+noticeColumns+` FROM notices WHERE entry = $1 AND channel = $2 AND tenant = $3`, entry, channel, tenant)
}

// NoticeTries is the delivery log of a notice.
func (r reader) NoticeTries(ctx context.Context, entry, channel string) ([]store.NoticeTry, error) {
	return collect(ctx, r.q, r.dialect, func(scan func(...any) error) (t store.NoticeTry, err error) {
		var at, took, delivered int64
		err = scan(&t.Attempt, &at, &took, &delivered, &t.Detail)
		t.At, t.Took, t.Delivered = fromMicros(at), time.Duration(took)*time.Microsecond, delivered != 0
		return t, err
	}, `SELECT attempt, at, took, delivered, detail FROM notice_tries WHERE entry = $1 AND channel = $2 ORDER BY attempt LIMIT 1000`, entry, channel)
}

// NextNotice is when a notice is due next, leased or not.
func (r reader) NextNotice(ctx context.Context) (time.Time, error) {
	list, err := collect(ctx, r.q, r.dialect, func(scan func(...any) error) (n int64, err error) { return n, scan(&n) },
		`SELECT due_at FROM notices WHERE state = 'due' ORDER BY due_at, entry, channel LIMIT 1`)
	if err != nil || len(list) == 0 {
		return time.Time{}, err
	}
	return fromMicros(list[0]), nil
}

// Said reports whether a channel was told the same since a time.
func (r reader) Said(ctx context.Context, n *store.Notice, digest string, since time.Time) (bool, error) {
	list, err := collect(ctx, r.q, r.dialect, scanText, `SELECT entry FROM notices WHERE channel = $1 AND order_id = $2 AND event = $3 AND digest = $4
		AND settled_at > $5 AND state = 'sent' LIMIT 1`, n.Channel, n.Order, n.Event, digest, micros(since))
	return len(list) > 0, err
}

// Entry reads one audit entry.
func (r reader) Entry(ctx context.Context, id string) (*store.Entry, error) {
	return one(ctx, r.q, r.dialect, scanEntry, `SELECT `+entryColumns+` FROM audit WHERE id = $1`, id)
}

// pruneNotices removes settled notices and their log.
func (t *tx) pruneNotices(before time.Time, limit int) (int, error) {
	list, err := read(t, scanNotice, `SELECT `+noticeColumns+` FROM notices WHERE state <> 'due' AND at < $1 ORDER BY at, entry, channel LIMIT $2`, micros(before), limit)
	if err != nil {
		return 0, err
	}
	for _, n := range list {
		for _, table := range []string{"notice_tries", "notices"} {
			if err := t.exec(`DELETE FROM `+table+` WHERE entry = $1 AND channel = $2`, n.Entry, n.Channel); err != nil {
				return 0, err
			}
		}
	}
	return len(list), nil
}
