package service

import (
	"bytes"
	"context"
	"crypto"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ocsp"

	"assay/cause"
	"assay/internal/issuer"
	"assay/internal/issuer/private"
	"assay/internal/issuer/status"
	"assay/internal/store"
	"assay/order"
)

// A member is a CA that was made elsewhere, and those above it.
type member struct {
	cert  *x509.Certificate
	key   crypto.Signer
	above *member
}

// outside makes a CA elsewhere, below another one; nil: a root.
func (h *caHouse) outside(t *testing.T, name string, above *member, change func(*x509.Certificate)) *member {
	t.Helper()
	key, err := private.GenerateKey(elliptic.P256())
	if err != nil {
		t.Fatal(err)
	}
	return h.outsideWith(t, name, key, above, change)
}

func (h *caHouse) outsideWith(t *testing.T, name string, key crypto.Signer, above *member, change func(*x509.Certificate)) *member {
	t.Helper()
	serial, err := rand.Int(rand.Reader, big.NewInt(1<<60))
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: name}, NotBefore: h.now().Add(-day), NotAfter: h.now().Add(3000 * day),
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign, BasicConstraintsValid: true, IsCA: true, SubjectKeyId: []byte(name),
	}
	if change != nil {
		change(template)
	}
	parent, signer := template, key
	if above != nil {
		parent, signer = above.cert, above.key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), signer)
	if err != nil {
		t.Fatal(err)
	}
	m := &member{key: key, above: above}
	if m.cert, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	return m
}

// files are the chain of a CA and its key, PEM.
func (m *member) files(t *testing.T) (chain, key []byte) {
	t.Helper()
	for at := m; at != nil; at = at.above {
		chain = append(chain, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: at.cert.Raw})...)
	}
	der, err := x509.MarshalPKCS8PrivateKey(m.key)
	if err != nil {
		t.Fatal(err)
	}
	return chain, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
}

func (h *caHouse) brings(t *testing.T, id string, m *member) error {
	t.Helper()
	chain, key := m.files(t)
	h.pass(time.Second) // it is newer than those that are here
	_, err := h.ImportAuthority(context.Background(), id, chain, key, "", AuthoritySettings{})
	return err
}

// starts is the next start, as the server does it: id is who issues then.
func (h *caHouse) starts(t *testing.T, id string) *status.Handler {
	t.Helper()
	ca := h.startAgain(t)
	if ca == nil {
		t.Fatal("nobody issues")
	}
	if ca.ID() != id {
		t.Fatalf("%s issues, not %s", ca.ID(), id)
	}
	h.ca = &hand{Issuer: ca}
	h.Issuer = func(string) issuer.Issuer { return h.ca }
	answers, err := status.New(status.Config{Source: h.StatusSource(), Now: h.now})
	if err == nil {
		err = answers.SetIssuers(h.IssuerCertificates())
	}
	if err != nil {
		t.Fatal(err)
	}
	return answers
}

