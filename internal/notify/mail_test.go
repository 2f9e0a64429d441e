package notify

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"io"
	"math/big"
	"mime"
	"net"
	"net/mail"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"
)

// A post is a real mail server on loopback that keeps what it takes.
type post struct {
	mu       sync.Mutex
	got      []taken
	rcptErr  error
	password string
}

type taken struct {
	from, to, user string
	tls            bool
	text           []byte
}

func (p *post) NewSession(c *smtp.Conn) (smtp.Session, error) {
	_, secure := c.TLSConnectionState()
	return &sitting{post: p, t: taken{tls: secure}}, nil
}

func (p *post) all() []taken {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]taken{}, p.got...)
}

type sitting struct {
	post *post
	t    taken
}

func (s *sitting) AuthMechanisms() []string { return []string{sasl.Plain} }

func (s *sitting) Auth(string) (sasl.Server, error) {
	return sasl.NewPlainServer(func(_, user, password string) error {
		if s.post.password == "" || password != s.post.password {
			return smtp.ErrAuthFailed
		}
		s.t.user = user
		return nil
	}), nil
}

func (s *sitting) Reset()        {}
func (s *sitting) Logout() error { return nil }

func (s *sitting) Mail(from string, _ *smtp.MailOptions) error {
	s.t.from = from
	return nil
}

func (s *sitting) Rcpt(to string, _ *smtp.RcptOptions) error {
	s.t.to = to
	return s.post.rcptErr
}

func (s *sitting) Data(r io.Reader) (err error) {
	s.t.text, err = io.ReadAll(r)
	s.post.mu.Lock()
	defer s.post.mu.Unlock()
	s.post.got = append(s.post.got, s.t)
	return err
}

// certificate makes one for localhost and the pool that verifies it.
func certificate(t *testing.T) (tls.Certificate, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "localhost"}, DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
	}
	raw, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(raw)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(leaf)
	return tls.Certificate{Certificate: [][]byte{raw}, PrivateKey: key}, pool
}

// office starts a mail server; with a certificate it offers STARTTLS.
func office(t *testing.T, p *post, c *tls.Certificate) *Mailer {
	t.Helper()
	s := smtp.NewServer(p)
	s.Domain, s.AllowInsecureAuth = "localhost", true
	if c != nil {
		s.TLSConfig = &tls.Config{Certificates: []tls.Certificate{*c}}
	}
	l := listen(t)
	go func() { _ = s.Serve(l) }()
	t.Cleanup(func() { _ = s.Close() })
	return mailer(l)
}

func listen(t *testing.T) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l
}

func mailer(l net.Listener) *Mailer {
	_, port, _ := net.SplitHostPort(l.Addr().String())
	n, _ := strconv.Atoi(port)
	return &Mailer{Host: "127.0.0.1", Port: n, From: "Assay <assay@orchard.net>"}
}

func note() *Message {
	return &Message{ID: "e1.c1", Event: OrderRefused, Subject: "shop.orchard.net: 订单被拒绝", Text: "What to do now: …\n", HTML: "<p>What to do now</p>"}
}

// TestMail: a real server takes a mail with both parts, once in the clear on
// loopback, once after STARTTLS with a login.
func TestMail(t *testing.T) {
	t.Parallel()
	cert, roots := certificate(t)
	for name, secure := range map[string]bool{"plain on loopback": false, "STARTTLS": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := &post{password: "correct horse"}
			m := office(t, p, nil)
			if secure {
				m = office(t, p, &cert)
				m.Security, m.Roots, m.User = SecurityStartTLS, roots, "assay"
				m.Password = func() (string, error) { return p.password, nil }
			}
			if _, err := m.Send(t.Context(), "web@orchard.net", note()); err != nil {
				t.Fatal(err)
			}
			got := p.all()
			if len(got) != 1 || got[0].from != "assay@orchard.net" || got[0].to != "web@orchard.net" || got[0].tls != secure || secure && got[0].user != "assay" {
				t.Fatalf("%+v", got)
			}
			letter, err := mail.ReadMessage(bytes.NewReader(got[0].text))
			if err != nil {
				t.Fatal(err)
			}
			subject, err := (&mime.WordDecoder{}).DecodeHeader(letter.Header.Get("Subject"))
			if err != nil || subject != note().Subject || letter.Header.Get("Message-Id") != "<e1.c1@orchard.net>" || letter.Header.Get("Auto-Submitted") != "auto-generated" {
				t.Errorf("%q %v", subject, letter.Header)
			}
			if kind, _, err := mime.ParseMediaType(letter.Header.Get("Content-Type")); err != nil || kind != "multipart/alternative" {
				t.Errorf("%s, %v", kind, err)
			}
		})
	}
}

// TestMailSecurity: without STARTTLS, or with a certificate of nobody, nothing is
// said where it must be said in secret; off loopback that is always so.
func TestMailSecurity(t *testing.T) {
	t.Parallel()
	cert, _ := certificate(t)
	for name, c := range map[string]*tls.Certificate{"no STARTTLS": nil, "unknown certificate": &cert} {
		p := &post{password: "hush"}
		m := office(t, p, c)
		m.Security, m.User, m.Password = SecurityStartTLS, "assay", func() (string, error) { return "hush", nil }
		_, err := m.Send(t.Context(), "web@orchard.net", note())
		if err == nil || IsFinal(err) || len(p.all()) != 0 || strings.Contains(err.Error(), "hush") {
			t.Errorf("%s: %v, %d taken", name, err, len(p.all()))
		}
	}
	for host, want := range map[string]string{"127.0.0.1": "NoTLS", "localhost": "NoTLS", "::1": "NoTLS", "mail.orchard.net": "TLSMandatory", "10.0.0.1": "TLSMandatory"} {
		c, err := (&Mailer{Host: host, Port: 25}).client(t.Context(), time.Second)
		if err != nil || c.TLSPolicy() != want {
			t.Errorf("%s: %v, %v", host, c.TLSPolicy(), err)
		}
	}
}

