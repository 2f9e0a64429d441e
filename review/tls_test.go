package review

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/hex"
	"encoding/json"
	"math/big"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"assay/cause"
	"assay/evidence"
	"assay/internal/challenge"
	"assay/order"
	"assay/profile"
)

// shake answers a TLS question: with the addresses that the zones have, at each
// of which nothing listens unless shakes says otherwise.
func (n *internet) shake(o evidence.Observation) evidence.Observation {
	q := *o.Question.TLS
	if n.shakes != nil {
		o.TLS = n.shakes(o.Question.Perspective, q)
		return o
	}
	o.TLS = n.exchange(q, nil)
	return o
}

// exchange is what the addresses of a name show: what show says of each, that the
// connection is refused where it is nil or says nothing.
func (n *internet) exchange(q evidence.TLSQuestion, show func(address string) *evidence.Handshake) *evidence.TLSExchange {
	x := &evidence.TLSExchange{}
	add := func(address string) {
		family := "ipv4"
		if strings.Contains(address, ":") {
			family = "ipv6"
		}
		h := evidence.Handshake{Dial: evidence.Dial{Error: "refused"}}
		if show != nil {
			if shown := show(address); shown != nil {
				h = *shown
			}
		}
		h.Address, h.Family = address, family
		x.Handshakes = append(x.Handshakes, h)
	}
	if net.ParseIP(q.Name) != nil {
		add(q.Name)
		return x
	}
	host := evidence.Host{Name: q.Name}
	for _, typ := range []string{"AAAA", "A"} {
		a := n.resolve("P0", evidence.DNSQuestion{Name: q.Name, Type: typ})
		l := evidence.HostLookup{Type: typ, Status: a.Status, Security: a.Security}
		for i := range a.Answer {
			if a.Answer[i].Type == typ {
				l.Addresses = append(l.Addresses, a.Answer[i].Data)
				add(a.Answer[i].Data)
			}
		}
		host.Lookups = append(host.Lookups, l)
	}
	x.Hosts = []evidence.Host{host}
	return x
}

const keyAuthorization = "token.thumbprint"

var testKeys = sync.OnceValue(func() [2]*ecdsa.PrivateKey {
	var keys [2]*ecdsa.PrivateKey
	for i := range keys {
		keys[i], _ = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	}
	return keys
})

// An answer is a certificate as a server may show it.
type answer struct {
	names      []string // DNS names and IP addresses
	email      bool     // one name more, of a kind that no challenge has
	oid        asn1.ObjectIdentifier
	critical   bool
	digest     []byte
	bare       bool // the digest without its OCTET STRING
	copies     int  // of the extension
	issued     bool // by a CA
	signature  bool // the issuer's name is its own, its signature another key's
	unreadable bool // crypto/tls cannot read it
	alpn       string
	alert      string
	failure    string
	version    string
	closed     string
	unknown    string
}

// right answers the challenge of orchard.net.
func right(name string) answer {
	sum := sha256.Sum256([]byte(keyAuthorization))
	return answer{
		names: []string{name}, oid: asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 1, 31}, critical: true, digest: sum[:], copies: 1,
		alpn: acmeTLS, version: "TLS 1.3",
	}
}

func (a answer) handshake(t fataler) *evidence.Handshake {
	t.Helper()
	h := &evidence.Handshake{Unknown: a.unknown, Dial: evidence.Dial{Error: a.closed}}
	if a.unknown != "" || a.closed != "" {
		return h
	}
	h.Error, h.Alert = a.failure, a.alert
	if a.unreadable {
		h.Error = evidence.ErrorCertificate
	}
	if h.Error != "" && h.Error != evidence.ErrorVersion && !a.unreadable {
		return h
	}
	der := a.certificate(t)
	c := evidence.Certificate{SHA256: "00", Subject: "CN=site", Issuer: "CN=CA", Names: a.names, DER: der, SelfSigned: !a.issued}
	h.Info = &evidence.TLSInfo{Version: a.version, ALPN: a.alpn, Certificates: []evidence.Certificate{c}}
	return h
}

