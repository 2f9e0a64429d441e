package trial_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"assay/evidence"
	"assay/lab"
	"assay/lab/trial"
)

// TestHostile: worlds made to harm cost no more than a review's bounds, and what
// was seen of them is text that a terminal can show.
func TestHostile(t *testing.T) {
	t.Parallel()
	worlds, err := lab.Hostile()
	if err != nil {
		t.Fatal(err)
	}
	if len(worlds) < 20 {
		t.Errorf("only %d worlds", len(worlds))
	}
	for name, change := range worlds {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			change.Places = lab.Strings{"P0"}
			w, err := lab.New(change, lab.Options{})
			if err != nil {
				t.Fatal(err)
			}
			if err := w.Start(); err != nil {
				t.Fatal(err)
			}
			defer w.Close()
			ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
			defer cancel()
			places, err := trial.Places(ctx, w)
			if err != nil {
				t.Fatal(err)
			}
			l := places[0].Begin()
			defer l.Close()
			for range 2 {
				seen := l.Answer(ctx, []evidence.Question{
					question("_dnsauth.orchard.net", "TXT"), question("orchard.net", "CAA"), question("_dnsauth.orchard.net", "CNAME"),
					{Kind: evidence.KindDNS, DNS: &evidence.DNSQuestion{Name: "orchard.net", Type: "TXT", Random: true, Each: true}},
					{Kind: evidence.KindDNS, DNS: &evidence.DNSQuestion{Name: "orchard.net", Type: "NS", Apex: true, Each: true}},
				})
				raw, err := json.Marshal(seen)
				if err != nil {
					t.Fatal(err)
				}
				if len(raw) > 2<<20 {
					t.Errorf("the observations have %d bytes", len(raw))
				}
				if strings.Contains(string(raw), "forged") {
					t.Errorf("a forged answer was taken: %s", raw)
				}
				for _, o := range seen {
					checkPlain(t, o)
				}
			}
			if err := ctx.Err(); err != nil {
				t.Error("it takes more than a minute")
			}
		})
	}
}

func question(name, qtype string) evidence.Question {
	return evidence.Question{Kind: evidence.KindDNS, DNS: &evidence.DNSQuestion{Name: name, Type: qtype, Each: true}}
}

// checkPlain: no byte of an observation commands a terminal.
func checkPlain(t *testing.T, o evidence.Observation) {
	t.Helper()
	for _, r := range fmt.Sprintf("%+v %+v", o, o.DNS) {
		if r < ' ' && r != '\n' || r == 0x7f || r >= 0x80 && r < 0xa0 {
			t.Errorf("a control character %U in %+v", r, o.DNS)
			return
		}
	}
}
