package render

import (
	"strings"
	"time"

	"assay/cause"
	"assay/review"
)

// footer is what the reader needs after the causes: when to come back, what
// was not looked at, how other CAs would see it, what to type next.
func (p *Page) footer(r *review.Report, o Options) {
	column := p.Column("footer.retry", "footer.deadline", "footer.from", "footer.missing", "footer.lab", "footer.not-asked", "footer.also", "footer.next")
	p.Blank()
	p.Line(" " + p.Faint(strings.Repeat(p.pick("─", "-"), p.Width-2)))
	if at := earliestRetry(r); at != nil {
		p.Row(1, column, p.Text.Text("footer.retry"), p.soon(*at, r.At, o.Zone))
	}
	if r.Deadline != nil {
		p.Row(1, column, p.Text.Text("footer.deadline"), p.soon(*r.Deadline, r.At, o.Zone))
	}
	p.lookedFrom(r, column)
	p.notAsked(r, column)
	if len(r.Also) > 0 {
		var parts []string
		for _, other := range r.Also {
			parts = append(parts, Safe(other.Profile)+" "+p.Text.Text("level."+string(other.Verdict)))
		}
		p.Row(1, column, p.Text.Text("footer.also"), strings.Join(parts, p.dot()))
	}
	label := p.Text.Text("footer.next")
	for _, c := range o.Next {
		p.Line(" " + p.Faint(Pad(label, column)) + p.Command(Safe(c)))
		label = ""
	}
}

// notAsked says in a line or two what was not looked at, grouped by the flag
// that would include it. What only a service keeps comes last.
func (p *Page) notAsked(r *review.Report, column int) {
	var flags, offline, noRule []string
	byFlag := map[string][]string{}
	for _, n := range r.NotAsked {
		word := n.What
		if id := "not-asked." + n.What; p.Text.Has(id) {
			word = p.Text.Text(id)
		}
		word = Safe(word)
		switch n.Why {
		case "offline":
			offline = append(offline, word)
			continue
		case "no-rule":
			if len(n.Causes) > 0 {
				word = p.Text.Count("not-asked.some", len(n.Causes), "Stage", word)
			}
			noRule = append(noRule, word)
			continue
		}
		flag := ""
		if id := "not-asked." + n.What + ".flag"; p.Text.Has(id) {
			flag = p.Text.Text(id)
		}
		if byFlag[flag] == nil && flag != "" {
			flags = append(flags, flag)
		}
		byFlag[flag] = append(byFlag[flag], word)
	}
	var given []string
	for _, flag := range flags {
		given = append(given, p.Text.Text("not-asked.detail", "What", cause.FormatValue(byFlag[flag], p.Text.Lang()), "Flag", flag))
	}
	if kept := byFlag[""]; kept != nil {
		given = append(given, cause.FormatValue(kept, p.Text.Lang()))
	}
	label := p.Text.Text("footer.not-asked")
	if len(given) > 0 {
		p.Row(1, column, label, strings.Join(given, p.dot()), faint)
		label = ""
	}
	if len(offline) > 0 {
		p.Row(1, column, label, p.Text.Text("not-asked.offline", "Stages", cause.FormatValue(offline, p.Text.Lang())), faint)
		label = ""
	}
	if len(noRule) > 0 {
		p.Row(1, column, label, p.Text.Text("not-asked.no-rule", "Stages", cause.FormatValue(noRule, p.Text.Lang())), faint)
	}
}

// earliestRetry is when a new check can first succeed: when the last of the
// findings that block can have gone.
func earliestRetry(r *review.Report) *time.Time {
	var at *time.Time
	for i := range r.Findings {
		f := &r.Findings[i]
		if f.RetryAt != nil && f.Level.Blocks() && (at == nil || f.RetryAt.After(*at)) {
			at = f.RetryAt
		}
	}
	return at
}

// soon writes a time as a reader needs it: how long until then, the time in UTC
// and, where that differs, in the reader's zone; with the day where it is another.
func (p *Page) soon(t, now time.Time, zone *time.Location) string {
	layout := "15:04"
	if t.UTC().Format(time.DateOnly) != now.UTC().Format(time.DateOnly) {
		layout = "2006-01-02 15:04"
	}
	text := t.UTC().Format(layout + " UTC")
	if zone != nil {
		local := t.In(zone)
		if _, offset := local.Zone(); offset != 0 {
			if local.Format(time.DateOnly) == t.UTC().Format(time.DateOnly) {
				layout = "15:04"
			} else {
				layout = "2006-01-02 15:04"
			}
			text += p.Text.Text("punctuation.comma") + local.Format(layout+" MST")
		}
	}
	id, left := "time.in", t.Sub(now)
	if left < 0 {
		id, left = "time.ago", -left
	}
	if left >= time.Minute {
		left = left.Round(time.Minute)
	}
	if left < time.Second {
		return text
	}
	return p.Text.Text(id, "Left", cause.FormatDuration(left, p.Text.Lang()), "Time", text)
}

// Gravest returns the cause to begin with: that of the first finding shown, ""
// where there is none.
func Gravest(r *review.Report) cause.ID {
	groups := group(r.Findings)
	if len(groups) == 0 {
		return ""
	}
	return groups[0].lead().Cause
}
