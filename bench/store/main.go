// Command store measures the order service's database on both engines, beside
// what the engine does bare: commits, lists of a million orders, the start, due
// checks. Engines and sizes can be picked; each figure is a ratio, so that it
// holds on another machine.
//
//	go run ./bench/store
//	go run ./bench/store -engine sqlite -orders 100000
package main

import (
	"context"
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
	orders := flag.Int("orders", 1_000_000, "how many orders are listed")
	open := flag.Int("open", 100_000, "how many open orders have due checks")
	each := flag.Duration("each", 3*time.Second, "how long each rate is measured")
	dir := flag.String("dir", "", "where the databases are made; default: the directory for temporary files")
	flag.Parse()
	for _, name := range []string{"sqlite", "postgres"} {
		if *engine != "both" && *engine != name {
			continue
		}
		if err := run(name, *dir, *orders, *open, *each); err != nil {
			fmt.Fprintf(os.Stderr, "%s: %v\n", name, err)
			os.Exit(1)
		}
	}
}

// A place is where databases of an engine are made and opened.
type place struct {
	name string
	dir  string
	pg   *pgtest.Server
	n    int
}

// make names a new database.
func (p *place) make(ctx context.Context) (string, error) {
	if p.pg != nil {
		return p.pg.Make(ctx)
	}
	p.n++
	return filepath.Join(p.dir, fmt.Sprintf("%d.db", p.n)), nil
}

func (p *place) open(ctx context.Context, at string) (*sqlstore.DB, error) {
	if p.pg != nil {
		return postgres.Open(ctx, at)
	}
	return sqlite.Open(ctx, at)
}

func run(name, under string, orders, open int, each time.Duration) error {
	ctx := context.Background()
	dir, err := os.MkdirTemp(under, "assay-bench")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	p := &place{name: name, dir: dir}
	if name == "postgres" {
		if p.pg, err = pgtest.Start(); err != nil {
			return err
		}
		defer func() {
			if err := p.pg.Remove(); err != nil {
				fmt.Fprintln(os.Stderr, err)
			}
		}()
	}
	fmt.Printf("%s\n", name)
	if err := rates(ctx, p, each); err != nil {
		return fmt.Errorf("rates: %w", err)
	}
	if err := wholes(ctx, p, each); err != nil {
		return fmt.Errorf("whole orders: %w", err)
	}
	if err := lists(ctx, p, orders); err != nil {
		return fmt.Errorf("lists: %w", err)
	}
	return dues(ctx, p, open)
}
