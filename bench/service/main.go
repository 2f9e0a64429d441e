// Command service measures the order service from outside: POST /orders over
// loopback HTTP with 32 clients, each order with a fresh P-256 request and a
// whole static review, beside the rate of bare commits on the same engine; the
// time from start to ready; the memory of a service that does nothing. With -orders
// all of that among as many orders.
//
//	go run ./bench/service                    SQLite, and a PostgreSQL that it starts
//	go run ./bench/service -for 20s           longer
//	go run ./bench/service -binary ./before   another build of assay, to compare with
//	go run ./bench/service -engine sqlite -workers 1
//	go run ./bench/service -orders 1000000    fills first: start, memory and rate among a million orders
//
// Requests are signed before the clock starts. Clients, service and database
// share the machine: what the clients take of it stands beside what the service
// takes, and that of the database's own processes is in neither. Every order's first
// check is due at once, and gives way to the load for a second: with 64 checks at a time
// that many share the processors with it (there is no network to wait for, each ends as
// unknown at once), with one at a time most of them come after it.
//
// start→ready is from the start of the process to its line "ready …": of the first
// start on an empty database, or with -orders the median of five. Idle RSS is what
// that process has resident two seconds later: most of it are pages of the program's
// file. How many of those the kernel maps at once depends on how the file came into
// its cache, so it is read from the disk before, as after a start of the machine.
package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"errors"
	"flag"
	"fmt"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"assay/bench/measure"
	"assay/internal/store"
	"assay/internal/store/pgtest"
	"assay/internal/store/postgres"
	"assay/internal/store/sqlite"
)

func main() {
	each := flag.Duration("for", 5*time.Second, "how long each measurement takes")
	clients := flag.Int("clients", 32, "how many clients")
	binary := flag.String("binary", "", "a build of assay; left out: one is built")
	engine := flag.String("engine", "", "only this one: sqlite or postgres")
	workers := flag.Int("workers", 0, "only with this many checks at a time")
	orders := flag.Int("orders", 0, "how many orders there are before")
	flag.Parse()
	log.SetFlags(0)
	if err := run(*each, *clients, *binary, *engine, *workers, *orders); err != nil {
		log.Fatal("service: ", err)
	}
}

func run(each time.Duration, clients int, binary, only string, onlyWorkers, before int) (err error) {
	dir, err := os.MkdirTemp("", "assay-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if binary == "" {
		binary = filepath.Join(dir, "assay")
		if err := measure.Build(binary); err != nil {
			return err
		}
		if err := settled(binary); err != nil {
			return err
		}
	}
	orders, err := bodies(int(each.Seconds()*2500), clients)
	if err != nil {
		return err
	}
	pg, err := pgtest.Start()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, pg.Remove()) }()
	fmt.Printf("%-10s %7s %9s %13s %9s %10s %10s %10s %12s %10s\n", "engine", "checks", "orders/s", "CPU an order", "client's", "commits/s", "p50", "p99", "start→ready", "idle RSS")
	for _, engine := range []string{"sqlite", "postgres"} {
		for _, workers := range []int{1, 64} {
			if only != "" && only != engine || onlyWorkers != 0 && onlyWorkers != workers {
				continue
			}
			at := fmt.Sprint(engine, "-", workers)
			database := filepath.Join(dir, at+".db")
			if engine == "postgres" {
				if database, err = pg.Make(context.Background()); err != nil {
					return err
				}
			}
			s := subject{binary: binary, dir: filepath.Join(dir, at), engine: engine, database: database, workers: workers}
			r, err := s.measured(before, orders, clients, each)
			if err != nil {
				return err
			}
			fmt.Println(r)
		}
	}
	return nil
}

// settled has the kernel forget what it holds of a program that was just written, and
// read it as one that is run.
func settled(binary string) error {
	f, err := os.Open(binary)
	if err != nil {
		return err
	}
	if err := errors.Join(f.Sync(), unix.Fadvise(int(f.Fd()), 0, 0, unix.FADV_DONTNEED), f.Close()); err != nil {
		return err
	}
	return exec.Command(binary, "version").Run()
}

// bodies makes the requests' bodies before anything is measured.
func bodies(n, parallel int) ([][]byte, error) {
	all := make([][]byte, n)
	var next atomic.Int64
	var failed atomic.Pointer[error]
	var running sync.WaitGroup
	for range parallel {
		running.Go(func() {
			for {
				i := int(next.Add(1)) - 1
				if i >= n || failed.Load() != nil {
					return
				}
				var err error
				if all[i], err = body(fmt.Sprintf("shop-%d.orchard-%d.net", i, i)); err != nil {
					failed.Store(&err)
				}
			}
		})
	}
	running.Wait()
	if err := failed.Load(); err != nil {
		return nil, *err
	}
	return all, nil
}

