package web

import (
	"context"
	"net"
	"net/netip"
	"net/url"
	"time"

	"assay/evidence"
	"assay/probe/tls"
)

// A hop is one request on its way, with the headers that say where it leads.
type hop struct {
	evidence.Hop
	location []string
}

// hop makes one request at the first of the addresses that accepts a connection.
func (l *look) hop(ctx context.Context, u *url.URL, use []netip.Addr, sendHost string) *hop {
	began := l.place.Now()
	h := &hop{Hop: evidence.Hop{URL: u.String(), Phases: make(map[string]float64, 4)}}
	ended := func(phase string) { h.Phases[phase] = float64(l.place.Now().Sub(began).Microseconds()) / 1000 }
	var conn net.Conn
	for i, a := range use {
		if i > 0 {
			h.Tried = append(h.Tried, h.Dial)
		}
		conn, h.Dial = l.place.Dial(ctx, netip.AddrPortFrom(a, port(u)))
		if conn != nil {
			break
		}
	}
	ended("connect")
	if conn == nil {
		return h
	}
	defer conn.Close()
	// What the deadline does not end the caller's leaving does.
	raw := conn
	stop := context.AfterFunc(ctx, func() { _ = raw.SetDeadline(time.Unix(1, 0)) })
	defer stop()

	name, header := u.Hostname(), hostHeader(u)
	if sendHost != "" {
		name, header = sendHost, sendHost
	}
	if u.Scheme == "https" {
		secure, info, failure := tls.Handshake(ctx, conn, tls.Options{ServerName: name, Timeout: l.place.Handshake})
		ended("tls")
		h.TLS, h.Failure = info, failure
		if secure == nil {
			return h
		}
		defer secure.Close()
		conn = secure
	}
	if err := send(conn, request(u, header, l.q.Agent)); err != nil {
		h.Failure = failure(err, "header", nil)
		// A server may refuse before it has read the request: what it said counts.
	}
	l.receive(conn, h, ended)
	return h
}

// receive reads the response.
func (l *look) receive(conn net.Conn, h *hop, ended func(string)) {
	sendFailure := h.Failure
	r := newReader(conn)
	defer r.free()
	response, f := r.response()
	ended("first-byte")
	if response == nil {
		h.Failure = f
		if sendFailure.Error != "" && len(r.first()) == 0 {
			h.Failure = sendFailure
		}
		return
	}
	h.Status = response.StatusCode
	h.location = response.Header["Location"]
	h.Header = kept(response.Header)
	h.Body, h.Failure = r.body(response, gist{random: l.seen.Random, url: h.URL})
	ended("done")
}
