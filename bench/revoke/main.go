// Command revoke measures revocations and their lists among a million that came
// before, on both engines.
//
//	go run ./bench/revoke
//	go run ./bench/revoke -engine postgres -revoked 100000
//
// The rows are made by the database itself: a hundred shards of 10,000 places each,
// all of them revoked but for those that are revoked here. A service in this process
// then signs every shard, as it does once a day. Afterwards certificates are revoked
// one by one: from the call of the service until a client on loopback HTTP gets, of
// package status, a signed list with the serial number, and an OCSP response that
// says so. Both were asked for just before, so that an answer lies in its cache.
//
// Beside it stands the least that it can take: one commit of one row on that engine,
// and the signature over a list of 10,000 entries that lie ready. The certificates
// have a few octets instead of theirs; nothing here reads them.
package main

import (
	"context"
	"crypto"
	"crypto/elliptic"
	"crypto/x509"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"assay/internal/issuer"
	"assay/internal/issuer/private"
	"assay/internal/service"
	"assay/internal/store"
	"assay/internal/store/pgtest"
	"assay/internal/store/postgres"
	"assay/internal/store/sqlite"
	"assay/internal/store/sqlstore"
)

// places is how many certificates have their place in one shard, as in the service.
const places = 10_000

func main() {
	engine := flag.String("engine", "both", "sqlite, postgres or both")
	revoked := flag.Int("revoked", 1_000_000, "how many are revoked in the end")
	more := flag.Int("more", 20, "how many of them one by one")
	dir := flag.String("dir", "", "where the database of SQLite is made; default: the directory for temporary files")
	flag.Parse()
	for _, name := range []string{"sqlite", "postgres"} {
		if *engine != "both" && *engine != name {
			continue
		}
		if err := run(context.Background(), name, *dir, *revoked, *more); err != nil {
			fmt.Fprintf(os.Stderr, "revoke: %s: %v\n", name, err)
			os.Exit(1)
		}
	}
}

func run(ctx context.Context, engine, under string, revoked, more int) (err error) {
	if more < 1 || revoked < more*places {
		return fmt.Errorf("each of %d needs a shard of %d", more, places)
	}
	dir, err := os.MkdirTemp(under, "assay-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	at, open := filepath.Join(dir, "assay.db"), sqlite.Open
	if engine == "postgres" {
		pg, err := pgtest.Start()
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, pg.Remove()) }()
		if at, err = pg.Make(ctx); err != nil {
			return err
		}
		open = postgres.Open
	}
	began := time.Now()
	if err := made(ctx, engine, at, open, revoked, more); err != nil {
		return err
	}
	fmt.Printf("%s, %d revoked in %d shards, made in %v\n", engine, revoked, revoked/places, time.Since(began).Round(time.Second))
	db, err := open(ctx, at)
	if err != nil {
		return err
	}
	defer db.Close()
	h, err := newHouse(ctx, db)
	if err != nil {
		return err
	}
	defer h.close()
	return h.measure(ctx, revoked/places, more)
}

// opener opens the store of an engine.
type opener func(ctx context.Context, at string) (*sqlstore.DB, error)

func (h *house) measure(ctx context.Context, shards, more int) error {
	least, err := h.least(ctx)
	if err != nil {
		return err
	}
	took, err := h.signAll(ctx, shards)
	if err != nil {
		return err
	}
	fmt.Printf("  %-46s %10v  %10v each, %.2f× the least (%v)\n", fmt.Sprintf("all %d lists signed", shards), took.Round(time.Millisecond),
		(took / time.Duration(shards)).Round(10*time.Microsecond), float64(took)/float64(shards)/float64(least), least.Round(10*time.Microsecond))
	var lists, responses []time.Duration
	for shard := range more {
		list, response, err := h.revoke(ctx, shard)
		if err != nil {
			return fmt.Errorf("shard %d: %w", shard, err)
		}
		lists, responses = append(lists, list), append(responses, response)
	}
	for _, r := range []struct {
		name  string
		times []time.Duration
	}{{"revoked until the list has it", lists}, {"revoked until OCSP says so", responses}} {
		slices.Sort(r.times)
		p50, most := r.times[len(r.times)/2], r.times[len(r.times)-1]
		fmt.Printf("  %-46s %10v  %10v at most of %d, %.2f× the least\n", r.name, p50.Round(10*time.Microsecond), most.Round(10*time.Microsecond), more, float64(p50)/float64(least))
	}
	return nil
}

// least is how long one commit and one signature over a full list take.
func (h *house) least(ctx context.Context) (time.Duration, error) {
	var entries []byte
	now := time.Now().UTC().Truncate(time.Second)
	for i := range places {
		var err error
		if entries, err = private.AppendRevoked(entries, private.Revoked{Serial: fmt.Sprintf("4%031x", i), At: now, Reason: issuer.Superseded}); err != nil {
			return 0, err
		}
	}
	ca, key, err := hierarchy(now)
	if err != nil {
		return 0, err
	}
	const rounds = 9
	var all []time.Duration
	for i := range rounds {
		began := time.Now()
		if _, err := private.SignList(ca, key, private.List{Number: 1, ThisUpdate: now, NextUpdate: now.Add(time.Hour), URL: "http://ca.orchard.net/crl/x/1.crl", Entries: entries}); err != nil {
			return 0, err
		}
		err := h.service.Store.Write(ctx, func(tx store.Tx) error { return tx.PutSecret(fmt.Sprint("bench-", i), []byte("x"), began) })
		if err != nil {
			return 0, err
		}
		all = append(all, time.Since(began))
	}
	slices.Sort(all)
	return all[rounds/2], nil
}

// hierarchy is a CA whose key is at hand: that of the service is in its database.
func hierarchy(now time.Time) (*x509.Certificate, crypto.Signer, error) {
	rootKey, err := private.GenerateKey(elliptic.P384())
	if err != nil {
		return nil, nil, err
	}
	key, err := private.GenerateKey(elliptic.P256())
	if err != nil {
		return nil, nil, err
	}
	root, err := private.CreateRoot(private.Name{CommonName: "Bench Root", Organization: "Bench", Country: "ZZ"}, rootKey, now)
	if err != nil {
		return nil, nil, err
	}
	ca, err := private.CreateIssuing(private.Name{CommonName: "Bench Issuing", Organization: "Bench", Country: "ZZ"}, key.Public(), private.Constraints{}, root, rootKey, private.URLs{}, now)
	return ca, key, err
}

// administrator is who revokes.
var administrator = service.Principal{Tenant: service.RootTenant, Token: "bench", Account: "bench", Role: service.RoleAdministrator}
