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
