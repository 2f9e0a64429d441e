package review

import (
	"strings"
	"time"

	"assay/cause"
	"assay/evidence"
	"assay/internal/provider"
)

// addTarget starts a finding about a target.
func (s *sink) addTarget(id cause.ID, t *target, conditions ...string) *draft {
	return s.add(id, t.subject, conditions...).with("name", t.subject).concerning(t.about)
}

// once reports whether a finding like this one was not begun before: the rows
// about a zone are found by every record that is looked for in it.
func (s *sink) once(id cause.ID, parts ...string) bool {
	key := string(id) + "\x00" + strings.Join(parts, "\x00")
	if s.begun[key] {
		return false
	}
	if s.begun == nil {
		s.begun = map[string]bool{}
	}
	s.begun[key] = true
	return true
}

// record sets the parameters that say which record is meant.
func (d *draft) record(t *target, zone string) *draft {
	if d == nil {
		return nil
	}
	if zone == "" || !below(t.owner, zone) {
		zone = t.domain
	}
	return d.with("owner", t.owner).with("host", hostIn(t.owner, zone)).with("zone", zone).
		with("type", t.typ).with("expected", shorten(t.value))
}

// hostIn is a name as a DNS console wants it: without the zone, "@" for the
// zone itself.
func hostIn(owner, zone string) string {
	switch rest, ok := strings.CutSuffix(owner, zone); {
	case ok && rest == "":
		return "@"
	case ok && strings.HasSuffix(rest, "."):
		return rest[:len(rest)-1]
	}
	return owner
}

// form says how the DNS provider that runs the servers calls the fields of its
// form, where it is known.
func (d *draft) form(l *evidence.DNSLink) *draft {
	if d == nil || l == nil {
		return d
	}
	p := provider.Of(serverNames(l))
	if p == nil {
		return d
	}
	return d.with("form_provider", p.Name).with("host_field", p.HostField).with("value_field", p.ValueField).with("console", p.Console)
}

// providerName names the provider that runs servers, "" where it is not known.
func providerName(servers []string) string {
	if p := provider.Of(servers); p != nil {
		return p.Name
	}
	return ""
}

// seenBy names the place and adds its observation as evidence.
func (d *draft) seenBy(sights ...*sight) *draft {
	if d == nil {
		return nil
	}
	for _, s := range sights {
		if s == nil || s.o == nil {
			continue
		}
		id := s.o.ID
		if id == "" {
			id = s.o.Identify().ID
		}
		if !contains(d.Evidence, id) {
			d.Evidence = append(d.Evidence, id)
		}
		if s.place != nil && !contains(d.Perspectives, s.place.ID) {
			d.Perspectives = append(d.Perspectives, s.place.ID)
		}
	}
	return d
}

func contains(list []string, item string) bool {
	for _, s := range list {
		if s == item {
			return true
		}
	}
	return false
}

// left is how long something seen at a time with a TTL in seconds lasts from
// now, and when it ends: nothing where it has ended.
func (f *facts) left(seen time.Time, ttl int) (time.Duration, time.Time) {
	if seen.IsZero() {
		seen = f.at
	}
	end := seen.Add(time.Duration(ttl) * time.Second)
	if left := end.Sub(f.at); left > 0 {
		return left.Round(time.Second), end
	}
	return 0, time.Time{}
}
