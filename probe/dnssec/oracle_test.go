package dnssec

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"
)

// The zones of the oracle test hang below lab.test., which is itself one of
// them; each is signed by dnssec-signzone in another way.
var oracleZones = []struct {
	name, algorithm string
	bits            string
	options         []string
}{
	{"n13", "ECDSAP256SHA256", "", nil},
	{"h13", "ECDSAP256SHA256", "", []string{"-3", "-"}},
	{"o13", "ECDSAP256SHA256", "", []string{"-3", "aabbccdd", "-H", "7", "-A"}},
	{"n8", "RSASHA256", "2048", nil},
	{"o8", "RSASHA256", "1024", []string{"-3", "-", "-A"}},
	{"h10", "RSASHA512", "2048", []string{"-3", "-"}},
	{"n14", "ECDSAP384SHA384", "", nil},
	{"h14", "ECDSAP384SHA384", "", []string{"-3", "11"}},
	{"h15", "ED25519", "", []string{"-3", "-"}},
	{"o15", "ED25519", "", []string{"-3", "-", "-A"}},
}

// askedAll is how many of the zones are asked all questions, the others a third.
const askedAll = 3

const (
	oracleText = `$TTL 300
@ SOA ns Host.Master 1 7200 3600 1209600 600
@ NS ns
@ MX 10 Mail
@ CAA 0 issue "ca.example"
ns A 127.0.0.1
mail A 192.0.2.2
www A 192.0.2.3
www AAAA 2001:db8::3
www TXT "one" "two"
srv SRV 1 2 443 WWW
ptr PTR Www
naptr NAPTR 1 2 "s" "SIP+D2U" "" Srv
shop CNAME WWW
chain CNAME shop
gone CNAME nothing
cross CNAME host.signed
weak CNAME host.unsigned
_dnsauth.www TXT "2026"
a.deep.ent TXT "below an empty non-terminal"
*.wild TXT "anything"
*.wild A 192.0.2.4
nearer.wild A 192.0.2.5
*.alias CNAME www
*.below.starent TXT "x"
x.*.odd TXT "a wildcard that is an empty non-terminal"
old DNAME new
x.new TXT "moved"
tampered TXT "genuine"
stripped TXT "no signature"
signed NS ns.signed
ns.signed A 127.0.0.1
unsigned NS ns.unsigned
ns.unsigned A 127.0.0.1
sub.quiet NS ns.sub.quiet
ns.sub.quiet A 127.0.0.1
`
	// Only the first zones, which are asked everything, have these.
	brokenText = `
expired NS ns.expired
ns.expired A 127.0.0.1
wrong NS ns.wrong
ns.wrong A 127.0.0.1
wrong DS 4711 13 2 E2D3C916F6DEEAC73294E8268FB5885044A833FC5459588F4A9184CFC41A5766
exotic NS ns.exotic
ns.exotic A 127.0.0.1
exotic DS 4711 99 2 E2D3C916F6DEEAC73294E8268FB5885044A833FC5459588F4A9184CFC41A5766
`
	childText = `$TTL 300
@ SOA ns host 1 7200 3600 1209600 600
@ NS ns
@ TXT "apex"
ns A 127.0.0.1
host A 192.0.2.7
host TXT "here"
*.star TXT "anything"
`
)

