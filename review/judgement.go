package review

import (
	"time"

	"assay/cause"
	"assay/evidence"
	"assay/order"
	"assay/profile"
)

// What a [Judgement] is about.
const (
	// ScopeUpload: the texts of a certificate that was made elsewhere.
	ScopeUpload Scope = "upload"
	// ScopeDeployment: what servers show instead of a certificate.
	ScopeDeployment Scope = "deployment"
)

// A Judgement is what is found about something that is no order: an upload, a
// certificate in use. Its findings are those of reports. It can never sign.
type Judgement struct {
	Engine  string     `json:"engine"`
	Profile ProfileRef `json:"profile"`
	// Lang is the language of the texts; empty where none were filled in.
	Lang     cause.Language `json:"lang,omitempty"`
	Scope    Scope          `json:"scope"`
	At       time.Time      `json:"at"`
	Verdict  Verdict        `json:"verdict"`
	Findings []Finding      `json:"findings"`
	// Lab is set where anybody looked under settings that are not the public
	// internet's.
	Lab bool `json:"lab,omitempty"`
	// Observations are the facts that it read of the network.
	Observations []evidence.Observation `json:"observations,omitempty"`
}

// Localize fills in the texts of every finding in a language.
func (j *Judgement) Localize(lang cause.Language) {
	r := Report{Findings: j.Findings}
	r.Localize(lang)
	j.Lang = lang
}

// Report is the judgement in the form of a report, about an order of nothing but
// names.
func (j *Judgement) Report(names []string) *Report {
	return &Report{
		Version: ReportVersion, Engine: j.Engine, Order: &order.Order{Product: order.DV, Names: names}, Profile: j.Profile,
		Lang: j.Lang, Scope: j.Scope, NotAsked: []NotAsked{}, Mode: Attempt, At: j.At, Verdict: j.Verdict, Findings: j.Findings,
		Observations: j.Observations, Lab: j.Lab,
	}
}

// JudgeUpload judges what was read of an uploaded certificate: whether it can be
// used on a server as it is.
func JudgeUpload(u *evidence.Upload, p *profile.Profile, at time.Time) *Judgement {
	return beside(&facts{upload: u}, ScopeUpload, p, at)
}

// beside judges by the rules that are about no order.
func beside(f *facts, scope Scope, p *profile.Profile, at time.Time) *Judgement {
	f.Case = &Case{Order: &order.Order{Product: order.DV}}
	f.profile, f.at, f.mode, f.scope = p, at, Attempt, scope
	s := &sink{facts: f}
	for i := range besideRules {
		if r := &besideRules[i]; r.scope == scope {
			r.run(f, s)
		}
	}
	j := &Judgement{
		Engine: Engine, Profile: ProfileRef{Name: p.Name, Version: p.Version, Digest: p.Digest()},
		Scope: scope, At: at.UTC(), Findings: s.finish(),
	}
	j.Verdict = verdictOf(j.Findings)
	return j
}
