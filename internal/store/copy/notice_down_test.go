package copy_test

import (
	"database/sql"
	"errors"
	"path/filepath"
	"slices"
	"testing"

	"assay/internal/store"
	"assay/internal/store/migrations"
	"assay/internal/store/postgres"
	"assay/internal/store/sqlite"
	"assay/internal/store/sqlstore"
	"assay/order"
)

// beforeCertificates is the version of the tables before there were certificates.
const beforeCertificates = 5

// A stair is a database that is taken up and down.
type stair struct {
	t       *testing.T
	bare    func() (*sql.DB, error) // without the store
	open    func() (*sqlstore.DB, error)
	migrate func(version int64) (from, to int64, err error)
}

func newStair(t *testing.T, engine string) *stair {
	t.Helper()
	if engine == "sqlite" {
		path := filepath.Join(t.TempDir(), "assay.db")
		return &stair{
			t, func() (*sql.DB, error) { return sql.Open("sqlite", "file:"+path+"?_pragma=foreign_keys(1)") },
			func() (*sqlstore.DB, error) { return sqlite.Open(ctx, path) },
			func(version int64) (int64, int64, error) { return sqlite.Migrate(ctx, path, version) },
		}
	}
	at := server.Database(t)
	return &stair{
		t, func() (*sql.DB, error) { return sql.Open("pgx", at) },
		func() (*sqlstore.DB, error) { return postgres.Open(ctx, at) },
		func(version int64) (int64, int64, error) { return postgres.Migrate(ctx, at, version) },
	}
}

// write opens the database for one unit.
func (s *stair) write(fn func(tx store.Tx) error) {
	s.t.Helper()
	db, err := s.open()
	if err != nil {
		s.t.Fatal(err)
	}
	if err := errors.Join(db.Write(ctx, fn), db.Close()); err != nil {
		s.t.Fatal(err)
	}
}

func (s *stair) notices(want int) []store.Notice {
	s.t.Helper()
	db, err := s.open()
	if err != nil {
		s.t.Fatal(err)
	}
	list, err := db.Notices(ctx, store.NoticeFilter{Tenant: "root", Limit: 9})
	if err := errors.Join(err, db.Close()); err != nil || len(list) != want {
		s.t.Fatalf("%+v, %v", list, err)
	}
	return list
}

// TestNoticesDown: notices of orders survive the way down to where notices were of orders
// only, and the way up again; with one of a certificate there is no way down.
func TestNoticesDown(t *testing.T) {
	t.Parallel()
	newest, err := migrations.Newest("sqlite")
	if err != nil {
		t.Fatal(err)
	}
	for _, engine := range []string{"sqlite", "postgres"} {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			s := newStair(t, engine)
			s.write(noticesOfOrders)
			s.write(func(tx store.Tx) error {
				list, err := tx.TakeNotices(noon, "me", noon, 1)
				if err != nil || len(list) != 1 {
					return errors.Join(err, errors.New("nothing is due"))
				}
				return tx.FinishNotice(list[0], "me", store.NoticeResult{State: store.NoticeDead, At: noon, Reason: "no", Digest: "d"})
			})
			want := s.notices(2)
			if _, to, err := s.migrate(beforeCertificates); err != nil || to != beforeCertificates {
				t.Fatalf("down to %d, %v", to, err)
			}
			if from, to, err := s.migrate(0); err != nil || from != beforeCertificates || to != newest {
				t.Fatalf("up from %d to %d, %v", from, to, err)
			}
			for i, n := range s.notices(2) {
				if n != want[i] {
					t.Errorf("%+v, was %+v", n, want[i])
				}
			}
			s.write(noticesOfCertificates)
			if _, to, err := s.migrate(beforeCertificates); !errors.Is(err, sqlstore.ErrLoses) || to != newest {
				t.Errorf("down to %d over a notice of a certificate, %v", to, err)
			}
			s.notices(4)
		})
	}
}

// TestNoticesOfCertificatesDown: the way down itself, where somebody takes it although
// there are notices of certificates, takes those away and keeps what is about an order.
func TestNoticesOfCertificatesDown(t *testing.T) {
	t.Parallel()
	for _, engine := range []string{"sqlite", "postgres"} {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			s := newStair(t, engine)
			s.write(noticesOfOrders)
			s.write(noticesOfCertificates)
			s.notices(4)
			steps, err := migrations.Steps(engine)
			if err != nil {
				t.Fatal(err)
			}
			down, err := steps[slices.IndexFunc(steps, func(s migrations.Step) bool { return s.Version == beforeCertificates+1 })].Down()
			if err != nil {
				t.Fatal(err)
			}
			db, err := s.bare()
			if err != nil {
				t.Fatal(err)
			}
			defer db.Close()
			if _, err := db.ExecContext(ctx, "BEGIN;"+down+"COMMIT"); err != nil {
				t.Fatal(err)
			}
			var entries, orders string
			err = db.QueryRowContext(ctx, "SELECT string_agg(entry, ' ' ORDER BY entry), min(order_id) || max(order_id) FROM notices").Scan(&entries, &orders)
			if err != nil || entries != "e1 e2 e4" || orders != "o1o1" {
				t.Errorf("notices %q of %q, %v", entries, orders, err)
			}
		})
	}
}

// noticesOfCertificates writes a certificate and two notices: of it alone, and of the
// order that it is about as well.
func noticesOfCertificates(tx store.Tx) error {
	u := &store.Certificate{CertificateRow: store.CertificateRow{ID: "u", Tenant: "root", Account: "a", Source: store.SourceUploaded, State: order.CertificateValid, Created: noon}, DER: []byte{1}}
	return errors.Join(tx.InsertCertificate(u, nil),
		tx.AddNotices(store.NewNotice{Entry: "e3", Tenant: "root", Event: "x", Certificate: "u", At: noon}),
		tx.AddNotices(store.NewNotice{Entry: "e4", Tenant: "root", Event: "x", Order: "o1", Certificate: "u", At: noon}))
}

// noticesOfOrders writes an order, a channel and two notices.
func noticesOfOrders(tx store.Tx) error {
	c := store.Channel{ID: "c", Tenant: "root", Role: "auditor", Kind: "email", Events: []string{"x"}, Sealed: []byte{0, 255}, Created: noon}
	o := &store.Order{
		OrderRow: store.OrderRow{ID: "o1", Tenant: "root", Account: "a", State: order.StateCancelled, Product: order.DV, Name: "x.net", Names: 1, Created: noon},
		Order:    &order.Order{Names: []string{"x.net"}},
	}
	return errors.Join(tx.PutTenant(store.Tenant{ID: "root", Created: noon}), tx.InsertOrder(o, store.NewOrder{}), tx.PutChannel(c),
		tx.AddNotices(store.NewNotice{Entry: "e1", Tenant: "root", Event: "x", Order: "o1", At: noon}),
		tx.AddNotices(store.NewNotice{Entry: "e2", Tenant: "root", Event: "x", Order: "o1", At: noon}))
}