func (a answer) certificate(t fataler) []byte {
	t.Helper()
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "challenge"}, NotBefore: labClock, NotAfter: labClock.AddDate(1, 0, 0)}
	for _, n := range a.names {
		if ip := net.ParseIP(n); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else {
			template.DNSNames = append(template.DNSNames, n)
		}
	}
	if a.email {
		template.EmailAddresses = []string{"a@orchard.net"}
	}
	value, _ := asn1.Marshal(a.digest)
	if a.bare {
		value = a.digest
	}
	for range a.copies {
		template.ExtraExtensions = append(template.ExtraExtensions, pkix.Extension{Id: a.oid, Critical: a.critical, Value: value})
	}
	parent, signer := template, testKeys()[0]
	if a.issued {
		parent = &x509.Certificate{SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "CA"}, IsCA: true, BasicConstraintsValid: true, PublicKey: testKeys()[1].Public()}
		signer = testKeys()[1]
	}
	if a.signature {
		parent = &x509.Certificate{SerialNumber: big.NewInt(2), Subject: template.Subject, PublicKey: testKeys()[1].Public()}
		signer = testKeys()[1]
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, testKeys()[0].Public(), signer)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

func alpnOrder(name string) *order.Order {
	o := labOrder()
	o.Names, o.Method = []string{name}, order.MethodTLSALPN01
	o.Challenges = []order.Challenge{{Name: name, Method: order.MethodTLSALPN01, Value: keyAuthorization, Created: o.Challenges[0].Created}}
	return o
}

// show makes every address of every name show one answer.
func (n *internet) show(t fataler, a answer) *internet {
	n.shakes = func(_ string, q evidence.TLSQuestion) *evidence.TLSExchange {
		return n.exchange(q, func(string) *evidence.Handshake { return a.handshake(t) })
	}
	return n
}

