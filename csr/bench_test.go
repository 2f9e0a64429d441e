package csr

import (
	"crypto/x509"
	"encoding/pem"
	"testing"
)

// BenchmarkRead compares reading and verifying a request with the bare parse
// and verification of the standard library, in one run.
func BenchmarkRead(b *testing.B) {
	all := samples(b)
	for _, name := range []string{"p256", "rsa2048", "rsa4096", "p384"} {
		text := all[name+".csr"]
		b.Run(name+"/standard", func(b *testing.B) {
			for b.Loop() {
				block, _ := pem.Decode([]byte(text))
				r, err := x509.ParseCertificateRequest(block.Bytes)
				if err != nil || r.CheckSignature() != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(name+"/ours", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				// Verify would remember the answer.
				if r, _ := Read(text); r.verify() != "" {
					b.Fatal("not verified")
				}
			}
		})
		b.Run(name+"/parse-only", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				Read(text)
			}
		})
	}
}
