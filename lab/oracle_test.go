package lab

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/miekg/dns"
)

// oracleZone has one of everything that decides how an authority answers.
var oracleZone = []string{
	"www A 45.155.70.1", "www AAAA 2a10:4155:70::1", "www TXT \"one\"", "www TXT \"two\"",
	"@ MX 10 mail", "mail A 45.155.70.2", "@ CAA 0 issue \"assay.net\"",
	"alias CNAME www", "chain CNAME alias", "out CNAME www.elsewhere.zz.", "dangling CNAME nothing",
	"loopa CNAME loopb", "loopb CNAME loopa",
	"tocut CNAME host.cut", "towild CNAME any.wild", "towildnothing CNAME www",
	"*.wild TXT \"wild\"", "*.wild A 45.155.70.3", "exact.wild TXT \"exact\"", "*.below.wild TXT \"deeper\"",
	"*.wildalias CNAME www", "*.wildout CNAME www.elsewhere.zz.", "*.wildgone CNAME nothing",
	"deep.er.than.this TXT \"ent\"", "_dnsauth.a.b TXT \"ent\"",
	"moved DNAME www", "tree DNAME moved.to", "x.moved.to A 45.155.70.4", "away DNAME elsewhere.zz.",
	"cut NS ns.cut", "cut NS ns1", "ns.cut A 45.155.70.5", "host.cut A 45.155.70.6",
	"safe NS ns.safe", "ns.safe A 45.155.70.7", "safe DS 12345 13 2 0000000000000000000000000000000000000000000000000000000000000000",
	"only.under.here NS ns1", "signed.under.there NS ns1", "signed.under.there DS 12345 13 2 0000000000000000000000000000000000000000000000000000000000000000",
	"ptr PTR www", "srv SRV 1 2 3 www",
	"big 60 TXT \"" + strings.Repeat("x", 250) + "\" \"" + strings.Repeat("y", 250) + "\" \"" + strings.Repeat("z", 250) + "\"",
}

// oracleOwners are asked for every type of oracleTypes.
var oracleOwners = []string{
	"@", "www", "nothing", "a.nothing", "alias", "chain", "out", "dangling", "loopa", "tocut", "towild",
	"wild", "any.wild", "a.any.wild", "exact.wild", "under.exact.wild", "*.wild", "a.*.wild", "below.wild", "x.below.wild",
	"any.wildalias", "any.wildout", "any.wildgone",
	"deep.er.than.this", "er.than.this", "this", "b", "a.b", "_dnsauth.a.b", "other.b", "aaa", "zzz", "*",
	"moved", "x.moved", "y.x.moved", "tree", "x.tree", "q.tree", "x.away", "to",
	"cut", "ns.cut", "host.cut", "more.host.cut", "safe", "ns.safe", "x.safe",
	"only.under.here", "x.only.under.here", "under.here", "here", "other.here", "signed.under.there", "under.there",
	"mail", "ptr", "srv", "big", "ns1", "ns2",
}

var oracleTypes = []uint16{dns.TypeTXT, dns.TypeA, dns.TypeDS, dns.TypeCNAME, dns.TypeCAA, dns.TypeNS}

var oracleSignings = map[string]*Signing{
	"plain": nil,
	"nsec":  {},
	"nsec3": {NSEC3: &NSEC3{Iterations: 3, Salt: "ab12"}, Algorithm: 15},
	"out":   {NSEC3: &NSEC3{OptOut: true}, Algorithm: 14},
	"rsa":   {Algorithm: 8},
}

