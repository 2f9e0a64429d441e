package private

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"strings"
	"testing"

	zx509 "github.com/zmap/zcrypto/x509"
	"github.com/zmap/zlint/v3"
	"github.com/zmap/zlint/v3/lint"
	"golang.org/x/crypto/ocsp"
)

// Issuing CAs with keys of every type that is possible.
func TestIssuingKeys(t *testing.T) {
	t.Parallel()
	for name, generate := range map[string]func() (crypto.Signer, error){
		"RSA-2048": func() (crypto.Signer, error) { return rsa.GenerateKey(rand.Reader, 2048) },
		"P-384":    func() (crypto.Signer, error) { return ecdsa.GenerateKey(elliptic.P384(), rand.Reader) },
		"P-521":    func() (crypto.Signer, error) { return ecdsa.GenerateKey(elliptic.P521(), rand.Reader) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, Constraints{})
			var err error
			if w.issuingKey, err = generate(); err != nil {
				t.Fatal(err)
			}
			w.issuing, err = CreateIssuing(Name{"Orchard Issuing 2", "Orchard", "DE"}, w.issuingKey.Public(), Constraints{}, w.root, w.rootKey, URLs{}, w.root.NotBefore)
			if err != nil {
				t.Fatal(err)
			}
			a := newAuthority(t, w.config())
			c := issue(t, a, request(t, "baseline", "www.orchard.com"))
			if err := c.CheckSignatureFrom(w.issuing); err != nil {
				t.Error(err)
			}
			z, err := zx509.ParseCertificate(c.Raw)
			if err != nil {
				t.Fatal(err)
			}
			for lintName, r := range zlint.LintCertificate(z).Results {
				if r.Status >= lint.Error {
					t.Errorf("%s: %s %s", lintName, r.Status, r.Details)
				}
			}
			der, err := a.SignList(t.Context(), List{Number: 1, ThisUpdate: at, NextUpdate: at.Add(day)})
			if err != nil {
				t.Fatal(err)
			}
			list, err := x509.ParseRevocationList(der)
			if err != nil {
				t.Fatal(err)
			}
			if err := list.CheckSignatureFrom(w.issuing); err != nil {
				t.Error(err)
			}
			response, err := a.SignOCSP(t.Context(), Status{Serial: c.SerialNumber.Text(16), ThisUpdate: at, NextUpdate: at.Add(day)})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := ocsp.ParseResponseForCert(response, c, w.issuing); err != nil {
				t.Error(err)
			}
		})
	}
}

// The program signs in four places: the gate's, one for lists, one for OCSP, and
// where CA certificates are made. A fifth would be a way around the gate.
func TestWhereItSigns(t *testing.T) {
	t.Parallel()
	allowed := map[string]string{
		"authority.go": "a.gate.Sign", "crl.go": "scheme.SignList", "ocsp.go": "ocsp.CreateResponse", "hierarchy.go": "x509.CreateCertificate",
	}
	files, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, f := range files {
		if !strings.HasSuffix(f.Name(), ".go") || strings.HasSuffix(f.Name(), "_test.go") {
			continue
		}
		source, err := os.ReadFile(f.Name())
		if err != nil {
			t.Fatal(err)
		}
		set := token.NewFileSet()
		file, err := parser.ParseFile(set, f.Name(), source, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok {
				return true
			}
			selector, ok := call.Fun.(*ast.SelectorExpr)
			if !ok || !signs(selector.Sel.Name) {
				return true
			}
			text := string(source[set.Position(selector.Pos()).Offset:set.Position(selector.End()).Offset])
			if allowed[f.Name()] != text {
				t.Errorf("%s signs by %s", f.Name(), text)
			}
			seen[text] = true
			return true
		})
	}
	if len(seen) != len(allowed) {
		t.Errorf("signing is looked for and found in %v only", seen)
	}
}

// signs reports whether a function of that name is one that signs.
func signs(name string) bool {
	switch name {
	case "Sign", "SignASN1", "SignPKCS1v15", "SignPSS", "SignList", "SignMessage", "CreateCertificate", "CreateRevocationList", "CreateResponse", "CreateCRL":
		return true
	}
	return false
}
