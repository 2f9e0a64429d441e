// Package trial looks at a world of the laboratory as a review does: places that
// probe it, an order reviewed from them, the findings held against those that a
// scenario wants. It stands apart from package lab so that the packages a review
// is made of can test themselves in the laboratory.
package trial

import (
	"context"
	"crypto/tls"
	"fmt"
	"net/http"
	"time"

	"github.com/miekg/dns"

	"assay"
	"assay/cause"
	"assay/data"
	"assay/evidence"
	"assay/internal/deploy"
	"assay/lab"
	"assay/perspective"
	"assay/probe"
	"assay/probe/dial"
	"assay/probe/resolver"
	"assay/profile"
	"assay/review"
)

// Patience is how long one try at a server takes at most, the link's delay not
// counted: loopback answers at once or never.
const Patience = time.Second

// Config returns the settings of a prober that looks from one perspective.
func Config(p lab.Probe) probe.Config {
	c := resolver.Config{
		Dialer: &dial.Dialer{Data: data.Embedded(), Map: p.Map, Source: p.Source, Allow: p.Allow, Timeout: 2*Patience + 3*p.Delay},
		Now:    p.Clock, Resolver: p.Place.Resolver,
		Try: Patience + 2*p.Delay, Tries: 2, Question: 8 * (Patience + p.Delay), Hedge: Patience/4 + p.Delay,
		HTTP: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: p.Roots, MinVersion: tls.VersionTLS12}},
	}
	for _, h := range p.Hints {
		c.Roots = append(c.Roots, resolver.Root{Name: h.Name, Addresses: h.Addresses})
	}
	for _, ds := range p.Anchors {
		c.Anchors = append(c.Anchors, dns.RR(ds))
	}
	return probe.Config{Perspective: p.Place.ID, Region: p.Place.Region, Location: p.Place.Location, Own: p.Place.Own, DNS: c, Public: p.Place.Public}
}

// Places returns the perspectives of a world that runs, after their self-tests.
func Places(ctx context.Context, w *lab.World) ([]perspective.Place, error) {
	var places []perspective.Place
	done := make(chan struct{})
	tests := 0
	for _, p := range w.Probes() {
		if p.Stopped {
			places = append(places, stopped{p.Place})
			continue
		}
		prober, err := probe.New(Config(p))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", p.Place.ID, err)
		}
		local := perspective.NewLocal(prober)
		places = append(places, local)
		tests++
		go func() {
			local.SelfTest(ctx)
			done <- struct{}{}
		}()
	}
	for range tests {
		<-done
	}
	return places, nil
}

// stopped is a place from which nobody looks.
type stopped struct{ about evidence.Perspective }

func (s stopped) About() evidence.Perspective { return s.about }
func (s stopped) Begin() perspective.Look     { return s }
func (s stopped) Close()                      {}

func (s stopped) Answer(_ context.Context, questions []evidence.Question) []evidence.Observation {
	list := make([]evidence.Observation, 0, len(questions))
	for _, q := range questions {
		list = append(list, evidence.Observation{Question: q, Unknown: evidence.UnknownUnreachable + ": it is stopped"}.Identify())
	}
	return list
}

// Run reviews a scenario's order in its world. Diff says how the findings differ
// from those wanted, "" where they do not.
func Run(ctx context.Context, s *lab.Scenario) (report *review.Report, diff string, err error) {
	w, err := s.Start()
	if err != nil {
		return nil, "", err
	}
	defer func() {
		if closeErr := w.Close(); err == nil {
			err = closeErr
		}
	}()
	report, err = Review(ctx, s, w)
	if err != nil {
		return nil, "", fmt.Errorf("%s: %w", s.ID, err)
	}
	return report, Compare(s.Want, report), nil
}

// Review reviews a scenario's order in a world that runs.
func Review(ctx context.Context, s *lab.Scenario, w *lab.World) (*review.Report, error) {
	p, err := profile.Named(s.Profile)
	if err != nil {
		return nil, err
	}
	places, err := Places(ctx, w)
	if err != nil {
		return nil, err
	}
	if s.Deployment != nil {
		return watch(ctx, s, p, places)
	}
	reviewer := &assay.Reviewer{
		Profile: p, Records: records(s.Records), Lang: cause.English, Mode: review.Mode(s.Mode),
		Now: func() time.Time { return s.At }, Places: places,
	}
	return reviewer.Review(ctx, s.Order.Resolve())
}

// watch looks at a scenario's certificate in use; the report holds what was found
// and no order's verdict.
func watch(ctx context.Context, s *lab.Scenario, p *profile.Profile, places []perspective.Place) (*review.Report, error) {
	c, err := lab.Deployed()
	if err != nil {
		return nil, err
	}
	names := []string(s.Deployment.Names)
	if len(names) == 0 {
		names = []string{"orchard.net"}
	}
	w := deploy.Watcher{Places: places, Profile: p, Now: func() time.Time { return s.At }}
	r, err := w.Watch(ctx, &evidence.Deployment{Names: names, Leaf: c.New.Certificate[0], Chain: c.New.Certificate[1:], Root: c.Root})
	if err != nil {
		return nil, err
	}
	report := r.Report(names)
	for _, place := range places {
		report.Perspectives = append(report.Perspectives, place.About())
	}
	return report, nil
}

// records answers lookups as a scenario says; by default every list is set up
// and fresh, and every kind of record is kept and empty.
type records map[evidence.Topic]evidence.LookupAnswer

func (r records) Answer(q evidence.LookupQuestion, at time.Time) evidence.Observation {
	answer, ok := r[q.Topic]
	if !ok && q.Topic == evidence.TopicInputs {
		for _, name := range []string{
			data.PublicSuffixes, data.RootZone, data.AddressBlocks, data.Confusables, data.Words, data.Brands,
			"keys.compromised", "keys.debian", "names.blocked", "names.unsafe", "parties.denied", "clock",
		} {
			answer.Inputs = append(answer.Inputs, evidence.Input{Name: name, Configured: true, Date: at})
		}
	}
	return evidence.Observation{Question: evidence.Question{Kind: evidence.KindLookup, Lookup: &q}, At: at, Lookup: &answer}.Identify()
}
