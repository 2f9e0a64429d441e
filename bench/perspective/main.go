// Command perspective measures remote perspectives as they run: a laboratory and
// five agents as processes of the built binary, and this process as coordinator.
//
//	go run ./bench/perspective -rate 60 -for 10s
//
// It prints what an agent adds to a look from here; then how whole reviews from
// here and all agents go at a rate: faults (there must be none), times, processor
// time and memory. It fails where a review was at fault.
package main

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/miekg/dns"

	"assay"
	"assay/bench/measure"
	"assay/cause"
	"assay/data"
	"assay/evidence"
	"assay/internal/config"
	"assay/lab"
	"assay/order"
	"assay/perspective"
	"assay/perspective/wire"
	"assay/probe"
	"assay/probe/resolver"
	"assay/profile"
)

func main() {
	rate := flag.Int("rate", 60, "reviews a second")
	lasting := flag.Duration("for", 10*time.Second, "how long")
	agents := flag.Int("agents", 5, "agents")
	flag.Parse()
	if err := run(*agents, *rate, *lasting); err != nil {
		fmt.Fprintln(os.Stderr, "perspective:", err)
		os.Exit(1)
	}
}

func run(agents, rate int, lasting time.Duration) error {
	dir, err := os.MkdirTemp("", "assay-bench")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	binary := filepath.Join(dir, "assay")
	if err := measure.Build(binary); err != nil {
		return err
	}
	world, settings, err := laboratory(dir)
	if err != nil {
		return err
	}
	defer world.Close()
	file := filepath.Join(dir, "perspectives.toml")
	var running []*process
	defer func() {
		for _, p := range running {
			p.stop()
		}
	}()
	for i := range agents {
		p, err := join(binary, dir, settings, file, i+1)
		if err != nil {
			return err
		}
		running = append(running, p)
	}
	places, err := perspective.Load(file, perspective.Options{})
	if err != nil {
		return err
	}
	defer func() {
		for _, r := range places {
			r.Close()
		}
	}()
	perspective.Test(context.Background(), places...)
	for _, r := range places {
		if h := r.Health(); h.Fault != nil {
			return h.Fault
		}
	}
	local, err := localPlace(settings)
	if err != nil {
		return err
	}
	if err := overhead(local, places[0]); err != nil {
		return err
	}
	return load(local, places, running, rate, lasting)
}

// domains is how many domains are reviewed in turn: an agent sends so many
// packets a second on behalf of one and no more.
const domains = 60

// laboratory runs a world with the domains, and writes how to look at it.
func laboratory(dir string) (*lab.World, string, error) {
	c := lab.Change{Zones: map[string]lab.ZoneChange{}}
	for i := range domains {
		c.Zones[domain(i)] = lab.ZoneChange{Servers: lab.Strings{"ns1", "ns2"}, ZoneCopy: lab.ZoneCopy{
			Add: lab.Strings{"_dnsauth TXT $VALUE", "@ A " + lab.AddressWeb1, "www A " + lab.AddressWeb1},
		}}
	}
	w, err := lab.New(c, lab.Options{Clock: time.Now})
	if err != nil {
		return nil, "", err
	}
	if err := w.Start(); err != nil {
		return nil, "", err
	}
	p := w.Probe(0)
	settings, err := p.WriteSettings(dir)
	return w, settings, err
}

func domain(i int) string { return fmt.Sprintf("orchard%d.net", i%domains) }

// join starts agent n in the laboratory and joins it.
func join(binary, dir, settings, file string, n int) (*process, error) {
	id := fmt.Sprintf("P%d", n)
	p, line, err := start(binary, []string{
		"perspective", "serve", "--id", id, "--region", perspective.Regions()[(n-1)%5], "--listen", "127.0.0.1:0",
		"--state", filepath.Join(dir, id), "--config", settings, "--source-address", fmt.Sprintf("127.0.0.%d", 10+n),
	}, "assay perspective join assay1")
	if err != nil {
		return nil, err
	}
	code, err := wire.ParseCode(strings.TrimPrefix(line, "assay perspective join "))
	if err != nil {
		return p, err
	}
	r, err := perspective.Join(context.Background(), code, file, perspective.JoinOptions{})
	if err != nil {
		return p, err
	}
	r.Close()
	return p, nil
}

// questions are the first round of a review of a DNS order.
func questions(id string) []evidence.Question {
	var list []evidence.Question
	for _, q := range []evidence.DNSQuestion{
		{Name: "_dnsauth.orchard.net", Type: "TXT", Each: true},
		{Name: "orchard.net", Type: "CAA", Each: true},
		{Name: "orchard.net", Type: "SOA", Apex: true, Each: true},
	} {
		list = append(list, evidence.Question{Kind: evidence.KindDNS, Perspective: id, DNS: &q})
	}
	return list
}

// overhead compares a look from this process with one through an agent, in turn.
func overhead(local *perspective.Local, remote *perspective.Remote) error {
	var times [2][]time.Duration
	for range 60 {
		for i, place := range []perspective.Place{local, remote} {
			began := time.Now()
			if _, fault := look(place); fault != "" {
				return errors.New(fault)
			}
			times[i] = append(times[i], time.Since(began))
		}
		time.Sleep(30 * time.Millisecond) // stays below what may be asked of one target
	}
	here, there := median(times[0]), median(times[1])
	fmt.Printf("a look of 3 questions, 60 in turn: from here %v, through an agent %v: %v more (round trip to it %v)\n",
		round(here), round(there), round(there-here), round(remote.Health().RTT))
	return nil
}

