package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net"
	"net/http"
	"net/http/httptest"
	"net/mail"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-smtp"
	standard "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"assay/internal/client"
	"assay/internal/service"
	"assay/lab"
	"assay/order"
)

// An arrival is a notice that a receiver took.
type arrival struct {
	id, event, subject string
	// body is the webhook's body, or both parts of the mail, the plain one first.
	body   []string
	header http.Header
	raw    []byte
}

// arrivals are what a receiver took, and a way to wait for more.
type arrivals struct {
	mu   sync.Mutex
	list []arrival
	more chan struct{}
}

func newArrivals() *arrivals { return &arrivals{more: make(chan struct{}, 100)} }

// add keeps a notice, once: one whose answer was lost comes again under the same id.
func (a *arrivals) add(n arrival) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !slices.ContainsFunc(a.list, func(o arrival) bool { return o.id == n.id }) {
		a.list = append(a.list, n)
		a.more <- struct{}{}
	}
}

func (a *arrivals) all() []arrival {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Clone(a.list)
}

// until waits until there is one of an event.
func (a *arrivals) until(t *testing.T, event string) arrival {
	t.Helper()
	end := time.After(time.Minute)
	for {
		for _, n := range a.all() {
			if n.event == event {
				return n
			}
		}
		select {
		case <-a.more:
		case <-end:
			t.Fatalf("no %s arrives: %v", event, a.events())
		}
	}
}

func (a *arrivals) events() []string {
	list := []string{}
	for _, n := range a.all() {
		list = append(list, n.event)
	}
	return list
}

// hookServer is a webhook server that keeps what it is told.
func hookServer(t *testing.T) (*arrivals, string) {
	t.Helper()
	a := newArrivals()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		raw, _ := io.ReadAll(r.Body)
		var b struct {
			Type string
			Data struct{ Subject string }
		}
		if err := json.Unmarshal(raw, &b); err != nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		a.add(arrival{id: r.Header.Get("webhook-id"), event: b.Type, subject: b.Data.Subject, body: []string{string(raw)}, header: r.Header, raw: raw})
	}))
	t.Cleanup(s.Close)
	return a, s.URL
}

// mailServer is a mail server that keeps what it takes.
func mailServer(t *testing.T) (*arrivals, string) {
	t.Helper()
	a := newArrivals()
	s := smtp.NewServer(smtp.BackendFunc(func(*smtp.Conn) (smtp.Session, error) { return &mailbox{t: t, arrivals: a}, nil }))
	s.Domain = "localhost"
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go func() { _ = s.Serve(l) }()
	t.Cleanup(func() { _ = s.Close() })
	return a, "smtp://" + l.Addr().String()
}

type mailbox struct {
	t        *testing.T
	arrivals *arrivals
	to       string
}

func (*mailbox) Reset()                                      {}
func (*mailbox) Logout() error                               { return nil }
func (*mailbox) Mail(string, *smtp.MailOptions) error        { return nil }
func (m *mailbox) Rcpt(to string, _ *smtp.RcptOptions) error { m.to = to; return nil }

func (m *mailbox) Data(r io.Reader) error {
	letter, err := mail.ReadMessage(r)
	if err != nil {
		m.t.Error(err)
		return err
	}
	n := arrival{id: strings.Trim(letter.Header.Get("Message-Id"), "<>"), event: letter.Header.Get("X-Assay-Event")}
	if n.subject, err = (&mime.WordDecoder{}).DecodeHeader(letter.Header.Get("Subject")); err != nil || m.to != "web@orchard.net" {
		m.t.Error(err, m.to)
	}
	_, params, err := mime.ParseMediaType(letter.Header.Get("Content-Type"))
	if err != nil {
		m.t.Error(err)
	}
	for parts := multipart.NewReader(letter.Body, params["boundary"]); ; {
		part, err := parts.NextRawPart()
		if err != nil {
			break
		}
		raw, err := io.ReadAll(quotedprintable.NewReader(part))
		if err != nil || part.Header.Get("Content-Transfer-Encoding") != "quoted-printable" {
			m.t.Error(part.Header, err)
		}
		n.body = append(n.body, string(raw))
	}
	m.arrivals.add(n)
	return nil
}

