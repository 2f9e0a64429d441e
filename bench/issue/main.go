// Command issue measures the whole way from an order to its certificate: POST
// /orders over loopback HTTP with a fresh P-256 request, the static review, the
// value published, the look at a laboratory (one perspective, unsigned zone, the
// top-level zone known), the review, the lints, the signature, the certificate in
// the store.
//
//	go run ./bench/issue                      SQLite, and a PostgreSQL that it starts
//	go run ./bench/issue -engine sqlite -for 20s -clients 128
//	go run ./bench/issue -binary ./before     another build of assay, to compare with
//
// Each client has one order under way at a time, of a name of its own: no validation
// is used twice. The zones are those of authoritative servers in this process,
// which answer what the clients published, and let a question for a value wait
// until its client has read it from the answer to its POST. An order is done when
// its certificate is read from the database. Beside the rate stand what the same
// engine does in commits of one row, with as many clients, and what our own CA does
// in signatures with lint alone, on all processors: the least that an order takes.
// Requests are signed before the clock starts. Clients, zones, service and database
// share the machine, and so do the processes of PostgreSQL.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"slices"
	"time"

	"assay/bench/measure"
	"assay/internal/store/pgtest"
)

func main() {
	each := flag.Duration("for", 10*time.Second, "how long each measurement takes")
	clients := flag.Int("clients", 64, "how many orders are under way at a time")
	binary := flag.String("binary", "", "a build of assay; left out: one is built")
	engine := flag.String("engine", "", "only this one: sqlite or postgres")
	dir := flag.String("dir", "", "where the databases are made; default: the directory for temporary files")
	flag.Parse()
	log.SetFlags(0)
	if err := run(context.Background(), *dir, *each, *clients, *binary, *engine); err != nil {
		log.Fatal("issue: ", err)
	}
}

func run(ctx context.Context, under string, each time.Duration, clients int, binary, only string) (err error) {
	dir, err := os.MkdirTemp(under, "assay-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if binary == "" {
		binary = filepath.Join(dir, "assay")
		if err := measure.Build(binary); err != nil {
			return err
		}
	}
	signs, err := signing(each / 2)
	if err != nil {
		return err
	}
	fmt.Printf("%-10s %8s %10s %10s %10s %12s %12s %10s %10s %8s %10s %8s\n",
		"engine", "certs/s", "p50", "p99", "slowest", "CPU a cert", "clients+DNS", "database", "commits/s", "ratio", "sign+lint", "ratio")
	for _, engine := range []string{"sqlite", "postgres"} {
		if only != "" && only != engine {
			continue
		}
		r, err := engineRun(ctx, filepath.Join(dir, engine), binary, engine, clients, each)
		if err != nil {
			return fmt.Errorf("%s: %w", engine, err)
		}
		r.signs = signs
		fmt.Println(r)
	}
	return nil
}

// A result is one row.
type result struct {
	engine                string
	certs, commits, signs float64
	times                 []time.Duration
	cpu, own, database    time.Duration // of the service, of clients and zones, of PostgreSQL, a certificate
}

func (r *result) String() string {
	slices.Sort(r.times)
	at := func(hundredth int) time.Duration {
		return r.times[len(r.times)*hundredth/100].Round(100 * time.Microsecond)
	}
	return fmt.Sprintf("%-10s %8.0f %10v %10v %10v %12v %12v %10v %10.0f %7.2f× %10.0f %7.2f×", r.engine, r.certs, at(50), at(99), r.times[len(r.times)-1].Round(100*time.Microsecond),
		r.cpu.Round(10*time.Microsecond), r.own.Round(10*time.Microsecond), r.database.Round(10*time.Microsecond), r.commits, r.certs/r.commits, r.signs, r.certs/r.signs)
}

func engineRun(ctx context.Context, dir, binary, engine string, clients int, each time.Duration) (r *result, err error) {
	if err := os.Mkdir(dir, 0o700); err != nil {
		return nil, err
	}
	database, server := filepath.Join(dir, "assay.db"), 0
	if engine == "postgres" {
		pg, err := pgtest.Start()
		if err != nil {
			return nil, err
		}
		defer func() { err = errors.Join(err, pg.Remove()) }()
		if database, err = pg.Make(ctx); err != nil {
			return nil, err
		}
		server = pg.Pid()
	}
	z, err := newZones(dir)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, z.close()) }()
	orders, err := bodies(int(each.Seconds()*1000) + clients)
	if err != nil {
		return nil, err
	}
	p, err := start(binary, filepath.Join(dir, "data"), database, z.settings)
	if err != nil {
		return nil, err
	}
	r, err = issued(ctx, p, z, database, server, orders, clients, each)
	if err := errors.Join(err, p.stop()); err != nil {
		return nil, err
	}
	r.engine = engine
	r.commits, err = commits(ctx, database, clients, each/2)
	return r, err
}

// issued has orders made and waits for their certificates. server is the process of
// PostgreSQL, 0: there is none.
func issued(ctx context.Context, p *process, z *zones, database string, server int, orders []application, clients int, each time.Duration) (*result, error) {
	c, err := watch(database)
	if err != nil {
		return nil, err
	}
	defer c.close()
	// The top-level zone, the connections and the caches of the database are known then.
	if _, err := load(ctx, p, z, c, orders[:clients], clients, time.Hour); err != nil {
		return nil, err
	}
	before, _, err := measure.Process(p.command.Process.Pid)
	if err != nil {
		return nil, err
	}
	stored, err := measure.Family(server)
	if err != nil {
		return nil, err
	}
	own, began := measure.CPUTime(), time.Now()
	r := &result{}
	if r.times, err = load(ctx, p, z, c, orders[clients:], clients, each); err != nil {
		return nil, err
	}
	if len(r.times) == 0 {
		return nil, errors.New("no certificate was issued")
	}
	n := time.Duration(len(r.times))
	r.certs = float64(n) / time.Since(began).Seconds()
	r.own = (measure.CPUTime() - own) / n
	after, _, err := measure.Process(p.command.Process.Pid)
	if err != nil {
		return nil, err
	}
	r.cpu = (after - before) / n
	end, err := measure.Family(server)
	r.database = (end - stored) / n
	return r, err
}
