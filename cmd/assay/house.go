package main

import (
	"cmp"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"assay/internal/audit"
	"assay/internal/secret"
	"assay/internal/store"
	"assay/internal/store/postgres"
	"assay/internal/store/rekey"
	"assay/internal/store/sqlite"
)

// databaseFlags say where the service keeps what.
type databaseFlags struct{ data, database, keyFile string }

func (a *app) databaseFlags(c *cobra.Command, f *databaseFlags) {
	c.Flags().StringVar(&f.data, "data", "", a.text.Text("flag.serve-data"))
	c.Flags().StringVar(&f.database, "database", a.getenv("ASSAY_DATABASE"), a.text.Text("flag.database"))
	c.Flags().Lookup("database").DefValue = "" // help shows it, and it may hold a password
	c.Flags().StringVar(&f.keyFile, "key-file", a.getenv("ASSAY_KEY_FILE"), a.text.Text("flag.key-file"))
}

// A house is what a service has: its directory, database and keys.
type house struct {
	dir      string
	name     string // of the database, as it is shown
	Store    store.Store
	secrets  *secret.Keeper
	auditKey ed25519.PrivateKey
}

// Close closes the database.
func (h *house) Close() { _ = h.Store.Close() }

// publicKey verifies the heads of the audit chain.
func (h *house) publicKey() ed25519.PublicKey {
	public, _ := h.auditKey.Public().(ed25519.PublicKey)
	return public
}

// The ids of what the database keeps sealed.
const (
	secretRing  = rekey.RingID // the data keys, sealed by the master key
	secretAudit = "audit-key"  // signs the heads of the audit chain
)

// openHouse opens the directory, the database and the keys, and makes what is
// not there yet.
func (a *app) openHouse(ctx context.Context, f *databaseFlags) (*house, error) {
	h := &house{dir: a.databaseDirectory(f)}
	if err := a.databaseFits("--database", f.database); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(h.dir, 0o700); err != nil {
		return nil, a.usage("assay serve --data DIR", "error.open", "Path", h.dir, "Why", a.why(err))
	}
	if info, err := os.Stat(h.dir); err == nil && info.Mode().Perm()&0o022 != 0 {
		return nil, a.usage("chmod 700 "+h.dir, "serve.directory-open", "Path", h.dir)
	}
	err := a.finishRestore(h.dir)
	if err != nil {
		return nil, err
	}
	if h.name = sqlitePath(h.dir, f.database); postgres.Is(f.database) {
		h.name = withoutPassword(f.database)
	}
	if h.Store, err = a.openStore(ctx, h.dir, f.database); err != nil {
		return nil, err
	}
	if err := a.openKeys(ctx, h, cmp.Or(f.keyFile, filepath.Join(h.dir, keyName))); err != nil {
		h.Close()
		return nil, err
	}
	return h, nil
}

// openStore opens a database by its address: a PostgreSQL URL, or a path.
func (a *app) openStore(ctx context.Context, dir, database string) (store.Store, error) {
	if postgres.Is(database) {
		db, err := postgres.Open(ctx, database)
		if err != nil {
			return nil, a.databaseError(err, database)
		}
		return db, nil
	}
	path := sqlitePath(dir, database)
	db, err := sqlite.Open(ctx, path)
	if err != nil {
		return nil, a.databaseError(err, path)
	}
	return db, nil
}

// databaseFile is the database in a data directory.
const databaseFile = "assay.db"

// keyName is the key file in a data directory.
const keyName = "assay.key"

// sqlitePath is the file of a database that is not PostgreSQL's.
func sqlitePath(dir, database string) string {
	return cmp.Or(strings.TrimPrefix(database, "sqlite:"), filepath.Join(dir, databaseFile))
}

