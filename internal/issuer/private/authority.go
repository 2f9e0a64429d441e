// Package private is a CA of our own: an issuing certificate, its key, and what
// a certificate of it holds.
//
// An [Authority] keeps nothing: serial numbers, bodies, certificates and
// revocations are its caller's to store. What it signs as a certificate went
// through its lint gate (package lint) and is exactly what was linted; CRLs and
// OCSP responses are signed by the same key (see [Authority.SignList] and
// [Authority.SignOCSP]).
//
// [CreateRoot] and [CreateIssuing] make a hierarchy, [Hierarchy.Check] examines
// one that was made elsewhere.
package private

import (
	"bytes"
	"context"
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"encoding/asn1"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strconv"
	"strings"
	"time"

	"assay/internal/issuer"
	"assay/internal/issuer/lint"
	"assay/order"
)

// URLs are the places that certificates name. Each may be empty: then they name
// none. All are of scheme http, because whoever follows them may have no means
// yet to judge a certificate (BR 7.1.2.7.7, 7.1.2.11.2).
type URLs struct {
	// CRL is what the number of a shard and ".crl" are appended to:
	// "http://pki.example.net/crl/main/".
	CRL string
	// OCSP is the responder: "http://pki.example.net/ocsp".
	OCSP string
	// Issuer is where the issuing certificate lies, DER: "http://pki.example.net/ca/main.crt".
	Issuer string
}

// URLsAt are the places as package status serves them below a base such as
// "http://pki.example.net".
func URLsAt(base, id string) URLs {
	base = strings.TrimSuffix(base, "/")
	return URLs{CRL: base + "/crl/" + id + "/", OCSP: base + "/ocsp", Issuer: base + "/ca/" + id + ".crt"}
}

// A Config is what an [Authority] is made of.
type Config struct {
	// ID names the issuer: letters, digits and hyphens in lower case, at most 40.
	ID string
	// Hierarchy is checked by [New], but for whether it may issue now.
	Hierarchy Hierarchy
	// Key is the issuing key.
	Key crypto.Signer
	// URLs are the places that certificates name.
	URLs URLs
	// Policies gives the products their policy identifiers. Where a product has
	// none here, certificates of a public profile hold the forum's reserved one
	// (BR 7.1.6.1) and others none.
	Policies map[order.Product]asn1.ObjectIdentifier
	// Backdate is how long before the signing a certificate begins, for clients
	// whose clocks are slow: at most an hour; zero: an hour. Less than a second is
	// none.
	Backdate time.Duration
	// NextShard gives each certificate its part of the CRL, from 0.
	NextShard func(ctx context.Context) (int, error)
}

// An Authority is our own CA. It implements [issuer.Issuer].
type Authority struct {
	id        string
	hierarchy Hierarchy
	key       crypto.Signer
	urls      URLs
	policies  map[order.Product]asn1.ObjectIdentifier
	backdate  time.Duration
	nextShard func(ctx context.Context) (int, error)
	gate      *lint.Gate
	random    io.Reader
	fixed     fixed
	bounds    []*x509.Certificate // whose name constraints hold
}

var _ issuer.Issuer = (*Authority)(nil)

// ValidID reports whether an id can stand in a path as it is.
func ValidID(id string) bool {
	outside := func(r rune) bool { return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '-' }
	return id != "" && len(id) <= 40 && !strings.ContainsFunc(id, outside) && id == strings.Trim(id, "-")
}

// New makes an authority. It examines the hierarchy and that the key is the
// issuing certificate's; making its lint gate takes a new key of the same type,
// which for RSA takes a second. One that has ended signs lists and OCSP all the same,
// and no certificate: see [Authority.Issues].
func New(c Config) (*Authority, error) {
	if !ValidID(c.ID) {
		return nil, fmt.Errorf("issuer id %q: must be letters in lower case, digits and hyphens between them, 1 to 40 in all", c.ID)
	}
	if c.Hierarchy.Issuing == nil || c.Hierarchy.Root == nil {
		return nil, fmt.Errorf("issuer %s: %w", c.ID, errIncomplete)
	}
	if err := c.Hierarchy.unsound(c.Key).err(); err != nil {
		return nil, fmt.Errorf("issuer %s: %w", c.ID, err)
	}
	if c.NextShard == nil {
		return nil, fmt.Errorf("issuer %s: nothing gives certificates their part of the CRL", c.ID)
	}
	if c.Backdate < 0 || c.Backdate > time.Hour {
		return nil, fmt.Errorf("issuer %s: certificates begin %s before they are signed; between 0 and 1h is possible", c.ID, c.Backdate)
	}
	if c.Backdate == 0 {
		c.Backdate = time.Hour
	}
	if err := c.URLs.check(); err != nil {
		return nil, fmt.Errorf("issuer %s: %w", c.ID, err)
	}
	gate, err := lint.New(c.Hierarchy.Issuing.PublicKey)
	if err != nil {
		return nil, fmt.Errorf("issuer %s: %w", c.ID, err)
	}
	a := &Authority{
		id: c.ID, hierarchy: c.Hierarchy, key: c.Key, urls: c.URLs, policies: c.Policies, backdate: c.Backdate,
		nextShard: c.NextShard, gate: gate, random: rand.Reader, bounds: c.Hierarchy.all(),
	}
	if a.fixed, err = newFixed(a); err != nil {
		return nil, fmt.Errorf("issuer %s: %w", c.ID, err)
	}
	return a, nil
}

