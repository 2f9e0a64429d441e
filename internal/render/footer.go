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
	column := p.Column("footer.retry", "footer.deadline", "footer.not-asked", "footer.also", "footer.next")
	p.Blank()
	p.Line(" " + p.Faint(strings.Repeat(p.pick("─", "-"), p.Width-2)))
	if at := earliestRetry(r); at != nil {
		p.Row(1, column, p.Text.Text("footer.retry"), moment(*at, o.Zone))
	}
	if r.Deadline != nil {
		p.Row(1, column, p.Text.Text("footer.deadline"), moment(*r.Deadline, o.Zone))
	}
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

// notAsked says in a line or two what was not looked at and what would include it.
func (p *Page) notAsked(r *review.Report, column int) {
	var given, offline []string
	for _, n := range r.NotAsked {
		word := p.Text.Text("not-asked." + n.What)
		if !p.Text.Has("not-asked." + n.What) {
			word = Safe(n.What)
		}
		if n.Why == "offline" {
			offline = append(offline, word)
			continue
		}
		var details []string
		if len(n.Causes) > 0 {
			details = append(details, p.Text.Count("not-asked.causes", len(n.Causes)))
		}
		if hint := "not-asked." + n.What + ".flag"; p.Text.Has(hint) {
			details = append(details, p.Text.Text(hint))
		}
		if len(details) > 0 {
			word = p.Text.Text("not-asked.detail", "What", word, "Details", cause.FormatValue(details, p.Text.Lang()))
		}
		given = append(given, word)
	}
	label := p.Text.Text("footer.not-asked")
	if len(given) > 0 {
		p.Row(1, column, label, strings.Join(given, p.dot()), faint)
		label = ""
	}
	if len(offline) > 0 {
		p.Row(1, column, label, p.Text.Text("not-asked.offline", "Stages", cause.FormatValue(offline, p.Text.Lang())), faint)
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

// moment writes a time in UTC and, where that differs, in the reader's zone.
func moment(t time.Time, zone *time.Location) string {
	text := t.UTC().Format("2006-01-02 15:04 UTC")
	if zone == nil {
		return text
	}
	local := t.In(zone)
	if _, offset := local.Zone(); offset == 0 {
		return text
	}
	layout := "15:04 MST"
	if local.Day() != t.UTC().Day() {
		layout = "2006-01-02 15:04 MST"
	}
	return text + " (" + local.Format(layout) + ")"
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
