// Command goodkey measures the quality checks of RSA keys (all but the
// primality of the modulus) against GoodKey of Boulder, Let's Encrypt's CA, on
// the same keys in one run, and first makes sure that both find the same keys
// good and the same weak ones bad.
//
//	cd bench/goodkey && go run .
//
// It is a module of its own, so that the product does not depend on Boulder.
package main

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/letsencrypt/boulder/goodkey"

	"assay/bench/measure"
	"assay/key"
)

// rounds of Fermat's method: what Boulder does by default.
const rounds = 110

// weak are requests with RSA keys that both must refuse.
var weak = []string{"close-primes", "close-primes-round-105", "roca", "factor-751", "even-modulus"}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "goodkey:", err)
		os.Exit(1)
	}
}

func run() error {
	policy, err := goodkey.NewPolicy(nil, nil)
	if err != nil {
		return err
	}
	for _, name := range weak {
		pub, err := sample(name)
		if err != nil {
			return err
		}
		parsed, err := parse(pub)
		if err != nil {
			return err
		}
		ours := key.Examine(parsed, rounds) == key.Weakness{}
		theirs := policy.GoodKey(context.Background(), pub) == nil
		if ours || theirs {
			return fmt.Errorf("%s: good says assay %v, boulder %v", name, ours, theirs)
		}
	}
	fmt.Printf("%d weak keys refused by both\n", len(weak))
	fmt.Println("quality checks of an RSA key, Fermat 110 rounds, against boulder v0.20260720.0 goodkey")
	fmt.Printf("%-10s  %10s  %10s  %6s  %s\n", "key", "assay", "boulder", "ratio", "min–max of 9 rounds")
	for _, bits := range []int{2048, 4096} {
		ratio, err := compare(policy, bits)
		if err != nil {
			return err
		}
		fmt.Printf("RSA-%-6d  %v  boulder takes %.0f times as long\n", bits, ratio, 1/ratio.Ratio)
	}
	return nil
}

// compare times both over the same eight keys.
func compare(policy goodkey.KeyPolicy, bits int) (measure.Ratio, error) {
	var public []*rsa.PublicKey
	var parsed []*key.Public
	for range 8 {
		k, err := rsa.GenerateKey(rand.Reader, bits)
		if err != nil {
			return measure.Ratio{}, err
		}
		p, err := parse(&k.PublicKey)
		if err != nil {
			return measure.Ratio{}, err
		}
		public, parsed = append(public, &k.PublicKey), append(parsed, p)
	}
	i, j := 0, 0
	ours := func() {
		if w := key.Examine(parsed[i%8], rounds); w != (key.Weakness{}) {
			panic("a good key is found weak")
		}
		i++
	}
	theirs := func() {
		if err := policy.GoodKey(context.Background(), public[j%8]); err != nil {
			panic(err)
		}
		j++
	}
	return measure.Against(ours, theirs, 9, 200*time.Millisecond), nil
}

func parse(pub *rsa.PublicKey) (*key.Public, error) {
	spki, err := x509.MarshalPKIXPublicKey(pub)
	if err != nil {
		return nil, err
	}
	return key.Parse(spki)
}

func sample(name string) (*rsa.PublicKey, error) {
	text, err := os.ReadFile(filepath.Join("../../review/testdata/csr", name+".csr"))
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(text)
	if block == nil {
		return nil, fmt.Errorf("%s: not PEM", name)
	}
	request, err := x509.ParseCertificateRequest(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	pub, ok := request.PublicKey.(*rsa.PublicKey)
	if !ok {
		return nil, fmt.Errorf("%s: not RSA", name)
	}
	return pub, nil
}
