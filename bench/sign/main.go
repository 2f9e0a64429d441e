// Command sign measures issuing by our own CA, the lint gate included: from the
// request to a certificate that was linted, signed and examined.
//
//	go run ./bench/sign
//
// The bare sum beside it, in the same run: x509.CreateCertificate with the same
// content and key, and zlint over the outcome through its own door, with the lints
// that the gate chose. Both are CPU time of this process, so that others on the
// machine change little. Then certificates a second, by one and by as many at once
// as there are processors, and with a key that takes its time, as a device does:
// linting goes on beside the signing of others, so that the device is the limit.
package main

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"sync"
	"time"

	zx509 "github.com/zmap/zcrypto/x509"
	"github.com/zmap/zlint/v3"
	"github.com/zmap/zlint/v3/lint"

	"assay/bench/measure"
	"assay/internal/issuer"
	gate "assay/internal/issuer/lint"
	"assay/internal/issuer/private"
	"assay/order"
	"assay/profile"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "sign:", err)
		os.Exit(1)
	}
}

// A scene is an issuer and a request.
type scene struct {
	issuing   *x509.Certificate
	key       crypto.Signer
	authority *private.Authority
	request   *issuer.Request
}

// slow is a key in a device: one signature at a time, each taking a while.
type slow struct {
	crypto.Signer
	mu   *sync.Mutex
	each time.Duration
}

func (s slow) Sign(r io.Reader, digest []byte, o crypto.SignerOpts) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	time.Sleep(s.each)
	return s.Signer.Sign(r, digest, o)
}

func newScene(profileName string, names int, each time.Duration) (*scene, error) {
	rootKey, err := private.GenerateKey(elliptic.P384())
	if err != nil {
		return nil, err
	}
	s := &scene{}
	if s.key, err = private.GenerateKey(elliptic.P256()); err != nil {
		return nil, err
	}
	now := time.Now()
	root, err := private.CreateRoot(private.Name{CommonName: "Bench Root", Organization: "Bench", Country: "DE"}, rootKey, now.Add(-24*time.Hour))
	if err != nil {
		return nil, err
	}
	s.issuing, err = private.CreateIssuing(private.Name{CommonName: "Bench Issuing", Organization: "Bench", Country: "DE"}, s.key.Public(), private.Constraints{}, root, rootKey, private.URLs{}, now.Add(-24*time.Hour))
	if err != nil {
		return nil, err
	}
	if each > 0 {
		s.key = slow{s.key, &sync.Mutex{}, each}
	}
	s.authority, err = private.New(private.Config{
		ID: "bench", Hierarchy: private.Hierarchy{Issuing: s.issuing, Root: root}, Key: s.key, URLs: private.URLsAt("http://pki.example.net", "bench"),
		NextShard: func(context.Context) (int, error) { return 0, nil },
	})
	if err != nil {
		return nil, err
	}
	p, err := profile.Named(profileName)
	if err != nil {
		return nil, err
	}
	leaf, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	csr, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{}, leaf)
	if err != nil {
		return nil, err
	}
	s.request = &issuer.Request{Order: "1", Attempt: 1, Profile: p, Product: order.DV, CSR: csr, Now: now}
	for i := range names {
		s.request.Names = append(s.request.Names, fmt.Sprintf("host-%d.orchard.com", i))
	}
	s.request.CommonName = s.request.Names[0]
	return s, nil
}

func (s *scene) issue() error {
	p, err := s.authority.Prepare(context.Background(), s.request)
	if err != nil {
		return err
	}
	_, err = s.authority.Complete(context.Background(), p)
	return err
}

// bare returns the sum to compare with, made from a certificate of the issuer.
func (s *scene) bare(registry lint.Registry) (func(), error) {
	p, err := s.authority.Prepare(context.Background(), s.request)
	if err != nil {
		return nil, err
	}
	i, err := s.authority.Complete(context.Background(), p)
	if err != nil {
		return nil, err
	}
	template := i.Certificate
	return func() {
		der, err := x509.CreateCertificate(rand.Reader, template, s.issuing, template.PublicKey, s.key)
		if err != nil {
			panic(err)
		}
		c, err := zx509.ParseCertificate(der)
		if err != nil {
			panic(err)
		}
		if zlint.LintCertificateEx(c, registry).ErrorsPresent {
			panic("the certificate of the comparison has errors")
		}
	}, nil
}

