// Command perspective measures remote perspectives as they run: a laboratory and
// five agents as processes of the built binary, and this process as coordinator.
//
//	go run ./bench/perspective -rate 60 -for 10s
//
// It prints what an agent adds to a look from here; then how five agents answer
// at a rate of reviews: looks, faults (there must be none), times, processor
// time and memory. It fails where a look was at fault.
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

	"assay/data"
	"assay/evidence"
	"assay/internal/config"
	"assay/perspective"
	"assay/perspective/wire"
	"assay/probe"
	"assay/probe/resolver"
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
	if out, err := exec.Command("go", "build", "-o", binary, "./cmd/assay").CombinedOutput(); err != nil {
		return fmt.Errorf("build: %w\n%s", err, out)
	}
	world := filepath.Join(dir, "world")
	lab, _, err := start(binary, []string{"lab", "serve", "--dir", world}, "assay check")
	if err != nil {
		return err
	}
	defer lab.stop()
	settings := filepath.Join(world, "assay.toml")
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
	if err := overhead(settings, places[0]); err != nil {
		return err
	}
	return load(places, running, rate, lasting)
}

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
func overhead(settings string, remote *perspective.Remote) error {
	local, err := localPlace(settings)
	if err != nil {
		return err
	}
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

// load asks every agent for each review, so many reviews a second.
func load(places []*perspective.Remote, running []*process, rate int, lasting time.Duration) error {
	var lock sync.Mutex
	var times []time.Duration
	faults := map[string]int{}
	limited := 0
	var all sync.WaitGroup
	tick := time.NewTicker(time.Second / time.Duration(rate))
	defer tick.Stop()
	began := time.Now()
	cpu := processorTime()
	for range int(lasting.Seconds() * float64(rate)) {
		<-tick.C
		for _, place := range places {
			all.Go(func() {
				start := time.Now()
				cut, fault := look(place)
				took := time.Since(start)
				lock.Lock()
				defer lock.Unlock()
				times = append(times, took)
				if fault != "" {
					faults[fault]++
				}
				if cut {
					limited++
				}
			})
		}
	}
	all.Wait()
	elapsed, cpu := time.Since(began), processorTime()-cpu
	slices.Sort(times)
	n := len(times)
	fmt.Printf("%d reviews/s with %d agents for %v: %d looks (%.0f/s), %d at fault %v\n",
		rate, len(places), round(elapsed), n, float64(n)/elapsed.Seconds(), sum(faults), faults)
	fmt.Printf("  time of a look: median %v, 99%% %v, most %v; %d looks met the agents' own bound on packets to one target\n",
		round(times[n/2]), round(times[n*99/100]), round(times[n-1]), limited)
	fmt.Printf("  coordinator: %v of processor a look\n", round(cpu/time.Duration(n)))
	for _, p := range running {
		p.stop()
		u := p.cmd.ProcessState.SysUsage().(*syscall.Rusage)
		fmt.Printf("  agent: %v of processor a look, %d MB at most\n",
			round((p.cmd.ProcessState.UserTime()+p.cmd.ProcessState.SystemTime())/time.Duration(n/len(places))), u.Maxrss>>10)
	}
	if sum(faults) > 0 {
		return fmt.Errorf("%d looks at fault", sum(faults))
	}
	return nil
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