// oracleQuestions are put in every zone; "@" is its apex.
var oracleQuestions = strings.Split(strings.TrimSpace(`
@ SOA
@ NS
@ MX
@ CAA
@ TXT
@ DNSKEY
www A
WwW AAAA
www TXT
www CAA
www DS
srv SRV
srv TXT
ptr PTR
naptr NAPTR
shop A
shop CNAME
shop CAA
chain TXT
chain MX
gone TXT
cross TXT
cross CAA
weak TXT
_dnsauth.www TXT
_dnsauth.www CNAME
_dnsauth.mail TXT
ent TXT
deep.ent TXT
deep.ent DS
a.deep.ent TXT
b.deep.ent TXT
nothing TXT
nothing DS
a.b.c.d TXT
x.www TXT
zzz TXT
wild TXT
any.wild TXT
any.wild CAA
any.wild DS
a.b.wild A
*.wild TXT
*.wild CAA
nearer.wild TXT
x.nearer.wild TXT
x.alias A
x.alias CAA
alias A
starent TXT
q.below.starent TXT
q.starent TXT
q.odd TXT
x.q.odd TXT
old TXT
old DNAME
x.old TXT
x.old CNAME
x.old CAA
y.old TXT
tampered TXT
tampered CAA
stripped TXT
stripped A
signed DS
signed NS
signed TXT
host.signed TXT
host.signed CAA
no.signed TXT
q.star.signed TXT
unsigned DS
unsigned TXT
host.unsigned TXT
no.unsigned TXT
expired DS
host.expired TXT
no.expired TXT
wrong DS
host.wrong TXT
exotic DS
host.exotic TXT
no.exotic CAA
quiet TXT
quiet DS
sub.quiet DS
host.sub.quiet TXT
`), "\n")

// TestOracles asks BIND for answers from zones that BIND's tools signed, and
// compares what this package makes of them with what BIND, unbound and delv do.
func TestOracles(t *testing.T) {
	t.Parallel()
	for _, tool := range []string{"named", "delv", "dnssec-signzone", "unbound"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Fatalf("%s is needed (Debian packages bind9, bind9-utils, bind9-dnsutils, unbound): %v", tool, err)
		}
	}
	lab := newOracleLab(t)
	type question struct{ name, typ string }
	var questions []question
	for i, top := range lab.tops {
		for j, q := range oracleQuestions {
			if i >= askedAll && ((i+j)%3 != 0 || strings.Contains(q, "expired") || strings.Contains(q, "wrong") || strings.Contains(q, "exotic")) {
				continue
			}
			label, typ, _ := strings.Cut(q, " ")
			questions = append(questions, question{strings.TrimPrefix(label+"."+top, "@."), typ})
		}
	}
	for _, q := range []string{"www A", "www TXT", "nothing A", "any.wild TXT", "wild TXT"} {
		label, typ, _ := strings.Cut(q, " ")
		questions = append(questions, question{label + ".e13.test.", typ})
	}
	seen := map[string]int{}
	for i, q := range questions {
		qtype := dns.StringToType[q.typ]
		ours := lab.ours(t, q.name, qtype)
		seen[ours]++
		for oracle, port := range map[string]string{"BIND": lab.bind, "unbound": lab.unbound} {
			theirs := lab.theirs(t, port, q.name, qtype)
			if oracle == "unbound" && strings.HasPrefix(q.name, "x.old.") && q.typ == "CNAME" {
				// unbound 1.17 wants a signature of the CNAME that a DNAME makes.
				if theirs == "bogus SERVFAIL" {
					continue
				}
			}
			if theirs != ours {
				t.Errorf("%s %s: ours %s, %s %s", q.name, q.typ, ours, oracle, theirs)
			}
		}
		if i >= len(oracleQuestions) {
			continue
		}
		state, _, _ := strings.Cut(ours, " ")
		if theirs := lab.delv(t, q.name, q.typ); theirs != state {
			t.Errorf("%s %s: ours %s, delv %s", q.name, q.typ, state, theirs)
		}
	}
	t.Log(len(questions), "questions:", seen)
	for _, outcome := range []string{"secure NOERROR", "secure NXDOMAIN", "insecure NOERROR", "insecure NXDOMAIN", "bogus SERVFAIL"} {
		if seen[outcome] < 10 {
			t.Errorf("%s only %d times: the questions do not show it", outcome, seen[outcome])
		}
	}
}

// An oracleLab is a directory of zones and three servers on loopback.
type oracleLab struct {
	dir                 string
	tops                []string
	zones               map[string]string // name to file
	anchors             map[string]*dns.DNSKEY
	auth, bind, unbound string // ports
	trusted             map[string]*Keys
}

