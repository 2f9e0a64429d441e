package upstream

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/mholt/acmez/v3/acme"

	"assay/cause"
	"assay/internal/issuer"
)

// Polling: the first look is at once, then after pauses that double from minPause
// to maxPause, or after what Retry-After says.
const (
	minPause = time.Second
	maxPause = 15 * time.Second
)

// errNoTicket is for a Prepared that is not from this issuer.
var errNoTicket = errors.New("this was not prepared here: resume it first")

// Complete has the CA look at the names, sends it the CSR, and returns the
// certificate. Where the upstream order is further on it goes on from there: of a
// valid one it downloads the certificate. It waits for the CA as long as
// [Config.Wait]; after that the error is an [issuer.Unavailable] that says when
// to resume.
func (c *CA) Complete(ctx context.Context, p *issuer.Prepared) (*issuer.Issued, error) {
	t, ok := p.Ticket.(*ticket)
	if !ok {
		return nil, errNoTicket
	}
	select {
	case t.used <- struct{}{}:
	default:
		return nil, issuer.ErrUsed
	}
	ctx, talk := talk(ctx, 60+4*len(t.request.Names))
	s, err := c.ready(ctx, talk)
	if err != nil {
		return nil, err
	}
	w := &work{CA: c, ticket: t, session: s, talk: talk, until: c.config.Now().Add(cmp.Or(c.config.Wait, DefaultWait))}
	o, err := c.getOrder(ctx, talk, s, t.state.Order, t.request)
	if err != nil {
		return nil, err
	}
	if o, err = w.drive(ctx, o); err != nil {
		return nil, err
	}
	return w.download(ctx, &o)
}

// A work is one completion.
type work struct {
	*CA
	*ticket
	session *session
	talk    *conversation
	// until is when waiting ends.
	until time.Time
	pause time.Duration
	// triggered and finalized say what was done in this completion: each once.
	triggered, finalized bool
}

// drive leads an order to valid (RFC 8555 7.1.6).
func (w *work) drive(ctx context.Context, o acme.Order) (acme.Order, error) {
	for {
		var err error
		moved := false
		switch o.Status {
		case acme.StatusValid:
			return o, nil
		case acme.StatusPending:
			if !w.triggered {
				w.triggered, moved = true, true
				err = w.trigger(ctx, &o)
			}
		case acme.StatusReady:
			if !w.finalized {
				w.finalized, moved = true, true
				o, err = w.finalize(ctx, o)
			}
		case acme.StatusProcessing:
		case acme.StatusInvalid:
			_, err := w.living(ctx, w.talk, w.session, w.request, &o)
			return o, err
		default:
			return o, nonsense("the order", fmt.Errorf("its status is %q", clip(o.Status, 40)))
		}
		if err != nil {
			return o, err
		}
		if o.Status == acme.StatusValid {
			return o, nil
		}
		if err := w.wait(ctx, moved); err != nil {
			return o, err
		}
		if o, err = w.getOrder(ctx, w.talk, w.session, o.Location, w.request); err != nil {
			return o, err
		}
	}
}

// trigger asks the CA to look at every name that it has not validated yet.
func (w *work) trigger(ctx context.Context, o *acme.Order) error {
	list, err := w.living(ctx, w.talk, w.session, w.request, o)
	if err != nil {
		return err
	}
	var ready []acme.Challenge
	var names []string
	for i := range list {
		a := &list[i]
		if a.status != acme.StatusPending {
			continue
		}
		wanted, problem := a.wanted(w.request)
		if problem != nil {
			return &issuer.Refusal{Problems: []issuer.Problem{*problem}}
		}
		if wanted[0].Status == acme.StatusPending {
			ready, names = append(ready, wanted[0]), append(names, a.name)
		}
	}
	method, _ := challengeType(w.request)
	for i, ch := range ready {
		_, err := w.session.client.InitiateChallenge(ctx, w.session.account, ch)
		if is(err, acme.ProblemTypeMalformed) {
			continue // it was triggered before; the order tells what became of it
		}
		if err != nil {
			return w.failure(ctx, w.talk, "asking the CA to look", &subject{name: names[i], method: method}, err)
		}
	}
	return nil
}

// finalize sends the CSR. The library reports what it would have waited for as an
// error: what counts is whether the CA took the request.
func (w *work) finalize(ctx context.Context, o acme.Order) (acme.Order, error) {
	location := o.Location
	got, err := w.session.client.FinalizeOrder(ctx, w.session.account, o, w.request.CSR)
	var problem acme.Problem
	status, _ := w.talk.last()
	switch {
	case err == nil, !errors.As(err, &problem) && ctx.Err() == nil && status >= 200 && status < 300:
	default:
		return o, w.failure(ctx, w.talk, "sending the CSR", &subject{}, err)
	}
	if got.Status == "" { // not read, or nonsense: the next look tells
		got = o
	}
	got.Location = location
	return got, w.checkOrder(&got, w.request)
}

// wait waits for the CA: as long as it asks for, or else longer each time. Where
// that is longer than may be waited the CA is busy.
func (w *work) wait(ctx context.Context, moved bool) error {
	now := w.config.Now()
	_, retry := w.talk.last()
	if moved {
		w.pause = 0
	}
	pause := w.pause
	w.pause = min(max(2*w.pause, w.first()), maxPause)
	if retry.After(now) {
		pause = max(retry.Sub(now), minPause)
	}
	if now.Add(pause).After(w.until) {
		at := retry
		if !at.After(now) {
			at = now.Add(maxPause)
		}
		return &issuer.Unavailable{Problem: problemBusy, Retry: at, Err: errors.New("the CA has not finished with the order yet")}
	}
	w.talk.allow(60+4*len(w.request.Names), "")
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return say("waiting for the CA", ctx.Err())
	case <-timer.C:
		return nil
	}
}

// first is the first pause.
func (w *work) first() time.Duration { return cmp.Or(w.config.pause, minPause) }

// maxDownload is how many requests a download may take: the certificate, its
// alternates, and those that put the chain together one by one.
const maxDownload = 12

// download fetches the certificate and returns it where it is what was asked for.
func (w *work) download(ctx context.Context, o *acme.Order) (*issuer.Issued, error) {
	if err := checkURL(o.Certificate); err != nil {
		return nil, nonsense("the certificate's address", err)
	}
	w.talk.allow(maxDownload, w.session.directory.RenewalInfo)
	chains, err := w.session.client.GetCertificateChain(ctx, w.session.account, o.Certificate)
	if err != nil {
		return nil, w.failure(ctx, w.talk, "downloading the certificate", &subject{}, err)
	}
	err = errNoCertificate
	for i := range chains[:min(len(chains), maxDownload)] {
		var issued *issuer.Issued
		if issued, err = w.check(chains[i].ChainPEM, w.ticket); err == nil {
			return issued, nil
		}
		if errors.Is(err, ErrCertificate) {
			break // an alternate has the same certificate
		}
	}
	return nil, err
}

// csrProblem is a refusal of the request's CSR.
func csrProblem(id cause.ID, parameters map[string]any, err error) error {
	return &issuer.Refusal{Problems: []issuer.Problem{{Cause: id, Subject: "csr", Parameters: parameters}}, Err: err}
}
