package config

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
)

// Serve are the settings of `assay serve`, in the table [serve] of the
// configuration file. Each is also a flag of the same name and a variable of the
// environment (ASSAY_SERVE_TLS_CERT for tls-cert, also ASSAY_DATABASE and
// ASSAY_KEY_FILE): a flag wins over the
// environment, that over the file. How to look at the network is set outside the
// table, as for every command.
//
//	[serve]
//	data = "/var/lib/assay"
//	listen = ["0.0.0.0:8443"]
//	public-url = "https://assay.orchard.net"
//	trusted-proxy = ["10.0.0.0/8"]
type Serve struct {
	// Data is the directory of the service: database, key file, self-signed
	// certificate. It is made with mode 0700. Default: $STATE_DIRECTORY, else
	// assay in $XDG_STATE_HOME, else ~/.local/state/assay.
	Data string `toml:"data"`
	// Database is a file for SQLite or "postgres://user@host/name". A password
	// is better kept in PGPASSFILE. Default: assay.db in the data directory.
	Database string `toml:"database"`
	// Listen are the addresses to serve on. Those that are not loopback speak TLS.
	// Default: 127.0.0.1:8080.
	Listen []string `toml:"listen"`
	// PublicURL is how clients reach the service: "https://assay.orchard.net".
	// Default: answers hold paths only.
	PublicURL string `toml:"public-url"`
	// TrustedProxy are networks whose X-Forwarded-For is believed. Default: none.
	TrustedProxy []string `toml:"trusted-proxy"`
	// MetricsFrom are networks that may read /metrics beside this machine.
	// Default: none.
	MetricsFrom []string `toml:"metrics-from"`
	// TLSCert and TLSKey are PEM files; they are read again when they change.
	// Default: a self-signed certificate, where TLS is needed.
	TLSCert string `toml:"tls-cert"`
	TLSKey  string `toml:"tls-key"`
	// KeyFile holds the master key of the secrets in the database. It is made at
	// the first start. Default: assay.key in the data directory.
	KeyFile string `toml:"key-file"`
	// Profile is whose rules orders are reviewed by that name none: a built-in
	// one or a file. Files are read when the service starts. Default: cloud.
	Profile string `toml:"profile"`
	// Profiles are those that an applicant may name beside that one, built-in ones
	// or files; an administrator may name every one. Default: the built-in ones.
	Profiles []string `toml:"profiles"`
	// Perspectives is the file of remote places to look from, as `assay
	// perspective join` writes it. Default: only this machine looks.
	Perspectives string `toml:"perspectives"`
	// Lists is a file that says which lists of keys, names and parties to search.
	// Default: none.
	Lists string `toml:"lists"`
	// Log is "text" or "json". Default: text.
	Log string `toml:"log"`
	// Rate is how many requests a second one token and one address may make in
	// the long run, and four times that at once; -1: no limit. Default: 100 for a
	// token, 200 for an address.
	Rate float64 `toml:"rate"`
	// Workers is how many checks run at once. Default: 64.
	Workers int `toml:"workers"`
	// Drafts is how many drafts an account may have at once. Default: 500.
	Drafts int `toml:"drafts"`
	// KeepReviews is how many days the reviews of ended orders are kept whole.
	// Default: for ever.
	KeepReviews int `toml:"keep-reviews"`
	// SMTP is the server that takes the mails: "smtp://assay@mail.orchard.net", port
	// 587 with STARTTLS, which must succeed; "smtps://…", port 465 with TLS from the
	// first byte; "smtp://localhost", port 25 in the clear. SMTPFrom is who sends.
	// Default: no mail is sent.
	SMTP     string `toml:"smtp"`
	SMTPFrom string `toml:"smtp-from"`
	// SMTPPasswordFile holds the password of the user in SMTP; it is read for each
	// mail. Default: what ASSAY_SMTP_PASSWORD says.
	SMTPPasswordFile string `toml:"smtp-password-file"`
	// WebhookNetworks are networks of yours that webhooks may lead to, over http, too.
	// Whoever may make a channel can have the service post there. Default: none but
	// public addresses, over https.
	WebhookNetworks []string `toml:"webhook-networks"`
	// NoticeDays are how many days before its end a certificate's end is told, each from
	// 1 to 36525; [0] is on none. What lies in the first third of its life is left out.
	// Default: 30, 14, 7, 3, 1.
	NoticeDays []int `toml:"notice-days"`
	// LetterScan is a program that gets each letter on its standard input before
	// it is kept, with its arguments: it ends with 0 where it found nothing, with 1
	// where it did. Anything else, or nothing within 30 s: the letter is not taken.
	// Default: letters are not scanned.
	LetterScan string `toml:"letter-scan"`
	// LetterMax is how many bytes a letter may have, where that is less than what
	// the profile allows; at most 2097152. Default: what the profile allows.
	LetterMax int `toml:"letter-max"`
	// CAPermit are the domains ("orchard.net", for itself and all below it) and networks
	// ("10.0.0.0/8") that a CA of this service may certify; "any": no bounds. With it
	// the CA is made at the first start, and issues what passed its review. What it may
	// certify stands in its certificate and does not change later. Default: there is
	// no CA, and orders that passed stay ready.
	CAPermit []string `toml:"ca-permit"`
	// CAName is the name of the CA made at the first start: "Orchard CA". Default: Assay
	// Private CA.
	CAName string `toml:"ca-name"`
	// CAURL is where clients find lists of revoked certificates and OCSP, over http:
	// "http://ca.orchard.net". It stands in every certificate. The service answers there
	// on each address that it listens on. Default: certificates name no such place.
	CAURL string `toml:"ca-url"`
	// StatusListen is an address for lists and OCSP alone, without TLS: "0.0.0.0:80".
	// Default: none.
	StatusListen string `toml:"status-listen"`
	// ServerKeys lets applicants have keys made by the service, which keeps them
	// sealed until they are fetched, once. Profiles of public CAs refuse such keys.
	// Default: false.
	ServerKeys bool `toml:"server-keys"`
}

