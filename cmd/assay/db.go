package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"assay/internal/config"
	"assay/internal/render"
	"assay/internal/service"
	"assay/internal/store/copy"
	"assay/internal/store/postgres"
	"assay/internal/store/sqlite"
	"assay/internal/store/sqlstore"
	"assay/internal/swap"
)

func (a *app) dbCommand() *cobra.Command {
	c := &cobra.Command{Use: "db", Short: a.text.Text("db.short"), Long: a.text.Text("db.long"), RunE: a.subcommandNeeded}
	c.AddCommand(a.dbMigrateCommand(), a.dbCopyCommand(), a.dbBackupCommand(), a.dbRestoreCommand(), a.dbRekeyCommand())
	return c
}

// dbFlags are those that all commands about the database have. Where the database
// is they find out as assay serve does.
type dbFlags struct {
	databaseFlags
	config string
	asJSON bool
	set    *pflag.FlagSet
}

func (a *app) dbFlags(c *cobra.Command, f *dbFlags) {
	a.databaseFlags(c, &f.databaseFlags)
	s := c.Flags()
	s.StringVar(&f.config, "config", "", a.text.Text("flag.config"))
	s.BoolVar(&f.asJSON, "json", false, a.text.Text("flag.json"))
	f.set = s
}

// given are the flags that say where the database is, as they were given: commands
// that are suggested have them too.
func (f *dbFlags) given() string {
	text := ""
	for _, name := range []string{"data", "database", "key-file", "config"} {
		if flag := f.set.Lookup(name); flag.Changed {
			text += " --" + name + " " + quoteArgument(withoutPassword(flag.Value.String()))
		}
	}
	return text
}

// A depot is where a database and what belongs to it are.
type depot struct {
	dir      string
	database string // as it was given, "" for the file in dir
	path     string // of SQLite's file; "" with PostgreSQL
	keyFile  string
	file     *config.Config // the configuration file, never nil
	filePath string         // of that; "" where there is none
}

// name is how the database is shown.
func (d *depot) name() string {
	if d.path != "" {
		return d.path
	}
	return withoutPassword(d.database)
}

// depot settles where things are: by flag, environment or configuration file.
func (a *app) depot(f *dbFlags) (*depot, error) {
	file, err := a.config(f.config)
	if err != nil {
		return nil, err
	}
	for _, key := range []string{"data", "database", "key-file"} {
		if f.set.Changed(key) {
			continue
		}
		text, where := a.settingOf(key)
		if text == "" {
			text, _ = file.Serve.Set(key)
			where = "[serve] " + key
		}
		if text == "" {
			continue
		}
		if err := f.set.Lookup(key).Value.Set(text); err != nil {
			return nil, a.usage("assay db --help", "serve.setting", "Where", where, "Why", a.flagWhy(f.set.Lookup(key), err))
		}
	}
	if err := a.databaseFits("--database", f.database); err != nil {
		return nil, err
	}
	d := &depot{dir: a.databaseDirectory(&f.databaseFlags), database: f.database, file: file, filePath: a.configFile(f.config)}
	if !postgres.Is(f.database) {
		d.path = sqlitePath(d.dir, f.database)
	}
	d.keyFile = f.keyFile
	if d.keyFile == "" {
		d.keyFile = filepath.Join(d.dir, keyName)
	}
	return d, nil
}

// openRaw opens the database for reading, whatever its version is.
func (a *app) openRaw(d *depot) (*sqlstore.Raw, error) {
	if err := a.finishRestore(d.dir); err != nil {
		return nil, err
	}
	if d.path == "" {
		raw, err := postgres.Look(d.database)
		if err != nil {
			return nil, a.databaseError(err, d.database)
		}
		return raw, nil
	}
	raw, err := sqlite.Look(d.path)
	if err != nil {
		return nil, a.databaseError(err, d.path)
	}
	return raw, nil
}

// madeBefore returns an error, with the text of id, where a database has no tables
// yet: opening it as a service does would make them.
func (a *app) madeBefore(ctx context.Context, d *depot, id string) error {
	raw, err := a.openRaw(d)
	if err != nil {
		return err
	}
	version, err := raw.Version(ctx)
	if err = errors.Join(err, raw.Close()); err != nil {
		return err
	}
	if version == 0 {
		return a.usage("assay serve"+d.dataFlag(), id, "Database", d.name())
	}
	return nil
}

// hold keeps others from opening the database as a store until release is called;
// of PostgreSQL it only sees whether one has it open. The error is
// [sqlite.ErrInUse] where one has.
func (d *depot) hold(ctx context.Context, raw *sqlstore.Raw) (release func() error, err error) {
	if d.path != "" {
		return sqlite.Claim(d.path)
	}
	used, err := postgres.InUse(ctx, raw)
	if err == nil && used {
		err = sqlite.ErrInUse
	}
	return func() error { return nil }, err
}

// finishRestore finishes a restore that was decided when its process died.
func (a *app) finishRestore(dir string) error {
	if !swap.Pending(dir) {
		return nil
	}
	path := filepath.Join(dir, databaseFile)
	release, err := sqlite.Claim(path)
	if err != nil {
		return a.databaseError(err, path)
	}
	_, err = swap.Finish(dir, a.now())
	if err = errors.Join(err, release()); err != nil {
		return a.databaseError(err, path)
	}
	return nil
}

