// Command unbound compares cold lookups of our resolver with unbound's: names in
// signed zones, each zone looked at for the first time, the root and the
// top-level zone known to both. Both resolve the same world of the laboratory on
// port 53 of real loopback addresses, in turn, for the same number of clients.
//
//	go run ./bench/unbound                 needs unbound and port 53 of 127.210.x.y
//	go run ./bench/unbound -zones 500      fewer zones a round
//
// What each does for a lookup: unbound asks one server for the delegation, one
// for the record and one for the keys, validates, and gives the record to a
// client over UDP on loopback; with one thread and with one for each processor.
// Our resolver does the same in a look of its own, for callers in this process;
// in its second row it asks every server of the zone besides, which unbound
// never does. The laboratory is a third process, and takes as much of the
// processors as either: what a lookup costs the resolver itself is its CPU time.
package main

import (
	"bufio"
	"context"
	"flag"
	"fmt"
	"io"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/miekg/dns"

	"assay/evidence"
	"assay/lab"
	"assay/lab/trial"
	"assay/probe/resolver"
)

const (
	block   = 210 // of the loopback addresses
	port    = 5310
	clients = 32
)

func main() {
	zones := flag.Int("zones", 1500, "zones looked up in a round, each once")
	rounds := flag.Int("rounds", 5, "rounds, of which the median counts")
	only := flag.Bool("serve", false, "only serve the world, until standard input ends")
	flag.Parse()
	log.SetFlags(0)
	act := run
	if *only {
		act = serve
	}
	if err := act(*zones, *rounds); err != nil {
		log.Fatal(err)
	}
}

// serve runs the world; the process that compares starts it.
func serve(zones, _ int) error {
	w, err := world(zones)
	if err != nil {
		return err
	}
	if err := w.Start(); err != nil {
		return err
	}
	fmt.Println("serving")
	_, _ = io.Copy(io.Discard, os.Stdin)
	return w.Close()
}

// served starts a process that serves the world. The world returned is the same
// on paper: names and keys come out alike.
func served(zones int) (*lab.World, func(), error) {
	w, err := world(zones)
	if err != nil {
		return nil, nil, err
	}
	cmd := exec.Command(os.Args[0], "-serve", "-zones", strconv.Itoa(zones))
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, nil, err
	}
	end := func() {
		_ = in.Close()
		_ = cmd.Wait()
	}
	if _, err := bufio.NewReader(out).ReadString('\n'); err != nil {
		end()
		return nil, nil, fmt.Errorf("the world does not start: %w", err)
	}
	return w, end, nil
}

// A side is a resolver that is compared.
type side struct {
	name string
	// begin starts a resolver that knows the root and net; end stops it and
	// returns the CPU time that it took since.
	begin func() (lookup func(zone int) error, end func() time.Duration, err error)
	rates []float64 // lookups a second, by round
	costs []float64 // CPU time of a lookup in microseconds, by round
}

func run(zones, rounds int) error {
	w, end, err := served(zones)
	if err != nil {
		return err
	}
	defer end()
	fmt.Printf("%d signed zones (P-256, NSEC) on two servers each, %d clients, %d rounds, %d processors\n", zones, clients, rounds, runtime.NumCPU())
	sides := []*side{
		{name: "unbound, one thread", begin: func() (func(int) error, func() time.Duration, error) { return unbound(w, 1) }},
		{name: "ours", begin: func() (func(int) error, func() time.Duration, error) { return ours(w, false) }},
		{name: "unbound, thread per processor", begin: func() (func(int) error, func() time.Duration, error) { return unbound(w, runtime.NumCPU()) }},
		{name: "ours, every server asked", begin: func() (func(int) error, func() time.Duration, error) { return ours(w, true) }},
	}
	// Signatures are made when first asked for: once over all, which does not count.
	if err := sides[3].measure(zones); err != nil {
		return err
	}
	sides[3].rates, sides[3].costs = nil, nil
	for range rounds {
		for _, s := range sides {
			if err := s.measure(zones); err != nil {
				return fmt.Errorf("%s: %w", s.name, err)
			}
		}
	}
	fmt.Println("median of the rounds (least to greatest); lookups a second, CPU time of a lookup in the resolver in µs:")
	for _, s := range sides {
		fmt.Printf("  %-30s %-24s %s\n", s.name, spread(s.rates, "%.0f"), spread(s.costs, "%.0f"))
	}
	fmt.Println("ratios of lookups a second, and of CPU time of unbound to ours:")
	for _, pair := range [][2]int{{1, 0}, {1, 2}, {3, 0}, {3, 2}} {
		a, b := sides[pair[0]], sides[pair[1]]
		rates, costs := make([]float64, rounds), make([]float64, rounds)
		for i := range rates {
			rates[i], costs[i] = a.rates[i]/b.rates[i], b.costs[i]/a.costs[i]
		}
		fmt.Printf("  %-24s / %-30s %-24s %s\n", a.name, b.name, spread(rates, "%.2f"), spread(costs, "%.2f"))
	}
	return nil
}

// measure is one round of a side.
func (s *side) measure(zones int) error {
	lookup, end, err := s.begin()
	if err != nil {
		return err
	}
	rate, err := drive(zones, lookup)
	cpu := end()
	s.rates = append(s.rates, rate)
	s.costs = append(s.costs, float64(cpu.Microseconds())/float64(zones))
	return err
}

