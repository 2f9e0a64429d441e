package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"assay/cause"
	"assay/data"
	"assay/internal/render"
	"assay/profile"
	"assay/review"
)

func (a *app) replayCommand() *cobra.Command {
	var profileName, failOn string
	var asJSON bool
	c := &cobra.Command{
		Use:     "replay REPORT",
		Short:   a.text.Text("replay.short"),
		Long:    a.text.Text("replay.long"),
		Example: "  assay check --offline shop.orchard.net --record report.json\n  assay replay report.json\n  assay replay report.json --profile baseline",
		Args:    cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			return a.replay(args[0], profileName, failOn, asJSON)
		},
	}
	c.Flags().StringVar(&profileName, "profile", "", a.text.Text("flag.replay-profile"))
	c.Flags().StringVar(&failOn, "fail-on", "", a.text.Text("flag.fail-on"))
	c.Flags().BoolVar(&asJSON, "json", false, a.text.Text("flag.json"))
	return c
}

// replay judges the recorded facts again. The same engine, profile, data and
// language give the same bytes; otherwise it says what differs.
func (a *app) replay(path, profileName, failOnText string, asJSON bool) error {
	failOn, err := a.failOn(failOnText)
	if err != nil {
		return err
	}
	raw, old, err := a.recorded(path)
	if err != nil {
		return err
	}
	p, err := a.recordedProfile(old, profileName)
	if err != nil {
		return err
	}
	again, asked, err := a.judgeAgain(old, p)
	if err != nil {
		return err
	}
	fresh, err := marshal(again)
	if err != nil {
		return err
	}
	same := bytes.Equal(raw, fresh) || sameJSON(raw, fresh)
	var changes []string
	if !same {
		changes = a.changes(old, again, asked)
	}
	a.exit = outcome(again, failOn)
	if !same && !explained(old, again) && len(asked) == 0 {
		// Nothing that a report depends on differs, and yet it is another one:
		// the file was edited.
		a.exit = exitData
	}
	return a.showReplay(again, changes, same, asJSON)
}

// recorded reads a report that can be judged again.
func (a *app) recorded(path string) ([]byte, *review.Report, error) {
	raw, err := a.read(path, maxReportBytes, "assay check --offline NAME --record "+path)
	if err != nil {
		return nil, nil, err
	}
	var r review.Report
	if err := json.Unmarshal(raw, &r); err != nil {
		return nil, nil, a.unreadable("assay check --offline NAME --record report.json", "error.report", "Path", path, "Why", err)
	}
	next := "assay check --offline NAME --record report.json"
	switch {
	case r.Redacted:
		return nil, nil, a.unreadable(next, "error.redacted", "Path", path)
	case r.Version != review.ReportVersion:
		return nil, nil, a.unreadable("assay version", "error.report-version", "Path", path, "Version", r.Version, "Known", review.ReportVersion)
	case r.Order == nil || r.At.IsZero() || r.Profile.Name == "":
		return nil, nil, a.unreadable(next, "error.report", "Path", path, "Why", a.text.Text("why.not-a-report"))
	}
	return raw, &r, nil
}

// recordedProfile is the profile to judge by: the one asked for, else the
// built-in one the report names.
func (a *app) recordedProfile(r *review.Report, asked string) (*profile.Profile, error) {
	if asked != "" {
		return a.profile(asked)
	}
	if !slices.Contains(profile.Embedded(), r.Profile.Name) {
		return nil, a.usage("assay replay REPORT --profile FILE.toml", "error.replay-profile", "Name", r.Profile.Name)
	}
	return profile.Named(r.Profile.Name)
}

// judgeAgain judges the recorded observations as of the recorded time; asked
// are questions of this engine that the record has no answer to.
func (a *app) judgeAgain(old *review.Report, p *profile.Profile) (again *review.Report, asked []string, err error) {
	set, err := a.dataSet()
	if err != nil {
		return nil, nil, err
	}
	in := review.Input{Profile: p, Perspectives: old.Perspectives, Seen: old.Observations, At: old.At, Mode: old.Mode, Scope: old.Scope}
	for _, other := range old.Also {
		name := other.Profile
		if name == p.Name {
			name = old.Profile.Name
		}
		if slices.Contains(profile.Embedded(), name) {
			q, err := profile.Named(name)
			if err != nil {
				return nil, nil, err
			}
			in.Also = append(in.Also, q)
		}
	}
	c := review.Prepare(old.Order, set)
	for _, q := range c.Ask(in) {
		if q.Lookup != nil {
			asked = append(asked, string(q.Lookup.Topic))
		} else {
			asked = append(asked, string(q.Kind))
		}
	}
	again = c.Judge(in)
	again.Timing = old.Timing // a fact about then, which is not judged
	lang := old.Lang
	if a.flags.lang != "" {
		lang = a.text.Lang()
	}
	if lang != "" {
		again.Localize(lang)
	}
	return again, asked, nil
}

