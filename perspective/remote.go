package perspective

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"assay/evidence"
	"assay/internal/contain"
	"assay/perspective/identity"
	"assay/perspective/wire"
)

// Options say how remote places are asked. The zero value is right.
type Options struct {
	// Look bounds one look of a remote place, all of it: connecting, looking there,
	// the answer. Default 45 s.
	Look time.Duration
	// Retest is how long a self-test counts, 10 minutes by default. A look after
	// that tests again, at the same time.
	Retest time.Duration
	// Now is the clock; default time.Now. Time-outs run on the real clock.
	Now func() time.Time
}

const (
	dialTimeout = 5 * time.Second
	// again is how soon a place that failed its test is tested again: until then
	// it is not asked, so that it delays nothing.
	again = 5 * time.Second
)

// Load returns the remote places of perspectives.toml. They are not connected
// yet: see [Test]. Close each when it is no longer needed.
func Load(path string, o Options) ([]*Remote, error) {
	f, err := ReadFile(path)
	if err != nil {
		return nil, err
	}
	if len(f.Perspectives) == 0 {
		return nil, nil
	}
	id, err := identity.Load(f.keyPath(path))
	if err != nil {
		return nil, err
	}
	var list []*Remote
	for _, e := range f.Perspectives {
		r, err := NewRemote(e, id, o)
		if err != nil {
			return nil, err
		}
		list = append(list, r)
	}
	return list, nil
}

// Remote is a place elsewhere, looked from by an agent (`assay perspective
// serve`). It is tested before it is believed: while the last test failed, or
// the agent's answers are not good, its observations are unknown with one of the
// words of [evidence.Observation.PerspectiveFault]. It keeps one connection warm,
// so that a look costs one round trip and what the agent needs.
type Remote struct {
	entry   Entry
	id      *identity.Identity
	options Options
	link    *link
	life    context.Context // ends with Close
	end     context.CancelFunc

	mu     sync.Mutex
	health Health
	due    bool         // a look failed: test before the time
	test   *runningTest // nil while none runs
}

// Health is the outcome of a test.
type Health struct {
	// About is the place as it says it is, with what does not work there.
	About evidence.Perspective
	// Fault is nil where the agent may be believed.
	Fault *Fault
	// RTT is the round trip to the agent over a warm connection; 0 where there
	// was none.
	RTT time.Duration
	// Tested is when; zero: not yet.
	Tested time.Time
}

// A Fault is why a remote place is not believed.
type Fault struct {
	// Word is one of the Unknown words of package evidence, or "self-test".
	Word string
	// Detail says more, in English, and is the same each time.
	Detail string
}

func (f *Fault) Error() string {
	if f.Detail == "" {
		return f.Word
	}
	return f.Word + ": " + f.Detail
}

// faultSelfTest: the agent is who it should be, but does not see what it should.
const faultSelfTest = "self-test"