func spread(list []float64, format string) string {
	s := slices.Sorted(slices.Values(list))
	return fmt.Sprintf(format+" ("+format+" to "+format+")", s[len(s)/2], s[0], s[len(s)-1])
}

// world has the zones z0.net, z1.net, … on the servers of orchard.net.
func world(zones int) (*lab.World, error) {
	c := lab.Change{Zones: map[string]lab.ZoneChange{}, Places: lab.Strings{"P0"}}
	for i := range zones {
		c.Zones[fmt.Sprintf("z%d.net", i)] = lab.ZoneChange{
			Servers:  lab.Strings{"ns1.host.net", "ns2.host.net"},
			ZoneCopy: lab.ZoneCopy{Add: lab.Strings{"_dnsauth TXT $VALUE"}, Sign: &lab.Signing{}},
		}
	}
	return lab.New(c, lab.Options{Clock: time.Now, Loopback: block})
}

// drive looks up every zone once, from all clients, and returns how many a second.
func drive(zones int, lookup func(zone int) error) (float64, error) {
	var next atomic.Int64
	var failed atomic.Pointer[error]
	var all sync.WaitGroup
	began := time.Now()
	for range clients {
		all.Go(func() {
			for failed.Load() == nil {
				i := int(next.Add(1)) - 1
				if i >= zones {
					return
				}
				if err := lookup(i); err != nil {
					err = fmt.Errorf("z%d: %w", i, err)
					failed.Store(&err)
				}
			}
		})
	}
	all.Wait()
	if err := failed.Load(); err != nil {
		return 0, *err
	}
	return float64(zones) / time.Since(began).Seconds(), nil
}

// ours is a resolver of this project that knows the root and net.
func ours(w *lab.World, each bool) (lookup func(int) error, end func() time.Duration, err error) {
	config := trial.Config(w.Probe(0)).DNS
	config.PerServer, config.PerTarget = -1, -1
	config.Try, config.Tries, config.Question, config.Hedge = 5*time.Second, 3, time.Minute, 5*time.Second
	r, err := resolver.New(config)
	if err != nil {
		return nil, nil, err
	}
	ask := func(name, qtype string) error {
		l := r.Begin()
		defer l.Close()
		a, unknown := l.Answer(context.Background(), evidence.DNSQuestion{Name: name, Type: qtype, Each: each})
		if a == nil || a.Status != "NOERROR" || a.Security != "secure" {
			return fmt.Errorf("%s %+v", unknown, a)
		}
		return nil
	}
	if err := ask("net", "SOA"); err != nil {
		return nil, nil, err
	}
	before := cpuTime(syscall.RUSAGE_SELF)
	end = func() time.Duration {
		r.Close()
		return cpuTime(syscall.RUSAGE_SELF) - before
	}
	return func(i int) error { return ask("_dnsauth.z"+strconv.Itoa(i)+".net", "TXT") }, end, nil
}

func cpuTime(of int) time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(of, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// unbound is an unbound that knows the root and net.
func unbound(w *lab.World, threads int) (lookup func(int) error, end func() time.Duration, err error) {
	dir, err := os.MkdirTemp("", "unbound")
	if err != nil {
		return nil, nil, err
	}
	var hints strings.Builder
	for _, h := range w.Hints() {
		fmt.Fprintf(&hints, ". 86400 NS %s\n%s 86400 A %s\n", h.Name, h.Name, h.Addresses[0])
	}
	config := fmt.Sprintf(`server:
  directory: %q
  chroot: ""
  username: ""
  pidfile: ""
  use-syslog: no
  interface: 127.0.0.1@%d
  so-reuseport: yes
  num-threads: %d
  do-ip6: no
  do-not-query-localhost: no
  num-queries-per-thread: 4096
  outgoing-range: 8192
  module-config: "validator iterator"
  root-hints: "root.hints"
  trust-anchor: %q
remote-control:
  control-enable: no
`, dir, port, threads, strings.ReplaceAll(w.Anchors()[0].String(), "\t", " "))
	file := filepath.Join(dir, "unbound.conf")
	if err := errorsOf(os.WriteFile(filepath.Join(dir, "root.hints"), []byte(hints.String()), 0o600), os.WriteFile(file, []byte(config), 0o600)); err != nil {
		return nil, nil, err
	}
	cmd := exec.Command("unbound", "-d", "-c", file)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		return nil, nil, fmt.Errorf("unbound (Debian package unbound): %w", err)
	}
	end = func() time.Duration {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		_ = os.RemoveAll(dir)
		return cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime() // with those of its start
	}
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(20 * time.Millisecond) { // another process starts
		if err = askUnbound("net.", dns.TypeSOA); err == nil {
			return func(i int) error { return askUnbound("_dnsauth.z"+strconv.Itoa(i)+".net.", dns.TypeTXT) }, end, nil
		}
		if time.Now().After(deadline) {
			end()
			return nil, nil, err
		}
	}
}

func errorsOf(list ...error) error {
	for _, err := range list {
		if err != nil {
			return err
		}
	}
	return nil
}

// askUnbound asks as a stub resolver does, for a validated answer.
func askUnbound(name string, qtype uint16) error {
	q := new(dns.Msg)
	q.SetQuestion(name, qtype)
	q.SetEdns0(1232, true)
	m, _, err := (&dns.Client{Timeout: 20 * time.Second}).Exchange(q, fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		return err
	}
	if m.Rcode != dns.RcodeSuccess || !m.AuthenticatedData || len(m.Answer) == 0 {
		return fmt.Errorf("%s: %s", name, m)
	}
	return nil
}
