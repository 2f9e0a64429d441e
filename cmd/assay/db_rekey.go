package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"io/fs"

	"github.com/spf13/cobra"

	"assay/internal/render"
	"assay/internal/secret"
	"assay/internal/service"
	"assay/internal/store/postgres"
	"assay/internal/store/rekey"
	"assay/internal/store/sqlite"
	"assay/internal/store/sqlstore"
	"assay/internal/swap"
)

func (a *app) dbRekeyCommand() *cobra.Command {
	var f dbFlags
	var next string
	c := &cobra.Command{
		Use: "rekey", Short: a.text.Text("db.rekey.short"), Long: a.text.Text("db.rekey.long"), Args: cobra.NoArgs,
		Example: "  assay db rekey --data /var/lib/assay\n  assay db rekey --data /var/lib/assay --new-key-file /var/lib/assay/assay.key.new",
		RunE: func(c *cobra.Command, _ []string) error {
			return a.interruptibleAs(c, "db.rekey-interrupted", func(ctx context.Context) error {
				if next == "" && c.Flags().Changed("new-key-file") {
					return a.usage(nextMaster, "db.rekey-no-name")
				}
				d, err := a.depot(&f)
				if err != nil {
					return err
				}
				return a.dbRekey(ctx, d, next, f.asJSON)
			})
		},
	}
	a.dbFlags(c, &f)
	c.Flags().StringVar(&next, "new-key-file", "", a.text.Text("flag.db-new-key-file"))
	return c
}

// nextMaster is the command that changes the master key.
const nextMaster = "assay db rekey --new-key-file NEW-FILE"

// A rekeyResult is the result of assay db rekey.
type rekeyResult struct {
	Database string `json:"database"`
	Engine   string `json:"engine"`
	// KeyFile opens the database from now on.
	KeyFile string `json:"key_file"`
	// Resumed: it went on where a run before this one ended. Ended: a run before this
	// one had done everything.
	Resumed bool `json:"resumed"`
	Ended   bool `json:"ended"`
	// Values are how many this run sealed anew, Columns those of each column.
	Values  int64            `json:"values"`
	Columns map[string]int64 `json:"columns"`
}

// dbRekey changes the key that seals secrets, in a database that nobody else has open.
func (a *app) dbRekey(ctx context.Context, d *depot, next string, asJSON bool) error {
	cfg, err := a.rekeyConfig(ctx, d, next)
	if err != nil {
		return err
	}
	raw, release, err := a.alter(ctx, d)
	if err != nil {
		return err
	}
	r := &rekeyResult{Database: d.name(), Engine: raw.Engine(), KeyFile: d.keyFile}
	if next != "" {
		r.KeyFile = next
	}
	err = a.rekey(ctx, raw, d, cfg, r)
	if err := errors.Join(err, release()); err != nil {
		return a.rekeyError(err, d)
	}
	if asJSON {
		return a.writeJSON(r)
	}
	return a.showRekey(r, d)
}

// rekeyConfig reads the key file and, where another one is to follow it, makes that.
func (a *app) rekeyConfig(ctx context.Context, d *depot, next string) (cfg rekey.Config, err error) {
	cfg = rekey.Config{Master: secret.KeyFile{Path: d.keyFile}, Now: a.now(), Rand: rand.Reader}
	key, err := cfg.Master.Key(ctx)
	if err != nil {
		return cfg, a.usage("assay db rekey --key-file FILE", "serve.key", "Path", d.keyFile, "Why", a.why(err))
	}
	defer clear(key)
	if next == "" {
		return cfg, nil
	}
	bad := func(why error) (rekey.Config, error) {
		return cfg, a.usage(nextMaster, "serve.key", "Path", next, "Why", a.why(why))
	}
	file := secret.KeyFile{Path: next}
	if err := file.Create(a.now(), rand.Reader); err != nil && !errors.Is(err, fs.ErrExist) {
		return bad(err)
	}
	// What is no other key stays whose it is.
	other, err := file.Key(ctx)
	if err != nil {
		return bad(err)
	}
	defer clear(other)
	if bytes.Equal(key, other) {
		return cfg, a.usage(nextMaster, "db.rekey-same", "Path", next)
	}
	if err := swap.Adopt(d.keyFile, next); err != nil {
		return bad(err)
	}
	cfg.Next = file
	return cfg, nil
}

