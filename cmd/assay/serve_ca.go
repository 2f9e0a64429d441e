package main

import (
	"context"
	"crypto/elliptic"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"

	"github.com/spf13/pflag"

	"assay/data"
	"assay/internal/config"
	"assay/internal/issuer"
	"assay/internal/issuer/private"
	"assay/internal/issuer/status"
	"assay/internal/issuer/upstream"
	"assay/internal/server/listen"
	"assay/internal/service"
	"assay/internal/store"
	"assay/key"
	"assay/name"
	"assay/probe/dial"
)

// caFlags say what the service issues with.
type caFlags struct {
	permit            []string
	name, url, listen string
	serverKeys        bool
}

func (a *app) caFlags(s *pflag.FlagSet, f *caFlags) {
	s.StringSliceVar(&f.permit, "ca-permit", nil, a.text.Text("flag.ca-permit"))
	s.StringVar(&f.name, "ca-name", "Assay Private CA", a.text.Text("flag.ca-name"))
	s.StringVar(&f.url, "ca-url", "", a.text.Text("flag.ca-url"))
	s.StringVar(&f.listen, "status-listen", "", a.text.Text("flag.status-listen"))
	s.BoolVar(&f.serverKeys, "server-keys", false, a.text.Text("flag.server-keys"))
}

// authoritySettings reads what the flags say about a CA of our own.
func (a *app) authoritySettings(f *caFlags) (service.AuthoritySettings, error) {
	in := service.AuthoritySettings{Name: private.Name{CommonName: f.name, Organization: f.name, Country: "ZZ"}, URL: strings.TrimSuffix(f.url, "/"), KeyAt: keyAt}
	if f.url != "" {
		u, err := url.Parse(f.url)
		if err != nil || u.Scheme != "http" || u.Host == "" || u.RawQuery != "" || u.User != nil {
			return in, a.usage("assay serve --ca-url http://ca.orchard.net", "ca.url", "URL", f.url)
		}
	}
	for _, p := range f.permit {
		if p == "any" {
			continue
		}
		if network, err := netip.ParsePrefix(p); err == nil {
			in.Constraints.IP = append(in.Constraints.IP, network.Masked())
			continue
		}
		n := name.Parse(p)
		if n.Clean == "" || n.Wildcard || n.IP.IsValid() || len(n.Problems) > 0 {
			return in, a.usage("assay serve --ca-permit orchard.net,10.0.0.0/8", "ca.permit", "Value", p)
		}
		in.Constraints.DNS = append(in.Constraints.DNS, n.Clean)
	}
	return in, nil
}

// issuing opens what the service issues with, after the service was made: a CA of
// its own, or another one. Without either orders that passed stay ready.
func (a *app) issuing(ctx context.Context, f *caFlags, file *config.Config, s *service.Service, own *house, set *data.Set) (*status.Handler, error) {
	if err := file.Issuer.CheckKind(); err != nil {
		return nil, &failure{code: exitUsage, what: err.Error(), next: nextServe}
	}
	in, err := a.authoritySettings(f)
	if err != nil {
		return nil, err
	}
	all, err := own.Store.Authorities(ctx)
	if err != nil {
		return nil, a.databaseError(err, own.name)
	}
	var ca issuer.Issuer
	if len(all) > 0 || len(f.permit) > 0 {
		active, err := s.OpenAuthorities(ctx, in)
		if err != nil {
			return nil, a.caError(err)
		}
		if active != nil {
			ca = active
		}
	}
	if file.Issuer.Kind == config.IssuerACME {
		if ca, err = a.upstream(ctx, file, own, set); err != nil {
			return nil, err
		}
	}
	if ca != nil {
		s.Issuer = func(string) issuer.Issuer { return ca }
	}
	certs := s.IssuerCertificates()
	if len(certs) == 0 {
		return nil, nil
	}
	h, err := status.New(status.Config{Source: s.StatusSource(), Now: a.now})
	if err == nil {
		err = h.SetIssuers(certs)
	}
	if err != nil {
		return nil, a.caError(err)
	}
	s.OnRevoked, s.OnList = h.Forget, h.ForgetList
	return h, nil
}

// caError says that the CA cannot be used.
func (a *app) caError(err error) error {
	f := &failure{code: exitUnavailable, what: a.text.Text("ca.failed", "Why", err), next: "assay ca list"}
	if faults := private.FaultsIn(err); len(faults) > 0 {
		f.what = a.faults(faults)
	}
	return f
}

// secretAccount is the key of the account at an upstream CA, sealed.
const secretAccount = "upstream-account"

// upstream is another CA that is reached by ACME. The key of the account there is
// made at the first start.
func (a *app) upstream(ctx context.Context, file *config.Config, own *house, set *data.Set) (issuer.Issuer, error) {
	k, err := a.accountKey(ctx, own)
	if err != nil {
		return nil, err
	}
	c, err := file.Issuer.Upstream(k.Signer(), &dial.Dialer{Data: set, Allow: prefixes(file.AllowAddresses)})
	if err != nil {
		return nil, &failure{code: exitUsage, what: err.Error(), next: nextServe}
	}
	c.Now = a.now
	ca, err := upstream.New(*c)
	if err != nil {
		return nil, &failure{code: exitUsage, what: err.Error(), next: nextServe}
	}
	return ca, nil
}

func (a *app) accountKey(ctx context.Context, own *house) (*key.Private, error) {
	sealed, err := own.Store.Secret(ctx, secretAccount)
	if errors.Is(err, store.ErrNotFound) {
		made, err := private.GenerateKey(elliptic.P256())
		if err != nil {
			return nil, err
		}
		der, err := x509.MarshalPKCS8PrivateKey(made)
		if err != nil {
			return nil, err
		}
		if sealed, err = own.secrets.Seal(secretAccount, der); err != nil {
			return nil, err
		}
		err = own.Store.Write(ctx, func(tx store.Tx) error {
			taken, err := tx.TakeLease("bootstrap-account", "once", a.now(), a.now().AddDate(100, 0, 0))
			if err != nil || !taken {
				return err
			}
			return tx.PutSecret(secretAccount, sealed, a.now())
		})
		if err != nil {
			return nil, a.databaseError(err, own.name)
		}
		if sealed, err = own.Store.Secret(ctx, secretAccount); err != nil {
			return nil, a.databaseError(err, own.name)
		}
	} else if err != nil {
		return nil, a.databaseError(err, own.name)
	}
	der, err := own.secrets.Open(secretAccount, sealed)
	if err != nil {
		return nil, a.usage("assay serve --key-file FILE", "ca.failed", "Why", err)
	}
	signer, err := private.ReadKey(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
	if err != nil {
		return nil, a.caError(err)
	}
	return key.Hold(signer), nil
}

// serveStatus serves lists and OCSP alone, without TLS, until ctx ends.
func (a *app) serveStatus(ctx context.Context, address string, h http.Handler, log *slog.Logger) error {
	var listening net.ListenConfig
	l, err := listening.Listen(ctx, "tcp", address)
	if err != nil {
		return a.usage("assay serve --status-listen 127.0.0.1:0", "perspective.listen", "Address", address, "Why", err)
	}
	server := listen.Server(h, log)
	go func() {
		if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			log.Error("lists and OCSP are not served any more", "error", err)
		}
	}()
	context.AfterFunc(ctx, func() { _ = server.Close() })
	log.Info("lists and OCSP", "at", "http://"+l.Addr().String())
	return nil
}
