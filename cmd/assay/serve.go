package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"os/signal"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"assay/internal/render"
	"assay/internal/server/rest"
	"assay/internal/service"
	"assay/perspective"
	"assay/profile"
)

// serviceFlags are the flags of assay serve.
type serviceFlags struct {
	databaseFlags
	listen, cert, key, public string
	proxies, metrics          []string
	profile, places, log      string
	rate                      float64
	network                   *networkFlags
}

// farewell is how long requests under way may take when the server stops.
const farewell = 10 * time.Second

func (a *app) serveCommand() *cobra.Command {
	var f serviceFlags
	c := &cobra.Command{
		Use: "serve", Short: a.text.Text("serve.short"), Long: a.text.Text("serve.long"), Args: cobra.NoArgs,
		Example: "  assay serve\n  assay serve --listen 0.0.0.0:8443 --public-url https://assay.orchard.net\n  assay serve --database postgres://assay@db/assay --perspectives perspectives.toml",
		RunE: func(c *cobra.Command, _ []string) error {
			ctx, stop := signal.NotifyContext(c.Context(), os.Interrupt, syscall.SIGTERM)
			defer stop()
			context.AfterFunc(ctx, stop) // a second signal ends the program at once
			return a.serve(ctx, &f)
		},
	}
	s := c.Flags()
	s.SortFlags = false
	a.databaseFlags(c, &f.databaseFlags)
	s.StringVar(&f.listen, "listen", "127.0.0.1:8080", a.text.Text("flag.serve-listen"))
	s.StringVar(&f.cert, "tls-cert", "", a.text.Text("flag.tls-cert"))
	s.StringVar(&f.key, "tls-key", "", a.text.Text("flag.tls-key"))
	s.StringVar(&f.public, "public-url", "", a.text.Text("flag.public-url"))
	s.StringSliceVar(&f.proxies, "trusted-proxy", nil, a.text.Text("flag.trusted-proxy"))
	s.StringSliceVar(&f.metrics, "metrics-from", nil, a.text.Text("flag.metrics-from"))
	s.StringVar(&f.profile, "profile", "cloud", a.text.Text("flag.serve-profile"))
	s.StringVar(&f.places, "perspectives", "", a.text.Text("flag.perspectives"))
	s.StringVar(&f.log, "log", "text", a.text.Text("flag.log"))
	s.Float64Var(&f.rate, "rate", 0, a.text.Text("flag.serve-rate"))
	f.network = a.network(c)
	return c
}

// serve runs the order service until ctx ends.
func (a *app) serve(ctx context.Context, f *serviceFlags) error {
	log, err := a.logger(f.log)
	if err != nil {
		return err
	}
	config, err := a.restConfig(f)
	if err != nil {
		return err
	}
	look, err := a.lookout(ctx, f)
	if err != nil {
		return err
	}
	own, err := a.openHouse(ctx, &f.databaseFlags)
	if err != nil {
		return err
	}
	defer own.Close()
	s, err := service.New(service.Config{
		Store: own.Store, Now: a.now, Profile: f.profile, Profiles: a.serveProfiles(f.profile), Log: log, AuditKey: own.auditKey, Places: look.places,
	})
	if err != nil {
		return a.usage("assay serve --help", "serve.profile", "Why", err)
	}
	token, created, err := s.Bootstrap(ctx)
	if err != nil {
		return a.databaseError(err, f.database)
	}
	config.Service, config.Records, config.Log = s, own.Store, log
	server, err := rest.New(*config)
	if err != nil {
		return err
	}
	l, err := a.listen(f, own.dir)
	if err != nil {
		return err
	}
	if !created {
		token = ""
	}
	if err := a.greet(l, own, token); err != nil {
		return errors.Join(err, l.Close())
	}
	return a.attend(ctx, server, l.Listener, s, look, log)
}

