// Command inventory measures lists of certificates among ten million, as the
// service gives them, on both engines.
//
//	go run ./bench/inventory
//	go run ./bench/inventory -engine postgres -certificates 2000000
//
// The rows are made by the database itself, straight into its tables, in one
// transaction; the indexes are those of the migrations, made again at its end. A
// year of certificates for 90 days: three quarters have ended. A tenth belongs to
// one account, the rest to a thousand; a hundredth is of one domain, the rest ten
// to a domain. What is certified is -der octets long each (lists do not read it).
// Each query asks for another account, name or page than the one before. Beside its
// times stands how long the engine takes for as many rows by their primary keys.
// With ten million it takes about 12 GB of disk, one engine after the other.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"assay/internal/store/pgtest"
	"assay/internal/store/postgres"
	"assay/internal/store/sqlite"
	"assay/internal/store/sqlstore"
)

func main() {
	engine := flag.String("engine", "both", "sqlite, postgres or both")
	n := flag.Int("certificates", 10_000_000, "how many certificates there are")
	der := flag.Int("der", 64, "how many octets of each certificate are stored")
	calls := flag.Int("calls", 300, "how often each list is read")
	dir := flag.String("dir", "", "where the database of SQLite is made; default: the directory for temporary files")
	flag.Parse()
	for _, name := range []string{"sqlite", "postgres"} {
		if *engine != "both" && *engine != name {
			continue
		}
		if err := run(context.Background(), name, *dir, scale{n: *n, der: *der, calls: *calls}); err != nil {
			fmt.Fprintf(os.Stderr, "inventory: %s: %v\n", name, err)
			os.Exit(1)
		}
	}
}

// A scale is how much is measured.
type scale struct{ n, der, calls int }

func run(ctx context.Context, name, under string, s scale) (err error) {
	dir, err := os.MkdirTemp(under, "assay-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	at, open := filepath.Join(dir, "assay.db"), sqlite.Open
	if name == "postgres" {
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
	if err := made(ctx, name, at, open, s, began); err != nil {
		return err
	}
	fmt.Printf("%s, %d certificates, made in %v\n", name, s.n, time.Since(began).Round(time.Second))
	db, err := open(ctx, at)
	if err != nil {
		return err
	}
	defer db.Close()
	return lists(ctx, db, at, s)
}

// opener opens the store of an engine.
type opener func(ctx context.Context, at string) (*sqlstore.DB, error)
