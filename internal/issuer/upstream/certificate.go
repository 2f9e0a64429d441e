package upstream

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"assay/cause"
	"assay/internal/issuer"
)

// Bounds of what is downloaded.
const (
	maxChain = 10       // certificates
	maxDER   = 64 << 10 // bytes of one
)

// ErrCertificate is within the refusal of a certificate that is not what was asked
// for. It is never handed out. The CA sends it again whenever it is asked for that
// order: only another order there helps, and somebody has to look.
var ErrCertificate = errors.New("the CA sent a certificate that was not asked for")

var errNoCertificate = errors.New("the CA sent no certificate")

// csrFacts is what is read of a CSR.
type csrFacts struct{ key crypto.PublicKey }

// readCSR reads the CSR of a request and holds it to the names: other than our
// own CA, an ACME CA takes both from it (RFC 8555 7.4).
func readCSR(r *issuer.Request) (*csrFacts, error) {
	if len(r.CSR) > maxDER {
		return nil, csrProblem(cause.CSRUnreadable, nil, fmt.Errorf("the CSR is larger than %d bytes", maxDER))
	}
	csr, err := x509.ParseCertificateRequest(r.CSR)
	if err != nil {
		return nil, csrProblem(cause.CSRUnreadable, map[string]any{"error": clip(err.Error(), 200)}, err)
	}
	have := namesOf(csr.DNSNames, nil)
	for _, ip := range csr.IPAddresses {
		if a, ok := netip.AddrFromSlice(ip); ok {
			have = append(have, a.Unmap().String())
		}
	}
	if cn := strings.ToLower(csr.Subject.CommonName); cn != "" {
		have = append(have, cn) // counts as a name of the request (RFC 8555 7.4)
	}
	want := slices.Sorted(slices.Values(r.Names))
	slices.Sort(have)
	have = slices.Compact(have)
	if slices.Equal(want, have) {
		return &csrFacts{csr.PublicKey}, nil
	}
	return nil, csrProblem(cause.CSRNamesDifferFromOrder, differing(want, have), errors.New("the CSR has other names than the order; this CA takes the names from it"))
}

// differing are the parameters of csr.names-differ-from-order.
func differing(want, have []string) map[string]any {
	missing, extra := without(want, have), without(have, want)
	p := map[string]any{"rule": "both"}
	if len(missing) == 0 {
		p["rule"] = "extra"
	} else {
		p["missing"] = missing
	}
	if len(extra) == 0 {
		p["rule"] = "missing"
	} else {
		p["extra"] = extra
	}
	return p
}

func without(list, other []string) []string {
	var rest []string
	for _, n := range list {
		if _, found := slices.BinarySearch(other, n); !found {
			rest = append(rest, clip(n, 260))
		}
	}
	return rest
}

func namesOf(names []string, addresses []netip.Addr) []string {
	list := make([]string, 0, len(names)+len(addresses))
	for _, n := range names {
		list = append(list, strings.ToLower(n))
	}
	for _, a := range addresses {
		list = append(list, a.String())
	}
	return list
}

// readChain reads what the CA sent: certificates in PEM, the end entity's first
// (RFC 8555 9.1).
func readChain(text []byte) ([]*x509.Certificate, error) {
	var list []*x509.Certificate
	for {
		var block *pem.Block
		if block, text = pem.Decode(text); block == nil {
			break
		}
		switch {
		case block.Type != "CERTIFICATE":
			return nil, fmt.Errorf("a block of type %q among the certificates", clip(block.Type, 40))
		case len(list) == maxChain:
			return nil, fmt.Errorf("a chain of more than %d certificates", maxChain)
		case len(block.Bytes) > maxDER:
			return nil, fmt.Errorf("a certificate of more than %d bytes", maxDER)
		}
		certificate, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("certificate %d: %w", len(list)+1, err)
		}
		list = append(list, certificate)
	}
	if len(list) == 0 {
		return nil, errNoCertificate
	}
	return list, nil
}

// check holds a download to the request: exactly these names, this key, in time,
// and a chain to a root.
func (c *CA) check(text []byte, t *ticket) (*issuer.Issued, error) {
	sent, err := readChain(text)
	if err != nil {
		return nil, nonsense("the certificate", err)
	}
	now := c.config.Now()
	if err := checkLeaf(sent[0], t, now); err != nil {
		return nil, &issuer.Refusal{
			Problems: []issuer.Problem{{Cause: cause.IssuanceCAUnavailable, Subject: "order", Parameters: map[string]any{"problem": problemForeign}}},
			Err:      fmt.Errorf("%w: %w", ErrCertificate, err),
		}
	}
	return c.chain(sent, now)
}

// maxAhead is how far the CA's clock may be ahead.
const maxAhead = 10 * time.Minute

func checkLeaf(leaf *x509.Certificate, t *ticket, now time.Time) error {
	have := namesOf(leaf.DNSNames, nil)
	for _, ip := range leaf.IPAddresses {
		a, ok := netip.AddrFromSlice(ip)
		if !ok {
			return errors.New("an address in it is none")
		}
		have = append(have, a.Unmap().String())
	}
	slices.Sort(have)
	want := slices.Sorted(slices.Values(t.request.Names))
	if len(leaf.EmailAddresses)+len(leaf.URIs) > 0 || !slices.Equal(want, have) {
		return fmt.Errorf("its names are %s", clip(strings.Join(have, ", "), 300))
	}
	if cn := strings.ToLower(leaf.Subject.CommonName); cn != "" && !slices.Contains(want, cn) {
		return fmt.Errorf("its common name is %q", clip(cn, 260))
	}
	key, ok := leaf.PublicKey.(interface{ Equal(crypto.PublicKey) bool })
	switch {
	case !ok || !key.Equal(t.csr.key):
		return errors.New("it is for another key")
	case leaf.IsCA:
		return errors.New("it is one of a CA")
	case leaf.NotBefore.After(now.Add(maxAhead)):
		return fmt.Errorf("it begins only at %s", leaf.NotBefore.UTC().Format(time.RFC3339))
	case !leaf.NotAfter.After(now):
		return fmt.Errorf("it ended at %s", leaf.NotAfter.UTC().Format(time.RFC3339))
	}
	return nil
}

// chain verifies the chain. Of several ways to a root the one that has most of
// what the CA sent is the one it meant.
func (c *CA) chain(sent []*x509.Certificate, now time.Time) (*issuer.Issued, error) {
	leaf := sent[0]
	between := x509.NewCertPool()
	for _, above := range sent[1:] {
		between.AddCert(above)
	}
	at := now
	if leaf.NotBefore.After(at) {
		at = leaf.NotBefore // the CA's clock is ahead, by little
	}
	ways, err := leaf.Verify(x509.VerifyOptions{
		Roots: c.config.Anchors, Intermediates: between, CurrentTime: at, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny},
	})
	if err != nil {
		err = fmt.Errorf("the certificate is there, but its chain of %d does not lead to a root that is trusted here: %w (set the roots of this CA)", len(sent), err)
		return nil, &issuer.Unavailable{Problem: problemError, Err: err}
	}
	best := slices.MaxFunc(ways, func(a, b []*x509.Certificate) int { return len(a) - len(b) })
	issued := &issuer.Issued{Certificate: leaf, Root: best[len(best)-1]}
	if len(best) > 1 {
		issued.Chain = best[1 : len(best)-1]
	}
	for _, above := range issued.Chain {
		if bytes.Equal(above.Raw, leaf.Raw) {
			return nil, nonsense("the chain", errors.New("the certificate is above itself"))
		}
	}
	return issued, nil
}
