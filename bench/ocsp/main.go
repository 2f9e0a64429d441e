// Command ocsp measures OCSP responses out of the cache over HTTP on loopback,
// beside a handler that writes the same number of fixed bytes, in the same run
// and process. Both share the machine with their clients.
//
//	go run ./bench/ocsp              GET and POST
//	go run ./bench/ocsp -for 10s     each measurement longer
//
// The last rows are the handlers without HTTP around them: what the machine does
// for OCSP when clients and the network are elsewhere.
package main

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"crypto"
	"crypto/elliptic"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/crypto/ocsp"

	"assay/bench/measure"
	"assay/internal/issuer/private"
	"assay/internal/issuer/status"
)

// serials is how many certificates are asked about in turn.
const serials = 1000

func main() {
	each := flag.Duration("for", 2*time.Second, "how long each measurement takes")
	flag.Parse()
	if err := run(*each); err != nil {
		fmt.Fprintln(os.Stderr, "ocsp:", err)
		os.Exit(1)
	}
}

// A source knows [serials] certificates, none of them revoked.
type source struct {
	issuing *x509.Certificate
	key     crypto.Signer
}

func (s *source) Status(context.Context, string, string) (status.Known, error) {
	return status.Known{}, nil
}

func (s *source) Respond(_ context.Context, _ string, r private.Status) ([]byte, error) {
	return private.SignOCSP(s.issuing, s.key, r)
}

func (s *source) List(context.Context, string, int64) (*status.List, error) {
	return nil, errors.New("not measured here")
}

// requests are OCSP requests, DER.
func (s *source) requests() ([][]byte, error) {
	all := make([][]byte, serials)
	for i := range all {
		c := &x509.Certificate{SerialNumber: new(big.Int).Lsh(big.NewInt(int64(0x4000+i)), 140)}
		var err error
		if all[i], err = ocsp.CreateRequest(c, s.issuing, nil); err != nil {
			return nil, err
		}
	}
	return all, nil
}

func newSource() (*source, error) {
	rootKey, err := private.GenerateKey(elliptic.P384())
	if err != nil {
		return nil, err
	}
	s := &source{}
	if s.key, err = private.GenerateKey(elliptic.P256()); err != nil {
		return nil, err
	}
	name := private.Name{CommonName: "Bench", Organization: "Bench", Country: "DE"}
	root, err := private.CreateRoot(name, rootKey, time.Now().Add(-time.Hour))
	if err != nil {
		return nil, err
	}
	name.CommonName = "Bench Issuing"
	s.issuing, err = private.CreateIssuing(name, s.key.Public(), private.Constraints{}, root, rootKey, private.URLs{}, time.Now().Add(-time.Hour))
	return s, err
}

func run(each time.Duration) error {
	s, err := newSource()
	if err != nil {
		return err
	}
	// The status is read again as in a service, every 15 seconds.
	h, err := status.New(status.Config{Source: s})
	if err != nil {
		return err
	}
	if err := h.SetIssuers(map[string]*x509.Certificate{"main": s.issuing}); err != nil {
		return err
	}
	requests, err := s.requests()
	if err != nil {
		return err
	}
	size := 0
	for _, r := range requests { // signed ahead
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/ocsp", bytes.NewReader(r)))
		if _, err := ocsp.ParseResponse(w.Body.Bytes(), s.issuing); err != nil {
			return err
		}
		size = w.Body.Len()
	}
	fixed := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			_, _ = io.Copy(io.Discard, r.Body)
		}
		w.Header().Set("Content-Type", "application/ocsp-response")
		w.Header().Set("Content-Length", strconv.Itoa(size))
		_, _ = w.Write(make([]byte, size))
	})
	fmt.Printf("OCSP responses of %d octets out of the cache, %d certificates in turn, against fixed bytes, 16 connections kept open\n", size, serials)
	fmt.Printf("%-28s  %12s  %12s  %6s  CPU time of one, clients included\n", "", "responses/s", "fixed/s", "ratio")
	for _, method := range []string{http.MethodGet, http.MethodPost} {
		ours, theirs, err := inTurn(h, fixed, written(method, requests), each)
		if err != nil {
			return err
		}
		fmt.Printf("%-28s  %12.0f  %12.0f  %5.2f×  %v, %v\n", method+" over HTTP, loopback", ours.rate, theirs.rate, ours.rate/theirs.rate, ours.cpu, theirs.cpu)
	}
	return without(h, fixed, requests)
}

