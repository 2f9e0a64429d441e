// Package upstream is an issuer that gets its certificates from another CA, by
// ACME (RFC 8555): Let's Encrypt, another public CA, or a private one.
//
// The upstream order is made first ([CA.Open]), and what its CA wants to see is
// what the applicant is asked to publish. The review then looks for exactly that
// with its own eyes, and only when it has seen it is the CA asked to look
// ([CA.Complete]): no attempt is burned there, and none of its limits is used up
// by names that are not ready.
//
// Everything that Complete does can be done again: it looks where the upstream
// order stands and goes on from there. A process that dies between two steps
// leaves nothing behind that has to be revoked, and [CA.Resume] never abandons.
//
// What the CA refuses comes back as an [issuer.Refusal] with causes of the
// catalogue, by the same table as `assay explain`; what it cannot do now, as an
// [issuer.Unavailable]. Nothing the CA sends is trusted: answers are bounded,
// tokens and addresses checked, and a certificate is handed out only where it is
// for exactly the names and the key that were asked for, and leads to a root.
package upstream

import (
	"cmp"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/mholt/acmez/v3/acme"

	"assay/internal/egress"
	"assay/internal/issuer"
)

// A CA is another CA, reached by ACME. It is safe for concurrent use.
type CA struct {
	config Config
	key    *signer
	http   *http.Client
	idle   func()
	// turn is held by whoever finds or makes the account.
	turn    chan struct{}
	session *session
}

var (
	_ issuer.Issuer   = (*CA)(nil)
	_ issuer.Adviser  = (*CA)(nil)
	_ issuer.Follower = (*CA)(nil)
)

// New returns the issuer for a configuration; it does not talk to the CA yet.
func New(c Config) (*CA, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	if c.Anchors == nil {
		c.Anchors = c.Roots
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	base := c.transport
	idle := func() {}
	if base == nil {
		d := &egress.Dialer{Dialer: c.Dialer, Lookup: c.Lookup}
		t := &http.Transport{
			DialContext: d.DialContext, MaxResponseHeaderBytes: maxHeader, DisableCompression: true, MaxConnsPerHost: 16, IdleConnTimeout: 30 * time.Second,
			TLSClientConfig: &tls.Config{RootCAs: c.Roots, MinVersion: tls.VersionTLS12},
		}
		base, idle = t, t.CloseIdleConnections
	}
	return &CA{
		config: c, key: &signer{Signer: c.Key}, idle: idle, turn: make(chan struct{}, 1),
		http: &http.Client{Transport: &transport{base, cmp.Or(c.Timeout, DefaultTimeout), c.Now}, CheckRedirect: redirect},
	}, nil
}

// newClient: the library's own waiting ends at once, since it believes any
// Retry-After.
func (c *CA) newClient() *acme.Client {
	return &acme.Client{
		Directory: c.config.Directory, UserAgent: cmp.Or(c.config.Agent, "assay"), HTTPClient: c.http, PollTimeout: -1,
	}
}

// Close lets go of idle connections. The CA can still be used.
func (c *CA) Close() { c.idle() }

// ID is the configured one.
func (c *CA) ID() string { return c.config.ID }

// Upstream is true.
func (c *CA) Upstream() bool { return true }

// A ticket is what Complete knows of the request beside the state.
type ticket struct {
	request *issuer.Request
	state   *state
	csr     *csrFacts
	used    chan struct{} // has room for one: whoever completes
}

// Prepare asks the CA nothing: it looks whether the request fits the order that
// [CA.Open] opened. The CA chooses the serial number and what is signed.
func (c *CA) Prepare(_ context.Context, r *issuer.Request) (*issuer.Prepared, error) {
	return c.prepare(r, r.State)
}

// Resume goes on with an attempt: whatever became of it, completing it leads to
// the certificate of its upstream order, and to no second one.
func (c *CA) Resume(_ context.Context, r *issuer.Request, a *issuer.Attempt) (*issuer.Prepared, error) {
	raw := a.State
	if len(raw) == 0 {
		raw = r.State
	}
	return c.prepare(r, raw)
}

var (
	errNotOpened = errors.New("the upstream order was not opened yet")
	errNoMethod  = errors.New("the request does not say how its names were validated")
)

func (c *CA) prepare(r *issuer.Request, raw json.RawMessage) (*issuer.Prepared, error) {
	if len(raw) == 0 {
		return nil, errNotOpened
	}
	s, err := c.stateOf(raw)
	if err != nil {
		return nil, err
	}
	if _, err := challengeType(r); err != nil {
		return nil, err
	}
	if r.Method == "" {
		return nil, errNoMethod
	}
	csr, err := readCSR(r)
	if err != nil {
		return nil, err
	}
	if raw, err = s.json(); err != nil {
		return nil, err
	}
	return &issuer.Prepared{State: raw, Ticket: &ticket{r, s, csr, make(chan struct{}, 1)}}, nil
}

// stateOf reads a state and holds it to this CA.
func (c *CA) stateOf(raw json.RawMessage) (*state, error) {
	s, err := readState(raw)
	if err == nil && s.Directory != c.config.Directory {
		err = fmt.Errorf("%w: %s", ErrForeign, clip(s.Directory, 200))
	}
	return s, err
}

// Revoke tells the CA by the account's key. A certificate that is revoked there
// already is no error. A reason that the CA does not take is not given: better
// revoked without one than not at all.
func (c *CA) Revoke(ctx context.Context, r *issuer.Revocation) error {
	ctx, talk := talk(ctx, 40)
	s, err := c.ready(ctx, talk)
	if err != nil {
		return err
	}
	err = s.client.RevokeCertificate(ctx, s.account, r.Certificate, nil, int(r.Reason))
	if is(err, acme.ProblemTypeBadRevocationReason) && r.Reason != issuer.Unspecified {
		err = s.client.RevokeCertificate(ctx, s.account, r.Certificate, nil, int(issuer.Unspecified))
	}
	if is(err, acme.ProblemTypeAlreadyRevoked) {
		return nil
	}
	return c.failure(ctx, talk, "revoking the certificate", nil, err)
}

// is reports whether the CA answered with a problem of a type.
func is(err error, kind string) bool {
	var p acme.Problem
	return errors.As(err, &p) && strings.EqualFold(p.Type, kind)
}