// cli runs the command line against the site.
func (s *site) cli(t *testing.T, args ...string) (code int, out string) {
	t.Helper()
	binary, err := exec.LookPath("assay")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	c := exec.CommandContext(ctx, binary, args...)
	c.Env = []string{"LANG=C.UTF-8", "HOME=" + s.dir, "ASSAY_URL=" + s.url, "ASSAY_TOKEN=" + s.token}
	raw, err := c.CombinedOutput()
	if c.ProcessState == nil {
		t.Fatal(err)
	}
	return c.ProcessState.ExitCode(), string(raw)
}

// channel adds a channel by the command line.
func (s *site) channel(t *testing.T, args ...string) service.ChannelView {
	t.Helper()
	code, out := s.cli(t, slices.Concat([]string{"notify", "channel", "add", "--json"}, args)...)
	var v service.ChannelView
	if err := json.Unmarshal([]byte(out), &v); err != nil || code != exitPass {
		t.Fatalf("%d %s", code, out)
	}
	return v
}

// TestServiceNotices: an order whose value is never published is told of by mail, in
// Chinese, and by signed webhook, in English: what is in its way, once, with what to
// do now; that its deadline is near; that it failed. The server is restarted between.
func TestServiceNotices(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	mails, smtpURL := mailServer(t)
	hooks, hookURL := hookServer(t)
	s.args = []string{"--smtp", smtpURL, "--smtp-from", "Assay <assay@orchard.net>", "--webhook-networks", "127.0.0.0/8"}
	s.look(t, bare(), lab.Options{})
	s.channel(t, "web@orchard.net", "--language", "zh", "--role", "applicant")
	hook := s.channel(t, hookURL+"/?team=shop", "--role", "applicant")
	if code, out := s.cli(t, "notify", "test", hook.ID); code != exitPass || !strings.Contains(out, "200 OK") {
		t.Errorf("%d %s", code, out)
	}
	v := s.must(t, http.MethodPost, "/orders", application(order.MethodDNS, csrOf(t, "orchard.net", "orchard.net"), "orchard.net"))
	mails.until(t, "order.findings")
	hooks.until(t, "order.findings")
	s.again(t, v.ID) // finds the same
	published := lab.Options{Value: v.Challenges[0].Value}
	s.look(t, worldOf(t, "dns.value-mismatch", ""), published)
	s.verify(t, v.ID) // finds something else
	s.look(t, bare(), lab.Options{})
	s.verify(t, v.ID) // and the first again, which was told today
	s.again(t, v.ID)
	s.delivered(t, v.ID)
	s.ahead = time.Until(*v.Deadline) - 90*time.Minute
	s.look(t, bare(), lab.Options{})
	mails.until(t, "order.deadline")
	s.ahead += 2 * time.Hour
	s.look(t, bare(), lab.Options{})
	s.becomes(t, v.ID, order.StateFailed)
	want := []string{"order.findings", "order.findings", "order.deadline", "order.expired"}
	mails.until(t, "order.expired")
	hooks.until(t, "order.expired")
	if got := mails.events(); !slices.Equal(got, want) {
		t.Errorf("by mail %v, want %v", got, want)
	}
	if got := hooks.events(); !slices.Equal(got, append([]string{"test"}, want...)) {
		t.Errorf("by webhook %v, want %v", got, want)
	}
	verifier, err := standard.NewWebhook(hook.Secret)
	if err != nil {
		t.Fatal(err)
	}
	ids := map[string]bool{}
	for _, n := range hooks.all() {
		if err := verifier.VerifyIgnoringTimestamp(n.raw, n.header); err != nil || ids[n.id] || n.header.Get("webhook-id") != n.id {
			t.Errorf("%s %s: %v", n.event, n.id, err)
		}
		if err := verifier.VerifyIgnoringTimestamp(bytes.Replace(n.raw, []byte("order"), []byte("0rder"), 1), n.header); err == nil && n.event != "test" {
			t.Error("a body that was changed verifies")
		}
		ids[n.id] = true
	}
	value := v.Challenges[0].Value
	for _, n := range mails.all() {
		told := strings.Join(n.body, "\n")
		if len(n.body) != 2 || ids[n.id] || !strings.HasSuffix(n.id, "@orchard.net") || !strings.Contains(n.subject, "订单 "+v.ID) {
			t.Errorf("%s %q of %d parts", n.id, n.subject, len(n.body))
		}
		for _, part := range n.body {
			if !strings.Contains(part, "现在需要做什么") || !strings.Contains(part, "_dnsauth") || !strings.Contains(part, value) {
				t.Errorf("%s does not say what to do: %s", n.event, told)
			}
		}
		ids[n.id] = true
	}
	for i, n := range hooks.all()[1:] {
		cause := `"cause":"dns.record-missing"`
		if i == 1 {
			cause = `"cause":"dns.value-mismatch"`
		}
		if !strings.Contains(n.body[0], cause) || !strings.Contains(n.body[0], value) || !strings.Contains(n.subject, "order "+v.ID) {
			t.Errorf("%s does not say what to do: %s", n.event, n.body[0])
		}
	}
	s.delivered(t, v.ID)
	if code, out := s.cli(t, "notify", "list", "--order", v.ID, "--state", "quiet"); code != exitPass || strings.Count(out, "told within a day") != 2 {
		t.Errorf("%d %s", code, out)
	}
	s.audited(t)
}

