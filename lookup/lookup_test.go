package lookup_test

import (
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"assay/evidence"
	"assay/lookup"
	"assay/order"
)

var (
	at  = time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC)
	nov = time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
)

func write(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func open(t *testing.T, c lookup.Config) *lookup.Source {
	t.Helper()
	s, err := lookup.Open(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func input(t *testing.T, s *lookup.Source, name string) evidence.Input {
	t.Helper()
	for _, i := range s.Answer(evidence.LookupQuestion{Topic: evidence.TopicInputs}, at).Lookup.Inputs {
		if i.Name == name {
			return i
		}
	}
	t.Fatalf("no input %q", name)
	return evidence.Input{}
}

func hits(t *testing.T, s *lookup.Source, q evidence.LookupQuestion) []evidence.Hit {
	t.Helper()
	o := s.Answer(q, at)
	if o.Lookup == nil || o.Lookup.Absent {
		t.Fatalf("no answer: %+v", o)
	}
	return o.Lookup.Hits
}

// TestNothingConfigured: what nobody set up is absent, never "found nothing",
// and costs no hashing.
func TestNothingConfigured(t *testing.T) {
	t.Parallel()
	s := open(t, lookup.Config{})
	for _, topic := range []evidence.Topic{
		evidence.TopicKeys, evidence.TopicNames, evidence.TopicParties, evidence.TopicOrders, evidence.TopicAccount,
		evidence.TopicCertificate, evidence.TopicClaims, evidence.TopicCalls, evidence.TopicLetters,
		evidence.TopicPeople, evidence.TopicApprovals, evidence.TopicChecks, "a-later-topic",
	} {
		o := s.Answer(evidence.LookupQuestion{Topic: topic, Order: "A1"}, at)
		if o.Lookup == nil || !o.Lookup.Absent || o.Question.Lookup.Topic != topic || !o.At.Equal(at) {
			t.Errorf("%s: %+v", topic, o)
		}
		if topic != "a-later-topic" && (o.ID == "" || o.ID != o.Identify().ID) {
			t.Errorf("%s: the shared observation has id %q", topic, o.ID)
		}
	}
	for _, name := range []string{"keys.compromised", "keys.debian", "names.blocked", "names.unsafe", "parties.denied"} {
		if i := input(t, s, name); i.Configured || i.Error != "" {
			t.Errorf("%s: %+v", name, i)
		}
	}
}

// TestSharedAnswers: what is the same for every order costs nothing.
func TestSharedAnswers(t *testing.T) {
	s := open(t, lookup.Config{})
	for _, topic := range []evidence.Topic{evidence.TopicInputs, evidence.TopicOrders, evidence.TopicChecks} {
		q := evidence.LookupQuestion{Topic: topic, Names: []string{"a.test"}}
		if n := testing.AllocsPerRun(100, func() { s.Answer(q, at) }); n > 0 {
			t.Errorf("%s: a shared answer allocates %v times", topic, n)
		}
	}
}

// TestUnreadableLists: each way a list cannot be read is an error of the input
// that names the file and the line, not its directory.
func TestUnreadableLists(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, input, file, text, want string }{
		{"missing", "keys.compromised", "", "", "no such file"},
		{"short digest", "keys.compromised", "k.txt", "# date: 2026-11-01\nabcd\n", "k.txt: line 2: want the 64"},
		{"bad date", "keys.compromised", "k.txt", "# date: last week\n", "k.txt: line 1: the date"},
		{"SHA-1 in the Debian list", "keys.debian", "d.txt", strings.Repeat("a", 40), "d.txt: line 1: want 20"},
		{"prefix with host bits", "names.blocked", "b.txt", "192.0.2.1/24", "192.0.2.0/24 is meant"},
		{"two words for a host", "names.unsafe", "u.txt", "evil host.example", "line 1"},
		{"not a name", "names.blocked", "b.txt", "a..b", "is no host name"},
		{"no header", "parties.denied", "p.csv", "Acme,US\n", "unknown column"},
		{"long country", "parties.denied", "p.csv", "name,country\nAcme,USA\n", "line 2: the country"},
		{"empty csv", "parties.denied", "p.csv", "", "first line"},
		{"broken database", "keys.debian", "d.db", "SQLite format 3\x00garbage", "d.db: "},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "absent.txt")
			if c.file != "" {
				path = write(t, c.file, c.text)
			}
			var cfg lookup.Config
			for name, field := range map[string]*[]string{
				"keys.compromised": &cfg.CompromisedKeys, "keys.debian": &cfg.DebianKeys, "names.blocked": &cfg.BlockedNames,
				"names.unsafe": &cfg.UnsafeNames, "parties.denied": &cfg.DeniedParties,
			} {
				if name == c.input {
					*field = []string{path}
				}
			}
			i := input(t, open(t, cfg), c.input)
			if !i.Configured || !strings.Contains(i.Error, c.want) || strings.Contains(i.Error, filepath.Dir(path)) {
				t.Errorf("%+v, want an error with %q and without the directory", i, c.want)
			}
		})
	}
}

