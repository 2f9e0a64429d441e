package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"time"

	"filippo.io/age"
	"github.com/spf13/cobra"

	"assay/internal/backup"
	"assay/internal/render"
	"assay/internal/service"
	"assay/internal/store/copy"
	"assay/internal/store/migrations"
	"assay/internal/store/postgres"
	"assay/internal/store/sqlite"
	"assay/internal/store/sqlstore"
	"assay/internal/swap"
)

// restoreFlags are those of assay db restore.
type restoreFlags struct {
	dbFlags
	seal                           sealFlags
	replace, check, brokenAuditToo bool
}

func (a *app) dbRestoreCommand() *cobra.Command {
	var f restoreFlags
	c := &cobra.Command{
		Use: "restore FILE", Short: a.text.Text("db.restore.short"), Long: a.text.Text("db.restore.long"),
		Example: "  assay db restore monday.age --check --identity backup.key\n  assay db restore monday.age --identity backup.key --data /var/lib/assay\n  assay db restore monday.age --replace",
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) != 1 {
				return a.usage("assay db restore monday.age --identity backup.key", "db.needs-file")
			}
			return a.onDatabase(c, func(ctx context.Context) error { return a.dbRestore(ctx, &f, args[0]) })
		},
	}
	a.dbFlags(c, &f.dbFlags)
	a.sealFlags(c, &f.seal, false)
	c.Flags().BoolVar(&f.replace, "replace", false, a.text.Text("flag.db-replace"))
	c.Flags().BoolVar(&f.check, "check", false, a.text.Text("flag.db-check"))
	c.Flags().BoolVar(&f.brokenAuditToo, "accept-broken-audit", false, a.text.Text("flag.db-broken-audit"))
	return c
}

// A restoreResult is the result of assay db restore.
type restoreResult struct {
	File     string    `json:"file"`
	MadeAt   time.Time `json:"made_at"`
	MadeBy   string    `json:"made_by"` // version of the program
	Schema   int64     `json:"schema"`
	Restored bool      `json:"restored"`
	Database string    `json:"database,omitempty"`
	// Kept is where what was there before is now.
	Kept   string               `json:"kept,omitempty"`
	Rows   int64                `json:"rows"`
	Digest string               `json:"digest"`
	Tables []tableView          `json:"tables"`
	Files  []string             `json:"files"`
	Audit  *service.AuditResult `json:"audit"`
	// OtherKey: the directory's audit.pub is not that of the backup.
	OtherKey bool `json:"other_audit_key"`

	all []copy.Table
}

// dbRestore builds the database beside the one that is there, looks whether it is
// whole, opens and has a chain that holds, and only then lets it take the place.
func (a *app) dbRestore(ctx context.Context, f *restoreFlags, path string) (err error) {
	d, err := a.depot(&f.dbFlags)
	if err != nil {
		return err
	}
	in, err := os.Open(path)
	if err != nil {
		return a.usage("assay db restore FILE", "error.open", "Path", path, "Why", a.why(err))
	}
	defer in.Close()
	identities, err := a.identities(&f.seal)
	if err != nil {
		return err
	}
	reader, err := backup.NewReader(in, identities...)
	if err != nil {
		return a.backupError(err, path)
	}
	newest, err := migrations.Newest("sqlite")
	if err != nil {
		return err
	}
	h := reader.Header()
	if h.Schema > newest || h.Schema < 1 {
		return &failure{code: exitUnavailable, what: a.text.Text("db.backup-newer", "Path", path, "Has", h.Schema, "Knows", newest, "Assay", render.Safe(h.Assay)), next: "assay version"}
	}
	r := &restoreResult{File: path, MadeAt: h.At, MadeBy: h.Assay, Schema: h.Schema}
	release, err := a.clearWay(ctx, d, f)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, release()) }()
	if err := a.restoreStage(ctx, d, f, reader, r); err != nil {
		return err
	}
	if f.asJSON {
		return a.writeJSON(r)
	}
	return a.showRestore(r, d)
}

