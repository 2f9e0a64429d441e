package lab_test

import (
	"context"
	"net/netip"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"assay/data"
	"assay/evidence"
	"assay/lab"
	"assay/probe"
	"assay/probe/dial"
	"assay/probe/resolver"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// start runs the healthy world. The clock is that many days ahead.
func start(t *testing.T) (p *probe.Prober, days *atomic.Int64) {
	t.Helper()
	w, err := lab.New(lab.Change{}, lab.Options{Value: "202611230800"})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.Close(); err != nil {
			t.Error(err)
		}
	})
	var d atomic.Int64
	clock := time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC)
	prober, err := probe.New(probe.Config{Perspective: "P0", DNS: resolver.Config{
		Dialer: &dial.Dialer{Data: data.Embedded(), Map: w.DialMap(), Timeout: 5 * time.Second},
		Roots:  []resolver.Root{{Name: "a.root", Addresses: []netip.Addr{netip.MustParseAddr(lab.AddressTLDServer)}}},
		Now:    func() time.Time { return clock.Add(time.Duration(d.Load()) * 24 * time.Hour) },
	}})
	if err != nil {
		t.Fatal(err)
	}
	return prober, &d
}

// TestDNS: the answers an authoritative server gives, as observations.
func TestDNS(t *testing.T) {
	p, _ := start(t)
	for _, c := range []struct {
		name, typ, address        string
		status                    string
		aa                        bool
		answer, authority, extras int
	}{
		{"orchard.net", "TXT", lab.AddressTLDServer, "NOERROR", false, 0, 4, 2}, // with the proof that there is no DS,
		{"_dnsauth.orchard.net", "TXT", lab.AddressNS1, "NOERROR", true, 1, 0, 0},
		{"_dnsauth.orchard.net", "CNAME", lab.AddressNS2, "NOERROR", true, 0, 1, 0},
		{"nothing.orchard.net", "TXT", lab.AddressNS1, "NXDOMAIN", true, 0, 1, 0},
		{"elsewhere.org", "TXT", lab.AddressNS1, "REFUSED", false, 0, 0, 0},
		{"orchard.net", "A", "45.155.10.99", "unreachable", false, 0, 0, 0},
		{"orchard.net", "A", "10.0.0.1", "guard", false, 0, 0, 0},
	} {
		o := p.DNS(context.Background(), evidence.DNSQuestion{Name: c.name, Type: c.typ, Address: c.address})
		a := o.DNS
		if a == nil || a.Status != c.status || a.Authoritative != c.aa || len(a.Answer) != c.answer || len(a.Authority) != c.authority || len(a.Additional) != c.extras {
			t.Errorf("%s %s at %s: %+v", c.name, c.typ, c.address, a)
		}
	}
}

// TestHTTP: both schemes, a missing file, and an address that is never dialled.
func TestHTTP(t *testing.T) {
	p, _ := start(t)
	const path = "://orchard.net/.well-known/pki-validation/"
	for _, c := range []struct {
		url, address string
		status       int
		dial, body   string
	}{
		{"http" + path + "fileauth.txt", lab.AddressWeb1, 200, "", "202611230800"},
		{"https" + path + "fileauth.txt", lab.AddressWeb1, 200, "", "202611230800"},
		{"http" + path + "other.txt", lab.AddressWeb1, 404, "", "404 page not found\n"},
		{"http" + path + "fileauth.txt", lab.AddressNS1, 0, "unreachable", ""},
		{"http" + path + "fileauth.txt", "169.254.169.254", 0, "guard", ""},
	} {
		o := p.HTTP(context.Background(), evidence.HTTPQuestion{URL: c.url, Address: c.address})
		hop := o.HTTP.Fetches[0].Hops[0]
		if hop.Status != c.status || hop.Dial.Error != c.dial {
			t.Errorf("%s at %s: %+v", c.url, c.address, hop)
		}
		if c.body != "" && string(hop.Body.Head) != c.body {
			t.Errorf("%s: body %q", c.url, hop.Body.Head)
		}
		if c.url[:5] == "https" && (hop.TLS == nil || hop.TLS.Certificates[0].Issuer != "CN=Orchard Lab CA") {
			t.Errorf("%s: TLS %+v", c.url, hop.TLS)
		}
	}
}

// TestIdentity: two looks at an unchanged world have one id; a changed record
// has another.
func TestIdentity(t *testing.T) {
	p, days := start(t)
	q := evidence.DNSQuestion{Name: "_dnsauth.orchard.net", Type: "TXT", Address: lab.AddressNS1}
	first := p.DNS(context.Background(), q)
	days.Store(1)
	second := p.DNS(context.Background(), q)
	if first.ID != second.ID || first.At.Equal(second.At) {
		t.Errorf("ids %s at %v, %s at %v", first.ID, first.At, second.ID, second.At)
	}
	second.DNS.Answer[0].TTL = 17
	if second.Identify().ID != first.ID {
		t.Error("the id depends on the TTL")
	}
	second.DNS.Answer[0].Data = `"other"`
	if second.Identify().ID == first.ID {
		t.Error("the id does not depend on the record")
	}
}
