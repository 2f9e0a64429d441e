package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"assay/internal/issuer"
	"assay/internal/issuer/private"
	"assay/internal/store"
	"assay/internal/store/postgres"
	"assay/internal/store/sqlite"
	"assay/order"
	"assay/profile"
)

// parallel calls f from n places for as long as each and returns calls a second.
func parallel(n int, each time.Duration, f func(client int) error) (float64, error) {
	var done atomic.Int64
	var running sync.WaitGroup
	errs := make([]error, n)
	began := time.Now()
	for i := range n {
		running.Go(func() {
			for time.Since(began) < each && errs[i] == nil {
				errs[i] = f(i)
				done.Add(1)
			}
		})
	}
	running.Wait()
	return float64(done.Load()) / time.Since(began).Seconds(), errors.Join(errs...)
}

// commits is how many units a second the engine takes that write one row each.
func commits(ctx context.Context, database string, clients int, each time.Duration) (float64, error) {
	var db store.Store
	var err error
	if strings.HasPrefix(database, "postgres") {
		db, err = postgres.Open(ctx, database)
	} else {
		db, err = sqlite.Open(ctx, database)
	}
	if err != nil {
		return 0, err
	}
	defer db.Close()
	return parallel(clients, each, func(i int) error {
		return db.Write(ctx, func(tx store.Tx) error { return tx.PutSecret(fmt.Sprint("bench-", i), []byte("x"), time.Now()) })
	})
}

// signing is how many certificates a second our own CA makes, lint included, when
// nothing else happens.
func signing(each time.Duration) (float64, error) {
	rootKey, err := private.GenerateKey(elliptic.P384())
	if err != nil {
		return 0, err
	}
	key, err := private.GenerateKey(elliptic.P256())
	if err != nil {
		return 0, err
	}
	began := time.Now().Add(-time.Hour)
	root, err := private.CreateRoot(private.Name{CommonName: "Bench Root", Organization: "Bench", Country: "DE"}, rootKey, began)
	if err != nil {
		return 0, err
	}
	issuing, err := private.CreateIssuing(private.Name{CommonName: "Bench Issuing", Organization: "Bench", Country: "DE"}, key.Public(), private.Constraints{}, root, rootKey, private.URLs{}, began)
	if err != nil {
		return 0, err
	}
	ca, err := private.New(private.Config{
		ID: "bench", Hierarchy: private.Hierarchy{Issuing: issuing, Root: root}, Key: key, URLs: private.URLsAt("http://ca.orchard.net", "bench"),
		NextShard: func(context.Context) (int, error) { return 0, nil },
	})
	if err != nil {
		return 0, err
	}
	p, err := profile.Named("private")
	if err != nil {
		return 0, err
	}
	leaf, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return 0, err
	}
	csr, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{}, leaf)
	if err != nil {
		return 0, err
	}
	name := "host-1." + domain(1)
	r := &issuer.Request{Order: "1", Attempt: 1, Profile: p, Product: order.DV, CSR: csr, Now: time.Now(), Names: []string{name}, CommonName: name}
	return parallel(runtime.GOMAXPROCS(0), each, func(int) error {
		prepared, err := ca.Prepare(context.Background(), r)
		if err != nil {
			return err
		}
		_, err = ca.Complete(context.Background(), prepared)
		return err
	})
}