// clearWay looks whether a backup may be restored here, and keeps others out.
func (a *app) clearWay(ctx context.Context, d *depot, f *restoreFlags) (release func() error, err error) {
	if f.check {
		return func() error { return nil }, nil
	}
	own := filepath.Join(d.dir, databaseFile)
	if d.path != "" && filepath.Clean(d.path) != filepath.Clean(own) {
		return nil, a.usage("assay db restore FILE --data "+quoteArgument(filepath.Dir(d.path)), "db.restore-path", "Path", d.path)
	}
	if err := os.MkdirAll(d.dir, 0o700); err != nil {
		return nil, a.usage("assay db restore FILE --data DIR", "error.open", "Path", d.dir, "Why", a.why(err))
	}
	if release, err = sqlite.Claim(own); err != nil {
		return nil, a.databaseError(err, own)
	}
	if _, err = swap.Finish(d.dir, a.now()); err == nil {
		err = a.vacant(ctx, d, f.replace)
	}
	if err != nil {
		return nil, errors.Join(a.databaseError(err, d.name()), release())
	}
	return release, nil
}

// vacant refuses a target that has something, unless it is to be replaced, and one
// that a server has open in any case.
func (a *app) vacant(ctx context.Context, d *depot, replace bool) error {
	taken := func(what string) error {
		return a.usage("assay db restore FILE --replace"+d.dataFlag(), "db.restore-not-empty", "Path", what)
	}
	if d.path != "" {
		for _, name := range []string{databaseFile, keyName} {
			if _, err := os.Lstat(filepath.Join(d.dir, name)); err == nil && !replace {
				return taken(filepath.Join(d.dir, name))
			}
		}
		return nil
	}
	raw, err := postgres.Look(d.database)
	if err != nil {
		return err
	}
	defer raw.Close()
	if _, err := d.hold(ctx, raw); err != nil {
		return err
	}
	version, err := raw.Version(ctx)
	if err != nil {
		return err
	}
	if err := sqlstore.Fits("postgres", version); errors.Is(err, sqlstore.ErrNewer) {
		return err
	}
	if err := copy.Empty(ctx, raw); errors.Is(err, copy.ErrNotEmpty) && !replace {
		return taken(d.name())
	} else if err != nil && !errors.Is(err, copy.ErrNotEmpty) {
		return err
	}
	return nil
}

// backupError is an error of a backup for the operator.
func (a *app) backupError(err error, path string) error {
	var f *failure
	var key *age.NoIdentityMatchError
	switch {
	case errors.As(err, &f):
		return f
	case errors.Is(err, context.Canceled):
		return err
	case errors.As(err, &key):
		return a.unreadable("assay db restore FILE --identity backup.key", "db.backup-key", "Path", path)
	}
	return a.unreadable("assay db restore OTHER-FILE --check", "db.backup-damaged", "Path", path, "Why", err)
}

func (a *app) showRestore(r *restoreResult, d *depot) error {
	p := a.page()
	pairs := []any{"File", render.Safe(r.File), "Database", render.Safe(d.name()), "Rows", r.Rows, "Time", r.MadeAt.Local().Format(time.DateTime), "Assay", render.Safe(r.MadeBy)}
	if r.Restored {
		p.Line(a.text.Text("db.restored", pairs...))
	} else {
		p.Line(a.text.Text("db.checked", pairs...))
	}
	p.Blank()
	a.tables(p, r.all)
	p.Blank()
	column := p.Column("db.schema", "db.digest", "db.files", "db.kept")
	p.Row(0, column, a.text.Text("db.schema"), itoa(r.Schema))
	p.Row(0, column, a.text.Text("db.digest"), r.Digest)
	p.Row(0, column, a.text.Text("db.files"), render.Safe(strings.Join(r.Files, ", ")))
	if r.Kept != "" {
		p.Row(0, column, a.text.Text("db.kept"), render.Safe(r.Kept))
	}
	if r.Audit.Valid {
		p.Line(a.text.Text("audit.valid", "Entries", r.Audit.Entries, "Signed", r.Audit.Signed, "Heads", r.Audit.Heads))
	} else {
		p.Line(a.text.Text("audit.invalid", "Problem", render.Safe(r.Audit.Problem)))
	}
	if r.Audit.Unsealed > 0 {
		p.Line(a.text.Text("audit.unsealed", "Count", r.Audit.Unsealed))
	}
	if r.OtherKey {
		p.Paragraph(0, a.text.Text("db.other-key"))
	}
	if r.Restored {
		p.Line(p.Command("assay serve" + d.dataFlag()))
	}
	return a.print(p)
}
