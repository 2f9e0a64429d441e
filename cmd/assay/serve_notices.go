package main

import (
	"errors"
	"io"
	"net/mail"
	"os"
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"assay/data"
	"assay/internal/config"
	"assay/internal/notify"
	"assay/internal/renewal"
	"assay/probe/dial"
	"assay/review"
)

// noticeFlags say how notices are delivered.
type noticeFlags struct {
	smtp, from, passwordFile string
	networks                 config.Prefixes
	days                     []int
}

func (a *app) noticeFlags(s *pflag.FlagSet, f *noticeFlags) {
	s.StringVar(&f.smtp, "smtp", "", a.text.Text("flag.smtp"))
	s.StringVar(&f.from, "smtp-from", "", a.text.Text("flag.smtp-from"))
	s.StringVar(&f.passwordFile, "smtp-password-file", "", a.text.Text("flag.smtp-password-file"))
	s.TextVar(&f.networks, "webhook-networks", config.Prefixes{}, a.text.Text("flag.webhook-networks"))
	s.IntSliceVar(&f.days, "notice-days", renewal.DefaultNotices(), a.text.Text("flag.notice-days"))
}

// mostNoticeDays bounds how long before its end a certificate's end is told.
const mostNoticeDays = 36525

// daysFit reports whether each of the days on which an end is told can be one.
func (f *noticeFlags) daysFit() bool {
	return len(f.days) <= 100 && !slices.ContainsFunc(f.days, func(d int) bool { return d < 0 || d > mostNoticeDays })
}

// mailer is the mail server that the flags say; nil: none.
func (a *app) mailer(f *noticeFlags) (*notify.Mailer, error) {
	const next = `assay serve --smtp smtp://assay@mail.orchard.net --smtp-from "Assay <assay@orchard.net>" --smtp-password-file FILE`
	wrong := func(where string, why error) error {
		return a.usage(next, "serve.setting", "Where", where, "Why", why)
	}
	if f.smtp == "" {
		if f.from != "" || f.passwordFile != "" {
			return nil, a.usage(next, "serve.smtp-alone")
		}
		return nil, nil
	}
	m := &notify.Mailer{From: f.from, Now: a.now}
	if err := m.ParseServer(f.smtp); err != nil {
		return nil, wrong("--smtp", err)
	}
	if f.from == "" {
		return nil, a.usage(next, "serve.smtp-from")
	}
	if _, err := mail.ParseAddress(f.from); err != nil {
		return nil, wrong("--smtp-from", errors.New(`want "Assay <assay@orchard.net>"`))
	}
	if m.User == "" {
		if f.passwordFile != "" {
			return nil, a.usage(next, "serve.smtp-user")
		}
		return m, nil
	}
	m.Password = a.smtpPassword(f)
	if _, err := m.Password(); errors.Is(err, errNoPassword) {
		return nil, a.usage(next, "serve.smtp-password")
	} else if err != nil {
		return nil, wrong("--smtp-password-file", errors.New(a.why(err)))
	}
	return m, nil
}

// errNoPassword: there is a user and nothing says the password.
var errNoPassword = errors.New("there is no password for the user of the mail server")

// smtpPassword reads the password each time it is needed, so that it can be changed
// without a restart. It never stands on the command line.
func (a *app) smtpPassword(f *noticeFlags) func() (string, error) {
	return func() (string, error) {
		if f.passwordFile == "" {
			if p := a.getenv("ASSAY_SMTP_PASSWORD"); p != "" {
				return p, nil
			}
			return "", errNoPassword
		}
		file, err := os.Open(f.passwordFile)
		if err != nil {
			return "", err
		}
		defer file.Close()
		raw, err := io.ReadAll(io.LimitReader(file, 4<<10))
		if err != nil {
			return "", err
		}
		p := strings.TrimRight(string(raw), "\r\n")
		if p == "" {
			return "", errNoPassword
		}
		return p, nil
	}
}

// hooks sends webhooks: to public addresses, and to the networks of the operator.
func (a *app) hooks(f *noticeFlags, set *data.Set) *notify.Webhook {
	return &notify.Webhook{Dialer: &dial.Dialer{Data: set, Allow: prefixes(f.networks)}, Now: a.now, Agent: "assay/" + review.Engine}
}
