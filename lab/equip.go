package lab

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
)

// equip gives every server its copies of zones, its faults and its views.
func (p *plan) equip() error {
	has := map[string]map[string]*zone{}
	for name := range p.servers {
		has[name] = map[string]*zone{}
	}
	for at, z := range p.zones {
		list := slices.Concat(z.servers, z.hidden, slices.Collect(maps.Keys(z.change.On)))
		for _, name := range list {
			has[name][at] = z.copyOn(name).zone
		}
	}
	for _, name := range slices.Sorted(maps.Keys(p.servers)) {
		s, c := p.servers[name], p.change.Servers[name]
		for _, at := range c.Zones {
			z := p.zones[origin(at)]
			if z == nil {
				return fmt.Errorf("server %s: there is no zone %q", name, at)
			}
			has[name][z.origin] = z.copyOn(name).zone
		}
		s.closed, s.absent = c.Closed, c.Absent
		if err := p.equipFaults(s, c.Faults); err != nil {
			return fmt.Errorf("server %s: %w", name, err)
		}
		for i := range c.Views {
			v, err := p.view(name, c.Views[i], has[name])
			if err != nil {
				return fmt.Errorf("server %s: views[%d]: %w", name, i, err)
			}
			s.views = append(s.views, v)
		}
		s.views = append(s.views, view{zones: has[name]})
	}
	return nil
}

func (p *plan) equipFaults(s *server, list []Fault) error {
	for i, f := range list {
		x, err := newFault(f, p.options.Value)
		if err != nil {
			return fmt.Errorf("faults[%d]: %w", i, err)
		}
		s.faults = append(s.faults, x)
	}
	return nil
}

func (z *zonePlan) copyOn(server string) *zoneCopy {
	if c := z.copies[server]; c != nil {
		return c
	}
	return z.copies[""]
}

// view makes what a view's clients see: the server's own copies but for some.
func (p *plan) view(server string, v View, own map[string]*zone) (view, error) {
	made := view{zones: maps.Clone(own)}
	var err error
	if made.from, err = parsePlaces(v.From); err != nil {
		return made, err
	}
	for _, text := range v.Subnet {
		subnet, err := netip.ParsePrefix(text)
		if err != nil {
			return made, fmt.Errorf("subnet: %w", err)
		}
		made.subnets = append(made.subnets, subnet)
	}
	if len(v.From)+len(v.Subnet) == 0 {
		return made, fmt.Errorf("a view needs from or subnet")
	}
	for name, c := range v.Zones {
		z := p.zones[origin(name)]
		if z == nil || own[z.origin] == nil {
			return made, fmt.Errorf("the server does not have the zone %q", name)
		}
		changed, err := z.copy(p, z.copyOn(server), c)
		if err != nil {
			return made, fmt.Errorf("%s: %w", strings.TrimSuffix(z.origin, "."), err)
		}
		made.zones[z.origin] = changed.zone
	}
	return made, nil
}