func newOracleLab(t *testing.T) *oracleLab {
	lab := &oracleLab{
		dir: t.TempDir(), zones: map[string]string{}, anchors: map[string]*dns.DNSKEY{}, trusted: map[string]*Keys{},
		auth: freePort(t), bind: freePort(t), unbound: freePort(t),
	}
	for i, z := range oracleZones {
		top := z.name + ".test."
		text, children := oracleText, []string{"signed", "unsigned", "sub.quiet"}
		if i < askedAll {
			text, children = text+brokenText, append(children, "expired", "wrong", "exotic")
		}
		for _, child := range children {
			sign := child == "signed" || child == "expired" || child == "wrong"
			var options []string
			if child == "expired" {
				options = []string{"-s", "20200101000000", "-e", "20200201000000"}
			}
			key := lab.zone(t, child+"."+top, childText, "ECDSAP256SHA256", "", sign, options)
			if child == "signed" || child == "expired" {
				text += key.ToDS(dns.SHA256).String() + "\n"
			}
		}
		lab.anchors[top] = lab.zone(t, top, text, z.algorithm, z.bits, true, z.options)
		lab.tops = append(lab.tops, top)
	}
	lab.excessive(t)
	lab.serve(t)
	return lab
}

// zone writes a zone and signs it; it returns the key that signs its keys.
func (lab *oracleLab) zone(t *testing.T, name, text, algorithm, bits string, sign bool, options []string) *dns.DNSKEY {
	t.Helper()
	file := filepath.Join(lab.dir, strings.ReplaceAll(name, "*", "star")+"zone")
	write(t, file, text)
	lab.zones[name] = file
	if !sign {
		return nil
	}
	keys := filepath.Join(lab.dir, name+"keys")
	if err := os.Mkdir(keys, 0o700); err != nil {
		t.Fatal(err)
	}
	generate := []string{"-q", "-K", keys, "-a", algorithm}
	if bits != "" {
		generate = append(generate, "-b", bits)
	}
	ksk := strings.TrimSpace(run(t, "dnssec-keygen", append(generate, "-f", "KSK", name)...))
	run(t, "dnssec-keygen", append(generate, name)...)
	args := append([]string{"-q", "-P", "-S", "-K", keys, "-d", lab.dir, "-o", name, "-f", file + ".signed"}, options...)
	run(t, "dnssec-signzone", append(args, file)...)
	lab.zones[name] = file + ".signed"
	lab.damage(t, file+".signed", name)
	key, err := os.ReadFile(filepath.Join(keys, ksk+".key"))
	if err != nil {
		t.Fatal(err)
	}
	return rrs(t, string(key))[0].(*dns.DNSKEY)
}

// damage changes one record after signing and takes another's signature away.
func (lab *oracleLab) damage(t *testing.T, file, zone string) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	for _, rr := range rrs(t, string(text)) {
		if txt, ok := rr.(*dns.TXT); ok && rr.Header().Name == "tampered."+zone {
			txt.Txt[0] = "forged"
		}
		if sig, ok := rr.(*dns.RRSIG); ok && rr.Header().Name == "stripped."+zone && sig.TypeCovered == dns.TypeTXT {
			continue
		}
		out.WriteString(rr.String() + "\n")
	}
	write(t, file, out.String())
}

// excessive is a zone whose NSEC3 records iterate 151 times; BIND's tools sign
// no such zone.
func (lab *oracleLab) excessive(t *testing.T) {
	text := "@ SOA ns host 1 7200 3600 1209600 600\n@ NS ns\nns A 127.0.0.1\nwww A 192.0.2.3\n*.wild TXT \"x\"\n"
	at := time.Now()
	z := signZoneAt(t, "e13.test.", text, dns.ECDSAP256SHA256, &nsec3Options{iterations: MaxIterations + 1}, at)
	var out strings.Builder
	for owner, types := range z.sets {
		for typ := range types {
			for _, rr := range z.with(wireName(owner), typ) {
				out.WriteString(rr.String() + "\n")
			}
		}
	}
	file := filepath.Join(lab.dir, "e13.zone")
	write(t, file, out.String())
	lab.zones["e13.test."] = file
	lab.anchors["e13.test."] = z.ksk.DNSKEY
}

