package main

import (
	"errors"
	"io/fs"
	"os"
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
	mode := fs.FileMode(0o644)
	if file.Secret {
		mode = 0o600
	}
	w, err := os.OpenFile(out, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if errors.Is(err, fs.ErrExist) {
		return a.usage(next, "error.exists", "Path", out)
	}
	if err != nil {
		return a.usage(next, "error.write", "Path", out, "Why", a.why(err))
	}
	_, err = w.Write(file.Content)
	if err = errors.Join(err, w.Sync(), w.Close()); err != nil {
		_ = os.Remove(out)
		return a.usage(next, "error.write", "Path", out, "Why", a.why(err))
	}
	p := a.page()
	text := render.Safe(out)
	if file.Secret {
		text += a.text.Text("cert.keep-secret")
	}
	p.Row(0, p.Column("cert.wrote"), a.text.Text("cert.wrote"), text)
	return a.print(p)
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
