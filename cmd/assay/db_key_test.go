package main

import (
	"crypto/rand"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"assay/internal/backup"
	"assay/internal/secret"
	"assay/internal/store/copy"
	"assay/internal/store/sqlite"
	"assay/lab"
)

// TestBackupOtherKey: no backup is made with a key file that does not open what the
// database keeps sealed, and of one that was made so the restore names the backup.
func TestBackupOtherKey(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.look(t, bare(), lab.Options{})
	s.stop(t)
	key, next, identity := filepath.Join(s.data(), keyName), filepath.Join(s.dir, "next.key"), filepath.Join(s.dir, "backup.key")
	file := filepath.Join(s.dir, "monday.age")
	of := []string{"backup", file, "--identity", identity, "--data", s.data()}
	refused := func(args ...string) {
		t.Helper()
		said := s.run(t, exitData, nil, append([]string{"db"}, args...)...)
		if _, err := os.Stat(file); !errors.Is(err, os.ErrNotExist) || !strings.Contains(said, "does not open what") || !strings.Contains(said, "--key-file FILE --data "+s.data()) {
			t.Errorf("%v: %v: %s", args, err, said)
		}
	}
	foreign := filepath.Join(s.dir, "foreign.key")
	if err := (secret.KeyFile{Path: foreign}).Create(time.Now(), rand.Reader); err != nil {
		t.Fatal(err)
	}
	refused(append(of, "--key-file", foreign)...)
	s.db(t, 0, &rekeyResult{}, "rekey", "--data", s.data(), "--new-key-file", next)
	refused(of...)
	s.db(t, 0, &backupResult{}, append(of, "--key-file", next)...)
	s.db(t, 0, &restoreResult{}, "restore", file, "--identity", identity, "--data", s.data(), "--check")

	older := filepath.Join(s.dir, "older.age")
	s.backUpWith(t, older, identity, key)
	said := s.run(t, exitData, nil, "db", "restore", older, "--identity", identity, "--data", filepath.Join(s.dir, "new"))
	if !strings.Contains(said, "The key file in the backup "+older+" does not open") || strings.Contains(said, filepath.Join(s.dir, "new")) {
		t.Errorf("restored: %s", said)
	}
}

// backUpWith makes a backup with a key file that nobody tried.
func (s *site) backUpWith(t *testing.T, path, identity, key string) {
	t.Helper()
	raw, err := sqlite.Look(filepath.Join(s.data(), databaseFile))
	if err != nil {
		t.Fatal(err)
	}
	defer raw.Close()
	a := &app{}
	to, _, err := a.recipients(&sealFlags{identity: identity})
	if err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(key)
	if err != nil {
		t.Fatal(err)
	}
	out, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	var w *backup.Writer
	_, err = copy.Export(t.Context(), raw, []copy.File{{Name: keyName, Content: content}}, func(s copy.Snapshot) (_ *backup.Writer, err error) {
		w, err = backup.NewWriter(out, backup.Header{Schema: s.Schema, Engine: raw.Engine(), At: time.Now()}, to...)
		return w, err
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := out.Close(); err != nil {
		t.Fatal(err)
	}
}
