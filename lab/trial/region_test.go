package trial_test

import (
	"context"
	"fmt"
	"net/netip"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"assay/cause"
	"assay/lab"
	"assay/lab/trial"
	"assay/order"
	"assay/probe/dial"
	"assay/review"
)

// TestSplitHorizon: BIND with two views by client address serves the zone below
// the laboratory's root and net. The view of P0 has the record; where that of
// everybody else lacks it, that is what the review finds.
func TestSplitHorizon(t *testing.T) {
	t.Parallel()
	with := fmt.Sprintf("_dnsauth 600 TXT %q\n", lab.Value)
	for _, c := range []struct {
		name, rest string // what the other view has
		differs    bool
	}{
		{"the others lack the record", "", true},
		{"the others see another value", "_dnsauth 600 TXT \"20261001old\"\n", true},
		{"both views have it", with, false},
		{"both views have it, and the others one more", with + "_dnsauth 600 TXT more\n", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w, err := lab.New(lab.Change{Places: lab.Strings{"P0", "P1", "P2"}}, lab.Options{})
			if err != nil {
				t.Fatal(err)
			}
			if err := w.Start(); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = w.Close() })
			bind := netip.MustParseAddrPort(serveViews(t, with, c.rest))
			for _, server := range []string{lab.AddressNS1, lab.AddressNS2} {
				for _, network := range []string{"udp", "tcp"} {
					w.DialMap()[dial.Endpoint{Network: network, AddrPort: netip.AddrPortFrom(netip.MustParseAddr(server), 53)}] = bind
				}
			}
			r := reviewHome(t, w)
			i := slices.IndexFunc(r.Findings, func(f review.Finding) bool { return f.Cause == cause.DNSDiffersByRegion })
			if (i >= 0) != c.differs {
				t.Fatalf("found %+v", r.Findings)
			}
			if !c.differs {
				if len(r.Findings) > 0 {
					t.Errorf("found %+v", r.Findings)
				}
				return
			}
			f := r.Findings[i]
			for parameter, want := range map[string]string{"perspectives": "P1, P2", "passing": "P0", "by": "source"} {
				if got := cause.FormatValue(f.Parameters[parameter], cause.English); got != want {
					t.Errorf("%s: %q, want %q", parameter, got, want)
				}
			}
			if f.ExplainedBy != "" || f.Level != cause.Wait {
				t.Errorf("found %+v", f)
			}
		})
	}
}

// serveViews runs BIND until the test ends and returns where; p0 is what
// orchard.net has for P0, rest for others.
func serveViews(t *testing.T, p0, rest string) string {
	t.Helper()
	dir, port := t.TempDir(), freePort(t)
	zone := fmt.Sprintf(`$TTL 600
@ 3600 SOA ns1 hostmaster 7 7200 3600 1209600 300
@ 3600 NS ns1
@ 3600 NS ns2
ns1 3600 A %s
ns2 3600 A %s
@ A %s
`, lab.AddressNS1, lab.AddressNS2, lab.AddressWeb1)
	writeFile(t, filepath.Join(dir, "p0.zone"), zone+p0)
	writeFile(t, filepath.Join(dir, "rest.zone"), zone+rest)
	file := filepath.Join(dir, "named.conf")
	writeFile(t, file, fmt.Sprintf(`options {
  directory %q; pid-file none; session-keyfile none; listen-on port %d { 127.0.0.1; }; listen-on-v6 { none; };
  recursion no; dnssec-validation no; notify no;
};
controls { };
view "home" { match-clients { %s; }; zone "orchard.net" { type primary; file "p0.zone"; }; };
view "rest" { match-clients { any; }; zone "orchard.net" { type primary; file "rest.zone"; }; };
`, dir, port, lab.Source(0)))
	return startDaemon(t, exec.Command("named", "-g", "-4", "-n", "1", "-c", file), fmt.Sprintf("127.0.0.1:%d", port), "orchard.net.")
}

// reviewHome reviews the laboratory's order.
func reviewHome(t *testing.T, w *lab.World) *review.Report {
	t.Helper()
	s := lab.Scenario{Profile: "cloud", Mode: "precheck", At: lab.Clock, Order: &order.File{
		Order: order.Order{
			Product: order.DV, Names: []string{"orchard.net"}, Method: order.MethodDNS, SubmittedAt: lab.Clock.Add(-time.Hour),
		},
		Expect: map[string]order.Expectation{"orchard.net": {Value: lab.Value}},
	}}
	r, err := trial.Review(context.Background(), &s, w)
	if err != nil {
		t.Fatal(err)
	}
	r.Findings = slices.DeleteFunc(r.Findings, func(f review.Finding) bool { return f.Parameters["state"] == "stale" || f.Stage == "perspective" })
	return r
}
