package tls_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"assay/evidence"
	"assay/internal/challenge"
	"assay/internal/strict"
	"assay/lab"
	"assay/lab/trial"
	"assay/probe"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func prober(t *testing.T, change string) *probe.Prober {
	t.Helper()
	var c lab.Change
	if err := strict.Decode([]byte(change), &c); err != nil {
		t.Fatalf("%s: %v", change, err)
	}
	w, err := lab.New(c, lab.Options{})
	if err != nil {
		t.Fatalf("%s: %v", change, err)
	}
	if err := w.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.Close(); err != nil {
			t.Error(err)
		}
	})
	config := trial.Config(w.Probe(0))
	config.DNS.Dialer.Timeout = 2000 * time.Millisecond
	p, err := probe.New(config)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// TestLook: what TLS servers do, asked for tls-alpn-01 and as a browser asks.
func TestLook(t *testing.T) {
	t.Parallel()
	acme, web := []string{"acme-tls/1"}, []string(nil)
	for _, c := range []struct {
		name, change string
		alpn         []string
		want         string
	}{
		{"an ordinary server", `{}`, web, "TLS 1.3 by CN=Orchard Lab CA for orchard.net www.orchard.net"},
		{"a server that agrees on HTTP/1.1", `{}`, []string{"http/1.1"}, "TLS 1.3 http/1.1 by CN=Orchard Lab CA for orchard.net www.orchard.net"},
		{"no common protocol", `{}`, acme, "alert no_application_protocol in tls"},
		{"ALPN ignored", `sites: {w1: {handshakes: [{protocols: none}]}}`, acme, "TLS 1.3 by CN=Orchard Lab CA for orchard.net www.orchard.net"},
		{"agreed, ordinary certificate", `sites: {w1: {handshakes: [{protocols: acme-tls/1}]}}`, acme, "TLS 1.3 acme-tls/1 by CN=Orchard Lab CA for orchard.net www.orchard.net"},
		{"self-signed, ordinary", `sites: {w1: {handshakes: [{issuer: self, names: shop.orchard.net}]}}`, web, "TLS 1.3 self-signed for shop.orchard.net"},
		{"TLS 1.2", `sites: {w1: {handshakes: [{max: "1.2"}]}}`, web, "TLS 1.2 by CN=Orchard Lab CA for orchard.net www.orchard.net"},
		{"TLS 1.1 only", `sites: {w1: {handshakes: [{max: "1.1", protocols: none}]}}`, acme, "version in tls, TLS 1.1 by CN=Orchard Lab CA for orchard.net www.orchard.net"},
		{"plain HTTP", `sites: {w1: {handshakes: [{do: plain}]}}`, acme, "plain-http in tls"},
		{"closed", `sites: {w1: {closed: 443}}`, acme, "refused"},
		{"dropped", `sites: {w1: {filters: [{do: drop}]}}`, acme, "timeout"},
		{"stalls", `sites: {w1: {handshakes: [{do: stall}]}}`, acme, "timeout in tls"},
		{"two addresses", `zones: {orchard.net: {add: "@ A 45.155.10.22"}}`, web, "TLS 1.3 by CN=Orchard Lab CA for orchard.net www.orchard.net; unreachable"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.change = strings.ReplaceAll(c.change, "closed: 443", "closed: [443]")
			o := prober(t, c.change).TLS(context.Background(), evidence.TLSQuestion{Name: "orchard.net", Port: 443, Each: true, ALPN: c.alpn})
			if got := describe(o); got != c.want {
				t.Errorf("%q, want %q", got, c.want)
			}
		})
	}
}

func describe(o evidence.Observation) string {
	if o.TLS == nil {
		return "unknown: " + o.Unknown
	}
	var list []string
	for _, h := range o.TLS.Handshakes {
		var words []string
		for _, w := range []string{h.Dial.Error, h.Error, h.Alert} {
			if w != "" {
				words = append(words, w)
			}
		}
		if h.Phase != "" {
			words = append(words, "in "+h.Phase)
		}
		text := strings.Join(words, " ")
		if h.Info != nil {
			if text != "" {
				text += ", "
			}
			text += h.Info.Version
			if h.Info.ALPN != "" {
				text += " " + h.Info.ALPN
			}
			leaf := h.Info.Certificates[0]
			if leaf.SelfSigned {
				text += " self-signed"
			} else {
				text += " by " + leaf.Issuer
			}
			text += " for " + strings.Join(leaf.Names, " ")
		}
		list = append(list, text)
	}
	return strings.Join(list, "; ")
}

