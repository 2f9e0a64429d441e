package main

import (
	"bytes"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"net/http/httptest"
	"strings"
	"time"

	"golang.org/x/crypto/ocsp"

	"assay/internal/issuer"
	"assay/internal/issuer/private"
	"assay/internal/issuer/status"
	"assay/internal/service"
	"assay/internal/store/sqlstore"
)

// open keeps the CA's key as it is, for as long as the measurement takes.
type open struct{}

func (open) Seal(_ string, b []byte) ([]byte, error) { return b, nil }
func (open) Open(_ string, b []byte) ([]byte, error) { return b, nil }

// A house is a service with a CA, and its lists and OCSP over HTTP.
type house struct {
	service *service.Service
	ca      *x509.Certificate
	served  *httptest.Server
	signed  chan int64 // shards whose list was signed
	stop    func()
}

func newHouse(ctx context.Context, db *sqlstore.DB) (*house, error) {
	s, err := service.New(service.Config{Store: db, Secrets: open{}, Profile: "private"})
	if err != nil {
		return nil, err
	}
	ca, err := s.OpenAuthorities(ctx, service.AuthoritySettings{Name: private.Name{CommonName: "Bench", Organization: "Bench", Country: "ZZ"}, URL: "http://ca.orchard.net"})
	if err != nil {
		return nil, err
	}
	s.Issuer = func(string) issuer.Issuer { return ca }
	h := &house{service: s, ca: s.IssuerCertificates()[authority], signed: make(chan int64, 1000)}
	handler, err := status.New(status.Config{Source: s.StatusSource()})
	if err != nil {
		return nil, err
	}
	if err := handler.SetIssuers(s.IssuerCertificates()); err != nil {
		return nil, err
	}
	s.OnRevoked = handler.Forget
	s.OnList = func(id string, shard int64) {
		handler.ForgetList(id, shard)
		if id == authority {
			h.signed <- shard
		}
	}
	h.served = httptest.NewServer(handler)
	return h, nil
}

func (h *house) close() {
	if h.stop != nil {
		h.stop()
	}
	h.served.Close()
}

// signAll starts the service and waits until it has signed every list.
func (h *house) signAll(ctx context.Context, shards int) (time.Duration, error) {
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan struct{})
	began := time.Now()
	go func() {
		defer close(ended)
		h.service.Run(ctx)
	}()
	h.stop = func() {
		cancel()
		<-ended
	}
	for range shards {
		select {
		case <-h.signed:
		case <-time.After(5 * time.Minute):
			return 0, errors.New("the lists are not signed")
		}
	}
	took := time.Since(began)
	lists, err := h.service.RevocationLists(ctx)
	if err != nil {
		return 0, err
	}
	for _, l := range lists {
		if l.Issuer == authority && (l.Published != l.Revoked || l.Published == 0) {
			return 0, fmt.Errorf("shard %d has %d of %d", l.Shard, l.Published, l.Revoked)
		}
	}
	return took, nil
}

// revoke revokes the first certificate of a shard, and says how long it took until
// the list has it, and OCSP.
func (h *house) revoke(ctx context.Context, shard int) (list, response time.Duration, err error) {
	id := fmt.Sprintf("c%d", shard*places)
	c, err := h.service.Certificate(ctx, administrator, id)
	if err != nil {
		return 0, 0, err
	}
	serial, ok := new(big.Int).SetString(c.Serial, 16)
	if !ok {
		return 0, 0, fmt.Errorf("the serial number %q", c.Serial)
	}
	request, err := ocsp.CreateRequest(&x509.Certificate{SerialNumber: serial}, h.ca, nil)
	if err != nil {
		return 0, 0, err
	}
	if has, err := h.listed(ctx, shard, serial); err != nil || has {
		return 0, 0, fmt.Errorf("before it was revoked: in the list %t, %w", has, err)
	}
	if is, err := h.responds(ctx, request); err != nil || is != ocsp.Good {
		return 0, 0, fmt.Errorf("before it was revoked: OCSP says %d, %w", is, err)
	}
	began := time.Now()
	if _, err := h.service.Revoke(ctx, administrator, id, c.Version, service.RevocationRequest{Reason: "superseded"}); err != nil {
		return 0, 0, err
	}
	is, err := h.responds(ctx, request)
	if err != nil || is != ocsp.Revoked {
		return 0, 0, fmt.Errorf("OCSP says %d, %w", is, err)
	}
	response = time.Since(began)
	for {
		select {
		case signed := <-h.signed:
			if signed != int64(shard) {
				continue
			}
		case <-time.After(time.Minute):
			return 0, 0, errors.New("its list is not signed")
		}
		if has, err := h.listed(ctx, shard, serial); err != nil || has {
			return time.Since(began), response, err
		}
	}
}

func (h *house) get(ctx context.Context, method, path string, body []byte) ([]byte, error) {
	r, err := http.NewRequestWithContext(ctx, method, h.served.URL+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	answer, err := h.served.Client().Do(r)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	raw, err := io.ReadAll(answer.Body)
	if err == nil && answer.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s %s", path, answer.Status, strings.TrimSpace(string(raw)))
	}
	return raw, err
}

// listed reports whether the list that is served, and signed by the CA, has a
// serial number.
func (h *house) listed(ctx context.Context, shard int, serial *big.Int) (bool, error) {
	raw, err := h.get(ctx, http.MethodGet, fmt.Sprintf("/crl/%s/%d.crl", authority, shard), nil)
	if err != nil {
		return false, err
	}
	list, err := x509.ParseRevocationList(raw)
	if err != nil {
		return false, err
	}
	for i := range list.RevokedCertificateEntries {
		if list.RevokedCertificateEntries[i].SerialNumber.Cmp(serial) == 0 {
			return true, list.CheckSignatureFrom(h.ca)
		}
	}
	return false, list.CheckSignatureFrom(h.ca)
}

// responds is what OCSP says.
func (h *house) responds(ctx context.Context, request []byte) (int, error) {
	raw, err := h.get(ctx, http.MethodPost, "/ocsp", request)
	if err != nil {
		return 0, err
	}
	r, err := ocsp.ParseResponseForCert(raw, nil, h.ca)
	if err != nil {
		return 0, err
	}
	return r.Status, nil
}
