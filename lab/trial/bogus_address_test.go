package trial_test

import (
	"context"
	"testing"

	"assay/internal/strict"
	"assay/lab"
	"assay/lab/trial"
	"assay/order"
	"assay/review"
)

// TestBogusAddress: addresses whose signatures do not hold prove nothing, also
// where the right file or certificate is there.
func TestBogusAddress(t *testing.T) {
	t.Parallel()
	for _, method := range []order.Method{order.MethodFile, order.MethodHTTP01, order.MethodTLSALPN01} {
		for _, signing := range []string{"expired: '@ A'", "unsigned: '@ A'", "corrupt: '@ A'", "ds: wrong"} {
			t.Run(string(method)+" "+signing, func(t *testing.T) {
				t.Parallel()
				var s lab.Scenario
				if err := strict.Decode([]byte(`
name: bogus
profile: baseline
at: 2026-11-25T08:00:00Z
mode: precheck
order: {product: dv, names: [orchard.net], method: `+string(method)+`, expect: {orchard.net: token.20261125a7k2m9x4q8w3e5r6t1}}
world:
  zones: {orchard.net: {sign: {`+signing+`}}}
  sites: {w1: {http: {/.well-known/pki-validation/fileauth.txt: token.20261125a7k2m9x4q8w3e5r6t1, /.well-known/acme-challenge/token: token.20261125a7k2m9x4q8w3e5r6t1}, https: {}, handshakes: [{alpn: acme-tls/1, challenge: {key: token.20261125a7k2m9x4q8w3e5r6t1}}]}}
`), &s); err != nil {
					t.Fatal(err)
				}
				report, _, err := trial.Run(context.Background(), &s)
				if err != nil {
					t.Fatal(err)
				}
				if report.Verdict == review.VerdictPass {
					t.Errorf("passes with %+v", report.Findings)
				}
				for _, o := range report.Observations {
					if o.HTTP != nil && len(o.HTTP.Fetches) > 0 || o.TLS != nil && len(o.TLS.Handshakes) > 0 {
						t.Errorf("connected to an address that was not validated: %+v", o.Question)
					}
				}
			})
		}
	}
}
