package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"assay/bench/fill"
	"assay/internal/service"
	"assay/internal/store/sqlstore"
	"assay/order"
)

// lists prints how long pages take.
func lists(ctx context.Context, db *sqlstore.DB, at string, s scale) error {
	svc, err := service.New(service.Config{Store: db})
	if err != nil {
		return err
	}
	base, err := byKey(ctx, db.Engine(), at, s)
	if err != nil {
		return err
	}
	fmt.Printf("  %-48s %10s %10s %10s %8s\n", "50 certificates each", "p50", "p99", "most", "ratio")
	show := func(name string, t []time.Duration) {
		slices.Sort(t)
		p50 := t[len(t)/2]
		fmt.Printf("  %-48s %10v %10v %10v %7.2f×\n", name, p50.Round(time.Microsecond), t[len(t)*99/100].Round(time.Microsecond), t[len(t)-1].Round(time.Microsecond), float64(p50)/float64(base[len(base)/2]))
	}
	show("by primary keys, the engine alone", base)
	random := rand.New(rand.NewPCG(1, 2))
	account := func() string { return fmt.Sprintf("a%d", 1+random.IntN(accounts/10)*10) }
	number := func() int { return s.n*4/5 + random.IntN(s.n/5) }
	for _, c := range []struct {
		name  string
		query func() service.CertificateQuery
		turn  bool // pages on, from call to call
	}{
		{"newest", func() service.CertificateQuery { return service.CertificateQuery{} }, false},
		{"page after page, newest first", func() service.CertificateQuery { return service.CertificateQuery{} }, true},
		{"of an account", func() service.CertificateQuery { return service.CertificateQuery{Account: account()} }, false},
		{"page after page of an account with a tenth", func() service.CertificateQuery { return service.CertificateQuery{Account: "large"} }, true},
		{"valid", func() service.CertificateQuery { return service.CertificateQuery{State: order.CertificateValid} }, false},
		{"page after page of revoked", func() service.CertificateQuery { return service.CertificateQuery{State: order.CertificateRevoked} }, true},
		{"being revoked (none)", func() service.CertificateQuery { return service.CertificateQuery{State: order.CertificateRevoking} }, false},
		{"revoked of an account", func() service.CertificateQuery {
			return service.CertificateQuery{Account: account(), State: order.CertificateRevoked}
		}, false},
		{"being revoked of an account with a tenth (none)", func() service.CertificateQuery {
			return service.CertificateQuery{Account: "large", State: order.CertificateRevoking}
		}, false},
		{"by name", func() service.CertificateQuery {
			i := number()/100*100 + 3
			return service.CertificateQuery{Name: fmt.Sprintf("n%d.d%d.net", i, i/perDomain)}
		}, false},
		{"by domain", func() service.CertificateQuery {
			return service.CertificateQuery{Domain: fmt.Sprintf("d%d.net", number()/perDomain)}
		}, false},
		{"page after page of a domain with a hundredth", func() service.CertificateQuery { return service.CertificateQuery{Domain: "large.net"} }, true},
		{"ending within 30 days", func() service.CertificateQuery { return service.CertificateQuery{Days: 30} }, false},
		{"page after page of those", func() service.CertificateQuery { return service.CertificateQuery{Days: 30} }, true},
		{"ending within 30 days of an account", func() service.CertificateQuery { return service.CertificateQuery{Days: 30, Account: account()} }, false},
	} {
		t, err := times(ctx, svc, s.calls, c.query, c.turn)
		if err != nil {
			return fmt.Errorf("%s: %w", c.name, err)
		}
		show(c.name, t)
	}
	return nil
}

func times(ctx context.Context, s *service.Service, n int, query func() service.CertificateQuery, turn bool) ([]time.Duration, error) {
	who := service.Principal{Tenant: "root", Role: service.RoleAuditor}
	var took []time.Duration
	cursor := ""
	over := time.Now().Add(20 * time.Second) // of what is far too slow a few will do
	for len(took) < n && (len(took) < 5 || time.Now().Before(over)) {
		q := query()
		q.Cursor = cursor
		began := time.Now()
		items, next, err := s.Certificates(ctx, who, q)
		if err != nil {
			return nil, err
		}
		took = append(took, time.Since(began))
		// Few rows may have none of a state, and the page after a full one may be empty.
		if len(items) == 0 && cursor == "" && (q.State == "" || q.Account == "" && q.State != order.CertificateRevoking) {
			return nil, fmt.Errorf("no rows, call %d", len(took))
		}
		if turn {
			cursor = next
		}
	}
	return took, nil
}

// byKey reads 50 rows by their primary keys, as wide as those of the lists.
func byKey(ctx context.Context, engine, at string, s scale) ([]time.Duration, error) {
	db, err := fill.Open(engine, at)
	if err != nil {
		return nil, err
	}
	defer db.Close()
	random := rand.New(rand.NewPCG(3, 4))
	var took []time.Duration
	for range s.calls {
		ids := make([]string, 50)
		for i := range ids {
			ids[i] = fmt.Sprintf("'c%08d'", 1+random.IntN(s.n))
		}
		began := time.Now()
		rows, err := db.QueryContext(ctx, "SELECT id, account, issuer, serial, state, product, profile, name, fingerprint, keyprint, not_before, not_after, created_at FROM certificates WHERE id IN ("+strings.Join(ids, ",")+")")
		if err != nil {
			return nil, err
		}
		n := 0
		for ; rows.Next(); n++ {
			var texts [10]string
			var numbers [3]int64
			into := []any{}
			for i := range texts {
				into = append(into, &texts[i])
			}
			for i := range numbers {
				into = append(into, &numbers[i])
			}
			if err := rows.Scan(into...); err != nil {
				return nil, err
			}
		}
		if err := rows.Close(); err != nil {
			return nil, err
		}
		took = append(took, time.Since(began))
		if n == 0 {
			return nil, fmt.Errorf("no rows by key")
		}
	}
	return took, nil
}
