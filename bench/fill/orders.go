package fill

import (
	"fmt"
	"time"
)

// Every tenth order is under validation, one of a hundred is ready; of the others
// most were issued, and the rest failed or was cancelled. Bodies are short: lists
// and starts do not read them.
const orders = `INSERT INTO orders (id, tenant, account, state, phase, product, kind, profile, method, name, names, body,
		created_at, submitted_at, deadline, changed_at, ready_at, ended_at, version)
	SELECT 'o' || substr(CAST(10000000 + i AS TEXT), 2), 'root', 'a' || CAST(i %% 50 AS TEXT), state, CASE state WHEN 'pending' THEN 'validation' ELSE '' END,
	'dv', 'new', 'cloud', 'dns', 'n' || CAST(i AS TEXT) || '.net', 1, %[1]s,
	created, created, created + %[2]d, created, CASE WHEN state IN ('ready', 'issued') THEN created + 1000 ELSE 0 END,
	CASE WHEN state IN ('pending', 'ready') THEN 0 ELSE created + 2000 END, 1
	FROM (SELECT i, %[3]d + i * CAST(1000 AS BIGINT) AS created, CASE WHEN i %% 10 = 0 THEN 'pending' WHEN i %% 10 = 1 THEN 'failed'
		WHEN i %% 10 = 2 THEN 'cancelled' WHEN i %% 100 = 3 THEN 'ready' ELSE 'issued' END AS state FROM %[4]s) a`

const names = `INSERT INTO order_names (order_id, tenant, name, domain, lead, created_at)
	SELECT id, tenant, name, name, 1, created_at FROM orders`

// Validity is how long after an order its deadline is.
const Validity = 300_000 * time.Second

// Orders are the queries that make n orders of the tenant "root", of 50 accounts a0 …
// a49, with one name each: o0000001 for n1.net, and so on. The nth follows from by
// n milliseconds.
func Orders(engine string, n int, from time.Time) []string {
	body := `'{"names":["x.net"]}'`
	if engine == Postgres {
		body += "::bytea"
	} else {
		body = "CAST(" + body + " AS BLOB)"
	}
	return []string{fmt.Sprintf(orders, body, Validity.Microseconds(), from.UnixMicro(), Series(engine, 1, n)), names}
}
