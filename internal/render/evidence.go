package render

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"assay/evidence"
)

// A Change is one thing that two looks at an order saw differently: Before is
// nil where it is new, After where it is gone.
type Change struct{ Before, After *evidence.Observation }

// Changes pairs what one look has and the look before has not with what was
// there instead: the answers to one question are one change. What is new comes
// in its own order, then what is gone.
func Changes(added, removed []evidence.Observation) []Change {
	before := make(map[string][]*evidence.Observation, len(removed))
	for i := range removed {
		id := removed[i].Question.ID()
		before[id] = append(before[id], &removed[i])
	}
	list := make([]Change, 0, len(added)+len(removed))
	paired := map[*evidence.Observation]bool{}
	for i := range added {
		c := Change{After: &added[i]}
		if was := before[added[i].Question.ID()]; len(was) > 0 {
			c.Before, before[added[i].Question.ID()] = was[0], was[1:]
			paired[c.Before] = true
		}
		list = append(list, c)
	}
	for i := range removed {
		if !paired[&removed[i]] {
			list = append(list, Change{Before: &removed[i]})
		}
	}
	return list
}

// maxChanges bounds the changes that are shown of one review; the JSON has all.
const maxChanges = 12

// Changes writes what a look saw anew, no longer, or otherwise than before. What
// reads the same is one line: the JSON tells how it differs.
func (p *Page) Changes(list []Change) {
	type line struct{ mark, text string }
	var lines []line
	times := map[line]int{}
	for _, c := range list {
		mark, text := p.change(c)
		l := line{mark, text}
		if times[l]++; times[l] == 1 {
			lines = append(lines, l)
		}
	}
	for _, l := range lines[:min(len(lines), maxChanges)] {
		text := l.text
		if n := times[l]; n > 1 {
			text += " (" + p.pick("×", "x") + strconv.Itoa(n) + ")"
		}
		p.Item(2, l.mark, text)
	}
	if more := len(lines) - maxChanges; more > 0 {
		p.Weak(4, p.Text.Count("change.more", more))
	}
}

// change is one change in a line, and the mark before it.
func (p *Page) change(c Change) (mark, text string) {
	switch {
	case c.Before == nil:
		return "+", p.asked(c.After) + ": " + p.seen(c.After)
	case c.After == nil:
		return "-", p.asked(c.Before) + ": " + p.seen(c.Before)
	}
	was, is := p.seen(c.Before), p.seen(c.After)
	if was == is {
		is = p.Text.Text("change.detail", "Seen", is)
	} else {
		is = was + " " + p.pick("→", "->") + " " + is
	}
	return p.pick("±", "*"), p.asked(c.After) + ": " + is
}

// asked is the question of an observation: from where, and what was looked at.
func (p *Page) asked(o *evidence.Observation) string {
	q := &o.Question
	what := string(q.Kind)
	switch {
	case q.DNS != nil:
		what = strings.TrimSpace(q.DNS.Type + " " + q.DNS.Name)
		switch {
		case q.DNS.Random:
			what = q.DNS.Type + " *." + q.DNS.Name
		case q.DNS.Server+q.DNS.Address+q.DNS.Resolver != "":
			what += " @" + strings.TrimSpace(strings.Join(strings.Fields(q.DNS.Server+" "+q.DNS.Address+" "+q.DNS.Resolver), " "))
		}
	case q.HTTP != nil:
		what = strings.TrimSpace(q.HTTP.URL + " " + q.HTTP.Address)
	case q.TLS != nil:
		what = "TLS " + q.TLS.Name
	case q.Lookup != nil:
		what = p.Text.Text("change.records", "Topic", string(q.Lookup.Topic))
	}
	return Safe(strings.TrimSpace(q.Perspective + " " + Clip(what, 120)))
}

// seen is the answer of an observation in a few words.
func (p *Page) seen(o *evidence.Observation) string {
	switch {
	case o.Unknown != "":
		if id := "unknown." + o.Unknown; p.Text.Has(id) {
			return p.Text.Text(id)
		}
		return Safe(o.Unknown)
	case o.DNS != nil && o.Question.DNS != nil:
		if len(o.DNS.Copies) > 0 {
			return Safe(distinct(o.DNS.Copies, func(c *evidence.DNSCopy) string { return p.copyOutcome(c, o.Question.DNS.Type) }))
		}
		return Safe(p.outcome(o.DNS.Status, o.DNS.Answer, o.Question.DNS.Type))
	case o.HTTP != nil:
		return Safe(distinct(o.HTTP.Fetches, p.fetched))
	case o.TLS != nil:
		return Safe(distinct(o.TLS.Handshakes, p.shaken))
	case o.Lookup != nil && o.Lookup.Absent:
		return p.Text.Text("change.not-kept")
	case o.Lookup != nil:
		return p.Text.Text("change.read")
	}
	return "-"
}

// distinct are the outcomes of a list, each once, in its order.
func distinct[T any](list []T, outcome func(*T) string) string {
	var words []string
	for i := range list {
		if word := outcome(&list[i]); !slices.Contains(words, word) {
			words = append(words, word)
		}
	}
	if len(words) == 0 {
		return "-"
	}
	return strings.Join(words, " | ")
}

// fetched is how one fetch ended.
func (p *Page) fetched(f *evidence.Fetch) string {
	if f.Unknown != "" || len(f.Hops) == 0 {
		return p.Text.Text("status.not-asked")
	}
	last := &f.Hops[len(f.Hops)-1]
	switch {
	case last.Dial.Error != "":
		return p.dialled(last.Dial.Error)
	case last.Error != "":
		return p.status(last.Error)
	}
	text := strconv.Itoa(last.Status)
	if n := len(f.Hops) - 1; n > 0 {
		text += " " + Clip(last.URL, 60)
	}
	if b := last.Body; b != nil && b.Whole() && b.Bytes > 0 && b.Bytes <= 80 && utf8.Valid(b.Head) {
		return text + " " + strconv.Quote(string(b.Head))
	} else if b != nil {
		return fmt.Sprintf("%s, %s", text, p.Text.Text("change.bytes", "Bytes", b.Bytes))
	}
	return text
}

// shaken is how one handshake ended.
func (p *Page) shaken(h *evidence.Handshake) string {
	switch {
	case h.Unknown != "":
		return p.Text.Text("status.not-asked")
	case h.Dial.Error != "":
		return p.dialled(h.Dial.Error)
	case h.Error != "":
		return p.status(h.Error)
	case h.Info != nil && len(h.Info.Certificates) > 0:
		return h.Info.Version + " " + Clip(h.Info.Certificates[0].Subject, 60)
	}
	return "TLS"
}

func (p *Page) dialled(why string) string {
	if why == "refused" { // of a name server that is a response code
		why = "refused-connection"
	}
	return p.status(why)
}
