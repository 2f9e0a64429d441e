package rekey_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"assay/internal/secret"
	"assay/internal/store"
	"assay/internal/store/pgtest"
	"assay/internal/store/postgres"
	"assay/internal/store/rekey"
	"assay/internal/store/sqlite"
	"assay/internal/store/sqlstore"
	"assay/order"
)

var (
	server *pgtest.Server
	noon   = time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	entry  = &store.Entry{ID: "e", At: noon, Tenant: "root", Actor: "service", Role: "administrator", Action: "keys.rekey", Subject: "keys", Data: json.RawMessage(`{}`)}
)

func TestMain(m *testing.M) { os.Exit(pgtest.Main(m, &server)) }

// A vault is a database with sealed values in every column, and its keys.
type vault struct {
	raw      *sqlstore.Raw
	path     string // of SQLite's file
	old, new master
	rows     int            // of a batch
	first    *secret.Keeper // of the ring before
	sealed   [][]byte       // the values before
}

// master is a master key held in memory.
type master byte

func (m master) Key(context.Context) ([]byte, error) {
	return bytes.Repeat([]byte{byte(m)}, secret.MasterSize), nil
}

// each is how many rows each column gets; a letter has as many parts.
const each = 3

func newVault(t *testing.T, engine string) *vault {
	t.Helper()
	v := &vault{old: 1, new: 2, rows: 2}
	ring := must(secret.NewRing(t.Context(), v.old, noon, rand.Reader))(t)
	v.first = must(secret.Open(t.Context(), secret.Config{Master: v.old, Ring: ring, Rand: rand.Reader}))(t)
	var db *sqlstore.DB
	var url string
	if engine == "postgres" {
		url, v.rows = server.Database(t), 2*each // each database takes a while
		db = must(postgres.Open(t.Context(), url))(t)
	} else {
		v.path = filepath.Join(t.TempDir(), "assay.db")
		db = must(sqlite.Open(t.Context(), v.path))(t)
	}
	if err := db.Write(t.Context(), func(tx store.Tx) error { return v.fill(tx, ring) }); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	var release func() error
	var err error
	if engine == "postgres" {
		// PostgreSQL ends the sessions of a store that was closed in its own time.
		for err = postgres.ErrInUse; errors.Is(err, postgres.ErrInUse); {
			v.raw, release, err = postgres.Alter(t.Context(), url)
		}
	} else {
		v.raw, release, err = sqlite.Alter(v.path)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := release(); err != nil {
			t.Error(err)
		}
	})
	return v
}

func (v *vault) fill(tx store.Tx, ring []byte) error {
	v.sealed = nil
	seal := func(row string) []byte {
		b, err := v.first.Seal(row, plain(row))
		if err != nil {
			panic(err)
		}
		v.sealed = append(v.sealed, b)
		return b
	}
	errs := []error{
		tx.PutTenant(store.Tenant{ID: "root", Created: noon}), tx.PutAccount(store.Account{Tenant: "root", ID: "a", Created: noon}),
		tx.PutSecret(rekey.RingID, ring, noon),
		tx.InsertOrder(&store.Order{
			OrderRow: store.OrderRow{ID: "o", Tenant: "root", Account: "a", State: order.StateCancelled, Product: order.OV, Name: "x.net", Names: 1, Created: noon, Submitted: noon, Changed: noon},
			Order:    &order.Order{Names: []string{"x.net"}},
		}, store.NewOrder{}),
		// What is erased or elsewhere is empty and stays so.
		tx.InsertDossier(&store.Dossier{ID: "erased", Tenant: "root", Account: "a", Kind: store.DossierOrganization, State: store.DossierOK, Body: []byte{}, Created: noon}),
		tx.InsertCSR(&store.CSR{ID: "elsewhere", Tenant: "root", Account: "a", DER: []byte{0}, Created: noon}),
	}
	for i := range each {
		id := fmt.Sprint("i", i)
		parts := make([][]byte, each)
		for n := range parts {
			parts[n] = seal(fmt.Sprintf("letter:%s:%d", id, n))
		}
		errs = append(errs,
			tx.PutSecret(id, seal(id), noon),
			tx.InsertDossier(&store.Dossier{ID: id, Tenant: "root", Account: "a", Kind: store.DossierOrganization, State: store.DossierOK, Body: seal("dossier:" + id), Created: noon}),
			tx.InsertClaim(&store.Claim{ID: id, Tenant: "root", Dossier: id, Body: seal("claim:" + id), Created: noon}),
			tx.InsertCall(&store.Call{ID: id, Tenant: "root", Order: "o", Body: seal("call:" + id), Created: noon}),
			tx.InsertLetter(&store.Letter{ID: id, Tenant: "root", Order: "o", State: "pending", Note: seal("letter-note:" + id), Created: noon}, parts),
			tx.PutChannel(store.Channel{ID: id, Tenant: "root", Role: "auditor", Kind: "email", Sealed: seal("channel:" + id), Created: noon}),
			tx.InsertAuthority(&store.Authority{ID: id, Kind: store.AuthorityIssuing, State: store.AuthorityActive, DER: []byte{0}, KeyPlace: store.KeySealed, Sealed: seal("authority:" + id), Created: noon}),
			tx.InsertCertificate(&store.Certificate{
				CertificateRow: store.CertificateRow{ID: id, Tenant: "root", Account: "a", Source: store.SourceUploaded, Serial: id, State: order.CertificateValid, Created: noon},
				DER:            []byte{0}, Sealed: seal("certificate:" + id),
			}, nil),
			tx.InsertCSR(&store.CSR{ID: id, Tenant: "root", Account: "a", DER: []byte{0}, Sealed: seal("csr:" + id), Created: noon}))
	}
	return errors.Join(errs...)
}