// ocspSays asks for the status of a certificate.
func ocspSays(t *testing.T, h http.Handler, leaf, above *x509.Certificate) int {
	t.Helper()
	request, err := ocsp.CreateRequest(leaf, above, nil)
	if err != nil {
		t.Fatal(err)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/ocsp", bytes.NewReader(request)))
	r, err := ocsp.ParseResponseForCert(w.Body.Bytes(), leaf, above)
	if err != nil {
		t.Fatal(err)
	}
	return r.Status
}

func (h *caHouse) rowOf(t *testing.T, id string) AuthorityView {
	t.Helper()
	all, err := h.AllAuthorities(context.Background())
	i := slices.IndexFunc(all, func(v AuthorityView) bool { return v.ID == id })
	if err != nil || i < 0 {
		t.Fatalf("no %s in %+v, %v", id, all, err)
	}
	return all[i]
}

func parsed(t *testing.T, c *store.Certificate) *x509.Certificate {
	t.Helper()
	leaf, err := x509.ParseCertificate(c.DER)
	if err != nil {
		t.Fatal(err)
	}
	return leaf
}

// TestImportBelowOne: several CAs below one root that was made elsewhere, or below our
// own, are imported one after another: what is above them is kept once, and the service
// starts.
func TestImportBelowOne(t *testing.T) {
	t.Parallel()
	h, ctx := newCAHouse(t), context.Background()
	root := h.outside(t, "Root", nil, nil)
	first := h.outside(t, "First", root, nil)
	own := &member{cert: h.IssuerCertificates()["root-1"], key: h.own.rootKeys["root-1"]}
	middle := h.outside(t, "Middle", root, nil)
	for _, x := range []struct {
		id, parent string
		m          *member
		rows       int // that it adds
	}{
		{"first", "first-above-1", first, 2},
		{"second", "first-above-1", h.outside(t, "Second", root, nil), 1},
		{"renewed", "first-above-1", h.outsideWith(t, "First", first.key, root, nil), 1},
		{"sub", "root-1", h.outside(t, "Sub", own, nil), 1},
		{"deep", "deep-above-1", h.outside(t, "Deep", middle, nil), 2},
		{"deeper", "deep-above-1", h.outside(t, "Deeper", middle, nil), 1},
	} {
		before, _ := h.AllAuthorities(ctx)
		if err := h.brings(t, x.id, x.m); err != nil {
			t.Fatalf("%s: %v", x.id, err)
		}
		after, _ := h.AllAuthorities(ctx)
		if got := h.rowOf(t, x.id); got.Parent != x.parent || len(after)-len(before) != x.rows {
			t.Errorf("%s is below %s, %d rows more", x.id, got.Parent, len(after)-len(before))
		}
		h.starts(t, x.id)
		h.issuedFor(t, dv(t, "orchard.net"))
		if err := h.RetireAuthority(ctx, x.id); err != nil {
			t.Fatal(err)
		}
	}
	if got := h.rowOf(t, "deep-above-1"); got.Kind != "intermediate" || got.Parent != "first-above-1" {
		t.Errorf("%+v", got)
	}
	if got := h.rowOf(t, "first-above-1"); got.Kind != "root" {
		t.Errorf("%+v", got)
	}
	// The one below our own root is in its list when it is revoked.
	if _, err := h.RevokeAuthority(ctx, "sub", "superseded", nil, AuthoritySettings{}); err != nil || len(h.rootListed(t).RevokedCertificateEntries) != 1 {
		t.Error(err)
	}
}

// TestImportRenewed: a CA whose certificate was renewed with its key has lists of its own
// beside the earlier one's, and OCSP says of each serial number what became of it.
func TestImportRenewed(t *testing.T) {
	t.Parallel()
	h, ctx := newCAHouse(t), context.Background()
	root := h.outside(t, "Root", nil, nil)
	first := h.outside(t, "Company", root, nil)
	issued := map[string]*View{}
	leaves := map[string]*x509.Certificate{}
	var answers *status.Handler
	for id, m := range map[string]*member{"company": first, "renewed": h.outsideWith(t, "Company", first.key, root, nil)} {
		if err := h.brings(t, id, m); err != nil {
			t.Fatal(err)
		}
		answers = h.starts(t, id)
		issued[id] = h.issuedFor(t, dv(t, "orchard.net"))
		leaves[id] = parsed(t, h.certified(t, issued[id]))
	}
	for id, leaf := range leaves {
		if got := ocspSays(t, answers, leaf, first.cert); got != ocsp.Good {
			t.Errorf("%s: %d", id, got)
		}
	}
	h.OnRevoked = answers.Forget
	if _, err := h.Revoke(ctx, h.who[RoleApplicant], issued["renewed"].ID, 0, RevocationRequest{Reason: "superseded"}); err != nil {
		t.Fatal(err)
	}
	if _, err := h.publish(ctx); err != nil {
		t.Fatal(err)
	}
	for id, want := range map[string]struct{ status, listed int }{"company": {ocsp.Good, 0}, "renewed": {ocsp.Revoked, 1}} {
		if got := ocspSays(t, answers, leaves[id], first.cert); got != want.status {
			t.Errorf("%s: %d", id, got)
		}
		w := httptest.NewRecorder()
		answers.ServeHTTP(w, httptest.NewRequest(http.MethodGet, strings.TrimPrefix(leaves[id].CRLDistributionPoints[0], "http://ca.orchard.net"), nil))
		list, err := x509.ParseRevocationList(w.Body.Bytes())
		if err != nil || list.CheckSignatureFrom(first.cert) != nil || len(list.RevokedCertificateEntries) != want.listed {
			t.Errorf("the list of %s: %+v, %v", id, list, err)
		}
	}
}

// TestStartsWithWhatIsThere: what imports kept that were not examined as they are now
// keeps nothing from starting.
func TestStartsWithWhatIsThere(t *testing.T) {
	t.Parallel()
	h := newCAHouse(t)
	root := h.outside(t, "Root", nil, nil)
	client := h.outside(t, "Middle", root, func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth} })
	add := func(id, parent, kind string, m *member, key crypto.Signer) {
		row, err := h.authorityRow(id, parent, kind, m.cert, key)
		if err != nil {
			t.Fatal(err)
		}
		h.do(t, func(tx store.Tx) error { return tx.InsertAuthority(row) })
		h.pass(time.Second)
	}
	for _, id := range []string{"company", "second", "Third"} {
		add(id+"-above-1", "", store.AuthorityRoot, root, nil)
		m := h.outside(t, id, root, nil)
		add(id, id+"-above-1", store.AuthorityIssuing, m, m.key)
	}
	below := h.outside(t, "Below", client, nil)
	add("below-above-1", "company-above-1", store.AuthorityRoot, client, nil)
	add("below", "below-above-1", store.AuthorityIssuing, below, below.key)
	h.starts(t, "second")
	h.issuedFor(t, dv(t, "orchard.net"))
}

