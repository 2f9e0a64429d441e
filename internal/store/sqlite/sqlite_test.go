package sqlite_test

import (
	"context"
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

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
	for setting, want := range map[string]string{"journal_mode": "wal", "synchronous": "2", "foreign_keys": "1", "query_only": "1"} {
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
