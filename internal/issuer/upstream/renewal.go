package upstream

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/mholt/acmez/v3/acme"

	"assay/internal/issuer"
)

// A Renewal is when the CA wants a certificate to be renewed (RFC 9773 4.2).
type Renewal struct {
	// Start and End bound the time; Start is before End. Both may lie in the past:
	// then it is to be renewed now.
	Start, End time.Time
	// Explanation is an https address where the CA says why, for the operator; ""
	// where there is none.
	Explanation string
	// Retry is when to ask again, from a minute to a day ahead (RFC 9773 4.3).
	Retry time.Time
}

// ErrNoRenewalInfo is returned where the CA gives no renewal information, or none
// for this certificate: one's own schedule holds.
var ErrNoRenewalInfo = errors.New("this CA gives no renewal information for the certificate")

// Bounds of Retry-After of renewal information (RFC 9773 4.3.3), and what holds
// where the CA says nothing.
const (
	minAsk     = time.Minute
	maxAsk     = 24 * time.Hour
	defaultAsk = 6 * time.Hour
)

// RenewalInfo asks the CA when to renew one of its certificates. Where that fails
// for a time the error is an [issuer.Unavailable]: one's own schedule holds
// meanwhile.
func (c *CA) RenewalInfo(ctx context.Context, certificate *x509.Certificate) (*Renewal, error) {
	if len(certificate.AuthorityKeyId) == 0 {
		return nil, ErrNoRenewalInfo
	}
	ctx, talk := talk(ctx, 40)
	s, err := c.ready(ctx, talk)
	if err != nil {
		return nil, err
	}
	if s.directory.RenewalInfo == "" {
		return nil, ErrNoRenewalInfo
	}
	got, err := s.client.GetRenewalInfo(ctx, certificate)
	status, retry := talk.last()
	switch {
	case status == 404 && err != nil:
		return nil, ErrNoRenewalInfo
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

func (c *CA) renewal(got *acme.RenewalInfo, retry time.Time) (*Renewal, error) {
	r := &Renewal{Start: got.SuggestedWindow.Start.UTC(), End: got.SuggestedWindow.End.UTC()}
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
