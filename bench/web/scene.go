package main

import (
	"fmt"
	"time"

	"assay/bench/measure"
	"assay/lab"
	"assay/lab/trial"
	"assay/perspective"
	"assay/probe"
	"assay/probe/dial"
)

// A scene is a world that runs, and places that look at it.
type scene struct {
	servers *servers
	web     *nginx       // nil: the laboratory's
	dialer  *dial.Dialer // of the first place
	places  []perspective.Place
}

// open starts a world with places that have seen the top-level zone.
func open(c lab.Change, places int, delay, patience time.Duration, real bool) (s *scene, err error) {
	c.Perspectives = map[string]lab.PerspectiveChange{}
	for i := range places {
		id := fmt.Sprintf("P%d", i)
		c.Places = append(c.Places, id)
		c.Perspectives[id] = lab.PerspectiveChange{Delay: delay}
	}
	s = &scene{}
	defer func() {
		if err != nil {
			s.close()
		}
	}()
	if s.servers, err = start(c); err != nil {
		return s, err
	}
	for i, p := range s.servers.places {
		config := trial.Config(p)
		config.DNS.PerServer, config.DNS.PerTarget = -1, -1
		config.DNS.Try, config.DNS.Tries, config.DNS.Question = patience, 3, 10*patience
		config.DNS.Hedge = patience // a busy machine is not what is measured
		config.DNS.Dialer.Timeout = max(config.DNS.Dialer.Timeout, patience/4)
		if i == 0 && real {
			if s.web, err = startNginx(config.DNS.Dialer.Map); err != nil {
				return s, err
			}
		}
		if i == 0 {
			s.dialer = config.DNS.Dialer
		}
		p, err := probe.New(config)
		if err != nil {
			return s, err
		}
		s.places = append(s.places, perspective.NewLocal(p))
	}
	return s, nil
}

func (s *scene) close() {
	if s.servers != nil {
		s.servers.stop()
	}
	if s.web != nil {
		s.web.stop()
	}
}

// used is the CPU time and the resident memory of all servers until now.
func (s *scene) used() (cpu time.Duration, resident uint64, err error) {
	if cpu, resident, err = s.servers.used(); err != nil || s.web == nil {
		return cpu, resident, err
	}
	more, also, err := s.web.used()
	return cpu + more, resident + also, err
}

// drive calls f from 32 places at once and prints what that takes, here and there.
func (s *scene) drive(name string, f func() error, each time.Duration) error {
	before, _, err := s.used()
	if err != nil {
		return err
	}
	began := time.Now()
	cpu, rate, err := measure.Drive(f, each)
	if err != nil {
		return err
	}
	calls := rate * time.Since(began).Seconds()
	after, _, err := s.used()
	if err != nil {
		return err
	}
	theirs := float64(after-before) / calls
	fmt.Printf("  %-20s %8.0f /s %8.0f µs %8.0f µs %8.0f /s\n", name, rate, cpu/1000, theirs/1000, 2e9/cpu)
	return nil
}
