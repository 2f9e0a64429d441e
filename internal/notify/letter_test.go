package notify

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"

	"assay/cause"
	"assay/internal/message"
	"assay/order"
	"assay/review"
)

func letter(e Event) *Letter {
	at := time.Date(2026, 11, 26, 8, 0, 0, 0, time.UTC)
	return &Letter{
		ID: "e1.c1", Event: e, At: at, Role: "applicant", Tenant: "root", Account: "shop", Order: "A1", Name: "www.orchard.net", Names: 2, State: "pending",
		Deadline: at.Add(72 * time.Hour), Link: "https://assay.orchard.net/orders/A1",
		Findings: []review.Finding{{
			ID: "dns.record-missing@orchard.net", Cause: cause.DNSRecordMissing, Level: cause.Wait, Subject: "orchard.net", Who: cause.DNSProvider,
			Parameters: cause.Parameters{
				"type": "TXT", "owner": "_dnsauth.orchard.net", "host": "_dnsauth", "zone": "orchard.net", "rcode": "NXDOMAIN", "expected": "202611260800004t8",
			},
		}},
	}
}

// TestLetter: every event has words in both languages, with the finding's text and
// what to do.
func TestLetter(t *testing.T) {
	t.Parallel()
	for _, lang := range cause.Languages() {
		p := message.New(lang)
		texts := cause.TextsOf(cause.DNSRecordMissing, lang)
		for _, e := range append(Events(), Test) {
			for _, id := range []string{".subject", ".lead"} {
				if !p.Has("notice." + string(e) + id) {
					t.Errorf("%s: no words for %s%s", lang, e, id)
				}
			}
			m, err := letter(e).Write(p)
			if err != nil {
				t.Fatal(err)
			}
			for part, text := range map[string]string{"text": m.Text, "HTML": html.UnescapeString(m.HTML)} {
				for _, want := range []string{texts.Title, "_dnsauth", "202611260800004t8", p.Text("notice.todo"), p.Text("who.dns-provider"), "2026-11-29 08:00 UTC", "/orders/A1"} {
					if !strings.Contains(text, want) {
						t.Errorf("%s %s: the %s lacks %q:\n%s", lang, e, part, want, text)
					}
				}
			}
			var body payload
			if err := json.Unmarshal(m.Payload, &body); err != nil || body.Type != e || body.Data.Findings[0].Title != texts.Title || body.Data.Order != "A1" {
				t.Errorf("%s, %v", m.Payload, err)
			}
			if strings.Contains(m.Text+m.HTML+m.Subject, "{{") || strings.Contains(m.Text, "notice.") {
				t.Errorf("%s %s: something is not filled in:\n%s", lang, e, m.Text)
			}
		}
	}
}

// TestLetterEscapes: what comes from outside is text, in each part.
func TestLetterEscapes(t *testing.T) {
	t.Parallel()
	const evil = "<script>alert(1)</script>\x1b[31m\r\n.\r\nBcc: x\u202e"
	l := letter(OrderRefused)
	l.Name, l.Account, l.Note, l.Order, l.Link = evil, evil, evil, evil, "javascript:alert(1)"
	l.Findings[0].Subject = evil
	l.Findings[0].Parameters["owner"] = evil
	m, err := l.Write(message.New(cause.English))
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(m.HTML, "<script") || strings.Contains(m.HTML, "javascript:alert") {
		t.Error(m.HTML)
	}
	for _, bad := range []string{"\x1b", "\r", "\n.\n", "\u202e"} {
		if strings.Contains(m.Subject+m.Text+m.HTML, bad) {
			t.Errorf("%q passes", bad)
		}
	}
	if strings.Contains(m.Subject, "\n") {
		t.Errorf("%q", m.Subject)
	}
}

// TestLetterFindings: the gravest are spelled out, consequences of others are not.
func TestLetterFindings(t *testing.T) {
	t.Parallel()
	l := letter(OrderFindings)
	folded, info := l.Findings[0], l.Findings[0]
	folded.ExplainedBy, folded.Subject = "x", "folded.orchard.net"
	info.Level, info.Subject = cause.Info, "info.orchard.net"
	for range maxFindings + 2 {
		l.Findings = append(l.Findings, l.Findings[0])
	}
	l.Findings = append([]review.Finding{folded, info}, l.Findings...)
	m, err := l.Write(message.New(cause.English))
	if err != nil || strings.Contains(m.Text, "folded.") || strings.Contains(m.Text, "info.orchard") || !strings.Contains(m.Text, "3 more findings") {
		t.Errorf("%v\n%s", err, m.Text)
	}
}

// TestLetterCertificate: what is said of a certificate fits it: one that was uploaded is
// renewed elsewhere and has no order, and who decides on a letter is told how.
func TestLetterCertificate(t *testing.T) {
	t.Parallel()
	ends := time.Date(2027, 1, 2, 3, 4, 5, 0, time.UTC)
	for _, lang := range cause.Languages() {
		p := message.New(lang)
		for _, e := range Events() {
			if !strings.HasPrefix(string(e), "certificate.") {
				continue
			}
			for _, order := range []string{"", "C1"} {
				for _, role := range []string{"applicant", "reviewer"} {
					l := letter(e)
					l.Order, l.Certificate, l.Ends, l.Role, l.Link = order, "C1", ends, role, ""
					m, err := l.Write(p)
					if err != nil {
						t.Fatal(err)
					}
					all := m.Text + html.UnescapeString(m.HTML)
					if strings.Contains(all, "<no value>") || strings.Contains(all, "notice.") || strings.Contains(all, "assay order show") {
						t.Errorf("%s %s: %s", lang, e, m.Text)
					}
					if !strings.Contains(m.Text, "assay cert show C1") || !strings.Contains(m.Text, "2027-01-02 03:04 UTC") {
						t.Errorf("%s %s: %s", lang, e, m.Text)
					}
					if e == CertificateEnding && strings.Contains(m.Text, "cert renew") != (order != "") {
						t.Errorf("%s %s, order %q: %s", lang, e, order, m.Text)
					}
					if e == RevocationAsked && strings.Contains(m.Text, "cert confirm C1") != (role == "reviewer") {
						t.Errorf("%s %s to a %s: %s", lang, e, role, m.Text)
					}
					var body payload
					if err := json.Unmarshal(m.Payload, &body); err != nil || body.Data.Certificate != "C1" || body.Data.Order != order || body.Data.Ends == nil || !body.Data.Ends.Equal(ends) {
						t.Errorf("%s, %v", m.Payload, err)
					}
				}
			}
		}
	}
}

// TestLetterOverdue: an order whose deadline is over can be submitted again once it has
// failed, and not while another CA may be issuing for it.
func TestLetterOverdue(t *testing.T) {
	t.Parallel()
	for lang, again := range map[cause.Language]string{cause.English: "submit it again", cause.Chinese: "重新提交"} {
		for _, state := range []order.State{order.StateFailed, order.StateCancelling} {
			l := letter(OrderExpired)
			l.State = string(state)
			m, err := l.Write(message.New(lang))
			if err != nil || strings.Contains(m.Text, again) != (state == order.StateFailed) {
				t.Errorf("%s %s: %v\n%s", lang, state, err, m.Text)
			}
		}
	}
}
