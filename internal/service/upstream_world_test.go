package service

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"assay/cause"
	"assay/internal/issuer"
	"assay/internal/store"
	"assay/lab"
	"assay/order"
	"assay/review"
)

// A far CA is one behind ACME: to it all orders come from one account, and those for
// the same names get the same order of its own while that is pending.
type far struct {
	mu     sync.Mutex
	clock  func() time.Time
	key    *ecdsa.PrivateKey
	cert   *x509.Certificate
	orders map[string]*farOrder
	// stubborn: it forgets nothing. lives is how long its orders do.
	stubborn bool
	lives    time.Duration
	// complete, where set, answers in place of what it does; after is called when it
	// has issued, before it answers.
	open     func() error
	prepare  func() error
	resume   func() error
	sent     func() error
	complete func(o *farOrder) error
	after    func() error
	revoke   func() error
	opened   int
	gaveUp   []string
	issued   []*x509.Certificate
	revoked  []string
}

type farOrder struct {
	reference string
	names     []string
	status    string // pending, valid, invalid
	deadline  time.Time
	values    map[string]string
	issued    *x509.Certificate
}

func newFar(t *testing.T, clock func() time.Time) *far {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Far"}, NotBefore: clock().AddDate(-1, 0, 0), NotAfter: clock().AddDate(9, 0, 0),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return &far{clock: clock, key: key, cert: cert, orders: map[string]*farOrder{}, lives: 7 * day}
}

func (*far) ID() string     { return "far" }
func (*far) Upstream() bool { return true }

func (f *far) Open(_ context.Context, r *issuer.Request) (*issuer.Opened, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.opened++
	if f.open != nil {
		if err := f.open(); err != nil {
			return nil, err
		}
	}
	var o *farOrder
	for _, have := range f.orders {
		if have.status == "pending" && slices.Equal(have.names, r.Names) && f.clock().Before(have.deadline) {
			o = have
		}
	}
	if o == nil {
		n := len(f.orders) + 1
		o = &farOrder{reference: fmt.Sprint("far-", n), names: r.Names, status: "pending", deadline: f.clock().Add(f.lives), values: map[string]string{}}
		for _, name := range r.Names {
			o.values[name] = fmt.Sprintf("far-%d-%s", n, name)
		}
		f.orders[o.reference] = o
	}
	answer := &issuer.Opened{Reference: o.reference, State: []byte(o.reference), Deadline: o.deadline}
	for name, value := range o.values {
		answer.Challenges = append(answer.Challenges, order.Challenge{
			Name: name, Method: order.MethodDNS, Type: "TXT", Owner: "_dnsauth." + name, Value: value, Origin: "upstream", Created: f.clock(),
		})
	}
	return answer, nil
}

func (f *far) Prepare(_ context.Context, r *issuer.Request) (*issuer.Prepared, error) {
	if f.prepare != nil {
		if err := f.prepare(); err != nil {
			return nil, err
		}
	}
	if len(r.State) == 0 {
		return nil, errors.New("no order was opened")
	}
	return &issuer.Prepared{State: r.State, Ticket: r}, nil
}

func (f *far) Resume(_ context.Context, r *issuer.Request, a *issuer.Attempt) (*issuer.Prepared, error) {
	if f.resume != nil {
		if err := f.resume(); err != nil {
			return nil, err
		}
	}
	return &issuer.Prepared{State: a.State, Ticket: r}, nil
}

func (f *far) Complete(_ context.Context, p *issuer.Prepared) (*issuer.Issued, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	o := f.orders[string(p.State)]
	if f.complete != nil {
		if err := f.complete(o); err != nil {
			return nil, err
		}
	}
	if o.status == "invalid" {
		return nil, foreign(errors.New("the order is invalid"))
	}
	asked, err := x509.ParseCertificateRequest(p.Ticket.(*issuer.Request).CSR)
	if err != nil {
		return nil, err
	}
	if o.issued == nil {
		if o.issued, err = f.sign(asked.PublicKey, o.names); err != nil {
			return nil, err
		}
		o.status = "valid"
		f.issued = append(f.issued, o.issued)
	}
	if !o.issued.PublicKey.(interface{ Equal(crypto.PublicKey) bool }).Equal(asked.PublicKey) {
		return nil, foreign(errors.New("it is for another key"))
	}
	if f.after != nil {
		if err := f.after(); err != nil {
			return nil, err
		}
	}
	return &issuer.Issued{Certificate: o.issued, Chain: []*x509.Certificate{f.cert}}, nil
}