// TestChallengeAnswers: each way in which port 443 does not answer the challenge.
func TestChallengeAnswers(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name    string
		change  func(*answer)
		want    string
		problem string
	}{
		{"right", func(*answer) {}, "", ""},
		{"TLS 1.2", func(a *answer) { a.version = "TLS 1.2" }, "", ""},
		{"refused", func(a *answer) { a.closed = "refused" }, "port-closed", "refused"},
		{"no reply", func(a *answer) { a.closed = "timeout" }, "port-closed", "timeout"},
		{"local failure", func(a *answer) { a.closed = "failed" }, "port-closed", "failed"},
		{"no protocol", func(a *answer) { a.alpn = "" }, "alpn-not-negotiated", "none"},
		{"another protocol", func(a *answer) { a.alpn = "http/1.1" }, "alpn-not-negotiated", "other"},
		{"alert", func(a *answer) { a.failure, a.alert = evidence.ErrorAlert, "no_application_protocol" }, "alpn-not-negotiated", "alert"},
		{"TLS 1.1", func(a *answer) { a.failure, a.version = evidence.ErrorVersion, "TLS 1.1" }, "alpn-not-negotiated", "version"},
		{"plain HTTP", func(a *answer) { a.failure = evidence.ErrorPlainHTTP }, "alpn-not-negotiated", "plain-http"},
		{"stalls", func(a *answer) { a.failure = evidence.ErrorTimeout }, "alpn-not-negotiated", "timeout"},
		{"hangs up", func(a *answer) { a.failure = evidence.ErrorIncomplete }, "alpn-not-negotiated", "incomplete"},
		{"resets", func(a *answer) { a.failure = evidence.ErrorReset }, "alpn-not-negotiated", "reset"},
		{"garbage", func(a *answer) { a.failure = evidence.ErrorHandshake }, "alpn-not-negotiated", "handshake"},
		{"of a CA", func(a *answer) { a.issued, a.copies = true, 0 }, "ordinary-certificate", ""},
		{"of a CA, two names", func(a *answer) { a.issued, a.copies, a.names = true, 0, []string{"orchard.net", "www.orchard.net"} }, "ordinary-certificate", ""},
		{"two names", func(a *answer) { a.names = []string{"orchard.net", "www.orchard.net"} }, "challenge-certificate-wrong", "name-count"},
		{"a name and an address", func(a *answer) { a.names = []string{"orchard.net", "45.155.10.21"} }, "challenge-certificate-wrong", "name-count"},
		{"a name and a mailbox", func(a *answer) { a.email = true }, "challenge-certificate-wrong", "name-count"},
		{"no name", func(a *answer) { a.names = nil }, "challenge-certificate-wrong", "name-count"},
		{"another name", func(a *answer) { a.names = []string{"shop.orchard.net"} }, "challenge-certificate-wrong", "name-other"},
		{"a wildcard", func(a *answer) { a.names = []string{"*.orchard.net"} }, "challenge-certificate-wrong", "name-other"},
		{"an address", func(a *answer) { a.names = []string{"45.155.10.21"} }, "challenge-certificate-wrong", "name-other"},
		{"no extension", func(a *answer) { a.copies = 0 }, "challenge-certificate-wrong", "extension-missing"},
		{"the draft's extension", func(a *answer) { a.oid = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 1, 30, 1} }, "challenge-certificate-wrong", "extension-missing"},
		{"extension twice", func(a *answer) { a.copies, a.unreadable = 2, true }, "challenge-certificate-wrong", "extension-repeated"},
		{"cannot be read", func(a *answer) { a.unreadable = true }, "challenge-certificate-wrong", "unreadable"},
		{"cannot be read, of a CA", func(a *answer) { a.unreadable, a.issued, a.copies = true, true, 0 }, "challenge-certificate-wrong", "extension-missing"},
		{"not critical", func(a *answer) { a.critical = false }, "challenge-certificate-wrong", "not-critical"},
		{"31 bytes", func(a *answer) { a.digest = a.digest[:31] }, "challenge-certificate-wrong", "length"},
		{"33 bytes", func(a *answer) { a.digest = append(slices.Clone(a.digest), 0) }, "challenge-certificate-wrong", "length"},
		{"no OCTET STRING", func(a *answer) { a.bare = true }, "challenge-certificate-wrong", "length"},
		{"another token", func(a *answer) { a.digest = make([]byte, 32) }, "challenge-certificate-wrong", "digest"},
		{"issued", func(a *answer) { a.issued = true }, "challenge-certificate-wrong", "not-self-signed"},
		{"signed by another key", func(a *answer) { a.signature = true }, "challenge-certificate-wrong", "not-self-signed"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			a := right("orchard.net")
			c.change(&a)
			for name, level := range map[string]string{"baseline": "wait", "letsencrypt": "refuse"} {
				tr := &trial{net: healthy().show(t, a), order: alpnOrder("orchard.net"), profile: name, mode: Attempt}
				r := tr.judge(t)
				var want []string
				if c.want != "" {
					want = []string{level + " tls." + c.want + "@orchard.net"}
				}
				if diff := cmp.Diff(want, slices.DeleteFunc(network(r), func(row string) bool { return !strings.Contains(row, "tls.") }), cmp.Transformer("", func(l []string) string { return strings.Join(l, " ") })); diff != "" {
					t.Fatalf("%s (-want +got)\n%s", name, diff)
				}
				if undecided := tr.facts.undecided(); undecided != (c.want != "") {
					t.Errorf("%s: undecided %v", name, undecided)
				}
				textsComplete(t, r)
				if c.want == "" {
					continue
				}
				f := finding(t, r, cause.ID("tls."+c.want))
				if problem, _ := f.Parameters["problem"].(string); problem != c.problem {
					t.Errorf("problem %q", problem)
				}
				if len(f.Evidence) == 0 || len(f.Reproduce) == 0 || f.Perspectives[0] != "P0" {
					t.Errorf("%+v", f)
				}
			}
		})
	}
}

