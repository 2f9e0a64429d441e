package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"assay/bench/measure"
	"assay/internal/client"
	"assay/internal/service"
	"assay/order"
)

// enter logs everybody in to the service that runs now.
func (h *house) enter(ctx context.Context) error {
	tokens := h.tokens
	if tokens == nil {
		tokens = map[string]string{"admin": h.token}
	}
	for who, token := range tokens {
		c, err := client.New(client.Config{URL: h.url, Token: token, Lang: "en"})
		if err != nil {
			return err
		}
		h.people[who] = c
	}
	if h.tokens != nil {
		return nil
	}
	h.tokens = tokens
	if err := h.people["admin"].Do(ctx, client.Call{Method: http.MethodPut, Path: "/accounts/shop", Body: map[string]bool{"verified": true}}, nil); err != nil {
		return err
	}
	for account, role := range map[string]service.Role{"shop": service.RoleApplicant, "anna": service.RoleReviewer} {
		v, err := do[service.TokenView](ctx, h, "admin", http.MethodPost, "/tokens", service.TokenRequest{Role: role, Account: account})
		if err != nil {
			return err
		}
		tokens[account] = v.Secret
	}
	return h.enter(ctx)
}

func do[T any](ctx context.Context, h *house, who, method, path string, body any) (v T, err error) {
	call := client.Call{Method: method, Path: path, Body: body}
	if _, ok := body.([]byte); ok {
		call.Kind = "application/octet-stream"
	}
	err = h.people[who].Do(ctx, call, &v)
	var p *client.Problem
	if errors.As(err, &p) {
		for i := range p.Findings {
			err = fmt.Errorf("%w; %s", err, p.Findings[i].Cause)
		}
	}
	if err != nil {
		err = fmt.Errorf("%s %s: %w", method, path, err)
	}
	return v, err
}

// file has everything approved that an OV order needs, and one order ready.
func (h *house) file(ctx context.Context) (organization, contact string, err error) {
	dossier := func(who, path string, body any) (v service.DossierView) {
		if err == nil {
			v, err = do[service.DossierView](ctx, h, who, http.MethodPost, path, body)
		}
		return v
	}
	org := dossier("shop", "/dossiers", service.DossierRequest{Kind: "organization", Organization: &order.Organization{
		Name: "Orchard Technology (Shenzhen) Co., Ltd.", Department: "IT", Country: "CN", Province: "Guangdong", City: "Shenzhen",
		Address: "12 Fruit Street, Nanshan", Phone: order.Phone{Area: "0755", Number: "86013388"},
	}})
	con := dossier("shop", "/dossiers", service.DossierRequest{Kind: "contact", Parent: org.ID, Contact: &order.Contact{
		FirstName: "Mei", LastName: "Lin", Title: "IT Manager", Email: "mei.lin@orchard.net", Phone: "13800138000",
	}})
	at := "/dossiers/" + org.ID
	dossier("shop", at+"/submit", nil)
	dossier("shop", "/dossiers/"+con.ID+"/submit", nil)
	for _, c := range []service.ClaimRequest{
		{Item: "name", Value: "Orchard Technology (Shenzhen) Co., Ltd.", Source: "gsxt.gov.cn", Class: "QGIS"},
		{Item: "address", Value: "12 Fruit Street, Nanshan, Shenzhen", Source: "gsxt.gov.cn", Class: "QGIS"},
		{Item: "phone", Value: "+86 755 8601 3388", Source: "114", Class: "phone-company"},
	} {
		dossier("anna", at+"/claims", c)
	}
	for _, id := range []string{org.ID, con.ID} {
		if err == nil {
			err = h.approve(ctx, id)
		}
	}
	if err != nil {
		return "", "", err
	}
	return org.ID, con.ID, h.first(ctx, org.ID, con.ID)
}

// approve approves a dossier as it was read.
func (h *house) approve(ctx context.Context, id string) error {
	v, err := do[service.DossierView](ctx, h, "anna", http.MethodGet, "/dossiers/"+id, nil)
	if err != nil {
		return err
	}
	call := client.Call{Method: http.MethodPost, Path: "/dossiers/" + id + "/decide", Body: service.DecisionRequest{Accept: true}, Version: v.Version}
	return h.people["anna"].Do(ctx, call, &v)
}