// sameJSON compares two documents whatever their white space.
func sameJSON(a, b []byte) bool {
	var x, y bytes.Buffer
	return json.Compact(&x, a) == nil && json.Compact(&y, b) == nil && bytes.Equal(x.Bytes(), y.Bytes())
}

// explained is true where something a judgement depends on differs.
func explained(old, again *review.Report) bool {
	return old.Engine != again.Engine || old.Profile != again.Profile || !maps.Equal(old.Data, again.Data) || old.Lang != again.Lang
}

// changes says in words what differs between two reports, what explains it first.
func (a *app) changes(old, again *review.Report, asked []string) []string {
	var out []string
	differ := func(what, x, y string) {
		if x != y {
			out = append(out, a.text.Text("replay.differs", "What", a.text.Text("replay."+what), "Old", empty(x), "New", empty(y)))
		}
	}
	differ("engine", old.Engine, again.Engine)
	differ("profile", profileText(old.Profile), profileText(again.Profile))
	names := slices.Sorted(maps.Keys(old.Data))
	for name := range again.Data {
		if _, ok := old.Data[name]; !ok {
			names = append(names, name)
		}
	}
	for _, name := range names {
		if x, y := old.Data[name], again.Data[name]; x != y {
			out = append(out, a.text.Text("replay.differs", "What", a.text.Text("replay.data", "Name", name), "Old", empty(dataText(x)), "New", empty(dataText(y))))
		}
	}
	differ("language", string(old.Lang), string(again.Lang))
	for _, q := range asked {
		out = append(out, a.text.Text("replay.asked", "Topic", q))
	}
	differ("verdict", string(old.Verdict), string(again.Verdict))
	return append(out, a.findingChanges(old, again)...)
}

func profileText(p review.ProfileRef) string {
	return p.Name + " " + p.Version + " " + p.Digest[:min(len(p.Digest), 19)]
}

func dataText(d data.Ref) string {
	return d.Date + " " + d.Digest[:min(len(d.Digest), 12)]
}

func (a *app) findingChanges(old, again *review.Report) []string {
	var out []string
	was := map[string]*review.Finding{}
	for i := range old.Findings {
		was[old.Findings[i].ID] = &old.Findings[i]
	}
	for i := range again.Findings {
		f := &again.Findings[i]
		before := was[f.ID]
		delete(was, f.ID)
		switch {
		case before == nil:
			out = append(out, a.text.Text("replay.added", "Finding", f.ID, "Level", f.Level))
		case before.Level != f.Level:
			out = append(out, a.text.Text("replay.level", "Finding", f.ID, "Old", before.Level, "New", f.Level))
		case !sameFinding(before, f):
			out = append(out, a.text.Text("replay.changed", "Finding", f.ID))
		}
	}
	for _, id := range slices.Sorted(maps.Keys(was)) {
		out = append(out, a.text.Text("replay.removed", "Finding", id, "Level", was[id].Level))
	}
	if len(out) == 0 {
		out = append(out, a.text.Text("replay.elsewhere"))
	}
	return out
}

// sameFinding compares findings as they are written: parameters that were read
// from a file have other Go types.
func sameFinding(x, y *review.Finding) bool {
	a, errA := json.Marshal(x)
	b, errB := json.Marshal(y)
	return errA == nil && errB == nil && bytes.Equal(a, b)
}

func (a *app) showReplay(r *review.Report, changes []string, same, asJSON bool) error {
	if asJSON {
		style := a.style(a.err)
		for _, c := range changes {
			fmt.Fprintln(a.err, style.Faint(render.Safe(c)))
		}
		return a.writeJSON(r)
	}
	p := a.page()
	if same {
		p.Paragraph(0, a.text.Text("replay.identical", "Verdict", a.text.Text("level."+string(r.Verdict)),
			"Time", r.At.UTC().Format("2006-01-02 15:04")))
		return a.print(p)
	}
	p.Line(p.Level(cause.Warn, a.text.Text("replay.different")))
	for _, c := range changes {
		p.Item(0, "-", render.Safe(c))
	}
	p.Blank()
	if err := a.print(p); err != nil {
		return err
	}
	_, err := a.out.Write([]byte(render.Report(r, a.text, render.Options{Style: a.style(a.out), Width: a.width(), Zone: time.Local})))
	return err
}
