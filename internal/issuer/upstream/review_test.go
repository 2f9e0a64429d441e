package upstream

import (
	"context"
	"io"
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/miekg/dns"

	"assay/lab"
	"assay/order"
	"assay/probe/dial"
	"assay/review"
)

// A gateway is how the CA's validator, which knows nothing of a laboratory, looks
// at one that is started later: a resolver that shows web servers on loopback, and
// a port that leads to one of them.
type gateway struct {
	resolver netip.AddrPort // of the world
	web      atomic.Pointer[netip.AddrPort]
	dns, at  string
}

func newGateway(t *testing.T) *gateway {
	t.Helper()
	g := &gateway{resolver: netip.MustParseAddrPort(freePort(t, "127.0.0.1"))}
	names, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := &dns.Server{Listener: names, Handler: dns.HandlerFunc(g.resolve)}
	go func() { _ = server.ActivateAndServe() }()
	web, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go g.relay(web)
	t.Cleanup(func() { _, _ = names.Close(), web.Close() })
	g.dns, g.at = names.Addr().String(), web.Addr().String()
	return g
}

func (g *gateway) resolve(w dns.ResponseWriter, q *dns.Msg) {
	answer, _, err := (&dns.Client{Net: "tcp"}).Exchange(q, g.resolver.String())
	if err != nil {
		answer = new(dns.Msg).SetRcode(q, dns.RcodeServerFailure)
	}
	var kept []dns.RR
	for _, rr := range answer.Answer {
		switch rr := rr.(type) {
		case *dns.AAAA:
			continue
		case *dns.A:
			rr.A = net.IPv4(127, 0, 0, 1)
		}
		kept = append(kept, rr)
	}
	answer.Answer = kept
	_ = w.WriteMsg(answer)
}

func (g *gateway) relay(l net.Listener) {
	for {
		from, err := l.Accept()
		if err != nil {
			return
		}
		go func() {
			defer from.Close()
			to, err := net.Dial("tcp", g.web.Load().String())
			if err != nil {
				return
			}
			defer to.Close()
			go func() { _, _ = io.Copy(to, from) }()
			_, _ = io.Copy(from, to)
		}()
	}
}

// published is a world in which the applicant did what the challenges say.
func published(t *testing.T, g *gateway, challenges []order.Challenge) *lab.World {
	t.Helper()
	var change lab.Change
	files := map[string]string{}
	var records lab.Strings
	for _, c := range challenges {
		switch c.Method {
		case order.MethodDNS01:
			records = append(records, c.Owner+". "+c.Type+" "+strconv.Quote(c.Value))
		case order.MethodHTTP01:
			u, err := url.Parse(c.URL)
			if err != nil {
				t.Fatal(err)
			}
			files[u.Path] = c.Value
		}
	}
	change.Zones = map[string]lab.ZoneChange{"orchard.net": {ZoneCopy: lab.ZoneCopy{Add: records}}}
	change.Sites = map[string]lab.SiteChange{"w1": {HTTP: files}}
	w, err := lab.New(change, lab.Options{})
	if err == nil {
		err = w.Start()
	}
	if err == nil {
		t.Cleanup(func() { _ = w.Close() })
		_, err = w.ServeResolver(g.resolver)
	}
	if err != nil {
		t.Fatal(err)
	}
	web := w.DialMap()[dial.Endpoint{Network: "tcp", AddrPort: netip.MustParseAddrPort(lab.AddressWeb1 + ":80")}]
	g.web.Store(&web)
	return w
}

// ReviewFirst: the review of an order in the laboratory, from all its places,
// passes by what the CA wants to see and by nothing else; what it saw the CA sees.
// What reviews depends on this package, so it comes from outside.
func ReviewFirst(t *testing.T, reviewed func(context.Context, *lab.Scenario, *lab.World) (*review.Report, error)) {
	t.Helper()
	for _, test := range []struct {
		method order.Method
		names  []string
	}{
		{order.MethodDNS01, []string{"orchard.net", "*.orchard.net"}},
		{order.MethodHTTP01, []string{"orchard.net"}},
	} {
		t.Run(string(test.method), func(t *testing.T) {
			g := newGateway(t)
			p := newPebble(t, pebbleOptions{gateway: g})
			c := p.ca(t)
			r := requestFor(test.method, test.names...)
			r.Now = lab.Clock
			opened, err := c.Open(context.Background(), r)
			if err != nil {
				t.Fatal(err)
			}
			s := &lab.Scenario{Profile: "letsencrypt", Mode: "precheck", At: lab.Clock, Order: &order.File{Order: order.Order{
				Product: order.DV, Names: test.names, Method: test.method, SubmittedAt: lab.Clock.Add(-time.Hour), Challenges: opened.Challenges,
			}}}
			before, err := reviewed(context.Background(), s, published(t, newGateway(t), nil))
			if err != nil || before.Verdict == review.VerdictPass {
				t.Fatalf("before anything is published: %+v %v", before, err)
			}
			report, err := reviewed(context.Background(), s, published(t, g, opened.Challenges))
			if err != nil || report.Verdict != review.VerdictPass {
				t.Fatalf("%+v %v", report, err)
			}
			r.State = opened.State
			prepared, err := c.Prepare(context.Background(), r)
			if err != nil {
				t.Fatal(err)
			}
			issued, err := c.Complete(context.Background(), prepared)
			if err != nil || len(issued.Certificate.DNSNames) != len(test.names) {
				t.Errorf("%+v %v", issued, err)
			}
		})
	}
}