// NewRemote returns the place of an entry, asked in the name of an identity.
func NewRemote(e Entry, id *identity.Identity, o Options) (*Remote, error) {
	if err := e.check(); err != nil {
		return nil, err
	}
	tls, err := id.Client(e.agentKey())
	if err != nil {
		return nil, err
	}
	if o.Look <= 0 {
		o.Look = 45 * time.Second
	}
	if o.Retest <= 0 {
		o.Retest = 10 * time.Minute
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	r := &Remote{entry: e, id: id, options: o, link: newLink(dialing(tls))}
	r.life, r.end = context.WithCancel(context.Background())
	r.health.About = r.configured()
	r.health.About.Missing = []evidence.Missing{{What: "agent", Detail: "not tested yet"}}
	return r, nil
}

// configured is what is known without asking.
func (r *Remote) configured() evidence.Perspective {
	return evidence.Perspective{ID: r.entry.ID, Region: r.entry.Region, Remote: true, Key: r.entry.Key, Location: r.entry.Location}
}

// About says what the place is, with what its last test found. It does not wait.
func (r *Remote) About() evidence.Perspective { return r.Health().About }

// Health is the outcome of the last test.
func (r *Remote) Health() Health {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.health
}

// Close closes the connection. Looks and tests that run end at once.
func (r *Remote) Close() {
	r.end()
	r.mu.Lock()
	t := r.test
	r.mu.Unlock()
	if t != nil {
		<-t.done
	}
	r.link.CloseIdleConnections()
}

// Test tests places, all at once, and returns when each is tested or ctx ends.
// It also warms the connections, so a program that reviews once calls it first.
func Test(ctx context.Context, places ...*Remote) {
	var all contain.Group
	for _, r := range places {
		all.Go(func() { r.Test(ctx) })
	}
	all.Wait()
}

// A runningTest is a test that several may wait for.
type runningTest struct{ done chan struct{} }

// Test tests the place and returns what it found: that the agent is reached, is
// who it should be, answers what it is asked, and sees a name that is known to
// be good (the signed root of the DNS) as it should.
func (r *Remote) Test(ctx context.Context) Health {
	r.mu.Lock()
	t := r.test
	if t == nil {
		t = &runningTest{make(chan struct{})}
		r.test = t
		// The test goes on for the others who wait for it when ctx ends.
		go r.runTest(r.life, t)
	}
	r.mu.Unlock()
	select {
	case <-t.done:
	case <-ctx.Done():
	}
	return r.Health()
}

const testTimeout = 15 * time.Second

func (r *Remote) runTest(ctx context.Context, t *runningTest) {
	ctx, cancel := context.WithTimeout(ctx, testTimeout)
	defer cancel()
	h := Health{About: r.configured()}
	about, rtt, fault := r.probe(ctx)
	if about != nil {
		h.About = *about
	}
	h.RTT, h.Fault, h.Tested = rtt, fault, r.options.Now()
	if fault != nil {
		m := evidence.Missing{What: "agent", Detail: fault.Error()}
		if fault.Word == faultSelfTest {
			m = evidence.Missing{What: faultSelfTest, Detail: fault.Detail}
		}
		h.About.Missing = append(h.About.Missing, m)
	}
	r.mu.Lock()
	r.health, r.test, r.due = h, nil, false
	r.mu.Unlock()
	close(t.done)
}

// knownGood is what every place must see, on the internet as in a laboratory:
// the name servers of the root, validated.
func knownGood(id string) evidence.Question {
	return evidence.Question{Kind: evidence.KindDNS, Perspective: id, DNS: &evidence.DNSQuestion{Name: "", Type: "NS"}}
}

// probe is the test itself.
func (r *Remote) probe(ctx context.Context) (*evidence.Perspective, time.Duration, *Fault) {
	if _, _, fault := r.ask(ctx, nil); fault != nil { // connects
		return nil, 0, fault
	}
	start := time.Now()
	if _, _, fault := r.ask(ctx, nil); fault != nil {
		return nil, 0, fault
	}
	rtt := time.Since(start)
	about, seen, fault := r.ask(ctx, []evidence.Question{knownGood(r.entry.ID)})
	if fault != nil {
		return nil, rtt, fault
	}
	return about, rtt, selfTest(about, &seen[0])
}

// selfTest judges what a place saw of the known good name.
func selfTest(about *evidence.Perspective, o *evidence.Observation) *Fault {
	a := o.DNS
	switch {
	case o.Unknown != "":
		return &Fault{faultSelfTest, "it could not ask for the root's name servers: " + clip(o.Unknown)}
	case a.Status != "NOERROR" || len(a.Answer) == 0:
		return &Fault{faultSelfTest, "no name servers of the root: " + clip(a.Status)}
	case a.Security != "secure" && (a.Security != "" || about.Network == nil):
		// In a laboratory without trust anchors nothing is validated.
		return &Fault{faultSelfTest, "the name servers of the root are not validated: " + clip(a.Security)}
	}
	return nil
}

// clip bounds a text that an agent wrote.
func clip(text string) string {
	if len(text) > 80 {
		text = text[:80]
	}
	return fmt.Sprintf("%+q", text)
}

// Begin starts looking for one review. Nothing is kept between the questions of
// a look but what the agent learns while it answers those asked together.
func (r *Remote) Begin() Look { return &remoteLook{r} }

type remoteLook struct{ r *Remote }

// Close forgets what was learnt: nothing.
func (*remoteLook) Close() {}

type orderKey struct{}

// WithOrder says which order the questions asked with a context are for: an
// opaque digest, at most 128 bytes, that remote places put under their signature.
func WithOrder(ctx context.Context, digest string) context.Context {
	return context.WithValue(ctx, orderKey{}, digest)
}

func orderOf(ctx context.Context) string {
	digest, _ := ctx.Value(orderKey{}).(string)
	return digest
}

// Answer answers questions at once; see [Look].
func (l *remoteLook) Answer(ctx context.Context, questions []evidence.Question) []evidence.Observation {
	r := l.r
	began := r.options.Now()
	if len(questions) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, r.options.Look)
	defer cancel()
	defer context.AfterFunc(r.life, cancel)()
	believed := make(chan *Fault, 1)
	switch fault, test := r.standing(); {
	case fault != nil:
		return unanswered(questions, fault, began)
	case test:
		go func() {
			var fault *Fault
			if p := contain.Catch(func() { fault = r.tested(ctx) }); p != nil {
				fault = &Fault{Word: evidence.UnknownDefect, Detail: "its test failed here"}
			}
			believed <- fault
		}()
	default:
		believed <- nil
	}
	seen, fault := r.askAll(ctx, questions)
	if other := <-believed; fault == nil {
		fault = other
	}
	if fault != nil {
		return unanswered(questions, fault, began)
	}
	return seen
}

