package web

import (
	"context"
	"crypto/tls"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"
	"time"

	"assay/data"
	"assay/evidence"
	"assay/probe/dial"
	"assay/probe/host"
)

// BenchmarkFetch is one fetch of a small file on loopback, with the server in
// the same process, beside net/http doing the same: a connection each.
func BenchmarkFetch(b *testing.B) {
	handler := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "20261125a7k2m9x4q8") })
	for _, scheme := range []string{"http", "https"} {
		server := httptest.NewUnstartedServer(handler)
		server.Config.ErrorLog = log.New(io.Discard, "", 0)
		port := uint16(80)
		if scheme == "https" {
			// P-256, as most sites have; an RSA key costs the server a millisecond.
			server.TLS = &tls.Config{Certificates: []tls.Certificate{selfSigned(b)}}
			server.StartTLS()
			port = 443
		} else {
			server.Start()
		}
		at := netip.MustParseAddrPort(server.Listener.Addr().String())
		address := netip.MustParseAddr("45.155.10.21")
		place := host.Place{Dialer: &dial.Dialer{Data: data.Embedded(), Map: dial.Map{
			{Network: "tcp", AddrPort: netip.AddrPortFrom(address, port)}: at,
		}}}
		q := evidence.HTTPQuestion{URL: scheme + "://orchard.net" + file, Address: address.String()}
		b.Run(scheme, func(b *testing.B) {
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					x, err := Look(context.Background(), place, q)
					if err != nil || x.Fetches[0].Hops[0].Status != 200 {
						b.Errorf("%+v, %v", x, err)
						return
					}
				}
			})
		})
		b.Run(scheme+"-net-http", func(b *testing.B) {
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					t := server.Client().Transport.(*http.Transport).Clone()
					t.DisableKeepAlives = true
					t.TLSClientConfig = &tls.Config{InsecureSkipVerify: true}
					c := http.Client{Transport: t, Timeout: 20 * time.Second}
					r, err := c.Get(server.URL)
					if err != nil {
						b.Error(err)
						return
					}
					_, _ = io.Copy(io.Discard, r.Body)
					_ = r.Body.Close()
				}
			})
		})
		server.Close()
	}
}
