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
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
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

func batch(binary, dir string, lines int) error {
	path := filepath.Join(dir, "orders.jsonl")
	if err := orders(path, lines); err != nil {
		return err
	}
	cmd := exec.Command(binary, "check", "--offline", "--batch", path, "--json")
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	began := time.Now()
	if err := cmd.Start(); err != nil {
		return err
	}
	size, reports, err := count(out)
	if err != nil {
		return err
	}
	// A batch exits with the gravest verdict: that is not a failure here.
	if err := cmd.Wait(); err != nil && cmd.ProcessState.ExitCode() > 4 {
		return fmt.Errorf("batch: %w", err)
	}
	took := time.Since(began)
	if reports != lines {
		return fmt.Errorf("%d reports for %d lines", reports, lines)
	}
	usage := cmd.ProcessState.SysUsage().(*syscall.Rusage)
	cpu := cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	fmt.Printf("batch of %d orders: %v, %.0f orders/s, %.1f µs of CPU an order, %d MB of reports, peak memory %d MB\n",
		lines, took.Round(10*time.Millisecond), float64(lines)/took.Seconds(), float64(cpu.Microseconds())/float64(lines), size>>20, usage.Maxrss>>10)
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

// count reads everything and counts bytes and lines.
func count(r io.Reader) (size int64, lines int, err error) {
	buffer := make([]byte, 1<<20)
	for {
		n, err := r.Read(buffer)
		size += int64(n)
		lines += bytes.Count(buffer[:n], []byte{'\n'})
		if err == io.EOF {
			return size, lines, nil
		}
		if err != nil {
			return size, lines, err
		}
	}
}
