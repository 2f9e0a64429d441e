// Package migrations holds the tables of the store, a file a version: one text
// for both engines here, what only one of them reads in a directory of its name.
// A file is in goose's form, each way of it run as one text in one transaction.
package migrations

import (
	"cmp"
	"embed"
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
// follow, with commas between them, each with a condition where only some of its rows are
// meant: where there are none of those it loses nothing. What a program of the version
// before cannot read is lost too.
const keepsBut = "-- Down keeps every row but those of "

// The lines of a file that begin its ways.
const (
	wayUp   = "-- +goose Up\n"
	wayDown = "-- +goose Down\n"
)

// A Step is the way to a version from the one before it, and back.
type Step struct {
	Version      int64
	engine, file string
}

// Steps are the steps of an engine's tables ("sqlite", "postgres"), oldest first.
// No text of theirs is read before it is asked for.
func Steps(engine string) ([]Step, error) {
	var all []Step
	for _, pattern := range []string{"*.sql", engine + "/*.sql"} {
		names, err := fs.Glob(files, pattern)
		if err != nil {
			return nil, err
		}
		for _, name := range names {
			word, _, _ := strings.Cut(path.Base(name), "_")
			version, err := strconv.ParseInt(word, 10, 64)
			if err != nil {
				return nil, fmt.Errorf("the migration %s: %w", name, err)
			}
			all = append(all, Step{Version: version, engine: engine, file: name})
		}
	}
	slices.SortFunc(all, func(a, b Step) int { return cmp.Compare(a.Version, b.Version) })
	return all, nil
}

// Up is the SQL that leads to the version.
func (s Step) Up() (string, error) {
	up, _, err := s.ways()
	return up, err
}

// Down is the SQL that leads back.
func (s Step) Down() (string, error) {
	_, down, err := s.ways()
	return down, err
}

func (s Step) ways() (up, down string, err error) {
	text, err := files.ReadFile(s.file)
	if err != nil {
		return "", "", err
	}
	_, ways, found := strings.Cut(string(text), wayUp)
	up, down, ok := strings.Cut(ways, wayDown)
	if !found || !ok {
		return "", "", fmt.Errorf("the migration %s does not say where its ways begin", s.file)
	}
	if s.engine == "postgres" {
		up, down = toPostgres.Replace(up), toPostgres.Replace(down)
	}
	return up, down, nil
}

// KeepsRows reports whether the way down is marked as losing nothing, or nothing as
// long as the tables named in but have no rows, or none that meet the condition there.
func (s Step) KeepsRows() (keepsRows bool, but []string, err error) {
	text, err := s.Down()
	if err != nil {
		return false, nil, err
	}
	for line := range strings.Lines(text) {
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

// Newest is the newest version of an engine's tables.
func Newest(engine string) (int64, error) {
	all, err := Steps(engine)
	if err != nil || len(all) == 0 {
		return 0, err
	}
	return all[len(all)-1].Version, nil
}
