package trial_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"net/netip"
	"slices"
	"testing"
	"time"

	"golang.org/x/crypto/acme"

	"assay/cause"
	"assay/lab"
	"assay/lab/trial"
	"assay/order"
	"assay/probe/dial"
	"assay/review"
)

// TestClientOfOthers: the certificate that an ACME client of others makes for
// tls-alpn-01 (golang.org/x/crypto/acme) is proof, for its token and account and no
// others.
func TestClientOfOthers(t *testing.T) {
	t.Parallel()
	const token = "evaGxfADs6pSRb2LAv9IZf17Dt3juxGJ-PCt92wr-oA"
	client := &acme.Client{Key: newKey(t)}
	authorization, err := client.HTTP01ChallengeResponse(token)
	if err != nil {
		t.Fatal(err)
	}
	other, err := (&acme.Client{Key: newKey(t)}).HTTP01ChallengeResponse(token)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, shown, expected string
		proves                bool
		problem               string
	}{
		{"the challenge", "orchard.net", authorization, true, ""},
		{"of another account", "orchard.net", other, false, "digest"},
		{"of another token", "orchard.net", "x" + authorization, false, "digest"},
		{"of another name", "www.orchard.net", authorization, false, "name-other"},
	} {
		for _, profileName := range []string{"baseline", "letsencrypt"} {
			t.Run(c.name+" "+profileName, func(t *testing.T) {
				t.Parallel()
				w, err := lab.New(lab.Change{}, lab.Options{})
				if err != nil {
					t.Fatal(err)
				}
				if err := w.Start(); err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { _ = w.Close() })
				certificate, err := client.TLSALPN01ChallengeCert(token, c.shown)
				if err != nil {
					t.Fatal(err)
				}
				w.DialMap()[dial.Endpoint{Network: "tcp", AddrPort: netip.MustParseAddrPort(lab.AddressWeb1 + ":443")}] = respond(t, certificate)
				s := lab.Scenario{Profile: profileName, Mode: "precheck", At: lab.Clock, Order: &order.File{
					Order:  order.Order{Product: order.DV, Names: []string{"orchard.net"}, Method: order.MethodTLSALPN01, SubmittedAt: lab.Clock.Add(-time.Hour)},
					Expect: map[string]order.Expectation{"orchard.net": {Value: c.expected}},
				}}
				r, err := trial.Review(context.Background(), &s, w)
				if err != nil {
					t.Fatal(err)
				}
				i := slices.IndexFunc(r.Findings, func(f review.Finding) bool { return f.Cause == cause.TLSChallengeCertificateWrong })
				if (r.Verdict == review.VerdictPass) != c.proves || (i < 0) != c.proves {
					t.Fatalf("%s with %+v", r.Verdict, r.Findings)
				}
				if i >= 0 && r.Findings[i].Parameters["problem"] != c.problem {
					t.Errorf("found %+v", r.Findings[i])
				}
			})
		}
	}
}

func newKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// respond answers tls-alpn-01 until the test ends, as a client's responder does.
func respond(t *testing.T, certificate tls.Certificate) netip.AddrPort {
	t.Helper()
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{certificate}, NextProtos: []string{acme.ALPNProto}})
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			_ = c.(*tls.Conn).Handshake()
			_ = c.Close()
		}
	}()
	t.Cleanup(func() {
		_ = l.Close()
		<-done
	})
	return netip.MustParseAddrPort(l.Addr().String())
}
