package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"database/sql"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver pgx

	"assay/order"
)

// patience is how long a certificate is waited for.
const patience = 30 * time.Second

// An application is the body of one order.
type application []byte

// bodies makes the requests' bodies before anything is measured.
func bodies(n int) ([]application, error) {
	all := make([]application, n)
	var next atomic.Int64
	var failed atomic.Pointer[error]
	var running sync.WaitGroup
	for range 4 {
		running.Go(func() {
			for failed.Load() == nil {
				i := int(next.Add(1)) - 1
				if i >= n {
					return
				}
				var err error
				if all[i], err = body(fmt.Sprintf("host-%d.%s", i, domain(i))); err != nil {
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

// A process is a service that runs.
type process struct {
	command    *exec.Cmd
	url, token string
}

func start(binary, dir, database, settings string) (*process, error) {
	c := exec.Command(binary, "serve", "--data", dir, "--database", database, "--listen", "127.0.0.1:0", "--rate", "-1", "--log", "json",
		"--config", settings, "--profile", "private", "--ca-permit", "any", "--ca-url", "http://ca.orchard.net")
	c.Env, c.Stderr = append(os.Environ(), "LANG=C.UTF-8"), &bytes.Buffer{}
	pipe, err := c.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := c.Start(); err != nil {
		return nil, err
	}
	p := &process{command: c}
	out := bufio.NewReader(pipe)
	for p.token == "" {
		line, err := out.ReadString('\n')
		if err != nil {
			return nil, fmt.Errorf("the service did not start: %w\n%s", err, c.Stderr)
		}
		line = strings.TrimSpace(line)
		if at, ok := strings.CutPrefix(line, "ready "); ok {
			p.url = at
		}
		if strings.HasPrefix(line, "assay_") {
			p.token = line
		}
	}
	go func() { _, _ = io.Copy(io.Discard, out) }()
	return p, nil
}

func (p *process) stop() error {
	if err := p.command.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	return p.command.Wait()
}

// A watcher tells when certificates are in the database.
type watcher struct {
	db      *sql.DB
	query   string // which of a list of numbers are there
	ended   chan struct{}
	stopped chan struct{}

	mu      sync.Mutex
	waiting map[string]chan struct{}
	err     error
}

// watch looks at a database beside the service.
func watch(database string) (*watcher, error) {
	driver, at := "sqlite", "file:"+database+"?mode=ro&_pragma=busy_timeout(5000)"
	query := "SELECT id FROM certificates WHERE id IN (SELECT value FROM json_each($1))"
	if strings.HasPrefix(database, "postgres") {
		driver, at = "pgx", database
		query = "SELECT id FROM certificates WHERE id = ANY (ARRAY(SELECT json_array_elements_text($1::json)))"
	}
	db, err := sql.Open(driver, at)
	if err != nil {
		return nil, err
	}
	c := &watcher{db: db, query: query, ended: make(chan struct{}), stopped: make(chan struct{}), waiting: map[string]chan struct{}{}}
	go c.look()
	return c, nil
}

func (c *watcher) look() {
	defer close(c.stopped)
	every := time.NewTicker(10 * time.Millisecond)
	defer every.Stop()
	for {
		select {
		case <-c.ended:
			return
		case <-every.C:
		}
		if err := c.once(); err != nil {
			c.mu.Lock()
			c.err = err
			c.mu.Unlock()
			return
		}
	}
}

// once reads which of the certificates that are waited for are there.
func (c *watcher) once() error {
	c.mu.Lock()
	ids := slices.Collect(maps.Keys(c.waiting))
	c.mu.Unlock()
	if len(ids) == 0 {
		return nil
	}
	list, err := json.Marshal(ids)
	if err != nil {
		return err
	}
	rows, err := c.db.Query(c.query, string(list))
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var id string
		if err := rows.Scan(&id); err != nil {
			return err
		}
		c.mu.Lock()
		close(c.waiting[id])
		delete(c.waiting, id)
		c.mu.Unlock()
	}
	return rows.Err()
}

func (c *watcher) wait(id string) error {
	done := make(chan struct{})
	c.mu.Lock()
	c.waiting[id] = done
	c.mu.Unlock()
	select {
	case <-done:
		return nil
	case <-c.stopped:
		c.mu.Lock()
		defer c.mu.Unlock()
		return fmt.Errorf("reading the database: %w", c.err)
	case <-time.After(patience):
		return fmt.Errorf("order %s has no certificate after %v", id, patience)
	}
}

func (c *watcher) close() {
	close(c.ended)
	<-c.stopped
	_ = c.db.Close()
}

// load makes orders from many clients and returns how long each took until its
// certificate was stored.
func load(ctx context.Context, p *process, z *zones, c *watcher, orders []application, clients int, each time.Duration) ([]time.Duration, error) {
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: clients, MaxConnsPerHost: clients}}
	defer client.CloseIdleConnections()
	var next atomic.Int64
	var running sync.WaitGroup
	var mu sync.Mutex
	var times []time.Duration
	var failed error
	began := time.Now()
	for range clients {
		running.Go(func() {
			for time.Since(began) < each {
				i := int(next.Add(1)) - 1
				if i >= len(orders) {
					return
				}
				at := time.Now()
				err := one(ctx, client, p, z, c, orders[i])
				mu.Lock()
				times, failed = append(times, time.Since(at)), errors.Join(failed, err)
				mu.Unlock()
				if err != nil {
					return
				}
			}
		})
	}
	running.Wait()
	return times, failed
}

// one takes one order to its certificate.
func one(ctx context.Context, client *http.Client, p *process, z *zones, c *watcher, a application) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, p.url+"/api/v1/orders", bytes.NewReader(a))
	if err != nil {
		return err
	}
	r.Header.Set("Authorization", "Bearer "+p.token)
	r.Header.Set("Content-Type", "application/json")
	answer, err := client.Do(r)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	raw, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode != http.StatusCreated {
		return fmt.Errorf("an order was answered %s: %w %s", answer.Status, err, raw)
	}
	var v struct {
		ID         string            `json:"id"`
		Challenges []order.Challenge `json:"challenges"`
	}
	if err := json.Unmarshal(raw, &v); err != nil || len(v.Challenges) != 1 {
		return fmt.Errorf("an order has %d values: %w %s", len(v.Challenges), err, raw)
	}
	z.publish(v.Challenges[0].Owner+".", v.Challenges[0].Value)
	return c.wait(v.ID)
}
