package main

import (
	"context"
	"encoding/pem"
	"errors"
	"net/http"
	"net/url"
	"strings"

	"github.com/spf13/cobra"

	"assay/internal/certfile"
	"assay/internal/client"
	"assay/key"
)

// downloadFlags say which file of a certificate is wanted.
type downloadFlags struct {
	format, out, key, passwordFile string
	withKey, legacy, force, json   bool
}

func (a *app) certDownloadCommand() *cobra.Command {
	var f downloadFlags
	c := &cobra.Command{
		Use: "download ID", Short: a.text.Text("cert.download.short"), Long: a.text.Text("cert.download.long", "Formats", formatWords()), Args: cobra.ExactArgs(1),
		Example: "  assay cert download ID --format nginx --key shop.key\n  assay cert download ID --format pkcs12 --with-key --password-file secret.txt --out shop.p12",
		RunE: func(c *cobra.Command, args []string) error {
			return a.interruptible(c, func(ctx context.Context) error { return a.downloadCert(ctx, args[0], &f) })
		},
	}
	s := c.Flags()
	s.SortFlags = false
	s.StringVar(&f.format, "format", "fullchain", a.text.Text("flag.cert-format", "Formats", formatWords()))
	s.StringVar(&f.out, "out", "", a.text.Text("flag.cert-out"))
	s.StringVar(&f.key, "key", "", a.text.Text("flag.cert-local-key"))
	s.BoolVar(&f.withKey, "with-key", false, a.text.Text("flag.cert-with-key"))
	s.StringVar(&f.passwordFile, "password-file", "", a.text.Text("flag.password-file"))
	s.BoolVar(&f.legacy, "legacy", false, a.text.Text("flag.cert-legacy"))
	s.BoolVar(&f.force, "force", false, a.text.Text("flag.cert-force"))
	s.BoolVar(&f.json, "json", false, a.text.Text("flag.json"))
	return c
}

func (a *app) downloadCert(ctx context.Context, id string, f *downloadFlags) error {
	next := "assay cert download " + id + " --format " + f.format
	format, ok := certfile.Lookup(f.format)
	switch {
	case !ok:
		return a.usage("assay cert download --help", "error.one-of", "Flag", "--format", "Value", f.format, "Allowed", formatWords())
	case f.key != "" && f.withKey:
		return a.usage(next+" --key FILE", "cert.two-keys")
	case f.withKey && (f.out == "" || f.out == "-"):
		// It is handed out once: where it goes is certain before it is asked for.
		return a.usage(next+" --with-key --out FILE", "cert.needs-out")
	case format.Key == certfile.Always && f.key == "" && !f.withKey:
		return a.usage(next+" --key FILE --password-file FILE", "certfile.error.key-needed", "Format", f.format)
	}
	password, err := a.readPassword(f.passwordFile, next)
	if err != nil {
		return err
	}
	withKey := f.key != "" || f.withKey
	if password == "" && (format.Password == certfile.Always || format.Password == certfile.WithKey && withKey) {
		return a.usage(next+" --password-file FILE", "certfile.error.password-needed", "Format", f.format)
	}
	var w *outFile
	if f.out != "" && f.out != "-" {
		if w, err = a.openOut(f.out, f.force, next+" --force"); err != nil {
			return err
		}
	}
	file, err := a.certFile(ctx, id, f, password, next)
	if err != nil {
		if w != nil {
			w.drop()
		}
		return err
	}
	file.Secret = withKey && format.Key != certfile.Never
	return a.putDownload(w, file, f, next)
}

