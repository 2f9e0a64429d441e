package upstream

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/mholt/acmez/v3/acme"

	"assay/internal/issuer"
	"assay/order"
)

// An authorization is one of the CA's that was looked at.
type authorization struct {
	location string
	// name is as the request writes it, with "*." of a wildcard.
	name    string
	status  string
	expires time.Time
	// challenges are those of methods that are spoken here, each with a sound
	// token and address.
	challenges []acme.Challenge
}

// authorizations reads all of an order. Each is for a name of the request, and
// each name has at most one.
func (c *CA) authorizations(ctx context.Context, talk *conversation, s *session, r *issuer.Request, o *acme.Order) ([]authorization, error) {
	list := make([]authorization, 0, len(o.Authorizations))
	for _, u := range o.Authorizations {
		a, err := c.authorization(ctx, talk, s, r, u)
		if err != nil {
			return nil, err
		}
		if slices.ContainsFunc(list, func(b authorization) bool { return b.name == a.name }) {
			return nil, nonsense("the authorizations", errors.New("two are for one name"))
		}
		list = append(list, *a)
	}
	return list, nil
}

func (c *CA) authorization(ctx context.Context, talk *conversation, s *session, r *issuer.Request, location string) (*authorization, error) {
	got, err := s.client.GetAuthorization(ctx, s.account, location)
	if err != nil {
		return nil, c.failure(ctx, talk, "looking at an authorization", &subject{}, err)
	}
	a := &authorization{location: location, status: got.Status, expires: got.Expires}
	value, ok := nameOf(got.Identifier)
	if got.Wildcard && got.Identifier.Type == "dns" {
		value = "*." + strings.TrimPrefix(value, "*.")
	}
	a.name = value
	if !ok || !slices.Contains(r.Names, a.name) {
		return nil, nonsense("an authorization", errors.New("it is for a name that was not asked for"))
	}
	for _, ch := range got.Challenges {
		if !slices.Contains(methods(), order.Method(ch.Type)) || got.Status == acme.StatusValid {
			continue
		}
		if err := checkChallenge(&ch); err != nil {
			return nil, nonsense("a challenge", err)
		}
		a.challenges = append(a.challenges, ch)
	}
	return a, nil
}

// maxToken bounds a token, in characters: 22 are needed (RFC 8555 8.3).
const maxToken = 256

// checkChallenge: a token goes into URLs and records as it is, so it is held to
// its alphabet (RFC 8555 8.1).
func checkChallenge(ch *acme.Challenge) error {
	foreign := func(r rune) bool {
		return r != '-' && r != '_' && (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z')
	}
	if ch.Token == "" || len(ch.Token) > maxToken || strings.ContainsFunc(ch.Token, foreign) {
		return errors.New("its token is none of 1 to 256 characters of base64url")
	}
	// The library keeps a key authorization that the CA sends, which no CA does.
	if !strings.HasPrefix(ch.KeyAuthorization, ch.Token+".") || strings.Count(ch.KeyAuthorization, ".") != 1 || strings.ContainsFunc(ch.KeyAuthorization[len(ch.Token)+1:], foreign) {
		return errors.New("it brings a key authorization of its own")
	}
	if err := checkURL(ch.URL); err != nil {
		return fmt.Errorf("its address %w", err)
	}
	return nil
}

// wanted are the challenges to publish; the problem says that the request's
// method is not offered for the name.
func (a *authorization) wanted(r *issuer.Request) ([]acme.Challenge, *issuer.Problem) {
	method, _ := challengeType(r)
	var fit []acme.Challenge
	var left []order.Method
	for _, ch := range a.challenges {
		left = append(left, order.Method(ch.Type))
		if method == "" || ch.Type == string(method) {
			fit = append(fit, ch)
		}
	}
	if len(fit) > 0 {
		return fit, nil
	}
	rule := "not-offered"
	if strings.HasPrefix(a.name, "*.") && method != order.MethodDNS01 {
		rule = "wildcard"
	} else if _, err := netip.ParseAddr(a.name); err == nil && method == order.MethodDNS01 {
		rule = "ip"
	}
	p := notOffered(a.name, method, rule, left)
	return nil, &p
}

// challenge is what the applicant publishes, exactly (RFC 8555 8.3, 8.4; RFC
// 8737 3, where the value is what the certificate holds the digest of).
func (a *authorization) challenge(ch acme.Challenge, now time.Time) order.Challenge {
	out := order.Challenge{
		Name: a.name, Method: order.Method(ch.Type), Value: ch.KeyAuthorization, Origin: "upstream", Created: now, Expires: a.expires,
	}
	switch out.Method {
	case order.MethodDNS01:
		out.Type, out.Owner, out.Value = "TXT", "_acme-challenge."+strings.TrimPrefix(a.name, "*."), ch.DNS01KeyAuthorization()
	case order.MethodHTTP01:
		host := a.name
		if strings.Contains(host, ":") {
			host = "[" + host + "]"
		}
		out.URL = "http://" + host + ch.HTTP01ResourcePath()
	}
	return out
}
