package main

import (
	"context"
	"log/slog"
	"math"
	"net/netip"
	"net/url"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"assay/internal/config"
	"assay/internal/server/rest"
)

// serviceFlags are the flags of assay serve. They have the names of the settings
// of the table [serve] of the configuration file; see [config.Serve].
type serviceFlags struct {
	databaseFlags
	listen               []string
	cert, key, public    string
	proxies, metrics     config.Prefixes
	profile, places, log string
	lists                string
	profiles             []string
	notices              noticeFlags
	letters              letterFlags
	ca                   caFlags
	rate                 float64
	workers, keepReviews int
	drafts               int
	network              *networkFlags
	set                  *pflag.FlagSet
}

const nextServe = "assay serve --help"

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
	a.serviceFlags(c, &f)
	return c
}

func (a *app) serviceFlags(c *cobra.Command, f *serviceFlags) {
	s := c.Flags()
	s.SortFlags = false
	a.databaseFlags(c, &f.databaseFlags)
	s.StringSliceVar(&f.listen, "listen", []string{"127.0.0.1:8080"}, a.text.Text("flag.serve-listen"))
	s.StringVar(&f.cert, "tls-cert", "", a.text.Text("flag.tls-cert"))
	s.StringVar(&f.key, "tls-key", "", a.text.Text("flag.tls-key"))
	s.StringVar(&f.public, "public-url", "", a.text.Text("flag.public-url"))
	s.TextVar(&f.proxies, "trusted-proxy", config.Prefixes{}, a.text.Text("flag.trusted-proxy"))
	s.TextVar(&f.metrics, "metrics-from", config.Prefixes{}, a.text.Text("flag.metrics-from"))
	s.StringVar(&f.profile, "profile", "cloud", a.text.Text("flag.serve-profile"))
	s.StringSliceVar(&f.profiles, "profiles", nil, a.text.Text("flag.serve-profiles"))
	s.StringVar(&f.places, "perspectives", "", a.text.Text("flag.perspectives"))
	s.StringVar(&f.log, "log", "text", a.text.Text("flag.log"))
	s.Float64Var(&f.rate, "rate", 0, a.text.Text("flag.serve-rate"))
	s.StringVar(&f.lists, "lists", "", a.text.Text("flag.lists"))
	s.IntVar(&f.workers, "workers", 64, a.text.Text("flag.serve-workers"))
	s.IntVar(&f.drafts, "drafts", 500, a.text.Text("flag.serve-drafts"))
	s.IntVar(&f.keepReviews, "keep-reviews", 0, a.text.Text("flag.serve-keep-reviews"))
	a.noticeFlags(s, &f.notices)
	a.letterFlags(s, &f.letters)
	a.caFlags(s, &f.ca)
	f.set = s
	f.network = a.network(c)
}

// settle fills in what no flag gave: from the environment, else from the file.
func (a *app) settle(f *serviceFlags) (*config.Config, error) {
	file, err := a.config(f.network.file)
	if err != nil {
		return nil, err
	}
	for _, key := range config.ServeKeys() {
		if f.set.Changed(key) {
			continue
		}
		text, where := a.settingOf(key)
		if text == "" {
			var ok bool
			if text, ok = file.Serve.Set(key); !ok {
				continue
			}
			where = "[serve] " + key
		}
		if err := f.set.Lookup(key).Value.Set(text); err != nil {
			return nil, a.usage(nextServe, "serve.setting", "Where", where, "Why", a.flagWhy(f.set.Lookup(key), err))
		}
	}
	file.Over(&f.network.given, f.network.set.Changed)
	return file, a.checkService(f)
}

// settingOf is a setting in the environment, and the name of the variable.
func (a *app) settingOf(key string) (text, variable string) {
	word := strings.ToUpper(strings.ReplaceAll(key, "-", "_"))
	if key == "database" || key == "key-file" { // other commands know them, too
		if text := a.getenv("ASSAY_" + word); text != "" {
			return text, "ASSAY_" + word
		}
	}
	return a.getenv("ASSAY_SERVE_" + word), "ASSAY_SERVE_" + word
}

func (a *app) checkService(f *serviceFlags) error {
	switch {
	case !slices.Contains([]string{"text", "json"}, f.log):
		return a.usage(nextServe, "error.one-of", "Flag", "--log", "Value", f.log, "Allowed", "text, json")
	case f.workers < 1 || f.workers > 10_000:
		return a.usage(nextServe, "serve.setting", "Where", "--workers", "Why", "1 … 10000")
	case !(f.rate >= 0 || f.rate == -1) || math.IsInf(f.rate, 0): // NaN is neither
		return a.usage(nextServe, "serve.setting", "Where", "--rate", "Why", "> 0, -1, 0")
	case f.drafts < 1:
		return a.usage(nextServe, "serve.setting", "Where", "--drafts", "Why", "≥ 1")
	case f.keepReviews < 0:
		return a.usage(nextServe, "serve.setting", "Where", "--keep-reviews", "Why", "≥ 0")
	case !f.notices.daysFit():
		return a.usage(nextServe, "serve.setting", "Where", "--notice-days", "Why", "0, 1 … 36525")
	case len(f.listen) == 0:
		return a.usage(nextServe, "serve.setting", "Where", "--listen", "Why", "127.0.0.1:8080")
	case (f.cert == "") != (f.key == ""):
		return a.usage("assay serve --tls-cert cert.pem --tls-key key.pem", "serve.both-tls")
	}
	return nil
}

// logger is where the service writes what happens.
func (a *app) logger(form string) *slog.Logger {
	if form == "json" {
		return slog.New(slog.NewJSONHandler(a.err, nil))
	}
	return slog.New(slog.NewTextHandler(a.err, nil))
}

// restConfig reads what the flags say about the API.
func (a *app) restConfig(f *serviceFlags) (*rest.Config, error) {
	c := &rest.Config{
		Now: a.now, TokenRate: f.rate, AddressRate: f.rate, TrustedProxies: prefixes(f.proxies), MetricsFrom: prefixes(f.metrics), Meter: rest.NewMeter(),
	}
	if f.public == "" {
		return c, nil
	}
	u, err := url.Parse(f.public)
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" || u.RawQuery != "" || u.Fragment != "" || u.User != nil {
		return nil, a.usage("assay serve --public-url https://assay.orchard.net", "serve.public-url", "URL", f.public)
	}
	c.PublicURL = u
	return c, nil
}

// prefixes are networks as package netip has them.
func prefixes(list config.Prefixes) []netip.Prefix {
	out := make([]netip.Prefix, len(list))
	for i := range list {
		out[i] = list[i].Prefix
	}
	return out
}
