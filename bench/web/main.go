// Command web measures whole reviews of an order that is validated by file: DNS,
// CAA, HTTP and HTTPS, in the laboratory on loopback.
//
//	go run ./bench/web            all of it
//	go run ./bench/web -for 5s    each measurement longer
//	go run ./bench/web -nginx     web servers are nginx (Debian package nginx-light)
//
// The top-level zone is known, the name's own zone never is. The floor of a
// review is its round trips: one for the delegation, then at the same time the
// questions, and for a file the address, the connection, TLS and the request.
// Times on a shared machine say little; CPU time a review, servers of the
// laboratory included (nginx is not), says what the machine could do alone.
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"os"
	"runtime/debug"
	"runtime/pprof"
	"time"

	"assay"
	"assay/bench/measure"
	"assay/cause"
	"assay/lab"
	"assay/lab/trial"
	"assay/order"
	"assay/perspective"
	"assay/probe"
	"assay/profile"
	"assay/review"
)

func main() {
	each := flag.Duration("for", 5*time.Second, "how long each measurement takes")
	profiled := flag.String("cpuprofile", "", "write a profile")
	real := flag.Bool("nginx", false, "web servers are nginx")
	only := flag.String("only", "", "latency, throughput or memory")
	flag.Parse()
	log.SetFlags(0)
	debug.SetGCPercent(400) // as the program does for batches
	if *profiled != "" {
		f, err := os.Create(*profiled)
		if err != nil {
			log.Fatal(err)
		}
		if err := pprof.StartCPUProfile(f); err != nil {
			log.Fatal(err)
		}
		defer pprof.StopCPUProfile()
	}
	if err := run(*each, *real, *only); err != nil {
		log.Fatal(err)
	}
}

func run(each time.Duration, real bool, only string) error {
	for _, part := range []struct {
		name string
		run  func() error
	}{
		{"latency", latency}, {"throughput", func() error { return throughput(each, real) }}, {"memory", memory},
	} {
		if only != "" && only != part.name {
			continue
		}
		if err := part.run(); err != nil {
			return err
		}
	}
	return nil
}

func latency() error {
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

func throughput(each time.Duration, real bool) error {
	fmt.Println("\nThroughput of whole reviews from one place, 32 at a time: a second now, CPU time of one,")
	fmt.Println("reviews a second that two cores alone could do")
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

var methods = []method{
	{"TXT and CAA", "cloud", order.MethodDNS, lab.Value, 2},
	{"http-01", "letsencrypt", order.MethodHTTP01, keyAuthorization, 4},
	{"file, both schemes", "private", order.MethodFile, lab.Value, 5},
	{"file, www as well", "cloud", order.MethodFile, lab.Value, 5},
}

func (m method) file() *order.File {
	return &order.File{
		Order:  order.Order{Product: order.DV, Names: []string{"orchard.net"}, Method: m.order, SubmittedAt: lab.Clock.Add(-time.Hour)},
		Expect: map[string]order.Expectation{"orchard.net": {Value: m.value}},
	}
}

// open starts a world with places that have seen the top-level zone.
func open(c lab.Change, places int, delay, patience time.Duration, real bool) (*lab.World, []perspective.Place, func(), error) {
	none := func() {}
	c.Perspectives = map[string]lab.PerspectiveChange{}
	for i := range places {
		id := fmt.Sprintf("P%d", i)
		c.Places = append(c.Places, id)
		c.Perspectives[id] = lab.PerspectiveChange{Delay: delay}
	}
	w, err := lab.New(c, lab.Options{})
	if err != nil {
		return nil, nil, none, err
	}
	if err := w.Start(); err != nil {
		return nil, nil, none, err
	}
	stop := none
	var list []perspective.Place
	for i := range places {
		config := trial.Config(w.Probe(i))
		config.DNS.PerServer, config.DNS.PerTarget = -1, -1
		config.DNS.Try, config.DNS.Tries, config.DNS.Question = patience, 3, 10*patience
		config.DNS.Hedge = patience // a busy machine is not what is measured
		config.DNS.Dialer.Timeout = max(config.DNS.Dialer.Timeout, patience/4)
		if i == 0 && real {
			if stop, err = nginx(config.DNS.Dialer.Map); err != nil {
				return nil, nil, none, err
			}
		}
		p, err := probe.New(config)
		if err != nil {
			return nil, nil, stop, err
		}
		list = append(list, perspective.NewLocal(p))
	}
	return w, list, stop, nil
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
	w, list, stop, err := open(world(), places, delay, 5*time.Second, false)
	if err != nil {
		return err
	}
	defer stop()
	review, err := m.reviewer(list)
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
	return w.Close()
}

// blackHole: an address on which nothing is ever heard costs its time-out once.
func blackHole() error {
	m := methods[2]
	const delay = 100 * time.Millisecond
	w, list, stop, err := open(lab.Change{
		Zones: map[string]lab.ZoneChange{"orchard.net": {ZoneCopy: lab.ZoneCopy{Add: lab.Strings{"@ A 45.155.10.22"}}}},
		Sites: map[string]lab.SiteChange{"w2": {WebChange: lab.WebChange{Filters: []lab.Filter{{Do: "drop"}}}}},
	}, 1, delay, 5*time.Second, false)
	if err != nil {
		return err
	}
	defer stop()
	p, err := profile.Named(m.profile)
	if err != nil {
		return err
	}
	r := &assay.Reviewer{Profile: p, Lang: "-", Now: func() time.Time { return lab.Clock }, Places: list}
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
	floor := 3*delay + dialTimeout(w)
	fmt.Printf("  %-20s %d %6v %8v %6.2f× of the round trips and one time-out\n", m.name, 1, delay, best.Round(time.Millisecond), float64(best)/float64(floor))
	return w.Close()
}

// dialTimeout is how long one attempt to connect takes at most.
func dialTimeout(w *lab.World) time.Duration { return trial.Config(w.Probe(0)).DNS.Dialer.Timeout }

func (m method) throughput(each time.Duration, real bool) error {
	w, list, stop, err := open(world(), 1, 0, 5*time.Second, real)
	if err != nil {
		return err
	}
	defer stop()
	review, err := m.reviewer(list)
	if err != nil {
		return err
	}
	if err := review(); err != nil {
		return err
	}
	cpu, rate, err := measure.Drive(review, each)
	if err != nil {
		return err
	}
	fmt.Printf("  %-20s %8.0f /s %8.0f µs %8.0f /s\n", m.name, rate, cpu/1000, 2e9/cpu)
	return w.Close()
}

func memory() error {
	fmt.Println("\nMemory of 1,000 whole reviews by file at the same time, links of 200 ms")
	defer debug.SetGCPercent(debug.SetGCPercent(100)) // as it is where nothing else is said
	m := methods[2]
	w, list, stop, err := open(world(), 1, 200*time.Millisecond, time.Minute, false)
	if err != nil {
		return err
	}
	defer stop()
	review, err := m.reviewer(list)
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
	fmt.Printf("  in %v: %d MB in use at most (%d MB before), %d MB resident at most, servers included\n",
		time.Since(began).Round(10*time.Millisecond), used.Peak>>20, used.Before>>20, used.Resident>>20)
	return w.Close()
}
