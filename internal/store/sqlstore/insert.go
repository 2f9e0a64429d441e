package sqlstore

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"assay/internal/store"
	"assay/order"
)

// maxInsert is how many rows one statement inserts: a statement costs more than
// a row.
const maxInsert = 50

// insert writes rows with one statement, for many rows with several; into is
// "table (columns)", conflict what follows the rows.
func (t *tx) insert(into, conflict string, rows [][]any) error {
	for part := range slices.Chunk(rows, maxInsert) {
		query, args := inserting(into, conflict, part)
		if err := t.exec(query, args...); err != nil {
			return err
		}
	}
	return nil
}

func inserting(into, conflict string, rows [][]any) (string, []any) {
	w := &where{}
	var b strings.Builder
	b.WriteString("INSERT INTO " + into + " VALUES ")
	for i, row := range rows {
		sep := ",("
		if i == 0 {
			sep = "("
		}
		for _, v := range row {
			b.WriteString(sep + w.arg(v))
			sep = ","
		}
		b.WriteByte(')')
	}
	b.WriteString(" " + conflict)
	return b.String(), w.args
}

func (t *tx) InsertOrder(o *store.Order, extra store.NewOrder) error {
	body, err := bodyOf(o.Order)
	if err != nil {
		return err
	}
	t.version(o, 1)
	err = t.must("order "+o.ID, store.ErrTaken, `INSERT INTO orders (id, tenant, account, state, phase, reason, product, kind, profile, method, name, names, body, verdict, review,
		paused, identical, manual_at, created_at, submitted_at, deadline, changed_at, ready_at, ended_at, deleted_at, version, validated_at)
		VALUES ($1,$2,$3,$4,$5,$6,$7,$8,$9,$10,$11,$12,$13,$14,$15,$16,$17,$18,$19,$20,$21,$22,$23,$24,$25,$26,$27)
		ON CONFLICT (id) DO NOTHING`,
		o.ID, o.Tenant, o.Account, string(o.State), string(o.Phase), string(o.Reason), string(o.Product), string(o.Kind), o.Profile, string(o.Method),
		o.Name, o.Names, body, o.Verdict, o.Review, o.Paused, o.Identical, micros(o.ManualAt), micros(o.Created), micros(o.Submitted), micros(o.Deadline),
		micros(o.Changed), micros(o.ReadyAt), micros(o.Ended), micros(o.Deleted), o.Version, micros(o.Validated))
	if err != nil {
		return err
	}
	return t.extras(o, extra)
}

// bodyOf is an order without what is kept apart.
func bodyOf(o *order.Order) ([]byte, error) {
	bare := *o
	bare.Challenges = nil
	return json.Marshal(&bare)
}

// extras writes what stands in tables of its own.
func (t *tx) extras(o *store.Order, extra store.NewOrder) error {
	created := micros(o.Created)
	names, keys := make([][]any, len(extra.Names)), make([][]any, 0, len(extra.Keys))
	led := map[string]bool{}
	for i, n := range extra.Names {
		names[i] = []any{o.ID, o.Tenant, n.Name, n.Domain, flag(!led[n.Domain]), created}
		led[n.Domain] = true
	}
	for _, k := range extra.Keys {
		if !o.Submitted.IsZero() {
			keys = append(keys, []any{k.Digest, k.Kind, o.ID, o.Tenant, created})
		}
	}
	challenges, due := make([][]any, len(extra.Challenges)), make([][]any, len(extra.Due))
	for i := range extra.Challenges {
		c := &extra.Challenges[i]
		challenges[i] = []any{o.ID, c.Name, string(c.Method), c.Type, c.Owner, c.URL, c.Value, c.Origin, micros(c.Created), micros(c.Expires)}
	}
	for i, d := range extra.Due {
		due[i] = []any{o.ID, string(d.Kind), micros(d.At), "", 0, d.Attempt}
	}
	for _, part := range []struct {
		into, conflict string
		rows           [][]any
	}{
		{"order_names (order_id, tenant, name, domain, lead, created_at)", "", names},
		{"order_keys (digest, kind, order_id, tenant, created_at)", "ON CONFLICT (digest, kind, created_at, order_id) DO NOTHING", keys},
		{"challenges (order_id, name, method, type, owner, url, value, origin, created_at, expires_at)", "", challenges},
		{dueColumns, dueAgain, due},
	} {
		if err := t.insert(part.into, part.conflict, part.rows); err != nil {
			return err
		}
	}
	return t.values(o.ID, extra.Challenges)
}

// values keeps which order a value belongs to: one, for ever, also where it is
// shown for several names.
func (t *tx) values(orderID string, challenges []order.Challenge) error {
	texts := make([]string, 0, len(challenges))
	for i := range challenges {
		texts = append(texts, challenges[i].Value)
	}
	slices.Sort(texts) // always in one order: no two units wait for each other
	for part := range slices.Chunk(slices.Compact(texts), maxInsert) {
		rows := make([][]any, len(part))
		for i, v := range part {
			rows[i] = []any{v, orderID}
		}
		query, args := inserting("challenge_values (value, order_id)", `ON CONFLICT (value) DO UPDATE SET order_id = excluded.order_id
			WHERE challenge_values.order_id = excluded.order_id`, rows)
		if err := t.expect(query, args, func(met int64) error {
			if met != int64(len(part)) {
				return fmt.Errorf("a validation value of another order: %w", store.ErrConflict)
			}
			return nil
		}); err != nil {
			return err
		}
	}
	return nil
}

func (t *tx) InsertReview(r *store.PackedReview) error {
	err := t.exec(`INSERT INTO reviews (id, order_id, number, mode, trigger, verdict, causes, profile, first_at, last_at, checks, report, seen)
		VALUES ($1,$2,$3,$4,$5,$6,$7,$8,$9,$10,$11,$12,$13)`,
		r.ID, r.Order, r.Number, r.Mode, r.Trigger, r.Verdict, strings.Join(r.Causes, ","), r.Profile, micros(r.First), micros(r.Last), r.Checks, r.Report, r.Seen)
	if err != nil || r.Fresh == nil {
		return err
	}
	return t.exec(`INSERT INTO observations (order_id, id, body, first_at) VALUES ($1,$2,$3,$4)`, r.Order, r.ID, r.Fresh, micros(r.First))
}