// attend answers requests and does what is due until ctx ends.
func (a *app) attend(ctx context.Context, server *rest.Server, l net.Listener, s *service.Service, look *lookout, log *slog.Logger) error {
	h := &http.Server{
		Handler: server, ReadHeaderTimeout: 10 * time.Second, ReadTimeout: 60 * time.Second, WriteTimeout: 90 * time.Second,
		IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 64 << 10, ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
	var running sync.WaitGroup
	background, stop := context.WithCancel(context.Background())
	running.Go(func() {
		look.test(background) // nothing is looked at before we know what works here
		s.Run(background)
	})
	failed := make(chan error, 1)
	go func() { failed <- h.Serve(l) }()
	var err error
	select {
	case err = <-failed:
	case <-ctx.Done():
		log.Info("stopping")
		server.Stop()
		bounded, cancel := context.WithTimeout(context.Background(), farewell)
		defer cancel()
		if err = h.Shutdown(bounded); errors.Is(err, context.DeadlineExceeded) {
			err = h.Close()
		}
	}
	stop()
	running.Wait()
	return err
}

// A lookout is where orders are looked at from.
type lookout struct {
	places []perspective.Place
	// test tests them all.
	test func(context.Context)
}

func (a *app) lookout(ctx context.Context, f *serviceFlags) (*lookout, error) {
	set, err := a.dataSet()
	if err != nil {
		return nil, err
	}
	n, err := a.resolve(f.network, set)
	if err != nil {
		return nil, err
	}
	here, err := a.place(n, a.now)
	if err != nil {
		return nil, err
	}
	var remotes []*perspective.Remote
	if f.places != "" {
		if remotes, err = perspective.Load(f.places, perspective.Options{Now: a.now}); err != nil {
			return nil, a.perspectiveError(err, f.places, "assay perspective join --help")
		}
	}
	look := &lookout{places: []perspective.Place{here}}
	for _, r := range remotes {
		look.places = append(look.places, r)
	}
	look.test = func(ctx context.Context) {
		var tests sync.WaitGroup
		tests.Go(func() { here.SelfTest(ctx) })
		tests.Go(func() { perspective.Test(ctx, remotes...) })
		tests.Wait()
	}
	return look, nil
}

// serveProfiles finds profiles by name: the embedded ones, and the one that the
// operator's file holds.
func (a *app) serveProfiles(given string) func(string) (*profile.Profile, error) {
	return func(name string) (*profile.Profile, error) {
		if name == given {
			return a.profile(given)
		}
		p, err := a.profile(given)
		if err == nil && p.Name == name {
			return p, nil
		}
		return profile.Named(name)
	}
}

func (a *app) logger(form string) (*slog.Logger, error) {
	switch form {
	case "text":
		return slog.New(slog.NewTextHandler(a.err, nil)), nil
	case "json":
		return slog.New(slog.NewJSONHandler(a.err, nil)), nil
	}
	return nil, a.usage("assay serve --help", "error.one-of", "Flag", "--log", "Value", form, "Allowed", "text, json")
}

// restConfig reads what the flags say about the API.
func (a *app) restConfig(f *serviceFlags) (*rest.Config, error) {
	c := &rest.Config{Now: a.now, TokenRate: f.rate, AddressRate: f.rate}
	if f.public != "" {
		u, err := url.Parse(f.public)
		if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
			return nil, a.usage("assay serve --public-url https://assay.orchard.net", "serve.public-url", "URL", f.public)
		}
		c.PublicURL = u
	}
	for flag, list := range map[string][]string{"--trusted-proxy": f.proxies, "--metrics-from": f.metrics} {
		for _, text := range list {
			p, err := netip.ParsePrefix(text)
			if addr, e := netip.ParseAddr(text); e == nil {
				p, err = netip.PrefixFrom(addr, addr.BitLen()), nil
			}
			if err != nil {
				return nil, a.usage("assay serve "+flag+" 192.0.2.0/24", "serve.prefix", "Flag", flag, "Value", text)
			}
			if flag == "--trusted-proxy" {
				c.TrustedProxies = append(c.TrustedProxies, p)
			} else {
				c.MetricsFrom = append(c.MetricsFrom, p)
			}
		}
	}
	if (f.cert == "") != (f.key == "") {
		return nil, a.usage("assay serve --tls-cert cert.pem --tls-key key.pem", "serve.both-tls")
	}
	return c, nil
}

// greet says where the service listens, and shows the first token once. The line
// that begins with "ready" is for programs that wait for it.
func (a *app) greet(l *listening, own *house, token string) error {
	p := a.page()
	column := p.Column("serve.database", "serve.data", "serve.fingerprint")
	p.Line(p.Bold("ready " + l.url))
	p.Row(0, column, a.text.Text("serve.database"), render.Safe(own.Store.Engine()))
	p.Row(0, column, a.text.Text("serve.data"), render.Safe(own.dir))
	if l.fingerprint != "" {
		p.Row(0, column, a.text.Text("serve.fingerprint"), l.fingerprint)
	}
	if token != "" {
		p.Blank()
		p.Line(token) // never wrapped: it is copied
		p.Blank()
		p.Paragraph(0, a.text.Text("serve.token-once"))
		next := "assay login " + l.url
		if l.fingerprint != "" {
			next += " --fingerprint " + l.fingerprint
		}
		p.Line(p.Command(next))
	}
	return a.print(p)
}

// databaseDirectory is where the service keeps its files.
func (a *app) databaseDirectory(f *databaseFlags) string {
	return cmp.Or(f.data, a.getenv("STATE_DIRECTORY"), filepath.Join(a.dataDirectory(), "service"))
}

// databaseError is an error of the database for the operator.
func (a *app) databaseError(err error, database string) error {
	return &failure{code: exitUnavailable, what: a.text.Text("serve.no-database", "Database", withoutPassword(database), "Why", err), next: "assay serve --help"}
}

// withoutPassword is a database's address as it may be shown.
func withoutPassword(database string) string {
	if u, err := url.Parse(database); err == nil && u.User != nil {
		return u.Redacted()
	}
	return fmt.Sprint(database)
}