func (u URLs) check() error {
	for what, text := range map[string]string{"CRL": u.CRL, "OCSP responder": u.OCSP, "issuing certificate": u.Issuer} {
		if text == "" {
			continue
		}
		parsed, err := url.Parse(text)
		if err != nil || parsed.Scheme != "http" || parsed.Host == "" || parsed.RawQuery != "" || parsed.Fragment != "" {
			return fmt.Errorf("the URL of the %s is %q; it must begin with http:// and a host, and have no query", what, text)
		}
	}
	if u.CRL != "" && !strings.HasSuffix(u.CRL, "/") {
		return fmt.Errorf("the URL of the CRL is %q; it must end in / because the shard's number follows", u.CRL)
	}
	return nil
}

// ID names the issuer.
func (a *Authority) ID() string { return a.id }

// Upstream is false: the values to publish are the service's own.
func (a *Authority) Upstream() bool { return false }

// Hierarchy is the issuing certificate and what is above it.
func (a *Authority) Hierarchy() Hierarchy { return a.hierarchy }

// Issues reports whether certificates can be signed at a time; see [Hierarchy.Issues].
func (a *Authority) Issues(now time.Time) error { return a.hierarchy.Issues(now) }

// ShardURL is where a part of the CRL lies, as certificates name it; "" where
// they name none.
func (a *Authority) ShardURL(shard int) string {
	if a.urls.CRL == "" {
		return ""
	}
	return a.urls.CRL + strconv.Itoa(shard) + ".crl"
}

// Open has nothing to say: the challenges are the service's own.
func (a *Authority) Open(context.Context, *issuer.Request) (*issuer.Opened, error) {
	return &issuer.Opened{}, nil
}

// Prepare gives a request its serial number and its part of the CRL, writes the
// body of its certificate and lints it. What cannot be issued as it is asked for
// is an [*issuer.Refusal].
func (a *Authority) Prepare(ctx context.Context, r *issuer.Request) (*issuer.Prepared, error) {
	l, err := a.plan(r)
	if err != nil {
		return nil, err
	}
	if l.shard, err = a.nextShard(ctx); err != nil {
		return nil, fmt.Errorf("take a part of the CRL for order %s: %w", r.Order, err)
	}
	tbs, err := a.body(l)
	if err != nil {
		return nil, fmt.Errorf("write the certificate of order %s: %w", r.Order, err)
	}
	ticket, warnings, err := a.gate.Check(ctx, tbs, r.Profile, r.Product)
	if err != nil {
		return nil, err
	}
	return &issuer.Prepared{
		Serial: hex.EncodeToString(l.serial), TBS: tbs, Shard: l.shard, Lints: ticket.Lints(), Warnings: warnings, Ticket: ticket,
		State: json.RawMessage(`{}`),
	}, nil
}

// Complete signs what was prepared and examines the signature before the
// certificate leaves. Bytes other than those that were linted are an error, and
// so is a serial number that is not theirs; a second time is [issuer.ErrUsed].
func (a *Authority) Complete(ctx context.Context, p *issuer.Prepared) (*issuer.Issued, error) {
	ticket, ok := p.Ticket.(*lint.Ticket)
	if !ok || ticket == nil {
		return nil, lint.ErrForged
	}
	if !ticket.Stands(p.TBS) {
		return nil, errors.New("what is to be signed is not what was linted: prepare the certificate again")
	}
	der, err := a.gate.Sign(ctx, ticket, a.key)
	if err != nil {
		return nil, err
	}
	c, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("read the certificate that was signed: %w", err)
	}
	if !bytes.Equal(c.RawTBSCertificate, p.TBS) || hex.EncodeToString(c.SerialNumber.Bytes()) != p.Serial {
		return nil, errors.New("the certificate that was signed is not the one that was prepared")
	}
	if err := c.CheckSignatureFrom(a.hierarchy.Issuing); err != nil {
		return nil, &issuer.Unavailable{Problem: "key-offline", Err: fmt.Errorf("the issuing key gave a wrong signature: %w", err)}
	}
	return &issuer.Issued{Certificate: c, Chain: a.hierarchy.served(), Root: a.hierarchy.Root}, nil
}

// Resume gives up: an ECDSA signature is never the same twice, and whether the
// process that died had made one cannot be known.
func (a *Authority) Resume(context.Context, *issuer.Request, *issuer.Attempt) (*issuer.Prepared, error) {
	return nil, issuer.ErrAbandon
}

// Revoke has nothing to do: the CRL and the OCSP responses are made from what
// the service stores.
func (a *Authority) Revoke(context.Context, *issuer.Revocation) error { return nil }
