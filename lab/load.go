package lab

import (
	"cmp"
	"embed"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"assay/cause"
	"assay/internal/strict"
	"assay/order"
)

//go:embed scenarios
var scenarioFiles embed.FS

// Scenarios returns every scenario, by cause, shows before near misses, with
// what its file left out filled in.
func Scenarios() ([]Scenario, error) {
	names, err := fs.Glob(scenarioFiles, "scenarios/*.yaml")
	if err != nil {
		return nil, err
	}
	var all []Scenario
	for _, name := range names {
		raw, err := scenarioFiles.ReadFile(name)
		if err != nil {
			return nil, err
		}
		list, err := ParseScenarios(cause.ID(strings.TrimSuffix(path.Base(name), ".yaml")), raw)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path.Base(name), err)
		}
		all = append(all, list...)
	}
	return all, nil
}

// ParseScenarios reads a scenario file about a cause.
func ParseScenarios(about cause.ID, raw []byte) ([]Scenario, error) {
	var f ScenarioFile
	if err := strict.Decode(raw, &f); err != nil {
		return nil, err
	}
	var list []Scenario
	for _, part := range []struct {
		scenarios []Scenario
		suffix    string
		near      bool
	}{{f.Shows, "", false}, {f.NearMisses, "/near", true}} {
		for i, s := range part.scenarios {
			s.ID, s.Cause, s.Near = string(about)+part.suffix, about, part.near
			if i > 0 {
				s.ID += "/" + strconv.Itoa(i+1)
			}
			s.fill()
			list = append(list, s)
		}
	}
	return list, nil
}

//go:embed hostile.yaml
var hostileFile []byte

// Hostile returns worlds made to harm whoever looks at orchard.net, by name.
func Hostile() (map[string]Change, error) {
	var worlds map[string]Change
	if err := strict.Decode(hostileFile, &worlds); err != nil {
		return nil, fmt.Errorf("hostile.yaml: %w", err)
	}
	return worlds, nil
}

// fill sets what the file left out.
func (s *Scenario) fill() {
	s.Profile = cmp.Or(s.Profile, "cloud")
	s.Mode = cmp.Or(s.Mode, "precheck")
	if s.At.IsZero() {
		s.At = Clock
	}
	if s.Order == nil {
		s.Order = &order.File{
			Order: order.Order{
				Product: order.DV, Names: []string{"orchard.net"}, Method: cmp.Or(s.Method, order.MethodDNS), SubmittedAt: s.At.Add(-time.Hour),
			},
			Expect: map[string]order.Expectation{"orchard.net": {Value: Value}},
		}
	}
}

// Find returns one scenario by its id; the first show of a cause by the cause.
func Find(id string) (*Scenario, error) {
	all, err := Scenarios()
	if err != nil {
		return nil, err
	}
	if i := slices.IndexFunc(all, func(s Scenario) bool { return s.ID == id }); i >= 0 {
		return &all[i], nil
	}
	var like []string
	for _, s := range all {
		if strings.Contains(s.ID, id) && len(like) < 5 {
			like = append(like, s.ID)
		}
	}
	if len(like) > 0 {
		return nil, fmt.Errorf("there is no scenario %q; there are %s", id, strings.Join(like, ", "))
	}
	return nil, fmt.Errorf("there is no scenario %q", id)
}

// Start builds the scenario's world and runs it. Its clock stands still at At.
func (s *Scenario) Start() (*World, error) {
	w, err := New(s.World, Options{Clock: func() time.Time { return s.At }})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", s.ID, err)
	}
	if err := w.Start(); err != nil {
		return nil, fmt.Errorf("%s: %w", s.ID, err)
	}
	return w, nil
}