// TestImportRefused: what no client would believe, no start would take, or was revoked is
// not imported, and nothing of it is kept.
func TestImportRefused(t *testing.T) {
	t.Parallel()
	h, ctx := newCAHouse(t), context.Background()
	root := h.outside(t, "Root", nil, nil)
	good := h.outside(t, "Good", root, nil)
	own := &member{cert: h.IssuerCertificates()["root-1"], key: h.own.rootKeys["root-1"]}
	compromised := h.outside(t, "Compromised", own, nil)
	for id, m := range map[string]*member{"good": good, "compromised": compromised} {
		if err := h.brings(t, id, m); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := h.RevokeAuthority(ctx, "compromised", "ca-compromise", nil, AuthoritySettings{}); err != nil {
		t.Fatal(err)
	}
	client := func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth} }
	ended := func(c *x509.Certificate) { c.NotAfter = h.now().Add(-time.Hour) }
	cases := map[string]struct {
		id, message, rule string
		m                 *member
	}{
		"it is here":            {"again", "ca.here", "", good},
		"it was revoked":        {"again", "ca.revoked", "", compromised},
		"its key is known":      {"again", "ca.key-blocked", "", h.outsideWith(t, "Another", compromised.key, root, nil)},
		"the middle's uses":     {"other", "ca.failed", private.RuleUsage, h.outside(t, "Low", h.outside(t, "Middle", root, client), nil)},
		"its uses":              {"other", "ca.failed", private.RuleUsage, h.outside(t, "Client", root, client)},
		"its root ended":        {"other", "ca.failed", private.RuleEnded, h.outside(t, "Low", h.outside(t, "Old", nil, ended), nil)},
		"not its key":           {"other", "ca.failed", private.RuleKeyFits, &member{cert: good.cert, key: root.key, above: root}},
		"the root is left out":  {"other", "ca.failed", private.RuleRoot, &member{cert: good.cert, key: good.key}},
		"an id that is taken":   {"issuing-1", "service.exists", "", h.outside(t, "Other", root, nil)},
		"a path longer than is": {"other", "ca.failed", private.RulePathLength, h.outside(t, "Low", h.outside(t, "Middle", own, nil), nil)},
	}
	for _, id := range []string{"", "Company", "a/b", "../x", "x?y", strings.Repeat("a", 41)} {
		cases["the id "+id] = struct {
			id, message, rule string
			m                 *member
		}{id, "ca.id", "", h.outside(t, "Other", root, nil)}
	}
	before, _ := h.AllAuthorities(ctx)
	for name, c := range cases {
		var p *Problem
		if err := h.brings(t, c.id, c.m); !errors.As(err, &p) || p.Message != c.message {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if c.rule != "" && !slices.ContainsFunc(private.FaultsIn(p), func(f *private.Fault) bool { return f.Rule == c.rule }) {
			t.Errorf("%s: %v", name, p)
		}
	}
	if after, err := h.AllAuthorities(ctx); err != nil || len(after) != len(before) {
		t.Errorf("%d rows after %d, %v", len(after), len(before), err)
	}
	if _, err := h.NewIssuing(ctx, "issuing-1", nil, AuthoritySettings{Name: private.Name{CommonName: "Low", Organization: "Orchard", Country: "CN"}}); len(private.FaultsIn(err)) == 0 {
		t.Errorf("below a CA that may have none below it: %v", err)
	}
}

