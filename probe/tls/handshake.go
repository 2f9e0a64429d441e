// Package tls looks at TLS: handshakes for tls-alpn-01 (RFC 8737) and for what
// is served on port 443. Nothing is verified, everything is recorded.
package tls

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"io"
	"net"
	"reflect"
	"slices"
	"strings"
	"time"

	"assay/evidence"
	"assay/probe/dial"
)

const (
	maxCertificates = 5
	maxNames        = 100
	maxDER          = 16 << 10
	maxText         = 300 // bytes of a certificate's subject or issuer, or of one name
	maxSeen         = 64
)

// Options are those of one handshake.
type Options struct {
	// ServerName is sent as it is; an IP address is not sent (RFC 6066 3).
	ServerName string
	ALPN       []string
	// Timeout bounds the handshake.
	Timeout time.Duration
	// Max is the highest version offered; 0 is the newest.
	Max uint16
}

// Handshake makes a TLS connection of an established one. It offers TLS 1.0 and
// up, so that a server that knows no better is told apart from one that fails;
// a connection below TLS 1.2 is reported as [evidence.ErrorVersion] and not
// used. With a failure there is no connection; what was learnt is returned.
func Handshake(ctx context.Context, conn net.Conn, o Options) (*tls.Conn, *evidence.TLSInfo, evidence.Failure) {
	ctx, cancel := context.WithTimeout(ctx, o.Timeout)
	defer cancel()
	first := &firstBytes{Conn: conn}
	c := tls.Client(first, &tls.Config{
		InsecureSkipVerify: true, // see the package's comment
		ServerName:         o.ServerName,
		NextProtos:         o.ALPN,
		MinVersion:         tls.VersionTLS10,
		MaxVersion:         o.Max,
		// Nothing here is a secret: without the post-quantum exchange a handshake
		// costs a third less, and the first flight fits one packet.
		CurvePreferences: []tls.CurveID{tls.X25519, tls.CurveP256, tls.CurveP384, tls.CurveP521},
	})
	if err := c.HandshakeContext(ctx); err != nil {
		return nil, nil, failure(ctx, err, first.seen())
	}
	s := c.ConnectionState()
	info := &evidence.TLSInfo{Version: tls.VersionName(s.Version), ALPN: s.NegotiatedProtocol}
	for i, cert := range s.PeerCertificates[:min(len(s.PeerCertificates), maxCertificates)] {
		info.Certificates = append(info.Certificates, certificate(cert, i == 0))
	}
	if s.Version < tls.VersionTLS12 {
		return nil, info, evidence.Failure{Error: evidence.ErrorVersion, Phase: "tls"}
	}
	return c, info, evidence.Failure{}
}

// failure names what ended a handshake. It is the one place where errors of
// crypto/tls are told apart.
func failure(ctx context.Context, err error, seen []byte) evidence.Failure {
	f := evidence.Failure{Phase: "tls"}
	var record tls.RecordHeaderError
	var remote *net.OpError
	word := dial.Failure(err)
	switch {
	case ctx.Err() != nil || word == "timeout":
		f.Error = evidence.ErrorTimeout
	case errors.As(err, &remote) && remote.Op == "remote error":
		// The alert's type is not exported; its kind is.
		f.Error = evidence.ErrorAlert
		if v := reflect.ValueOf(remote.Err); v.Kind() == reflect.Uint8 {
			f.Alert = alertName(uint8(v.Uint()))
		}
	case bytes.HasPrefix(seen, []byte("HTTP/")) || bytes.HasPrefix(bytes.TrimSpace(seen), []byte("<")):
		f.Error, f.Seen = evidence.ErrorPlainHTTP, seen
	case tooOld(seen):
		f.Error = evidence.ErrorVersion
	case word == "reset":
		f.Error = evidence.ErrorReset
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		f.Error = evidence.ErrorIncomplete
	case strings.Contains(err.Error(), "failed to parse certificate"):
		f.Error = evidence.ErrorCertificate
	default:
		f.Error = evidence.ErrorHandshake
		if errors.As(err, &record) {
			f.Seen = seen
		}
	}
	if f.Error == evidence.ErrorHandshake || f.Error == evidence.ErrorCertificate {
		f.Detail = short(err.Error(), 200)
	}
	return f
}

// tooOld reports whether the first bytes are a ServerHello below TLS 1.0.
func tooOld(b []byte) bool {
	return len(b) > 10 && b[0] == 22 && b[5] == 2 && b[9] == 3 && b[10] == 0
}

// certificate states the facts of a certificate, of a leaf also whether it
// signed itself: for the others that would be work a server could pile up.
func certificate(c *x509.Certificate, leaf bool) evidence.Certificate {
	sum := sha256.Sum256(c.Raw)
	var names []string
	for _, n := range c.DNSNames[:min(len(c.DNSNames), maxNames)] {
		names = append(names, short(n, maxText))
	}
	for _, ip := range c.IPAddresses[:min(len(c.IPAddresses), maxNames-len(names))] {
		names = append(names, ip.String())
	}
	return evidence.Certificate{
		SHA256:  hex.EncodeToString(sum[:]),
		Subject: short(c.Subject.String(), maxText), Issuer: short(c.Issuer.String(), maxText),
		Names: names, NotBefore: c.NotBefore, NotAfter: c.NotAfter,
		SelfSigned: leaf && bytes.Equal(c.RawIssuer, c.RawSubject) && selfSigned(c),
	}
}

// maxSelfKey bounds the RSA modulus whose signature is verified, as crypto/tls
// does in a handshake.
const maxSelfKey = 8192

func selfSigned(c *x509.Certificate) bool {
	if k, ok := c.PublicKey.(interface{ Size() int }); ok && k.Size()*8 > maxSelfKey {
		return false
	}
	return c.CheckSignature(c.SignatureAlgorithm, c.RawTBSCertificate, c.Signature) == nil
}

func short(s string, limit int) string {
	return strings.ToValidUTF8(s[:min(len(s), limit)], "")
}

// firstBytes keeps the first bytes that were read.
type firstBytes struct {
	net.Conn
	kept [maxSeen]byte
	n    int
}

func (c *firstBytes) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if c.n < maxSeen {
		c.n += copy(c.kept[c.n:], p[:n])
	}
	return n, err
}

func (c *firstBytes) seen() []byte { return slices.Clone(c.kept[:c.n]) }