// plain is the secret of a row; parts of letters have pages of their own.
func plain(row string) []byte {
	times := 1
	if strings.HasPrefix(row, "letter:") {
		times = 5000
	}
	return bytes.Repeat([]byte(row), times)
}

func must[T any](value T, err error) func(t *testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return value
	}
}

// run is a run of the command that ends once it has reported cut batches.
func (v *vault) run(t *testing.T, cut int, next secret.Master) error {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	turn, err := rekey.Begin(ctx, v.raw, v.config(next))
	if err != nil || turn.Ended {
		return err
	}
	if cut == 0 {
		return context.Canceled
	}
	if _, err := turn.Rewrite(ctx, func(rekey.Column, int64) {
		if cut--; cut == 0 {
			stop()
		}
	}); err != nil {
		return err
	}
	return turn.Finish(ctx, entry)
}

func (v *vault) config(next secret.Master) rekey.Config {
	return rekey.Config{Master: v.old, Next: next, Now: noon, Rand: rand.Reader, Rows: v.rows}
}

// keeper opens the ring that is stored.
func (v *vault) keeper(t *testing.T, m master) *secret.Keeper {
	t.Helper()
	return must(secret.Open(t.Context(), secret.Config{Master: m, Ring: v.one(t, "SELECT sealed FROM secrets WHERE id = 'ring'"), Rand: rand.Reader}))(t)
}

func (v *vault) one(t *testing.T, query string) (b []byte) {
	t.Helper()
	if err := v.raw.Reading().QueryRowContext(t.Context(), query).Scan(&b); err != nil {
		t.Fatal(err)
	}
	return b
}

// open opens all that is sealed with the stored ring, and returns how many of them
// the keys of the ring before open.
func (v *vault) open(t *testing.T, m master) (old int) {
	t.Helper()
	k, n := v.keeper(t, m), 0
	for _, c := range rekey.Columns() {
		rows := must(v.raw.Reading().QueryContext(t.Context(), "SELECT "+c.Row+", "+c.Name+" FROM "+c.Table+" WHERE "+c.Where()))(t)
		old += v.openRows(t, c, rows, k, &n)
	}
	if want := len(v.sealed); n != want {
		t.Errorf("%d values are there, %d were", n, want)
	}
	return old
}

func (v *vault) openRows(t *testing.T, c rekey.Column, rows *sql.Rows, k *secret.Keeper, n *int) (old int) {
	t.Helper()
	defer rows.Close()
	for rows.Next() {
		var row string
		var sealed []byte
		if err := rows.Scan(&row, &sealed); err != nil {
			t.Fatal(err)
		}
		*n++
		if got, err := k.Open(row, sealed); err != nil || !bytes.Equal(got, plain(row)) {
			t.Errorf("%s of %s: %.40q, %v", c, row, got, err)
		}
		if _, err := v.first.Open(row, sealed); err == nil {
			old++
		} else if !errors.Is(err, secret.ErrUnknownKey) {
			t.Errorf("%s of %s with the key before: %v", c, row, err)
		}
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return old
}

// ended reports what must be after a run that came to its end.
func (v *vault) ended(t *testing.T, m master) {
	t.Helper()
	if old := v.open(t, m); old != 0 {
		t.Errorf("%d values open with the key before", old)
	}
	if n := v.keeper(t, m).Keys(); n != 1 {
		t.Errorf("the ring has %d keys", n)
	}
	if n := v.one(t, "SELECT COUNT(*) FROM audit WHERE action = 'keys.rekey'"); string(n) != "1" {
		t.Errorf("%s entries in the audit log", n)
	}
}

// TestEndedAnywhere: a run ends after each of its transactions in turn. Every secret
// opens then as before, with the master key of before; the next run comes to the end.
func TestEndedAnywhere(t *testing.T) {
	t.Parallel()
	for _, engine := range []string{"sqlite", "postgres"} {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			for cut := 0; ; cut++ {
				v := newVault(t, engine)
				err := v.run(t, cut, v.new)
				if err == nil {
					if cut < len(rekey.Columns()) {
						t.Errorf("it had %d batches: the test shows little", cut)
					}
					v.ended(t, v.new)
					return
				}
				if !errors.Is(err, context.Canceled) {
					t.Fatalf("cut %d: %v", cut, err)
				}
				if old := v.open(t, v.old); cut == 0 && old != len(v.sealed) || cut > 0 && old >= len(v.sealed) {
					t.Errorf("cut %d: %d of %d values are as they were", cut, old, len(v.sealed))
				}
				turn := must(rekey.Begin(t.Context(), v.raw, v.config(nil)))(t)
				if keys := v.keeper(t, v.old).Keys(); !turn.Resumed || keys != 2 {
					t.Errorf("cut %d: resumed is %v with %d keys", cut, turn.Resumed, keys)
				}
				if err := v.run(t, -1, v.new); err != nil {
					t.Fatalf("after cut %d: %v", cut, err)
				}
				v.ended(t, v.new)
			}
		})
	}
}

