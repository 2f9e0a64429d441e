// Package migrations holds the tables of the store, a file a version: one text
// for both engines here, what only one of them reads in a directory of its name.
package migrations

import (
	"archive/zip"
	"bytes"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"
)

//go:embed *.sql sqlite/*.sql postgres/*.sql
var files embed.FS

// toPostgres gives PostgreSQL its own word for bytes, and texts the order of
// their bytes, which is SQLite's, whatever the language of the database is.
var toPostgres = strings.NewReplacer(" BLOB", " BYTEA", " TEXT", ` TEXT COLLATE "C"`, " WITHOUT ROWID", "")

// keeps marks a migration whose way down loses nothing that was written since: a
// line of its text, so that whoever writes the migration decides it. A test takes
// each marked one down and up again over a full store.
const keeps = "-- Down keeps every row."

// keepsBut marks one whose way down loses nothing but the rows of the tables that
// follow, with commas between them: where those are empty it loses nothing.
const keepsBut = "-- Down keeps every row but those of "

// KeepsRows reports whether the way down of a version is marked as losing nothing,
// or nothing as long as the tables named in but have no rows.
func KeepsRows(engine string, version int64) (keepsRows bool, but []string, err error) {
	list, err := For(engine)
	if err != nil {
		return false, nil, err
	}
	names, err := fs.Glob(list, fmt.Sprintf("%05d_*.sql", version))
	if err != nil || len(names) != 1 {
		return false, nil, errors.Join(err, fmt.Errorf("%d migrations of version %d", len(names), version))
	}
	text, err := fs.ReadFile(list, names[0])
	if err != nil {
		return false, nil, err
	}
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		if line == keeps {
			return true, nil, nil
		}
		if names, ok := strings.CutPrefix(line, keepsBut); ok {
			return true, strings.Split(strings.TrimSuffix(names, "."), ", "), nil
		}
	}
	return false, nil, nil
}

// Versions are the versions of an engine's tables, oldest first.
func Versions(engine string) ([]int64, error) {
	list, err := For(engine)
	if err != nil {
		return nil, err
	}
	names, err := fs.Glob(list, "*.sql")
	if err != nil {
		return nil, err
	}
	var all []int64
	for _, name := range names {
		word, _, _ := strings.Cut(name, "_")
		version, err := strconv.ParseInt(word, 10, 64)
		if err != nil {
			return nil, fmt.Errorf("the migration %s: %w", name, err)
		}
		all = append(all, version)
	}
	slices.Sort(all)
	return all, nil
}

// Newest is the newest version of an engine's tables.
func Newest(engine string) (int64, error) {
	all, err := Versions(engine)
	if err != nil || len(all) == 0 {
		return 0, err
	}
	return all[len(all)-1], nil
}

// For returns the migrations of an engine ("sqlite", "postgres") in goose's form.
func For(engine string) (fs.FS, error) {
	var archive bytes.Buffer // the standard library's file system in memory
	w := zip.NewWriter(&archive)
	for _, pattern := range []string{"*.sql", engine + "/*.sql"} {
		names, err := fs.Glob(files, pattern)
		if err != nil {
			return nil, err
		}
		for _, name := range names {
			text, err := files.ReadFile(name)
			if err != nil {
				return nil, err
			}
			if engine == "postgres" {
				text = []byte(toPostgres.Replace(string(text)))
			}
			f, err := w.CreateHeader(&zip.FileHeader{Name: path.Base(name), Method: zip.Store})
			if err != nil {
				return nil, err
			}
			if _, err := f.Write(text); err != nil {
				return nil, err
			}
		}
	}
	if err := w.Close(); err != nil {
		return nil, fmt.Errorf("the migrations of %s: %w", engine, err)
	}
	return zip.NewReader(bytes.NewReader(archive.Bytes()), int64(archive.Len()))
}
