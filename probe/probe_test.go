package probe

import (
	"context"
	"net/netip"
	"testing"

	"go.uber.org/goleak"

	"assay/data"
	"assay/evidence"
	"assay/probe/dial"
	"assay/probe/resolver"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestStamp: what is not the internet's shows, whether or not somebody says so.
func TestStamp(t *testing.T) {
	t.Parallel()
	prefix := netip.MustParsePrefix("10.0.0.0/8")
	for name, c := range map[string]struct {
		dialer   dial.Dialer
		resolver string
		network  *evidence.NetworkOptions
		want     evidence.NetworkOptions
	}{
		"the internet":     {},
		"a source address": {dialer: dial.Dialer{Source: netip.MustParseAddr("192.0.2.1")}},
		"a map":            {dialer: dial.Dialer{Map: dial.Map{}}, want: evidence.NetworkOptions{DialMap: dial.Map{}.Digest()}},
		"ports":            {dialer: dial.Dialer{DNSPort: 5353, HTTPPort: 80, HTTPSPort: 8443}, want: evidence.NetworkOptions{Ports: "dns=5353 https=8443"}},
		"exemptions":       {dialer: dial.Dialer{Allow: []netip.Prefix{prefix}}, want: evidence.NetworkOptions{Exempt: "10.0.0.0/8"}},
		"a resolver":       {resolver: "192.0.2.53:53", want: evidence.NetworkOptions{Resolver: "192.0.2.53:53"}},
		"hints, and a map": {
			dialer: dial.Dialer{Map: dial.Map{}}, network: &evidence.NetworkOptions{RootHints: "sha256:1"},
			want: evidence.NetworkOptions{RootHints: "sha256:1", DialMap: dial.Map{}.Digest()},
		},
	} {
		c.dialer.Data = data.Embedded()
		p, err := New(Config{Perspective: "P0", Network: c.network, DNS: resolver.Config{
			Dialer: &c.dialer, Resolver: c.resolver, Roots: []resolver.Root{{Name: "a", Addresses: []netip.Addr{netip.MustParseAddr("198.41.0.4")}}},
		}})
		if err != nil {
			t.Fatal(name, err)
		}
		got := evidence.NetworkOptions{}
		if stamped := p.About().Network; stamped != nil {
			got = *stamped
		}
		if got != c.want {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

// TestAnswerOrder: observations come in the order of the questions, and say why
// there is no answer.
func TestAnswerOrder(t *testing.T) {
	t.Parallel()
	p, err := New(Config{Perspective: "P1", DNS: resolver.Config{
		Dialer: &dial.Dialer{Data: data.Embedded(), Map: dial.Map{}}, Roots: []resolver.Root{{Name: "a"}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	l := p.Begin()
	defer l.Close()
	questions := []evidence.Question{
		{Kind: evidence.KindDNS, DNS: &evidence.DNSQuestion{Name: "a.net", Type: "NONSENSE"}},
		{Kind: evidence.KindLookup},
		{Kind: evidence.KindDNS, DNS: &evidence.DNSQuestion{Name: "a..net", Type: "TXT"}},
		{Kind: evidence.KindDNS, DNS: &evidence.DNSQuestion{Name: "a.net", Type: "TXT", Address: "10.0.0.1"}},
	}
	want := []string{`record type "NONSENSE" is not known`, `a probe does not answer questions of kind "lookup"`, `"a..net" is no domain name`, ""}
	for i, o := range l.Answer(context.Background(), questions) {
		if o.Unknown != want[i] || o.ID == "" {
			t.Errorf("%d: %+v", i, o)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	for _, o := range l.Answer(ctx, questions[3:]) {
		if o.Unknown != "stopped" {
			t.Errorf("%+v", o)
		}
	}
}
