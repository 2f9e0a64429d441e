package copy_test

import (
	"bytes"
	"context"
	"errors"
	"path/filepath"
	"slices"
	"testing"

	"filippo.io/age"

	"assay/internal/backup"
	"assay/internal/store"
	"assay/internal/store/copy"
	"assay/internal/store/migrations"
	"assay/internal/store/postgres"
	"assay/internal/store/sqlite"
	"assay/internal/store/sqlstore"
)

func identity(t testing.TB) *age.X25519Identity {
	t.Helper()
	i, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	return i
}

// export backs a database up.
func export(t *testing.T, db copy.Database, i *age.X25519Identity, files ...copy.File) (raw []byte, schema int64, all []copy.Table) {
	t.Helper()
	var b bytes.Buffer
	var w *backup.Writer
	all, err := copy.Export(ctx, db, files, func(s copy.Snapshot) (_ *backup.Writer, err error) {
		schema = s.Schema
		w, err = backup.NewWriter(&b, backup.Header{Schema: schema, Engine: db.Engine(), At: noon}, i.Recipient())
		return w, err
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes(), schema, all
}

// made is an empty database of a version.
func made(t testing.TB, version int64) *sqlstore.Raw {
	t.Helper()
	raw, err := sqlite.Make(ctx, filepath.Join(t.TempDir(), "made.db"), version)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := raw.Close(); err != nil {
			t.Error(err)
		}
	})
	return raw
}

// TestBackup: what was backed up from either engine is restored with the same
// digests, at the version it had.
func TestBackup(t *testing.T) {
	t.Parallel()
	i := identity(t)
	for _, engine := range []string{"sqlite", "postgres"} {
		db := fresh(t, engine)
		fill(t, db)
		key := copy.File{Name: "assay.key", Content: []byte("a key\n")}
		text, schema, all := export(t, db, i, key)
		if !copy.Equal(all, digest(t, db)) {
			t.Errorf("%s: the backup has other content", engine)
		}
		in, err := backup.NewReader(bytes.NewReader(text), i)
		if err != nil {
			t.Fatal(err)
		}
		to := made(t, schema)
		var files []copy.File
		back, err := copy.Import(ctx, in, to, func(f copy.File) error { files = append(files, f); return nil }, nil)
		if err != nil || !copy.Equal(back, all) {
			t.Fatalf("%s: %v", engine, err)
		}
		if again, err := copy.Digest(ctx, to); err != nil || !copy.Equal(again, all) || copy.Whole(again) != copy.Whole(all) {
			t.Errorf("%s: restored content differs: %v", engine, err)
		}
		if len(files) != 1 || files[0].Name != key.Name || !bytes.Equal(files[0].Content, key.Content) {
			t.Errorf("%s: %v", engine, files)
		}
		// A second one on top is refused.
		if in, err = backup.NewReader(bytes.NewReader(text), i); err != nil {
			t.Fatal(err)
		}
		if _, err := copy.Import(ctx, in, to, func(copy.File) error { return nil }, nil); !errors.Is(err, copy.ErrNotEmpty) {
			t.Errorf("%s: into a full database: %v", engine, err)
		}
	}
}

// TestBackupCut: a backup that was cut off anywhere or changed leaves an empty
// database.
func TestBackupCut(t *testing.T) {
	t.Parallel()
	i := identity(t)
	db := fresh(t, "sqlite")
	fill(t, db)
	text, schema, _ := export(t, db, i)
	to := made(t, schema)
	wrong := [][]byte{text[:len(text)/2], text[:len(text)-1], append(slices.Clone(text), 0)}
	for at := len(text) / 3; at < len(text); at += len(text) / 7 {
		edited := slices.Clone(text)
		edited[at] ^= 1
		wrong = append(wrong, edited)
	}
	for n, text := range wrong {
		in, err := backup.NewReader(bytes.NewReader(text), i)
		if err == nil {
			_, err = copy.Import(ctx, in, to, func(copy.File) error { return nil }, nil)
		}
		if err == nil {
			t.Errorf("%d: a wrong backup was restored", n)
		}
		if err := copy.Empty(ctx, to); err != nil {
			t.Errorf("%d: something was kept: %v", n, err)
		}
	}
}