// alter opens the database for writing where it is of this program's version and
// nobody else has it open.
func (a *app) alter(ctx context.Context, d *depot) (raw *sqlstore.Raw, release func() error, err error) {
	if err := a.finishRestore(d.dir); err != nil {
		return nil, nil, err
	}
	if d.path != "" {
		raw, release, err = sqlite.Alter(d.path)
	} else {
		raw, release, err = postgres.Alter(ctx, d.database)
	}
	if err != nil {
		return nil, nil, a.databaseError(err, d.name())
	}
	if err := a.fits(ctx, raw, d.name()); err != nil {
		return nil, nil, errors.Join(err, release())
	}
	return raw, release, nil
}

// rekey goes through the steps. After the first, and again before the last, it looks
// whether a server was opened that others were not kept from yet.
func (a *app) rekey(ctx context.Context, raw *sqlstore.Raw, d *depot, cfg rekey.Config, r *rekeyResult) error {
	turn, err := rekey.Begin(ctx, raw, cfg)
	if err != nil {
		return err
	}
	if r.Resumed, r.Ended = turn.Resumed, turn.Ended; r.Ended {
		return nil
	}
	if err := alone(ctx, raw, d); err != nil {
		return err
	}
	progress, end := a.rows("db.rekeying")
	r.Columns, err = turn.Rewrite(ctx, func(c rekey.Column, values int64) {
		if progress != nil {
			progress(c.Table, values)
		}
	})
	end()
	if err != nil {
		return err
	}
	for _, n := range r.Columns {
		r.Values += n
	}
	if err := alone(ctx, raw, d); err != nil {
		return err
	}
	e, err := service.RekeyEntry(a.now(), cfg.Next != nil)
	if err != nil {
		return err
	}
	return turn.Finish(ctx, e)
}

// alone reports a server that has the database open; of SQLite there can be none.
func alone(ctx context.Context, raw *sqlstore.Raw, d *depot) error {
	if d.path != "" {
		return nil
	}
	used, err := postgres.InUse(ctx, raw)
	if err == nil && used {
		err = postgres.ErrInUse
	}
	return err
}

func (a *app) rekeyError(err error, d *depot) error {
	switch {
	case errors.Is(err, rekey.ErrNoRing):
		return a.usage("assay serve"+d.dataFlag(), "db.rekey-none", "Database", d.name())
	case errors.Is(err, secret.ErrOtherMaster):
		return a.usage("assay db rekey --key-file FILE", "serve.key", "Path", d.keyFile, "Why", a.why(err))
	case errors.Is(err, rekey.ErrDamaged):
		return a.unreadable("assay db restore FILE --check", "db.rekey-damaged", "Database", d.name(), "Why", err)
	}
	return a.databaseError(err, d.name())
}

func (a *app) showRekey(r *rekeyResult, d *depot) error {
	p := a.page()
	if r.Ended {
		p.Line(a.text.Text("db.rekey-ended", "Database", render.Safe(r.Database), "Path", render.Safe(r.KeyFile)))
	} else {
		p.Line(a.text.Text("db.rekeyed", "Database", render.Safe(r.Database), "Values", r.Values))
		p.Paragraph(0, a.text.Text("db.rekey-backup"))
	}
	if r.KeyFile == d.keyFile {
		p.Line(p.Command("assay db backup FILE --identity backup.key" + d.dataFlag()))
		return a.print(p)
	}
	p.Paragraph(0, a.text.Text("db.rekey-file", "Path", render.Safe(r.KeyFile), "Old", render.Safe(d.keyFile)))
	p.Line(p.Command("mv " + quoteArgument(r.KeyFile) + " " + quoteArgument(d.keyFile)))
	return a.print(p)
}