// putDownload writes a file that was downloaded, and says where it is.
func (a *app) putDownload(w *outFile, file *certfile.File, f *downloadFlags, next string) error {
	if f.out == "-" {
		_, err := a.out.Write(file.Content)
		return err
	}
	if w == nil {
		var err error
		if w, err = a.openOut(file.Name, f.force, next+" --force"); err != nil {
			return err
		}
	}
	if !f.json {
		return a.finishOut(w, file)
	}
	if err := a.placeOut(w, file); err != nil {
		return err
	}
	return a.writeJSON(struct {
		Path   string `json:"path"`
		Bytes  int    `json:"bytes"`
		Secret bool   `json:"secret"`
	}{w.path, len(file.Content), file.Secret})
}

// certFile gets a file of a certificate: as the server makes it, or made here of
// what the server has and a key that never leaves this machine.
func (a *app) certFile(ctx context.Context, id string, f *downloadFlags, password, next string) (*certfile.File, error) {
	if f.key != "" {
		return a.localFile(ctx, id, f, password, next)
	}
	call := client.Call{Method: http.MethodGet, Path: certPath(id) + "/file", Query: url.Values{"format": {f.format}}}
	if f.legacy {
		call.Query.Set("legacy", "true")
	}
	if f.withKey || password != "" {
		call = client.Call{Method: http.MethodPost, Path: call.Path, Body: map[string]any{"format": f.format, "key": f.withKey, "password": password, "legacy": f.legacy}}
	}
	var got client.File
	if err := a.noticeCall(ctx, call, &got, "assay cert show "+id); err != nil {
		return nil, err
	}
	if got.Name == "" {
		got.Name = "certificate"
	}
	return &certfile.File{Name: got.Name, Content: got.Content}, nil
}

func (a *app) localFile(ctx context.Context, id string, f *downloadFlags, password, next string) (*certfile.File, error) {
	k, err := a.readPrivate(f.key, next)
	if err != nil {
		return nil, err
	}
	set, err := a.certSet(ctx, id)
	if err != nil {
		return nil, err
	}
	if err := set.SetKey(k); err != nil {
		return nil, a.unreadable("assay cert show "+id, "certfile.error.key-mismatch")
	}
	return a.makeCertFile(set, f.format, certfile.Options{Password: password, Legacy: f.legacy}, next)
}

// certSet gets a certificate with what stands above it.
func (a *app) certSet(ctx context.Context, id string) (*certfile.Set, error) {
	get := func(format string) (list [][]byte, err error) {
		var got client.File
		err = a.noticeCall(ctx, client.Call{Method: http.MethodGet, Path: certPath(id) + "/file", Query: url.Values{"format": {format}}}, &got, nextCerts)
		for rest := got.Content; err == nil; {
			var b *pem.Block
			if b, rest = pem.Decode(rest); b == nil {
				break
			}
			list = append(list, b.Bytes)
		}
		return list, err
	}
	chain, err := get("fullchain")
	if err != nil {
		return nil, err
	}
	if len(chain) == 0 {
		return nil, &failure{code: exitUnavailable, what: a.text.Text("login.unreachable", "Why", "no certificate in the answer"), next: nextCerts}
	}
	var above []byte
	root, err := get("root")
	var fail *failure
	switch {
	case err == nil && len(root) == 1:
		above = root[0]
	case errors.As(err, &fail) && fail.code == exitData: // the root is not known there
	case err != nil:
		return nil, err
	}
	return certfile.New(chain[0], chain[1:], above)
}

// certNext has an error about what was given say what to do.
func certNext(err error, next string) error {
	var f *failure
	if errors.As(err, &f) && (f.code == exitData || strings.TrimSpace(f.next) == "") {
		f.next = next
	}
	return err
}

// readPrivate reads a private key on this machine.
func (a *app) readPrivate(path, next string) (*key.Private, error) {
	text, err := a.readCertText(path, next)
	if err != nil {
		return nil, err
	}
	k, problem := certfile.ReadKey(certfile.Armour(text, true))
	if k == nil || problem != nil {
		return nil, a.unreadable("assay cert inspect FILE --key "+quoteAll([]string{path})[0], "cert.key-unreadable", "Path", path)
	}
	return k, nil
}
