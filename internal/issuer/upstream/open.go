package upstream

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/mholt/acmez/v3/acme"

	"assay/cause"
	"assay/internal/issuer"
	"assay/order"
)

// Open makes the order at the CA, or looks at the one of the request's state. Of
// every name that the CA wants to see something for there is a challenge of the
// request's method; of a request without a method, of every method that the CA
// offers. Dns and dns-auto become dns-01, file becomes http-01: the values are
// the CA's to choose.
//
// A name without a challenge needs none there: the account was validated for it
// lately. That says nothing of who orders now, see [issuer.Opened].
//
// Where the upstream order has failed or ended the error is an
// [issuer.Refusal]; a request without state then begins a new one.
func (c *CA) Open(ctx context.Context, r *issuer.Request) (*issuer.Opened, error) {
	if err := checkRequest(r); err != nil {
		return nil, err
	}
	var known *state
	if len(r.State) > 0 {
		var err error
		if known, err = c.stateOf(r.State); err != nil {
			return nil, err
		}
	}
	ctx, talk := talk(ctx, 60+2*len(r.Names))
	s, err := c.ready(ctx, talk)
	if err != nil {
		return nil, err
	}
	var o acme.Order
	if known == nil {
		o, err = c.newOrder(ctx, talk, s, r)
	} else {
		o, err = c.getOrder(ctx, talk, s, known.Order, r)
	}
	if err != nil {
		return nil, err
	}
	return c.opened(ctx, talk, s, r, o)
}

func checkRequest(r *issuer.Request) error {
	if len(r.Names) == 0 {
		return errors.New("the request has no names")
	}
	if _, err := challengeType(r); err != nil {
		return err
	}
	if len(r.CSR) > 0 {
		if _, err := readCSR(r); err != nil {
			return err
		}
	}
	return nil
}

// challengeType is the ACME method of a request; "" for any. Others than its own
// an ACME CA has no use for.
func challengeType(r *issuer.Request) (order.Method, error) {
	switch r.Method {
	case order.MethodDNS01, order.MethodDNS, order.MethodDNSAuto:
		return order.MethodDNS01, nil
	case order.MethodHTTP01, order.MethodFile:
		return order.MethodHTTP01, nil
	case order.MethodTLSALPN01, "":
		return r.Method, nil
	}
	return "", &issuer.Refusal{Problems: []issuer.Problem{notOffered("", r.Method, "not-offered", methods())}}
}

// methods are those of ACME that are spoken here.
func methods() []order.Method {
	return []order.Method{order.MethodDNS01, order.MethodHTTP01, order.MethodTLSALPN01}
}

func notOffered(name string, m order.Method, rule string, left []order.Method) issuer.Problem {
	parameters := map[string]any{"rule": rule, "method": string(m)}
	if name != "" {
		parameters["name"] = name
	}
	if len(left) > 0 {
		words := make([]string, len(left))
		for i := range left {
			words[i] = string(left[i])
		}
		parameters["left"] = words
	}
	return issuer.Problem{Cause: cause.RequestMethodNotAllowed, Subject: name, Parameters: parameters}
}

// newOrder makes the order at the CA (RFC 8555 7.4). That it replaces a
// certificate is said where the CA wants to know (RFC 9773 5), and left out where
// it does not like it: a renewal must not fail by that.
func (c *CA) newOrder(ctx context.Context, talk *conversation, s *session, r *issuer.Request) (acme.Order, error) {
	ask := acme.Order{Identifiers: identifiers(r.Names)}
	profile, err := c.profile(s, r)
	if err != nil {
		return ask, err
	}
	ask.Profile = profile
	if c.config.AskNotAfter && !r.NotAfter.IsZero() {
		end := r.NotAfter.UTC()
		ask.NotAfter = &end
	}
	if r.Replaces != nil && len(r.Replaces.AuthorityKeyId) > 0 && s.directory.RenewalInfo != "" {
		if ask.Replaces, err = acme.ARIUniqueIdentifier(r.Replaces); err != nil {
			ask.Replaces = ""
		}
	}
	o, err := s.client.NewOrder(ctx, s.account, ask)
	if ask.Replaces != "" && aboutReplaced(err) {
		ask.Replaces = ""
		o, err = s.client.NewOrder(ctx, s.account, ask)
	}
	if err != nil {
		return o, c.failure(ctx, talk, "making the order", &subject{}, err)
	}
	if err := checkURL(o.Location); err != nil {
		return o, nonsense("the order's address", err)
	}
	return o, c.checkOrder(&o, r)
}

