package evidence_test

import (
	"math"
	"testing"
	"testing/quick"
	"time"

	"assay/evidence"
)

func TestDistance(t *testing.T) {
	t.Parallel()
	at := func(lat, lon float64) evidence.Location { return evidence.Location{Lat: lat, Lon: lon} }
	for _, c := range []struct {
		name string
		a, b evidence.Location
		km   float64
	}{
		{"the same place", at(52.37, 4.90), at(52.37, 4.90), 0},
		{"London and Paris", at(51.5074, -0.1278), at(48.8566, 2.3522), 343.6},
		{"Frankfurt and Amsterdam, closer than 500 km", at(50.1109, 8.6821), at(52.3676, 4.9041), 364.2},
		{"Singapore and Sydney, over the equator", at(1.3521, 103.8198), at(-33.8688, 151.2093), 6307.5},
		{"Suva and Apia, over the date line", at(-18.1416, 178.4419), at(-13.8333, -171.7667), 1150.7},
		{"pole to pole", at(90, 0), at(-90, 123), 20015.1},
		{"antipodes", at(10, 20), at(-10, -160), 20015.1},
		{"both at a pole", at(90, 10), at(90, -110), 0},
	} {
		if got := c.a.Distance(c.b); math.Abs(got-c.km) > max(1, c.km/1000) {
			t.Errorf("%s: %.1f km, want %.1f", c.name, got, c.km)
		}
	}
	symmetric := func(a, b, c, d uint16) bool {
		p, q := at(float64(a)/65535*180-90, float64(b)/65535*360-180), at(float64(c)/65535*180-90, float64(d)/65535*360-180)
		x, y := p.Distance(q), q.Distance(p)
		return p.Valid() && q.Valid() && math.Abs(x-y) < 1e-6 && x >= 0 && x <= 20016
	}
	if err := quick.Check(symmetric, nil); err != nil {
		t.Error(err)
	}
	for _, bad := range []evidence.Location{at(91, 0), at(0, 181), at(math.NaN(), 0), at(0, math.Inf(1))} {
		if bad.Valid() {
			t.Errorf("%v is valid", bad)
		}
	}
}

func TestPerspectiveFault(t *testing.T) {
	t.Parallel()
	for unknown, want := range map[string]string{
		"":                                       "",
		"no-ipv6":                                "",
		"perspective-timeout":                    evidence.UnknownTimeout,
		"perspective-refused: too much at once":  evidence.UnknownRefused,
		"perspective-timeouts: something else":   "",
		"the words perspective-timeout: no word": "",
	} {
		if got := (&evidence.Observation{Unknown: unknown}).PerspectiveFault(); got != want {
			t.Errorf("%q: %q, want %q", unknown, got, want)
		}
	}
}

// TestAttestationIsNoFact: two attestations of one fact have one id.
func TestAttestationIsNoFact(t *testing.T) {
	t.Parallel()
	o := evidence.Observation{
		Question: evidence.Question{Kind: evidence.KindDNS, Perspective: "P1", DNS: &evidence.DNSQuestion{Name: "orchard.net", Type: "CAA"}},
		DNS:      &evidence.DNSAnswer{Status: "NOERROR"},
	}
	a := o.Identify()
	o.Attestation = &evidence.Attestation{Nonce: "x", At: time.Unix(1, 0)}
	if b := o.Identify(); a.ID != b.ID || b.Attestation == nil {
		t.Errorf("%s and %s", a.ID, b.ID)
	}
	o.DNS.Status = "NXDOMAIN"
	if b := o.Identify(); a.ID == b.ID {
		t.Error("another fact has the same id")
	}
}
