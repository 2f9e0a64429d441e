package main

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"io/fs"
	"net"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"assay/csr"
	"assay/internal/render"
	"assay/name"
)

// keyKinds are the keys that can be made, by the word of --key.
var keyKinds = []struct {
	word string
	make func() (crypto.Signer, error)
}{
	{"rsa2048", rsaKey(2048)},
	{"rsa3072", rsaKey(3072)},
	{"rsa4096", rsaKey(4096)},
	{"p256", curveKey(elliptic.P256())},
	{"p384", curveKey(elliptic.P384())},
}

func rsaKey(bits int) func() (crypto.Signer, error) {
	return func() (crypto.Signer, error) { return rsa.GenerateKey(rand.Reader, bits) }
}

func curveKey(curve elliptic.Curve) func() (crypto.Signer, error) {
	return func() (crypto.Signer, error) { return ecdsa.GenerateKey(curve, rand.Reader) }
}

func keyWords() []string {
	words := make([]string, len(keyKinds))
	for i := range keyKinds {
		words[i] = keyKinds[i].word
	}
	return words
}

func (a *app) csrNewCommand() *cobra.Command {
	var kind, out string
	c := &cobra.Command{
		Use:     "new NAME…",
		Short:   a.text.Text("csr.new.short"),
		Long:    a.text.Text("csr.new.long"),
		Example: "  assay csr new shop.orchard.net www.shop.orchard.net\n  assay csr new '*.orchard.net' --key p256 --out wildcard",
		RunE: func(_ *cobra.Command, names []string) error {
			return a.newCSR(names, kind, out)
		},
	}
	c.Flags().StringVar(&kind, "key", "rsa2048", a.text.Text("flag.key"))
	c.Flags().StringVar(&out, "out", "", a.text.Text("flag.out"))
	return c
}

// newCSR makes a key and a request and writes each to a file of its own. The
// key never leaves this machine, and no file is ever overwritten.
func (a *app) newCSR(names []string, kind, out string) error {
	if len(names) == 0 {
		return a.usage("assay csr new shop.orchard.net", "error.no-names")
	}
	i := slices.IndexFunc(keyKinds, func(k struct {
		word string
		make func() (crypto.Signer, error)
	}) bool {
		return k.word == strings.ToLower(kind)
	})
	if i < 0 {
		return a.usage("assay csr new --help", "error.one-of", "Flag", "--key", "Value", kind, "Allowed", strings.Join(keyWords(), ", "))
	}
	template, err := a.template(names)
	if err != nil {
		return err
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
	signer, err := keyKinds[i].make()
	if err != nil {
		return err
	}
	request, err := x509.CreateCertificateRequest(rand.Reader, template, signer)
	if err != nil {
		return err
	}
	private, err := x509.MarshalPKCS8PrivateKey(signer)
	if err != nil {
		return err
	}
	if err := a.create(keyFile, 0o600, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}), names); err != nil {
		return err
	}
	if err := a.create(csrFile, 0o644, []byte(csr.Encode(request)), names); err != nil {
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

// template is the request for some names: their A-label forms, the first that
// fits as common name.
func (a *app) template(names []string) (*x509.CertificateRequest, error) {
	t := &x509.CertificateRequest{}
	for _, text := range names {
		n := name.Parse(text)
		if n.IP.IsValid() {
			t.IPAddresses = append(t.IPAddresses, net.IP(n.IP.AsSlice()))
			continue
		}
		for _, problem := range n.Problems {
			// The Unicode form has one A-label form: that is what is asked for.
			if problem.Kind != "not-ascii" {
				return nil, a.usage("assay check --offline "+strings.Join(quoteAll(names), " "), "error.bad-name", "Name", text)
			}
		}
		t.DNSNames = append(t.DNSNames, n.Clean)
		// ub-common-name is 64 (RFC 5280 A.1).
		if t.Subject.CommonName == "" && len(n.Clean) <= 64 {
			t.Subject = pkix.Name{CommonName: n.Clean}
		}
	}
	return t, nil
}

// fileName makes a name fit for a file: "*.orchard.net" → "_.orchard.net".
func fileName(name string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '*':
			return '_'
		case r == '/' || r == '\\' || r == ':' || r < ' ':
			return '-'
		}
		return r
	}, strings.TrimLeft(name, ".-"))
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