// written are HTTP/1.1 requests as they go over the wire.
func written(method string, requests [][]byte) [][]byte {
	all := make([][]byte, len(requests))
	for i, r := range requests {
		if method == http.MethodGet {
			all[i] = []byte("GET /ocsp/" + base64.StdEncoding.EncodeToString(r) + " HTTP/1.1\r\nHost: pki.example.net\r\n\r\n")
			continue
		}
		all[i] = append([]byte("POST /ocsp HTTP/1.1\r\nHost: pki.example.net\r\nContent-Type: application/ocsp-request\r\nContent-Length: "+strconv.Itoa(len(r))+"\r\n\r\n"), r...)
	}
	return all
}

// A figure is responses a second and the CPU time of one.
type figure struct {
	rate float64
	cpu  time.Duration
}

// inTurn measures two handlers alternately and returns the medians of five.
func inTurn(a, b http.Handler, requests [][]byte, each time.Duration) (ours, theirs figure, err error) {
	var as, bs []figure
	for range 5 {
		for _, side := range []struct {
			h    http.Handler
			into *[]figure
		}{{a, &as}, {b, &bs}} {
			n, err := overHTTP(side.h, requests, each/5)
			if err != nil {
				return ours, theirs, err
			}
			*side.into = append(*side.into, n)
		}
	}
	return middle(as), middle(bs), nil
}

func middle(all []figure) figure {
	slices.SortFunc(all, func(a, b figure) int { return cmp.Compare(a.rate, b.rate) })
	return all[len(all)/2]
}

// overHTTP drives a handler for a while. The clients write and read as little as a
// client can, so that the machine is the server's.
func overHTTP(h http.Handler, requests [][]byte, each time.Duration) (figure, error) {
	server := httptest.NewServer(h)
	defer server.Close()
	address := strings.TrimPrefix(server.URL, "http://")
	const connections = 16
	counts, errs := make([]int, connections), make([]error, connections)
	var wait sync.WaitGroup
	before, began := measure.CPUTime(), time.Now()
	for i := range connections {
		wait.Go(func() { counts[i], errs[i] = client(address, requests, i*37, began.Add(each)) })
	}
	wait.Wait()
	total := 0
	for i := range connections {
		if errs[i] != nil {
			return figure{}, errs[i]
		}
		total += counts[i]
	}
	cpu := (measure.CPUTime() - before) / time.Duration(max(1, total))
	return figure{float64(total) / time.Since(began).Seconds(), cpu.Round(100 * time.Nanosecond)}, nil
}

func client(address string, requests [][]byte, next int, until time.Time) (n int, err error) {
	c, err := net.Dial("tcp", address)
	if err != nil {
		return 0, err
	}
	defer c.Close()
	in := bufio.NewReaderSize(c, 8<<10)
	for ; time.Now().Before(until); n++ {
		if _, err := c.Write(requests[(next+n)%len(requests)]); err != nil {
			return n, err
		}
		length := -1
		for first := true; ; first = false {
			line, err := in.ReadSlice('\n')
			if err != nil {
				return n, err
			}
			if first && !bytes.HasPrefix(line, []byte("HTTP/1.1 200 ")) {
				return n, fmt.Errorf("answered %q", line)
			}
			if v, ok := bytes.CutPrefix(line, []byte("Content-Length: ")); ok {
				if length, err = strconv.Atoi(string(bytes.TrimSpace(v))); err != nil {
					return n, err
				}
			}
			if len(bytes.TrimSpace(line)) == 0 {
				break
			}
		}
		if length < 100 { // an OCSP error has 5 octets
			return n, fmt.Errorf("a response of %d octets", length)
		}
		if _, err := in.Discard(length); err != nil {
			return n, err
		}
	}
	return n, nil
}

// discard is a response that goes nowhere.
type discard struct{ head http.Header }

func (d *discard) Header() http.Header         { return d.head }
func (d *discard) Write(b []byte) (int, error) { return len(b), nil }
func (d *discard) WriteHeader(int)             {}

func without(h, fixed http.Handler, requests [][]byte) error {
	prepared := make([]*http.Request, len(requests))
	for i, r := range requests {
		prepared[i] = httptest.NewRequest(http.MethodGet, "/ocsp/"+base64.StdEncoding.EncodeToString(r), nil)
	}
	once := func(h http.Handler) func() {
		i := 0
		return func() {
			i++
			h.ServeHTTP(&discard{http.Header{}}, prepared[i%len(prepared)])
		}
	}
	r := measure.Against(once(h), once(fixed), 9, 100*time.Millisecond)
	fmt.Printf("%-28s  %12.0f  %12.0f  %5.2f×  on one core\n", "GET, the handler alone", 1e9/float64(r.A), 1e9/float64(r.B), 1/r.Ratio)
	return nil
}