// TestBackupOfOthers: whoever has the recipient can make a backup of anything. Parts
// and columns become SQL only where they are this program's own.
func TestBackupOfOthers(t *testing.T) {
	t.Parallel()
	i := identity(t)
	column := func(names ...string) []byte {
		var row []byte
		for _, n := range names {
			row = append(append(row, 2, 0, 0, 0, byte(len(n))), n...)
		}
		return row
	}
	leases := column("name", "owner", "until")
	to := made(t, 2)
	for name, rows := range map[string][][]byte{
		"table/nothing":                        {leases},
		"leases":                               {leases},
		"table/leases (name) VALUES ('x'); --": {leases},
		"table/secrets":                        {leases},
		"table/leases":                         {column("name", "owner", "until) VALUES (1,2,3); --")},
		"table/due":                            {},
		"file/assay.key":                       {},
		"table/tenants":                        {column("id", "name", "created_at", "closed_at"), {9}},
		"table/accounts":                       {column("tenant", "id", "verified", "agreement", "created_at", "deactivated_at"), {2, 0xff, 0xff, 0xff, 0xff}},
		"table/tokens":                         {{1, 2}},
	} {
		var b bytes.Buffer
		w, err := backup.NewWriter(&b, backup.Header{Schema: 2}, i.Recipient())
		if err != nil {
			t.Fatal(err)
		}
		if err := w.Part(name); err != nil {
			t.Fatal(err)
		}
		for _, row := range rows {
			if err := w.Row(row); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := w.Close(); err != nil {
			t.Fatal(err)
		}
		in, err := backup.NewReader(&b, i)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := copy.Import(ctx, in, to, func(copy.File) error { return nil }, nil); err == nil {
			t.Errorf("%s was restored", name)
		}
	}
}

// TestDown: a migration that says that its way down keeps every row does, on both
// engines and over every table; one that does not say so is not taken down.
func TestDown(t *testing.T) {
	t.Parallel()
	newest, err := migrations.Newest("sqlite")
	if err != nil {
		t.Fatal(err)
	}
	for _, engine := range []string{"sqlite", "postgres"} {
		at := server.Database(t)
		open := func() (*sqlstore.DB, error) { return postgres.Open(ctx, at) }
		migrate := func(version int64) (int64, int64, error) { return postgres.Migrate(ctx, at, version) }
		if engine == "sqlite" {
			at = filepath.Join(t.TempDir(), "assay.db")
			open = func() (*sqlstore.DB, error) { return sqlite.Open(ctx, at) }
			migrate = func(version int64) (int64, int64, error) { return sqlite.Migrate(ctx, at, version) }
		}
		db, err := open()
		if err != nil {
			t.Fatal(err)
		}
		fill(t, db)
		want := digest(t, db)
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
		version := newest
		all, err := migrations.Steps(engine)
		if err != nil {
			t.Fatal(err)
		}
		for ; len(all) > 1; all = all[:len(all)-1] {
			before := all[len(all)-2].Version
			keeps, but, err := all[len(all)-1].KeepsRows()
			if err != nil {
				t.Fatal(err)
			}
			_, to, err := migrate(before)
			if !keeps || len(but) > 0 { // every table has rows
				if !errors.Is(err, sqlstore.ErrLoses) || to != version {
					t.Errorf("%s: down from %d: %d, %v", engine, version, to, err)
				}
				break
			}
			if err != nil || to != before {
				t.Fatalf("%s: down from %d: %d, %v", engine, version, to, err)
			}
			version = before
		}
		if version == 1 {
			if keeps, _, err := all[0].KeepsRows(); err != nil || keeps {
				t.Errorf("%s: the first version can be taken down: %v", engine, err)
			}
		}
		if from, to, err := migrate(0); err != nil || from != version || to != newest {
			t.Fatalf("%s: up again: %d to %d, %v", engine, from, to, err)
		}
		if db, err = open(); err != nil {
			t.Fatal(err)
		}
		if !copy.Equal(digest(t, db), want) {
			t.Errorf("%s: down and up again, and the content differs", engine)
		}
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestReplace: the old content is there until the new one is.
func TestReplace(t *testing.T) {
	t.Parallel()
	from := fresh(t, "sqlite")
	fill(t, from)
	for _, engine := range []string{"sqlite", "postgres"} {
		to := fresh(t, engine)
		fill(t, to)
		if err := to.Write(ctx, func(tx store.Tx) error { return tx.PutSecret("mine", []byte{1}, noon) }); err != nil {
			t.Fatal(err)
		}
		before := digest(t, to)
		stopped, stop := context.WithCancel(ctx)
		if _, err := copy.Replace(stopped, from, to, func(table string, _ int64) {
			if table == "reviews" {
				stop()
			}
		}); err == nil || !copy.Equal(digest(t, to), before) {
			t.Errorf("%s: stopped: %v, or the old content is gone", engine, err)
		}
		if _, err := copy.Replace(ctx, from, to, nil); err != nil || !copy.Equal(digest(t, to), digest(t, from)) {
			t.Errorf("%s: %v, or the content differs", engine, err)
		}
	}
}

// TestLook reads beside an open store, whose lock it does not need, and sees
// what is committed.
func TestLook(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "assay.db")
	db, err := sqlite.Open(ctx, path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	fill(t, db)
	raw, err := sqlite.Look(path)
	if err != nil {
		t.Fatal(err)
	}
	defer raw.Close()
	got, err := copy.Digest(ctx, raw)
	if err != nil || !copy.Equal(got, digest(t, db)) {
		t.Errorf("%v, or the content differs", err)
	}
	if _, err := raw.Reading().Exec("DELETE FROM leases"); err == nil {
		t.Error("what only looks wrote")
	}
	at := server.Database(t)
	looking, err := postgres.Look(at)
	if err != nil {
		t.Fatal(err)
	}
	defer looking.Close()
	if used, err := postgres.InUse(ctx, looking); err != nil || used {
		t.Errorf("in use before it is: %v, %v", used, err)
	}
	if version, err := looking.Version(ctx); err != nil || version != 0 {
		t.Errorf("version %d, %v", version, err)
	}
	open, err := postgres.Open(ctx, at)
	if err != nil {
		t.Fatal(err)
	}
	defer open.Close()
	if err := open.Ping(ctx); err != nil {
		t.Fatal(err)
	}
	if used, err := postgres.InUse(ctx, looking); err != nil || !used {
		t.Errorf("not in use while it is: %v, %v", used, err)
	}
}
