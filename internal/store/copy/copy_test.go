package copy_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"assay/evidence"
	"assay/internal/store"
	"assay/internal/store/copy"
	"assay/internal/store/pgtest"
	"assay/internal/store/postgres"
	"assay/internal/store/sqlite"
	"assay/internal/store/sqlstore"
	"assay/order"
)

var (
	server *pgtest.Server
	ctx    = context.Background()
	noon   = time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
)

func TestMain(m *testing.M) { os.Exit(pgtest.Main(m, &server)) }

// fresh opens an empty store.
func fresh(t *testing.T, engine string) *sqlstore.DB {
	t.Helper()
	var db *sqlstore.DB
	var err error
	if engine == "postgres" {
		db, err = postgres.Open(ctx, server.Database(t))
	} else {
		db, err = sqlite.Open(ctx, filepath.Join(t.TempDir(), "assay.db"))
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db
}

// fill writes rows to every table, with what is hard to carry over.
func fill(t *testing.T, db *sqlstore.DB) {
	t.Helper()
	err := db.Write(ctx, func(tx store.Tx) error {
		errs := []error{
			tx.PutTenant(store.Tenant{ID: "root", Name: "果园 'quoted' \"twice\" \\ \n", Created: noon}),
			tx.PutAccount(store.Account{Tenant: "root", ID: "a", Created: noon}),
			tx.PutToken(store.Token{ID: "t", Tenant: "root", Role: "auditor", Hash: []byte{0, 255, 0}, Created: noon}),
			tx.PutSecret("s", []byte{}, noon),
			tx.PutHead(store.Head{Seq: 1, Hash: []byte{1}, At: noon, Signature: []byte{2}}),
			tx.PutRequest(store.Request{Token: "t", Key: "k", Body: []byte{0, 1, 2, 0xff}, Created: noon}),
		}
		for i := range 30 {
			o := &store.Order{
				OrderRow: store.OrderRow{
					ID: fmt.Sprint("o", i), Tenant: "root", Account: "a", State: order.StateCancelled, Product: order.OV, Name: "x.net", Names: 1,
					Created: noon.Add(time.Duration(i)), Submitted: noon, Changed: noon,
				},
				Order: &order.Order{Names: []string{"x.net"}},
			}
			at := evidence.Observation{Unknown: fmt.Sprint(i), At: noon}.Identify()
			packed, err := store.PackReview(
				&store.Review{ReviewRow: store.ReviewRow{ID: fmt.Sprint("r", i), Order: o.ID, Number: 1}, Report: json.RawMessage(`{}`), Seen: []string{at.ID}},
				[]evidence.Observation{at}, nil)
			errs = append(errs, err,
				tx.InsertOrder(o, store.NewOrder{
					Names: []store.OrderName{{Name: "x.net", Domain: "x.net"}}, Keys: []store.OrderKey{{Kind: "csr", Digest: "d"}},
					Challenges: []order.Challenge{{Name: "x.net", Value: fmt.Sprint("v", i), Origin: "own"}}, Due: []store.Due{{Kind: store.DueCheck, At: noon}},
				}),
				tx.InsertReview(packed),
				tx.Append(store.Entry{ID: fmt.Sprint("e", i), At: noon, Tenant: "root", Data: json.RawMessage(`{}`)}),
			)
		}
		errs = append(errs,
			tx.InsertDossier(&store.Dossier{ID: "d", Tenant: "root", Account: "a", Kind: store.DossierOrganization, State: store.DossierOK, Body: []byte{0, 255}, Created: noon}),
			tx.InsertClaim(&store.Claim{ID: "c", Tenant: "root", Dossier: "d", Created: noon}),
			tx.InsertCall(&store.Call{ID: "t", Tenant: "root", Order: "o1", Created: noon}),
			tx.InsertLetter(&store.Letter{ID: "l", Tenant: "root", Order: "o1", State: "pending", Created: noon}, [][]byte{{0, 1}, {255}}))
		errs = append(errs, tx.PutValidation(store.Validation{Tenant: "root", Account: "a", Domain: "x.net", Order: "o1", At: noon}),
			tx.OpenDesk(store.DeskItem{Order: "o1", Tenant: "root", Account: "a", Causes: []string{"x"}, Opened: noon}),
			tx.AddDecision(store.Decision{ID: "d1", Order: "o1", Tenant: "root", Account: "a", Kind: store.DecisionAsk, Note: "果园\n'\"\\", At: noon}),
			tx.Seal([]store.Entry{{ID: "e0", Seq: 1, Hash: []byte{9}}}),
			fillCertificates(tx), fillNotices(tx))
		_, err := tx.TakeLease("l", "me", noon, noon)
		return errors.Join(append(errs, err)...)
	})
	if err != nil {
		t.Fatal(err)
	}
}

// fillCertificates writes a CA, a certificate, and what belongs to them.
func fillCertificates(tx store.Tx) error {
	return errors.Join(
		tx.InsertAuthority(&store.Authority{ID: "own", Kind: store.AuthorityIssuing, State: store.AuthorityActive, DER: []byte{0, 255}, KeyPlace: store.KeySealed, Created: noon}),
		tx.InsertAttempt(&store.Attempt{Order: "o1", Seq: 1, Issuer: "own", State: order.AttemptPrepared, Serial: "0a", TBS: []byte{0}, Created: noon}),
		tx.PutUpstreamOrder(&store.UpstreamOrder{Order: "o1", Issuer: "acme", Data: []byte{0}, WaitsFor: "o1", Passed: noon, Changed: noon}),
		tx.InsertCertificate(&store.Certificate{
			CertificateRow: store.CertificateRow{ID: "o1", Tenant: "root", Account: "a", Source: store.SourceIssued, Issuer: "own", Serial: "0a", State: order.CertificateValid, Created: noon},
			DER:            []byte{0, 255}, Chain: []byte{1},
		}, []store.OrderName{{Name: "x.net", Domain: "x.net"}}),
		tx.InsertCertificate(&store.Certificate{
			CertificateRow: store.CertificateRow{ID: "u", Tenant: "root", Account: "a", Source: store.SourceUploaded, Serial: "0a", State: order.CertificateValid, Created: noon},
			DER:            []byte{0}, Sealed: []byte{0, 255},
		}, nil),
		tx.SetCertificateDue(store.CertificateDue{Certificate: "o1", Kind: store.DueEnd, At: noon}),
		tx.Revoke(store.Revocation{Issuer: "own", Serial: "0b", At: noon, NotAfter: noon}),
		tx.BlockKey("k", "o1", noon),
		tx.InsertCSR(&store.CSR{ID: "q", Tenant: "root", Account: "a", DER: []byte{0}, Created: noon}))
}

// fillNotices writes a channel and a notice that was tried once.
func fillNotices(tx store.Tx) error {
	c := store.Channel{ID: "c", Tenant: "root", Role: "auditor", Kind: "email", Events: []string{"order.ready"}, Sealed: []byte{0, 255}, Created: noon}
	if err := errors.Join(tx.PutChannel(c), tx.AddNotices(store.NewNotice{Entry: "e1", Tenant: "root", Event: "order.ready", Order: "o1", At: noon})); err != nil {
		return err
	}
	// About a certificate that has no order.
	if err := tx.AddNotices(store.NewNotice{Entry: "e2", Tenant: "root", Event: "order.ready", Certificate: "u", At: noon}); err != nil {
		return err
	}
	taken, err := tx.TakeNotices(noon, "me", noon.Add(time.Minute), 1)
	if err != nil || len(taken) != 1 {
		return errors.Join(err, fmt.Errorf("%d notices are due", len(taken)))
	}
	return tx.FinishNotice(taken[0], "me", store.NoticeResult{State: store.NoticeDue, Due: noon, At: noon, Try: &store.NoticeTry{Attempt: 1, At: noon, Detail: "no \x1b\n"}})
}

func digest(t *testing.T, db *sqlstore.DB) []copy.Table {
	t.Helper()
	all, err := copy.Digest(ctx, db)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// TestThereAndBack copies SQLite to PostgreSQL and back, and each to itself.
func TestThereAndBack(t *testing.T) {
	t.Parallel()
	first := fresh(t, "sqlite")
	fill(t, first)
	want := digest(t, first)
	for _, table := range want {
		if table.Rows == 0 {
			t.Errorf("nothing in %s: the test shows nothing of it", table.Name)
		}
	}
	at := first
	for _, engine := range []string{"postgres", "postgres", "sqlite", "sqlite"} {
		next := fresh(t, engine)
		told := map[string]int64{}
		done, err := copy.Copy(ctx, at, next, func(table string, rows int64) { told[table] = rows })
		if err != nil {
			t.Fatalf("to %s: %v", engine, err)
		}
		if !copy.Equal(done, want) || !copy.Equal(digest(t, next), want) {
			t.Errorf("to %s: the content differs", engine)
		}
		if told["orders"] != 30 {
			t.Errorf("progress: %v", told)
		}
		// The copy is a store that can be written to.
		if err := next.Write(ctx, func(tx store.Tx) error { return tx.PutSecret("s", []byte("changed"), noon) }); err != nil {
			t.Error(err)
		}
		if copy.Equal(digest(t, next), want) {
			t.Error("a changed row does not change the digest")
		}
		if err := next.Write(ctx, func(tx store.Tx) error { return tx.PutSecret("s", []byte{}, noon) }); err != nil {
			t.Error(err)
		}
		at = next
	}
}

// TestEveryTable: a table that a later version adds is not forgotten.
func TestEveryTable(t *testing.T) {
	t.Parallel()
	db := fresh(t, "sqlite")
	copied := map[string]bool{"goose_db_version": true, "sqlite_sequence": true}
	for _, table := range digest(t, db) {
		copied[table.Name] = true
	}
	rows, err := db.Reading().QueryContext(ctx, "SELECT name FROM sqlite_master WHERE type = 'table'")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			t.Fatal(err)
		}
		if !copied[name] {
			t.Errorf("the table %s is not copied", name)
		}
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
}

// TestRefused: a target with content is left alone, and a copy that does not
// come to its end leaves nothing.
func TestRefused(t *testing.T) {
	t.Parallel()
	from := fresh(t, "sqlite")
	fill(t, from)
	for _, engine := range []string{"sqlite", "postgres"} {
		to := fresh(t, engine)
		ending, end := context.WithCancel(ctx)
		_, err := copy.Copy(ending, from, to, func(table string, _ int64) {
			if table == "reviews" {
				end()
			}
		})
		if err == nil {
			t.Error("a copy that was stopped succeeded")
		}
		for _, table := range digest(t, to) {
			if table.Rows > 0 {
				t.Errorf("%s: %d rows of %s are left", engine, table.Rows, table.Name)
			}
		}
		if err := to.Write(ctx, func(tx store.Tx) error { return tx.PutSecret("mine", nil, noon) }); err != nil {
			t.Fatal(err)
		}
		if _, err := copy.Copy(ctx, from, to, nil); !errors.Is(err, copy.ErrNotEmpty) {
			t.Errorf("%s: a target with content: %v", engine, err)
		}
	}
}

// TestSnapshot: a copy of the file is whole, private, and opens as a store.
func TestSnapshot(t *testing.T) {
	t.Parallel()
	db := fresh(t, "sqlite")
	fill(t, db)
	to := filepath.Join(t.TempDir(), "snapshot.db")
	if err := sqlite.Snapshot(ctx, db, to); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(to); err != nil || info.Mode().Perm() != 0o600 {
		t.Error(info, err)
	}
	if err := sqlite.Snapshot(ctx, db, to); err == nil {
		t.Error("a file was written over")
	}
	again, err := sqlite.Open(ctx, to)
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	if !copy.Equal(digest(t, db), digest(t, again)) {
		t.Error("the snapshot differs")
	}
}
