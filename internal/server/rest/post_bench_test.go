package rest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"assay/internal/service"
)

// BenchmarkPost: 32 clients post orders of their own over loopback. The checks
// that follow are not made.
func BenchmarkPost(b *testing.B) {
	w := newWorld(b, Config{TokenRate: -1, AddressRate: -1}, func(s *service.Service) Service { return s })
	bodies := make([]string, b.N)
	for i := range bodies {
		bodies[i] = applicationFor(b, fmt.Sprintf("shop-%d.orchard-%d.net", i, i))
	}
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 32}}
	var next atomic.Int64
	b.SetParallelism(16)
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			r, err := http.NewRequestWithContext(b.Context(), http.MethodPost, w.http.URL+"/api/v1/orders", strings.NewReader(bodies[next.Add(1)-1]))
			if err != nil {
				b.Error(err)
				return
			}
			r.Header.Set("Authorization", "Bearer "+w.root)
			r.Header.Set("Content-Type", "application/json")
			resp, err := client.Do(r)
			if err != nil {
				b.Error(err)
				return
			}
			_, err = io.Copy(io.Discard, resp.Body)
			if resp.Body.Close(); err != nil || resp.StatusCode != http.StatusCreated {
				b.Error(resp.Status, err)
			}
		}
	})
}

func applicationFor(b *testing.B, name string) string {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		b.Fatal(err)
	}
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{Subject: pkix.Name{CommonName: name}, DNSNames: []string{name}}, key)
	if err != nil {
		b.Fatal(err)
	}
	raw, err := json.Marshal(map[string]any{"order": map[string]any{
		"names": []string{name}, "method": "dns", "csr": string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der})),
	}})
	if err != nil {
		b.Fatal(err)
	}
	return string(raw)
}
