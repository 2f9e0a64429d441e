package trial

import (
	"slices"
	"testing"
	"time"

	"assay"
	"assay/evidence"
	"assay/internal/strict"
	"assay/lab"
	"assay/order"
	"assay/perspective"
	"assay/probe"
	"assay/profile"
	"assay/review"
)

// TestPort53Closed: a place that reaches nothing on port 53 and has a resolver
// over HTTPS. The record is seen through it and validated here; what needs each
// server is listed as not asked and never passes where a profile wants it.
func TestPort53Closed(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change, profile string
		want            review.Verdict
		security        string
	}{
		"unsigned, every server wanted": {"", "cloud", review.VerdictUnknown, "insecure"},
		"signed":                        {"zones: {orchard.net: {sign: {}}}\n", "baseline", "", "secure"},
		"expired":                       {"zones: {orchard.net: {sign: {expired: '_dnsauth TXT'}}}\n", "cloud", "", "bogus"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			report := throughHTTPS(t, c.change, c.profile)
			if c.want != "" && report.Verdict != c.want {
				t.Errorf("verdict %s, want %s", report.Verdict, c.want)
			}
			missing := slices.ContainsFunc(report.Findings, func(f review.Finding) bool { return f.Cause == "dns.record-missing" })
			bogus := slices.ContainsFunc(report.Findings, func(f review.Finding) bool { return f.Cause == "dns.dnssec-bogus" })
			if missing || bogus != (c.security == "bogus") {
				t.Errorf("findings: %+v", report.Findings)
			}
			// Where the answer does not validate, that decides before any server does.
			if c.security != "bogus" && !slices.ContainsFunc(report.NotAsked, func(n review.NotAsked) bool { return n.What == "servers" && n.Why == "no-port-53" }) {
				t.Errorf("not asked: %+v", report.NotAsked)
			}
			seen := slices.ContainsFunc(report.Observations, func(o evidence.Observation) bool {
				q := o.Question.DNS
				return q != nil && q.Name == "_dnsauth.orchard.net" && q.Type == "TXT" && o.DNS != nil && o.DNS.Security == c.security && !o.DNS.AuthenticatedData
			})
			if !seen {
				t.Errorf("no %s answer among the observations", c.security)
			}
		})
	}
}

func throughHTTPS(t *testing.T, change, profileName string) *review.Report {
	t.Helper()
	var ch lab.Change
	if err := strict.Decode([]byte(change+"resolvers: {r1: {}}\nperspectives: {P0: {resolver: r1, https: true}}"), &ch); err != nil {
		t.Fatal(err)
	}
	w, err := lab.New(ch, lab.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.Close(); err != nil {
			t.Error(err)
		}
	})
	config := Config(w.Probe(0))
	for e := range config.DNS.Dialer.Map {
		if e.Port() == 53 {
			delete(config.DNS.Dialer.Map, e)
		}
	}
	prober, err := probe.New(config)
	if err != nil {
		t.Fatal(err)
	}
	place := perspective.NewLocal(prober)
	place.SelfTest(t.Context())
	p, err := profile.Named(profileName)
	if err != nil {
		t.Fatal(err)
	}
	file := order.File{Order: order.Order{Names: []string{"orchard.net"}, Method: order.MethodDNS}, Expect: map[string]order.Expectation{"orchard.net": {Value: lab.Value}}}
	report, err := (&assay.Reviewer{
		Profile: p, Records: records{}, Now: func() time.Time { return lab.Clock }, Places: []perspective.Place{place},
	}).Review(t.Context(), file.Resolve())
	if err != nil {
		t.Fatal(err)
	}
	return report
}
