package main

import (
	"cmp"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"assay/data"
	"assay/internal/config"
)

// networkFlags are the flags that say how to look at the network. They have the
// names of the configuration file's settings; see [config.Config].
type networkFlags struct {
	file  string
	given config.Config
	set   *pflag.FlagSet
}

// network adds the network flags to a command, in a group of their own at the end.
func (a *app) network(c *cobra.Command) *networkFlags {
	f := &networkFlags{set: c.Flags()}
	g := &f.given
	t := func(id string) string { return a.text.Text("flag." + id) }
	s := c.Flags()
	s.StringVar(&f.file, "config", "", t("config"))
	s.StringVar(&g.RootHints, "root-hints", "", t("root-hints"))
	s.StringVar(&g.TrustAnchors, "trust-anchors", "", t("trust-anchors"))
	s.TextVar(&g.Resolver, "resolver", config.Resolver{}, t("resolver"))
	s.TextVar(&g.PublicResolvers, "public-resolvers", config.Resolvers{}, t("public-resolvers"))
	s.TextVar(&g.AllowAddresses, "allow-addresses", config.Prefixes{}, t("allow-addresses"))
	s.StringVar(&g.DialMap, "dial-map", "", t("dial-map"))
	s.Var((*portFlag)(&g.DNSPort), "dns-port", t("dns-port"))
	s.Var((*portFlag)(&g.HTTPPort), "http-port", t("http-port"))
	s.Var((*portFlag)(&g.HTTPSPort), "https-port", t("https-port"))
	s.TextVar(&g.SourceAddress, "source-address", config.Address{}, t("source-address"))
	s.TextVar(&g.Timeout, "timeout", config.Duration{}, t("timeout"))
	s.StringVar(&g.Region, "region", "", t("region"))
	s.TextVar(&g.Location, "location", config.Location{}, t("location"))
	return f
}

// A portFlag is a port.
type portFlag uint16

func (p *portFlag) String() string { return strconv.Itoa(int(*p)) }
func (*portFlag) Type() string     { return "port" }

func (p *portFlag) Set(text string) error {
	n, err := strconv.ParseUint(text, 10, 16)
	if err != nil || n == 0 {
		return errors.New("want a port, a number from 1 to 65535")
	}
	*p = portFlag(n)
	return nil
}

// isNetworkFlag is true for the flags of [app.network].
func isNetworkFlag(name string) bool {
	if name == "config" {
		return true
	}
	for _, key := range config.Keys() {
		if key == name {
			return true
		}
	}
	return false
}

// givenFlag is the first network flag that was given, "" where none was.
func (f *networkFlags) givenFlag() string {
	name := ""
	f.set.Visit(func(flag *pflag.Flag) {
		if name == "" && isNetworkFlag(flag.Name) {
			name = "--" + flag.Name
		}
	})
	return name
}

// resolve reads the configuration file, puts the flags over it and returns what
// both come to.
func (a *app) resolve(f *networkFlags, set *data.Set) (*config.Network, error) {
	c, err := a.config(f.file)
	if err != nil {
		return nil, err
	}
	c.Over(&f.given, f.set.Changed)
	n, err := c.Network(set, a.now())
	if err != nil {
		return nil, &failure{code: exitUsage, what: err.Error(), next: "assay check --help"}
	}
	return n, nil
}

// config reads the configuration file: --config, $ASSAY_CONFIG, or assay.toml
// in the user's configuration directory, which need not be there.
func (a *app) config(path string) (*config.Config, error) {
	if path = a.configFile(path); path == "" {
		return &config.Config{}, nil
	}
	raw, err := a.read(path, config.MaxBytes, "assay check --help")
	if err != nil {
		return nil, err
	}
	c, err := config.Parse(raw, path)
	if err != nil {
		return nil, &failure{code: exitUsage, what: err.Error(), next: a.configHelp(err)}
	}
	return c, nil
}

// configHelp is where to read about the settings of the table that an error of the
// configuration file is about.
func (a *app) configHelp(err error) string {
	var wrong *config.Error
	if errors.As(err, &wrong) {
		if key, _, _ := strings.Cut(wrong.Key, "."); key == "serve" || key == "issuer" {
			return nextServe
		}
	}
	return a.text.Text("config.next", "Keys", strings.Join(config.Keys(), ", "))
}

// configFile is the configuration file: the one that was asked for, also where it
// is missing, or the one at its default place; "" where there is none.
func (a *app) configFile(path string) string {
	if path = cmp.Or(path, a.getenv("ASSAY_CONFIG")); path != "" {
		return path
	}
	path = a.configPath()
	if _, err := os.Stat(path); path == "" || errors.Is(err, os.ErrNotExist) {
		return ""
	}
	return path
}

// configPath is where the configuration file is by default.
func (a *app) configPath() string {
	if dir := a.getenv("XDG_CONFIG_HOME"); dir != "" {
		return filepath.Join(dir, "assay", "assay.toml")
	}
	if home := a.getenv("HOME"); home != "" {
		return filepath.Join(home, ".config", "assay", "assay.toml")
	}
	if dir := a.getenv("AppData"); dir != "" {
		return filepath.Join(dir, "assay", "assay.toml")
	}
	return ""
}