const (
	spki     = "1111111111111111111111111111111111111111111111111111111111111111"
	keyprint = "2222222222222222222222222222222222222222222222222222222222222222"
	modulus  = "333333333333333333333333333333333333333333333333333333333333333a"
)

func TestCompromisedKeys(t *testing.T) {
	t.Parallel()
	text := write(t, "exposed.txt", "# exposed keys\n# date: 2026-11-01\n"+spki+" found on a forum\n"+strings.ToUpper(modulus)+"\n")
	db := write(t, "exposed.db", "")
	fillDatabase(t, db, `CREATE TABLE compromised_keys (sha256 TEXT PRIMARY KEY, reason TEXT, date TEXT)`,
		`CREATE TABLE list_info (name TEXT PRIMARY KEY, value TEXT)`, `INSERT INTO list_info VALUES ('date', '2026-11-01')`,
		`INSERT INTO compromised_keys VALUES ('`+keyprint+`', 'reported', '2026-10-02'), (x'`+modulus+`', NULL, NULL)`)
	hit := func(entry, reason string, date time.Time) evidence.Hit {
		return evidence.Hit{List: "keys.compromised", Kind: "compromised", Entry: entry, Match: "exact", Reason: reason, Date: date}
	}
	s := open(t, lookup.Config{CompromisedKeys: []string{text, db}})
	for _, c := range []struct {
		name string
		q    evidence.LookupQuestion
		want []evidence.Hit
	}{
		{"by key info in text", evidence.LookupQuestion{SPKISHA256: spki}, []evidence.Hit{hit(spki, "found on a forum", nov)}},
		{"by keyprint in the database", evidence.LookupQuestion{Keyprint: keyprint}, []evidence.Hit{hit(keyprint, "reported", time.Date(2026, 10, 2, 0, 0, 0, 0, time.UTC))}},
		{"upper case in text, bytes in the database", evidence.LookupQuestion{Keyprint: modulus}, []evidence.Hit{hit(modulus, "", nov), hit(modulus, "", nov)}},
		{"another key", evidence.LookupQuestion{SPKISHA256: keyprint[:63] + "1", Keyprint: spki[:63] + "0"}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.q.Topic = evidence.TopicKeys
			if diff := cmp.Diff(c.want, hits(t, s, c.q), cmpopts.EquateEmpty()); diff != "" {
				t.Error(diff)
			}
		})
	}
	if i := input(t, s, "keys.compromised"); i.Entries != 4 || !i.Date.Equal(nov) || len(i.SHA256) != 64 || i.Error != "" {
		t.Errorf("%+v", i)
	}
}

func fillDatabase(t *testing.T, path string, statements ...string) {
	t.Helper()
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for _, s := range statements {
		if _, err := db.Exec(s); err != nil {
			t.Fatal(err)
		}
	}
}

