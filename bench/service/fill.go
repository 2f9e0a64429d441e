package main

import (
	"context"
	"fmt"
	"time"

	"assay/bench/fill"
)

// What is due for the open orders is so only days from now.
const (
	fillChecks    = `INSERT INTO due (order_id, kind, due_at) SELECT id, 'check', deadline - 60000000 FROM orders WHERE state = 'pending'`
	fillDeadlines = `INSERT INTO due (order_id, kind, due_at) SELECT id, 'deadline', deadline FROM orders WHERE state IN ('pending', 'ready')`
)

// fillAudit are two entries of each order, i = 0 and 1, with their places in the
// chain. Their hashes are made up: who appends reads the last one, and verifies none.
const fillAudit = `INSERT INTO audit (id, at, tenant, actor, role, action, subject, order_id, order_version, data, seq, hash)
	SELECT 'e' || CAST(i AS TEXT) || id, created_at + i, tenant, 't1', 'applicant', CASE i WHEN 0 THEN 'order.submit' ELSE 'order.' || state END,
	'order:' || id, id, i + 1, %[1]s, 2 * CAST(substr(id, 2) AS BIGINT) + i + (SELECT COALESCE(MAX(seq), 0) FROM audit), %[2]s FROM orders, %[3]s`

// filled makes orders that lie minutes back, of the tenant that the service made.
func filled(ctx context.Context, engine, at string, n int, now time.Time) error {
	data, hash := `CAST('{"names":1}' AS BLOB)`, "randomblob(32)"
	if engine == fill.Postgres {
		data, hash = `'{"names":1}'::bytea`, "sha256((id || i)::bytea)"
	}
	begin := now.Add(-time.Duration(n)*time.Millisecond - time.Minute)
	audit := fmt.Sprintf(fillAudit, data, hash, fill.Series(engine, 0, 1))
	return fill.Bulk(ctx, engine, at, append(fill.Orders(engine, n, begin), fillChecks, fillDeadlines, audit)...)
}
