// Package migrations holds the tables of the store, a file a version: one text
// for both engines here, what only one of them reads in a directory of its name.
package migrations

import (
	"archive/zip"
	"bytes"
	"embed"
	"fmt"
	"io/fs"
	"path"
	"strings"
)

//go:embed *.sql sqlite/*.sql postgres/*.sql
var files embed.FS

// toPostgres gives PostgreSQL its own word for bytes, and texts the order of
// their bytes, which is SQLite's, whatever the language of the database is.
var toPostgres = strings.NewReplacer(" BLOB", " BYTEA", " TEXT", ` TEXT COLLATE "C"`)

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
