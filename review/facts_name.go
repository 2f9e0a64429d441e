package review

import (
	"assay/data"
	"assay/name"
)

// nameFacts are the order's names, read once.
type nameFacts struct {
	names []nameFact
}

// nameFact is what rules look at for one name. What takes a look into the
// snapshots is looked up when a rule first asks.
type nameFact struct {
	name.Name
	// same is the index of the first name of the order with the same Clean: its
	// own where it is that one. Rules about the name itself report each once.
	same int

	set          *data.Set
	icannSuffix  memo[data.Suffix]
	publicSuffix memo[data.Suffix]
	reserved     memo[reservation]
}

// reservation is the special-purpose row that holds an address, if one does.
type reservation struct {
	block data.Block
	ok    bool
}

// memo keeps a value once it was computed.
type memo[T any] struct {
	value T
	known bool
}

func (m *memo[T]) get(compute func() T) T {
	if !m.known {
		m.value, m.known = compute(), true
	}
	return m.value
}

func (c *Case) prepareNames() {
	c.names = make([]nameFact, len(c.Order.Names))
	var seen map[string]int
	if len(c.names) > 16 {
		seen = make(map[string]int, len(c.names))
	}
	for i, text := range c.Order.Names {
		n := &c.names[i]
		n.Name, n.set, n.same = name.Parse(text), c.Data, i
		if seen != nil {
			if first, ok := seen[n.Clean]; ok {
				n.same = first
			} else {
				seen[n.Clean] = i
			}
			continue
		}
		for j := range i {
			if c.names[j].Clean == n.Clean {
				n.same = j
				break
			}
		}
	}
}

// isIP reports whether the name is an IP address.
func (n *nameFact) isIP() bool { return n.IP.IsValid() }

// icann is the public suffix by the ICANN section of the list alone, which is
// the one the Baseline Requirements mean.
func (n *nameFact) icann() data.Suffix {
	return n.icannSuffix.get(func() data.Suffix { return n.set.Suffix(n.Base, true) })
}

// suffix is the public suffix by both sections.
func (n *nameFact) suffix() data.Suffix {
	return n.publicSuffix.get(func() data.Suffix { return n.set.Suffix(n.Base, false) })
}

// registrable is R: the registrable domain by the ICANN section, "" where the
// name is a public suffix itself, or an IP address.
func (n *nameFact) registrable() string {
	if n.isIP() || len(n.Labels) < 2 {
		return ""
	}
	return n.icann().Registrable
}

// inRootZone reports whether the last label is a top-level domain.
func (n *nameFact) inRootZone() bool { return n.set.IsTLD(n.TLD()) }

// reservedBlock is the row of the special-purpose registries that holds the
// address.
func (n *nameFact) reservedBlock() (data.Block, bool) {
	r := n.reserved.get(func() reservation {
		block, ok := n.set.Reserved(n.IP)
		return reservation{block, ok}
	})
	return r.block, r.ok
}