// TestNothingElseProves: whatever a server shows, it proves only where the
// certificate is the challenge's in every respect, under every profile.
func TestNothingElseProves(t *testing.T) {
	t.Parallel()
	good := right("orchard.net")
	rapid.Check(t, func(t *rapid.T) {
		a := answer{
			names:    rapid.SampledFrom([][]string{{"orchard.net"}, {"orchard.net", "orchard.net"}, {"www.orchard.net"}, {"45.155.10.21"}, nil}).Draw(t, "names"),
			email:    rapid.IntRange(0, 9).Draw(t, "email") == 0,
			oid:      rapid.SampledFrom([]asn1.ObjectIdentifier{good.oid, {1, 3, 6, 1, 5, 5, 7, 1, 30, 1}, {1, 3, 6, 1, 5, 5, 7, 1, 32}}).Draw(t, "oid"),
			critical: rapid.Bool().Draw(t, "critical"),
			digest: rapid.SampledFrom([][]byte{
				good.digest, good.digest[:31], append(slices.Clone(good.digest), 0), make([]byte, 32), nil,
			}).Draw(t, "digest"),
			bare: rapid.IntRange(0, 9).Draw(t, "bare") == 0, copies: rapid.SampledFrom([]int{1, 1, 1, 0, 2}).Draw(t, "copies"),
			issued: rapid.IntRange(0, 4).Draw(t, "issued") == 0, unreadable: rapid.IntRange(0, 9).Draw(t, "unreadable") == 0,
			alpn: rapid.SampledFrom([]string{acmeTLS, acmeTLS, acmeTLS, "", "http/1.1", "ACME-TLS/1"}).Draw(t, "alpn"), version: "TLS 1.3",
			failure: rapid.SampledFrom([]string{"", "", "", "", evidence.ErrorVersion, evidence.ErrorAlert}).Draw(t, "failure"),
		}
		is := len(a.names) == 1 && a.names[0] == "orchard.net" && !a.email && a.oid.Equal(good.oid) && a.critical &&
			slices.Equal(a.digest, good.digest) && !a.bare && a.copies == 1 && !a.issued && !a.unreadable && a.alpn == acmeTLS && a.failure == ""
		name := rapid.SampledFrom([]string{"baseline", "letsencrypt", "private"}).Draw(t, "profile")
		tr := &trial{net: healthy().show(t, a), order: alpnOrder("orchard.net"), profile: name, places: drawPlaces(t)}
		tr.mode = rapid.SampledFrom([]Mode{Precheck, Attempt}).Draw(t, "mode")
		r := tr.judge(t)
		if (tr.facts.handshakeProofs()[0].standing() == proven) != is {
			t.Fatalf("proven %v: %+v", !is, a)
		}
		if !is && (r.Verdict == VerdictPass || !slices.ContainsFunc(r.Findings, func(f Finding) bool { return f.Stage == "tls" })) {
			t.Fatalf("%s %v: %+v", r.Verdict, network(r), a)
		}
	})
}

