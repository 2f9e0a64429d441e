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
)

func main() {
	lines := flag.Int("lines", 1_000_000, "orders in the batch")
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
	if out, err := exec.Command("go", "build", "-o", binary, "./cmd/assay").CombinedOutput(); err != nil {
		return fmt.Errorf("build: %w\n%s", err, out)
	}
	if err := startup(binary, dir); err != nil {
		return err
	}
	for _, n := range []int{lines / 10, lines} {
		if err := batch(binary, dir, n); err != nil {
			return err
		}
	}
	return nil
}

// startup times one check from start to exit, and beside it a process that
// does nothing, which is the floor.
func startup(binary, dir string) error {
	csr := filepath.Join(dir, "shop")
	if out, err := exec.Command(binary, "csr", "new", "shop.orchard.net", "--key", "p256", "--out", csr).CombinedOutput(); err != nil {
		return fmt.Errorf("csr new: %w\n%s", err, out)
	}
	check := []string{binary, "check", "--offline", "shop.orchard.net", "--csr", csr + ".csr"}
	floor := []string{"/bin/true"}
	var a, b []time.Duration
	for range 40 {
		for list, argv := range map[*[]time.Duration][]string{&a: check, &b: floor} {
			began := time.Now()
			if err := exec.Command(argv[0], argv[1:]...).Run(); err != nil {
				return fmt.Errorf("%v: %w", argv, err)
			}
			*list = append(*list, time.Since(began))
		}
	}
	slices.Sort(a)
	slices.Sort(b)
	fmt.Printf("start to exit, 40 runs: check --offline median %v (max %v); a process that does nothing %v; ratio %.1f×\n",
		a[20].Round(100*time.Microsecond), a[39].Round(100*time.Microsecond), b[20].Round(100*time.Microsecond), float64(a[20])/float64(b[20]))
	return nil
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
