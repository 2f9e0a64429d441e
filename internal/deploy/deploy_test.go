package deploy_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"assay/cause"
	"assay/evidence"
	"assay/internal/deploy"
	"assay/internal/strict"
	"assay/lab"
	"assay/lab/trial"
	"assay/profile"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// watcher looks from one place of a world.
func watcher(t *testing.T, world string) *deploy.Watcher {
	t.Helper()
	var change lab.Change
	if err := strict.Decode([]byte(world+"\n"), &change); err != nil {
		t.Fatal(err)
	}
	change.Places = lab.Strings{"P0"}
	w, err := lab.New(change, lab.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.Close() })
	places, err := trial.Places(context.Background(), w)
	if err != nil {
		t.Fatal(err)
	}
	p, err := profile.Named("cloud")
	if err != nil {
		t.Fatal(err)
	}
	return &deploy.Watcher{Places: places, Profile: p, Now: func() time.Time { return lab.Clock }}
}

func deployment(t *testing.T, names ...string) *evidence.Deployment {
	t.Helper()
	c, err := lab.Deployed()
	if err != nil {
		t.Fatal(err)
	}
	return &evidence.Deployment{Names: names, Leaf: c.New.Certificate[0], Chain: c.New.Certificate[1:], Root: c.Root}
}

// shown writes what the addresses show: "orchard.net 45.155.10.21 current".
func shown(r *deploy.Result) []string {
	var list []string
	for _, a := range r.Addresses {
		line := a.Name + " " + a.Address + " " + string(a.State)
		if a.Problem != "" {
			line += " " + a.Problem
		}
		list = append(list, line)
	}
	return list
}

// TestWatch: what every address shows is told apart, and only certificates that
// were seen are findings. An address that is not public is never dialled.
func TestWatch(t *testing.T) {
	t.Parallel()
	w := watcher(t, `
zones:
  orchard.net: {add: ["@ A 45.155.10.22", "@ A 45.155.10.23", "inner A 10.0.0.1", "local A 127.0.0.1"]}
sites:
  w1: {handshakes: [{deployment: new}]}
  w2: {handshakes: [{deployment: old-alone}]}
  w3: {closed: [443]}`)
	r, err := w.Watch(context.Background(), deployment(t, "orchard.net", "inner.orchard.net", "local.orchard.net", "none.orchard.net", "*.orchard.net", "ORCHARD.net.", "a b.net", "45.155.10.21"))
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"orchard.net 45.155.10.21 current", "orchard.net 45.155.10.22 other", "orchard.net 45.155.10.23 silent refused",
		"inner.orchard.net 10.0.0.1 silent guard", "local.orchard.net 127.0.0.1 silent guard", "none.orchard.net  silent no-address",
		"45.155.10.21 45.155.10.21 current",
	}
	if got := shown(r); !slices.Equal(got, want) {
		t.Errorf("shown:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if want := []string{"*.orchard.net", "a b.net"}; !slices.Equal(r.Skipped, want) {
		t.Errorf("skipped %q, want %q", r.Skipped, want)
	}
	if len(r.Findings) != 1 || r.Findings[0].Cause != cause.DeployOldCertificateServed || !slices.Equal(r.Findings[0].Parameters["addresses"].([]string), []string{"45.155.10.22"}) {
		t.Errorf("findings: %+v", r.Findings)
	}
	if len(r.Findings) > 0 && (len(r.Findings[0].Evidence) != 1 || !slices.Equal(r.Findings[0].Perspectives, []string{"P0"})) {
		t.Errorf("evidence %v from %v", r.Findings[0].Evidence, r.Findings[0].Perspectives)
	}
	if !r.Lab || len(r.Observations) != 9 {
		t.Errorf("lab %v, %d observations", r.Lab, len(r.Observations))
	}
}

// TestBounds: the names and the time of a watch have an end.
func TestBounds(t *testing.T) {
	t.Parallel()
	w := watcher(t, `sites: {w1: {handshakes: [{deployment: new}]}}`)
	var names []string
	for i := range 3 * deploy.MaxNames {
		names = append(names, strings.Repeat("x", i+1)+".orchard.net")
	}
	r, err := w.Watch(context.Background(), deployment(t, names...))
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Addresses) != deploy.MaxNames || len(r.Skipped) != 2*deploy.MaxNames {
		t.Errorf("%d looked at, %d skipped", len(r.Addresses), len(r.Skipped))
	}
	// A server that never answers takes no longer than the watch may.
	stalled := watcher(t, `sites: {w1: {handshakes: [{do: stall}]}}`)
	stalled.Time = 300 * time.Millisecond
	r, err = stalled.Watch(context.Background(), deployment(t, "orchard.net"))
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Addresses) != 1 || r.Addresses[0].State == deploy.Current || len(r.Findings) != 0 {
		t.Errorf("%+v, %+v", r.Addresses, r.Findings)
	}
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	if r, err = w.Watch(ended, deployment(t, "orchard.net")); err != nil || len(r.Findings) != 0 {
		t.Errorf("of a watch that was ended: %+v, %v", r, err)
	}
}

// TestErrors: without a place or a certificate nothing is looked at.
func TestErrors(t *testing.T) {
	t.Parallel()
	w := watcher(t, `{}`)
	for name, change := range map[string]func(d *evidence.Deployment){
		"leaf": func(d *evidence.Deployment) { d.Leaf = []byte("x") }, "chain": func(d *evidence.Deployment) { d.Chain = [][]byte{{1}} },
		"root": func(d *evidence.Deployment) { d.Root = []byte{} },
	} {
		d := deployment(t, "orchard.net")
		change(d)
		if _, err := w.Watch(context.Background(), d); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	w.Places = nil
	if _, err := w.Watch(context.Background(), deployment(t, "orchard.net")); err == nil {
		t.Error("no place, no error")
	}
}
