package render_test

import (
	"flag"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"assay/cause"
	"assay/internal/message"
	"assay/internal/render"
	"assay/order"
	"assay/review"
)

var update = flag.Bool("update", false, "write the golden files anew")

// failing is a report with everything a report can show: a group of subjects,
// a consequence, levels of every kind, times, what was not asked.
func failing() *review.Report {
	retry := time.Date(2026, 11, 23, 18, 30, 0, 0, time.UTC)
	deadline := time.Date(2026, 11, 26, 7, 0, 0, 0, time.UTC)
	finding := func(level cause.Level, id cause.ID, subject string, p cause.Parameters) review.Finding {
		return review.Finding{
			ID: string(id) + "@" + subject, Cause: id, Level: level, Stage: id.Stage(), Subject: subject,
			Who: cause.Lookup(id).Who, Parameters: p,
		}
	}
	r := &review.Report{
		Version: 1, Engine: "0.1.0",
		Order: &order.Order{
			Product: order.OV, Method: order.MethodDNS, CSR: "x", Plan: "paid",
			Names: []string{"orchard.net", "www.orchard.net", "shop.orchard.net", "api.orchard.net", "mail.orchard.net", "果园.中国"},
		},
		Profile: review.ProfileRef{Name: "cloud", Version: "1"},
		Scope:   review.ScopeOrder, Mode: review.Precheck,
		At: time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC), Deadline: &deadline,
		Verdict: review.VerdictRefuse,
		Also:    []review.Other{{Profile: "baseline", Verdict: "pass"}, {Profile: "letsencrypt", Verdict: "refuse"}, {Profile: "private", Verdict: "wait"}},
		NotAsked: []review.NotAsked{
			{What: "csr", Why: "not-given", Causes: make([]cause.ID, 23)},
			{What: "records.orders", Why: "not-kept", Causes: make([]cause.ID, 2)},
			{What: "dns", Why: "offline"},
			{What: "file", Why: "offline"},
			{What: "caa", Why: "offline"},
		},
		Findings: []review.Finding{
			finding(cause.Refuse, "file.redirected", "orchard.net", cause.Parameters{
				"url": "http://orchard.net/.well-known/pki-validation/fileauth.txt", "location": "https://www.orchard.net/fileauth.txt",
			}),
			finding(cause.Refuse, "file.redirected", "www.orchard.net", cause.Parameters{
				"url": "http://www.orchard.net/.well-known/pki-validation/fileauth.txt", "location": "https://orchard.net/fileauth.txt", "hops": []string{"one", "two"},
			}),
			finding(cause.Wait, "dns.stale-cache", "shop.orchard.net", cause.Parameters{
				"zone": "orchard.net", "owner": "_dnsauth.shop.orchard.net", "type": "TXT", "resolver": "192.0.2.53", "seen": []string{"20261101abc"}, "role": "deciding", "ttl_left": 10*time.Hour + 30*time.Minute, "retry": retry,
			}),
			finding(cause.Warn, "file.missing", "evil\x1b[31m\u202egpj.orchard.net\r\n", cause.Parameters{"url": "http://x/\x07", "status": 404, "path": "/.well-known/pki-validation/fileauth.txt"}),
			finding(cause.Info, "dns.protocol-defect", "orchard.net", cause.Parameters{
				"zone": "orchard.net", "servers": []string{"ns1.orchard.net", "ns2.orchard.net"}, "type": "TXT", "owner": "_dnsauth.orchard.net", "problem": "case",
			}),
		},
	}
	r.Findings[1].ExplainedBy = ""
	r.Findings[2].RetryAt = &retry
	r.Findings[2].Reproduce = []string{"dig +norecurse @192.0.2.53 _dnsauth.shop.orchard.net TXT"}
	r.Findings[0].Evidence = []string{"o-0123456789abcdef"}
	consequence := finding(cause.Wait, "dns.value-mismatch", "shop.orchard.net", cause.Parameters{
		"owner": "_dnsauth.shop.orchard.net", "type": "TXT", "expected": "20261120xyz", "seen": []string{"20261101abc"},
	})
	consequence.ExplainedBy = r.Findings[2].ID
	r.Findings = append(r.Findings, consequence)
	return r
}

func passing() *review.Report {
	return &review.Report{
		Order:   &order.Order{Product: order.DV, Names: []string{"orchard.net"}},
		Profile: review.ProfileRef{Name: "cloud"}, Scope: review.ScopeOrder, Verdict: review.VerdictPass,
		At: time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC),
	}
}

// TestReport compares whole reports with golden files; -update writes them.
func TestReport(t *testing.T) {
	t.Parallel()
	zone := time.FixedZone("CST", 8*3600)
	for name, report := range map[string]func() *review.Report{"failing": failing, "passing": passing, "live": live, "ready": ready} {
		for _, lang := range cause.Languages() {
			for _, width := range []int{40, 60, 100} {
				t.Run(name+"/"+string(lang)+"/"+strconv.Itoa(width), func(t *testing.T) {
					t.Parallel()
					r := report()
					r.Localize(lang)
					o := render.Options{Width: width, Zone: zone, Next: []string{"assay causes file.redirected"}}
					text := message.New(lang)
					got := render.Report(r, text, o)
					golden(t, name+"."+string(lang)+"."+strconv.Itoa(width)+".txt", got)
					checkPlain(t, got, width)
					o.Color = true
					if colored := render.Report(r, text, o); uncolor(colored) != got {
						t.Error("the coloured report has other text")
					}
				})
			}
		}
	}
}

