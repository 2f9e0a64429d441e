package review

import (
	"strings"

	"assay/evidence"
)

// A Cell is what one place saw of one server: the cells of a report are its
// matrix of perspective, address family, scheme and server. They are read from
// the observations that decide, and say nothing that these do not.
type Cell struct {
	Perspective string `json:"perspective"`
	// Check is "dns" (the validation record), "file", "tls" (the challenge
	// certificate) or "caa".
	Check   string `json:"check"`
	Subject string `json:"subject"`
	Scheme  string `json:"scheme,omitempty"` // "http" or "https", of files
	Family  string `json:"family,omitempty"` // "ipv4" or "ipv6", of addresses
	// Server is the name of a name server, Address the address that was asked;
	// both are empty where it is one answer for all, or none.
	Server  string `json:"server,omitempty"`
	Address string `json:"address,omitempty"`
	// Outcome is a short word: "ok", "missing" (no such record), "differs"
	// (another value, file or certificate), "forbids", "bogus", "no-address",
	// "unknown" (for a reason that lies with us); a response code of the DNS in
	// lower case, an HTTP status, or what became of a connection ("timeout",
	// "refused", "reset", …).
	Outcome string `json:"outcome"`
	// Evidence is the id of the observation; empty where there is none.
	Evidence string `json:"evidence,omitempty"`
}

// maxCells bounds a matrix: beyond, further subjects are left out.
const maxCells = 5000

// matrix is what every place saw: by check and subject, then by place.
func (f *facts) matrix() []Cell {
	if f.scope != ScopeNetwork || len(f.places) == 0 {
		return nil
	}
	views := make([]*facts, len(f.places))
	for i := range f.places {
		if views[i] = f; i > 0 {
			views[i] = f.from(&f.places[i])
		}
	}
	var cells []Cell
	// Targets, visits and handshakes depend on the order alone, and so does their
	// order: the i-th is the same everywhere.
	each := func(n int, read func(g *facts, i int) []Cell) {
		for i := range n {
			for _, g := range views {
				if len(cells) < maxCells {
					cells = append(cells, read(g, i)...)
				}
			}
		}
	}
	each(len(f.targets()), func(g *facts, i int) []Cell {
		if t := g.targets()[i]; t.value != "" && !t.address {
			return g.recordCells(t)
		}
		return nil
	})
	each(len(f.visits()), func(g *facts, i int) []Cell { return g.fileCells(g.visits()[i]) })
	each(len(f.handshakes()), func(g *facts, i int) []Cell {
		if h := g.handshakes()[i]; h.key != "" {
			return g.shakeCells(h)
		}
		return nil
	})
	each(len(f.names), func(g *facts, i int) []Cell {
		if n := &g.names[i]; n.same == i && g.lookable(n) && len(g.profile.CAA.Issuers) > 0 {
			return g.caaCells(n)
		}
		return nil
	})
	return cells
}

// cell starts the cell of the place that is looked from.
func (f *facts) cell(check, subject string, o *evidence.Observation) Cell {
	c := Cell{Perspective: f.primary().ID, Check: check, Subject: subject, Outcome: "unknown"}
	if o != nil {
		if c.Evidence = o.ID; c.Evidence == "" {
			c.Evidence = o.Identify().ID
		}
	}
	return c
}

// recordCells are a cell for each server that a place asked for a record.
func (f *facts) recordCells(t *target) []Cell {
	z := f.here(t)
	c := f.cell("dns", t.subject, z.o)
	l := z.last()
	if z.state != answered && z.state != unanswered || l == nil || len(l.Copies) == 0 {
		switch z.state {
		case answered:
			c.Outcome = f.recordWord(t, z.records())
		case bogus, endless:
			c.Outcome = strings.ToLower(z.a.Status)
			if z.state == bogus {
				c.Outcome = "bogus"
			}
		}
		return []Cell{c}
	}
	var cells []Cell
	for i := range l.Copies {
		x := &l.Copies[i]
		at := c
		at.Server, at.Address, at.Family = x.Server, x.Address, familyOf(x.Address)
		switch {
		case x.Unknown != "":
		case !usable(x):
			at.Outcome = strings.ToLower(statusOf(x))
		default:
			at.Outcome = f.recordWord(t, recordsAt(x.Answer, l.Owner, t.typ))
		}
		cells = append(cells, at)
	}
	return cells
}

// recordWord is the outcome of an answer for a record.
func (f *facts) recordWord(t *target, records []evidence.Record) string {
	switch {
	case f.acceptsAny(t, records):
		return "ok"
	case len(records) > 0:
		return "differs"
	}
	return "missing"
}

func familyOf(address string) string {
	switch {
	case address == "":
		return ""
	case strings.Contains(address, ":"):
		return "ipv6"
	}
	return "ipv4"
}

// fileCells are a cell for each scheme and address that a place fetched at.
func (f *facts) fileCells(v *visit) []Cell {
	var cells []Cell
	for _, https := range []bool{false, true} {
		if https && !v.bothSchemes() {
			continue
		}
		s := f.scheme(v, https)
		c := f.cell("file", v.subject, s.o)
		if c.Scheme = "http"; https {
			c.Scheme = "https"
		}
		if len(s.readings) == 0 {
			if s.standing == unproven {
				c.Outcome = "no-address"
			}
			cells = append(cells, c)
			continue
		}
		for i := range s.readings {
			r := &s.readings[i]
			at := c
			at.Address, at.Family, at.Outcome = r.fetch.Address, r.fetch.Family, fetchWord(r)
			cells = append(cells, at)
		}
	}
	return cells
}

// fetchWord is the outcome of a fetch.
func fetchWord(r *reading) string {
	switch r.outcome {
	case fetchUnknown:
		return "unknown"
	case fetchFile:
		return "ok"
	case fetchContent:
		return "differs"
	}
	if word := answerWord(r); word != "-" {
		return word
	}
	return "failed"
}

// shakeCells are a cell for each address that a place shook hands with.
func (f *facts) shakeCells(h *handshake) []Cell {
	o := f.shakeOf(h)
	c := f.cell("tls", h.subject, o)
	if o == nil || o.TLS == nil || o.Unknown != "" {
		return []Cell{c}
	}
	var cells []Cell
	for i := range o.TLS.Handshakes {
		x := &o.TLS.Handshakes[i]
		at := c
		at.Address, at.Family = x.Address, x.Family
		switch {
		case x.Unknown != "":
		case closed(x):
			at.Outcome = x.Dial.Error
		case f.readShake(h, x).cause == "":
			at.Outcome = "ok"
		case x.Error != "":
			at.Outcome = x.Error
		default:
			at.Outcome = "differs"
		}
		cells = append(cells, at)
	}
	if len(cells) == 0 {
		if f.standingOf(h) == unproven {
			c.Outcome = "no-address"
		}
		cells = []Cell{c}
	}
	return cells
}

// caaCells is what a place concludes from CAA.
func (f *facts) caaCells(n *nameFact) []Cell {
	set := f.caaOf(n)
	at := set.found
	if at == nil {
		at = set.failed
	}
	if at == nil && len(set.steps) > 0 {
		at = set.steps[0]
	}
	var o *evidence.Observation
	if at != nil {
		o = at.o
	}
	c := f.cell("caa", n.subject(), o)
	switch v := f.caaVote(n); {
	case v.says == proven:
		c.Outcome = "ok"
	case v.says == unproven && set.failed != nil:
		c.Outcome = "failed"
		if set.failed.state == bogus {
			c.Outcome = "bogus"
		}
	case v.says == unproven:
		c.Outcome = "forbids"
	}
	return []Cell{c}
}
