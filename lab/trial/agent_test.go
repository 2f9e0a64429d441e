package trial_test

import (
	"context"
	"net"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"assay"
	"assay/evidence"
	"assay/lab"
	"assay/lab/trial"
	"assay/order"
	"assay/perspective"
	"assay/perspective/agent"
	"assay/perspective/identity"
	"assay/review"
)

// A liar is a place that says of itself what is true, and shows what another
// place sees; one without another place answers its self-test, and then never.
type liar struct {
	about evidence.Perspective
	sees  perspective.Place
	stall bool
}

func (l *liar) About() evidence.Perspective { return l.about }

func (l *liar) Begin() perspective.Look { return &lie{l.sees.Begin(), l.stall} }

type lie struct {
	perspective.Look
	stall bool
}

func (l *lie) Answer(ctx context.Context, questions []evidence.Question) []evidence.Observation {
	if l.stall && slices.ContainsFunc(questions, func(q evidence.Question) bool { return q.DNS == nil || q.DNS.Name != "" && q.DNS.Name != "." }) {
		<-ctx.Done()
	}
	return l.Look.Answer(ctx, questions)
}

// start runs a world until the test ends and returns its places.
func start(t *testing.T, change string) []perspective.Place {
	t.Helper()
	list, err := lab.ParseScenarios("dns.record-missing", []byte("shows:\n  - name: agents\n    world: "+change+"\n"))
	if err != nil {
		t.Fatal(err)
	}
	w, err := list[0].Start()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.Close() })
	places, err := trial.Places(t.Context(), w)
	if err != nil {
		t.Fatal(err)
	}
	return places
}

// noon is the clock of everybody: that of the worlds.
func noon() time.Time { return lab.Clock }

// serve runs an agent that looks from a place, and joins it.
func serve(t *testing.T, place perspective.Place, coordinator *identity.Identity) (r *perspective.Remote, stop func()) {
	t.Helper()
	dir := t.TempDir()
	key, err := identity.LoadOrCreate(filepath.Join(dir, "key.pem"))
	if err != nil {
		t.Fatal(err)
	}
	coordinators, err := agent.OpenCoordinators(filepath.Join(dir, "coordinators.toml"))
	if err != nil {
		t.Fatal(err)
	}
	if err := coordinators.Add(coordinator.Public, time.Now()); err != nil {
		t.Fatal(err)
	}
	about := place.About()
	a, err := agent.New(agent.Config{Place: place, Location: about.Location, Identity: key, Coordinators: coordinators, Now: noon})
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); _ = a.Serve(ctx, l) }()
	stop = func() { cancel(); <-done }
	t.Cleanup(stop)
	entry := perspective.Entry{ID: about.ID, Address: l.Addr().String(), Key: key.Public, Region: about.Region, Location: about.Location}
	r, err = perspective.NewRemote(entry, coordinator, perspective.Options{Look: 2 * time.Second, Now: noon})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Close)
	return r, stop
}

