package main

import (
	"bufio"
	"context"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"assay/internal/certfile"
	"assay/internal/client"
	"assay/internal/issuer"
	"assay/internal/service"
	"assay/key"
)

func reasonWords() string {
	var words []string
	for _, w := range issuer.Reasons() {
		words = append(words, w)
	}
	slices.Sort(words)
	return strings.Join(words, ", ")
}

func (a *app) certRevokeCommand() *cobra.Command {
	var in service.RevocationRequest
	var proof string
	var yes, asJSON bool
	c := &cobra.Command{
		Use: "revoke ID --reason REASON", Short: a.text.Text("cert.revoke.short"), Long: a.text.Text("cert.revoke.long", "Reasons", reasonWords()), Args: cobra.ExactArgs(1),
		Example: "  assay cert revoke ID --reason superseded\n  assay cert proof ID --key shop.key --out proof.csr\n  assay cert revoke ID --proof proof.csr --yes",
		RunE: func(c *cobra.Command, args []string) error {
			return a.interruptible(c, func(ctx context.Context) error {
				id := args[0]
				if proof == "" && in.Reason == "" {
					return a.usage("assay cert revoke "+id+" --reason superseded", "cert.revoke-why", "Reasons", reasonWords())
				}
				if proof != "" {
					text, err := a.readCSR(proof, "assay cert proof "+id+" --key FILE")
					if err != nil {
						return err
					}
					in.Proof = text
				}
				return a.revokeCert(ctx, id, &in, yes, asJSON)
			})
		},
	}
	s := c.Flags()
	s.SortFlags = false
	s.StringVar(&in.Reason, "reason", "", a.text.Text("flag.cert-reason", "Reasons", reasonWords()))
	s.StringVar(&proof, "proof", "", a.text.Text("flag.cert-proof"))
	s.BoolVar(&yes, "yes", false, a.text.Text("flag.cert-yes"))
	s.BoolVar(&asJSON, "json", false, a.text.Text("flag.json"))
	return c
}

// revokeCert revokes a certificate, as it was when a person said yes.
func (a *app) revokeCert(ctx context.Context, id string, in *service.RevocationRequest, yes, asJSON bool) error {
	call := client.Call{Method: http.MethodPost, Path: certPath(id) + "/revoke", Body: in}
	if !yes {
		var v service.CertificateView
		if err := a.noticeCall(ctx, client.Call{Method: http.MethodGet, Path: certPath(id)}, &v, nextCerts); err != nil {
			return err
		}
		again := "assay cert revoke " + id + " --yes"
		if in.Reason != "" {
			again = "assay cert revoke " + id + " --reason " + in.Reason + " --yes"
		}
		if err := a.confirmed(again, "cert.revoke-sure", "ID", id, "Name", certName(&v)); err != nil {
			return err
		}
		call.Version = v.Version
	}
	var v service.CertificateView
	if err := a.noticeCall(ctx, call, &v, "assay cert show "+id); err != nil {
		return err
	}
	return a.showCertificate(&v, asJSON)
}

// confirmed asks somebody at a terminal whether to do what cannot be undone.
func (a *app) confirmed(next, id string, pairs ...any) error {
	if !terminal(a.in) {
		return a.usage(next, "cert.not-asked")
	}
	if _, err := fmt.Fprint(a.err, a.text.Text(id, pairs...)+" "); err != nil {
		return err
	}
	line, err := bufio.NewReader(io.LimitReader(a.in, 100)).ReadString('\n')
	if err != nil && line == "" {
		return a.usage(next, "cert.not-asked")
	}
	if word := strings.ToLower(strings.TrimSpace(line)); word != "yes" && word != "是" {
		return &failure{code: exitInterrupted, what: a.text.Text("cert.not-done"), next: next}
	}
	return nil
}

func (a *app) certConfirmCommand() *cobra.Command {
	var accept, reject, asJSON bool
	c := &cobra.Command{
		Use: "confirm ID --accept|--reject", Short: a.text.Text("cert.confirm.short"), Args: cobra.ExactArgs(1), Example: "  assay cert confirm ID --accept",
		RunE: func(c *cobra.Command, args []string) error {
			return a.interruptible(c, func(ctx context.Context) error {
				if accept == reject {
					return a.usage("assay cert confirm "+args[0]+" --accept", "cert.confirm-one")
				}
				var v service.CertificateView
				call := client.Call{Method: http.MethodPost, Path: certPath(args[0]) + "/revocation", Body: map[string]bool{"accept": accept}}
				if err := a.noticeCall(ctx, call, &v, "assay cert show "+args[0]); err != nil {
					return err
				}
				return a.showCertificate(&v, asJSON)
			})
		},
	}
	c.Flags().BoolVar(&accept, "accept", false, a.text.Text("flag.cert-accept"))
	c.Flags().BoolVar(&reject, "reject", false, a.text.Text("flag.cert-reject"))
	c.Flags().BoolVar(&asJSON, "json", false, a.text.Text("flag.json"))
	return c
}

func (a *app) certProofCommand() *cobra.Command {
	var keyFile, out string
	var asJSON bool
	c := &cobra.Command{
		Use: "proof ID --key FILE", Short: a.text.Text("cert.proof.short"), Long: a.text.Text("cert.proof.long"), Args: cobra.ExactArgs(1),
		Example: "  assay cert proof ID --key shop.key --out proof.csr",
		RunE: func(c *cobra.Command, args []string) error {
			return a.interruptible(c, func(ctx context.Context) error {
				if keyFile == "" {
					return a.usage("assay cert proof "+args[0]+" --key FILE", "cert.proof-key")
				}
				return a.proveKey(ctx, args[0], keyFile, out, asJSON)
			})
		},
	}
	c.Flags().StringVar(&keyFile, "key", "", a.text.Text("flag.cert-proof-key"))
	c.Flags().StringVar(&out, "out", "-", a.text.Text("flag.cert-proof-out"))
	c.Flags().BoolVar(&asJSON, "json", false, a.text.Text("flag.json"))
	return c
}

// proveKey makes the request that proves to have a certificate's key: it names the
// serial number, so that it revokes nothing else, and no order takes it.
func (a *app) proveKey(ctx context.Context, id, keyFile, out string, asJSON bool) error {
	k, err := a.readPrivate(keyFile, "assay cert proof "+id+" --key FILE")
	if err != nil {
		return err
	}
	var v service.CertificateView
	if err := a.noticeCall(ctx, client.Call{Method: http.MethodGet, Path: certPath(id)}, &v, nextCerts); err != nil {
		return err
	}
	public, err := k.Public()
	if err != nil {
		return err
	}
	if key.Print(public) != v.Keyprint {
		return a.unreadable("assay cert show "+id, "certfile.error.key-mismatch")
	}
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{Subject: pkix.Name{CommonName: "revoke " + v.Serial}}, k.Signer())
	if err != nil {
		return err
	}
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der})
	switch {
	case asJSON:
		return a.writeJSON(map[string]string{"id": v.ID, "serial": v.Serial, "proof": string(text)})
	case out == "-":
		_, err := a.out.Write(text)
		return err
	}
	w, err := a.openOut(out, false, "assay cert proof "+id+" --key FILE --out FILE")
	if err != nil {
		return err
	}
	if err := a.finishOut(w, &certfile.File{Name: out, Content: text}); err != nil {
		return err
	}
	p := a.page()
	p.Line(p.Command("assay cert revoke " + id + " --proof " + quoteAll([]string{out})[0]))
	return a.print(p)
}
