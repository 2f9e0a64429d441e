package main

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"filippo.io/age"
	"github.com/spf13/cobra"

	"assay/internal/backup"
	"assay/internal/render"
	"assay/internal/secret"
	"assay/internal/store/copy"
	"assay/internal/store/sqlstore"
	"assay/review"
)

// What a backup calls the files of a data directory, and where it puts the
// configuration, which was elsewhere.
var directoryFiles = []string{"audit.pub", "tls.crt", "tls.key"}

const configurationDirectory = "configuration"

func (a *app) dbBackupCommand() *cobra.Command {
	var f dbFlags
	var seal sealFlags
	c := &cobra.Command{
		Use: "backup FILE", Short: a.text.Text("db.backup.short"), Long: a.text.Text("db.backup.long"),
		Example: "  assay db backup monday.age --identity backup.key\n  assay db backup monday.age --recipient age1… --data /var/lib/assay",
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) != 1 {
				return a.usage("assay db backup monday.age --identity backup.key", "db.needs-file")
			}
			return a.onDatabase(c, func(ctx context.Context) error { return a.dbBackup(ctx, &f, &seal, args[0]) })
		},
	}
	a.dbFlags(c, &f)
	a.sealFlags(c, &seal, true)
	return c
}

// A backupResult is the result of assay db backup.
type backupResult struct {
	File     string      `json:"file"`
	Database string      `json:"database"`
	Engine   string      `json:"engine"`
	Schema   int64       `json:"schema"`
	At       time.Time   `json:"at"`
	Bytes    int64       `json:"bytes"`
	SHA256   string      `json:"sha256"` // of the file
	Rows     int64       `json:"rows"`
	Digest   string      `json:"digest"` // of the content
	Tables   []tableView `json:"tables"`
	Files    []string    `json:"files"`
	// Identity is the file that opens it, where this run made it.
	Identity string `json:"identity,omitempty"`

	all  []copy.Table
	open string // the flag that opens it
}

// dbBackup writes a backup. It reads beside a server that runs: see
// [sqlite.Look]; of PostgreSQL it reads one snapshot.
func (a *app) dbBackup(ctx context.Context, f *dbFlags, seal *sealFlags, path string) error {
	d, err := a.depot(f)
	if err != nil {
		return err
	}
	if _, err := os.Lstat(path); err == nil {
		return a.usage("assay db backup NEW-FILE", "db.file-there", "Path", path)
	}
	raw, err := a.openRaw(d)
	if err != nil {
		return err
	}
	defer raw.Close()
	files, err := a.belongings(d)
	if err != nil {
		return err
	}
	recipients, made, err := a.recipients(seal)
	if err != nil {
		return err
	}
	r := &backupResult{File: path, Database: d.name(), Engine: raw.Engine(), Identity: made}
	if seal.identity != "" {
		r.open = " --identity " + quoteArgument(seal.identity)
	}
	for _, f := range files {
		r.Files = append(r.Files, f.Name)
	}
	if err := a.writeBackup(ctx, raw, d, files, recipients, r); err != nil {
		return err
	}
	if f.asJSON {
		return a.writeJSON(r)
	}
	return a.showBackup(r)
}

// writeBackup writes the file under another name first: what has the name is whole.
func (a *app) writeBackup(ctx context.Context, raw *sqlstore.Raw, d *depot, files []copy.File, to []age.Recipient, r *backupResult) (err error) {
	cannot := func(err error) error {
		return a.usage("assay db backup FILE", "error.write", "Path", r.File, "Why", a.why(err))
	}
	out, err := os.CreateTemp(filepath.Dir(r.File), "."+filepath.Base(r.File)+".*") // 0600
	if err != nil {
		return cannot(err)
	}
	defer func() { _ = os.Remove(out.Name()) }()
	defer out.Close()
	sum := sha256.New()
	count := &counter{w: io.MultiWriter(out, sum)}
	var w *backup.Writer
	start := func(s copy.Snapshot) (*backup.Writer, error) {
		if s.Schema == 0 {
			return nil, a.usage("assay serve", "db.empty", "Database", r.Database)
		}
		if err := a.keyFits(ctx, d, files, s); err != nil {
			return nil, err
		}
		r.Schema, r.At = s.Schema, a.now().UTC().Truncate(time.Millisecond)
		var err error
		w, err = backup.NewWriter(count, backup.Header{Assay: review.Engine, Schema: s.Schema, Engine: r.Engine, At: r.At}, to...)
		return w, err
	}
	progress, end := a.rows("db.backing-up")
	r.all, err = copy.Export(ctx, raw, files, start, progress)
	end()
	var full *fs.PathError
	if err == nil {
		_, err = w.Close()
	}
	if errors.As(err, &full) {
		return cannot(err)
	} else if err != nil {
		return a.databaseError(err, r.Database)
	}
	if err := errors.Join(out.Sync(), os.Link(out.Name(), r.File)); err != nil {
		return cannot(err)
	}
	r.Tables, r.Rows = tableViews(r.all)
	r.Digest, r.Bytes, r.SHA256 = copy.Whole(r.all), count.n, fmt.Sprintf("%x", sum.Sum(nil))
	return nil
}