// TestAgents reviews from five agents over their protocol, of which some lie,
// stall or die. One alone never makes an order pass that would not, and never
// lays its own fault on the applicant.
func TestAgents(t *testing.T) {
	t.Parallel()
	const (
		healthy = "{}"
		nowhere = "{zones: {orchard.net: {remove: _dnsauth TXT}}}"
		// At P1, P2 and P3 the record is missing.
		three   = "{servers: {ns1: {views: [{from: [P1, P2, P3], zones: {orchard.net: {remove: _dnsauth TXT}}}]}, ns2: {views: [{from: [P1, P2, P3], zones: {orchard.net: {remove: _dnsauth TXT}}}]}}}"
		forbids = `{zones: {orchard.net: {add: ['@ CAA 0 issue "other-ca.net"']}}}`
	)
	for _, c := range []struct {
		name, world string
		lies        string // what P3 shows instead
		stall, dies []string
		verdict     review.Verdict
		finds, not  string
	}{
		{name: "all honest", world: healthy, verdict: review.VerdictPass},
		{name: "P3 alone says that the record is there", world: nowhere, lies: healthy, verdict: review.VerdictWait},
		{name: "P3 alone says that CAA permits", world: forbids, lies: healthy, verdict: review.VerdictWait, finds: "caa.forbids@orchard.net"},
		{name: "P3 hides that a third place sees nothing", world: three, lies: healthy, verdict: review.VerdictWait, finds: "perspective.quorum-not-met@orchard.net"},
		{name: "P3 alone says that the record is missing", world: healthy, lies: nowhere, verdict: review.VerdictPass, finds: "perspective.results-differ@orchard.net"},
		{name: "P3 stalls", world: healthy, stall: []string{"P3"}, verdict: review.VerdictPass, finds: "perspective.unavailable@P3"},
		{name: "P3 dies", world: healthy, dies: []string{"P3"}, verdict: review.VerdictPass, finds: "perspective.unavailable@P3"},
		{
			name: "P3 stalls and P4 dies", world: healthy, stall: []string{"P3"}, dies: []string{"P4"}, verdict: review.VerdictUnknown,
			finds: "perspective.unavailable@P3 perspective.unavailable@P4", not: "perspective.quorum-not-met",
		},
		{name: "P3 says that CAA forbids, P4 dies", world: healthy, lies: forbids, dies: []string{"P4"}, verdict: review.VerdictUnknown, finds: "perspective.unavailable@P4", not: "quorum-not-met"},
		{name: "all die", world: healthy, dies: []string{"P1", "P2", "P3", "P4", "P5"}, verdict: review.VerdictUnknown, not: "quorum-not-met"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			coordinator, err := identity.LoadOrCreate(filepath.Join(t.TempDir(), "key.pem"))
			if err != nil {
				t.Fatal(err)
			}
			places := start(t, c.world)
			sees := places
			if c.lies != "" {
				sees = start(t, c.lies)
			}
			looking := []perspective.Place{places[0]}
			var remotes []*perspective.Remote
			var stops []func()
			for i, place := range places[1:] {
				id := place.About().ID
				if id == "P3" && c.lies != "" || slices.Contains(c.stall, id) {
					place = &liar{about: place.About(), sees: sees[i+1], stall: slices.Contains(c.stall, id)}
				}
				r, stop := serve(t, place, coordinator)
				if slices.Contains(c.dies, id) {
					stops = append(stops, stop)
				}
				remotes, looking = append(remotes, r), append(looking, r)
			}
			perspective.Test(t.Context(), remotes...)
			for _, stop := range stops {
				stop() // after it was tested and believed
			}
			r := reviewFrom(t, looking)
			var found []string
			for _, f := range r.Findings {
				found = append(found, f.ID)
			}
			if r.Verdict != c.verdict {
				t.Errorf("%s, want %s: %v", r.Verdict, c.verdict, found)
			}
			for want := range strings.FieldsSeq(c.finds) {
				if !slices.Contains(found, want) {
					t.Errorf("no %s in %v", want, found)
				}
			}
			if all := strings.Join(found, " "); c.not != "" && strings.Contains(all, c.not) {
				t.Error(all)
			}
			if r.MPIC != review.StampConformant {
				t.Errorf("marked %s", r.MPIC)
			}
		})
	}
}

// reviewFrom reviews the laboratory's order from places.
func reviewFrom(t *testing.T, places []perspective.Place) *review.Report {
	t.Helper()
	reviewer := &assay.Reviewer{Now: noon, Places: places}
	file := &order.File{
		Order: order.Order{
			Product: order.DV, Names: []string{"orchard.net"}, Method: order.MethodDNS, SubmittedAt: lab.Clock.Add(-time.Hour),
		},
		Expect: map[string]order.Expectation{"orchard.net": {Value: lab.Value}},
	}
	r, err := reviewer.Review(t.Context(), file.Resolve())
	if err != nil {
		t.Fatal(err)
	}
	return r
}
