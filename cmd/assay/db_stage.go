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

	"assay/internal/audit"
	"assay/internal/backup"
	"assay/internal/render"
	"assay/internal/service"
	"assay/internal/store"
	"assay/internal/store/copy"
	"assay/internal/store/migrations"
	"assay/internal/store/postgres"
	"assay/internal/store/sqlite"
	"assay/internal/swap"
)

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
	if old, err := a.read(filepath.Join(d.dir, "audit.pub"), maxKeyText, ""); err == nil {
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
	r.Audit, err = a.provenAudit(ctx, db, stage.Path(keyName), r.File)
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

func (a *app) provenAudit(ctx context.Context, db store.Store, key, backup string) (*service.AuditResult, error) {
	h := &house{Store: db}
	if _, err := db.Secret(ctx, secretRing); errors.Is(err, store.ErrNotFound) {
		return &service.AuditResult{Valid: true}, nil // it never served: there is nothing yet
	}
	err := a.unlockOr(ctx, h, key, func(why error) error {
		return a.unreadable("assay db restore OTHER-FILE --check", "db.restore-other-key", "Path", backup, "Why", a.why(why))
	})
	if err != nil {
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
