package review

import (
	"time"

	"assay/cause"
	"assay/evidence"
)

var dnssecRules = []rule{
	{causes: []cause.ID{cause.DNSDNSSECBogus}, needs: needLook | needNames, run: eachTarget(dnssecBogus)},
}

// dnssecBogus: servers answer, and the answer does not pass validation (RFC
// 4035; BR 4.2.2.2). What the servers gave counts for nothing.
func dnssecBogus(f *facts, s *sink, t *target) {
	sights := []*sight{f.here(t)}
	if t.address {
		sights = append(sights, f.ipv6(t))
	}
	for _, z := range sights {
		if z.state != bogus || !s.once(cause.DNSDNSSECBogus, t.subject, t.owner) {
			continue
		}
		l := brokenLink(z)
		d := s.addTarget(cause.DNSDNSSECBogus, t).with("owner", t.owner).with("type", z.typ).seenBy(z)
		if l == nil {
			d.with("zone", t.domain).with("problem", evidence.ReasonKeysMissing)
			continue
		}
		d.with("zone", orWord(l.FaultZone, l.Zone)).with("problem", orWord(l.Reason, evidence.ReasonKeysMissing)).
			with("ds_ttl", seconds(l.DSTTL))
		_, extended := commonStatus(l)
		d.with("extended", extended)
		if l.KeyTag > 0 {
			d.with("key_tag", l.KeyTag)
		}
		d.moment("valid_from", l.ValidFrom).moment("valid_until", l.ValidUntil)
		d.reproduce(dig("", t.owner, z.typ, "+dnssec", "+cd"), delv(t.owner, z.typ))
	}
}

// brokenLink is the first link that does not validate.
func brokenLink(z *sight) *evidence.DNSLink {
	for i := range z.a.Links {
		if l := &z.a.Links[i]; l.Security == "bogus" || l.Security == "indeterminate" || l.Trust == "bogus" || l.Reason != "" {
			return l
		}
	}
	return z.last()
}

// delv is the command that validates and says why it fails.
func delv(n, typ string) string {
	if !plainName(n) {
		return ""
	}
	return "delv " + n + " " + typ
}

// seconds is a TTL as a duration; nil for none.
func seconds(ttl int) any {
	if ttl <= 0 {
		return nil
	}
	return time.Duration(ttl) * time.Second
}

// moment sets a time that is written as text.
func (d *draft) moment(key, text string) *draft {
	if when, err := time.Parse(time.RFC3339, text); err == nil {
		return d.with(key, when)
	}
	return d
}