// TestNewBelowEnded: no CA is made below one that ended.
func TestNewBelowEnded(t *testing.T) {
	t.Parallel()
	h := newCAHouse(t)
	h.pass(21 * 366 * day)
	_, err := h.NewIssuing(context.Background(), "root-1", nil, AuthoritySettings{Name: private.Name{CommonName: "Low", Organization: "Orchard", Country: "CN"}})
	if faults := private.FaultsIn(err); len(faults) == 0 || faults[0].Rule != private.RuleEnded {
		t.Error(err)
	}
}

// TestImportAgain: a CA that was retired is taken into use again under another id, and
// both are revoked where one is.
func TestImportAgain(t *testing.T) {
	t.Parallel()
	h, ctx := newCAHouse(t), context.Background()
	sub := h.outside(t, "Sub", &member{cert: h.IssuerCertificates()["root-1"], key: h.own.rootKeys["root-1"]}, nil)
	if err := errors.Join(h.brings(t, "sub", sub), h.RetireAuthority(ctx, "sub"), h.brings(t, "again", sub)); err != nil {
		t.Fatal(err)
	}
	h.starts(t, "again")
	if _, err := h.RevokeAuthority(ctx, "sub", "superseded", nil, AuthoritySettings{}); err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{"sub", "again"} {
		if got := h.rowOf(t, id); got.State != "revoked" || got.RevokedAt == nil {
			t.Errorf("%+v", got)
		}
	}
	h.starts(t, "issuing-1")
}

// TestImportPlace: an imported CA has its certificates name the URL that is given, or
// that the CAs here have, or that a later start gives; and keeps it.
func TestImportPlace(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		given, here, start, want string
	}{
		"given":          {"http://pki.orchard.net", "http://ca.orchard.net", "http://ca.orchard.net", "http://pki.orchard.net"},
		"of those here":  {"", "http://ca.orchard.net", "http://other.orchard.net", "http://ca.orchard.net"},
		"of a start":     {"", "", "http://other.orchard.net", "http://other.orchard.net"},
		"there is none":  {"", "", "", ""},
		"without a host": {"http:///x", "", "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h, ctx := newCAHouse(t), context.Background()
			all, err := h.Store.Authorities(ctx)
			if err != nil {
				t.Fatal(err)
			}
			for i := range all {
				all[i].URL = c.here
				h.do(t, func(tx store.Tx) error { return tx.UpdateAuthority(&all[i]) })
			}
			chain, key := h.outside(t, "Company", h.outside(t, "Root", nil, nil), nil).files(t)
			h.pass(time.Second)
			url, err := h.ImportAuthority(ctx, "company", chain, key, "", AuthoritySettings{URL: c.given})
			if name == "without a host" {
				if err == nil {
					t.Error("imported")
				}
				return
			}
			if err != nil || url != c.want && c.start == "" {
				t.Fatal(url, err)
			}
			if _, err := h.OpenAuthorities(ctx, AuthoritySettings{URL: c.start}); err != nil {
				t.Fatal(err)
			}
			h.starts(t, "company") // without the flag
			leaf := parsed(t, h.certified(t, h.issuedFor(t, dv(t, "orchard.net"))))
			var want [3][]string
			if c.want != "" {
				want = [3][]string{{c.want + "/crl/company/0.crl"}, {c.want + "/ocsp"}, {c.want + "/ca/company.crt"}}
			}
			for i, got := range [3][]string{leaf.CRLDistributionPoints, leaf.OCSPServer, leaf.IssuingCertificateURL} {
				if !slices.Equal(got, want[i]) {
					t.Errorf("names %v, not %v", got, want[i])
				}
			}
		})
	}
}