// first takes one order to ready: letter, call, and the value published.
func (h *house) first(ctx context.Context, organization, contact string) error {
	body, err := application(order.Order{
		Product: order.OV, Organization: &order.Organization{ProfileID: organization}, Contacts: &order.Contacts{AdministratorID: contact},
	})
	if err != nil {
		return err
	}
	v, err := do[service.View](ctx, h, "shop", http.MethodPost, "/orders", body)
	if err != nil {
		return err
	}
	at := "/orders/" + v.ID
	pdf := "%PDF-1.4\n1 0 obj\n<< /Type /Catalog >>\nendobj\n% " + strings.Repeat("x", 100_000) + "\ntrailer\n<< /Root 1 0 R >>\n%%EOF\n"
	if _, err = do[service.View](ctx, h, "shop", http.MethodPost, at+"/letters", []byte(pdf)); err != nil {
		return err
	}
	letters, err := do[struct {
		Items []service.LetterView `json:"items"`
	}](ctx, h, "anna", http.MethodGet, at+"/letters", nil)
	if err != nil {
		return err
	}
	if _, err = do[service.View](ctx, h, "anna", http.MethodPost, at+"/letters/"+letters.Items[0].ID+"/decide", service.DecisionRequest{Accept: true}); err != nil {
		return err
	}
	if _, err = do[service.View](ctx, h, "anna", http.MethodPost, at+"/calls", service.CallRequest{Number: "+86 755 8601 3388", Source: "114", Result: "confirmed"}); err != nil {
		return err
	}
	if err := h.look(ctx, v.Challenges[0].Value); err != nil {
		return err
	}
	if _, err = do[service.View](ctx, h, "shop", http.MethodPost, at+"/verify", nil); err != nil {
		return err
	}
	_, err = h.ready(ctx, &v)
	return err
}

// application is an order with a key of its own.
func application(o order.Order) (map[string]any, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{Subject: pkix.Name{CommonName: name}, DNSNames: []string{name}}, key)
	if err != nil {
		return nil, err
	}
	o.Names, o.Method, o.CSR = []string{name}, order.MethodDNS, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der}))
	return map[string]any{"order": o}, nil
}

// ready waits until an order is ready.
func (h *house) ready(ctx context.Context, v *service.View) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	over := errors.New("over")
	at := v.Version
	for {
		now, err := do[service.View](ctx, h, "shop", http.MethodGet, "/orders/"+v.ID, nil)
		if err != nil {
			return false, err
		}
		if now.State == order.StateReady {
			return true, nil
		}
		if now.State != order.StatePending {
			return false, fmt.Errorf("order %s is %s", v.ID, now.State)
		}
		err = h.people["shop"].Follow(ctx, v.ID, at, func(e service.Event) error {
			at = e.Version
			return over
		})
		if !errors.Is(err, over) {
			return false, fmt.Errorf("order %s does not get ready: %w", v.ID, err)
		}
	}
}

// A result is one row.
type result struct {
	of            order.Product
	ready, n      int
	answer, whole []time.Duration
	cpu           time.Duration
}

func (r *result) String() string {
	slices.Sort(r.answer)
	slices.Sort(r.whole)
	at := func(list []time.Duration, of int) time.Duration {
		return list[len(list)*of/100].Round(10 * time.Microsecond)
	}
	what := map[order.Product]string{order.OV: "OV, dossiers approved", order.DV: "DV, validated before"}[r.of]
	return fmt.Sprintf("%-28s %3d/%-3d %10v %10v %12v %12v %14v", what, r.ready, r.n, at(r.answer, 50), at(r.answer, 99), at(r.whole, 50), at(r.whole, 99), r.cpu.Round(10*time.Microsecond))
}

// measure makes orders one after the other.
func (h *house) measure(ctx context.Context, of order.Order, n int) (*result, error) {
	bodies := make([]map[string]any, n)
	for i := range bodies {
		var err error
		if bodies[i], err = application(of); err != nil {
			return nil, err
		}
	}
	r := &result{of: of.Product, n: n}
	before, _, err := measure.Process(h.process.Process.Pid)
	if err != nil {
		return nil, err
	}
	for _, body := range bodies {
		began := time.Now()
		v, err := do[service.View](ctx, h, "shop", http.MethodPost, "/orders", body)
		if err != nil {
			return nil, err
		}
		r.answer = append(r.answer, time.Since(began))
		ok, err := h.ready(ctx, &v)
		if err != nil {
			return nil, err
		}
		if ok {
			r.ready++
		}
		r.whole = append(r.whole, time.Since(began))
	}
	after, _, err := measure.Process(h.process.Process.Pid)
	r.cpu = (after - before) / time.Duration(n)
	return r, err
}
