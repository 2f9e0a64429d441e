package service

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"assay/cause"
	"assay/data"
	"assay/internal/notify"
	"assay/internal/store"
	"assay/lab"
	"assay/order"
	"assay/probe/dial"
	"assay/review"
)

// hearingCA lets a house with a CA deliver to loopback.
func hearingCA(t *testing.T) (*caHouse, *ear) {
	t.Helper()
	h := newCAHouse(t)
	h.Rand = rand.Reader
	h.Hooks = &notify.Webhook{Dialer: &dial.Dialer{Data: data.Embedded(), Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}}, Timeout: 5 * time.Second}
	return h, newEar(t)
}

// A told is what a webhook was told of a certificate.
type told struct {
	Type string
	Data struct {
		Account, Order, Certificate, Name, State, Subject string
		Deadline, Ends                                    *time.Time
		Findings                                          []struct{ Cause cause.ID }
	}
}

func (e *ear) told(t *testing.T) (list []told) {
	t.Helper()
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, h := range e.heard {
		var b told
		if err := json.Unmarshal(h.body, &b); err != nil {
			t.Fatal(err)
		}
		list = append(list, b)
	}
	return list
}

// TestUploadedNotices: the end of a certificate that was uploaded, and what is wrong
// where it is used, are told to its account, and to no other.
func TestUploadedNotices(t *testing.T) {
	t.Parallel()
	h, e := hearing(t)
	ctx, owner := context.Background(), h.who[RoleApplicant]
	stranger := newEar(t)
	h.channel(t, owner, ChannelRequest{Kind: KindWebhook, Target: e.URL})
	h.channel(t, h.who[RoleAdministrator], ChannelRequest{Kind: KindWebhook, Target: stranger.URL, Account: "stranger", Role: RoleApplicant})
	wrong := []review.Finding{}
	h.Watch = func(context.Context, *store.Certificate, string) ([]review.Finding, error) { return wrong, nil }
	leaf, above, _ := h.elsewhere(t, "fig.orchard.net")
	v, err := h.Upload(ctx, owner, UploadRequest{Certificate: leaf, Chain: above})
	if err != nil {
		t.Fatal(err)
	}
	house := &caHouse{house: h}
	h.pass(watchAfter)
	wrong = []review.Finding{{ID: "deploy.chain-missing@fig.orchard.net", Cause: cause.DeployChainMissing, Level: cause.Warn, Subject: "fig.orchard.net", Who: cause.Applicant}}
	house.seen(t)
	wrong = nil // somebody mended it
	for range 200 {
		h.pass(12 * time.Hour)
		house.seen(t)
	}
	h.tell(t)
	var got []string
	for _, n := range e.told(t) {
		got = append(got, n.Type)
		if n.Data.Certificate != v.Certificate.ID || n.Data.Order != "" || n.Data.Account != owner.Account || n.Data.Name != "fig.orchard.net" ||
			n.Data.Ends == nil || !n.Data.Ends.Equal(v.Certificate.NotAfter) || strings.Contains(n.Data.Subject, "{{") {
			t.Errorf("%+v", n)
		}
	}
	want := []string{"certificate.deployment"}
	for range 5 { // 30, 14, 7, 3 and 1 days before
		want = append(want, "certificate.ending")
	}
	if want = append(want, "certificate.expired"); !slices.Equal(got, want) {
		t.Errorf("told %v, want %v", got, want)
	}
	if len(stranger.told(t)) != 0 {
		t.Errorf("a stranger hears %+v", stranger.told(t))
	}
	if list := h.notices(t, NoticeQuery{Certificate: v.Certificate.ID}); len(list) != len(want) || list[0].Certificate != v.Certificate.ID || list[0].Order != "" || list[0].State != "sent" {
		t.Errorf("%+v", list)
	}
}

// TestUploadedMuted: what its owner does not want to hear is not told.
func TestUploadedMuted(t *testing.T) {
	t.Parallel()
	h, e := hearing(t)
	ctx, owner, muted := context.Background(), h.who[RoleApplicant], true
	h.channel(t, owner, ChannelRequest{Kind: KindWebhook, Target: e.URL, Events: []string{"certificate.ending", "certificate.expired"}})
	leaf, above, _ := h.elsewhere(t, "fig.orchard.net")
	v, err := h.Upload(ctx, owner, UploadRequest{Certificate: leaf, Chain: above})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := h.ChangeCertificate(ctx, owner, v.Certificate.ID, 0, CertificateChange{Muted: &muted}); err != nil {
		t.Fatal(err)
	}
	for range 100 {
		h.pass(day)
		(&caHouse{house: h}).seen(t)
	}
	if h.tell(t); len(e.told(t)) != 0 {
		t.Errorf("%+v", e.told(t))
	}
}