// openKeys opens the key file, the ring of data keys that it seals, and the key
// of the audit log. All are made at the first start; a key file that is missing
// later is an error: what it sealed would be lost.
func (a *app) openKeys(ctx context.Context, h *house, path string) error {
	file := secret.KeyFile{Path: path}
	_, err := h.Store.Secret(ctx, secretRing)
	first := errors.Is(err, store.ErrNotFound)
	if err != nil && !first {
		return a.databaseError(err, h.name)
	}
	if _, err := os.Stat(path); first && errors.Is(err, fs.ErrNotExist) {
		if err := file.Create(a.now(), rand.Reader); err != nil {
			return a.usage("assay serve --key-file FILE", "serve.key", "Path", path, "Why", a.why(err))
		}
	}
	if first {
		if err := a.makeKeys(ctx, h, file); err != nil {
			return a.usage("assay serve --key-file FILE", "serve.key", "Path", path, "Why", a.why(err))
		}
	}
	if err := a.unlock(ctx, h, path); err != nil {
		return err
	}
	return a.showAuditKey(h)
}

// errAuditKey: what signs the heads of the audit chain is sealed, and does not open.
var errAuditKey = errors.New("the audit log's key does not open")

// unlock opens the ring of data keys and the audit log's key with a key file.
func (a *app) unlock(ctx context.Context, h *house, path string) error {
	return a.unlockOr(ctx, h, path, func(why error) error {
		return a.usage("assay serve --key-file FILE", "serve.key", "Path", path, "Why", a.why(why))
	})
}

// unlockOr is unlock where locked is what is said of a key file that does not fit.
func (a *app) unlockOr(ctx context.Context, h *house, path string, locked func(why error) error) error {
	ring, err := h.Store.Secret(ctx, secretRing)
	if err != nil {
		return a.databaseError(err, h.name)
	}
	if h.secrets, err = secret.Open(ctx, secret.Config{Master: secret.KeyFile{Path: path}, Ring: ring, Rand: rand.Reader}); err != nil {
		return locked(err)
	}
	sealed, err := h.Store.Secret(ctx, secretAudit)
	if err != nil {
		return a.databaseError(err, h.name)
	}
	seed, err := h.secrets.Open(secretAudit, sealed)
	if err != nil || len(seed) != ed25519.SeedSize {
		return locked(errAuditKey)
	}
	h.auditKey = ed25519.NewKeyFromSeed(seed)
	return nil
}

// makeKeys makes the ring and the audit log's key, in one of the processes that
// may start at once.
func (a *app) makeKeys(ctx context.Context, h *house, file secret.KeyFile) error {
	ring, err := secret.NewRing(ctx, file, a.now(), rand.Reader)
	if err != nil {
		return err
	}
	keeper, err := secret.Open(ctx, secret.Config{Master: file, Ring: ring, Rand: rand.Reader})
	if err != nil {
		return err
	}
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return err
	}
	sealed, err := keeper.Seal(secretAudit, key.Seed())
	if err != nil {
		return err
	}
	now, owner := a.now().UTC(), rand.Text()
	return h.Store.Write(ctx, func(tx store.Tx) error {
		mine, err := tx.TakeLease("keys", owner, now, now.Add(100*365*24*time.Hour))
		if err != nil || !mine {
			return err
		}
		if err := tx.PutSecret(secretRing, ring, now); err != nil {
			return err
		}
		return tx.PutSecret(secretAudit, sealed, now)
	})
}

// showAuditKey writes the public key beside the database, for whoever verifies
// exports.
func (a *app) showAuditKey(h *house) error {
	text, err := audit.MarshalKey(h.publicKey())
	if err != nil {
		return err
	}
	path := filepath.Join(h.dir, "audit.pub")
	if old, err := a.read(path, maxKeyText, ""); err == nil && string(old) == string(text) {
		return nil
	}
	if err := os.WriteFile(path, text, 0o644); err != nil {
		return a.usage("assay serve --data DIR", "error.open", "Path", path, "Why", a.why(err))
	}
	return nil
}

// databaseDirectory is where the service keeps its files: --data, systemd's state
// directory, or one in the user's.
func (a *app) databaseDirectory(f *databaseFlags) string {
	dir := cmp.Or(f.data, a.getenv("STATE_DIRECTORY"))
	if dir == "" && a.getenv("XDG_STATE_HOME") != "" {
		dir = filepath.Join(a.getenv("XDG_STATE_HOME"), "assay")
	}
	if dir == "" && a.getenv("HOME") != "" {
		dir = filepath.Join(a.getenv("HOME"), ".local", "state", "assay")
	}
	return cmp.Or(dir, filepath.Join(a.dataDirectory(), "service"))
}
