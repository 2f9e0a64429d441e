package review

import (
	"crypto/sha256"
	"encoding/base64"
	"slices"
	"strings"
	"unicode"

	"assay/cause"
	"assay/evidence"
	"assay/order"
)

// valueRules are about a record that is where it has to be and says something
// else, or a CNAME there that leads away.
var valueRules = []rule{
	{
		causes: []cause.ID{
			cause.DNSValueAltered, cause.DNSValueOfOtherOrder, cause.DNSSecondValueMissing, cause.DNSWildcardAnswers,
			cause.DNSCNAMEDiverts, cause.DNSValueMismatch, cause.DNSWrongType,
		},
		needs: needLook | needNames, also: []evidence.Topic{evidence.TopicOrders}, run: eachTarget(valueWrong),
	},
}

// valueWrong: V answers, and none of what it answers is the value.
func valueWrong(f *facts, s *sink, t *target) {
	z, ok := f.missingHere(t)
	if !ok || t.method == order.MethodDNSProxy && len(z.records()) > 0 {
		return
	}
	records := z.records()
	if len(z.chain()) > 1 || z.state == endless {
		if cnameIsValue(t, z) {
			s.addTarget(cause.DNSWrongType, t).record(t, z.zone()).form(z.first()).with("found_type", "CNAME").
				seenBy(z).reproduce(digOne(z.first(), t.owner, "CNAME"))
			return
		}
		diverts(f, s, t, z)
	}
	if len(records) > 0 {
		f.otherValue(s, t, z, valuesOf(records))
	}
	if (len(records) > 0 || len(z.chain()) > 1) && f.explained(t) {
		wildcardAnswers(f, s, t, z)
	}
}

// cnameIsValue reports whether the CNAME at V holds the value itself.
func cnameIsValue(t *target, z *sight) bool {
	chain := z.chain()
	if len(chain) < 2 {
		return false
	}
	v := strings.ToLower(t.value)
	return chain[1] == v || chain[1] == v+"."+z.zone()
}

// otherValue says in what way the values differ from the one asked for.
func (f *facts) otherValue(s *sink, t *target, z *sight, values []string) {
	s.addTarget(cause.DNSValueMismatch, t).record(t, z.zone()).form(z.first()).
		with("seen", shown(values)).with("count", len(values)).with("position", firstDifference(values, t.value)).
		seenBy(z).reproduce(digAll(z.first(), t.owner, t.typ)...)
	if change, value := alterationOf(t, values); change != "" {
		s.addTarget(cause.DNSValueAltered, t).record(t, z.zone()).form(z.first()).
			with("seen", shown([]string{value})).with("change", change).with("length", len(t.value)).
			seenBy(z).reproduce(digAll(z.first(), t.owner, t.typ)...)
	}
	f.ofOtherOrder(s, t, z, values)
	f.secondValue(s, t, z, values)
}

// firstDifference is the character, counted from 1, from which the value differs
// that agrees with the expected one longest.
func firstDifference(values []string, want string) int {
	position := 0
	for _, v := range values {
		n := 0
		for n < len(v) && n < len(want) && v[n] == want[n] {
			n++
		}
		position = max(position, n+1)
	}
	return position
}

// alterationOf finds a value that would be right but for one change, and names
// the change. CNAME targets are names: case and final dot do not matter there.
func alterationOf(t *target, values []string) (change, value string) {
	if t.typ != "TXT" || t.method == order.MethodDNSPersist {
		return "", ""
	}
	for _, v := range values {
		if change := alteration(v, t.value); change != "" {
			return change, v
		}
	}
	return "", ""
}

// minCut is the least part of a value that shows that its end was cut off.
const minCut = 8

func alteration(v, want string) string {
	bare := strings.Trim(v, "\"'“”„‘’`")
	switch {
	case v == want:
		return ""
	case bare == want:
		return "quotes"
	case squeezeSpace(v) == want:
		return "white-space"
	case strings.TrimSuffix(v, ".") == want:
		return "final-dot"
	case strings.EqualFold(v, want):
		return "case"
	case len(v) >= minCut && 2*len(v) >= len(want) && strings.HasPrefix(want, v):
		return "cut-end"
	}
	if strings.Contains(v, ".") {
		digest := sha256.Sum256([]byte(v))
		if base64.RawURLEncoding.EncodeToString(digest[:]) == want {
			return "key-authorization"
		}
	}
	return ""
}

func squeezeSpace(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) || r == '\u200b' || r == '\ufeff' {
			return -1
		}
		return r
	}, s)
}

// ofOtherOrder: a value that another order of the same account asked for.
func (f *facts) ofOtherOrder(s *sink, t *target, z *sight, values []string) {
	records, ok := f.records(evidence.TopicOrders)
	if !ok {
		return
	}
	for i := range records.Orders {
		o := &records.Orders[i]
		if !o.Own || o.Order != "" && o.Order == f.Order.ID {
			continue
		}
		for _, v := range values {
			if slices.Contains(o.Values, v) && !f.asksFor(v) {
				s.addTarget(cause.DNSValueOfOtherOrder, t).record(t, z.zone()).form(z.first()).
					with("seen", shown([]string{v})).with("order", o.Order).with("submitted", o.SubmittedAt).
					from(f, evidence.TopicOrders).seenBy(z).reproduce(digAll(z.first(), t.owner, t.typ)...)
				return
			}
		}
	}
}

// asksFor reports whether this order asks for a value itself.
func (f *facts) asksFor(value string) bool {
	return slices.ContainsFunc(f.Order.Challenges, func(c order.Challenge) bool { return c.Value == value })
}

// secondValue: two names share V, each with a value of its own, and the other's
// is there (RFC 8555 8.4).
func (f *facts) secondValue(s *sink, t *target, z *sight, values []string) {
	for _, o := range f.targets() {
		if o.owner != t.owner || o.typ != t.typ || o.value == t.value || o.value == "" || !slices.Contains(values, o.value) {
			continue
		}
		s.addTarget(cause.DNSSecondValueMissing, t).record(t, z.zone()).form(z.first()).
			with("names", []string{o.subject, t.subject}).with("seen", shown([]string{o.value})).
			seenBy(z).reproduce(digAll(z.first(), t.owner, t.typ)...)
		return
	}
}