// serve starts an authoritative named, a validating named and a validating
// unbound that both forward to the first.
func (lab *oracleLab) serve(t *testing.T) {
	var zones, anchors strings.Builder
	for name, file := range lab.zones {
		fmt.Fprintf(&zones, "zone %q { type primary; file %q; check-names ignore; check-integrity no; };\n", name, file)
	}
	for name, key := range lab.anchors {
		fmt.Fprintf(&anchors, "%q static-key %d %d %d %q;\n", name, key.Flags, key.Protocol, key.Algorithm, key.PublicKey)
		write(t, filepath.Join(lab.dir, name+"anchor"), fmt.Sprintf("trust-anchors { %q static-key %d %d %d %q; };\n", name, key.Flags, key.Protocol, key.Algorithm, key.PublicKey))
	}
	named := func(name, port, options, rest string) {
		dir := filepath.Join(lab.dir, name)
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		conf := filepath.Join(dir, "named.conf")
		write(t, conf, fmt.Sprintf(`options { directory %q; pid-file none; session-keyfile none; listen-on port %s { 127.0.0.1; }; listen-on-v6 { none; };
  minimal-responses no; %s };
controls { };
%s`, dir, port, options, rest))
		start(t, exec.Command("named", "-g", "-c", conf, "-n", "1"), " running")
	}
	named("auth", lab.auth, "recursion no; dnssec-validation no;", zones.String())
	named("validating", lab.bind, fmt.Sprintf("dnssec-validation yes; recursion yes; qname-minimization off; empty-zones-enable no; forward only; forwarders { 127.0.0.1 port %s; };", lab.auth),
		"trust-anchors {\n"+anchors.String()+"};\n")
	var unbound strings.Builder
	fmt.Fprintf(&unbound, `server:
  directory: %q
  chroot: ""
  username: ""
  pidfile: ""
  interface: 127.0.0.1@%s
  do-not-query-localhost: no
  use-syslog: no
  module-config: "validator iterator"
  local-zone: "test." nodefault
  qname-minimisation: no
`, lab.dir, lab.unbound)
	for _, key := range lab.anchors {
		fmt.Fprintf(&unbound, "  trust-anchor: \"%s DS %d %d 2 %s\"\n", key.Hdr.Name, key.KeyTag(), key.Algorithm, key.ToDS(dns.SHA256).Digest)
	}
	fmt.Fprintf(&unbound, "forward-zone:\n  name: \".\"\n  forward-addr: 127.0.0.1@%s\nremote-control:\n  control-enable: no\n", lab.auth)
	conf := filepath.Join(lab.dir, "unbound.conf")
	write(t, conf, unbound.String())
	start(t, exec.Command("unbound", "-d", "-p", "-c", conf), "start of service")
}

// ours resolves a question with this package: "state rcode".
func (lab *oracleLab) ours(t *testing.T, name string, qtype uint16) string {
	t.Helper()
	state, rcode := Secure, "NOERROR"
	for range 10 {
		k := lab.keys(t, name, qtype)
		m := ask(t, lab.auth, name, qtype, true)
		r := k.Answer(m, name, qtype, time.Now(), NewWork())
		if r.State == Bogus || r.State == Indeterminate {
			return string(r.State) + " SERVFAIL"
		}
		if r.State == Insecure {
			state = Insecure
		}
		if r.Found == NXDomain {
			rcode = "NXDOMAIN"
		}
		if r.Found != CNAME && r.Found != DNAME {
			break
		}
		name = r.Target
	}
	return string(state) + " " + rcode
}

// keys walks the delegations of the lab down to the zone of a name.
func (lab *oracleLab) keys(t *testing.T, name string, qtype uint16) *Keys {
	t.Helper()
	n, _ := parseName(name)
	zone := ""
	for z := range lab.zones {
		apex, _ := parseName(z)
		_, top := lab.anchors[z]
		if n.under(apex) && (qtype != dns.TypeDS || n.wire != apex.wire || top) && len(z) > len(zone) {
			zone = z
		}
	}
	if k := lab.trusted[zone]; k != nil {
		return k
	}
	var k *Keys
	dnskeys := ask(t, lab.auth, zone, dns.TypeDNSKEY, true)
	if anchor := lab.anchors[zone]; anchor != nil {
		k, _ = TrustKeys(zone, Anchors([]dns.RR{anchor}), dnskeys.Answer, time.Now(), NewWork())
	} else {
		parent := lab.keys(t, zone, dns.TypeDS)
		ds, _, r := parent.Delegation(ask(t, lab.auth, zone, dns.TypeDS, true), zone, time.Now(), NewWork())
		switch r.State {
		case Secure:
			k, _ = TrustKeys(zone, ds, dnskeys.Answer, time.Now(), NewWork())
		case Insecure:
			k = Unsigned(zone)
		default:
			k = Broken(zone, r)
		}
	}
	lab.trusted[zone] = k
	return k
}

