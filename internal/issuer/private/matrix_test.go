package private

import (
	"fmt"
	"slices"
	"testing"

	zx509 "github.com/zmap/zcrypto/x509"
	"github.com/zmap/zlint/v3"
	"github.com/zmap/zlint/v3/lint"

	"assay/order"
)

// Whatever is issued under baseline is clean for all of zlint, not only for the
// lints that the gate chose.
func TestCleanUnderBaseline(t *testing.T) {
	t.Parallel()
	a := newAuthority(t, newWorld(t, Constraints{}).config())
	hundred := make([]string, 100)
	for i := range hundred {
		hundred[i] = fmt.Sprintf("host-%d.orchard.com", i)
	}
	kinds := []struct {
		name     string
		names    []string
		cn       string
		products []order.Product
	}{
		{"one name", []string{"www.orchard.com"}, "www.orchard.com", []order.Product{order.DV, order.OV, order.EV}},
		{"no common name", []string{"www.orchard.com", "orchard.com"}, "", []order.Product{order.DV, order.OV, order.EV}},
		{"wildcard", []string{"*.orchard.com", "orchard.com"}, "*.orchard.com", []order.Product{order.DV, order.OV}},
		{"addresses", []string{"8.8.8.8", "2001:4860:4860::8888", "orchard.com"}, "8.8.8.8", []order.Product{order.DV, order.OV}},
		{"100 names", hundred, hundred[0], []order.Product{order.DV, order.OV, order.EV}},
		{"A-labels", []string{"xn--bcher-kva.com"}, "xn--bcher-kva.com", []order.Product{order.DV, order.OV, order.EV}},
	}
	for _, k := range kinds {
		for _, product := range k.products {
			for keyName, key := range leafKeys() {
				t.Run(fmt.Sprintf("%s/%s/%s", k.name, product, keyName), func(t *testing.T) {
					t.Parallel()
					r := request(t, "baseline", k.names...)
					r.Product, r.CommonName, r.CSR, r.Subject = product, k.cn, requestFor(t, key), orchard()
					c := issue(t, a, r)
					z, err := zx509.ParseCertificate(c.Raw)
					if err != nil {
						t.Fatal(err)
					}
					for name, result := range zlint.LintCertificate(z).Results {
						if result.Status >= lint.Warn && !slices.Contains(byChoice, name) {
							t.Errorf("%s: %s %s", name, result.Status, result.Details)
						}
					}
				})
			}
		}
	}
}

// byChoice are warnings that a certificate has by choice.
var byChoice = []string{
	"w_server_cert_valid_time_longer_than_199_days", // 200 days are allowed (BR 6.3.2)
	"w_subject_common_name_included",                // where the order chose a common name
	"w_ext_subject_key_identifier_missing_sub_cert", // BR 7.1.2.7.6 against RFC 5280 4.2.1.2
}

func orchard() *order.Organization {
	return &order.Organization{
		Name: "Obst & Söhne GmbH", Country: "DE", Province: "Bayern", City: "München",
		RegistrationNumber: "HRB 12345", BusinessCategory: "Private Organization", JurisdictionCountry: "DE",
		JurisdictionState: "Bayern", JurisdictionCity: "München",
	}
}