func foreign(err error) error {
	return &issuer.Refusal{
		Over:     true,
		Problems: []issuer.Problem{{Cause: cause.IssuanceCAUnavailable, Subject: "order", Parameters: map[string]any{"problem": "foreign"}}}, Err: err,
	}
}

func (f *far) sign(public crypto.PublicKey, names []string) (*x509.Certificate, error) {
	template := &x509.Certificate{
		SerialNumber: big.NewInt(int64(100 + len(f.issued))), Subject: pkix.Name{CommonName: names[0]}, DNSNames: names,
		NotBefore: f.clock().Add(-time.Minute), NotAfter: f.clock().Add(90 * day), KeyUsage: x509.KeyUsageDigitalSignature,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, f.cert, public, f.key)
	if err != nil {
		return nil, err
	}
	return x509.ParseCertificate(der)
}

func (f *far) Revoke(_ context.Context, r *issuer.Revocation) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.revoke != nil {
		if err := f.revoke(); err != nil {
			return err
		}
	}
	f.revoked = append(f.revoked, fingerprintOf(r.Certificate.Raw))
	return nil
}

func (f *far) Sent(_ context.Context, r *issuer.Request) (bool, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.sent != nil {
		if err := f.sent(); err != nil {
			return false, err
		}
	}
	return f.orders[string(r.State)].status == "valid", nil
}

func (f *far) GiveUp(_ context.Context, r *issuer.Request) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.gaveUp = append(f.gaveUp, string(r.State))
	if o := f.orders[string(r.State)]; o.status == "pending" && !f.stubborn {
		o.status = "invalid"
	}
	return nil
}

// A farHouse is a house whose CA is another's.
type farHouse struct {
	*house
	ca *far
}

func newFarHouse(t *testing.T) *farHouse {
	t.Helper()
	h := &farHouse{house: newHouse(t)}
	h.ca = newFar(t, h.clock)
	h.Secrets, h.Profiles = plain{}, likeCloud
	h.Issuer = func(string) issuer.Issuer { return h.ca }
	return h
}

// stranger is another account.
func (h *farHouse) stranger(t *testing.T) Principal {
	t.Helper()
	if _, err := h.PutAccount(context.Background(), h.who[RoleAdministrator], AccountView{ID: "stranger", Verified: true}); err != nil {
		t.Fatal(err)
	}
	p := h.who[RoleApplicant]
	p.Account = "stranger"
	return p
}

// goes has time pass, with nothing but one order's value published, and the orders
// looked at.
func (h *farHouse) goes(t *testing.T, v *View, d time.Duration) *View {
	t.Helper()
	h.world(t, h.read(t, v.ID), lab.Change{})
	return h.passes(t, v, d)
}

// passes has time pass, and the orders looked at.
func (h *farHouse) passes(t *testing.T, v *View, d time.Duration) *View {
	t.Helper()
	for range 4 {
		h.pass(d / 4)
		h.once(t)
	}
	return h.read(t, v.ID)
}

// origin is where the only value of an order is from.
func origin(v *View) string {
	if len(v.Challenges) != 1 {
		return fmt.Sprint(len(v.Challenges), " values")
	}
	return v.Challenges[0].Origin
}

// shared reports whether an order shows that it waits for another one.
func shared(v *View) bool {
	return slices.ContainsFunc(v.Findings, func(f review.Finding) bool {
		return f.Cause == cause.IssuanceCAUnavailable && strings.Contains(fmt.Sprint(f.Parameters), "shared")
	})
}

// attempts are the states of an order's attempts.
func (h *farHouse) attempts(t *testing.T, v *View) (states []order.AttemptState) {
	t.Helper()
	list, err := h.Store.Attempts(context.Background(), v.ID)
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range list {
		states = append(states, a.State)
	}
	return states
}

// keyed proves that an order has a certificate for its own key.
func (h *farHouse) keyed(t *testing.T, v *View) *store.Certificate {
	t.Helper()
	c, err := h.Store.Certificate(context.Background(), v.Tenant, v.ID)
	if err != nil {
		t.Fatal(err)
	}
	if c.Keyprint != keyOf(v.Order) {
		t.Errorf("the certificate of %s is for another key", v.ID)
	}
	return c
}

func away() error { return &issuer.Unavailable{Problem: "busy", Err: errors.New("503")} }
