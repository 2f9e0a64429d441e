package service

import (
	"context"
	"crypto/x509"
	"errors"
	"testing"
	"time"

	"assay/internal/issuer"
	"assay/internal/store"
	"assay/lab"
	"assay/order"
	"assay/profile"
)

// counsel is a CA that says when to renew.
type counsel struct {
	*hand
	advice *issuer.Advice
	err    error
	asked  int
}

func (c *counsel) RenewalInfo(context.Context, *x509.Certificate) (*issuer.Advice, error) {
	c.asked++
	return c.advice, c.err
}

// certificateDue is when a kind of work is due for a certificate; the zero time: never.
func (h *caHouse) certificateDue(t *testing.T, id, kind string) time.Time {
	t.Helper()
	list, err := h.Store.CertificateDueOf(context.Background(), id)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range list {
		if d.Kind == kind {
			return d.At
		}
	}
	return time.Time{}
}

// TestAdvice: what a CA says of renewal decides, what it does not say delays
// nothing.
func TestAdvice(t *testing.T) {
	t.Parallel()
	h := newCAHouse(t)
	ca := &counsel{hand: h.ca}
	h.Issuer = func(string) issuer.Issuer { return ca }
	v := h.ready(t, dv(t, "orchard.net"))
	h.run(t, v.ID)
	c := h.certified(t, v)
	issued := h.clock()
	if at := h.certificateDue(t, c.ID, store.DueRenew); !at.Equal(issued.Add(firstAdvice)) {
		t.Errorf("first asked at %s", at)
	}
	schedule := c.NotAfter.Add(time.Second - 30*day) // the cloud's renewal opens then
	now := issued.Add(10 * day)
	window := func(from, to time.Duration) *issuer.Advice {
		return &issuer.Advice{Start: now.Add(from), End: now.Add(to), Retry: now.Add(5 * time.Hour)}
	}
	for _, test := range []struct {
		name     string
		at       time.Time
		advice   *issuer.Advice
		err      error
		min, max time.Duration // to wait
	}{
		{"the window is over", now, window(-2*day, -day), nil, 0, 0},
		{"the window is far: asked again when the CA says", now, window(day, 2*day), nil, 5 * time.Hour, 5 * time.Hour},
		{"the window is near", now, window(time.Hour, 2*time.Hour), nil, time.Hour, 2 * time.Hour},
		{"the CA says nothing: the schedule", now, nil, issuer.ErrNoAdvice, schedule.Sub(now), schedule.Sub(now)},
		{"the CA says nothing, and it is time", schedule, nil, issuer.ErrNoAdvice, 0, 0},
		{"the CA does not answer: asked again", now, nil, &issuer.Unavailable{Problem: "busy", Err: errors.New("x")}, adviceAgain, adviceAgain},
		{"the CA does not answer, and it is time", schedule, nil, &issuer.Unavailable{Problem: "busy", Err: errors.New("x")}, 0, 0},
		{"the CA does not answer just before", schedule.Add(-time.Hour), nil, &issuer.Unavailable{Problem: "busy", Err: errors.New("x")}, time.Hour, time.Hour},
	} {
		h.pass(test.at.Sub(h.clock()))
		ca.advice, ca.err = test.advice, test.err
		wait, err := h.advised(context.Background(), c)
		if err != nil || wait < test.min || wait > test.max {
			t.Errorf("%s: wait %s %v, want %s to %s", test.name, wait, err, test.min, test.max)
		}
		h.pass(now.Sub(h.clock()))
	}
}

