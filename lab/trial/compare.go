package trial

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"assay/cause"
	"assay/lab"
	"assay/review"
)

// Compare says how the findings of a report differ from those wanted: a line
// with - for one that lacks, with + for one too many. "" where they agree.
// Parameters and explained_by are compared where the scenario gives them.
func Compare(want []lab.Wanted, r *review.Report) string {
	wanted, got := slices.Clone(want), slices.Clone(r.Findings)
	stale := slices.ContainsFunc(want, func(w lab.Wanted) bool { return w.Cause == cause.PolicyInputUnavailable })
	var lines []string
	for _, f := range got {
		// Scenarios about a later date would all find the embedded snapshots old.
		if f.Parameters["state"] == "stale" && !stale {
			continue
		}
		if i := slices.IndexFunc(wanted, func(w lab.Wanted) bool { return matches(w, &f) }); i >= 0 {
			wanted = slices.Delete(wanted, i, i+1)
			continue
		}
		lines = append(lines, "+ "+describe(&f))
	}
	for _, w := range wanted {
		line := fmt.Sprintf("- %s %s %s", w.Level, w.Cause, w.Subject)
		for _, k := range slices.Sorted(maps.Keys(w.Parameters)) {
			line += fmt.Sprintf(" %s=%q", k, w.Parameters[k])
		}
		if w.ExplainedBy != "" {
			line += " explained by " + w.ExplainedBy
		}
		lines = append(lines, line)
	}
	return strings.Join(lines, "\n")
}

func matches(w lab.Wanted, f *review.Finding) bool {
	if w.Cause != f.Cause || w.Level != f.Level || w.Subject != f.Subject || w.ExplainedBy != "" && w.ExplainedBy != f.ExplainedBy {
		return false
	}
	for k, v := range w.Parameters {
		if cause.FormatValue(f.Parameters[k], cause.English) != v {
			return false
		}
	}
	return true
}

func describe(f *review.Finding) string {
	line := fmt.Sprintf("%s %s %s", f.Level, f.Cause, f.Subject)
	for _, k := range slices.Sorted(maps.Keys(f.Parameters)) {
		line += fmt.Sprintf(" %s=%q", k, cause.FormatValue(f.Parameters[k], cause.English))
	}
	if f.ExplainedBy != "" {
		line += " explained by " + f.ExplainedBy
	}
	if len(f.Perspectives) > 0 {
		line += " seen from " + strings.Join(f.Perspectives, " ")
	}
	return line
}
