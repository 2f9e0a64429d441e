package certfile_test

import (
	"crypto/x509"
	"strings"
	"testing"

	"assay/internal/certfile"
	"assay/profile"
	"assay/review"
)

// FuzzRead: no text panics, takes more than is allowed or is quoted.
func FuzzRead(f *testing.F) {
	h := newHierarchy(f, nil, "shop.orchard.net")
	full, private := certPEM(h.leaf, h.lower, h.upper), keyPEM(f, h.leaf)
	f.Add(full, private, "")
	f.Add(certPEM(h.upper, h.leaf), wide(private, true, false), certPEM(h.lower))
	f.Add(string(h.leaf.Raw), strings.ReplaceAll(private, "\n", ""), csrPEM(f, h.leaf))
	f.Add(private+full, "Proc-Type: 4,ENCRYPTED", "-----BEGIN CERTIFICATE----------END CERTIFICATE-----")
	known := []*x509.Certificate{h.lower.Certificate, h.upper.Certificate, h.root.Certificate}
	p, err := profile.Named("cloud")
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, certificate, key, chain string) {
		u := certfile.Read(certfile.Texts{Certificate: certificate, Key: key, Chain: chain}, known, now)
		if len(u.Chain) > certfile.MaxCertificates+1 {
			t.Fatalf("%d certificates", len(u.Chain))
		}
		if u.Leaf == nil && len(u.Facts.Unreadable) == 0 {
			t.Fatal("no certificate, and nothing is wrong")
		}
		j := review.JudgeUpload(&u.Facts, p, now)
		j.Localize("zh")
		for _, finding := range j.Findings {
			if seen, _ := finding.Parameters["seen"].(string); len(seen) > 64 {
				t.Fatalf("quotes %q", seen)
			}
		}
		if s := u.Set(); s != nil {
			for _, format := range certfile.Formats() {
				if format.Password == certfile.Always {
					continue // slow by intent
				}
				if _, err := s.Make(format.ID, certfile.Options{}); err != nil && len(u.Chain) > 0 && u.Root != nil && format.Password == certfile.Never {
					t.Fatalf("%s: %v", format.ID, err)
				}
			}
		}
	})
}

// FuzzReadKey: a key is read or something is said, and never both nothing.
func FuzzReadKey(f *testing.F) {
	h := newHierarchy(f, nil, "shop.orchard.net")
	f.Add(keyPEM(f, h.leaf))
	f.Add(certPEM(h.leaf))
	f.Fuzz(func(t *testing.T, text string) {
		if k, problem := certfile.ReadKey(text); k == nil && problem == nil {
			t.Fatal("neither key nor problem")
		}
	})
}
