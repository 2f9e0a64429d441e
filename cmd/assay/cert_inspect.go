package main

import (
	"crypto/x509"
	"encoding/pem"

	"github.com/spf13/cobra"

	"assay/cause"
	"assay/evidence"
	"assay/internal/certfile"
	"assay/internal/render"
	"assay/key"
	"assay/profile"
	"assay/review"
)

// certFlags are the files of an upload.
type certFlags struct {
	profile, key, chain, known string
}

func (f *certFlags) add(a *app, c *cobra.Command) {
	c.Flags().StringVar(&f.key, "key", "", a.text.Text("flag.cert-key"))
	c.Flags().StringVar(&f.chain, "chain", "", a.text.Text("flag.cert-chain"))
	c.Flags().StringVar(&f.known, "known", "", a.text.Text("flag.cert-known"))
	c.Flags().StringVar(&f.profile, "profile", "cloud", a.text.Text("flag.profile"))
}

func (a *app) certInspectCommand() *cobra.Command {
	var f certFlags
	var asJSON bool
	c := &cobra.Command{
		Use:     "inspect FILE|-",
		Short:   a.text.Text("cert.inspect.short"),
		Long:    a.text.Text("cert.inspect.long"),
		Example: "  assay cert inspect shop.pem\n  assay cert inspect shop.pem --key shop.key --chain intermediates.pem --json",
		Args:    cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			return a.inspectCert(&f, args[0], asJSON)
		},
	}
	f.add(a, c)
	c.Flags().BoolVar(&asJSON, "json", false, a.text.Text("flag.json"))
	return c
}

// A certView is what a certificate is.
type certView struct {
	*evidence.CertificateFact
	PublicKey string   `json:"public_key"`
	Chain     []string `json:"chain"`
	Root      string   `json:"root,omitempty"`
}

func (a *app) inspectCert(f *certFlags, path string, asJSON bool) error {
	u, j, err := a.readUpload(f, path, "assay cert inspect FILE")
	if err != nil {
		return err
	}
	j.Localize(a.text.Lang())
	a.exit = exitCode(j.Verdict)
	view := viewCert(u)
	if asJSON {
		return a.writeJSON(struct {
			Certificate *certView `json:"certificate"`
			*review.Judgement
		}{view, j})
	}
	p := a.page()
	if view != nil {
		a.showCert(p, view)
		p.Blank()
	}
	a.showUpload(p, j)
	return a.print(p)
}

// showUpload shows what is wrong with an upload.
func (a *app) showUpload(p *render.Page, j *review.Judgement) {
	p.Line(" " + p.Verdict(j.Verdict, a.text.Text("level."+string(j.Verdict))) + " " +
		a.text.Text("order.profile", "Profile", render.Safe(j.Profile.Name)))
	if len(j.Findings) == 0 {
		p.Paragraph(1, a.text.Text("cert.nothing-wrong"))
	}
	p.Findings(j.Findings)
}

// readUpload reads the files of an upload and judges them.
func (a *app) readUpload(f *certFlags, path, next string) (*certfile.Upload, *review.Judgement, error) {
	p, err := a.profile(f.profile)
	if err != nil {
		return nil, nil, err
	}
	texts := certfile.Texts{}
	for _, field := range []struct {
		path string
		text *string
	}{{path, &texts.Certificate}, {f.key, &texts.Key}, {f.chain, &texts.Chain}} {
		if field.path == "" {
			continue
		}
		if *field.text, err = a.readCertText(field.path, next); err != nil {
			return nil, nil, err
		}
	}
	known, err := a.knownCertificates(f.known, next)
	if err != nil {
		return nil, nil, err
	}
	u, j := judgeUpload(texts, known, p, a)
	return u, j, nil
}

func judgeUpload(t certfile.Texts, known []*x509.Certificate, p *profile.Profile, a *app) (*certfile.Upload, *review.Judgement) {
	now := a.now()
	u := certfile.Read(t, known, now)
	return u, review.JudgeUpload(&u.Facts, p, now)
}

// readCertText reads one field. An empty file was given, and is not the same as
// none.
func (a *app) readCertText(path, next string) (string, error) {
	raw, err := a.read(path, certfile.MaxBytes, next)
	if err == nil && len(raw) == 0 {
		return "\n", nil
	}
	return string(raw), err
}

// knownCertificates reads a file of certificates that may complete chains, as
// CAs publish them: at most 1 MiB.
func (a *app) knownCertificates(path, next string) ([]*x509.Certificate, error) {
	if path == "" {
		return nil, nil
	}
	raw, err := a.read(path, 1<<20, next)
	if err != nil {
		return nil, err
	}
	var list []*x509.Certificate
	for {
		var b *pem.Block
		if b, raw = pem.Decode(raw); b == nil {
			break
		}
		c, err := x509.ParseCertificate(b.Bytes)
		if err != nil || b.Type != "CERTIFICATE" {
			return nil, a.unreadable(next, "error.cert-known", "Path", path)
		}
		list = append(list, c)
	}
	if len(list) == 0 {
		return nil, a.unreadable(next, "error.cert-known", "Path", path)
	}
	return list, nil
}

func viewCert(u *certfile.Upload) *certView {
	if u.Leaf == nil {
		return nil
	}
	v := &certView{CertificateFact: u.Facts.Leaf, Chain: []string{}}
	if public, err := key.Parse(u.Leaf.RawSubjectPublicKeyInfo); err == nil {
		v.PublicKey = public.Describe()
	}
	for _, c := range u.Chain {
		v.Chain = append(v.Chain, certfile.Describe(c).Subject)
	}
	if u.Root != nil {
		v.Root = certfile.Describe(u.Root).Subject
	}
	return v
}

func (a *app) showCert(p *render.Page, v *certView) {
	lang := a.text.Lang()
	rows := []struct {
		id    string
		value any
	}{
		{"cert.subject", v.Subject},
		{"cert.names", v.Names},
		{"cert.issuer", v.Issuer},
		{"cert.not-before", v.NotBefore},
		{"cert.not-after", v.NotAfter},
		{"cert.key", v.PublicKey},
		{"cert.chain", v.Chain},
		{"cert.root", v.Root},
		{"cert.serial", v.Serial},
		{"cert.sha256", v.SHA256},
		{"cert.spki", v.SPKISHA256},
	}
	ids := make([]string, len(rows))
	for i, r := range rows {
		ids[i] = r.id
	}
	column := p.Column(ids...)
	for _, r := range rows {
		if text := cause.FormatValue(r.value, lang); text != "" {
			p.Row(1, column, a.text.Text(r.id), render.Safe(text))
		}
	}
}
