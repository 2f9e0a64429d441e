package notify

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/mail"
	"net/netip"
	"strconv"
	"strings"
	"time"

	gomail "github.com/wneessen/go-mail"
)

// Security says how a mail server is talked to.
type Security string

// The ways to talk to a mail server.
const (
	// SecurityUsual is STARTTLS, which must succeed; plain text on loopback.
	SecurityUsual Security = ""
	// SecurityStartTLS is STARTTLS on loopback, too.
	SecurityStartTLS Security = "starttls"
	// SecurityTLS is TLS from the first byte (RFC 8314).
	SecurityTLS Security = "tls"
)

const (
	// mailTimeout bounds a delivery as a whole, however slowly the server answers.
	mailTimeout = 30 * time.Second
	// maxReplies bounds what is read from a mail server in one delivery, in bytes.
	maxReplies = 64 << 10
	// MaxAddress bounds a mail address, in bytes (RFC 5321 4.5.3.1.3).
	MaxAddress = 254
)

// A Mailer sends mail through one server, the operator's.
type Mailer struct {
	// Host and Port are the server's.
	Host string
	Port int
	// Security says how it is talked to.
	Security Security
	// From is who sends: "Assay <assay@orchard.net>".
	From string
	// User logs in with the password that Password reads; "": no login.
	User     string
	Password func() (string, error)
	// Roots verify the server's certificate; nil: the system's.
	Roots *x509.CertPool
	// Timeout bounds a delivery as a whole; 0: 30 s.
	Timeout time.Duration
	// Now is the clock for the Date header; nil: the system's.
	Now func() time.Time
}

// CheckAddress reads the address of one mailbox, "web@orchard.net". The error says
// what is wrong with it.
func CheckAddress(text string) (string, error) {
	a, err := mail.ParseAddress(text)
	switch {
	case len(text) > MaxAddress:
		return "", badTarget("long", fmt.Sprintf("it is longer than %d bytes", MaxAddress))
	case err != nil || a.Name != "" || a.Address != text || strings.ContainsAny(text, "\r\n\x00 \"<>") || oneLine(text) != text:
		return "", badTarget("address", "want one address such as web@orchard.net")
	}
	return a.Address, nil
}

// Send delivers a message to one address. The error is a [*Failure]; detail is
// what the delivery log keeps of a success.
func (m *Mailer) Send(ctx context.Context, to string, msg *Message) (detail string, err error) {
	timeout := cmp.Or(m.Timeout, mailTimeout)
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	letter, err := m.letter(to, msg)
	if err != nil {
		return "", failed(err, true, "the mail cannot be written: "+err.Error())
	}
	client, err := m.client(ctx, timeout)
	if err != nil {
		return "", failed(err, false, "the mail server: "+err.Error())
	}
	if err := client.DialAndSendWithContext(ctx, letter); err != nil {
		return "", mailFailure(ctx, err)
	}
	return "taken by " + m.Host, nil
}

// mailFailure tells what stays from what passes. A refusal of the recipient or of
// the content stays; a login or sender that is refused is the operator's to mend.
func mailFailure(ctx context.Context, err error) *Failure {
	if ctx.Err() != nil {
		return failed(errors.Join(ctx.Err(), err), false, "the mail server does not answer in time")
	}
	var s *gomail.SendError
	if !errors.As(err, &s) {
		return failed(err, false, err.Error())
	}
	final := s.ErrorCode() >= 500 && (s.Reason == gomail.ErrSMTPRcptTo || s.Reason == gomail.ErrSMTPData || s.Reason == gomail.ErrSMTPDataClose)
	detail, _, _ := strings.Cut(s.Error(), ", affected ")
	return failed(err, final, detail)
}

// letter writes the mail. Whatever its parts say, each stays one header field.
func (m *Mailer) letter(to string, msg *Message) (*gomail.Msg, error) {
	to, err := CheckAddress(to)
	if err != nil {
		return nil, err
	}
	letter := gomail.NewMsg(gomail.WithNoDefaultUserAgent())
	if err := letter.From(m.From); err != nil {
		return nil, err
	}
	if err := letter.To(to); err != nil {
		return nil, err
	}
	from, err := mail.ParseAddress(m.From)
	if err != nil {
		return nil, err
	}
	_, domain, _ := strings.Cut(from.Address, "@")
	letter.SetMessageIDWithValue(msg.ID + "@" + domain)
	now := time.Now
	if m.Now != nil {
		now = m.Now
	}
	letter.SetDateWithValue(now())
	letter.Subject(Clip(msg.Subject, 200))
	letter.SetGenHeader("Auto-Submitted", "auto-generated") // RFC 3834: no answering machine answers
	letter.SetGenHeader("X-Assay-Event", string(msg.Event))
	letter.SetBodyString(gomail.TypeTextPlain, msg.Text)
	if msg.HTML != "" {
		letter.AddAlternativeString(gomail.TypeTextHTML, msg.HTML)
	}
	return letter, nil
}

