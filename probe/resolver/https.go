package resolver

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"time"

	"assay/probe/dial"
)

// trust returns a dialer that reaches the resolvers which an operator named,
// also at addresses that the guard refuses.
func (c *Config) trust() (*dial.Dialer, error) {
	d := *c.Dialer
	d.Allow = slices.Clone(d.Allow)
	for _, resolver := range c.named() {
		to, err := netip.ParseAddrPort(resolver)
		if err == nil {
			d.Allow = append(d.Allow, netip.PrefixFrom(to.Addr(), to.Addr().BitLen()))
			continue
		}
		u, err := url.Parse(resolver)
		if err != nil || u.Scheme != "https" || u.Host == "" || u.User != nil {
			return nil, fmt.Errorf("%q is neither an address with port nor an https URL", resolver)
		}
		if a, err := netip.ParseAddr(u.Hostname()); err == nil {
			d.Allow = append(d.Allow, netip.PrefixFrom(a, a.BitLen()))
		}
	}
	return &d, nil
}

// named lists the resolvers that the operator named.
func (c *Config) named() []string {
	if c.Resolver == "" {
		return c.Trusted
	}
	return append([]string{c.Resolver}, c.Trusted...)
}

// reaching is the dialer for a resolver.
func (r *Resolver) reaching(resolver string) *dial.Dialer {
	if slices.Contains(r.c.named(), resolver) {
		return r.trusted
	}
	return r.c.Dialer
}

// client makes the HTTP client for DNS over HTTPS. It follows no redirect and
// reads no proxy variable.
func (r *Resolver) client() *http.Client {
	t := &http.Transport{ForceAttemptHTTP2: true, IdleConnTimeout: 30 * time.Second, MaxIdleConnsPerHost: 4}
	if r.c.HTTP != nil {
		t = r.c.HTTP.Clone()
	}
	t.Proxy = nil
	t.DialContext = r.dialHTTPS
	t.MaxResponseHeaderBytes = 16 << 10
	return &http.Client{Transport: t, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

type resolverKey struct{}

// dialHTTPS connects to a resolver. Its name, if it has one, is looked up by the
// system: TLS shows that it is the right one.
func (r *Resolver) dialHTTPS(ctx context.Context, network, hostport string) (net.Conn, error) {
	host, port, err := net.SplitHostPort(hostport)
	if err != nil {
		return nil, err
	}
	list := []netip.Addr{}
	if a, err := netip.ParseAddr(host); err == nil {
		list = append(list, a)
	} else if list, err = net.DefaultResolver.LookupNetIP(ctx, "ip", host); err != nil {
		return nil, fmt.Errorf("address of resolver %s: %w", host, err)
	}
	resolver, _ := ctx.Value(resolverKey{}).(string)
	var errs []error
	for _, a := range bounded(list) {
		to, err := netip.ParseAddrPort(net.JoinHostPort(a.Unmap().String(), port))
		if err != nil {
			return nil, err
		}
		conn, err := r.reaching(resolver).Dial(ctx, "tcp", to)
		if err == nil {
			return conn, nil
		}
		errs = append(errs, err)
	}
	return nil, errors.Join(errs...)
}

const dnsMessage = "application/dns-message" // RFC 8484 6

// overHTTPS puts a question to a DNS-over-HTTPS resolver (RFC 8484), again where
// there is no answer.
func (l *Look) overHTTPS(ctx context.Context, resolver string, q query) *reply {
	q.exact = true // the connection is not to be forged
	a := &asking{l: l, ctx: ctx, q: q, network: "https", pays: payer{domain: l.target(q.name)}}
	for a.tries < l.r.c.Tries && ctx.Err() == nil {
		if !l.spend(a.address, a.pays, true) {
			a.status, a.unknown = "not-asked", "budget"
			break
		}
		a.tries++
		began := time.Now()
		a.received = l.r.post(ctx, resolver, &q)
		a.transport, a.rtt = "https", time.Since(began)
		l.r.step(a, &a.received)
		if a.msg != nil {
			break
		}
	}
	return &a.reply
}

func (r *Resolver) post(ctx context.Context, resolver string, q *query) received {
	// Connecting, TLS and the answer: three round trips more than a datagram.
	ctx, cancel := context.WithTimeout(context.WithValue(ctx, resolverKey{}, resolver), 2*r.c.Try)
	defer cancel()
	var random [34]byte // id 0 (RFC 8484 4.1)
	sent, end, err := q.pack(make([]byte, headerSize+maxQuery), random[:])
	if err != nil {
		return received{status: "failed"}
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, resolver, bytes.NewReader(sent))
	if err != nil {
		return received{status: "failed"}
	}
	request.Header.Set("Content-Type", dnsMessage)
	request.Header.Set("Accept", dnsMessage)
	response, err := r.https.Do(request)
	if err != nil {
		return received{status: failure(err)}
	}
	defer response.Body.Close()
	got, err := io.ReadAll(io.LimitReader(response.Body, messageSize+1))
	if err != nil {
		return received{status: failure(err)}
	}
	m := compare(sent, end, got)
	if response.StatusCode != http.StatusOK || response.Header.Get("Content-Type") != dnsMessage || len(got) > messageSize || m == foreign {
		return received{status: "garbled"}
	}
	msg, err := unpack(got, end, m)
	if err != nil {
		return received{status: "garbled"}
	}
	return received{msg: msg, size: len(got), match: m}
}
