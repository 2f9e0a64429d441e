package main

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"assay/internal/certfile"
	"assay/internal/render"
)

// bundleFlags are what a file is made by.
type bundleFlags struct {
	certFlags
	format, passwordFile, out string
	legacy                    bool
}

func (a *app) certBundleCommand() *cobra.Command {
	var f bundleFlags
	c := &cobra.Command{
		Use:     "bundle FILE|-",
		Short:   a.text.Text("cert.bundle.short"),
		Long:    a.text.Text("cert.bundle.long", "Formats", formatWords()),
		Example: "  assay cert bundle shop.pem --format nginx --key shop.key\n  assay cert bundle shop.pem --chain intermediates.pem --key shop.key --format pkcs12 --password-file secret.txt",
		Args:    cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			return a.bundleCert(&f, args[0])
		},
	}
	f.add(a, c)
	c.Flags().StringVar(&f.format, "format", "", a.text.Text("flag.cert-format", "Formats", formatWords()))
	c.Flags().StringVar(&f.passwordFile, "password-file", "", a.text.Text("flag.password-file"))
	c.Flags().BoolVar(&f.legacy, "legacy", false, a.text.Text("flag.cert-legacy"))
	c.Flags().StringVar(&f.out, "out", "", a.text.Text("flag.cert-out"))
	return c
}

func formatWords() string {
	var ids []string
	for _, f := range certfile.Formats() {
		ids = append(ids, f.ID)
	}
	return strings.Join(ids, ", ")
}

func (a *app) bundleCert(f *bundleFlags, path string) error {
	const next = "assay cert bundle --help"
	if _, ok := certfile.Lookup(f.format); !ok {
		return a.usage(next, "error.one-of", "Flag", "--format", "Value", f.format, "Allowed", formatWords())
	}
	u, j, err := a.readUpload(&f.certFlags, path, next)
	if err != nil {
		return err
	}
	set := u.Set()
	if j.Verdict.Blocks() || set == nil {
		j.Localize(a.text.Lang())
		a.exit = exitCode(j.Verdict)
		p := a.page()
		a.showUpload(p, j)
		return a.print(p)
	}
	password, err := a.readPassword(f.passwordFile, next)
	if err != nil {
		return err
	}
	file, err := a.makeCertFile(set, f.format, certfile.Options{Password: password, Legacy: f.legacy}, next)
	if err != nil {
		return err
	}
	return a.writeCertFile(file, f.out, next)
}

// makeCertFile makes a file of a set; what cannot be made is said in words.
func (a *app) makeCertFile(set *certfile.Set, format string, o certfile.Options, next string) (*certfile.File, error) {
	file, err := set.Make(format, o)
	var e *certfile.Error
	if errors.As(err, &e) {
		return nil, &failure{code: exitUsage, what: e.Text(a.text), next: next}
	}
	return file, err
}

// writeCertFile writes a file that was made: under its own name, or where out
// says, "-" being standard output. It overwrites nothing, and a file with a key is
// its owner's alone.
func (a *app) writeCertFile(file *certfile.File, out, next string) error {
	if out == "-" {
		_, err := a.out.Write(file.Content)
		return err
	}
	if out == "" {
		out = file.Name
	}
	w, err := a.openOut(out, false, next)
	if err != nil {
		return err
	}
	return a.finishOut(w, file)
}

// An outFile is a file that is being written: beside its place, so that there is
// the whole of it or nothing.
type outFile struct {
	*os.File
	path, next string
	force      bool
}

// openOut begins a file, which its owner alone may read until it is finished.
// What cannot be written is said before anything is asked for. Only with force is
// a file replaced.
func (a *app) openOut(path string, force bool, next string) (*outFile, error) {
	if _, err := os.Lstat(path); err == nil && !force {
		return nil, a.usage(next, "error.exists", "Path", path)
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".assay-*")
	if err != nil {
		return nil, a.usage(next, "error.write", "Path", path, "Why", a.why(err))
	}
	return &outFile{File: f, path: path, next: next, force: force}, nil
}

// drop ends a file that is not to be.
func (w *outFile) drop() { _ = errors.Join(w.Close(), os.Remove(w.Name())) }

// finishOut writes a file and puts it in its place, and says so.
func (a *app) finishOut(w *outFile, file *certfile.File) error {
	if err := a.placeOut(w, file); err != nil {
		return err
	}
	p := a.page()
	text := render.Safe(w.path)
	if file.Secret {
		text += a.text.Text("cert.keep-secret")
	}
	p.Row(0, p.Column("cert.wrote"), a.text.Text("cert.wrote"), text)
	return a.print(p)
}

func (a *app) placeOut(w *outFile, file *certfile.File) error {
	mode := fs.FileMode(0o644)
	if file.Secret {
		mode = 0o600
	}
	_, err := w.Write(file.Content)
	err = errors.Join(err, w.Chmod(mode), w.Sync(), w.Close())
	if err == nil && w.force {
		err = os.Rename(w.Name(), w.path)
	} else if err == nil {
		// A link replaces nothing, also where a file came in the meantime.
		err = os.Link(w.Name(), w.path)
		_ = os.Remove(w.Name())
	}
	switch {
	case errors.Is(err, fs.ErrExist):
		return a.usage(w.next, "error.exists", "Path", w.path)
	case err != nil:
		_ = os.Remove(w.Name())
		return a.usage(w.next, "error.write", "Path", w.path, "Why", a.why(err))
	}
	return nil
}

// maxPasswordBytes bounds a file with a password.
const maxPasswordBytes = 4 << 10

// readPassword reads a password: the first line of a file. It never stands on
// the command line, where every user of the machine could read it.
func (a *app) readPassword(path, next string) (string, error) {
	if path == "" {
		return "", nil
	}
	raw, err := a.read(path, maxPasswordBytes, next)
	if err != nil {
		return "", err
	}
	line, _, _ := strings.Cut(string(raw), "\n")
	return strings.TrimSuffix(line, "\r"), nil
}