// TestDecidingAddress: which of several addresses decides.
func TestDecidingAddress(t *testing.T) {
	t.Parallel()
	const six1, six2, four1, four2 = "2a0e:97c0::21", "2a0e:97c0::22", "45.155.10.21", "45.155.10.22"
	good, shut, ordinary, deaf := right("orchard.net"), answer{closed: "timeout"}, right("orchard.net"), answer{failure: evidence.ErrorReset}
	ordinary.copies, ordinary.issued = 0, true
	guard, blindSix := answer{closed: "guard"}, answer{unknown: "no-ipv6"}
	for _, c := range []struct {
		name         string
		at           map[string]answer
		any, boulder string
	}{
		{"all", map[string]answer{six1: good, four1: good}, "", ""},
		{"IPv6 refuses, IPv4 is right", map[string]answer{six1: shut, four1: good}, "", ""},
		{"IPv6 fails in the handshake, IPv4 is right", map[string]answer{six1: deaf, four1: good}, "", ""},
		{"IPv6 shows the site's, IPv4 is right", map[string]answer{six1: ordinary, four1: good}, "", "tls.ordinary-certificate"},
		{"the second IPv6 is right", map[string]answer{six1: ordinary, six2: good}, "", "tls.ordinary-certificate"},
		{"the second IPv4 is right", map[string]answer{four1: shut, four2: good}, "", "tls.port-closed"},
		{"IPv6 is right, IPv4 shows the site's", map[string]answer{six1: good, four1: ordinary}, "", ""},
		{"all are closed", map[string]answer{six1: shut, four1: shut}, "tls.port-closed", "tls.port-closed"},
		{"one is closed, one wrong", map[string]answer{six1: shut, four1: ordinary}, "tls.ordinary-certificate", "tls.ordinary-certificate"},
		{"IPv6 cannot be looked at, IPv4 is right", map[string]answer{six1: blindSix, four1: good}, "", "perspective.unavailable"},
		{"IPv6 cannot be looked at, IPv4 is wrong", map[string]answer{six1: blindSix, four1: ordinary}, "perspective.unavailable", "perspective.unavailable"},
		{"an address that is not public comes first", map[string]answer{six1: guard, four1: good}, "", ""},
	} {
		for name, want := range map[string]string{"baseline": c.any, "letsencrypt": c.boulder} {
			n := healthy()
			n.orchard().remove("@ A ")
			for _, a := range []string{six1, six2, four1, four2} {
				if _, ok := c.at[a]; ok && strings.Contains(a, ":") {
					n.orchard().add("@ AAAA " + a)
				} else if ok {
					n.orchard().add("@ A " + a)
				}
			}
			n.shakes = func(_ string, q evidence.TLSQuestion) *evidence.TLSExchange {
				return n.exchange(q, func(a string) *evidence.Handshake { return c.at[a].handshake(t) })
			}
			tr := &trial{net: n, order: alpnOrder("orchard.net"), profile: name}
			r := tr.judge(t)
			got := ""
			for _, f := range r.Findings {
				if networkStage(f.Stage) {
					got += string(f.Cause)
				}
			}
			if got != want || tr.facts.undecided() != (want != "") {
				t.Errorf("%s, %s: %q, want %q; undecided %v", c.name, name, got, want, tr.facts.undecided())
			}
			textsComplete(t, r)
		}
	}
}

// TestCase: the case of the name in the certificate matters where bytes do.
func TestCase(t *testing.T) {
	t.Parallel()
	for profileName, proves := range map[string]bool{"baseline": true, "letsencrypt": false} {
		tr := &trial{net: healthy().show(t, right("Orchard.NET")), order: alpnOrder("orchard.net"), profile: profileName}
		tr.judge(t)
		if tr.facts.undecided() == proves {
			t.Errorf("%s: undecided %v", profileName, !tr.facts.undecided())
		}
	}
	p, err := profile.Named("baseline")
	if err != nil {
		t.Fatal(err)
	}
	f := &facts{profile: p}
	if f.isName(&handshake{name: "k.net"}, challenge.Name{DNS: "\u212a.net"}) {
		t.Error("the Kelvin sign is a letter k")
	}
}