func body(name string) ([]byte, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{Subject: pkix.Name{CommonName: name}, DNSNames: []string{name}}, key)
	if err != nil {
		return nil, err
	}
	return json.Marshal(map[string]any{"order": map[string]any{
		"names": []string{name}, "method": "dns", "csr": string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der})),
	}})
}

// A result is one row.
type result struct {
	engine          string
	workers         int
	orders, commits float64
	p50, p99, start time.Duration
	cpu, client     time.Duration // of the service and of the clients, an order
	idle            uint64
	refused         int64
}

func (r result) String() string {
	s := fmt.Sprintf("%-10s %7d %9.0f %13v %9v %10.0f %10v %10v %12v %7.1f MB", r.engine, r.workers, r.orders,
		r.cpu.Round(10*time.Microsecond), r.client.Round(10*time.Microsecond), r.commits,
		r.p50.Round(10*time.Microsecond), r.p99.Round(10*time.Microsecond), r.start.Round(time.Millisecond), float64(r.idle)/1e6)
	if r.refused > 0 {
		s += fmt.Sprintf("  (%d not 201)", r.refused)
	}
	return s
}

// starts is how often a service is started on orders that are there.
const starts = 5

func (s *subject) measured(before int, orders [][]byte, clients int, each time.Duration) (r result, err error) {
	p, err := s.start()
	if err != nil {
		return r, err
	}
	r.start = p.took
	if before > 0 {
		if p, r.start, err = s.among(p, before); err != nil {
			return r, err
		}
	}
	time.Sleep(2 * time.Second) // until what happens once at the start is over
	if r.idle, err = resident(p.command.Process.Pid); err != nil {
		return r, err
	}
	began, _, err := measure.Process(p.command.Process.Pid)
	if err != nil {
		return r, err
	}
	own := measure.CPUTime()
	rate, times, refused, err := load(p, orders, clients, each)
	if err != nil {
		return r, err
	}
	after, _, err := measure.Process(p.command.Process.Pid)
	if err != nil {
		return r, err
	}
	ownAfter := measure.CPUTime()
	n := time.Duration(len(times))
	r.cpu, r.client = (after-began)/n, (ownAfter-own)/n
	r.orders, r.refused = rate, refused
	slices.Sort(times)
	r.p50, r.p99 = times[len(times)/2], times[len(times)*99/100]
	if err := p.stop(); err != nil {
		return r, err
	}
	db, err := open(s.database)
	if err != nil {
		return r, err
	}
	defer db.Close()
	r.engine, r.workers = db.Engine(), s.workers
	r.commits, err = commits(db, clients, each)
	return r, err
}

// among stops a service, makes orders, and starts it again on them: what runs in the
// end, and the median of how long a start took.
func (s *subject) among(p *process, orders int) (*process, time.Duration, error) {
	if err := p.stop(); err != nil {
		return nil, 0, err
	}
	if err := filled(context.Background(), s.engine, s.database, orders, time.Now()); err != nil {
		return nil, 0, err
	}
	took := make([]time.Duration, starts)
	for i := range took {
		if i > 0 {
			if err := p.stop(); err != nil {
				return nil, 0, err
			}
		}
		var err error
		if p, err = s.start(); err != nil {
			return nil, 0, err
		}
		took[i] = p.took
	}
	slices.Sort(took)
	return p, took[starts/2], nil
}

func open(database string) (store.Store, error) {
	if strings.HasPrefix(database, "postgres") {
		return postgres.Open(context.Background(), database)
	}
	return sqlite.Open(context.Background(), database)
}

// commits is how many units a second the engine takes that write one row each:
// what is left of an order without review, HTTP and its other rows.
func commits(db store.Store, clients int, each time.Duration) (float64, error) {
	var done atomic.Int64
	var failed atomic.Pointer[error]
	var running sync.WaitGroup
	began := time.Now()
	for i := range clients {
		running.Go(func() {
			for time.Since(began) < each && failed.Load() == nil {
				err := db.Write(context.Background(), func(tx store.Tx) error {
					return tx.PutSecret(fmt.Sprint("bench-", i), []byte("x"), began)
				})
				if err != nil {
					failed.Store(&err)
					return
				}
				done.Add(1)
			}
		})
	}
	running.Wait()
	if err := failed.Load(); err != nil {
		return 0, *err
	}
	return float64(done.Load()) / time.Since(began).Seconds(), nil
}
