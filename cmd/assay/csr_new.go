package main

import (
	"crypto/rand"
	"errors"
	"io/fs"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"assay/csr"
	"assay/internal/certfile"
	"assay/internal/render"
	"assay/key"
)

func (a *app) csrNewCommand() *cobra.Command {
	var kind, out string
	c := &cobra.Command{
		Use:     "new NAME…",
		Short:   a.text.Text("csr.new.short"),
		Long:    a.text.Text("csr.new.long"),
		Example: "  assay csr new shop.orchard.net www.shop.orchard.net\n  assay csr new '*.orchard.net' --key rsa2048 --out wildcard",
		RunE: func(_ *cobra.Command, names []string) error {
			return a.newCSR(names, kind, out)
		},
	}
	c.Flags().StringVar(&kind, "key", string(key.KindP256), a.text.Text("flag.key"))
	c.Flags().StringVar(&out, "out", "", a.text.Text("flag.out"))
	return c
}

// newCSR makes a key and a request and writes each to a file of its own. The
// key never leaves this machine, and no file is ever overwritten.
func (a *app) newCSR(names []string, kind, out string) error {
	if len(names) == 0 {
		return a.usage("assay csr new shop.orchard.net", "error.no-names")
	}
	if !slices.Contains(key.Kinds(), key.Kind(strings.ToLower(kind))) {
		return a.usage("assay csr new --help", "error.one-of", "Flag", "--key", "Value", kind, "Allowed", keyKinds())
	}
	if out == "" {
		out = fileName(names[0])
	}
	keyFile, csrFile := out+".key", out+".csr"
	for _, path := range []string{keyFile, csrFile} {
		if _, err := os.Lstat(path); err == nil {
			return a.exists(path, names)
		}
	}
	k, err := key.New(key.Kind(strings.ToLower(kind)), rand.Reader)
	if err != nil {
		return err
	}
	request, err := csr.New(names, csr.Subject{}, k, rand.Reader)
	if err != nil {
		return a.usage("assay check --offline "+strings.Join(quoteAll(names), " "), "error.bad-name", "Why", err)
	}
	private, err := k.PEM()
	if err != nil {
		return err
	}
	if err := a.create(keyFile, 0o600, private, names); err != nil {
		return err
	}
	if err := a.create(csrFile, 0o644, []byte(request), names); err != nil {
		// A key without its request is of no use.
		return errors.Join(err, os.Remove(keyFile))
	}
	p := a.page()
	column := p.Column("csr.wrote-key", "csr.wrote-csr", "footer.next")
	p.Row(0, column, a.text.Text("csr.wrote-key"), render.Safe(keyFile)+a.text.Text("csr.keep-secret"))
	p.Row(0, column, a.text.Text("csr.wrote-csr"), render.Safe(csrFile))
	p.Line(p.Faint(render.Pad(a.text.Text("footer.next"), column)) +
		p.Command(render.Safe("assay check --offline "+strings.Join(quoteAll(names), " ")+" --csr "+quoteAll([]string{csrFile})[0])))
	return a.print(p)
}

func keyKinds() string {
	words := make([]string, 0, len(key.Kinds()))
	for _, k := range key.Kinds() {
		words = append(words, string(k))
	}
	return strings.Join(words, ", ")
}

// fileName makes a name fit for a file: "*.orchard.net" → "_.orchard.net".
func fileName(name string) string {
	return certfile.Stem(strings.Map(func(r rune) rune {
		switch {
		case r == '*':
			return '_'
		case r == '/' || r == '\\' || r == ':' || r < ' ':
			return '-'
		}
		return r
	}, strings.TrimLeft(name, ".-")))
}

// create writes a new file and makes sure that it is on the disk.
func (a *app) create(path string, mode fs.FileMode, content []byte, names []string) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if errors.Is(err, fs.ErrExist) {
		return a.exists(path, names)
	}
	if err != nil {
		return a.usage("assay csr new --help", "error.write", "Path", path, "Why", a.why(err))
	}
	_, err = f.Write(content)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		_ = os.Remove(path)
		return a.usage("assay csr new --help", "error.write", "Path", path, "Why", a.why(err))
	}
	return nil
}

func (a *app) exists(path string, names []string) error {
	return a.usage("assay csr new "+strings.Join(quoteAll(names), " ")+" --out "+quoteAll([]string{fileName(names[0])})[0]+"-2", "error.exists", "Path", path)
}
