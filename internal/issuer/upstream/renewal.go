package upstream

import (
	"context"
	"crypto/x509"
	"fmt"
	"strings"
	"time"

	"github.com/mholt/acmez/v3/acme"

	"assay/internal/issuer"
)

// Bounds of Retry-After of renewal information (RFC 9773 4.3.3), and what holds
// where the CA says nothing.
const (
	minAsk     = time.Minute
	maxAsk     = 24 * time.Hour
	defaultAsk = 6 * time.Hour
)

// RenewalInfo asks the CA when to renew one of its certificates (RFC 9773 4.2).
func (c *CA) RenewalInfo(ctx context.Context, certificate *x509.Certificate) (*issuer.Advice, error) {
	if len(certificate.AuthorityKeyId) == 0 {
		return nil, issuer.ErrNoAdvice
	}
	ctx, talk := talk(ctx, 40)
	s, err := c.ready(ctx, talk)
	if err != nil {
		return nil, err
	}
	if s.directory.RenewalInfo == "" {
		return nil, issuer.ErrNoAdvice
	}
	got, err := s.client.GetRenewalInfo(ctx, certificate)
	status, retry := talk.last()
	switch {
	case status == 404 && err != nil:
		return nil, issuer.ErrNoAdvice
	case ctx.Err() != nil:
		return nil, say("asking when to renew", ctx.Err())
	case err != nil: // the library keeps the words of the error only
		word := problemError
		if status == 0 || talk.silence() != nil {
			word = problemNetwork
		}
		return nil, &issuer.Unavailable{Problem: word, Retry: retry, Err: say("asking when to renew", err)}
	}
	return c.renewal(&got, retry)
}

func (c *CA) renewal(got *acme.RenewalInfo, retry time.Time) (*issuer.Advice, error) {
	r := &issuer.Advice{Start: got.SuggestedWindow.Start.UTC(), End: got.SuggestedWindow.End.UTC()}
	if !r.Start.Before(r.End) {
		return nil, nonsense("the renewal window", fmt.Errorf("it ends at %s, before it begins", r.End.Format(time.RFC3339)))
	}
	if u := got.ExplanationURL; checkURL(u) == nil && clip(u, maxURL) == u && !strings.Contains(u, " ") {
		r.Explanation = u
	}
	now := c.config.Now()
	switch {
	case retry.IsZero():
		retry = now.Add(defaultAsk)
	case retry.Before(now.Add(minAsk)):
		retry = now.Add(minAsk)
	case retry.After(now.Add(maxAsk)):
		retry = now.Add(maxAsk)
	}
	r.Retry = retry
	return r, nil
}
