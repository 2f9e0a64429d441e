// Command web measures whole reviews of an order that is validated by file: DNS,
// CAA, HTTP and HTTPS, in the laboratory on loopback.
//
//	go run ./bench/web               all of it
//	go run ./bench/web -for 10s      each measurement longer
//	go run ./bench/web -web lab      web servers are the laboratory's, not nginx
//
// The servers of the laboratory run in a process of their own, so memory and CPU
// time here are what reviewing takes; those of the servers stand beside them. Both
// share the machine, and so does nginx, which serves the files where it is
// installed (Debian package nginx-light) and links have no delay.
//
// The top-level zone is known, the name's own zone never is. The floor of a
// review is its round trips: one for the delegation, then at the same time the
// questions, and for a file the address, the connection, TLS and the request.
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"os"
	"os/exec"
	"runtime/debug"
	"runtime/pprof"
	"slices"
	"strings"
	"time"

	"assay"
	"assay/bench/measure"
	"assay/cause"
	"assay/lab"
	"assay/lab/trial"
	"assay/order"
	"assay/perspective"
	"assay/profile"
	"assay/review"
)

func main() {
	each := flag.Duration("for", 5*time.Second, "how long each measurement takes")
	profiled := flag.String("cpuprofile", "", "write a profile")
	allocated := flag.String("memprofile", "", "write a profile of what is allocated")
	web := flag.String("web", "", "web servers without delay: nginx or lab; default nginx, where it is installed")
	only := flag.String("only", "", "latency, throughput or memory")
	holds := flag.String("method", "", "only methods whose name holds this")
	flag.Parse()
	log.SetFlags(0)
	if flag.Arg(0) == serving {
		if err := serve(os.Stdin, os.Stdout); err != nil {
			log.Fatal("servers: ", err)
		}
		return
	}
	debug.SetGCPercent(400) // as the program does for batches
	defer profiles(*profiled, *allocated)()
	if _, err := exec.LookPath("nginx"); err == nil && *web == "" {
		*web = "nginx"
	}
	chosen := slices.DeleteFunc(methods(), func(m method) bool { return !strings.Contains(m.name, *holds) })
	for _, part := range []struct {
		name string
		run  func() error
	}{
		{"latency", func() error { return latency(chosen) }},
		{"throughput", func() error { return throughput(chosen, *each, *web == "nginx") }},
		{"memory", memory},
	} {
		if *only != "" && *only != part.name {
			continue
		}
		if err := part.run(); err != nil {
			log.Fatal(err)
		}
	}
}

// profiles begins to write the profiles that are wanted, and returns what ends that.
func profiles(cpu, allocated string) (end func()) {
	var files [2]*os.File
	for i, name := range []string{cpu, allocated} {
		if name == "" {
			continue
		}
		f, err := os.Create(name)
		if err != nil {
			log.Fatal(err)
		}
		files[i] = f
	}
	if files[0] != nil {
		if err := pprof.StartCPUProfile(files[0]); err != nil {
			log.Fatal(err)
		}
	}
	return func() {
		if files[0] != nil {
			pprof.StopCPUProfile()
		}
		if files[1] != nil {
			if err := pprof.Lookup("allocs").WriteTo(files[1], 0); err != nil {
				log.Fatal(err)
			}
		}
	}
}

func latency(methods []method) error {
	fmt.Println("Latency of a whole review, best of 6: method, places, link (round trip), time, floor")
	for _, m := range methods {
		for _, places := range []int{1, 3, 6} {
			for _, delay := range []time.Duration{50 * time.Millisecond, 100 * time.Millisecond, 200 * time.Millisecond} {
				if err := m.latency(places, delay); err != nil {
					return err
				}
			}
		}
	}
	fmt.Println("\nThe same from one place, with a second address that never answers: one time-out, once")
	return blackHole()
}

func throughput(methods []method, each time.Duration, real bool) error {
	with := "the laboratory's"
	if real {
		with = "nginx"
	}
	fmt.Printf("\nThroughput of whole reviews from one place, 32 at a time, web servers: %s. Reviews a second now,\n", with)
	fmt.Println("CPU time of one here, of the servers for it, and reviews a second that two cores for this process could do")
	for _, m := range methods {
		if err := m.throughput(each, real); err != nil {
			return err
		}
	}
	return nil
}

// A method is an order, and the round trips that its review must take.
type method struct {
	name    string
	profile string
	order   order.Method
	value   string
	trips   int
}

// keyAuthorization is what http-01 asks for: a token, and the thumbprint of the
// account's key (RFC 8555 8.1).
const (
	token            = "evaGxfADs6pSRb2LAv9IZf17Dt3juxGJ"
	keyAuthorization = token + ".9jg46WB3rR_AHD-EBXdN7cBkH1WOu0tA3M9fm21mqTI"
)

// world is the healthy one with the file of http-01 beside.
func world() lab.Change {
	files := map[string]string{
		"/.well-known/acme-challenge/" + token:     keyAuthorization,
		"/.well-known/pki-validation/fileauth.txt": lab.Value,
	}
	return lab.Change{Sites: map[string]lab.SiteChange{"w1": {HTTP: files, HTTPS: files}}}
}

var bothSchemes = method{"file, both schemes", "private", order.MethodFile, lab.Value, 5}

