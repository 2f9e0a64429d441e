package main

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

	"assay/internal/render"
	"assay/internal/store/migrations"
	"assay/internal/store/postgres"
	"assay/internal/store/sqlite"
	"assay/internal/store/sqlstore"
)

func (a *app) dbMigrateCommand() *cobra.Command {
	var f dbFlags
	var status bool
	var to int64
	c := &cobra.Command{
		Use: "migrate", Short: a.text.Text("db.migrate.short"), Long: a.text.Text("db.migrate.long"), Args: cobra.NoArgs,
		Example: "  assay db migrate --status\n  assay db migrate --data /var/lib/assay\n  assay db migrate --to 1",
		RunE: func(c *cobra.Command, _ []string) error {
			if c.Flags().Changed("to") && (to < 1 || status) {
				return a.usage("assay db migrate --status", "db.to")
			}
			return a.onDatabase(c, func(ctx context.Context) error {
				d, err := a.depot(&f)
				if err != nil {
					return err
				}
				if status {
					return a.migrateStatus(ctx, d, f.asJSON)
				}
				return a.migrate(ctx, d, to, f.asJSON)
			})
		},
	}
	a.dbFlags(c, &f)
	c.Flags().BoolVar(&status, "status", false, a.text.Text("flag.db-status"))
	c.Flags().Int64Var(&to, "to", 0, a.text.Text("flag.db-to-version"))
	return c
}

// A migration is the result of assay db migrate, and with --status what the
// versions are: From is then To.
type migration struct {
	Engine   string `json:"engine"`
	Database string `json:"database"`
	From     int64  `json:"from"`
	To       int64  `json:"to"`
	Newest   int64  `json:"newest"` // that this program knows
}

// migrateStatus says the versions; the exit code is 1 where they differ.
func (a *app) migrateStatus(ctx context.Context, d *depot, asJSON bool) error {
	raw, err := a.openRaw(d)
	if err != nil {
		return err
	}
	defer raw.Close()
	version, err := raw.Version(ctx)
	if err != nil {
		return a.databaseError(err, d.name())
	}
	newest, err := migrations.Newest(raw.Engine())
	if err != nil {
		return err
	}
	if version != newest {
		a.exit = exitRefuse
	}
	if asJSON {
		return a.writeJSON(migration{raw.Engine(), d.name(), version, version, newest})
	}
	p := a.page()
	p.Line(a.text.Text("db.status", "Database", render.Safe(d.name()), "Version", version, "Newest", newest))
	switch {
	case version < newest:
		p.Line(p.Command("assay db migrate" + d.dataFlag()))
	case version > newest:
		p.Line(p.Command("assay db restore FILE --replace" + d.dataFlag()))
	}
	return a.print(p)
}

// migrate brings the tables to a version, 0 for the newest.
func (a *app) migrate(ctx context.Context, d *depot, to int64, asJSON bool) error {
	m, err := a.migration(ctx, d, to)
	if err != nil {
		return a.databaseError(err, d.name())
	}
	if asJSON {
		return a.writeJSON(m)
	}
	p := a.page()
	if m.From == m.To {
		p.Line(a.text.Text("db.same-version", "Database", render.Safe(d.name()), "Version", m.To))
	} else {
		p.Line(a.text.Text("db.migrated", "Database", render.Safe(d.name()), "From", m.From, "To", m.To))
	}
	return a.print(p)
}

func (a *app) migration(ctx context.Context, d *depot, to int64) (m migration, err error) {
	raw, err := a.openRaw(d)
	if err != nil {
		return m, err
	}
	defer func() { err = errors.Join(err, raw.Close()) }()
	m = migration{Engine: raw.Engine(), Database: d.name()}
	if m.Newest, err = migrations.Newest(m.Engine); err != nil {
		return m, err
	}
	if d.path != "" {
		m.From, m.To, err = sqlite.Migrate(ctx, d.path, to)
		return m, err
	}
	// The program before must not find tables that it does not know under it, and
	// neither must this one: for a step back all have to be gone.
	version, err := raw.Version(ctx)
	if err == nil && to > 0 && to < version {
		_, err = d.hold(ctx, raw)
	}
	if err != nil {
		return m, err
	}
	m.From, m.To, err = postgres.Migrate(ctx, d.database, to)
	return m, err
}

// fits refuses tables that are not of this program's version.
func (a *app) fits(ctx context.Context, raw *sqlstore.Raw, name string) error {
	version, err := raw.Version(ctx)
	if err == nil {
		err = sqlstore.Fits(raw.Engine(), version)
	}
	if err != nil {
		return a.databaseError(err, name)
	}
	return nil
}
