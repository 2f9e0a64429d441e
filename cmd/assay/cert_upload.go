package main

import (
	"context"
	"net/http"
	"strings"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"assay/evidence"
	"assay/internal/certfile"
	"assay/internal/client"
	"assay/internal/render"
	"assay/internal/service"
	"assay/review"
)

func (a *app) certUploadCommand() *cobra.Command {
	var keyFile, chain string
	var in service.UploadRequest
	var asJSON bool
	c := &cobra.Command{
		Use: "upload FILE|-", Short: a.text.Text("cert.upload.short"), Long: a.text.Text("cert.upload.long"), Args: cobra.ExactArgs(1),
		Example: "  assay cert upload shop.pem --chain intermediates.pem\n  assay cert upload shop.pem --key shop.key --alias shop",
		RunE: func(c *cobra.Command, args []string) error {
			return a.interruptible(c, func(ctx context.Context) error {
				look := []string{args[0]} // what inspects the same files here
				for _, field := range []struct {
					flag, path string
					text       *string
				}{{"", args[0], &in.Certificate}, {"--key", keyFile, &in.Key}, {"--chain", chain, &in.Chain}} {
					if field.path == "" {
						continue
					}
					text, err := a.readCertText(field.path, "assay cert upload --help")
					if err != nil {
						return err
					}
					*field.text = certfile.Armour(text, field.flag == "--key")
					if field.flag != "" {
						look = append(look, field.flag, field.path)
					}
				}
				next := "assay cert inspect " + strings.Join(quoteAll(look), " ")
				if err := a.sendable(&in, next); err != nil {
					return err
				}
				return a.uploadCert(ctx, &in, next, asJSON)
			})
		},
	}
	c.Flags().StringVar(&keyFile, "key", "", a.text.Text("flag.cert-upload-key"))
	c.Flags().StringVar(&chain, "chain", "", a.text.Text("flag.cert-chain"))
	c.Flags().StringVar(&in.Alias, "alias", "", a.text.Text("flag.cert-alias"))
	c.Flags().StringVar(&in.Profile, "profile", "", a.text.Text("flag.order-profile"))
	c.Flags().BoolVar(&asJSON, "json", false, a.text.Text("flag.json"))
	return c
}

// sendable names what is no text, which a body cannot hold: it stays here.
func (a *app) sendable(in *service.UploadRequest, next string) error {
	wrong := func(text string) bool { return !utf8.ValidString(text) || strings.Contains(text, "\x00") }
	if !wrong(in.Certificate) && !wrong(in.Key) && !wrong(in.Chain) {
		return nil
	}
	p, err := a.profile("cloud")
	if err != nil {
		return err
	}
	u := certfile.Read(certfile.Texts{Certificate: in.Certificate, Key: in.Key, Chain: in.Chain}, nil, a.now())
	j := review.JudgeUpload(&evidence.Upload{Unreadable: u.Facts.Unreadable}, p, a.now())
	if len(j.Findings) == 0 {
		return nil // words in another encoding, before a block
	}
	j.Localize(a.text.Lang())
	page := render.NewPage(a.width(), a.style(a.err), a.text)
	page.Findings(j.Findings)
	if _, err := a.err.Write([]byte(page.String())); err != nil {
		return err
	}
	return &failure{code: exitRefuse, what: a.text.Text("upload.refused"), next: next}
}

// uploadCert has the service keep a certificate; next is what is done where it does not.
func (a *app) uploadCert(ctx context.Context, in *service.UploadRequest, next string, asJSON bool) error {
	var v service.UploadView
	if err := a.noticeCall(ctx, client.Call{Method: http.MethodPost, Path: "/certificates", Body: in}, &v, nextCerts); err != nil {
		return certNext(err, next)
	}
	if asJSON || len(v.Findings) == 0 {
		if asJSON {
			return a.writeJSON(v)
		}
		return a.showCertificate(v.Certificate, false)
	}
	p := a.page()
	p.Findings(v.Findings)
	p.Blank()
	if err := a.print(p); err != nil {
		return err
	}
	return a.showCertificate(v.Certificate, false)
}
