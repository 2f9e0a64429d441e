package main

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// A process is a service that runs.
type process struct {
	command *exec.Cmd
	url     string
	token   string
	took    time.Duration
	out     *bufio.Reader
}

// A subject is what is measured.
type subject struct {
	binary, dir      string
	engine, database string
	workers          int
	token            string // of the first start
}

// start starts the service and waits until it is ready; the first time also for the
// token that it shows then.
func (s *subject) start() (*process, error) {
	c := exec.Command(s.binary, "serve", "--data", s.dir, "--database", s.database, "--listen", "127.0.0.1:0", "--rate", "-1",
		"--workers", fmt.Sprint(s.workers), "--log", "json")
	c.Env = append(os.Environ(), "LANG=C.UTF-8")
	pipe, err := c.StdoutPipe()
	if err != nil {
		return nil, err
	}
	p := &process{command: c, out: bufio.NewReader(pipe)}
	began := time.Now()
	if err := c.Start(); err != nil {
		return nil, err
	}
	for p.url == "" || s.token == "" {
		line, err := p.out.ReadString('\n')
		if err != nil {
			return nil, fmt.Errorf("the service did not start: %w", err)
		}
		line = strings.TrimSpace(line)
		if at, ok := strings.CutPrefix(line, "ready "); ok {
			p.url, p.took = at, time.Since(began)
		}
		if strings.HasPrefix(line, "assay_") {
			s.token = line
		}
	}
	p.token = s.token
	go func() { _, _ = io.Copy(io.Discard, p.out) }()
	return p, nil
}

func (p *process) stop() error {
	if err := p.command.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	return p.command.Wait()
}

// load posts orders from many clients and returns the rate and each one's time.
func load(p *process, orders [][]byte, clients int, each time.Duration) (rate float64, times []time.Duration, refused int64, err error) {
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: clients, MaxConnsPerHost: clients}}
	var next, other atomic.Int64
	var failed atomic.Pointer[error]
	var running sync.WaitGroup
	perClient := make([][]time.Duration, clients)
	began := time.Now()
	for i := range clients {
		running.Go(func() {
			for time.Since(began) < each && failed.Load() == nil {
				n := int(next.Add(1)) - 1
				if n >= len(orders) {
					return
				}
				at := time.Now()
				status, err := post(client, p, orders[n])
				if err != nil {
					failed.Store(&err)
					return
				}
				if status != http.StatusCreated {
					other.Add(1)
					continue
				}
				perClient[i] = append(perClient[i], time.Since(at))
			}
		})
	}
	running.Wait()
	took := time.Since(began)
	if err := failed.Load(); err != nil {
		return 0, nil, 0, *err
	}
	times = slices.Concat(perClient...)
	if len(times) == 0 {
		return 0, nil, 0, fmt.Errorf("no order was taken, %d refused", other.Load())
	}
	return float64(len(times)) / took.Seconds(), times, other.Load(), nil
}

func post(client *http.Client, p *process, order []byte) (int, error) {
	r, err := http.NewRequest(http.MethodPost, p.url+"/api/v1/orders", bytes.NewReader(order))
	if err != nil {
		return 0, err
	}
	r.Header.Set("Authorization", "Bearer "+p.token)
	r.Header.Set("Content-Type", "application/json")
	answer, err := client.Do(r)
	if err != nil {
		return 0, err
	}
	defer answer.Body.Close()
	_, err = io.Copy(io.Discard, answer.Body)
	return answer.StatusCode, err
}

// resident is what a process has in memory now, in bytes.
func resident(pid int) (uint64, error) {
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	_, rest, _ := bytes.Cut(raw, []byte("VmRSS:"))
	var kilobytes uint64
	_, err = fmt.Sscan(string(rest), &kilobytes)
	return kilobytes << 10, err
}