func run() error {
	fmt.Println("issuing with lint, DV, P-256 under P-256, against the bare sum of x509.CreateCertificate and zlint")
	fmt.Printf("%-34s  %10s  %10s  %6s  %s\n", "profile, names, lints beside", "bare sum", "issuing", "ratio", "min–max of 15 rounds; more than 1 is faster")
	for _, c := range []struct {
		profile string
		names   int
	}{{"baseline", 2}, {"private", 2}, {"baseline", 100}} {
		if err := compare(c.profile, c.names); err != nil {
			return err
		}
	}
	return rates()
}

func compare(profileName string, names int) error {
	s, err := newScene(profileName, names, 0)
	if err != nil {
		return err
	}
	g, err := gate.New(s.issuing.PublicKey)
	if err != nil {
		return err
	}
	chosen, err := g.Names(s.request.Profile, order.DV)
	if err != nil {
		return err
	}
	same, err := lint.GlobalRegistry().Filter(lint.FilterOptions{IncludeNames: chosen})
	if err != nil {
		return err
	}
	issue := func() {
		if err := s.issue(); err != nil {
			panic(err)
		}
	}
	type beside struct {
		text     string
		registry lint.Registry
	}
	all := []beside{{fmt.Sprintf("the same %d", len(chosen)), same}}
	if s.request.Profile.Public { // a private certificate has errors for the rest of zlint
		all = append(all, beside{"all of zlint", lint.GlobalRegistry()})
	}
	for _, beside := range all {
		bare, err := s.bare(beside.registry)
		if err != nil {
			return err
		}
		fmt.Printf("%-34s  %v\n", fmt.Sprintf("%s, %d, %s", profileName, names, beside.text), against(bare, issue))
	}
	return nil
}

// against compares the CPU time of two functions, called in turn.
func against(a, b func()) measure.Ratio {
	const rounds, calls = 15, 100
	once := func(f func()) float64 {
		runtime.GC() // each pays for its own
		before := measure.CPUTime()
		for range calls {
			f()
		}
		return float64(measure.CPUTime()-before) / calls
	}
	once(a)
	once(b)
	var as, bs, ratios []float64
	for range rounds {
		x, y := once(a), once(b)
		as, bs, ratios = append(as, x), append(bs, y), append(ratios, x/y)
	}
	slices.Sort(as)
	slices.Sort(bs)
	slices.Sort(ratios)
	mid := rounds / 2
	return measure.Ratio{A: time.Duration(as[mid]), B: time.Duration(bs[mid]), Ratio: ratios[mid], Min: ratios[0], Max: ratios[rounds-1]}
}

func rates() error {
	fmt.Println("\ncertificates a second, baseline, 2 names")
	cores := runtime.GOMAXPROCS(0)
	for _, c := range []struct {
		text    string
		workers int
		each    time.Duration
	}{
		{"one at a time", 1, 0},
		{fmt.Sprintf("%d at a time", cores), cores, 0},
		{"one at a time, a key that takes 1 ms", 1, time.Millisecond},
		{"8 at a time, a key that takes 1 ms", 8, time.Millisecond},
	} {
		s, err := newScene("baseline", 2, c.each)
		if err != nil {
			return err
		}
		n, err := rate(s, c.workers, 2*time.Second)
		if err != nil {
			return err
		}
		limit := ""
		if c.each > 0 {
			device, err := deviceRate(s)
			if err != nil {
				return err
			}
			limit = fmt.Sprintf("  %.2f of what the key alone does", n/device)
		}
		fmt.Printf("%-38s  %7.0f%s\n", c.text, n, limit)
	}
	return nil
}

// rate issues for a while with several at once.
func rate(s *scene, workers int, d time.Duration) (float64, error) {
	var wait sync.WaitGroup
	counts, errs := make([]int, workers), make([]error, workers)
	began := time.Now()
	for i := range workers {
		wait.Go(func() {
			for time.Since(began) < d && errs[i] == nil {
				errs[i] = s.issue()
				counts[i]++
			}
		})
	}
	wait.Wait()
	took, total := time.Since(began), 0
	for i := range workers {
		if errs[i] != nil {
			return 0, errs[i]
		}
		total += counts[i]
	}
	return float64(total) / took.Seconds(), nil
}

// deviceRate is what the key does when nothing else happens.
func deviceRate(s *scene) (float64, error) {
	digest := make([]byte, 32)
	began, n := time.Now(), 0
	for ; time.Since(began) < time.Second; n++ {
		if _, err := s.key.Sign(rand.Reader, digest, crypto.SHA256); err != nil {
			return 0, err
		}
	}
	return float64(n) / time.Since(began).Seconds(), nil
}