// TestChallenge: challenge certificates, right and with each fault, as far as
// the evidence of a handshake tells.
func TestChallenge(t *testing.T) {
	t.Parallel()
	digest := func(text string) string { sum := sha256.Sum256([]byte(text)); return hex.EncodeToString(sum[:]) }
	right := digest("token.thumbprint")
	for fault, want := range map[string]string{
		"":             "orchard.net self-signed; critical " + right,
		"other-digest": "orchard.net self-signed; critical " + digest("another token.token.thumbprint"),
		"two-names":    "orchard.net www.orchard.net self-signed; critical " + right,
		"other-name":   "other.orchard.net self-signed; critical " + right,
		"no-name":      " self-signed; critical " + right,
		"missing":      "orchard.net self-signed",
		"twice":        "orchard.net unread; critical " + right + "; critical " + right,
		"not-critical": "orchard.net self-signed; " + right,
		"old-oid":      "orchard.net self-signed",
		"short":        "orchard.net self-signed; critical " + right[:62],
		"bare":         "orchard.net self-signed; critical nothing",
		"issued":       "orchard.net issued; critical " + right,
	} {
		t.Run(fault, func(t *testing.T) {
			t.Parallel()
			p := prober(t, fmt.Sprintf(`sites: {w1: {handshakes: [{alpn: acme-tls/1, challenge: {key: token.thumbprint, fault: "%s"}}]}}`, fault))
			o := p.TLS(context.Background(), evidence.TLSQuestion{Name: "orchard.net", Port: 443, Each: true, ALPN: []string{"acme-tls/1"}})
			h := o.TLS.Handshakes[0]
			if (h.Error == evidence.ErrorCertificate) != (fault == "twice") || h.Info == nil || h.Info.ALPN != "acme-tls/1" {
				t.Fatalf("%+v", h)
			}
			c, err := challenge.Read(h.Info.Certificates[0].DER)
			if err != nil {
				t.Fatal(err)
			}
			var names []string
			for _, n := range c.Names {
				names = append(names, n.String())
			}
			got := strings.Join(names, " ")
			switch {
			case fault == "twice":
				got += " unread"
			case c.SelfSigned && h.Info.Certificates[0].SelfSigned:
				got += " self-signed"
			default:
				got += " issued"
			}
			for _, i := range c.Identifiers {
				word := hex.EncodeToString(i.Digest)
				if i.Digest == nil {
					word = "nothing"
				}
				if i.Critical {
					word = "critical " + word
				}
				got += "; " + word
			}
			if got != want {
				t.Errorf("%q, want %q", got, want)
			}
		})
	}
}

// TestAddress: an IP address is asked by its reverse name (RFC 8738 6), at
// itself; the certificate holds it as such.
func TestAddress(t *testing.T) {
	t.Parallel()
	p := prober(t, `sites: {w1: {handshakes: [{name: 21.10.155.45.in-addr.arpa, challenge: {name: 45.155.10.21}}]}}`)
	o := p.TLS(context.Background(), evidence.TLSQuestion{Name: "45.155.10.21", Port: 443, ALPN: []string{"acme-tls/1"}})
	c, err := challenge.Read(o.TLS.Handshakes[0].Info.Certificates[0].DER)
	if err != nil || len(c.Names) != 1 || c.Names[0].IP.String() != "45.155.10.21" {
		t.Errorf("%+v, %v", c, err)
	}
	if len(o.TLS.Hosts) != 0 {
		t.Errorf("looked up %+v", o.TLS.Hosts)
	}
}

// TestRefused: questions that cannot be asked, and addresses that are not dialled.
func TestRefused(t *testing.T) {
	t.Parallel()
	p := prober(t, `{}`)
	for _, q := range []evidence.TLSQuestion{
		{Name: "127.1", Port: 443, Each: true},
		{Name: "orchard.net", Port: 443},
		{Name: "orchard.net", Each: true},
		{Name: "orchard.net", Port: 443, Address: "orchard.net"},
		{Name: "orchard.net", Port: 70000, Each: true},
	} {
		if o := p.TLS(context.Background(), q); o.Unknown == "" || o.TLS != nil {
			t.Errorf("%+v: %+v", q, o)
		}
	}
	for _, address := range []string{"10.0.0.5", "::ffff:10.0.0.5", "64:ff9b::a00:5", "fe80::1"} {
		o := p.TLS(context.Background(), evidence.TLSQuestion{Name: "orchard.net", Port: 443, Address: address})
		if got := o.TLS.Handshakes[0].Dial.Error; got != "guard" {
			t.Errorf("%s: %q", address, got)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if o := p.TLS(ctx, evidence.TLSQuestion{Name: "orchard.net", Port: 443, Each: true}); o.Unknown == "" {
		t.Errorf("cancelled: %+v", o)
	}
}
