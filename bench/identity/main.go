// Command identity measures what an OV order costs whose organization and
// administrator were approved before: it needs no person. The service is a
// program of its own on SQLite, and looks at a laboratory on loopback.
//
//	go run ./bench/identity                   20 orders, and as many DV orders
//	go run ./bench/identity -orders 200       more: each is compared with those
//	                                          before it for the same domain
//
// One order is taken to ready by people first: dossiers, claims, letter, call, and
// the value published. Then orders of the same account for the same name follow one
// after the other, each with a key of its own; the name was validated by the first.
// Measured of each: the time until POST /orders answers, which is the whole static
// review with the claims, calls, letters and people read and opened; the time until
// the order is ready, which waits for the laboratory, too; and the processor time of
// the service for both, with what the client asks meanwhile. Requests are signed
// before the clock starts. Client, service and laboratory share the machine.
package main

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"

	"assay/bench/measure"
	"assay/internal/client"
	"assay/lab"
	"assay/order"
)

const name = "orchard.net"

func main() {
	orders := flag.Int("orders", 20, "how many orders of each product")
	flag.Parse()
	log.SetFlags(0)
	if err := run(context.Background(), *orders); err != nil {
		log.Fatal("identity: ", err)
	}
}

func run(ctx context.Context, n int) error {
	dir, err := os.MkdirTemp("", "assay-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	binary := filepath.Join(dir, "assay")
	if err := measure.Build(binary); err != nil {
		return err
	}
	fmt.Printf("%-28s %7s %10s %10s %12s %12s %14s\n", "orders", "ready", "POST p50", "POST p99", "ready p50", "ready p99", "CPU an order")
	for _, product := range []order.Product{order.OV, order.DV} {
		// A house each: an order is compared with those for its domain before it.
		h := &house{binary: binary, dir: filepath.Join(dir, string(product)), people: map[string]*client.Client{}}
		r, err := h.run(ctx, product, n)
		if err := errors.Join(err, h.stop()); err != nil {
			return err
		}
		fmt.Println(r)
	}
	return nil
}

func (h *house) run(ctx context.Context, product order.Product, n int) (*result, error) {
	if err := os.Mkdir(h.dir, 0o700); err != nil {
		return nil, err
	}
	if err := h.look(ctx, ""); err != nil {
		return nil, err
	}
	organization, contact, err := h.file(ctx)
	if err != nil {
		return nil, err
	}
	of := order.Order{Product: product}
	if product == order.OV {
		of.Organization, of.Contacts = &order.Organization{ProfileID: organization}, &order.Contacts{AdministratorID: contact}
	}
	return h.measure(ctx, of, n)
}

// A house is a service that runs, and the world that it looks at.
type house struct {
	binary, dir string
	world       *lab.World
	process     *exec.Cmd
	url, token  string
	tokens      map[string]string // of people, by name
	people      map[string]*client.Client
}

func (h *house) stop() (err error) {
	if h.process != nil {
		err = errors.Join(h.process.Process.Signal(syscall.SIGTERM), h.process.Wait())
		h.process = nil
	}
	if h.world != nil {
		err = errors.Join(err, h.world.Close())
		h.world = nil
	}
	return err
}

// look starts the service on a world in which a value is published.
func (h *house) look(ctx context.Context, value string) error {
	if err := h.stop(); err != nil {
		return err
	}
	w, err := lab.New(lab.Change{Places: lab.Strings{"P0"}}, lab.Options{Value: value})
	if err != nil {
		return err
	}
	if err := w.Start(); err != nil {
		return err
	}
	h.world = w
	probe := w.Probe(0)
	config, err := probe.WriteSettings(h.dir)
	if err != nil {
		return err
	}
	profile := filepath.Join(h.dir, "quick.toml")
	if err := os.WriteFile(profile, []byte("name = \"quick\"\ntitle = \"Quick\"\nversion = \"1\"\ninherits = \"cloud\"\n\n[limits]\nmanual_check_minutes = 0\n"), 0o600); err != nil {
		return err
	}
	c := exec.CommandContext(ctx, h.binary, "serve", "--data", filepath.Join(h.dir, "data"), "--listen", "127.0.0.1:0", "--rate", "-1", "--profile", profile)
	c.Env = append(os.Environ(), "ASSAY_CONFIG="+config, "LANG=C.UTF-8")
	pipe, err := c.StdoutPipe()
	if err != nil {
		return err
	}
	if err := c.Start(); err != nil {
		return err
	}
	h.process, h.url = c, ""
	for out := bufio.NewReader(pipe); h.url == "" || h.token == ""; {
		line, err := out.ReadString('\n')
		if err != nil {
			return fmt.Errorf("the service did not start: %w", err)
		}
		line = strings.TrimSpace(line)
		if at, ok := strings.CutPrefix(line, "ready "); ok {
			h.url = at
		}
		if strings.HasPrefix(line, "assay_") {
			h.token = line
		}
	}
	go func() { _, _ = io.Copy(io.Discard, pipe) }()
	return h.enter(ctx)
}
