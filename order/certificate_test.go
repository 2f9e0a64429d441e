package order

import (
	"slices"
	"testing"

	"pgregory.net/rapid"
)

func certificateActions() []CertificateAction {
	return []CertificateAction{
		CertificateIssue, CertificateRevoke, CertificateLetter, CertificateRevokeFail, CertificateRevokeDone, CertificateExpire,
	}
}

// TestCertificateTable transcribes the life of a certificate in the cloud (its
// numbers 1, 3, 9, 10, 12), with one addition: time also ends a certificate
// while its revocation is under way.
func TestCertificateTable(t *testing.T) {
	t.Parallel()
	number := map[CertificateState]int{"": 0}
	for _, s := range CertificateStates() {
		number[s] = Standing{Order: StateIssued, Certificate: s}.CloudStatus()
	}
	want := map[[2]int]bool{
		{0, 1}: true, // issued
		{1, 9}: true, {1, 12}: true, {12, 9}: true, {9, 10}: true, {9, 1}: true, {1, 3}: true,
		{12, 1}: true,                // no letter in time: a failed revocation too
		{9, 3}:  true, {12, 3}: true, // the addition
	}
	got := map[[2]int]bool{}
	for _, tr := range CertificateTransitions() {
		step := [2]int{number[tr.From], number[tr.To]}
		if got[step] || !want[step] {
			t.Errorf("%+v is %v", tr, step)
		}
		got[step] = true
	}
	if len(got) != len(want) {
		t.Errorf("%v, want %v", got, want)
	}
	for _, s := range append(CertificateStates(), "") {
		for _, a := range certificateActions() {
			to, ok := s.Next(a)
			if ok != slices.ContainsFunc(certificateTransitions, func(tr CertificateTransition) bool { return tr.From == s && tr.Action == a }) ||
				ok && !slices.Contains(certificateTransitions, CertificateTransition{s, a, to}) || !ok && to != s {
				t.Errorf("%q %s: %s %v", s, a, to, ok)
			}
		}
	}
}

// TestCertificateWalk: revoked and expired are the end, nothing is revoked that
// nobody asked to revoke, and an identity product not before its letter.
func TestCertificateWalk(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		product := rapid.SampledFrom([]Product{DV, OV, EV}).Draw(t, "product")
		var at CertificateState
		asked, letter := false, false
		for _, a := range rapid.SliceOfN(rapid.SampledFrom(certificateActions()), 1, 30).Draw(t, "actions") {
			to, ok := at.Next(a)
			if !ok {
				continue
			}
			if at == CertificateRevoked || at == CertificateExpired {
				t.Fatalf("%s after %s", a, at)
			}
			switch a {
			case CertificateRevoke:
				to, asked = RevokeTo(product), true
				if !slices.Contains(certificateTransitions, CertificateTransition{at, a, to}) {
					t.Fatalf("RevokeTo leads to %s", to)
				}
			case CertificateLetter:
				letter = true
			case CertificateRevokeFail:
				asked, letter = false, false
				if to != CertificateValid {
					t.Fatalf("a failed revocation leaves %s", to)
				}
			}
			if at = to; at == CertificateRevoked && (!asked || product != DV && !letter) {
				t.Fatalf("revoked a %s certificate, asked %v, letter %v", product, asked, letter)
			}
		}
	})
}
