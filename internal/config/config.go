// Package config is what an operator sets: the configuration file, the flags
// of the same names, and what both come to.
package config

import (
	"bytes"
	"errors"
	"fmt"
	"path/filepath"
	"reflect"
	"strings"

	"github.com/pelletier/go-toml/v2"
)

// A Config is the configuration file, in TOML. Every setting is also a flag of
// the same name; a flag that is given wins. What is not set has the value that
// is right on the public internet, so the file, and each setting, can be left
// out. A setting that is set and is not the internet's is written into the
// evidence and stamps the report "lab": see docs/network.md.
//
//	root-hints = "/etc/assay/root.hints"
//	trust-anchors = "/etc/assay/root.key"
//	allow-addresses = ["10.1.0.0/16"]
//	http-port = 8080
//	timeout = "3s"
//
// A path is relative to the directory of the file; in a flag, to the working
// directory.
type Config struct {
	// RootHints is a file with the name servers of the root zone, in the form of
	// IANA's named.root. Default: those of IANA, built in (`assay data show`).
	RootHints string `toml:"root-hints"`
	// TrustAnchors is a file with the keys of the root zone that DNSSEC hangs on:
	// DS or DNSKEY records, or IANA's root-anchors.xml. Default: both keys of
	// IANA, tags 20326 and 38696, built in.
	TrustAnchors string `toml:"trust-anchors"`
	// Resolver is a recursive resolver to ask instead of the name servers
	// themselves, where port 53 is closed: "192.0.2.1:53" or, by DNS over HTTPS,
	// "https://dns.example.net/dns-query". It is asked with CD=1 and what it says
	// is validated here; its AD bit is never believed. Rows that need the answer
	// of each server are then unknown. Default: none.
	Resolver Resolver `toml:"resolver"`
	// PublicResolvers are resolvers, in the same form, that are asked only to
	// explain what others may still see, and only after every authoritative
	// server has the record: asking earlier would plant a negative answer.
	// Default: none.
	PublicResolvers Resolvers `toml:"public-resolvers"`
	// AllowAddresses are networks that count as public although they are not:
	// your own. Every other special-purpose address is never dialled.
	// Default: none.
	AllowAddresses Prefixes `toml:"allow-addresses"`
	// DialMap is a file that says where an address and port really is: lines of
	// "udp 45.155.10.11:53 127.0.0.1:40111", # for comments. With it nothing
	// else is reachable. It is for laboratories. Default: none.
	DialMap string `toml:"dial-map"`
	// DNSPort, HTTPPort and HTTPSPort are where ports 53, 80 and 443 are dialled.
	// Rules and reports go on calling them 53, 80 and 443. Default: there.
	DNSPort   uint16 `toml:"dns-port"`
	HTTPPort  uint16 `toml:"http-port"`
	HTTPSPort uint16 `toml:"https-port"`
	// SourceAddress is the local address to dial from. Default: the system's choice.
	SourceAddress Address `toml:"source-address"`
	// Timeout bounds one try of one question to one server, and one connection:
	// "500ms" to "1m". Default: 2 s for a DNS question, 10 s for a connection.
	Timeout Duration `toml:"timeout"`
	// Region is the RIR region that this network's addresses are from: "ARIN",
	// "RIPE", "APNIC", "LACNIC" or "AFRINIC". Location is where it is, latitude
	// and longitude in degrees: "52.37,4.90". Both say what this machine is worth
	// beside others (BR 3.2.2.9); neither is a setting of a laboratory. Default:
	// not known.
	Region   string   `toml:"region"`
	Location Location `toml:"location"`
	// Issuer is the table [issuer]: who signs the certificates of `assay serve`.
	Issuer Issuer `toml:"issuer"`
	// Serve is the table [serve], the settings of `assay serve`. The tables stay last.
	Serve Serve `toml:"serve"`
}

// MaxBytes is the largest configuration file.
const MaxBytes = 1 << 20

// An Error is something wrong with a setting: where it was set, what is wrong,
// what to do.
type Error struct {
	Where string // "assay.toml:3:8" or "--dns-port"
	Key   string // "dns-port"
	What  string
}

func (e *Error) Error() string {
	switch {
	case e.Key == "" || e.Where == "--"+e.Key:
		return e.Where + ": " + e.What
	case e.Where == "":
		return e.Key + ": " + e.What
	}
	return e.Where + ": " + e.Key + ": " + e.What
}

