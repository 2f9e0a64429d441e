package review

import (
	"encoding/json"
	"time"

	"assay/cause"
	"assay/data"
	"assay/evidence"
	"assay/order"
)

// ReportVersion is the version of the report's schema. It changes when a field
// is removed or changes its meaning, not when one is added.
const ReportVersion = 1

// Verdict is the outcome of a review: the gravest level found, else pass.
type Verdict string

// The verdicts, gravest first.
const (
	VerdictRefuse  Verdict = "refuse"
	VerdictReview  Verdict = "review"
	VerdictUnknown Verdict = "unknown"
	VerdictWait    Verdict = "wait"
	VerdictPass    Verdict = "pass"
)

// Blocks reports whether the verdict is one that stops something.
func (v Verdict) Blocks() bool { return v != VerdictPass }

func verdictOf(findings []Finding) Verdict {
	gravest := cause.Pass
	for i := range findings {
		if findings[i].Level.Rank() < gravest.Rank() {
			gravest = findings[i].Level
		}
	}
	if gravest.Blocks() {
		return Verdict(gravest)
	}
	return VerdictPass
}

// A Report is the result of one review. The field order is the order of the JSON.
type Report struct {
	Version int    `json:"version"`
	Engine  string `json:"engine"`
	// Order is the order as it was judged; private keys are removed.
	Order   *order.Order `json:"order"`
	Profile ProfileRef   `json:"profile"`
	// Data are the snapshots that the judgement read, by name.
	Data map[string]data.Ref `json:"data"`
	// Lang is the language of the texts; empty where none were filled in.
	Lang cause.Language `json:"lang,omitempty"`
	// Scope says what was asked: the verdict concerns nothing else.
	Scope    Scope      `json:"scope"`
	NotAsked []NotAsked `json:"not_asked"`
	Mode     Mode       `json:"mode"`
	At       time.Time  `json:"at"`
	// Deadline is when the order must have passed; absent for a draft.
	Deadline *time.Time `json:"deadline,omitempty"`
	Verdict  Verdict    `json:"verdict"`
	// Also is the verdict of the same facts under other profiles.
	Also     []Other   `json:"also,omitempty"`
	Findings []Finding `json:"findings"`
	// Readiness says for each method whether validation can work (live checks).
	Readiness []Readiness `json:"readiness,omitempty"`
	// Perspectives are the places that were looked from, and MPIC says whether
	// that set conforms to the profile's rule at this time: "conformant", "lab (n
	// of m)" with n usable remote places where m are asked for, or "not required".
	Perspectives []evidence.Perspective `json:"perspectives,omitempty"`
	MPIC         string                 `json:"mpic,omitempty"`
	// Matrix is what each place saw of each server, by check and subject.
	Matrix []Cell `json:"matrix,omitempty"`
	// Lab is set where anybody looked under settings that are not the
	// public internet's: a public profile never signs from such a report.
	Lab bool `json:"lab,omitempty"`
	// Observations are the facts that the judgement read.
	Observations []evidence.Observation `json:"observations"`
	// Timing is how long each phase took, in milliseconds; left out of a
	// report that is compared byte for byte.
	Timing map[string]float64 `json:"timing,omitempty"`
	// Redacted is set where personal data and values were removed: such a
	// report cannot be judged again.
	Redacted bool `json:"redacted,omitempty"`
}

// ProfileRef names the profile a report was judged by.
type ProfileRef struct {
	Name    string `json:"name"`
	Version string `json:"version"`
	Digest  string `json:"digest"`
}

// NotAsked is input that was absent, and the causes that were therefore not
// looked for. For a whole stage Causes is empty.
type NotAsked struct {
	// What: "names", "csr", "organization", "method", "challenge", "submission", "account",
	// a stage ("dns"), "records." and a topic, "servers" (name servers one by
	// one), "caa.issuers" (the names by which CAA records call the CA).
	What string `json:"what"`
	// Why: "not-given"; "offline" (scope order); "not-kept" (no such records
	// here); "no-rule" (this program has no rules for the stage yet, or for the
	// causes listed); "no-port-53" (this place has only a resolver).
	Why    string     `json:"why"`
	Causes []cause.ID `json:"causes,omitempty"`
}

// Other is the verdict under another profile.
type Other struct {
	Profile string  `json:"profile"`
	Verdict Verdict `json:"verdict"`
}

// Readiness is the verdict for one validation method.
type Readiness struct {
	Method  order.Method `json:"method"`
	Verdict Verdict      `json:"verdict"`
}

// A Finding is a cause met by this order.
type Finding struct {
	// ID is the cause, "@" and the subject; unique and stable for one report.
	ID      string      `json:"id"`
	Cause   cause.ID    `json:"cause"`
	Level   cause.Level `json:"level"`
	Stage   cause.Stage `json:"stage"`
	Subject string      `json:"subject"`
	// Title, Explanation and Handling are the catalogue's texts in the
	// report's language, with the parameters filled in.
	Title       string           `json:"title,omitempty"`
	Explanation string           `json:"explanation,omitempty"`
	Handling    []string         `json:"handling,omitempty"`
	Who         cause.Who        `json:"who"`
	Parameters  cause.Parameters `json:"parameters,omitempty"`
	// Perspectives are the places it was seen from.
	Perspectives []string `json:"perspectives,omitempty"`
	// Evidence lists ids of observations.
	Evidence []string `json:"evidence,omitempty"`
	// ExplainedBy is the id of the finding that this one is a consequence of.
	ExplainedBy string `json:"explained_by,omitempty"`
	// Reproduce holds commands that show the fact.
	Reproduce []string `json:"reproduce,omitempty"`
	// RetryAt is the earliest time a new check can succeed.
	RetryAt *time.Time `json:"retry_at,omitempty"`
	// Approval is the decision of a person that made it information.
	Approval *Approved `json:"approval,omitempty"`
}

// UnmarshalJSON reads a finding and gives its parameters back the types that
// JSON does not have, so that the texts of a stored or received finding can be
// filled in like those of a new one.
func (f *Finding) UnmarshalJSON(raw []byte) error {
	type plain Finding
	if err := json.Unmarshal(raw, (*plain)(f)); err != nil {
		return err
	}
	f.Parameters = f.Parameters.Restore(f.Cause)
	return nil
}

// Localize fills in the texts of every finding in a language.
func (r *Report) Localize(lang cause.Language) {
	r.Lang = lang
	for i := range r.Findings {
		f := &r.Findings[i]
		t := cause.TextsOf(f.Cause, lang)
		if t == nil {
			continue
		}
		f.Title = t.Title
		f.Explanation = t.Fill(t.Found, f.Parameters, lang)
		if t.Why != "" {
			f.Explanation += lang.Space() + t.Why
		}
		f.Handling = f.Handling[:0]
		for _, h := range t.Handling {
			if line := t.Fill(h, f.Parameters, lang); line != "" {
				f.Handling = append(f.Handling, line)
			}
		}
	}
}

// keepSeen stores the observations with their ids, each once.
func (r *Report) keepSeen(seen []evidence.Observation) {
	r.Observations = make([]evidence.Observation, 0, len(seen))
	have := make(map[string]bool, len(seen))
	for i := range r.Perspectives {
		r.Lab = r.Lab || r.Perspectives[i].Network != nil
	}
	for _, o := range seen {
		if o.ID == "" {
			o = o.Identify()
		}
		if !have[o.ID] {
			have[o.ID] = true
			r.Lab = r.Lab || o.Network != nil
			r.Observations = append(r.Observations, o)
		}
	}
}