// aboutReplaced: Boulder answers with alreadyReplaced, malformed, unauthorized or
// notFound, Pebble with serverInternal; what else may be wrong with an order has
// other types.
func aboutReplaced(err error) bool {
	for _, kind := range []string{
		acme.ProblemTypeAlreadyReplaced, acme.ProblemTypeMalformed, acme.ProblemTypeUnauthorized, acme.ProblemTypeServerInternal,
		acme.ProblemTypeNamespace + "notFound", acme.ProblemTypeNamespace + "conflict",
	} {
		if is(err, kind) {
			return true
		}
	}
	return false
}

// profile is the CA's profile for the plan of a request; "" for the CA's choice.
func (c *CA) profile(s *session, r *issuer.Request) (string, error) {
	var offered map[string]string
	if s.directory.Meta != nil {
		offered = s.directory.Meta.Profiles
	}
	profile, mapped := c.config.Profiles[r.Plan]
	if !mapped {
		profile = r.Plan
	}
	if _, ok := offered[profile]; ok {
		return profile, nil
	}
	if !mapped {
		return "", nil
	}
	allowed := []string{}
	for plan, p := range c.config.Profiles {
		if _, ok := offered[p]; ok {
			allowed = append(allowed, plan)
		}
	}
	slices.Sort(allowed)
	return "", &issuer.Refusal{
		Problems: []issuer.Problem{{
			Cause: cause.RequestProductMismatch, Subject: r.Plan, Parameters: map[string]any{"rule": "plan", "plan": r.Plan, "allowed": allowed},
		}},
		Err: fmt.Errorf("the CA does not offer the profile %.100q", profile),
	}
}

func identifiers(names []string) []acme.Identifier {
	list := make([]acme.Identifier, len(names))
	for i, n := range names {
		list[i] = acme.Identifier{Type: "dns", Value: n}
		if a, err := netip.ParseAddr(n); err == nil {
			list[i] = acme.Identifier{Type: "ip", Value: a.String()} // RFC 8738
		}
	}
	return list
}

func (c *CA) getOrder(ctx context.Context, talk *conversation, s *session, location string, r *issuer.Request) (acme.Order, error) {
	o, err := s.client.GetOrder(ctx, s.account, acme.Order{Location: location})
	if err != nil {
		if status, _ := talk.last(); status == http.StatusNotFound || is(err, acme.ProblemTypeNamespace+"notFound") {
			return o, gone(say("looking at the order", err))
		}
		return o, c.failure(ctx, talk, "looking at the order", &subject{}, err)
	}
	o.Location = location
	return o, c.checkOrder(&o, r)
}

// gone is the refusal for an order that the CA knows no more: it has expired.
func gone(err error) error {
	p := issuer.Problem{Cause: cause.LimitDeadlinePassed, Parameters: map[string]any{"clock": "acme-order"}}
	return &issuer.Refusal{Problems: []issuer.Problem{p}, Over: true, Err: err}
}

// nonsense is an answer that no CA should give.
func nonsense(what string, err error) error {
	return &issuer.Unavailable{Problem: problemError, Err: fmt.Errorf("what the CA sent makes no sense: %s: %w", what, err)}
}