// TestReplacedQuiet: of a certificate that was replaced neither that it ends nor that it
// has is told; of the one in its place both are.
func TestReplacedQuiet(t *testing.T) {
	t.Parallel()
	h, e := hearingCA(t)
	ctx, owner := context.Background(), h.who[RoleApplicant]
	h.channel(t, owner, ChannelRequest{Kind: KindWebhook, Target: e.URL, Events: []string{"certificate.ending", "certificate.expired"}})
	v := h.issuedFor(t, dv(t, "orchard.net"))
	n, err := h.Reissue(ctx, owner, v.ID, RenewalRequest{CSR: request(t, "orchard.net")})
	if err != nil {
		t.Fatal(err, findings(err))
	}
	h.world(t, n, lab.Change{})
	h.once(t)
	h.once(t)
	by := h.read(t, n.ID)
	if by.Certificate == nil {
		t.Fatal(by.State, causesIn(by))
	}
	for h.clock().Before(by.Certificate.NotAfter.Add(2 * day)) {
		h.pass(12 * time.Hour)
		h.seen(t)
	}
	h.tell(t)
	told := map[string]int{}
	for _, n := range e.told(t) {
		told[n.Type]++
		if n.Data.Certificate != by.ID {
			t.Errorf("%s is told of %s", n.Type, n.Data.Certificate)
		}
	}
	if told["certificate.ending"] != 5 || told["certificate.expired"] != 1 {
		t.Errorf("%v", told)
	}
	for _, n := range h.notices(t, NoticeQuery{Certificate: v.ID}) {
		if n.State != "quiet" {
			t.Errorf("%+v", n)
		}
	}
}

// TestEndingQuiet: what was to be told of a certificate's end is not where it was muted
// or deleted before the mail server, or the webhook, could be reached.
func TestEndingQuiet(t *testing.T) {
	t.Parallel()
	for name, act := range map[string]func(h *house, id string) error{
		"muted": func(h *house, id string) error {
			muted := true
			_, err := h.ChangeCertificate(context.Background(), h.who[RoleApplicant], id, 0, CertificateChange{Muted: &muted})
			return err
		},
		"deleted": func(h *house, id string) error {
			_, err := h.DeleteCertificate(context.Background(), h.who[RoleApplicant], id, 0)
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h, e := hearing(t)
			h.channel(t, h.who[RoleApplicant], ChannelRequest{Kind: KindWebhook, Target: e.URL, Events: []string{"certificate.ending"}})
			leaf, above, _ := h.elsewhere(t, "fig.orchard.net")
			v, err := h.Upload(context.Background(), h.who[RoleApplicant], UploadRequest{Certificate: leaf, Chain: above})
			if err != nil {
				t.Fatal(err)
			}
			h.pass(60 * day)
			(&caHouse{house: h}).seen(t)
			e.say(http.StatusServiceUnavailable)
			h.tell(t)
			if err := act(h, v.Certificate.ID); err != nil {
				t.Fatal(err)
			}
			e.say(http.StatusOK)
			h.pass(time.Hour)
			h.tell(t)
			list := h.notices(t, NoticeQuery{Certificate: v.Certificate.ID})
			if len(e.told(t)) != 0 || len(list) != 1 || list[0].State != "quiet" || list[0].Attempts != 1 {
				t.Errorf("%+v %+v", e.told(t), list)
			}
		})
	}
}

