package resolver

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"strings"

	"assay/evidence"
	"assay/probe/dial"
)

// recursive puts a question to a recursive resolver.
func (l *Look) recursive(ctx context.Context, a *asked) (*evidence.DNSAnswer, string) {
	q := query{name: a.name, qtype: a.qtype, recurse: true, plain: a.plain, tcp: a.tcp, subnet: a.subnet}
	r, unknown := l.recurse(ctx, a.resolver, q)
	if unknown != "" {
		return nil, unknown
	}
	return r.answer(), ""
}

// recurse asks one resolver one question.
func (l *Look) recurse(ctx context.Context, resolver string, q query) (*reply, string) {
	if strings.HasPrefix(resolver, "https://") {
		return nil, "resolver"
	}
	to, err := netip.ParseAddrPort(resolver)
	if err != nil {
		return nil, fmt.Sprintf("resolver %q is neither an address with port nor an https URL", resolver)
	}
	_ = to
	return nil, "resolver"
}

// trust returns a dialer that reaches the resolvers which an operator named,
// also at addresses that the guard refuses.
func (c *Config) trust() (*dial.Dialer, error) {
	d := *c.Dialer
	d.Allow = append([]netip.Prefix(nil), d.Allow...)
	for _, resolver := range append([]string{c.Resolver}, c.Trusted...) {
		if resolver == "" {
			continue
		}
		if to, err := netip.ParseAddrPort(resolver); err == nil {
			d.Allow = append(d.Allow, netip.PrefixFrom(to.Addr(), to.Addr().BitLen()))
			continue
		}
		u, err := url.Parse(resolver)
		if err != nil || u.Scheme != "https" || u.Host == "" || u.User != nil {
			return nil, fmt.Errorf("resolver %q is neither an address with port nor an https URL", resolver)
		}
		if a, err := netip.ParseAddr(u.Hostname()); err == nil {
			d.Allow = append(d.Allow, netip.PrefixFrom(a, a.BitLen()))
		}
	}
	if d.Data == nil {
		return nil, errors.New("dialer without data")
	}
	return &d, nil
}