// profileFiles are the profiles that are files, not built in.
func (s *Serve) profileFiles() []*string {
	all := []*string{&s.Profile}
	for i := range s.Profiles {
		all = append(all, &s.Profiles[i])
	}
	return slices.DeleteFunc(all, func(p *string) bool {
		return !strings.HasSuffix(*p, ".toml") && !strings.ContainsAny(*p, `/\`)
	})
}

// ProfileFiles are the paths of the profiles that are files, not built in.
func (s *Serve) ProfileFiles() []string {
	var paths []string
	for _, p := range s.profileFiles() {
		paths = append(paths, *p)
	}
	return paths
}

// ServeKeys lists the settings of the table [serve].
func ServeKeys() []string {
	t := reflect.TypeFor[Serve]()
	keys := make([]string, t.NumField())
	for i := range keys {
		keys[i] = t.Field(i).Tag.Get("toml")
	}
	return keys
}

// Set returns a setting as a flag would be given it; ok is false where the file
// does not set it.
func (s *Serve) Set(key string) (text string, ok bool) {
	t, v := reflect.TypeFor[Serve](), reflect.ValueOf(s).Elem()
	for i := range t.NumField() {
		if t.Field(i).Tag.Get("toml") != key || v.Field(i).IsZero() {
			continue
		}
		if list, ok := v.Field(i).Interface().([]string); ok {
			return strings.Join(list, ","), true
		}
		if list, ok := v.Field(i).Interface().([]int); ok {
			return strings.Join(strings.Fields(strings.Trim(fmt.Sprint(list), "[]")), ","), true
		}
		return fmt.Sprint(v.Field(i).Interface()), true
	}
	return "", false
}