// TestImportedRootFile: the root that is handed out is the trust anchor, not what is
// between, and that of a CA that is a root itself is its own certificate.
func TestImportedRootFile(t *testing.T) {
	t.Parallel()
	h, ctx := newCAHouse(t), context.Background()
	root := h.outside(t, "Root", nil, nil)
	alone := h.outside(t, "Alone", nil, nil)
	middle := h.outside(t, "Middle", root, nil)
	for id, x := range map[string]struct{ m, root *member }{
		"deep": {h.outside(t, "Deep", middle, nil), root}, "alone": {alone, alone},
	} {
		if err := h.brings(t, id, x.m); err != nil {
			t.Fatal(err)
		}
		h.starts(t, id)
		v := h.issuedFor(t, dv(t, "orchard.net"))
		f, err := h.Download(ctx, h.who[RoleApplicant], v.ID, DownloadRequest{Format: "root"})
		if err != nil {
			t.Fatal(err)
		}
		if block, _ := pem.Decode(f.Content); block == nil || !bytes.Equal(block.Bytes, x.root.cert.Raw) {
			t.Errorf("%s: another root", id)
		}
	}
	// That of a certificate that was not issued here is found by its chain.
	below := h.outside(t, "Elsewhere", middle, nil).cert
	if got := h.rootAbove("", []*x509.Certificate{below, middle.cert}); !bytes.Equal(got, root.cert.Raw) {
		t.Error("elsewhere: another root")
	}
	if got := h.rootAbove("", []*x509.Certificate{below}); got != nil {
		t.Error("what is between is the root")
	}
}

// TestEnded: a CA that ended, or whose root did, issues no more and keeps nothing from
// starting: another one issues, and its lists and OCSP go on.
func TestEnded(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ root, issuing int }{"itself": {900, 20}, "its root": {20, 900}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h, ctx := newCAHouse(t), context.Background()
			lives := func(days int) func(*x509.Certificate) {
				return func(x *x509.Certificate) { x.NotAfter = h.now().Add(time.Duration(days) * day) }
			}
			company := h.outside(t, "Company", h.outside(t, "Root", nil, lives(c.root)), lives(c.issuing))
			if err := h.brings(t, "company", company); err != nil {
				t.Fatal(err)
			}
			h.starts(t, "company")
			v := h.issuedFor(t, dv(t, "orchard.net"))
			leaf := parsed(t, h.certified(t, v))
			if leaf.NotAfter.After(h.now().Add(20 * day)) {
				t.Errorf("it outlives what is above it: %s", leaf.NotAfter)
			}
			if got := h.rowOf(t, "company"); got.State != "active" {
				t.Errorf("%+v", got)
			}
			h.pass(21 * day)
			waiting := h.ready(t, dv(t, "fig.orchard.net"))
			h.once(t)
			if waiting = h.read(t, waiting.ID); waiting.State != "ready" {
				t.Errorf("%s of a CA that ended", waiting.State)
			}
			if got := h.rowOf(t, "company"); got.State != "ended" {
				t.Errorf("%+v", got)
			}
			answers := h.starts(t, "issuing-1")
			if got := ocspSays(t, answers, leaf, company.cert); got != ocsp.Good {
				t.Errorf("%d", got)
			}
			if _, err := h.publish(ctx); err != nil {
				t.Fatal(err)
			}
			if l, err := h.Store.CRL(ctx, "company", 0); err != nil || l.NextUpdate.Before(h.now()) {
				t.Errorf("%+v, %v", l, err)
			}
			if err := h.RetireAuthority(ctx, "issuing-1"); err != nil {
				t.Fatal(err)
			}
			if ca := h.startAgain(t); ca != nil {
				t.Errorf("%s issues", ca.ID())
			}
		})
	}
}

// TestImportServersOnly: below a CA that is for servers only an order that asks for client
// authentication fails and says why; one that does not gets its certificate.
func TestImportServersOnly(t *testing.T) {
	t.Parallel()
	h := newCAHouse(t)
	root := h.outside(t, "Root", nil, nil)
	err := h.brings(t, "company", h.outside(t, "Company", root, func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth} }))
	if err != nil {
		t.Fatal(err)
	}
	h.starts(t, "company")
	h.issuedFor(t, dv(t, "orchard.net"))
	a := dv(t, "orchard.net")
	a.Order.ClientAuth = true
	v := h.ready(t, a)
	h.once(t)
	if v = h.read(t, v.ID); v.State != order.StateFailed || !slices.Contains(causesIn(v), cause.RequestProductMismatch) {
		t.Errorf("%s %v", v.State, causesIn(v))
	}
}