func methods() []method {
	return []method{
		{"TXT and CAA", "cloud", order.MethodDNS, lab.Value, 2},
		{"http-01", "letsencrypt", order.MethodHTTP01, keyAuthorization, 4},
		bothSchemes,
		{"file, www as well", "cloud", order.MethodFile, lab.Value, 5},
	}
}

func (m method) file() *order.File {
	return &order.File{
		Order:  order.Order{Product: order.DV, Names: []string{"orchard.net"}, Method: m.order, SubmittedAt: lab.Clock.Add(-time.Hour)},
		Expect: map[string]order.Expectation{"orchard.net": {Value: m.value}},
	}
}

// reviewer reviews from places; what is not as expected is an error: a fast
// failure is no speed.
func (m method) reviewer(places []perspective.Place) (func() error, error) {
	p, err := profile.Named(m.profile)
	if err != nil {
		return nil, err
	}
	o := m.file().Resolve()
	r := &assay.Reviewer{Profile: p, Lang: "-", Now: func() time.Time { return lab.Clock }, Places: places}
	return func() error {
		report, err := r.Review(context.Background(), o)
		if err != nil {
			return err
		}
		if v := report.Verdict; v != review.VerdictPass {
			return fmt.Errorf("%s: the verdict is %s: %v", m.name, v, report.Findings)
		}
		return nil
	}, nil
}

func (m method) latency(places int, delay time.Duration) error {
	s, err := open(world(), places, delay, 5*time.Second, false)
	if err != nil {
		return err
	}
	defer s.close()
	review, err := m.reviewer(s.places)
	if err != nil {
		return err
	}
	best := time.Hour
	for range 6 { // the first one learns the top-level zone
		began := time.Now()
		if err := review(); err != nil {
			return err
		}
		best = min(best, time.Since(began))
	}
	floor := time.Duration(m.trips) * delay
	fmt.Printf("  %-20s %d %6v %8v %6.2f×\n", m.name, places, delay, best.Round(time.Millisecond), float64(best)/float64(floor))
	return nil
}

// blackHole: an address on which nothing is ever heard costs its time-out once.
func blackHole() error {
	m := bothSchemes
	const delay = 100 * time.Millisecond
	s, err := open(lab.Change{
		Zones: map[string]lab.ZoneChange{"orchard.net": {ZoneCopy: lab.ZoneCopy{Add: lab.Strings{"@ A 45.155.10.22"}}}},
		Sites: map[string]lab.SiteChange{"w2": {WebChange: lab.WebChange{Filters: []lab.Filter{{Do: "drop"}}}}},
	}, 1, delay, 5*time.Second, false)
	if err != nil {
		return err
	}
	defer s.close()
	p, err := profile.Named(m.profile)
	if err != nil {
		return err
	}
	r := &assay.Reviewer{Profile: p, Lang: "-", Now: func() time.Time { return lab.Clock }, Places: s.places}
	best := time.Hour
	for range 3 {
		began := time.Now()
		report, err := r.Review(context.Background(), m.file().Resolve())
		if err != nil {
			return err
		}
		best = min(best, time.Since(began))
		if len(report.Findings) == 0 || report.Findings[0].Cause != cause.FileAddressDead {
			return fmt.Errorf("the review finds %v", report.Findings)
		}
	}
	floor := 3*delay + dialTimeout(s)
	fmt.Printf("  %-20s %d %6v %8v %6.2f× of the round trips and one time-out\n", m.name, 1, delay, best.Round(time.Millisecond), float64(best)/float64(floor))
	return nil
}

// dialTimeout is how long one attempt to connect takes at most.
func dialTimeout(s *scene) time.Duration {
	return trial.Config(s.servers.places[0]).DNS.Dialer.Timeout
}

func (m method) throughput(each time.Duration, real bool) error {
	s, err := open(world(), 1, 0, 5*time.Second, real)
	if err != nil {
		return err
	}
	defer s.close()
	review, err := m.reviewer(s.places)
	if err != nil {
		return err
	}
	if err := review(); err != nil {
		return err
	}
	if err := s.drive(m.name, review, each); err != nil || m != bothSchemes {
		return err
	}
	least, err := newBare(s.dialer)
	if err != nil {
		return err
	}
	return s.drive("  the least of it", least.do, each)
}

func memory() error {
	fmt.Println("\nMemory of 1,000 whole reviews by file at the same time, links of 200 ms, web servers: the laboratory's")
	defer debug.SetGCPercent(debug.SetGCPercent(100)) // as it is where nothing else is said
	m := bothSchemes
	s, err := open(world(), 1, 200*time.Millisecond, time.Minute, false)
	if err != nil {
		return err
	}
	defer s.close()
	review, err := m.reviewer(s.places)
	if err != nil {
		return err
	}
	if err := review(); err != nil {
		return err
	}
	began := time.Now()
	used, err := measure.Together(1000, review)
	if err != nil {
		return err
	}
	took := time.Since(began)
	_, theirs, err := s.used()
	if err != nil {
		return err
	}
	fmt.Printf("  in %v: %d MB in use at most (%d MB before), %d MB resident at most; servers %d MB resident at most\n",
		took.Round(10*time.Millisecond), used.Peak>>20, used.Before>>20, used.Resident>>20, theirs>>20)
	return nil
}