// databaseError is an error of the database for the operator, with what to do.
func (a *app) databaseError(err error, database string) error {
	var f *failure
	var version *sqlstore.VersionError
	var problem *service.Problem
	if errors.As(err, &problem) && problem.Err != nil {
		err = problem.Err // what it says for whoever asks the service does not help here
	}
	name := withoutPassword(database)
	switch {
	case errors.As(err, &f):
		return f
	case errors.Is(err, context.Canceled):
		return err
	case errors.Is(err, sqlite.ErrInUse), errors.Is(err, postgres.ErrInUse):
		return &failure{code: exitUnavailable, what: a.text.Text("db.in-use", "Database", name), next: "systemctl stop assay"}
	case errors.Is(err, fs.ErrNotExist):
		return &failure{code: exitUsage, what: a.text.Text("db.missing", "Database", name), next: "assay serve --data DIR", err: fs.ErrNotExist}
	case errors.As(err, &version):
		return a.versionError(version, name)
	case sqlite.Damaged(err):
		next := "assay db restore FILE --replace"
		if filepath.Base(name) == databaseFile { // others cannot be restored where they are
			next += " --data " + quoteArgument(filepath.Dir(name))
		}
		return &failure{code: exitUnavailable, what: a.text.Text("db.damaged", "Database", name, "Why", err), next: next}
	}
	return &failure{code: exitUnavailable, what: a.text.Text("serve.no-database", "Database", name, "Why", err), next: "assay serve --help"}
}

func (a *app) versionError(v *sqlstore.VersionError, name string) error {
	pairs := []any{"Database", name, "Has", v.Has, "Knows", v.Knows}
	switch v.Err {
	case sqlstore.ErrNewer:
		return &failure{code: exitUnavailable, what: a.text.Text("db.newer", pairs...), next: "assay db restore FILE --replace"}
	case sqlstore.ErrOlder:
		return &failure{code: exitUnavailable, what: a.text.Text("db.older", pairs...), next: "assay db migrate"}
	case sqlstore.ErrLoses:
		return a.usage("assay db restore FILE --replace", "db.loses", pairs...)
	}
	return a.usage("assay db migrate --status", "db.no-version", pairs...)
}

// onDatabase runs a command that can be interrupted and then has changed nothing.
func (a *app) onDatabase(c *cobra.Command, run func(context.Context) error) error {
	return a.interruptibleAs(c, "db.interrupted", run)
}

// interruptibleAs runs a command on the database; id says what an interrupt leaves.
func (a *app) interruptibleAs(c *cobra.Command, id string, run func(context.Context) error) error {
	err := a.interruptible(c, func(ctx context.Context) error {
		err := run(ctx)
		if err != nil && ctx.Err() != nil {
			return ctx.Err() // whatever the driver says when it is stopped
		}
		return err
	})
	var f *failure
	if errors.As(err, &f) && f.what == a.text.Text("error.interrupted") {
		f.what = a.text.Text(id)
	}
	return err
}

// rows shows how far a copy is, on a terminal. The function ends the line.
func (a *app) rows(id string) (copy.Progress, func()) {
	if !terminal(a.err) {
		return nil, func() {}
	}
	shown, total, last, table := time.Time{}, int64(0), int64(0), ""
	return func(name string, rows int64) {
			if name != table {
				table, last = name, 0
			}
			total, last = total+rows-last, rows
			if time.Since(shown) < 200*time.Millisecond {
				return
			}
			shown = time.Now()
			fmt.Fprintf(a.err, "\r\x1b[K%s", a.text.Text(id, "Table", name, "Rows", total))
		}, func() {
			if !shown.IsZero() {
				fmt.Fprint(a.err, "\r\x1b[K")
			}
		}
}

// A tableView is a table in the JSON of these commands.
type tableView struct {
	Name   string `json:"name"`
	Rows   int64  `json:"rows"`
	Digest string `json:"digest"`
}

func tableViews(all []copy.Table) (views []tableView, rows int64) {
	for _, t := range all {
		views = append(views, tableView{Name: t.Name, Rows: t.Rows, Digest: fmt.Sprintf("%x", t.Digest)})
		rows += t.Rows
	}
	return views, rows
}

// tables shows tables that have rows, with the first half of their digests.
func (a *app) tables(p *render.Page, all []copy.Table) {
	rows := [][]render.Cell{a.heads("db.table", "db.rows", "db.digest")}
	for _, t := range all {
		if t.Rows > 0 {
			rows = append(rows, []render.Cell{render.Plain(t.Name), render.Plain(itoa(t.Rows)), render.Plain(fmt.Sprintf("%x", t.Digest[:16]))})
		}
	}
	p.Table(0, 2, rows)
}

// dataFlag is the flag --data of commands that are suggested.
func (d *depot) dataFlag() string {
	words := []string{" --data " + quoteArgument(d.dir)}
	if d.path == "" {
		words = append(words, "--database "+quoteArgument(withoutPassword(d.database)))
	}
	return strings.Join(words, " ")
}

// quoteArgument quotes an argument for a POSIX shell where that is needed.
func quoteArgument(s string) string {
	if s != "" && !slices.ContainsFunc([]rune(s), func(r rune) bool {
		return !strings.ContainsRune("/.:_-=@%+,", r) && (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z')
	}) {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
