package probe

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"time"

	"assay/evidence"
	"assay/probe/dial"
)

const (
	maxBody   = 64 << 10 // bytes read of a body
	keepHead  = 1024     // bytes kept of it
	maxHeader = 32 << 10 // bytes of response headers
	agent     = "Assay (+certificate validation)"
)

// keptHeaders are the headers that rules read.
var keptHeaders = []string{
	"Age", "Cache-Control", "Content-Encoding", "Content-Type", "Location", "Retry-After", "Server", "Via",
	"Www-Authenticate", "X-Cache", "Cf-Ray", "X-Amz-Cf-Pop", "X-Served-By",
}

// HTTP fetches a URL once at the question's address and records the exchange.
// Redirects are recorded, not followed. Certificates are not verified: a site
// that is about to get its first certificate has none that could be.
func (p *Prober) HTTP(ctx context.Context, q evidence.HTTPQuestion) evidence.Observation {
	began := p.now()
	question := evidence.Question{Kind: evidence.KindHTTP, Perspective: p.about.ID, HTTP: &q}
	hop, err := p.fetch(ctx, q, began)
	o := p.observation(question, began)
	if err != nil {
		o.Unknown = err.Error()
		return o.Identify()
	}
	family := "ipv6"
	if addr, err := netip.ParseAddr(q.Address); err == nil && addr.Unmap().Is4() {
		family = "ipv4"
	}
	o.HTTP = &evidence.HTTPExchange{Fetches: []evidence.Fetch{{Address: q.Address, Family: family, Hops: []evidence.Hop{*hop}}}}
	return o.Identify()
}

func (p *Prober) fetch(ctx context.Context, q evidence.HTTPQuestion, began time.Time) (*evidence.Hop, error) {
	u, err := url.Parse(q.URL)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.User != nil {
		return nil, fmt.Errorf("not a URL that is fetched: %q", q.URL)
	}
	addr, err := netip.ParseAddr(q.Address)
	if err != nil {
		return nil, fmt.Errorf("address: %w", err)
	}
	port := uint16(80)
	if u.Scheme == "https" {
		port = 443
	}
	to := netip.AddrPortFrom(addr, port)
	hop := &evidence.Hop{URL: q.URL, Dial: evidence.Dial{Address: to.String()}, Phases: map[string]float64{}}
	since := func(phase string) { hop.Phases[phase] = float64(p.now().Sub(began).Microseconds()) / 1000 }

	ctx, cancel := context.WithTimeout(ctx, 2*p.timeout())
	defer cancel()
	transport := &http.Transport{
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			conn, err := p.dialer.Dial(ctx, "tcp", to)
			hop.Dial.Error = dial.Failure(err)
			since("connect")
			return conn, err
		},
		TLSClientConfig:        &tls.Config{InsecureSkipVerify: true, ServerName: u.Hostname(), MinVersion: tls.VersionTLS12},
		TLSHandshakeTimeout:    p.timeout(),
		ResponseHeaderTimeout:  2 * p.timeout(),
		MaxResponseHeaderBytes: maxHeader,
		DisableKeepAlives:      true,
		DisableCompression:     true,
	}
	defer transport.CloseIdleConnections()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, q.URL, nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("User-Agent", agent)
	req.Header.Set("Accept", "*/*")
	resp, err := transport.RoundTrip(req)
	if err != nil {
		if hop.Dial.Error == "" {
			hop.Error = exchangeFailure(err)
		}
		return hop, nil
	}
	defer resp.Body.Close()
	since("first-byte")
	hop.Status = resp.StatusCode
	hop.Header = kept(resp.Header)
	hop.TLS = handshake(resp.TLS)
	hop.Body, err = body(resp.Body)
	if err != nil {
		hop.Error = exchangeFailure(err)
	}
	since("done")
	return hop, nil
}

func exchangeFailure(err error) string {
	var record tls.RecordHeaderError
	switch {
	case errors.As(err, &record):
		return "tls"
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		return "incomplete"
	}
	if word := dial.Failure(err); word != "failed" {
		return word
	}
	return "not-http"
}

func kept(h http.Header) []evidence.Header {
	var list []evidence.Header
	for _, name := range keptHeaders {
		for _, v := range h.Values(name) {
			list = append(list, evidence.Header{Name: name, Value: v})
		}
	}
	slices.SortStableFunc(list, func(a, b evidence.Header) int {
		if a.Name < b.Name {
			return -1
		}
		if a.Name > b.Name {
			return 1
		}
		return 0
	})
	return list
}

func body(r io.Reader) (*evidence.Body, error) {
	raw, err := io.ReadAll(io.LimitReader(r, maxBody+1))
	b := &evidence.Body{Cut: len(raw) > maxBody}
	if b.Cut {
		raw = raw[:maxBody]
	}
	sum := sha256.Sum256(raw)
	b.Bytes, b.SHA256, b.Head = len(raw), hex.EncodeToString(sum[:]), raw[:min(len(raw), keepHead)]
	return b, err
}

func handshake(s *tls.ConnectionState) *evidence.TLSInfo {
	if s == nil {
		return nil
	}
	info := &evidence.TLSInfo{Version: tls.VersionName(s.Version), ALPN: s.NegotiatedProtocol}
	for _, c := range s.PeerCertificates {
		info.Certificates = append(info.Certificates, certificate(c))
	}
	return info
}

func certificate(c *x509.Certificate) evidence.Certificate {
	sum := sha256.Sum256(c.Raw)
	names := slices.Clone(c.DNSNames)
	for _, ip := range c.IPAddresses {
		names = append(names, ip.String())
	}
	return evidence.Certificate{
		SHA256: hex.EncodeToString(sum[:]), Subject: c.Subject.String(), Issuer: c.Issuer.String(), Names: names,
		NotBefore: c.NotBefore, NotAfter: c.NotAfter, SelfSigned: c.CheckSignature(c.SignatureAlgorithm, c.RawTBSCertificate, c.Signature) == nil,
	}
}