// TestAddressIdentifiers: a certificate for an IP address (RFC 8738) is looked
// for at that address, without asking the DNS; reserved ones are never dialled.
func TestAddressIdentifiers(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, profile string
		shows         string // the name in the certificate
		want          string
		passes        bool
	}{
		{"45.155.10.21", "baseline", "45.155.10.21", "", true},
		{"2a0e:97c0::21", "baseline", "2a0e:97c0::21", "", true},
		{"45.155.10.21", "baseline", "45.155.10.22", "wait tls.challenge-certificate-wrong@45.155.10.21", false},
		{"45.155.10.21", "baseline", "orchard.net", "wait tls.challenge-certificate-wrong@45.155.10.21", false},
		{"45.155.10.21", "private", "45.155.10.21", "", true},
		{"10.0.0.5", "private", "10.0.0.5", "", true},
		{"45.155.10.21", "letsencrypt", "45.155.10.21", "", true},
	} {
		n := healthy().show(t, right(c.shows))
		o := alpnOrder(c.name)
		if c.profile == "letsencrypt" {
			o.Plan = "shortlived"
		}
		tr := &trial{net: n, order: o, profile: c.profile, mode: Attempt}
		r := tr.judge(t)
		if got := strings.Join(onTarget(r), " "); got != c.want || tr.facts.undecided() == c.passes {
			t.Errorf("%s under %s: %q, undecided %v", c.name, c.profile, got, tr.facts.undecided())
		}
		for _, q := range n.asked {
			if q.DNS != nil || q.TLS.Name != c.name {
				t.Errorf("%s: asks %+v", c.name, q)
			}
		}
		textsComplete(t, r)
		for _, f := range r.Findings {
			if f.Stage == "tls" && !slices.ContainsFunc(f.Reproduce, func(s string) bool { return strings.Contains(s, "-servername 21.10.155.45.in-addr.arpa ") }) {
				t.Error(f.Reproduce)
			}
		}
	}
	for _, name := range []string{"10.0.0.5", "127.0.0.1", "::1", "169.254.169.254", "::ffff:10.0.0.5"} {
		n := healthy().show(t, right(name))
		tr := &trial{net: n, order: alpnOrder(name), profile: "baseline", mode: Attempt}
		if r := tr.judge(t); r.Verdict == VerdictPass || len(n.asked) > 0 || !tr.facts.undecided() {
			t.Errorf("%s: %s, asked %v", name, r.Verdict, n.asked)
		}
	}
}

// TestGuardOfPlace: an operator whose CA is for private addresses has to allow
// connecting to them; where that is not so, nothing is known.
func TestGuardOfPlace(t *testing.T) {
	t.Parallel()
	tr := &trial{net: healthy().show(t, answer{closed: "guard"}), order: alpnOrder("10.0.0.5"), profile: "private", mode: Attempt}
	r := tr.judge(t)
	if got := onTarget(r); len(got) != 1 || got[0] != "unknown perspective.unavailable@P0" || finding(t, r, cause.PerspectiveUnavailable).Parameters["problem"] != "guard" {
		t.Errorf("%v", got)
	}
	textsComplete(t, r)
}

// TestOneChallengeIsNotEnough: every name of an order is proven by itself; a
// wildcard never.
func TestOneChallengeIsNotEnough(t *testing.T) {
	t.Parallel()
	for _, names := range [][]string{
		{"orchard.net", "www.orchard.net"}, {"orchard.net", "45.155.10.21"}, {"orchard.net", "*.orchard.net"}, {"*.orchard.net"}, {"www.orchard.net"},
	} {
		for _, method := range []order.Method{order.MethodTLSALPN01, ""} {
			n := healthy().show(t, right("orchard.net"))
			n.orchard().add("www A 45.155.10.21")
			o := alpnOrder("orchard.net")
			o.Names, o.Method = names, method
			tr := &trial{net: n, order: o, profile: "baseline", mode: Attempt}
			if r := tr.judge(t); r.Verdict == VerdictPass {
				t.Errorf("%v passes", names)
			}
			if refused := slices.ContainsFunc(tr.facts.run().finish(), func(f Finding) bool { return f.Cause == cause.RequestMethodNotAllowed }); !refused && !tr.facts.undecided() {
				t.Errorf("%v is decided", names)
			}
		}
	}
}

// TestRedactChallenge: a redacted report shows neither the key authorization nor
// its digest, nor what a certificate holds.
func TestRedactChallenge(t *testing.T) {
	t.Parallel()
	for _, change := range []func(*answer){
		func(a *answer) { a.digest = make([]byte, 32) },
		func(a *answer) { a.names = []string{"s3cret.elsewhere.net"} },
		func(a *answer) {},
	} {
		a := right("orchard.net")
		change(&a)
		r := (&trial{net: healthy().show(t, a), order: alpnOrder("orchard.net"), profile: "baseline"}).judge(t)
		r.Redact()
		raw, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		digest := sha256.Sum256([]byte(keyAuthorization))
		for _, secret := range []string{keyAuthorization, "thumbprint", hex.EncodeToString(digest[:]), "s3cret", strings.Repeat("00", 32)} {
			if strings.Contains(string(raw), secret) {
				t.Errorf("%q is shown: %s", secret, raw)
			}
		}
	}
}