// helo is the name that the client gives itself: servers may want a whole domain
// name (RFC 5321 2.3.5), and the machine's own is nobody's business.
func (m *Mailer) helo() string {
	from, err := mail.ParseAddress(m.From)
	if err != nil {
		return "localhost"
	}
	_, domain, _ := strings.Cut(from.Address, "@")
	return domain
}

func (m *Mailer) client(whole context.Context, timeout time.Duration) (*gomail.Client, error) {
	config := &tls.Config{ServerName: m.Host, RootCAs: m.Roots, MinVersion: tls.VersionTLS12}
	plain := m.Security == SecurityUsual && loopback(m.Host)
	options := []gomail.Option{
		gomail.WithPort(m.Port), gomail.WithTimeout(timeout), gomail.WithTLSConfig(config), gomail.WithHELO(m.helo()), gomail.WithoutNoop(),
		gomail.WithDialContextFunc(m.dial(whole, config)),
	}
	switch {
	case plain:
		options = append(options, gomail.WithTLSPolicy(gomail.NoTLS))
	case m.Security == SecurityTLS:
		options = append(options, gomail.WithSSL())
	default:
		options = append(options, gomail.WithTLSPolicy(gomail.TLSMandatory))
	}
	if m.User != "" {
		if m.Password == nil {
			return nil, errors.New("there is a user and no password")
		}
		password, err := m.Password()
		if err != nil {
			return nil, fmt.Errorf("reading the password: %w", err)
		}
		login := gomail.SMTPAuthAutoDiscover
		if plain {
			login = gomail.SMTPAuthPlainNoEnc
		}
		options = append(options, gomail.WithUsername(m.User), gomail.WithPassword(password), gomail.WithSMTPAuth(login))
	}
	return gomail.NewClient(m.Host, options...)
}

// dial connects so that neither the time nor what is read can go beyond the whole
// delivery's limits, whatever deadlines the library sets.
func (m *Mailer) dial(whole context.Context, config *tls.Config) gomail.DialContextFunc {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		c, err := (&net.Dialer{}).DialContext(ctx, network, address)
		if err != nil {
			return nil, err
		}
		end, _ := whole.Deadline()
		b := &bounded{Conn: c, end: end, left: maxReplies}
		if err := b.SetDeadline(end); err != nil {
			return nil, errors.Join(err, c.Close())
		}
		b.stop = context.AfterFunc(whole, func() { _ = c.Close() })
		if m.Security != SecurityTLS {
			return b, nil
		}
		t := tls.Client(b, config)
		if err := t.HandshakeContext(ctx); err != nil {
			return nil, errors.Join(err, b.Close())
		}
		return t, nil
	}
}

// bounded is a connection that ends at a time and after so many bytes read.
type bounded struct {
	net.Conn
	end  time.Time
	left int64
	stop func() bool
}

var errTalkative = errors.New("the server says too much")

func (b *bounded) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, errTalkative
	}
	n, err := io.LimitReader(b.Conn, b.left).Read(p)
	b.left -= int64(n)
	return n, err
}

// Close closes the connection.
func (b *bounded) Close() error {
	b.stop()
	return b.Conn.Close()
}

func (b *bounded) until(t time.Time) time.Time {
	if t.IsZero() || t.After(b.end) {
		return b.end
	}
	return t
}

func (b *bounded) SetDeadline(t time.Time) error      { return b.Conn.SetDeadline(b.until(t)) }
func (b *bounded) SetReadDeadline(t time.Time) error  { return b.Conn.SetReadDeadline(b.until(t)) }
func (b *bounded) SetWriteDeadline(t time.Time) error { return b.Conn.SetWriteDeadline(b.until(t)) }

func loopback(host string) bool {
	a, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && a.IsLoopback()
}

// ParseServer reads the address of a mail server: "smtp://mail.orchard.net",
// "smtps://assay@mail.orchard.net", "smtp+starttls://localhost:2525". Ports are 587
// and 465 where none is given, 25 on loopback.
func (m *Mailer) ParseServer(text string) error {
	scheme, rest, ok := strings.Cut(text, "://")
	wrong := errors.New("want smtp://mail.orchard.net or smtps://user@mail.orchard.net:465; the password has a file of its own")
	if !ok || strings.ContainsAny(rest, "/?# \r\n") {
		return wrong
	}
	port := 587
	switch scheme {
	case "smtp":
		m.Security = SecurityUsual
	case "smtps":
		m.Security, port = SecurityTLS, 465
	case "smtp+starttls":
		m.Security = SecurityStartTLS
	default:
		return wrong
	}
	host := rest
	if i := strings.LastIndexByte(rest, '@'); i >= 0 {
		m.User, host = rest[:i], rest[i+1:]
		if strings.Contains(m.User, ":") {
			return wrong
		}
	}
	if h, p, err := net.SplitHostPort(host); err == nil {
		n, err := strconv.ParseUint(p, 10, 16)
		if err != nil || n == 0 {
			return wrong
		}
		host, port = h, int(n)
	} else if m.Security == SecurityUsual && loopback(host) {
		port = 25
	}
	if host = strings.Trim(host, "[]"); host == "" {
		return wrong
	}
	m.Host, m.Port = host, port
	return nil
}