// checkOrder holds an order of the CA to what was asked for.
func (c *CA) checkOrder(o *acme.Order, r *issuer.Request) error {
	want := identifiers(r.Names)
	got := slices.Clone(o.Identifiers)
	for i := range got {
		got[i].Value = strings.ToLower(got[i].Value)
	}
	by := func(a, b acme.Identifier) int {
		return cmp.Or(cmp.Compare(a.Type, b.Type), cmp.Compare(a.Value, b.Value))
	}
	slices.SortFunc(want, by)
	slices.SortFunc(got, by)
	if !slices.Equal(want, slices.Compact(got)) {
		return nonsense("the order", errors.New("it is for other names than were asked for"))
	}
	if len(o.Authorizations) > maxAuthorizations(r) {
		return nonsense("the order", fmt.Errorf("it has %d authorizations for %d names", len(o.Authorizations), len(r.Names)))
	}
	for _, u := range append([]string{o.Finalize}, o.Authorizations...) {
		if err := checkURL(u); err != nil {
			return nonsense("an address in the order", err)
		}
	}
	return nil
}

// maxAuthorizations: there is one for a name.
func maxAuthorizations(r *issuer.Request) int { return len(r.Names) }

// opened reads what the CA wants to see for an order.
func (c *CA) opened(ctx context.Context, talk *conversation, s *session, r *issuer.Request, o acme.Order) (*issuer.Opened, error) {
	st := &state{Version: stateVersion, Directory: c.config.Directory, Account: s.account.Location, Order: o.Location}
	raw, err := st.json()
	if err != nil {
		return nil, err
	}
	out := &issuer.Opened{Reference: o.Location, State: raw, Deadline: o.Expires}
	if o.Status == acme.StatusValid || o.Status == acme.StatusProcessing {
		return out, nil
	}
	list, err := c.living(ctx, talk, s, r, &o)
	if err != nil {
		return nil, err
	}
	var missing []issuer.Problem
	for i := range list {
		a := &list[i]
		if !a.expires.IsZero() && (out.Deadline.IsZero() || a.expires.Before(out.Deadline)) {
			out.Deadline = a.expires
		}
		if a.status != acme.StatusPending {
			continue
		}
		wanted, problem := a.wanted(r)
		if problem != nil {
			missing = append(missing, *problem)
		}
		for _, ch := range wanted {
			out.Challenges = append(out.Challenges, a.challenge(ch, r.Now))
		}
	}
	if len(missing) > 0 {
		return nil, &issuer.Refusal{Problems: missing}
	}
	return out, nil
}

// living reads the authorizations of an order that can still be completed; of
// another the error says why not.
func (c *CA) living(ctx context.Context, talk *conversation, s *session, r *issuer.Request, o *acme.Order) ([]authorization, error) {
	list, err := c.authorizations(ctx, talk, s, r, o)
	over := func(a authorization) bool { return a.status != acme.StatusPending && a.status != acme.StatusValid }
	switch {
	case err != nil && (o.Status != acme.StatusInvalid || o.Error == nil):
		return nil, err
	case o.Status == acme.StatusInvalid, slices.ContainsFunc(list, over):
		return nil, c.dead(o, list, r)
	}
	return list, nil
}

// dead is the refusal for an order that has failed: what the CA says of its
// authorizations, or of itself.
func (c *CA) dead(o *acme.Order, list []authorization, r *issuer.Request) error {
	method, _ := challengeType(r)
	var problems []issuer.Problem
	var words []error
	for i := range list {
		a := &list[i]
		for _, ch := range a.challenges {
			if ch.Error == nil {
				continue
			}
			about := &subject{name: a.name, method: order.Method(ch.Type), challenges: []order.Challenge{a.challenge(ch, r.Now)}}
			problems = append(problems, c.problems(ch.Error, time.Time{}, about)...)
			words = append(words, say(a.name, *ch.Error))
		}
	}
	if o.Error != nil && (len(problems) == 0 || len(o.Error.Subproblems) > 0) {
		problems = append(problems, c.problems(o.Error, time.Time{}, &subject{method: method})...)
		words = append(words, say("the order", *o.Error))
	}
	if len(problems) == 0 {
		return gone(errors.New("the CA calls the order invalid and does not say why"))
	}
	return &issuer.Refusal{Problems: problems, Over: true, Err: errors.Join(words[:min(len(words), 10)]...)}
}