// Parse reads a configuration file; path is its name for errors and the base of
// relative paths. A key it does not know is an error, as is a value that cannot
// be: all unknown keys are reported at once, else the first bad value.
func Parse(raw []byte, path string) (*Config, error) {
	if len(raw) > MaxBytes {
		return nil, &Error{Where: path, What: fmt.Sprintf("larger than %d bytes", MaxBytes)}
	}
	c := &Config{}
	for _, into := range []any{reflect.New(plain()).Interface(), c} {
		d := toml.NewDecoder(bytes.NewReader(raw))
		d.DisallowUnknownFields()
		if err := d.Decode(into); err != nil {
			return nil, decodeError(err, path)
		}
	}
	for _, p := range []*string{
		&c.RootHints, &c.TrustAnchors, &c.DialMap,
		&c.Serve.Data, &c.Serve.TLSCert, &c.Serve.TLSKey, &c.Serve.KeyFile, &c.Serve.Perspectives, &c.Serve.Lists, &c.Serve.SMTPPasswordFile,
	} {
		if *p != "" && !filepath.IsAbs(*p) {
			*p = filepath.Join(filepath.Dir(path), *p)
		}
	}
	for _, p := range append(c.Serve.profileFiles(), c.Issuer.files()...) {
		if *p != "" && !filepath.IsAbs(*p) {
			*p = filepath.Join(filepath.Dir(path), *p)
		}
	}
	return c, nil
}

// plain is Config with TOML's own types: read first, it gives errors about types
// their place, which types that read themselves would lose.
func plain() reflect.Type {
	t := reflect.TypeFor[Config]()
	fields := make([]reflect.StructField, t.NumField())
	for i := range fields {
		f := t.Field(i)
		switch {
		case f.Type == reflect.TypeFor[Serve](), f.Type == reflect.TypeFor[Issuer](): // of TOML's own types
		case f.Type.Kind() == reflect.Slice:
			f.Type = reflect.TypeFor[[]string]()
		case f.Type.Kind() == reflect.Struct:
			f.Type = reflect.TypeFor[string]()
		}
		fields[i] = f
	}
	return reflect.StructOf(fields)
}

func decodeError(err error, path string) error {
	var missing *toml.StrictMissingError
	if errors.As(err, &missing) {
		var all []error
		for i := range missing.Errors {
			e := &missing.Errors[i]
			key := strings.Join(e.Key(), ".")
			keys := Keys()
			switch {
			case strings.HasPrefix(key, "serve."):
				keys = ServeKeys()
			case strings.HasPrefix(key, "issuer."):
				keys = IssuerKeys()
			}
			what := "there is no such setting; there are " + strings.Join(keys, ", ")
			if near := nearest(key); near != "" {
				what = "there is no such setting; did you mean " + near + "?"
			}
			all = append(all, &Error{Where: position(path, e), Key: key, What: what})
		}
		return errors.Join(all...)
	}
	var decode *toml.DecodeError
	if errors.As(err, &decode) {
		key := strings.Join(decode.Key(), ".")
		return &Error{Where: position(path, decode), Key: key, What: plainly(strings.TrimPrefix(decode.Error(), "toml: "), key)}
	}
	return &Error{Where: path, What: err.Error()}
}

func position(path string, e *toml.DecodeError) string {
	line, column := e.Position()
	return fmt.Sprintf("%s:%d:%d", path, line, column)
}

// plainly says what a decoder means to somebody who does not know Go.
func plainly(message, key string) string {
	switch {
	case strings.HasSuffix(key, "-port") && strings.Contains(message, "uint16"):
		return "want a port, a number from 1 to 65535"
	case strings.Contains(message, "cannot decode TOML") || strings.Contains(message, "cannot store"):
		return "want " + forms()[key]
	}
	return message
}

// forms says what each setting looks like.
func forms() map[string]string {
	path := `a path in quotation marks: "root.hints"`
	port := "a port, a number from 1 to 65535"
	return map[string]string{
		"root-hints": path, "trust-anchors": path, "dial-map": path,
		"resolver":         `a resolver in quotation marks: "192.0.2.1:53" or "https://…"`,
		"public-resolvers": `a list of resolvers: ["192.0.2.1:53", "https://…"]`,
		"allow-addresses":  `a list of networks: ["10.1.0.0/16"]`,
		"dns-port":         port, "http-port": port, "https-port": port,
		"source-address": `an address in quotation marks: "192.0.2.1"`,
		"timeout":        `a duration in quotation marks: "3s"`,
		"region":         `a region in quotation marks: "RIPE"`,
		"location":       `latitude and longitude in degrees, in quotation marks: "52.37,4.90"`,
	}
}

// tables is how many fields at the end of Config are tables.
const tables = 2

// Keys lists the settings outside the tables in the order of the struct.
func Keys() []string {
	t := reflect.TypeFor[Config]()
	keys := make([]string, t.NumField()-tables)
	for i := range keys {
		keys[i] = t.Field(i).Tag.Get("toml")
	}
	return keys
}

// nearest finds the setting that was meant: another way to write it.
func nearest(key string) string {
	fold := func(s string) string {
		return strings.TrimSuffix(strings.NewReplacer("-", "", "_", "").Replace(strings.ToLower(s)), "s")
	}
	for _, k := range Keys() {
		if fold(k) == fold(key) {
			return k
		}
	}
	return ""
}

// Over puts the settings that given names (flags that were given) in place of
// those of the file.
func (c *Config) Over(flags *Config, given func(key string) bool) {
	to, from := reflect.ValueOf(c).Elem(), reflect.ValueOf(flags).Elem()
	for i, key := range Keys() {
		if given(key) {
			to.Field(i).Set(from.Field(i))
		}
	}
}
