package main

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"assay/data"
	"assay/internal/config"
	"assay/internal/contain"
	"assay/internal/render"
	"assay/internal/server/listen"
	"assay/internal/server/rest"
	"assay/internal/service"
	"assay/lookup"
	"assay/perspective"
)

// goodbye is how long requests under way may take when the service stops.
const goodbye = 20 * time.Second

// serve runs the order service until ctx ends.
func (a *app) serve(ctx context.Context, f *serviceFlags) error {
	file, err := a.settle(f)
	if err != nil {
		return err
	}
	api, err := a.restConfig(f)
	if err != nil {
		return err
	}
	set, err := a.dataSet()
	if err != nil {
		return err
	}
	look, err := a.lookout(f, file, set)
	if err != nil {
		return err
	}
	profiles, err := a.serveProfiles(f)
	if err != nil {
		return err
	}
	mail, err := a.mailer(&f.notices)
	if err != nil {
		return err
	}
	scan, err := a.scanner(&f.letters)
	if err != nil {
		return err
	}
	lists, err := a.serveLists(f, set)
	if err != nil {
		return err
	}
	defer lists.Close()
	own, err := a.openHouse(ctx, &f.databaseFlags)
	if err != nil {
		return err
	}
	defer own.Close()
	api.Log, api.Records = a.logger(f.log), own.Store
	s, err := service.New(service.Config{
		Store: own.Store, Now: a.now, Data: set, Profile: f.profile, Profiles: profiles.named, Offered: profiles.offered, Log: api.Log, AuditKey: own.auditKey, Secrets: own.secrets, Mail: mail, Hooks: a.hooks(&f.notices, set),
		NoticeDays: f.notices.days, ScanLetter: scan, LetterMax: f.letters.max,
		Places: look.places, Lists: lists, Workers: f.workers, Drafts: f.drafts, KeepReviews: time.Duration(f.keepReviews) * 24 * time.Hour, Meter: api.Meter, Prepare: look.prepare(api.Log), ServerKeys: f.ca.serverKeys,
		Watch: a.watchInUse(look.places, profiles.named, f.profile),
	})
	if err != nil {
		return a.usage(nextServe, "serve.profile", "Why", err)
	}
	revoked, err := a.issuing(ctx, &f.ca, file, s, own, set)
	if err != nil {
		return err
	}
	api.Service = s
	server, err := rest.New(*api)
	if err != nil {
		return err
	}
	h := http.Handler(server)
	if revoked != nil {
		h = revoked.Before(server)
		if f.ca.listen != "" {
			if err := a.serveStatus(ctx, f.ca.listen, revoked, api.Log); err != nil {
				return err
			}
		}
	}
	return a.open(ctx, f, &attendance{app: a, api: server, handler: h, service: s, log: api.Log, own: own})
}

// serveLists opens the operator's lists.
func (a *app) serveLists(f *serviceFlags, set *data.Set) (*lookup.Source, error) {
	c, err := a.lists(f.lists)
	if err != nil {
		return nil, err
	}
	c.Data = set
	lists, err := lookup.Open(c)
	if err != nil {
		return nil, &failure{code: exitUsage, what: err.Error(), next: nextServe}
	}
	return lists, nil
}

// open opens the listeners, shows the first token once, and serves.
func (a *app) open(ctx context.Context, f *serviceFlags, s *attendance) error {
	hosts := []string{}
	if u, err := url.Parse(f.public); err == nil {
		hosts = append(hosts, u.Hostname())
	}
	for _, address := range f.listen {
		if host, _, err := net.SplitHostPort(address); err == nil {
			hosts = append(hosts, host)
		}
	}
	defer s.close()
	for _, address := range f.listen {
		l, err := listen.Open(ctx, listen.Config{
			Address: address, CertFile: f.cert, KeyFile: f.key, Directory: s.own.dir, Hosts: hosts, Now: a.now, Log: s.log,
		})
		if err != nil {
			return a.usage("assay serve --listen 127.0.0.1:0", "perspective.listen", "Address", address, "Why", err)
		}
		s.listeners = append(s.listeners, l)
		s.servers = append(s.servers, listen.Server(s.handler, s.log))
	}
	token, created, err := s.service.Bootstrap(ctx)
	if err != nil {
		return a.databaseError(err, s.own.name)
	}
	if !created {
		token = ""
	}
	if err := a.greet(f, s.listeners, s.own, token); err != nil && token != "" {
		return &failure{code: exitUnavailable, what: a.text.Text("serve.token-lost", "Why", err), next: "assay token recover --data " + quoteArgument(s.own.dir)}
	} else if err != nil {
		return err
	}
	return s.attend(ctx)
}

// attendance is a service and what it serves on.
type attendance struct {
	app       *app
	api       *rest.Server
	handler   http.Handler // the API, and what else is served beside it
	service   *service.Service
	log       *slog.Logger
	own       *house
	listeners []*listen.Listener
	servers   []*http.Server
}

