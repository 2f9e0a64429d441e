package profile

import "time"

// On returns the number that a dated value has at a time for orders of a plan,
// and the row that sets it. A row for the plan beats a row for all plans. ok is
// false where no row sets the value by then.
func (p *Profile) On(v Value, at time.Time, plan string) (n int, row Dated, ok bool) {
	for _, d := range p.Dated {
		if d.From.After(at) || (d.Plan != "" && d.Plan != plan) {
			continue
		}
		set, has := d.Set[v]
		if !has {
			continue
		}
		if ok && row.Plan != "" && d.Plan == "" {
			continue
		}
		if !ok || (d.Plan != "" && row.Plan == "") || !d.From.Before(row.From) {
			n, row, ok = set, d, true
		}
	}
	return n, row, ok
}

// Holds reports whether a dated switch is 1 at a time.
func (p *Profile) Holds(v Value, at time.Time, plan string) bool {
	n, _, ok := p.On(v, at, plan)
	return ok && n != 0
}
