package review

import (
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509"
	"encoding/hex"
	"fmt"
	"testing"
	"time"

	"assay/cause"
	"assay/evidence"
	"assay/lab"
	"assay/profile"
)

// pinnedBy judges a deployment of the laboratory's certificate under TLSA records.
func pinnedBy(t testing.TB, security string, records ...string) []Finding {
	t.Helper()
	c, err := lab.Deployed()
	if err != nil {
		t.Fatal(err)
	}
	p, err := profile.Named("baseline")
	if err != nil {
		t.Fatal(err)
	}
	answer := &evidence.DNSAnswer{Status: "NOERROR", Security: security}
	for _, r := range records {
		answer.Answer = append(answer.Answer, evidence.Record{Owner: "_443._tcp.orchard.net", Type: "TLSA", Data: r})
	}
	j, err := JudgeDeployment(&evidence.Deployment{Names: []string{"orchard.net"}, Leaf: c.New.Certificate[0], Chain: c.New.Certificate[1:], Root: c.Root},
		[]evidence.Observation{{Question: evidence.TLSAQuestion("P0", "orchard.net"), DNS: answer}}, p, time.Date(2026, 11, 26, 0, 0, 0, 0, time.UTC))
	if err != nil {
		t.Fatal(err)
	}
	j.Localize(cause.Chinese)
	return j.Findings
}

// TestPinned: every usage, selector and matching type of RFC 6698 7, held against
// the certificate that it is about and against one that it is not.
func TestPinned(t *testing.T) {
	t.Parallel()
	c, err := lab.Deployed()
	if err != nil {
		t.Fatal(err)
	}
	data := func(raw []byte, selector, matching int) string {
		parsed, err := x509.ParseCertificate(raw)
		if err != nil {
			t.Fatal(err)
		}
		if selector == 1 {
			raw = parsed.RawSubjectPublicKeyInfo
		}
		switch matching {
		case 1:
			sum := sha256.Sum256(raw)
			raw = sum[:]
		case 2:
			sum := sha512.Sum512(raw)
			raw = sum[:]
		}
		return hex.EncodeToString(raw)
	}
	certificates := map[string][]byte{"leaf": c.New.Certificate[0], "issuer": c.Issuing, "root": c.Root, "old": c.Old.Certificate[0]}
	for usage := range 4 {
		for selector := range 2 {
			for matching := range 3 {
				for name, raw := range certificates {
					fits := name == "leaf" && usage%2 == 1 || (name == "issuer" || name == "root") && usage%2 == 0
					record := fmt.Sprintf("%d %d %d %s", usage, selector, matching, data(raw, selector, matching))
					if found := pinnedBy(t, "secure", record); (len(found) == 0) != fits {
						t.Errorf("%s of the %s: %v", record[:5], name, found)
					}
				}
			}
		}
	}
	old := "3 1 1 " + data(c.Old.Certificate[0], 1, 1)
	for name, tt := range map[string]struct {
		security string
		records  []string
		want     int
	}{
		"not secured":        {"insecure", []string{old}, 0},
		"bogus":              {"bogus", []string{old}, 0},
		"none":               {"secure", nil, 0},
		"no usable usage":    {"secure", []string{"4 1 1 00", "255 1 1 00", "-1 1 1 00"}, 0},
		"no usable selector": {"secure", []string{"3 2 1 00"}, 0},
		"no usable type":     {"secure", []string{"3 1 3 00"}, 0},
		"not a record":       {"secure", []string{"", "3", "3 1 1", "a b c d"}, 0},
		"one is usable":      {"secure", []string{"4 1 1 00", old}, 1},
		"in capitals":        {"secure", []string{"3 1 1 " + fmt.Sprintf("%X", sha256Of(t, c.New.Certificate[0]))}, 0},
	} {
		if found := pinnedBy(t, tt.security, tt.records...); len(found) != tt.want {
			t.Errorf("%s: %v", name, found)
		}
	}
}

// sha256Of is the digest of a certificate's public key.
func sha256Of(t *testing.T, raw []byte) [32]byte {
	t.Helper()
	c, err := x509.ParseCertificate(raw)
	if err != nil {
		t.Fatal(err)
	}
	return sha256.Sum256(c.RawSubjectPublicKeyInfo)
}

// FuzzPinned: no record panics, and none is quoted at length.
func FuzzPinned(f *testing.F) {
	f.Add("3 1 1 aabb")
	f.Add("2 0 0 ")
	f.Add("3 1 1")
	f.Fuzz(func(t *testing.T, record string) {
		for _, finding := range pinnedBy(t, "secure", record) {
			for _, r := range finding.Parameters["records"].([]string) {
				if len(r) > maxPinned {
					t.Fatalf("%d bytes are quoted", len(r))
				}
			}
		}
	})
}
