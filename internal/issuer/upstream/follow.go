package upstream

import (
	"context"
	"fmt"
	"net/http"

	"github.com/mholt/acmez/v3/acme"

	"assay/internal/issuer"
)

// Sent looks where the order of the request's state stands (RFC 8555 7.1.6): from
// processing on the CA has the CSR.
func (c *CA) Sent(ctx context.Context, r *issuer.Request) (bool, error) {
	ctx, talk := talk(ctx, 20)
	o, _, err := c.find(ctx, talk, r)
	if err != nil {
		return false, err
	}
	switch o.Status {
	case acme.StatusValid, acme.StatusProcessing:
		return true, nil
	case acme.StatusPending, acme.StatusReady, acme.StatusInvalid:
		return false, nil
	}
	return false, nonsense("the order", fmt.Errorf("its status is %q", clip(o.Status, 40)))
}

// GiveUp deactivates the authorizations that the order of the request's state still
// waits for (RFC 8555 7.5.2): the CA does not offer them again, and the order becomes
// invalid. Those that are valid stay: they ask for nothing.
func (c *CA) GiveUp(ctx context.Context, r *issuer.Request) error {
	ctx, talk := talk(ctx, 20+2*len(r.Names))
	o, s, err := c.find(ctx, talk, r)
	if err != nil {
		return err
	}
	if o.Status != acme.StatusPending {
		return nil
	}
	list, err := c.authorizations(ctx, talk, s, r, &o)
	if err != nil {
		return err
	}
	for i := range list {
		if list[i].status != acme.StatusPending {
			continue
		}
		_, err := s.client.DeactivateAuthorization(ctx, s.account, list[i].location)
		if status, _ := talk.last(); err != nil && !is(err, acme.ProblemTypeMalformed) && status != http.StatusNotFound {
			return c.failure(ctx, talk, "giving up an authorization", &subject{name: list[i].name}, err)
		}
	}
	return nil
}

// find reads the order of a request's state.
func (c *CA) find(ctx context.Context, talk *conversation, r *issuer.Request) (o acme.Order, s *session, err error) {
	if len(r.State) == 0 {
		return o, nil, errNotOpened
	}
	known, err := c.stateOf(r.State)
	if err != nil {
		return o, nil, err
	}
	if s, err = c.ready(ctx, talk); err != nil {
		return o, nil, err
	}
	o, err = c.getOrder(ctx, talk, s, known.Order, r)
	return o, s, err
}