// TestKeysOfBefore: neither the master key nor the ring of before opens anything, a run
// after the end has nothing to do, and of what was sealed before nothing is left in
// SQLite's file.
func TestKeysOfBefore(t *testing.T) {
	t.Parallel()
	v := newVault(t, "sqlite")
	if err := v.run(t, -1, v.new); err != nil {
		t.Fatal(err)
	}
	if _, err := rekey.Begin(t.Context(), v.raw, v.config(nil)); !errors.Is(err, secret.ErrOtherMaster) {
		t.Errorf("the master key before: %v", err)
	}
	ring := v.one(t, "SELECT sealed FROM secrets WHERE id = 'ring'")
	turn := must(rekey.Begin(t.Context(), v.raw, v.config(v.new)))(t)
	if !turn.Ended || !bytes.Equal(ring, v.one(t, "SELECT sealed FROM secrets WHERE id = 'ring'")) {
		t.Error("a run after the end turns the ring again")
	}
	if err := v.raw.Close(); err != nil { // writes the log back
		t.Fatal(err)
	}
	file := must(os.ReadFile(v.path))(t)
	for _, sealed := range v.sealed {
		if bytes.Contains(file, sealed[len(sealed)-secret.Overhead:]) {
			t.Fatal("what the key before sealed is still in the file")
		}
	}
}

// TestMasterStays: without a new master key the one of before opens the new ring.
func TestMasterStays(t *testing.T) {
	t.Parallel()
	v := newVault(t, "sqlite")
	if err := v.run(t, -1, nil); err != nil {
		t.Fatal(err)
	}
	v.ended(t, v.old)
}

// TestWrittenMeanwhile: a value of the key before that somebody brought back keeps that
// key in the ring, and the next run seals it anew.
func TestWrittenMeanwhile(t *testing.T) {
	t.Parallel()
	for _, engine := range []string{"sqlite", "postgres"} {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			v := newVault(t, engine)
			before := v.one(t, "SELECT sealed FROM letter_parts WHERE letter = 'i1' AND n = 1")
			turn := must(rekey.Begin(t.Context(), v.raw, v.config(v.new)))(t)
			must(turn.Rewrite(t.Context(), nil))(t)
			if _, err := v.raw.Reading().ExecContext(t.Context(), "UPDATE letter_parts SET sealed = $1 WHERE letter = 'i1' AND n = 1", before); err != nil {
				t.Fatal(err)
			}
			if err := turn.Finish(t.Context(), entry); !errors.Is(err, rekey.ErrLeft) {
				t.Fatalf("the keys are taken away: %v", err)
			}
			if old := v.open(t, v.old); old != 1 {
				t.Errorf("%d values open with the key before", old)
			}
			if err := v.run(t, -1, v.new); err != nil {
				t.Fatal(err)
			}
			v.ended(t, v.new)
		})
	}
}

// TestDamaged: a value that does not open stops the run, which names it and keeps the
// keys; nothing else is lost.
func TestDamaged(t *testing.T) {
	t.Parallel()
	v := newVault(t, "sqlite")
	damaged := bytes.Clone(v.one(t, "SELECT sealed FROM csrs WHERE id = 'i1'"))
	damaged[len(damaged)-1] ^= 1
	put := func(b []byte) {
		if _, err := v.raw.Reading().ExecContext(t.Context(), "UPDATE csrs SET sealed = $1 WHERE id = 'i1'", b); err != nil {
			t.Fatal(err)
		}
	}
	put(damaged)
	if err := v.run(t, -1, v.new); !errors.Is(err, rekey.ErrDamaged) || !strings.Contains(err.Error(), "csr:i1") {
		t.Fatal(err)
	}
	if n := v.keeper(t, v.old).Keys(); n != 2 {
		t.Errorf("the ring has %d keys", n)
	}
	damaged[len(damaged)-1] ^= 1
	put(damaged)
	if err := v.run(t, -1, v.new); err != nil {
		t.Fatal(err)
	}
	v.ended(t, v.new)
}

func TestNoRing(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "assay.db")
	if err := must(sqlite.Open(t.Context(), path))(t).Close(); err != nil {
		t.Fatal(err)
	}
	raw, release, err := sqlite.Alter(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = release() }()
	if _, err := rekey.Begin(t.Context(), raw, rekey.Config{Master: master(1), Now: noon, Rand: rand.Reader}); !errors.Is(err, rekey.ErrNoRing) {
		t.Error(err)
	}
}