func TestDebianKeys(t *testing.T) {
	t.Parallel()
	q := evidence.LookupQuestion{
		Topic: evidence.TopicKeys, ModulusSHA256: modulus, ModulusBits: 2048,
		VulnkeySHA1: "00000000000000000000" + "0123456789abcdef0123",
	}
	db := write(t, "dwklint.db", "")
	fillDatabase(t, db, `CREATE TABLE debian_weak_modulus_2048 (SHA256_FINGERPRINT BLOB PRIMARY KEY)`, `INSERT INTO debian_weak_modulus_2048 VALUES (x'`+modulus+`')`)
	for _, c := range []struct{ name, path, entry string }{
		{"database of dwklint", db, modulus},
		{"digests of moduli", write(t, "d.txt", modulus), modulus},
		{"openssl-vulnkey", write(t, "blacklist.RSA-2048", "# Date: 2026-11-01\n0123456789abcdef0123\n"), "0123456789abcdef0123"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := open(t, lookup.Config{DebianKeys: []string{c.path}})
			got := hits(t, s, q)
			if len(got) != 1 || got[0].Entry != c.entry || got[0].Kind != "debian-weak" || got[0].List != "keys.debian" {
				t.Errorf("%+v", got)
			}
			other := q
			other.ModulusSHA256, other.VulnkeySHA1 = spki, strings.Repeat("f", 40)
			if got := hits(t, s, other); len(got) > 0 {
				t.Errorf("another key: %+v", got)
			}
		})
	}
	// A database without a table for this size has not looked.
	s := open(t, lookup.Config{DebianKeys: []string{db}})
	q.ModulusBits = 3072
	if o := s.Answer(q, at); !strings.Contains(o.Unknown, "3072") {
		t.Errorf("%+v", o)
	}
	// EC keys and keys too long for the rule are not looked for.
	for _, bits := range []int{0, 16384} {
		q.ModulusBits = bits
		if o := s.Answer(q, at); o.Unknown != "" {
			t.Errorf("%d bits: %+v", bits, o)
		}
	}
}

func TestBlockedNames(t *testing.T) {
	t.Parallel()
	s := open(t, lookup.Config{BlockedNames: []string{write(t, "blocked.txt", `# date: 2026-11-01
www.orchard.net   famous name
.corp.example	internal
.sub.corp.example
192.0.2.0/24 ours
2001:db8::1
*.fixed.example
Bücher.example
`)}})
	for name, want := range map[string]string{
		"www.orchard.net":       "exact www.orchard.net famous name",
		"orchard.net":           "",
		"a.www.orchard.net":     "",
		"*.orchard.net":         "covers www.orchard.net famous name",
		"*.net":                 "",
		"*.www.orchard.net":     "",
		"corp.example":          "suffix .corp.example internal",
		"a.b.corp.example":      "suffix .corp.example internal",
		"a.sub.corp.example":    "suffix .sub.corp.example ",
		"*.corp.example":        "suffix .corp.example internal",
		"notcorp.example":       "",
		"*.example":             "covers .corp.example internal",
		"192.0.2.77":            "prefix 192.0.2.0/24 ours",
		"192.0.3.1":             "",
		"2001:db8::1":           "prefix 2001:db8::1/128 ",
		"2001:db8::2":           "",
		"*.fixed.example":       "exact *.fixed.example ",
		"a.fixed.example":       "",
		"xn--bcher-kva.example": "exact xn--bcher-kva.example ",
	} {
		t.Run(name, func(t *testing.T) {
			got := ""
			for _, h := range hits(t, s, evidence.LookupQuestion{Topic: evidence.TopicNames, Names: []string{name}}) {
				if h.Subject != name || h.Kind != "blocked" || h.List != "names.blocked" || !h.Date.Equal(nov) {
					t.Errorf("%+v", h)
				}
				got += h.Match + " " + h.Entry + " " + h.Reason
			}
			if got != want {
				t.Errorf("got %q, want %q", got, want)
			}
		})
	}
}

