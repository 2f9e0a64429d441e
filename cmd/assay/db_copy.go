package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"assay/internal/render"
	"assay/internal/store/copy"
	"assay/internal/store/postgres"
	"assay/internal/store/sqlite"
	"assay/internal/store/sqlstore"
)

func (a *app) dbCopyCommand() *cobra.Command {
	var f dbFlags
	var to string
	var snapshot bool
	c := &cobra.Command{
		Use: "copy --to DATABASE", Short: a.text.Text("db.copy.short"), Long: a.text.Text("db.copy.long"), Args: cobra.NoArgs,
		Example: "  assay db copy --to postgres://assay@db/assay\n  assay db copy --database postgres://assay@db/assay --to /srv/assay/assay.db",
		RunE: func(c *cobra.Command, _ []string) error {
			if to == "" {
				return a.usage("assay db copy --to postgres://assay@db/assay", "db.copy-to")
			}
			return a.onDatabase(c, func(ctx context.Context) error {
				d, err := a.depot(&f)
				if err != nil {
					return err
				}
				if err := a.databaseFits("--to", to); err != nil {
					return err
				}
				return a.dbCopy(ctx, d, to, f.given(), snapshot, f.asJSON)
			})
		},
	}
	a.dbFlags(c, &f)
	c.Flags().StringVar(&to, "to", "", a.text.Text("flag.db-to"))
	c.Flags().BoolVar(&snapshot, "snapshot", false, a.text.Text("flag.db-snapshot"))
	return c
}

// A copyResult is the result of assay db copy.
type copyResult struct {
	From   string      `json:"from"`
	To     string      `json:"to"`
	Rows   int64       `json:"rows"`
	Tables []tableView `json:"tables"`
	// Source and Target are the digests of all content, each read from its side.
	Source string `json:"source_digest"`
	Target string `json:"target_digest"`
	// Running: a server had the source open; what it wrote since is not copied.
	Running bool `json:"running"`
}

// dbCopy copies a database to an empty one. Whoever copies wants to go on with
// the copy, so a running server is a reason to stop: what it acknowledges in the
// meantime would be lost.
func (a *app) dbCopy(ctx context.Context, d *depot, to, given string, snapshot, asJSON bool) error {
	raw, err := a.openRaw(d)
	if err != nil {
		return err
	}
	defer raw.Close()
	if err := a.fits(ctx, raw, d.name()); err != nil {
		return err
	}
	r := copyResult{From: d.name(), To: withoutPassword(to)}
	release, err := d.hold(ctx, raw)
	switch {
	case errors.Is(err, sqlite.ErrInUse) && snapshot:
		r.Running = true
	case errors.Is(err, sqlite.ErrInUse):
		return &failure{code: exitUnavailable, what: a.text.Text("db.copy-in-use", "Database", d.name()), next: "assay db copy --snapshot --to " + quoteArgument(r.To) + given}
	case err != nil:
		return a.databaseError(err, d.name())
	default:
		defer func() { _ = release() }()
	}
	done, target, err := a.copyInto(ctx, raw, d, to)
	if err != nil {
		return err
	}
	r.Tables, r.Rows = tableViews(done)
	r.Source, r.Target = copy.Whole(done), copy.Whole(target)
	if asJSON {
		return a.writeJSON(r)
	}
	p := a.page()
	p.Line(a.text.Text("db.copied", "From", render.Safe(r.From), "To", render.Safe(r.To), "Rows", r.Rows))
	p.Blank()
	a.tables(p, done)
	p.Blank()
	column := p.Column("db.source", "db.target")
	p.Row(0, column, a.text.Text("db.source"), r.Source)
	p.Row(0, column, a.text.Text("db.target"), r.Target)
	p.Paragraph(0, a.text.Text("db.copy-equal"))
	if r.Running {
		p.Paragraph(0, a.text.Text("db.copy-running"))
	} else {
		p.Line(p.Command("assay serve --data " + quoteArgument(d.dir) + " --database " + quoteArgument(r.To)))
	}
	return a.print(p)
}

// copyInto copies and reads the target again once it is committed.
func (a *app) copyInto(ctx context.Context, raw *sqlstore.Raw, d *depot, to string) (done, target []copy.Table, err error) {
	store, undo, err := a.openTarget(ctx, d, to)
	if err != nil {
		return nil, nil, err
	}
	progress, end := a.rows("db.copying")
	done, err = copy.Copy(ctx, raw, store, progress)
	end()
	if err == nil {
		// It is there; an interrupt cannot take it back.
		target, err = copy.Digest(context.WithoutCancel(ctx), store)
		if err == nil && !copy.Equal(done, target) {
			err = errors.New("the target reads differently than it was written")
		}
	}
	err = errors.Join(err, store.Close())
	if err == nil {
		return done, target, nil
	}
	undo()
	if errors.Is(err, copy.ErrNotEmpty) {
		return nil, nil, a.usage("assay db copy --to "+emptyTarget(to), "db.target-not-empty", "Target", withoutPassword(to), "Why", err)
	}
	return nil, nil, a.databaseError(err, to)
}

// emptyTarget suggests another target of the same kind.
func emptyTarget(to string) string {
	if postgres.Is(to) {
		return "postgres://…/EMPTY"
	}
	return "NEW.db"
}

// openTarget opens the database to copy to; undo removes a file that it made.
func (a *app) openTarget(ctx context.Context, d *depot, to string) (db *sqlstore.DB, undo func(), err error) {
	if postgres.Is(to) {
		if db, err = postgres.Open(ctx, to); err != nil {
			return nil, nil, a.databaseError(err, to)
		}
		return db, func() {}, nil
	}
	path := sqlitePath(d.dir, to)
	if d.path != "" && samePath(path, d.path) {
		return nil, nil, a.usage("assay db copy --to NEW.db", "db.copy-itself", "Path", path)
	}
	if _, err := os.Stat(filepath.Dir(path)); err != nil {
		return nil, nil, a.usage("mkdir -p "+quoteArgument(filepath.Dir(path)), "error.open", "Path", filepath.Dir(path), "Why", a.why(err))
	}
	_, err = os.Stat(path)
	made := errors.Is(err, os.ErrNotExist)
	if db, err = sqlite.Open(ctx, path); err != nil {
		return nil, nil, a.databaseError(err, path)
	}
	return db, func() {
		if made {
			for _, ending := range []string{"-wal", "-shm", "", ".lock"} {
				_ = os.Remove(path + ending) // nothing was kept in them
			}
		}
	}, nil
}

// samePath reports whether two paths are one file.
func samePath(one, other string) bool {
	a, err := os.Stat(one)
	b, err2 := os.Stat(other)
	return err == nil && err2 == nil && os.SameFile(a, b)
}