// TestMailRefused: what stays is told from what passes.
func TestMailRefused(t *testing.T) {
	t.Parallel()
	for code, final := range map[int]bool{550: true, 451: false} {
		m := office(t, &post{rcptErr: &smtp.SMTPError{Code: code, EnhancedCode: smtp.EnhancedCode{code / 100, 1, 1}, Message: "no\tsuch user"}}, nil)
		_, err := m.Send(t.Context(), "web@orchard.net", note())
		if err == nil || IsFinal(err) != final || !strings.Contains(err.Error(), strconv.Itoa(code)) || strings.ContainsAny(err.Error(), "\t\n") {
			t.Errorf("%d: final %t, %v", code, IsFinal(err), err)
		}
	}
	m := mailer(listen(t))
	m.User = "assay"
	m.Password = func() (string, error) { return "", errors.New("the file is gone") }
	if _, err := m.Send(t.Context(), "web@orchard.net", note()); err == nil || IsFinal(err) {
		t.Error(err)
	}
}

// TestMailHostile: a server that stalls, drips, or talks without end costs its
// time limit at most; one that is left by its caller costs none.
func TestMailHostile(t *testing.T) {
	t.Parallel()
	for name, behave := range map[string]func(net.Conn){
		"says nothing":       func(c net.Conn) { _, _ = io.Copy(io.Discard, c) },
		"stalls after hello": func(c net.Conn) { _, _ = io.WriteString(c, "220 mail ESMTP\r\n"); _, _ = io.Copy(io.Discard, c) },
		"greets for ever": func(c net.Conn) {
			for {
				if _, err := io.WriteString(c, "220-"+strings.Repeat("x", 500)+"\r\n"); err != nil {
					return
				}
			}
		},
		"a line without end": func(c net.Conn) {
			for {
				if _, err := io.WriteString(c, strings.Repeat("x", 4096)); err != nil {
					return
				}
			}
		},
		"hangs up": func(net.Conn) {},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := listen(t)
			go func() {
				for {
					c, err := l.Accept()
					if err != nil {
						return
					}
					go func() { behave(c); _ = c.Close() }()
				}
			}()
			m := mailer(l)
			m.Timeout = 300 * time.Millisecond
			_, err := m.Send(t.Context(), "web@orchard.net", note())
			var f *Failure
			if !errors.As(err, &f) || f.Final || len(f.Detail) > maxDetail {
				t.Errorf("%v", err)
			}
			m.Timeout = time.Hour // only the caller ends it
			ctx, cancel := context.WithCancel(t.Context())
			time.AfterFunc(50*time.Millisecond, cancel)
			if _, err := m.Send(ctx, "web@orchard.net", note()); err == nil {
				t.Error("it was sent")
			}
		})
	}
}

// TestMailInjection: nothing that a letter or an address says becomes a header.
func TestMailInjection(t *testing.T) {
	t.Parallel()
	p := &post{}
	m := office(t, p, nil)
	evil := note()
	evil.Subject = "x\r\nBcc: victim@elsewhere.net\r\n\r\nbody\u2028\u202e"
	evil.Event = "a\r\nX-Evil: 1"
	evil.ID = "e\r\nX-Evil: 2"
	if _, err := m.Send(t.Context(), "web@orchard.net", evil); err == nil {
		got := p.all()
		letter, err := mail.ReadMessage(bytes.NewReader(got[0].text))
		if err != nil || letter.Header.Get("Bcc") != "" || letter.Header.Get("X-Evil") != "" {
			t.Errorf("%v, %v", letter.Header, err)
		}
	}
	for _, to := range []string{"", "web", "a@b.net\r\nBcc: c@d.net", "a@b.net, c@d.net", "Web <a@b.net>", "<a@b.net>", "a@b.net>", "a b@c.net", `"a b"@c.net`, "a@b.net\x00", strings.Repeat("a", 250) + "@b.net"} {
		if got, err := CheckAddress(to); err == nil {
			t.Errorf("%q is an address: %q", to, got)
		}
		if _, err := m.Send(t.Context(), to, note()); !IsFinal(err) {
			t.Errorf("%q: %v", to, err)
		}
	}
}

func TestParseServer(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]Mailer{
		"smtp://mail.orchard.net":                {Host: "mail.orchard.net", Port: 587},
		"smtp://localhost":                       {Host: "localhost", Port: 25},
		"smtps://a@b.net@mail.orchard.net":       {Host: "mail.orchard.net", Port: 465, Security: SecurityTLS, User: "a@b.net"},
		"smtp+starttls://assay@[::1]:2525":       {Host: "::1", Port: 2525, Security: SecurityStartTLS, User: "assay"},
		"smtp://u:hush@mail.orchard.net":         {},
		"mail.orchard.net:25":                    {},
		"smtp://":                                {},
		"smtp://mail.orchard.net:0":              {},
		"http://mail.orchard.net":                {},
		"smtp://mail.orchard.net/x?password=abc": {},
	} {
		var m Mailer
		err := m.ParseServer(text)
		if (err == nil) != (want.Host != "") || err == nil && (m.Host != want.Host || m.Port != want.Port || m.Security != want.Security || m.User != want.User) {
			t.Errorf("%s: %+v, %v", text, m, err)
		}
		if err != nil && strings.Contains(err.Error(), "hush") {
			t.Errorf("%s is echoed: %v", text, err)
		}
	}
}
