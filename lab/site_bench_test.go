package lab_test

import (
	"context"
	"syscall"
	"testing"
	"time"

	"assay/evidence"
	"assay/internal/strict"
	"assay/lab"
	"assay/lab/trial"
	"assay/perspective"
	"assay/probe"
)

// BenchmarkFloor is a URL fetched at every address over links of 50, 100 and
// 200 ms, as a multiple of the round trips that it must take: one for the
// delegation, one for the address, then the connection and the request (HTTP 4,
// HTTPS 5, HTTP that redirects to HTTPS 7).
func BenchmarkFloor(b *testing.B) {
	for _, c := range []struct {
		name, url string
		trips     int
	}{{"http", urlHTTP, 4}, {"https", urlHTTPS, 5}, {"redirect", "http://orchard.net/to", 7}} {
		for _, delay := range []time.Duration{50 * time.Millisecond, 100 * time.Millisecond, 200 * time.Millisecond} {
			b.Run(c.name+"/"+delay.String(), func(b *testing.B) {
				place := slow(b, delay)
				for b.Loop() {
					look := place.Begin()
					began := time.Now()
					o := look.Answer(context.Background(), []evidence.Question{{Kind: evidence.KindHTTP, HTTP: &evidence.HTTPQuestion{URL: c.url, Each: true}}})[0]
					took := time.Since(began)
					look.Close()
					if got := describe(o); got != "200 "+lab.Value && got != "> 200 "+lab.Value {
						b.Fatalf("%s: %q", c.url, got)
					}
					b.ReportMetric(float64(took)/float64(time.Duration(c.trips)*delay), "x-floor")
				}
			})
		}
	}
}

// slow is a place on a link with a delay whose resolver knows the top-level zone.
func slow(b *testing.B, delay time.Duration) perspective.Place {
	b.Helper()
	var change lab.Change
	err := strict.Decode([]byte(`sites: {w1: {answers: [{path: /to, redirect: "https://orchard.net/.well-known/pki-validation/fileauth.txt"}]}}
perspectives: {P0: {delay: `+delay.String()+`}}`), &change)
	if err != nil {
		b.Fatal(err)
	}
	w, err := lab.New(change, lab.Options{})
	if err != nil {
		b.Fatal(err)
	}
	if err := w.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := w.Close(); err != nil {
			b.Error(err)
		}
	})
	config := trial.Config(w.Probe(0))
	config.DNS.PerServer, config.DNS.PerTarget = 1<<30, 1<<30 // one name is looked at all the time
	prober, err := probe.New(config)
	if err != nil {
		b.Fatal(err)
	}
	place := perspective.NewLocal(prober)
	look := place.Begin()
	defer look.Close()
	look.Answer(context.Background(), []evidence.Question{{Kind: evidence.KindDNS, DNS: &evidence.DNSQuestion{Name: "net", Type: "NS"}}})
	return place
}

// BenchmarkWeb is the web half of a whole review of a healthy name on loopback,
// servers in the same process: the zone found, both schemes at its address.
func BenchmarkWeb(b *testing.B) {
	place := slow(b, 0)
	questions := []evidence.Question{
		{Kind: evidence.KindHTTP, HTTP: &evidence.HTTPQuestion{URL: urlHTTP, Each: true}},
		{Kind: evidence.KindHTTP, HTTP: &evidence.HTTPQuestion{URL: urlHTTPS, Each: true}},
	}
	b.ReportAllocs()
	b.SetParallelism(8)
	began := used()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			look := place.Begin()
			seen := look.Answer(context.Background(), questions)
			look.Close()
			for _, o := range seen {
				if got := describe(o); got != "200 "+lab.Value {
					b.Errorf("%q of %+v", got, o)
					return
				}
			}
		}
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "reviews/s")
	b.ReportMetric(float64(used()-began)/1e6/float64(b.N), "cpu-ms/review")
}

// used is the processor time of this process so far: other work on the machine
// does not count.
func used() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
