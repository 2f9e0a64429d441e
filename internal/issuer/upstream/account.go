package upstream

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"time"

	"github.com/mholt/acmez/v3/acme"

	"assay/cause"
	"assay/internal/issuer"
)

// A session is an account at the CA, and what the CA offers.
type session struct {
	client    *acme.Client
	account   acme.Account
	directory acme.Directory
	since     time.Time
}

// maxSession is how long a directory is believed.
const maxSession = 24 * time.Hour

// ready finds the account of the key, or makes it, once for a process and day.
func (c *CA) ready(ctx context.Context, talk *conversation) (*session, error) {
	select {
	case c.turn <- struct{}{}:
	case <-ctx.Done():
		return nil, c.failure(ctx, talk, "waiting for the account", nil, ctx.Err())
	}
	defer func() { <-c.turn }()
	if s := c.session; s != nil && c.config.Now().Sub(s.since) < maxSession {
		return s, nil
	}
	s := &session{client: c.newClient(), since: c.config.Now()}
	if err := c.readDirectory(ctx, talk, s); err != nil {
		return nil, err
	}
	account, err := s.client.GetAccount(ctx, acme.Account{PrivateKey: c.key})
	if is(err, acme.ProblemTypeAccountDoesNotExist) {
		account, err = c.register(ctx, s)
	}
	var refusal *issuer.Refusal
	switch {
	case errors.As(err, &refusal):
		return nil, err
	case err != nil:
		return nil, c.accountFailure(c.failure(ctx, talk, "finding the account", nil, err), err)
	case account.Status != "" && account.Status != acme.StatusValid:
		return nil, c.accountRefusal("deactivated", "", errors.New("the account is "+clip(account.Status, 40)))
	}
	if err := checkURL(account.Location); err != nil {
		return nil, &issuer.Unavailable{Problem: problemError, Err: fmt.Errorf("the CA's account has no address: it %w", err)}
	}
	s.account, c.session = account, s
	return s, nil
}

// accountFailure is what became of finding or making the account: a refusal is
// one of the account, or of its settings, and no order can help that.
func (c *CA) accountFailure(failure, err error) error {
	var refusal *issuer.Refusal
	var problem acme.Problem
	if !errors.As(failure, &refusal) || !errors.As(err, &problem) || refusal.Problems[0].Cause == cause.LimitRateLimited {
		return failure
	}
	if word := condition(&problem); word != "" {
		return c.accountRefusal(word, "", refusal.Err)
	}
	return &issuer.Unavailable{Problem: problemError, Err: refusal.Err}
}

// forget makes the next operation look for the account again.
func (c *CA) forget() {
	c.turn <- struct{}{}
	c.session = nil
	<-c.turn
}

// readDirectory reads what the CA offers.
func (c *CA) readDirectory(ctx context.Context, talk *conversation, s *session) error {
	d, err := s.client.GetDirectory(ctx)
	if err != nil {
		return c.failure(ctx, talk, "reading the directory", nil, err)
	}
	addresses := []string{d.NewNonce, d.NewAccount, d.NewOrder}
	if d.RenewalInfo != "" {
		addresses = append(addresses, d.RenewalInfo)
	}
	for _, u := range addresses {
		if err := checkURL(u); err != nil {
			return &issuer.Unavailable{Problem: problemError, Err: fmt.Errorf("%s is no ACME directory: an address in it %w", c.config.Directory, err)}
		}
	}
	s.directory = d
	return nil
}

// register makes the account (RFC 8555 7.3), bound to the operator's own where
// the CA wants that.
func (c *CA) register(ctx context.Context, s *session) (acme.Account, error) {
	account := acme.Account{Contact: c.config.contacts(), TermsOfServiceAgreed: c.config.AgreeToTerms, PrivateKey: c.key}
	if d := s.directory; d.Meta != nil {
		switch {
		case d.Meta.TermsOfService != "" && !c.config.AgreeToTerms:
			return account, c.accountRefusal("agreement", d.Meta.TermsOfService, errors.New("read the terms and set agree-to-terms"))
		case d.Meta.ExternalAccountRequired && c.config.EAB == nil:
			return account, c.accountRefusal("external-binding", "", errors.New("set the key id and the HMAC key of the external account binding"))
		}
	}
	if c.config.EAB != nil {
		bound := acme.EAB{KeyID: c.config.EAB.KeyID, MACKey: base64.RawURLEncoding.EncodeToString(c.config.EAB.HMAC)}
		if err := account.SetExternalAccountBinding(ctx, s.client, bound); err != nil {
			return account, err
		}
	}
	return s.client.NewAccount(ctx, account)
}

// accountRefusal says that the account cannot order; err is for the operator.
func (c *CA) accountRefusal(condition, terms string, err error) *issuer.Refusal {
	parameters := map[string]any{"account": c.config.ID, "condition": condition}
	if terms != "" {
		parameters["current"] = clip(terms, 200)
	}
	return &issuer.Refusal{Problems: []issuer.Problem{{Cause: cause.LimitAccountNotReady, Subject: "account", Parameters: parameters}}, Err: err}
}