// TestAdvisedRenewal: a CA that wants a certificate renewed early gets it renewed,
// and one that does not leaves the schedule.
func TestAdvisedRenewal(t *testing.T) {
	t.Parallel()
	h := newCAHouse(t)
	ca := &counsel{hand: h.ca, err: issuer.ErrNoAdvice}
	h.Issuer = func(string) issuer.Issuer { return ca }
	v := h.ready(t, dv(t, "orchard.net"))
	h.run(t, v.ID)
	c := h.certified(t, v)
	on := true
	if _, err := h.ChangeCertificate(context.Background(), h.who[RoleApplicant], c.ID, c.Version, CertificateChange{AutoRenew: &on}); err != nil {
		t.Fatal(err)
	}
	view, err := h.Certificate(context.Background(), h.who[RoleApplicant], c.ID)
	if err != nil || view.RenewAt == nil || !view.RenewAt.Equal(c.NotAfter.Add(time.Second-30*day)) {
		t.Fatalf("%+v %v", view, err)
	}
	h.pass(firstAdvice)
	h.attendCertificates(t)
	if ca.asked != 1 {
		t.Errorf("asked %d times", ca.asked)
	}
	if at := h.certificateDue(t, c.ID, store.DueRenew); !at.Equal(c.NotAfter.Add(time.Second - 30*day)) {
		t.Errorf("due at %s", at)
	}
}

// attendCertificates does what is due for certificates now.
func (h *caHouse) attendCertificates(t *testing.T) {
	t.Helper()
	for range 10 {
		n, _, err := h.certificatesDue(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		if n == 0 {
			return
		}
	}
	t.Fatal("there is no end of what is due")
}

// TestSwitchedOnLate: whoever switches renewal on when its time has passed gets it
// renewed.
func TestSwitchedOnLate(t *testing.T) {
	t.Parallel()
	h := newCAHouse(t)
	v := h.ready(t, dv(t, "orchard.net"))
	h.run(t, v.ID)
	c := h.certified(t, v)
	h.pass(c.NotAfter.Add(-20 * day).Sub(h.clock()))
	h.attendCertificates(t)
	if at := h.certificateDue(t, c.ID, store.DueRenew); !at.IsZero() {
		t.Fatalf("nobody wants it renewed, and it is due at %s", at)
	}
	on := true
	if _, err := h.ChangeCertificate(context.Background(), h.who[RoleApplicant], c.ID, stored(t, h, c.ID).Version, CertificateChange{AutoRenew: &on}); err != nil {
		t.Fatal(err)
	}
	h.attendCertificates(t)
	if got := stored(t, h, c.ID); got.Renews == "" {
		t.Errorf("not renewed: %+v, due at %s", got.CertificateRow, h.certificateDue(t, c.ID, store.DueRenew))
	}
}

func stored(t *testing.T, h *caHouse, id string) *store.Certificate {
	t.Helper()
	c, err := h.Store.Certificate(context.Background(), "", id)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestKeptTime: what is left of a certificate is added to the one that renews it,
// where days were asked for, as far as the profile goes.
func TestKeptTime(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, dated string
		want        time.Duration
	}{
		{"all that is left", "", 110*day + time.Hour}, // and the hour that it begins before
		{"no more than the dated table allows", "[[dated]]\nfrom = 2026-11-01T00:00:00Z\nsource = \"test\"\nset = { validity_days = 100 }\n", 100 * day},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			h := newCAHouse(t)
			h.Profiles = func(string) (*profile.Profile, error) {
				return profile.Parse([]byte("name = \"cloud\"\nversion = \"1\"\ninherits = \"cloud\"\npublic = false\n" + c.dated))
			}
			a := dv(t, "orchard.net")
			a.Order.Validity = &order.Validity{Days: 90}
			v := h.ready(t, a)
			h.run(t, v.ID)
			old := h.certified(t, v)
			h.pass(old.NotAfter.Add(time.Second - 20*day).Sub(h.clock()))
			next, err := h.Renew(context.Background(), h.who[RoleApplicant], old.ID, RenewalRequest{})
			if err != nil {
				t.Fatal(err)
			}
			if next.State == order.StatePending && len(next.Challenges) > 0 {
				h.world(t, next, lab.Change{})
			}
			h.once(t)
			h.once(t)
			if next = h.read(t, next.ID); next.State != order.StateIssued {
				t.Fatalf("%s %s %v", next.State, next.Reason, causesIn(next))
			}
			now := stored(t, h, next.ID)
			if got := now.NotAfter.Add(time.Second).Sub(now.NotBefore); got != c.want {
				t.Errorf("lives for %s, want %s", got, c.want)
			}
		})
	}
}
