package profile

import (
	"fmt"
	"slices"
	"strings"

	"assay/cause"
	"assay/order"
)

// A Cell is the parsed level of one cause: for DV, and for OV and EV.
type Cell struct{ DV, OV Choice }

// A Choice is a level and the levels that hold instead under a condition.
type Choice struct {
	Level cause.Level
	When  []Conditional
}

// A Conditional is the level that holds when a condition does.
type Conditional struct {
	Condition string
	Level     cause.Level
}

// ParseCell reads the level of a cause as a profile writes it:
//
//	refuse                        one level
//	refuse/review                 DV / OV and EV
//	review[strict:refuse]/review  another level where the condition holds
//
// A condition is a word that the rule states about the finding, or a switch of
// the profile. The first condition that holds decides.
func ParseCell(text string) (Cell, error) {
	dv, ov, both := strings.Cut(text, "/")
	var c Cell
	var err error
	if c.DV, err = parseChoice(dv); err != nil {
		return Cell{}, err
	}
	if !both {
		c.OV = c.DV
		return c, nil
	}
	c.OV, err = parseChoice(ov)
	return c, err
}

func parseChoice(text string) (Choice, error) {
	word, rest, conditional := strings.Cut(text, "[")
	var c Choice
	var err error
	if conditional && rest == "" {
		return Choice{}, fmt.Errorf("level %q ends in [", text)
	}
	if c.Level, err = parseLevel(word); err != nil {
		return Choice{}, err
	}
	for rest != "" {
		inner, after, found := strings.Cut(rest, "]")
		condition, level, colon := strings.Cut(inner, ":")
		if !found || !colon || condition == "" {
			return Choice{}, fmt.Errorf("level %q: want [condition:level] after the level", text)
		}
		l, err := parseLevel(level)
		if err != nil {
			return Choice{}, err
		}
		c.When = append(c.When, Conditional{condition, l})
		if after != "" && !strings.HasPrefix(after, "[") {
			return Choice{}, fmt.Errorf("level %q: %q follows a condition", text, after)
		}
		rest = strings.TrimPrefix(after, "[")
	}
	return c, nil
}

func parseLevel(word string) (cause.Level, error) {
	l := cause.Level(word)
	if !slices.Contains(cause.Levels(), l) {
		return "", fmt.Errorf("level %q: must be one of refuse, review, unknown, wait, warn, info, pass", word)
	}
	return l, nil
}

// Level returns the level of a cause for a product when the given conditions
// hold. Switches of the profile count as conditions. A cause the profile does
// not list passes.
func (p *Profile) Level(id cause.ID, product order.Product, conditions ...string) cause.Level {
	return p.level(id, product, conditions, p.Switches)
}

// Stated is [Profile.Level] with the given conditions alone: for rules that
// must tell themselves whether a switch applies to what they found.
func (p *Profile) Stated(id cause.ID, product order.Product, conditions ...string) cause.Level {
	return p.level(id, product, conditions, nil)
}

func (p *Profile) level(id cause.ID, product order.Product, conditions, switches []string) cause.Level {
	cell, ok := p.cells[id]
	if !ok {
		return cause.Pass
	}
	choice := cell.DV
	if product == order.OV || product == order.EV {
		choice = cell.OV
	}
	for _, w := range choice.When {
		if slices.Contains(conditions, w.Condition) || slices.Contains(switches, w.Condition) {
			return w.Level
		}
	}
	return choice.Level
}

// WaitsBefore reports whether a cause that is refused at the attempt is "wait" in a
// precheck: see [Profile.OneAttempt].
func (p *Profile) WaitsBefore(id cause.ID) bool {
	if !p.OneAttempt {
		return false
	}
	switch id.Stage() {
	case "dns", "file", "tls", "caa", "perspective":
		return strings.Contains(p.Levels[id], string(cause.Refuse))
	}
	return false
}

// Switch reports whether a switch is on.
func (p *Profile) Switch(name string) bool { return slices.Contains(p.Switches, name) }

// CanRaise reports whether a cause can be more than a pass for a product under
// some condition.
func (p *Profile) CanRaise(id cause.ID, product order.Product) bool {
	cell, ok := p.cells[id]
	if !ok {
		return false
	}
	choice := cell.DV
	if product == order.OV || product == order.EV {
		choice = cell.OV
	}
	if choice.Level != cause.Pass {
		return true
	}
	for _, w := range choice.When {
		if w.Level != cause.Pass {
			return true
		}
	}
	return false
}

// CanAsk reports whether a person may have to decide about a cause for a product
// under some condition.
func (p *Profile) CanAsk(id cause.ID, product order.Product) bool {
	cell := p.cells[id]
	choice := cell.DV
	if product == order.OV || product == order.EV {
		choice = cell.OV
	}
	return choice.Level == cause.Review || slices.ContainsFunc(choice.When, func(w Conditional) bool { return w.Level == cause.Review })
}

// Derive returns what is computed from the profile alone, computed once for
// each key. A profile does not change once it is loaded, so neither does what
// follows from it; the result is shared and must not be changed.
func (p *Profile) Derive(key string, compute func() any) any {
	if v, ok := p.derived.Load(key); ok {
		return v
	}
	v, _ := p.derived.LoadOrStore(key, compute())
	return v
}