// again has an order looked at that was looked at before, and waits until it was.
func (s *site) again(t *testing.T, id string) {
	t.Helper()
	before := s.must(t, http.MethodPost, "/orders/"+id+"/verify", nil)
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		if v := s.must(t, http.MethodGet, "/orders/"+id, nil); v.Checks > before.Checks {
			return
		}
		if time.Now().After(end) {
			t.Fatal("it is not looked at")
		}
	}
}

// delivered waits until everything about an order was told, or there was nothing
// new to tell.
func (s *site) delivered(t *testing.T, id string) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		var list struct{ Items []service.NoticeView }
		if err := s.client.Do(t.Context(), client.Call{Method: http.MethodGet, Path: "/notices", Query: map[string][]string{"order": {id}, "limit": {"200"}}}, &list); err != nil {
			t.Fatal(err)
		}
		open := slices.DeleteFunc(slices.Clone(list.Items), func(n service.NoticeView) bool { return n.State == "sent" || n.State == "quiet" })
		if len(open) == 0 && len(list.Items) > 0 {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("not delivered: %+v", open)
		}
	}
}

// TestServiceMailStalls: a mail server that takes connections and says nothing holds
// up neither orders nor webhooks, nor the end of the service. What it should have
// taken is tried again by the next process.
func TestServiceMailStalls(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	stalled := make(chan net.Conn, 100) // kept, so that they stay open
	go func() {
		for c, err := l.Accept(); err == nil; c, err = l.Accept() {
			stalled <- c
		}
	}()
	hooks, hookURL := hookServer(t)
	s.args = []string{"--smtp", "smtp://" + l.Addr().String(), "--smtp-from", "assay@orchard.net", "--webhook-networks", "127.0.0.0/8"}
	s.look(t, bare(), lab.Options{})
	s.channel(t, "web@orchard.net", "--event", "order.submitted")
	hook := s.channel(t, hookURL, "--event", "order.submitted,order.cancelled,order.ready")
	v := s.must(t, http.MethodPost, "/orders", application(order.MethodDNS, csrOf(t, "orchard.net", "orchard.net"), "orchard.net"))
	silent := <-stalled
	defer silent.Close()
	began := time.Now()
	hooks.until(t, "order.submitted")
	s.must(t, http.MethodPost, "/orders/"+v.ID+"/cancel", nil)
	hooks.until(t, "order.cancelled")
	var list struct{ Items []service.NoticeView }
	if err := s.client.Do(t.Context(), client.Call{Method: http.MethodGet, Path: "/notices", Query: map[string][]string{"state": {"due"}}}, &list); err != nil {
		t.Fatal(err)
	}
	if open := slices.DeleteFunc(list.Items, func(n service.NoticeView) bool { return n.Channel == hook.ID }); len(open) != 1 {
		t.Errorf("what is due: %+v, after %s", list.Items, time.Since(began))
	}
	mails, smtpURL := mailServer(t)
	s.args[1] = smtpURL
	s.look(t, bare(), lab.Options{}) // stops the service, which ends well, and starts it
	mails.until(t, "order.submitted")
	s.delivered(t, v.ID)
}
