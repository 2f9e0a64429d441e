package dnssec

// An nsec is an NSEC record: nothing exists between owner and next (RFC 4034 4).
type nsec struct {
	owner, next name
	types       types
}

// ends reports whether the record is the last of its zone.
func (r *nsec) ends(zone name) bool { return r.next.wire == zone.wire }

// covers reports whether the name is between owner and next, and the record is
// one that may speak about it. The name is in the zone.
func (r *nsec) covers(n, zone name) bool {
	if r.owner.compare(n) >= 0 || !r.ends(zone) && n.compare(r.next) >= 0 {
		return false
	}
	return !n.below(r.owner) || !r.types.occludes()
}

// encloser is the closest existing ancestor of a name that the record covers:
// the neighbours in canonical order share the most labels with it.
func (r *nsec) encloser(n name) name {
	return n.last(max(n.common(r.owner), n.common(r.next)))
}

// at finds the record of a name that exists and has records.
func (d *denials) at(n name) *nsec {
	for i := range d.nsec {
		if d.nsec[i].owner.wire == n.wire {
			return &d.nsec[i]
		}
	}
	return nil
}

// cover finds the record of a name without records; empty tells that names below
// it exist, so that it does too (an empty non-terminal).
func (d *denials) cover(n name) (r *nsec, empty bool) {
	for i := range d.nsec {
		if r := &d.nsec[i]; r.covers(n, d.zone) {
			return r, r.next.below(n)
		}
	}
	return nil, false
}

// nsecNXDomain follows RFC 4035 5.4.
func (d *denials) nsecNXDomain(n name) outcome {
	r, empty := d.cover(n)
	if r == nil || empty {
		return unproven
	}
	if w, empty := d.cover(r.encloser(n).wildcard()); w == nil || empty {
		return unproven
	}
	return proven
}

func (d *denials) nsecNoData(n name, qtype uint16) outcome {
	if r := d.at(n); r != nil {
		return whether(r.types.lacks(qtype, d.zone))
	}
	r, empty := d.cover(n)
	if r == nil {
		return unproven
	}
	if empty {
		return proven
	}
	wildcard := r.encloser(n).wildcard()
	if w := d.at(wildcard); w != nil {
		return whether(w.types.lacks(qtype, d.zone))
	}
	// A wildcard that only has names below it stands in with no records (RFC 4592 2.2.2).
	w, empty := d.cover(wildcard)
	return whether(w != nil && empty)
}

func (d *denials) nsecWildcard(n, base name) outcome {
	r, empty := d.cover(n)
	return whether(r != nil && !empty && r.encloser(n).wire == base.wire)
}

func whether(ok bool) outcome {
	if ok {
		return proven
	}
	return unproven
}
