package trial_test

import (
	"context"
	"testing"
	"time"

	"assay/evidence"
	"assay/internal/strict"
	"assay/lab"
	"assay/lab/trial"
	"assay/perspective"
)

// look starts the world that a change makes and answers one question from P0.
func look(t *testing.T, change string, q evidence.DNSQuestion) *evidence.DNSAnswer {
	t.Helper()
	place := p0(t, change)
	l := place.Begin()
	defer l.Close()
	seen := l.Answer(context.Background(), []evidence.Question{{Kind: evidence.KindDNS, Perspective: "P0", DNS: &q}})
	if seen[0].DNS == nil {
		t.Fatalf("unknown: %s", seen[0].Unknown)
	}
	return seen[0].DNS
}

func p0(t *testing.T, change string) perspective.Place {
	t.Helper()
	var c lab.Change
	if change != "" {
		if err := strict.Decode([]byte(change), &c); err != nil {
			t.Fatal(err)
		}
	}
	c.Places = lab.Strings{"P0"}
	w, err := lab.New(c, lab.Options{})
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
	places, err := trial.Places(context.Background(), w)
	if err != nil {
		t.Fatal(err)
	}
	return places[0]
}

// TestSigning: what each way of signing, right or wrong, makes of answers.
func TestSigning(t *testing.T) {
	t.Parallel()
	const signed = `sign: {}`
	for _, c := range []struct {
		name, zone     string // zone is what differs in orchard.net
		question, kind string
		want           string // status security reason
	}{
		{"right", `sign: {}`, "_dnsauth", "TXT", "NOERROR secure"},
		{"right, P-384", `sign: {algorithm: 14}`, "_dnsauth", "TXT", "NOERROR secure"},
		{"right, Ed25519", `sign: {algorithm: 15}`, "_dnsauth", "TXT", "NOERROR secure"},
		{"right, RSA", `sign: {algorithm: 8}`, "_dnsauth", "TXT", "NOERROR secure"},
		{"no data", signed, "_dnsauth", "CAA", "NOERROR secure"},
		{"no name", signed, "nothing", "TXT", "NXDOMAIN secure"},
		{"empty non-terminal", `{sign: {}, add: 'a.b TXT x'}`, "b", "TXT", "NOERROR secure"},
		{"wildcard", `{sign: {}, add: '*.w TXT x'}`, "any.w", "TXT", "NOERROR secure"},
		{"wildcard without data", `{sign: {}, add: '*.w TXT x'}`, "any.w", "CAA", "NOERROR secure"},
		{"wildcard, NSEC3", `{sign: {nsec3: {}}, add: '*.w TXT x'}`, "any.w", "TXT", "NOERROR secure"},
		{"no name, NSEC3", `sign: {nsec3: {iterations: 5, salt: beef}}`, "nothing", "TXT", "NXDOMAIN secure"},
		{"no data, NSEC3", `sign: {nsec3: {}}`, "_dnsauth", "CAA", "NOERROR secure"},
		{"no name, opt-out", `sign: {nsec3: {opt_out: true}}`, "nothing", "TXT", "NXDOMAIN insecure"},
		{"DNAME", `{sign: {}, add: ['d DNAME t', 'x.t TXT y']}`, "x.d", "TXT", "NOERROR secure"},
		{"not signed", ``, "_dnsauth", "TXT", "NOERROR insecure"},
		{"an island", `sign: {ds: absent}`, "_dnsauth", "TXT", "NOERROR insecure"},
		{"an algorithm nobody knows", `sign: {algorithm: 200}`, "_dnsauth", "TXT", "NOERROR insecure"},
		{"a DS nobody knows", `sign: {ds: unsupported}`, "_dnsauth", "TXT", "NOERROR insecure"},
		{"expired", `sign: {expired: _dnsauth TXT}`, "_dnsauth", "TXT", "bogus bogus signature-expired"},
		{"expired elsewhere", `sign: {expired: '@ A'}`, "_dnsauth", "TXT", "NOERROR secure"},
		{"not yet valid", `sign: {not_yet: all}`, "_dnsauth", "TXT", "bogus bogus signature-not-yet-valid"},
		{"without signature", `sign: {unsigned: _dnsauth TXT}`, "_dnsauth", "TXT", "bogus bogus signature-missing"},
		{"wrong signature", `sign: {corrupt: _dnsauth TXT}`, "_dnsauth", "TXT", "bogus bogus signature-invalid"},
		{"wrong DS", `sign: {ds: wrong}`, "_dnsauth", "TXT", "bogus bogus no-matching-key"},
		{"keys expired", `sign: {expired: '@ DNSKEY'}`, "_dnsauth", "TXT", "bogus bogus signature-expired"},
		{"no denial", `sign: {no_denial: true}`, "nothing", "TXT", "bogus bogus denial-unproven"},
		{"denial expired", `sign: {expired: denial}`, "nothing", "TXT", "bogus bogus signature-expired"},
		{"NSEC3 beyond measure", `sign: {nsec3: {iterations: 2500}}`, "nothing", "TXT", "NXDOMAIN insecure"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			change := ""
			if c.zone != "" {
				zone := c.zone
				if zone[0] != '{' {
					zone = "{" + zone + "}"
				}
				change = "zones: {orchard.net: " + zone + "}"
			}
			a := look(t, change, evidence.DNSQuestion{Name: c.question + ".orchard.net", Type: c.kind, Each: true})
			got := a.Status + " " + a.Security
			for _, l := range a.Links {
				if l.Reason != "" {
					got += " " + l.Reason
					break
				}
			}
			if got != c.want {
				t.Errorf("%s, want %s: %+v", got, c.want, a.Links)
			}
		})
	}
}

// TestKeyTrap: a zone made to keep validators busy costs little.
func TestKeyTrap(t *testing.T) {
	t.Parallel()
	began := time.Now()
	a := look(t, `zones: {orchard.net: {sign: {key_trap: 60}}}`, evidence.DNSQuestion{Name: "_dnsauth.orchard.net", Type: "TXT", Each: true})
	if a.Status != "bogus" || a.Links[0].Reason != evidence.ReasonTooMuchWork && a.Links[0].Reason != evidence.ReasonBadSignature {
		t.Errorf("%s %s: %+v", a.Status, a.Security, a.Links)
	}
	if d := time.Since(began); d > 5*time.Second {
		t.Errorf("it took %v", d)
	}
}
