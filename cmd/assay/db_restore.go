package main

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"filippo.io/age"
	"github.com/spf13/cobra"

	"assay/internal/audit"
	"assay/internal/backup"
	"assay/internal/render"
	"assay/internal/service"
	"assay/internal/store"
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

// restoreStage reads the backup into a stage, verifies it and commits.
func (a *app) restoreStage(ctx context.Context, d *depot, f *restoreFlags, in *backup.Reader, r *restoreResult) (err error) {
	dir := d.dir
	if f.check {
		if dir, err = os.MkdirTemp("", "assay-check-*"); err != nil {
			return a.usage("TMPDIR=DIR assay db restore FILE --check", "error.write", "Path", os.TempDir(), "Why", a.why(err))
		}
		defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	}
	stage, err := swap.Begin(dir)
	if err != nil {
		return a.usage("assay db restore FILE --data DIR", "error.write", "Path", dir, "Why", a.why(err))
	}
	defer func() { err = errors.Join(err, stage.Abandon()) }()
	path := stage.Path(databaseFile)
	if d.path == "" {
		path = stage.Scratch(databaseFile)
	}
	if err := a.readBackup(ctx, in, stage, path, r); err != nil {
		return err
	}
	if err := a.proveBackup(ctx, stage, path, d.path == "", r); err != nil {
		return err
	}
	if !r.Audit.Valid && !f.brokenAuditToo {
		return a.unreadable("assay db restore FILE --accept-broken-audit", "db.audit-broken", "Path", r.File, "Problem", render.Safe(r.Audit.Problem))
	}
	if f.check {
		return nil
	}
	if old, err := os.ReadFile(filepath.Join(d.dir, "audit.pub")); err == nil {
		key, err := audit.ParseKey(old)
		r.OtherKey = err != nil || hex.EncodeToString(key) != r.Audit.Key
	}
	if d.path == "" {
		if err := a.intoPostgres(ctx, d, path, f.replace); err != nil {
			return err
		}
	}
	if err := ctx.Err(); err != nil && d.path != "" {
		return err
	}
	if r.Kept, err = stage.Commit(a.now()); err != nil {
		return &failure{code: exitUnavailable, what: a.text.Text("error.write", "Path", d.dir, "Why", a.why(err)), next: "assay db restore FILE --replace"}
	}
	r.Restored, r.Database = true, d.name()
	return nil
}

// readBackup makes the database and the files of a backup in the stage.
func (a *app) readBackup(ctx context.Context, in *backup.Reader, stage *swap.Stage, path string, r *restoreResult) (err error) {
	raw, err := sqlite.Make(ctx, path, r.Schema)
	if err != nil {
		return a.databaseError(err, path)
	}
	defer func() { err = errors.Join(err, raw.Close()) }()
	progress, end := a.rows("db.restoring")
	defer end()
	r.all, err = copy.Import(ctx, in, raw, func(f copy.File) error {
		r.Files = append(r.Files, f.Name)
		return putFile(stage, f)
	}, progress)
	if err != nil {
		return a.backupError(err, r.File)
	}
	r.Tables, r.Rows = tableViews(r.all)
	r.Digest = copy.Whole(r.all)
	return nil
}

// putFile writes a file of a backup; it may have only names that backups give.
func putFile(stage *swap.Stage, f copy.File) error {
	name, ok := strings.CutPrefix(f.Name, configurationDirectory+"/")
	if ok {
		ok = name == filepath.Base(name) && filepath.IsLocal(name)
		if err := os.MkdirAll(stage.Path(configurationDirectory), 0o700); err != nil {
			return err
		}
	}
	if !ok && f.Name != keyName && !slices.Contains(directoryFiles, f.Name) {
		return fmt.Errorf("%w: it has a file %q", backup.ErrDamaged, f.Name)
	}
	mode := os.FileMode(0o600)
	if f.Name == "audit.pub" || f.Name == "tls.crt" {
		mode = 0o644 // public
	}
	out, err := os.OpenFile(stage.Path(f.Name), os.O_CREATE|os.O_EXCL|os.O_WRONLY, mode)
	if err != nil {
		return err
	}
	_, err = out.Write(f.Content)
	return errors.Join(err, out.Close())
}

// proveBackup looks through the database and opens it as the service would: with
// the tables of this program, the key file of the backup, and the audit chain
// verified. What is restored keeps its version, for the program that it is of;
// inPlace: it is only copied on from here.
func (a *app) proveBackup(ctx context.Context, stage *swap.Stage, path string, inPlace bool, r *restoreResult) error {
	if err := sqlite.Check(ctx, path); err != nil {
		return a.backupError(fmt.Errorf("%w: %w", backup.ErrDamaged, err), r.File)
	}
	newest, err := migrations.Newest("sqlite")
	if err != nil {
		return err
	}
	trial := path
	if r.Schema < newest && !inPlace {
		trial = stage.Scratch("trial.db")
		if err := duplicate(path, trial); err != nil {
			return a.usage("df", "error.write", "Path", trial, "Why", a.why(err))
		}
	}
	db, err := sqlite.Open(ctx, trial)
	if err != nil {
		return a.databaseError(err, trial)
	}
	r.Audit, err = a.provenAudit(ctx, db, stage.Path(keyName))
	err = errors.Join(err, db.Close())
	for _, ending := range []string{".lock", "-wal", "-shm"} {
		// The log is empty: whoever closes a database last has written it back.
		if info, e := os.Stat(path + ending); e == nil && ending == "-wal" && info.Size() > 0 {
			err = errors.Join(err, fmt.Errorf("%s%s is not empty", path, ending))
		}
		_ = os.Remove(path + ending)
	}
	return err
}

func (a *app) provenAudit(ctx context.Context, db store.Store, key string) (*service.AuditResult, error) {
	h := &house{Store: db}
	if _, err := db.Secret(ctx, secretRing); errors.Is(err, store.ErrNotFound) {
		return &service.AuditResult{Valid: true}, nil // it never served: there is nothing yet
	}
	if err := a.unlock(ctx, h, key); err != nil {
		return nil, err
	}
	r, err := service.VerifyAudit(ctx, db, h.publicKey())
	if err != nil {
		return nil, a.databaseError(err, key)
	}
	stats, err := db.Stats(ctx, a.now())
	r.Unsealed = stats.Unsealed
	return r, err
}

func duplicate(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}

// intoPostgres copies the proven database on, in one transaction.
func (a *app) intoPostgres(ctx context.Context, d *depot, path string, replace bool) (err error) {
	from, err := sqlite.Look(path)
	if err != nil {
		return a.databaseError(err, path)
	}
	defer func() { err = errors.Join(err, from.Close()) }()
	to, err := postgres.Open(ctx, d.database)
	if err != nil {
		return a.databaseError(err, d.database)
	}
	defer func() { err = errors.Join(err, to.Close()) }()
	move := copy.Copy
	if replace {
		move = copy.Replace
	}
	progress, end := a.rows("db.copying")
	_, err = move(ctx, from, to, progress)
	end()
	if err != nil {
		return a.databaseError(err, d.database)
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
