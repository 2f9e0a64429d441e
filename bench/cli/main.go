// Command cli measures the program as a whole process: start to exit of one
// check, and a batch of name-only orders with its time and peak memory at a
// tenth of the lines and at all of them.
//
//	go run ./bench/cli -lines 1000000
package main

import (
	"bufio"
	"bytes"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"assay/bench/measure"
)

func main() {
	lines := flag.Int("lines", 1_000_000, "orders in the batch; 0: only start to exit")
	flag.Parse()
	if err := run(*lines); err != nil {
		fmt.Fprintln(os.Stderr, "cli:", err)
		os.Exit(1)
	}
}

func run(lines int) error {
	dir, err := os.MkdirTemp("", "assay-bench")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	binary := filepath.Join(dir, "assay")
	if err := measure.Build(binary); err != nil {
		return err
	}
	if err := startup(binary, dir); err != nil {
		return err
	}
	if lines == 0 {
		return nil
	}
	for _, n := range []int{lines / 10, lines} {
		if err := batch(binary, dir, n); err != nil {
			return err
		}
	}
	return nil
}

// starts is how often each process of [startup] is run.
const starts = 100

// bare is the least that a Go program can be.
const bare = `package main

import "os"

func main() { os.Stdout.WriteString("PASS\n") }
`

// startup times one check from start to exit, as a shell would run it: started,
// waited for, its output read. Beside it, in turn, two floors: a Go program that
// prints one line, and a program that does nothing. The least of the runs is
// what the work costs; the median is what a person waits on this machine now.
func startup(binary, dir string) error {
	csr := filepath.Join(dir, "shop")
	if out, err := exec.Command(binary, "csr", "new", "shop.orchard.net", "www.shop.orchard.net", "--key", "p256", "--out", csr).CombinedOutput(); err != nil {
		return fmt.Errorf("csr new: %w\n%s", err, out)
	}
	source, hello := filepath.Join(dir, "hello.go"), filepath.Join(dir, "hello")
	if err := os.WriteFile(source, []byte(bare), 0o600); err != nil {
		return err
	}
	if out, err := exec.Command("go", "build", "-o", hello, source).CombinedOutput(); err != nil {
		return fmt.Errorf("build: %w\n%s", err, out)
	}
	processes := []*process{
		{name: "check --offline", argv: []string{binary, "check", "--offline", "shop.orchard.net", "www.shop.orchard.net", "--csr", csr + ".csr", "--product", "dv"}},
		{name: "a Go program that prints a line", argv: []string{hello}},
		{name: "a program that does nothing", argv: []string{"/bin/true"}},
	}
	for range starts {
		for _, p := range processes {
			if err := p.run(); err != nil {
				return err
			}
		}
	}
	fmt.Printf("start to exit, %d runs of each in turn\n", starts)
	fmt.Printf("%-32s  %8s  %8s  %8s  %8s  %11s  %s\n", "", "least", "median", "9 of 10", "CPU", "page faults", "median, times the Go program's")
	for _, p := range processes {
		p.print(processes[1])
	}
	return nil
}

// A process is one program run again and again.
type process struct {
	name   string
	argv   []string
	took   []time.Duration
	cpu    time.Duration
	faults int64
}

func (p *process) run() error {
	cmd := exec.Command(p.argv[0], p.argv[1:]...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	began := time.Now()
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%v: %w\n%s", p.argv, err, out.Bytes())
	}
	p.took = append(p.took, time.Since(began))
	p.cpu += cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	p.faults += cmd.ProcessState.SysUsage().(*syscall.Rusage).Minflt
	return nil
}

// print prints a row: nine of ten runs took no longer than the third figure.
func (p *process) print(floor *process) {
	slices.Sort(p.took)
	slices.Sort(floor.took)
	median := p.took[starts/2]
	round := func(d time.Duration) time.Duration { return d.Round(100 * time.Microsecond) }
	fmt.Printf("%-32s  %8v  %8v  %8v  %8v  %11d  %.1f×\n", p.name, round(p.took[0]), round(median), round(p.took[starts*9/10]),
		round(p.cpu/starts), p.faults/starts, float64(median)/float64(floor.took[starts/2]))
}

// batch times a batch as a process of its own. Its reports go to the null
// device: a reader on the other end of a pipe would take a share of the cores
// and be measured with it. The program says how many orders it judged; that
// each gets its line is what its tests hold.
func batch(binary, dir string, lines int) error {
	path := filepath.Join(dir, "orders.jsonl")
	if err := orders(path, lines); err != nil {
		return err
	}
	cmd := exec.Command(binary, "check", "--offline", "--batch", path, "--json")
	var summary bytes.Buffer
	cmd.Stderr = &summary
	began := time.Now()
	// A batch exits with the gravest verdict: that is not a failure here.
	if err := cmd.Run(); err != nil && cmd.ProcessState.ExitCode() > 4 {
		return fmt.Errorf("batch: %w\n%s", err, summary.Bytes())
	}
	took := time.Since(began)
	if !strings.Contains(summary.String(), fmt.Sprintf("%d orders judged", lines)) {
		return fmt.Errorf("not %d orders judged: %s", lines, summary.Bytes())
	}
	usage := cmd.ProcessState.SysUsage().(*syscall.Rusage)
	cpu := cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	fmt.Printf("batch of %d orders: %v, %.0f orders/s, %.1f µs of CPU an order, peak memory %d MB\n",
		lines, took.Round(10*time.Millisecond), float64(lines)/took.Seconds(), float64(cpu.Microseconds())/float64(lines), usage.Maxrss>>10)
	return nil
}

// orders writes name-only orders, a JSON object a line.
func orders(path string, lines int) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	w := bufio.NewWriterSize(f, 1<<20)
	for i := range lines {
		fmt.Fprintf(w, "{\"product\":\"dv\",\"names\":[\"shop-%d.orchard%d.net\"]}\n", i, i%1000)
	}
	return errors.Join(w.Flush(), f.Close())
}
