package sqlite_test

import (
	"context"
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"assay/internal/store"
	"assay/internal/store/migrations"
	"assay/internal/store/sqlite"
	"assay/internal/store/sqlstore"
)

// TestFile: who may read it, and that one process has it.
func TestFile(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	path := filepath.Join(t.TempDir(), "a ?%#.db") // no part of an address
	db, err := sqlite.Open(ctx, path)
	if err != nil {
		t.Fatal(err)
	}
	for _, suffix := range []string{"", "-wal", "-shm", ".lock"} {
		info, err := os.Stat(path + suffix)
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", suffix, info, err)
		}
	}
	_, err = sqlite.Open(ctx, path)
	if !errors.Is(err, sqlite.ErrInUse) || !strings.Contains(err.Error(), path) {
		t.Error("opened twice:", err)
	}
	if _, _, err := sqlite.Migrate(ctx, path, 1); !errors.Is(err, sqlite.ErrInUse) {
		t.Error("changed while it is open:", err)
	}
	for setting, want := range map[string]string{"journal_mode": "wal", "synchronous": "2", "foreign_keys": "1", "query_only": "1", "secure_delete": "1", "busy_timeout": "5000"} {
		var got string
		if err := db.Reading().QueryRow("PRAGMA " + setting).Scan(&got); err != nil || got != want {
			t.Errorf("%s is %s, %v", setting, got, err)
		}
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if db, err = sqlite.Open(ctx, path); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestVersions: a newer database is refused; versions are gone to and back.
func TestVersions(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	path := filepath.Join(t.TempDir(), "assay.db")
	reopen := func() error {
		db, err := sqlite.Open(ctx, path)
		if err != nil {
			return err
		}
		return db.Close()
	}
	if err := reopen(); err != nil {
		t.Fatal(err)
	}
	newest, err := migrations.Newest("sqlite")
	if err != nil {
		t.Fatal(err)
	}
	if from, to, err := sqlite.Migrate(ctx, path, 1); err != nil || from != newest || to != 1 {
		t.Fatalf("%d to %d: %v", from, to, err)
	}
	if _, to, err := sqlite.Migrate(ctx, path, newest+1); !errors.Is(err, sqlstore.ErrNoVersion) || to != 1 {
		t.Errorf("a version that there is not: %d, %v", to, err)
	}
	if from, to, err := sqlite.Migrate(ctx, path, 0); err != nil || from != 1 || to != newest {
		t.Errorf("%d to %d: %v", from, to, err)
	}
	if from, to, err := sqlite.Migrate(ctx, path, 0); err != nil || from != newest || to != newest {
		t.Errorf("again: %d to %d: %v", from, to, err)
	}
	if err := reopen(); err != nil {
		t.Fatal("forward again:", err)
	}
	raw, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := raw.Exec("INSERT INTO goose_db_version (version_id, is_applied) VALUES (9999, 1)"); err != nil {
		t.Fatal(err)
	}
	if err := raw.Close(); err != nil {
		t.Fatal(err)
	}
	if err := reopen(); !errors.Is(err, sqlstore.ErrNewer) || !strings.Contains(err.Error(), path) {
		t.Error("a newer database:", err)
	}
	if _, _, err := sqlite.Migrate(ctx, path, 1); !errors.Is(err, sqlstore.ErrNewer) {
		t.Error("a step back of a newer database:", err)
	}
}

// TestScrub: what was erased is neither in the file nor in the log, once nobody reads
// what was before.
func TestScrub(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	path := filepath.Join(t.TempDir(), "assay.db")
	db, err := sqlite.Open(ctx, path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	const personal = "Ada Lovelace, +1 555 0100"
	holds := func() (list []string) {
		for _, suffix := range []string{"", "-wal"} {
			raw, err := os.ReadFile(path + suffix)
			if err != nil {
				t.Fatal(err)
			}
			if strings.Contains(string(raw), personal) {
				list = append(list, "assay.db"+suffix)
			}
		}
		return list
	}
	at := time.Date(2026, 11, 20, 8, 0, 0, 0, time.UTC)
	write := func(fn func(tx store.Tx) error) {
		t.Helper()
		if err := db.Write(ctx, fn); err != nil {
			t.Fatal(err)
		}
	}
	kept := store.Request{Token: "t", Key: "k", Status: 200, Body: []byte(strings.Repeat(personal+"; ", 1000)), Order: "A1", Created: at}
	write(func(tx store.Tx) error { return tx.PutRequest(kept) })
	if err := db.Scrub(ctx); err != nil || len(holds()) != 1 {
		t.Fatalf("written: %v, in %v", err, holds())
	}
	reading, err := db.Reading().BeginTx(ctx, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = reading.Rollback() }()
	var n int
	if err := reading.QueryRow("SELECT count(*) FROM requests").Scan(&n); err != nil || n != 1 {
		t.Fatal(n, err)
	}
	write(func(tx store.Tx) error { return tx.Erase("A1", at) })
	if err := db.Scrub(ctx); !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("while somebody reads: %v", err)
	}
	if err := reading.Rollback(); err != nil {
		t.Fatal(err)
	}
	if err := db.Scrub(ctx); err != nil || len(holds()) != 0 {
		t.Errorf("erased: %v, in %v", err, holds())
	}
}