// oracleWorld serves the zone signed in several ways, below zz.
func oracleWorld(t *testing.T) *World {
	t.Helper()
	c := Change{Zones: map[string]ZoneChange{}}
	for name, s := range oracleSignings {
		servers := Strings{"ns1." + name + ".zz", "ns2." + name + ".zz"}
		c.Zones[name+".zz"] = ZoneChange{Servers: servers, ZoneCopy: ZoneCopy{Add: oracleZone, Sign: s}}
	}
	w, err := New(c, Options{Clock: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// TestOracle: on the same zones, signed by us, BIND gives the same answers: the
// response code, AA, the answer section with signatures, the authority section.
func TestOracle(t *testing.T) {
	t.Parallel()
	w := oracleWorld(t)
	dir := t.TempDir()
	config := strings.Builder{}
	for name := range oracleSignings {
		zone := w.plan.zones[name+".zz."].copies[""].zone
		file := filepath.Join(dir, name+".zone")
		if err := os.WriteFile(file, []byte(zone.file()), 0o600); err != nil {
			t.Fatal(err)
		}
		if zone.keys != nil {
			if out, err := exec.Command("dnssec-verify", "-o", zone.origin, file).CombinedOutput(); err != nil {
				t.Errorf("dnssec-verify %s: %v\n%s", name, err, out)
			}
		}
		fmt.Fprintf(&config, "zone %q { type primary; file %q; check-names ignore; };\n", name+".zz", file)
	}
	bind := startNamed(t, dir, config.String())
	compared := 0
	for name := range oracleSignings {
		s := w.plan.servers["ns1."+name+".zz"]
		s.linkDelay = w.linkDelay
		for _, owner := range oracleOwners {
			for _, qtype := range oracleTypes {
				for _, do := range []bool{false, true} {
					q := new(dns.Msg)
					q.SetQuestion(absolute(owner, name+".zz."), qtype)
					q.RecursionDesired = false
					q.SetEdns0(4096, do)
					want, got := askTCP(t, bind, q), ask(t, s, q, true)
					if strings.HasPrefix(owner, "loop") && want.Rcode == dns.RcodeServerFailure {
						want.Rcode = dns.RcodeSuccess // BIND gives the loop with SERVFAIL, others give it as it is
					}
					if diff := cmp.Diff(picture(want), picture(got)); diff != "" {
						t.Errorf("%s %s DO=%v (-BIND +lab):\n%s", q.Question[0].Name, dns.TypeToString[qtype], do, diff)
					}
					compared++
				}
			}
		}
	}
	if compared < 1000 {
		t.Errorf("only %d questions", compared)
	}
}

// file writes a zone with its keys, signatures and denial records.
func (z *zone) file() string {
	var b strings.Builder
	write := func(s *set) {
		for _, rr := range slices.Concat(s.rrs, z.signatures(s)) {
			b.WriteString(rr.String() + "\n")
		}
	}
	write(z.nodes[z.origin].sets[dns.TypeSOA])
	for owner, n := range z.nodes {
		for t, s := range n.sets {
			cut := owner != z.origin && n.has(dns.TypeNS)
			switch {
			case owner == z.origin && t == dns.TypeSOA:
			case z.occluded(owner) || cut && t != dns.TypeDS:
				for _, rr := range s.rrs {
					b.WriteString(rr.String() + "\n")
				}
			default:
				write(s)
			}
		}
	}
	if z.keys != nil {
		for _, l := range z.chain().links {
			write(l.set)
		}
	}
	return b.String()
}

// startNamed runs BIND with zones until the test ends.
func startNamed(t *testing.T, dir, zones string) string {
	t.Helper()
	port := freePort(t)
	config := fmt.Sprintf(`options {
	directory %q; listen-on port %d { 127.0.0.1; }; listen-on-v6 { none; }; pid-file none; session-keyfile none;
	recursion no; minimal-responses yes; dnssec-validation no; notify no; max-records-per-type 0;
};
controls { };
`, dir, port) + zones
	file := filepath.Join(dir, "named.conf")
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	address := fmt.Sprintf("127.0.0.1:%d", port)
	runNamed(t, exec.Command("named", "-g", "-n", "1", "-c", file), address, "plain.zz.")
	return address
}

// runNamed runs BIND until the test ends, and waits until it answers for a zone.
func runNamed(t *testing.T, cmd *exec.Cmd, address, zone string) {
	t.Helper()
	log, err := os.Create(filepath.Join(t.TempDir(), "named.log"))
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	cmd.Stderr = log
	if err := cmd.Start(); err != nil {
		t.Fatalf("named (Debian package bind9): %v", err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	q := new(dns.Msg)
	q.SetQuestion(zone, dns.TypeSOA)
	deadline := time.Now().Add(20 * time.Second)
	for {
		reply, _, err := (&dns.Client{Timeout: time.Second}).Exchange(q, address)
		if err == nil && reply.Rcode == dns.RcodeSuccess {
			return
		}
		if time.Now().After(deadline) {
			text, _ := os.ReadFile(log.Name())
			t.Fatalf("named does not answer: %v\n%s", err, text)
		}
		time.Sleep(20 * time.Millisecond) // another process starts
	}
}

func freePort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

func askTCP(t *testing.T, address string, q *dns.Msg) *dns.Msg {
	t.Helper()
	reply, _, err := (&dns.Client{Net: "tcp", Timeout: 5 * time.Second}).Exchange(q, address)
	if err != nil {
		t.Fatal(err)
	}
	return reply
}

// ask puts a question to a server of the laboratory without the network.
func ask(t *testing.T, s *server, m *dns.Msg, tcp bool) *dns.Msg {
	t.Helper()
	raw, err := m.Pack()
	if err != nil {
		t.Fatal(err)
	}
	q := query{tcp: tcp, from: -1}
	if !q.read(raw) {
		t.Fatalf("the query %v cannot be read", m)
	}
	reply := new(dns.Msg)
	if err := reply.Unpack(s.respond(&q, nil).message); err != nil {
		t.Fatal(err)
	}
	return reply
}

type pictured struct {
	Rcode             string
	AA                bool
	Answer, Authority []string
}

func picture(m *dns.Msg) pictured {
	return pictured{dns.RcodeToString[m.Rcode], m.Authoritative, lines(m.Answer), lines(m.Ns)}
}

func lines(rrs []dns.RR) []string {
	list := []string{}
	for _, rr := range rrs {
		list = append(list, rr.String())
	}
	slices.Sort(list)
	return list
}