// standing says whether the place can be asked: not at all where it failed its
// test just now; with a test at the same time where the last one is old, failed,
// or a look failed since.
func (r *Remote) standing() (fault *Fault, test bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	age := r.options.Now().Sub(r.health.Tested)
	switch h := &r.health; {
	case h.Tested.IsZero():
		return nil, true
	case h.Fault != nil && age >= 0 && age < again:
		return h.Fault, false
	case h.Fault != nil || r.due || age < 0 || age > r.options.Retest:
		return nil, true
	}
	return nil, false
}

// tested waits for a test that began now or runs already.
func (r *Remote) tested(ctx context.Context) *Fault {
	before := r.Health().Tested
	h := r.Test(ctx)
	if h.Tested.Equal(before) && ctx.Err() != nil {
		return &Fault{evidence.UnknownTimeout, "its self-test"}
	}
	return h.Fault
}

// askAll asks in as many requests at once as the questions need.
func (r *Remote) askAll(ctx context.Context, questions []evidence.Question) ([]evidence.Observation, *Fault) {
	seen := make([]evidence.Observation, len(questions))
	faults := make([]*Fault, (len(questions)+wire.MaxQuestions-1)/wire.MaxQuestions)
	var all contain.Group
	for n := range faults {
		from := n * wire.MaxQuestions
		part := questions[from:min(from+wire.MaxQuestions, len(questions))]
		all.Go(func() {
			_, some, fault := r.ask(ctx, part)
			copy(seen[from:], some)
			faults[n] = fault
		})
	}
	all.Wait()
	for _, fault := range faults {
		if fault != nil {
			r.mu.Lock()
			r.due = true
			r.mu.Unlock()
			return nil, fault
		}
	}
	return seen, nil
}

// unanswered are the observations of a place that is not believed.
func unanswered(questions []evidence.Question, fault *Fault, at time.Time) []evidence.Observation {
	seen := make([]evidence.Observation, len(questions))
	unknown := fault.Error()
	if fault.Word == faultSelfTest {
		unknown = evidence.UnknownInvalid + ": its self-test fails"
	}
	for i, q := range questions {
		seen[i] = evidence.Observation{Question: q, At: at.UTC(), Unknown: unknown}.Identify()
	}
	return seen
}

// errFault finds the fault in an error.
func errFault(err error) *Fault {
	var f *Fault
	if errors.As(err, &f) {
		return f
	}
	return nil
}