// attend answers requests and does what is due until ctx ends or a listener fails.
func (s *attendance) attend(ctx context.Context) error {
	background, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	var work, serving sync.WaitGroup
	work.Go(func() { s.service.Run(background) })
	if s.app.getenv("GOGC") == "" { // who sets it decides himself
		work.Go(func() { tendMemory(background) })
	}
	failed := make(chan error, len(s.listeners))
	for i, l := range s.listeners {
		serving.Go(func() {
			if err := l.Serve(s.servers[i]); err != nil {
				failed <- err
			}
		})
	}
	if err := tellManager(s.app.getenv("NOTIFY_SOCKET"), "READY=1"); err != nil {
		s.log.Warn("the service manager was not told", "error", err.Error())
	}
	var err error
	select {
	case <-ctx.Done():
		s.log.Info("stopping", "within", goodbye.String())
	case err = <-failed:
	}
	s.farewell()
	stop()
	work.Wait() // bounded: work under way is given back
	serving.Wait()
	return err
}

// farewell ends streams at once and lets other requests end, then cuts them.
func (s *attendance) farewell() {
	s.api.Stop()
	ctx, cancel := context.WithTimeout(context.Background(), goodbye)
	defer cancel()
	var all sync.WaitGroup
	for _, server := range s.servers {
		all.Go(func() {
			if err := server.Shutdown(ctx); err != nil {
				s.log.Warn("requests were cut off", "error", err.Error())
				_ = server.Close() // they are gone either way
			}
		})
	}
	all.Wait()
}

// close closes listeners that nothing was served on.
func (s *attendance) close() {
	for _, l := range s.listeners {
		if err := l.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
			s.log.Warn("closing a listener", "error", err.Error())
		}
	}
}

// A lookout is where orders are looked at from.
type lookout struct {
	places []perspective.Place
	// test tests them all.
	test func(context.Context)
}

// prepare tests the places: nothing is looked at before we know what works here.
func (l *lookout) prepare(log *slog.Logger) func(context.Context) {
	return func(ctx context.Context) {
		l.test(ctx)
		for _, m := range l.places[0].About().Missing {
			log.Warn("this machine cannot look at everything", "missing", m.What)
		}
	}
}

// lookout finds the places: this machine, and the remote ones.
func (a *app) lookout(f *serviceFlags, file *config.Config, set *data.Set) (*lookout, error) {
	n, err := file.Network(set, a.now())
	if err != nil {
		return nil, &failure{code: exitUsage, what: err.Error(), next: nextServe}
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
	log := a.logger(f.log)
	here.OnDefect(func(p *contain.Panic) {
		log.Error("a panic while looking; what was looked for is unknown", "panic", p.Text, "stack", p.Stack)
	})
	look := &lookout{places: []perspective.Place{here}}
	for _, r := range remotes {
		look.places = append(look.places, r)
	}
	look.test = func(ctx context.Context) {
		var tests contain.Group
		tests.Go(func() { here.SelfTest(ctx) })
		tests.Go(func() { perspective.Test(ctx, remotes...) })
		if p := tests.Settle(); p != nil {
			log.Error("a panic while testing the places", "panic", p.Text, "stack", p.Stack)
		}
	}
	return look, nil
}

// greet says where the service listens, and shows the first token once. The line
// that begins with "ready" is for programs that wait for it.
func (a *app) greet(f *serviceFlags, all []*listen.Listener, own *house, token string) error {
	p := a.page()
	column := p.Column("serve.database", "serve.data", "serve.fingerprint")
	for _, l := range all {
		p.Line(p.Bold("ready " + l.URL()))
	}
	p.Row(0, column, a.text.Text("serve.database"), render.Safe(own.Store.Engine()))
	p.Row(0, column, a.text.Text("serve.data"), render.Safe(own.dir))
	pin := ""
	for _, l := range all {
		if l.Fingerprint != "" && pin == "" {
			pin = " --fingerprint " + l.Fingerprint
			p.Row(0, column, a.text.Text("serve.fingerprint"), l.Fingerprint)
		}
	}
	if token != "" {
		p.Blank()
		p.Line(token) // never wrapped: it is copied
		p.Blank()
		p.Paragraph(0, a.text.Text("serve.token-once"))
		p.Line(p.Command("assay login " + cmp.Or(f.public, all[0].URL()) + pin))
	}
	return a.print(p)
}

// tellManager writes a state to the service manager's socket (sd_notify(3)).
func tellManager(socket, state string) error {
	if socket == "" {
		return nil
	}
	if strings.HasPrefix(socket, "@") {
		socket = "\x00" + socket[1:]
	}
	conn, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: socket, Net: "unixgram"})
	if err != nil {
		return err
	}
	defer conn.Close()
	_, err = conn.Write([]byte(state))
	return err
}
