// Command dns measures looking at the DNS in the laboratory, servers and prober
// in one process on loopback.
//
//	go run ./bench/dns            all of it
//	go run ./bench/dns -for 5s    each measurement longer
//
// A look is what a review of one name asks in its first round: the validation
// record, CAA and the NS set, of every server. The top-level zone is known, the
// name's own zone never is. Times on a shared machine say little; CPU time a
// look, servers included, says what the machine could do alone.
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"os"
	"time"

	"assay"
	"assay/bench/measure"
	"assay/cause"
	"assay/evidence"
	"assay/lab"
	"assay/lab/trial"
	"assay/order"
	"assay/perspective"
	"assay/probe"
)

func main() {
	each := flag.Duration("for", 3*time.Second, "how long each measurement takes")
	flag.Parse()
	log.SetFlags(0)
	if err := run(*each); err != nil {
		log.Fatal(err)
	}
}

func run(each time.Duration) error {
	fmt.Println("Latency of a look: link delay (round trip), time, floor = 2 round trips")
	for _, signed := range []bool{false, true} {
		for _, delay := range []time.Duration{50 * time.Millisecond, 100 * time.Millisecond, 200 * time.Millisecond} {
			if err := latency(signed, delay); err != nil {
				return err
			}
		}
	}
	fmt.Println("\nThroughput: looks a second now, CPU time of a look with its servers, looks a second that two")
	fmt.Println("cores alone could do; CPU time of bare packets and verifications, and their share")
	for _, signed := range []bool{false, true} {
		if err := throughput(signed, each); err != nil {
			return err
		}
	}
	fmt.Println("\nWhole reviews of an order for an unsigned name from one place: a second now, CPU time of one")
	fmt.Println("with its servers, reviews a second that two cores alone could do")
	if err := reviews(each); err != nil {
		return err
	}
	fmt.Println("\nMemory of 1,000 looks at the same time, links of 200 ms")
	return memory()
}

// questions are those of a look.
func questions() []evidence.Question {
	var list []evidence.Question
	for _, q := range []evidence.DNSQuestion{
		{Name: "_dnsauth.orchard.net", Type: "TXT", Each: true},
		{Name: "orchard.net", Type: "CAA", Each: true},
		{Name: "orchard.net", Type: "NS", Each: true},
	} {
		list = append(list, evidence.Question{Kind: evidence.KindDNS, Perspective: "P0", DNS: &q})
	}
	return list
}

// open starts a world and a prober that has seen the top-level zone.
func open(signed bool, delay, try time.Duration) (*lab.World, *probe.Prober, error) {
	c := lab.Change{Perspectives: map[string]lab.PerspectiveChange{"P0": {Delay: delay}}}
	if signed {
		c.Zones = map[string]lab.ZoneChange{"orchard.net": {ZoneCopy: lab.ZoneCopy{Sign: &lab.Signing{}}}}
	}
	w, err := lab.New(c, lab.Options{})
	if err != nil {
		return nil, nil, err
	}
	if err := w.Start(); err != nil {
		return nil, nil, err
	}
	config := trial.Config(w.Probe(0))
	config.DNS.PerServer, config.DNS.PerTarget = -1, -1
	config.DNS.Try, config.DNS.Tries, config.DNS.Question = try, 3, 10*try
	config.DNS.Hedge = try // a busy machine is not what is measured
	p, err := probe.New(config)
	if err != nil {
		return nil, nil, err
	}
	return w, p, look(p)
}

// look is one look. What is not as expected is an error: a fast failure is no speed.
func look(p *probe.Prober) error {
	l := p.Begin()
	defer l.Close()
	for _, o := range l.Answer(context.Background(), questions()) {
		if o.DNS == nil || o.DNS.Status != "NOERROR" || len(o.DNS.Links) != 1 || len(o.DNS.Links[0].Copies) != 2 {
			return fmt.Errorf("%s: %q %+v", o.Question.DNS.Type, o.Unknown, o.DNS)
		}
		if s := o.DNS.Security; s != "secure" && s != "insecure" {
			return fmt.Errorf("%s: %q", o.Question.DNS.Type, s)
		}
	}
	return nil
}

func latency(signed bool, delay time.Duration) error {
	w, p, err := open(signed, delay, 5*time.Second)
	if err != nil {
		return err
	}
	best := time.Hour
	for range 5 {
		began := time.Now()
		if err := look(p); err != nil {
			return err
		}
		best = min(best, time.Since(began))
	}
	fmt.Printf("  %-8s %6v %10v %6.2f×\n", name(signed), delay, best.Round(100*time.Microsecond), float64(best)/float64(2*delay))
	return w.Close()
}

// throughput compares looks with the least that must be done, in turn.
func throughput(signed bool, each time.Duration) error {
	w, p, err := open(signed, 0, 5*time.Second)
	if err != nil {
		return err
	}
	bare, err := newBare(trial.Config(w.Probe(0)).DNS.Dialer, signed)
	if err != nil {
		return err
	}
	const rounds = 3
	var ours, least, rate float64
	for range rounds {
		cpu, second, err := measure.Drive(func() error { return look(p) }, each/rounds)
		if err != nil {
			return err
		}
		ours, rate = ours+cpu/rounds, rate+second/rounds
		if cpu, _, err = measure.Drive(bare.look, each/rounds); err != nil {
			return err
		}
		least += cpu / rounds
	}
	fmt.Printf("  %-8s %8.0f /s %8.0f µs %8.0f /s %8.0f µs %6.2f\n", name(signed), rate, ours/1000, 2e9/ours, least/1000, least/ours)
	return w.Close()
}

// reviews adds the rules: what is asked and what is made of it.
func reviews(each time.Duration) error {
	w, p, err := open(false, 0, 5*time.Second)
	if err != nil {
		return err
	}
	file := order.File{
		Order:  order.Order{Product: order.DV, Names: []string{"orchard.net"}, Method: order.MethodDNS, SubmittedAt: lab.Clock.Add(-time.Hour)},
		Expect: map[string]order.Expectation{"orchard.net": {Value: lab.Value}},
	}
	r := &assay.Reviewer{Lang: "-", Now: func() time.Time { return lab.Clock }, Places: []perspective.Place{perspective.NewLocal(p)}}
	cpu, rate, err := measure.Drive(func() error {
		report, err := r.Review(context.Background(), file.Resolve())
		if err != nil {
			return err
		}
		for _, f := range report.Findings {
			if f.Level != cause.Info && f.Level != cause.Pass {
				return fmt.Errorf("the review finds %s", f.Cause)
			}
		}
		return nil
	}, each)
	if err != nil {
		return err
	}
	fmt.Printf("  %-8s %8.0f /s %8.0f µs %8.0f /s\n", name(false), rate, cpu/1000, 2e9/cpu)
	return w.Close()
}

func memory() error {
	w, p, err := open(false, 200*time.Millisecond, 2*time.Second)
	if err != nil {
		return err
	}
	used, err := measure.Together(1000, func() error { return look(p) })
	if err != nil {
		fmt.Fprintln(os.Stderr, "a look failed:", err)
	}
	fmt.Printf("  %d MB in use at most (%d MB before), %d MB resident at most, servers included\n", used.Peak>>20, used.Before>>20, used.Resident>>20)
	return w.Close()
}

func name(signed bool) string {
	if signed {
		return "signed"
	}
	return "unsigned"
}