func TestUnsafeNames(t *testing.T) {
	t.Parallel()
	s := open(t, lookup.Config{UnsafeNames: []string{write(t, "feed.txt", `# date: 2026-11-01
0.0.0.0 evil.example two.example # comment
127.0.0.1 localhost
http://user@Phish.example:8080/login?x=http://good.example/
https://[2001:db8::9]:444/x
ad_server.example
listed.co.uk
198.51.100.7
`)}})
	for name, want := range map[string]string{
		"evil.example": "evil.example", "two.example": "two.example", "*.evil.example": "evil.example",
		"phish.example": "http://user@Phish.example:8080/login?x=http://good.example/",
		"good.example":  "", "localhost": "", "ad_server.example": "ad_server.example",
		"deep.below.evil.example": "evil.example", "a.b.listed.co.uk": "listed.co.uk", "listed.co.uk": "listed.co.uk", "co.uk": "",
		"2001:db8::9": "https://[2001:db8::9]:444/x", "198.51.100.7": "198.51.100.7",
	} {
		got := ""
		for _, h := range hits(t, s, evidence.LookupQuestion{Topic: evidence.TopicNames, Names: []string{name}}) {
			got += h.Entry
		}
		if got != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
}

func TestDeniedParties(t *testing.T) {
	t.Parallel()
	s := open(t, lookup.Config{
		DeniedParties: []string{write(t, "denied.csv", "# date: 2026-11-01\nname,country,reason,date\n\"Foo, Inc.\",US,embargo,2026-03-01\n测试有限公司,,fraud,\n")},
		Records:       &lookup.Records{Parties: []evidence.Hit{{Kind: "rejected", Entry: ".bad.example"}, {Kind: "revoked", Entry: keyprint}}},
	})
	for _, c := range []struct {
		name string
		q    evidence.LookupQuestion
		want string
	}{
		{"spelled otherwise", evidence.LookupQuestion{Organization: "FOO  Inc", Country: "US"}, "denied embargo 2026-03-01;"},
		{"other country", evidence.LookupQuestion{Organization: "Foo Inc", Country: "CA"}, ""},
		{"country not given", evidence.LookupQuestion{Organization: "Foo Inc"}, "denied embargo 2026-03-01;"},
		{"Chinese", evidence.LookupQuestion{Organization: "测试 有限公司", Country: "CN"}, "denied fraud 2026-11-01;"},
		{"longer name", evidence.LookupQuestion{Organization: "Foo Incubator"}, ""},
		{"own case by name", evidence.LookupQuestion{Names: []string{"a.bad.example"}}, "rejected  0001-01-01;"},
		{"own case by key", evidence.LookupQuestion{Keyprint: keyprint}, "revoked  0001-01-01;"},
		{"nobody", evidence.LookupQuestion{}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.q.Topic = evidence.TopicParties
			got := ""
			for _, h := range hits(t, s, c.q) {
				got += h.Kind + " " + h.Reason + " " + h.Date.Format(time.DateOnly) + ";"
			}
			if got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

// TestRecordsKept: a field given, even empty, is kept; one not given is absent.
func TestRecordsKept(t *testing.T) {
	t.Parallel()
	r, err := lookup.ParseRecords([]byte("orders: []\nchecks: {}\ncalls:\nclaims: []\naccount: {id: a1}\nreviews: []\nkeys: []\n"))
	if err != nil {
		t.Fatal(err)
	}
	s := open(t, lookup.Config{Records: r})
	kept := map[evidence.Topic]bool{
		evidence.TopicOrders: true, evidence.TopicChecks: true, evidence.TopicClaims: true, evidence.TopicAccount: true,
		evidence.TopicPeople: true, evidence.TopicKeys: true,
		evidence.TopicCalls: false, evidence.TopicLetters: false, evidence.TopicCertificate: false,
		evidence.TopicApprovals: false, evidence.TopicNames: false, evidence.TopicParties: false,
	}
	for topic, want := range kept {
		if got := !s.Answer(evidence.LookupQuestion{Topic: topic, Account: "a1"}, at).Lookup.Absent; got != want {
			t.Errorf("%s: kept = %v, want %v", topic, got, want)
		}
	}
	if !s.Answer(evidence.LookupQuestion{Topic: evidence.TopicAccount, Account: "a2"}, at).Lookup.Absent {
		t.Error("the state of one account answers for another")
	}
}

func TestRecordsRefused(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, text, want string }{
		{"unknown field", "order: []", `did you mean "orders"`},
		{"time without offset", "checks: {last_manual: 2026-11-23T08:00:00}", "no offset"},
		{"wrong shape", "orders: {order: A1}", "must be a list"},
	} {
		if _, err := lookup.ParseRecords([]byte(c.text)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
	}
	if _, err := lookup.ParseRecords(make([]byte, lookup.MaxRecordsBytes+1)); err == nil {
		t.Error("a document over the bound is read")
	}
}

func TestOrders(t *testing.T) {
	t.Parallel()
	day := func(n int) time.Time { return at.AddDate(0, 0, -n) }
	s := open(t, lookup.Config{Records: &lookup.Records{Orders: []lookup.Order{
		{PastOrder: evidence.PastOrder{Order: "A1", Account: "a1", SubmittedAt: day(9), Names: []string{"WWW.orchard.net."}, CSRSHA256: spki, Values: []string{"v1"}}},
		{PastOrder: evidence.PastOrder{Order: "B1", Account: "b1", SubmittedAt: day(5), Names: []string{"www.orchard.net", "other.test"}, Keyprint: strings.ToUpper(keyprint), CSRSHA256: modulus, Values: []string{"v2"}, Validated: true}},
		{PastOrder: evidence.PastOrder{Order: "A2", Account: "a1", SubmittedAt: day(3), Names: []string{"unrelated.test"}, Free: true}},
		{PastOrder: evidence.PastOrder{Order: "C1", Account: "c1", SubmittedAt: day(1), Names: []string{"elsewhere.test"}}},
	}}})
	got := s.Answer(evidence.LookupQuestion{Topic: evidence.TopicOrders, Account: "a1", Names: []string{"www.orchard.net"}, CSRSHA256: spki, Keyprint: keyprint}, at).Lookup.Orders
	want := []evidence.PastOrder{
		{Order: "A2", Account: "a1", Own: true, SubmittedAt: day(3), Names: []string{"unrelated.test"}, Free: true},
		{SubmittedAt: day(5), Names: []string{"www.orchard.net"}, Partial: true, Keyprint: keyprint, Validated: true},
		{Order: "A1", Account: "a1", Own: true, SubmittedAt: day(9), Names: []string{"www.orchard.net"}, CSRSHA256: spki, Values: []string{"v1"}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	// The order itself is no earlier order.
	got = s.Answer(evidence.LookupQuestion{Topic: evidence.TopicOrders, Order: "A1", Account: "a1", CSRSHA256: spki}, at).Lookup.Orders
	if len(got) != 1 || got[0].Order != "A2" {
		t.Errorf("%+v", got)
	}
}

// TestOrdersOfADomain: what lies under the registrable domain of a name is
// found, by the ICANN section of the public suffix list and by all of it; a
// stranger's other names and domains stay hidden.
func TestOrdersOfADomain(t *testing.T) {
	t.Parallel()
	s := open(t, lookup.Config{Records: &lookup.Records{Orders: []lookup.Order{
		{PastOrder: evidence.PastOrder{Order: "B1", Account: "b1", IssuedAt: nov, Names: []string{"*.shop.orchard.co.uk", "secret.test"}, Free: true}},
		{PastOrder: evidence.PastOrder{Order: "B2", Account: "b1", IssuedAt: nov, Names: []string{"neighbour.co.uk"}}},
		{PastOrder: evidence.PastOrder{Order: "B3", Account: "b1", IssuedAt: nov, Names: []string{"myorchard.co.uk"}}},
	}}})
	got := s.Answer(evidence.LookupQuestion{Topic: evidence.TopicOrders, Account: "a1", Names: []string{"www.orchard.co.uk"}}, at).Lookup.Orders
	want := []evidence.PastOrder{{IssuedAt: nov, Names: []string{"orchard.co.uk"}, Partial: true, Free: true}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	s = open(t, lookup.Config{Records: &lookup.Records{Orders: []lookup.Order{
		{PastOrder: evidence.PastOrder{Order: "B1", Account: "b1", IssuedAt: nov, Names: []string{"a.someone.github.io"}}},
	}}})
	for name, want := range map[string]string{"b.someone.github.io": "github.io someone.github.io", "else.github.io": "github.io"} {
		got := s.Answer(evidence.LookupQuestion{Topic: evidence.TopicOrders, Account: "a1", Names: []string{name}}, at).Lookup.Orders
		if len(got) != 1 || strings.Join(got[0].Names, " ") != want {
			t.Errorf("%s: %+v, want %q", name, got, want)
		}
	}
}

func TestHistory(t *testing.T) {
	t.Parallel()
	s := open(t, lookup.Config{})
	earlier := lookup.FromHistory([]order.Earlier{{Order: "A17", Account: "a1", Names: []string{"a.test"}, SubmittedAt: nov, State: "issued"}})
	more, err := s.WithOrders(earlier)
	if err != nil {
		t.Fatal(err)
	}
	q := evidence.LookupQuestion{Topic: evidence.TopicOrders, Names: []string{"a.test"}}
	if got := more.Answer(q, at).Lookup.Orders; len(got) != 1 || got[0].Order != "A17" || !got[0].Own {
		t.Errorf("%+v", got)
	}
	if !s.Answer(q, at).Lookup.Absent {
		t.Error("the history of one order file reached another")
	}
}

// TestCSRInHistory: the digests of an earlier order come from its CSR, also
// where it was pasted in another form, and agree with OpenSSL's.
func TestCSRInHistory(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	pem := filepath.Join(dir, "old.pem")
	openssl(t, "req", "-new", "-newkey", "rsa:2048", "-nodes", "-keyout", filepath.Join(dir, "key.pem"), "-subj", "/CN=orchard.net", "-out", pem)
	text, err := os.ReadFile(pem)
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(openssl(t, "req", "-in", pem, "-outform", "DER"))
	print := strings.TrimSpace(strings.TrimPrefix(string(openssl(t, "req", "-in", pem, "-noout", "-modulus")), "Modulus="))
	modulus, err := hex.DecodeString(print)
	if err != nil {
		t.Fatal(err)
	}
	keyprint := sha256.Sum256(modulus)
	records := &lookup.Records{Orders: []lookup.Order{{PastOrder: evidence.PastOrder{Order: "A1"}, CSR: "old.pem"}}}
	if _, err := lookup.Open(lookup.Config{Records: records}); err == nil || !strings.Contains(err.Error(), "A1") {
		t.Errorf("a path that nobody read: %v", err)
	}
	err = records.ReadCSRs(func(path string) (string, error) {
		return "\r\n" + strings.ReplaceAll(string(text), "\n", "\r\n"), nil
	})
	if err != nil {
		t.Fatal(err)
	}
	s := open(t, lookup.Config{Records: records})
	for name, q := range map[string]evidence.LookupQuestion{
		"by bytes": {CSRSHA256: hex.EncodeToString(sum[:])}, "by key": {Keyprint: hex.EncodeToString(keyprint[:])},
	} {
		q.Topic = evidence.TopicOrders
		if got := s.Answer(q, at).Lookup.Orders; len(got) != 1 || got[0].Order != "A1" {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

func openssl(t *testing.T, args ...string) []byte {
	t.Helper()
	out, err := exec.Command("openssl", args...).Output()
	if err != nil {
		t.Fatalf("openssl %s: %v", args[0], err)
	}
	return out
}

// TestPrivateKeyInHistory: a key pasted as the CSR of an earlier order is named
// and never echoed.
func TestPrivateKeyInHistory(t *testing.T) {
	t.Parallel()
	secret := "-----BEGIN PRIVATE KEY-----\nMIIsecret\n-----END PRIVATE KEY-----"
	_, err := lookup.Open(lookup.Config{Records: &lookup.Records{Orders: []lookup.Order{{PastOrder: evidence.PastOrder{Order: "A1"}, CSR: secret}}}})
	if err == nil || !strings.Contains(err.Error(), "private-key") || strings.Contains(err.Error(), "MIIsecret") {
		t.Errorf("%v", err)
	}
}