// theirs asks a validating resolver.
func (lab *oracleLab) theirs(t *testing.T, port, name string, qtype uint16) string {
	t.Helper()
	m := ask(t, port, name, qtype, true)
	switch {
	case m.Rcode == dns.RcodeServerFailure:
		return "bogus SERVFAIL"
	case m.AuthenticatedData:
		return "secure " + dns.RcodeToString[m.Rcode]
	}
	return "insecure " + dns.RcodeToString[m.Rcode]
}

// delv validates an answer of the authoritative server.
func (lab *oracleLab) delv(t *testing.T, name, typ string) string {
	t.Helper()
	top := lab.tops[0]
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	out, _ := exec.CommandContext(ctx, "delv", "-a", filepath.Join(lab.dir, top+"anchor"), "+root="+top,
		"@127.0.0.1", "-p", lab.auth, name, typ).CombinedOutput()
	text := string(out)
	switch {
	case strings.Contains(text, "fully validated"):
		if strings.Contains(text, "; unsigned answer") || strings.Contains(text, "; negative response, unsigned answer") {
			return string(Insecure) // a chain is as weak as its weakest link
		}
		return string(Secure)
	case strings.Contains(text, "unsigned answer"):
		return string(Insecure)
	case strings.Contains(text, "resolution failed"):
		return string(Bogus)
	}
	return text
}

func ask(t *testing.T, port, name string, qtype uint16, do bool) *dns.Msg {
	t.Helper()
	m := new(dns.Msg)
	m.SetQuestion(dns.Fqdn(name), qtype)
	m.SetEdns0(4096, do)
	c := &dns.Client{Net: "tcp", Timeout: 20 * time.Second}
	r, _, err := c.Exchange(m, net.JoinHostPort("127.0.0.1", port))
	if err != nil {
		t.Fatalf("%s %s: %v", name, dns.Type(qtype), err)
	}
	return r
}

func write(t *testing.T, file, text string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func run(t *testing.T, command string, args ...string) string {
	t.Helper()
	var stderr bytes.Buffer
	cmd := exec.Command(command, args...)
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s %v: %v\n%s", command, args, err, stderr.String())
	}
	return string(out)
}

// freePort finds a port that is free for TCP and UDP.
func freePort(t *testing.T) string {
	t.Helper()
	for range 100 {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		_, port, _ := net.SplitHostPort(l.Addr().String())
		u, err := net.ListenPacket("udp", "127.0.0.1:"+port)
		_ = l.Close()
		if err == nil {
			_ = u.Close()
			return port
		}
	}
	t.Fatal("no port is free for TCP and UDP")
	return ""
}

// start runs a server until the test ends, and waits for the line of its log
// that says that it serves.
func start(t *testing.T, cmd *exec.Cmd, ready string) {
	t.Helper()
	pipe, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	serving, ended := make(chan struct{}), make(chan string, 1)
	go func() {
		var log strings.Builder
		waiting := true
		for s := bufio.NewScanner(pipe); s.Scan(); {
			if waiting && strings.Contains(s.Text(), ready) {
				waiting = false
				close(serving)
			}
			if log.Len() < 1<<20 {
				log.WriteString(s.Text() + "\n")
			}
		}
		ended <- log.String()
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		<-ended
		_ = cmd.Wait()
	})
	select {
	case <-serving:
	case log := <-ended:
		ended <- log
		t.Fatalf("%s does not serve:\n%s", filepath.Base(cmd.Path), log)
	}
}