// keyFits refuses a key file that does not open what the database keeps sealed: what
// is restored with it would serve nobody. The content is tried that is backed up.
func (a *app) keyFits(ctx context.Context, d *depot, files []copy.File, s copy.Snapshot) error {
	ring, err := s.Secret(secretRing)
	if err != nil || ring == nil { // nil: it never served
		return err
	}
	i := slices.IndexFunc(files, func(f copy.File) bool { return f.Name == keyName })
	key := secret.KeyText{Path: d.keyFile, Content: files[i].Content}
	if _, err := secret.Open(ctx, secret.Config{Master: key, Ring: ring, Rand: rand.Reader}); err != nil {
		return a.unreadable("assay db backup FILE --key-file FILE"+d.dataFlag(), "db.backup-other-key", "Path", d.keyFile, "Database", d.name(), "Why", a.why(err))
	}
	return nil
}

type counter struct {
	w io.Writer
	n int64
}

func (c *counter) Write(b []byte) (int, error) {
	n, err := c.w.Write(b)
	c.n += int64(n)
	return n, err
}

func (a *app) showBackup(r *backupResult) error {
	p := a.page()
	p.Line(a.text.Text("db.backed-up", "File", render.Safe(r.File), "Bytes", r.Bytes, "Rows", r.Rows))
	p.Blank()
	a.tables(p, r.all)
	p.Blank()
	column := p.Column("db.database", "db.schema", "db.digest", "db.files", "db.sum")
	p.Row(0, column, a.text.Text("db.database"), render.Safe(r.Database))
	p.Row(0, column, a.text.Text("db.schema"), itoa(r.Schema))
	p.Row(0, column, a.text.Text("db.digest"), r.Digest)
	p.Row(0, column, a.text.Text("db.sum"), r.SHA256)
	p.Row(0, column, a.text.Text("db.files"), render.Safe(strings.Join(r.Files, ", ")))
	if r.Identity != "" {
		p.Paragraph(0, a.text.Text("db.identity-made", "Path", render.Safe(r.Identity)))
	}
	p.Line(p.Command("assay db restore " + quoteArgument(r.File) + " --check" + r.open))
	return a.print(p)
}

// belongings are the files without which a restored database serves nobody: the
// key file above all, what else is in the data directory, and the configuration
// file with those that it names.
func (a *app) belongings(d *depot) (all []copy.File, err error) {
	key, err := secret.ReadPrivateFile(d.keyFile, copy.MaxFile)
	if err != nil {
		return nil, a.usage("assay db backup FILE --key-file FILE", "db.no-key", "Path", d.keyFile, "Why", a.why(err))
	}
	all = append(all, copy.File{Name: keyName, Content: key})
	for _, name := range directoryFiles {
		if all, err = a.addFile(all, name, filepath.Join(d.dir, name), true); err != nil {
			return nil, err
		}
	}
	if d.filePath == "" {
		return all, nil
	}
	s, c := &d.file.Serve, d.file
	paths := []string{d.filePath, s.TLSCert, s.TLSKey, s.Perspectives, s.Lists, s.SMTPPasswordFile, c.RootHints, c.TrustAnchors, c.DialMap}
	paths = append(paths, s.ProfileFiles()...)
	for _, path := range paths {
		name := configurationDirectory + "/" + filepath.Base(path)
		taken := slices.ContainsFunc(all, func(f copy.File) bool { return f.Name == name })
		if path == "" || taken {
			continue
		}
		if all, err = a.addFile(all, name, path, false); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// addFile reads a file into the list; one that may be missing is left out then.
func (a *app) addFile(all []copy.File, name, path string, mayMiss bool) ([]copy.File, error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) && mayMiss {
		return all, nil
	}
	if err != nil {
		return nil, a.usage("assay db backup --help", "error.open", "Path", path, "Why", a.why(err))
	}
	defer f.Close()
	content, err := io.ReadAll(io.LimitReader(f, copy.MaxFile+1))
	if err == nil && len(content) > copy.MaxFile {
		err = fmt.Errorf("> %d bytes", copy.MaxFile)
	}
	if err != nil {
		return nil, a.usage("assay db backup --help", "error.open", "Path", path, "Why", a.why(err))
	}
	return append(all, copy.File{Name: name, Content: content}), nil
}