func golden(t *testing.T, file, got string) {
	t.Helper()
	path := filepath.Join("testdata", file)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s differs (run with -update where that is right):\n%s", path, got)
	}
}

// checkPlain: no line is wider than the terminal but commands to paste, and
// nothing from outside reaches the terminal as a control character.
func checkPlain(t *testing.T, text string, width int) {
	t.Helper()
	for line := range strings.SplitSeq(strings.TrimSuffix(text, "\n"), "\n") {
		if render.Width(line) > width && !strings.Contains(line, "assay ") && !strings.Contains(line, "dig ") {
			t.Errorf("%d cells: %q", render.Width(line), line)
		}
		if render.Safe(line) != line {
			t.Errorf("control characters: %q", line)
		}
	}
}

func uncolor(s string) string {
	var b strings.Builder
	for s != "" {
		before, rest, found := strings.Cut(s, "\x1b[")
		b.WriteString(before)
		if !found {
			break
		}
		_, s, _ = strings.Cut(rest, "m")
	}
	lines := strings.Split(b.String(), "\n")
	for i := range lines {
		lines[i] = strings.TrimRight(lines[i], " ")
	}
	return strings.Join(lines, "\n")
}

// TestLongText: a name of a megabyte does not make a report of a megabyte.
func TestLongText(t *testing.T) {
	t.Parallel()
	r := failing()
	r.Localize(cause.English)
	long := strings.Repeat("a", 1<<20)
	r.Order.Names[0], r.Findings[0].Subject, r.Findings[0].Explanation = long, long, long
	r.Findings[0].Handling = []string{long}
	if got := render.Report(r, message.New(cause.English), render.Options{Width: 80}); len(got) > 20_000 {
		t.Errorf("%d bytes", len(got))
	}
}

func TestSafe(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"plain":           "plain",
		"果园.中国":           "果园.中国",
		"a\x1b[31mred":    `a\x1b[31mred`,
		"\u202eevil":      `\u202eevil`,
		"a\r\nb\tc":       `a\x0d\nb\tc`,
		"zero\u200bwidth": `zero\u200bwidth`,
		"bad\xff":         `bad\xff`,
		"real\ufffd":      "real\ufffd",
		"\U000e0041":      `\U000e0041`,
		"\u0085\u007f":    `\x85\x7f`,
	} {
		if got := render.Safe(in); got != want {
			t.Errorf("Safe(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestWrap(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		in    string
		width int
		want  []string
	}{
		{"fits", "one two", 10, []string{"one two"}},
		{"at spaces", "one two three", 8, []string{"one two", "three"}},
		{"a word too long", "abcdefghijkl mn", 8, []string{"abcdefgh", "ijkl mn"}},
		{"Chinese", "证书签名请求无法读取", 8, []string{"证书签名", "请求无法", "读取"}},
		{"no mark at the start of a line", "证书签名，请求", 8, []string{"证书签", "名，请求"}},
		{"no bracket at its end", "证书签（名）请", 8, []string{"证书签", "（名）请"}},
		{"mixed", "请在 DNS 中添加记录", 10, []string{"请在 DNS", "中添加记录"}},
		{"empty", "", 10, []string{""}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got := render.Wrap(tt.in, tt.width)
			if strings.Join(got, "|") != strings.Join(tt.want, "|") {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

// FuzzWrap: nothing but spaces is lost, and no line is too wide.
func FuzzWrap(f *testing.F) {
	f.Add("one two three", 10)
	f.Add("证书 CSR，无法读取（PEM）。", 9)
	f.Add("\u0301\u0301 \U0001f468\u200d\U0001f469", 8)
	f.Fuzz(func(t *testing.T, s string, width int) {
		width = 8 + (width&0x7fffffff)%100
		s = render.Safe(s)
		lines := render.Wrap(s, width)
		if strip(strings.Join(lines, "")) != strip(s) {
			t.Fatalf("%q became %q", s, lines)
		}
		for _, l := range lines {
			if render.Width(l) > width {
				t.Fatalf("line %q is %d wide, want at most %d", l, render.Width(l), width)
			}
		}
	})
}

func strip(s string) string { return strings.ReplaceAll(s, " ", "") }

// FuzzSafe: what comes out is printable, and harmless a second time.
func FuzzSafe(f *testing.F) {
	f.Add("a\x1b]0;title\x07\u202e\xff")
	f.Fuzz(func(t *testing.T, s string) {
		got := render.Safe(s)
		if strings.ContainsAny(got, "\x1b\n\r\x07\u202e\u200b") || render.Safe(got) != got {
			t.Fatalf("Safe(%q) = %q", s, got)
		}
	})
}

// TestFindingLine: the level stands there once, with what became of the finding or alone.
func TestFindingLine(t *testing.T) {
	t.Parallel()
	f := &review.Finding{Level: cause.Refuse, Subject: "orchard.net", Title: "It is wrong"}
	for word, want := range map[string]string{"": "refuse  orchard.net: It is wrong", "new": "new refuse  orchard.net: It is wrong"} {
		p := render.NewPage(100, render.Style{}, message.New(cause.English))
		p.FindingLine(word, f, false)
		if got := p.String(); !strings.HasSuffix(strings.TrimSpace(got), want) || strings.Count(got, "refuse") != 1 {
			t.Errorf("%q: %q", word, got)
		}
	}
}
