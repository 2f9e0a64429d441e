// Command static measures the whole static review of one DV order (two names,
// one profile, texts not rendered) against the least that must be done: parsing
// the same CSR and verifying its signature with the standard library. Then what
// a further name costs, against the least that must be done with it: IDNA.
//
//	go run ./bench/static
package main

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"os"
	"time"

	"golang.org/x/net/idna"

	"assay"
	"assay/bench/measure"
	"assay/order"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "static:", err)
		os.Exit(1)
	}
}

func run() error {
	p256, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	rsa2048, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return err
	}
	fmt.Println("whole static review of one DV order, two names, profile cloud, against x509.ParseCertificateRequest + CheckSignature")
	fmt.Printf("%-10s  %10s  %10s  %6s  %s\n", "key", "review", "bare", "ratio", "min–max of 9 rounds")
	for _, k := range []struct {
		name string
		key  crypto.Signer
	}{{"P-256", p256}, {"RSA-2048", rsa2048}} {
		ratio, err := compare(k.key)
		if err != nil {
			return err
		}
		fmt.Printf("%-10s  %v\n", k.name, ratio)
	}
	return screening()
}

// perOrder is how many names an order of [screening] has.
const perOrder = 100

// screening reviews orders of many names without a CSR, everything about names
// switched on: syntax, IDNA, suffixes, special addresses, words, look-alikes.
func screening() error {
	fmt.Printf("\nscreening of a name, profile cloud, an order of %d names, against idna.Lookup.ToASCII of the same names\n", perOrder)
	fmt.Printf("%-10s  %10s  %10s  %6s  %s\n", "names", "screening", "idna", "ratio", "min–max of 9 rounds")
	for _, kind := range []struct{ name, format string }{
		{"short", "shop-%d.orchard.net"},
		{"long", "a-rather-long-host-%d.department.customer.orchard-fruit.co.uk"},
		{"IDN", "яблоко-%d.orchard.net"},
	} {
		names := make([]string, perOrder)
		for i := range names {
			var err error
			if names[i], err = idna.Lookup.ToASCII(fmt.Sprintf(kind.format, i)); err != nil {
				return err
			}
		}
		o := &order.Order{Product: order.DV, Names: names, Method: order.MethodDNS}
		reviewer := &assay.Reviewer{Lang: "-", Now: func() time.Time { return time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC) }}
		report, err := reviewer.Review(context.Background(), o)
		if err != nil {
			return err
		}
		if report.Verdict != "pass" {
			return fmt.Errorf("%s: the order should pass: %+v", kind.name, report.Findings)
		}
		ratio := measure.Against(func() {
			if _, err := reviewer.Review(context.Background(), o); err != nil {
				panic(err)
			}
		}, func() {
			for _, n := range names {
				_, _ = idna.Lookup.ToASCII(n)
			}
		}, 9, 300*time.Millisecond)
		ratio.A /= perOrder
		ratio.B /= perOrder
		fmt.Printf("%-10s  %v\n", kind.name, ratio)
	}
	return nil
}

// many is how many requests are reviewed in turn: more than the product remembers the
// signatures of, so that each is verified.
const many = 1000

func compare(key crypto.Signer) (measure.Ratio, error) {
	reviewer := &assay.Reviewer{Lang: "-", Now: func() time.Time { return time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC) }}
	orders := make([]*order.Order, many)
	for i := range orders {
		domain := fmt.Sprintf("orchard-%d.net", i)
		names := []string{"www." + domain, domain}
		der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{Subject: pkix.Name{CommonName: names[0]}, DNSNames: names}, key)
		if err != nil {
			return measure.Ratio{}, err
		}
		text := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der}))
		orders[i] = &order.Order{Product: order.DV, Names: names, CSR: text, Method: order.MethodDNS}
	}
	report, err := reviewer.Review(context.Background(), orders[0])
	if err != nil {
		return measure.Ratio{}, err
	}
	if report.Verdict != "pass" {
		return measure.Ratio{}, fmt.Errorf("the order should pass: %+v", report.Findings)
	}
	reviewed, checked := 0, 0
	review := func() {
		reviewed++
		if _, err := reviewer.Review(context.Background(), orders[reviewed%many]); err != nil {
			panic(err)
		}
	}
	bare := func() {
		checked++
		block, _ := pem.Decode([]byte(orders[checked%many].CSR))
		request, err := x509.ParseCertificateRequest(block.Bytes)
		if err == nil {
			err = request.CheckSignature()
		}
		if err != nil {
			panic(err)
		}
	}
	return measure.Against(review, bare, 9, 300*time.Millisecond), nil
}
