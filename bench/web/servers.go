package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net/netip"
	"os"
	"os/exec"
	"time"

	"github.com/miekg/dns"

	"assay/bench/measure"
	"assay/evidence"
	"assay/lab"
	"assay/probe/dial"
)

// servers run a world in a process of their own, so that what is measured here is
// what reviewing takes.
type servers struct {
	places []lab.Probe
	cmd    *exec.Cmd
	stdin  io.Closer
}

// A place is a [lab.Probe] on its way to another process.
type place struct {
	Place   evidence.Perspective
	Map     string
	Source  netip.Addr
	Hints   []lab.Host
	Anchors []string
	Delay   time.Duration
}

// serving is how this program is told to be the servers: a world is on its
// standard input, and it ends with that.
const serving = "serve"

// start runs a world.
func start(c lab.Change) (*servers, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(self, serving)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	s := &servers{cmd: cmd, stdin: in}
	var places []place
	if err = json.NewEncoder(in).Encode(c); err == nil {
		err = json.NewDecoder(bufio.NewReader(out)).Decode(&places)
	}
	for i := 0; err == nil && i < len(places); i++ {
		var p lab.Probe
		p, err = places[i].probe()
		s.places = append(s.places, p)
	}
	if err != nil {
		s.stop()
		return nil, fmt.Errorf("servers: %w", err)
	}
	return s, nil
}

// stop ends the servers.
func (s *servers) stop() {
	_ = s.stdin.Close()
	_ = s.cmd.Wait()
}

// used is the CPU time and the resident memory, in bytes, of the servers.
func (s *servers) used() (cpu time.Duration, resident uint64, err error) {
	return measure.Process(s.cmd.Process.Pid)
}

func (p *place) probe() (lab.Probe, error) {
	m, err := dial.ParseMap(p.Map)
	if err != nil {
		return lab.Probe{}, err
	}
	full := lab.Probe{Place: p.Place, Map: m, Source: p.Source, Hints: p.Hints, Delay: p.Delay, Clock: func() time.Time { return lab.Clock }}
	for _, text := range p.Anchors {
		rr, err := dns.NewRR(text)
		if err != nil {
			return lab.Probe{}, err
		}
		ds, ok := rr.(*dns.DS)
		if !ok {
			return lab.Probe{}, fmt.Errorf("a trust anchor that is no DS record: %s", text)
		}
		full.Anchors = append(full.Anchors, ds)
	}
	return full, nil
}

// serve is what the other process does: it runs the world that it reads until
// there is no more to read.
func serve(in io.Reader, out io.Writer) error {
	d := json.NewDecoder(in)
	var c lab.Change
	if err := d.Decode(&c); err != nil {
		return err
	}
	w, err := lab.New(c, lab.Options{})
	if err != nil {
		return err
	}
	if err := w.Start(); err != nil {
		return err
	}
	var places []place
	for _, p := range w.Probes() {
		one := place{Place: p.Place, Map: p.Map.String(), Source: p.Source, Hints: p.Hints, Delay: p.Delay}
		for _, ds := range p.Anchors {
			one.Anchors = append(one.Anchors, ds.String())
		}
		places = append(places, one)
	}
	if err := json.NewEncoder(out).Encode(places); err != nil {
		return err
	}
	_, _ = io.Copy(io.Discard, in)
	return w.Close()
}