// TestRevocationNotices: that a letter is waited for, that it was refused, that none
// came, that the certificate is revoked: each is told once, to its account and where
// it is asked for to reviewers.
func TestRevocationNotices(t *testing.T) {
	t.Parallel()
	h, e := hearingCA(t)
	ctx, owner, reviewer := context.Background(), h.who[RoleApplicant], h.who[RoleReviewer]
	reviewer.Account = "reviewer"
	v := h.issuedFor(t, dv(t, "orchard.net"))
	c := h.certified(t, v)
	ov := *c
	ov.ID, ov.Product, ov.Serial, ov.Fingerprint = "ov", order.OV, "99", "99"
	h.do(t, func(tx store.Tx) error {
		row := store.OrderRow{ID: "ov", Tenant: c.Tenant, Account: c.Account, State: order.StateIssued, Product: order.OV, Name: c.Name, Names: 1, Created: h.clock(), Changed: h.clock()}
		if err := tx.InsertOrder(&store.Order{OrderRow: row, Order: &order.Order{Names: []string{c.Name}}}, store.NewOrder{}); err != nil {
			return err
		}
		return tx.InsertCertificate(&ov, nil)
	})
	desk := newEar(t)
	h.channel(t, owner, ChannelRequest{Kind: KindWebhook, Target: e.URL})
	h.channel(t, h.who[RoleAdministrator], ChannelRequest{Kind: KindWebhook, Target: desk.URL, Role: RoleReviewer})
	ask := func() {
		t.Helper()
		if _, err := h.Revoke(ctx, owner, "ov", 0, RevocationRequest{Reason: "cessation-of-operation"}); err != nil {
			t.Fatal(err)
		}
	}
	decide := func(accept bool) {
		t.Helper()
		if _, err := h.ConfirmRevocation(ctx, reviewer, "ov", 0, accept); err != nil {
			t.Fatal(err)
		}
		h.pass(time.Second)
		h.tell(t)
	}
	ask()
	until := h.clock().Add(letterDays * day)
	h.tell(t)
	h.pass(letterDays*day + time.Minute)
	h.seen(t)
	h.tell(t)
	ask()
	h.tell(t)
	decide(false)
	ask()
	decide(true) // before anybody was told that it waits
	var got []string
	for _, n := range e.told(t) {
		got = append(got, n.Type)
		if n.Data.Certificate != "ov" || n.Data.Order != "ov" || n.Data.Ends == nil {
			t.Errorf("%+v", n)
		}
	}
	want := []string{
		"certificate.revocation-asked", "certificate.revocation-lapsed", "certificate.revocation-asked", "certificate.revocation-refused", "certificate.revoked",
	}
	if !slices.Equal(got, want) {
		t.Errorf("told %v, want %v", got, want)
	}
	if first := e.told(t)[0].Data; first.Deadline == nil || !first.Deadline.Equal(until) || first.State != string(order.CertificateRevocationLetter) {
		t.Errorf("until %v: %+v", until, first)
	}
	if list := h.notices(t, NoticeQuery{Certificate: "ov", State: "quiet"}); len(list) != 2 || list[0].Reason != "the revocation was decided meanwhile" {
		t.Errorf("%+v", list)
	}
	for _, n := range desk.told(t) {
		if n.Type != "certificate.revocation-asked" {
			t.Errorf("reviewers are told %s", n.Type)
		}
	}
	if len(desk.told(t)) != 2 {
		t.Errorf("reviewers are told %d times", len(desk.told(t)))
	}
}

// TestRevokedOnce: a proof that comes when the certificate is revoked already blocks
// its key, and is no second revocation.
func TestRevokedOnce(t *testing.T) {
	t.Parallel()
	for name, data := range map[string]map[string]any{
		string(notify.CertificateRevoked): {"state": "revoked"},
		"":                                {"state": "revoked", "late": true},
		string(notify.RevocationAsked):    {"state": "revocation-letter"},
	} {
		if got := eventOf("certificate.revoke", data, time.Time{}); string(got) != name {
			t.Errorf("%v: %q, want %q", data, got, name)
		}
	}
}

// TestNoticeDays: the end is told on the days that the operator set, and on none where
// that is all.
func TestNoticeDays(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		days []int
		want []float64
	}{
		"of the operator": {[]int{15, 45}, []float64{45, 15}},
		"none":            {[]int{0}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h, e := hearing(t)
			h.NoticeDays = c.days
			h.channel(t, h.who[RoleApplicant], ChannelRequest{Kind: KindWebhook, Target: e.URL, Events: []string{"certificate.ending"}})
			leaf, above, _ := h.elsewhere(t, "fig.orchard.net")
			if _, err := h.Upload(context.Background(), h.who[RoleApplicant], UploadRequest{Certificate: leaf, Chain: above}); err != nil {
				t.Fatal(err)
			}
			for range 180 {
				h.pass(12 * time.Hour)
				(&caHouse{house: h}).seen(t)
			}
			h.tell(t)
			var got []float64
			for _, n := range e.heard {
				var b struct {
					Data struct{ Event struct{ Days float64 } }
				}
				if err := json.Unmarshal(n.body, &b); err != nil {
					t.Fatal(err)
				}
				got = append(got, b.Data.Event.Days)
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("told %v days before, want %v", got, c.want)
			}
		})
	}
}