func look(place perspective.Place) (limited bool, fault string) {
	l := place.Begin()
	defer l.Close()
	for _, o := range l.Answer(perspective.WithOrder(context.Background(), "sha256:bench"), questions(place.About().ID)) {
		if o.Unknown != "" {
			return false, o.Unknown
		}
		for _, link := range o.DNS.Links {
			for _, c := range link.Copies {
				limited = limited || c.Unknown == "budget"
			}
		}
		if o.DNS.Status == "unanswered" && !limited {
			return false, "unanswered"
		}
	}
	return limited, ""
}

func localPlace(settings string) (*perspective.Local, error) {
	raw, err := os.ReadFile(settings)
	if err != nil {
		return nil, err
	}
	c, err := config.Parse(raw, settings)
	if err != nil {
		return nil, err
	}
	n, err := c.Network(data.Embedded(), time.Now())
	if err != nil {
		return nil, err
	}
	r := resolver.Config{Dialer: n.Dialer, Try: n.Timeout}
	for _, s := range n.Hints {
		r.Roots = append(r.Roots, resolver.Root{Name: s.Name, Addresses: s.Addresses})
	}
	for _, a := range n.Anchors {
		rr, err := dns.NewRR(a.DS())
		if err != nil {
			return nil, err
		}
		r.Anchors = append(r.Anchors, rr)
	}
	p, err := probe.New(probe.Config{Perspective: "P0", DNS: r, Network: n.Options})
	if err != nil {
		return nil, err
	}
	return perspective.NewLocal(p), nil
}

// load reviews orders from here and from every agent, so many a second: TXT and
// CAA, or the file over both schemes, in turn.
func load(local *perspective.Local, agents []*perspective.Remote, running []*process, rate int, lasting time.Duration) error {
	places := []perspective.Place{local}
	for _, a := range agents {
		places = append(places, a)
	}
	p, err := profile.Named("private")
	if err != nil {
		return err
	}
	r := &assay.Reviewer{Profile: p, Lang: "-", Places: places}
	var lock sync.Mutex
	var times []time.Duration
	faults := map[string]int{}
	var all sync.WaitGroup
	tick := time.NewTicker(time.Second / time.Duration(rate))
	defer tick.Stop()
	began := time.Now()
	cpu := processorTime()
	for i := range int(lasting.Seconds() * float64(rate)) {
		<-tick.C
		method := order.MethodDNS
		if i%2 == 1 {
			method = order.MethodFile
		}
		all.Go(func() {
			start := time.Now()
			fault := review(r, domain(i/2), method)
			took := time.Since(start)
			lock.Lock()
			defer lock.Unlock()
			times = append(times, took)
			if fault != "" {
				faults[fault]++
			}
		})
	}
	all.Wait()
	elapsed, cpu := time.Since(began), processorTime()-cpu
	slices.Sort(times)
	n := len(times)
	fmt.Printf("%d reviews/s from here and %d agents for %v: %d reviews (%.0f/s), %d at fault %v\n",
		rate, len(agents), round(elapsed), n, float64(n)/elapsed.Seconds(), sum(faults), faults)
	fmt.Printf("  time of a review: median %v, 99%% %v, most %v\n", round(times[n/2]), round(times[n*99/100]), round(times[n-1]))
	fmt.Printf("  coordinator and laboratory: %v of processor a review\n", round(cpu/time.Duration(n)))
	for _, p := range running {
		p.stop()
		u := p.cmd.ProcessState.SysUsage().(*syscall.Rusage)
		fmt.Printf("  agent: %v of processor a review, %d MB at most\n",
			round((p.cmd.ProcessState.UserTime()+p.cmd.ProcessState.SystemTime())/time.Duration(n)), u.Maxrss>>10)
	}
	if sum(faults) > 0 {
		return fmt.Errorf("%d reviews at fault", sum(faults))
	}
	return nil
}

// review reviews one order; fault is what is not as it has to be in a healthy
// world: a place that is away above all.
func review(r *assay.Reviewer, name string, method order.Method) (fault string) {
	file := order.File{
		Order:  order.Order{Product: order.DV, Names: []string{name}, Method: method},
		Expect: map[string]order.Expectation{name: {Value: lab.Value}},
	}
	report, err := r.Review(context.Background(), file.Resolve())
	if err != nil {
		return err.Error()
	}
	for _, f := range report.Findings {
		if f.Stage == "perspective" && f.Cause != cause.PerspectiveSetNotConformant {
			return fmt.Sprintf("%s %v", f.Cause, f.Parameters["error"])
		}
	}
	if report.Verdict != "pass" {
		return string(report.Verdict)
	}
	return ""
}

func sum(m map[string]int) (n int) {
	for _, v := range m {
		n += v
	}
	return n
}

func median(list []time.Duration) time.Duration {
	slices.Sort(list)
	return list[len(list)/2]
}

func round(d time.Duration) time.Duration { return d.Round(10 * time.Microsecond) }

func processorTime() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// A process of the binary.
type process struct{ cmd *exec.Cmd }

// start starts the binary and waits for the line that holds a text.
func start(binary string, args []string, until string) (*process, string, error) {
	cmd := exec.Command(binary, args...)
	cmd.Stderr = os.Stderr
	cmd.Env = append(os.Environ(), "LANG=C.UTF-8")
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, "", err
	}
	if err := cmd.Start(); err != nil {
		return nil, "", err
	}
	p := &process{cmd}
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if strings.Contains(lines.Text(), until) {
			go func() {
				for lines.Scan() {
				}
			}()
			return p, lines.Text(), nil
		}
	}
	p.stop()
	return nil, "", fmt.Errorf("%v does not say %q", args, until)
}

// stop ends the process; more than once is once.
func (p *process) stop() {
	if p.cmd.ProcessState == nil {
		_ = p.cmd.Process.Signal(syscall.SIGTERM)
		_ = p.cmd.Wait()
	}
}
