package rest

import (
	"strings"
	"sync"
	"time"

	"assay/cause"
	"assay/data"
	"assay/evidence"
	"assay/internal/secret"
	"assay/internal/service"
	"assay/order"
	"assay/review"
)

// What the examples of the document are made of.
const (
	exampleOrderID = "A2611260008F3K7Q"
	exampleCSR     = "-----BEGIN CERTIFICATE REQUEST-----\n…\n-----END CERTIFICATE REQUEST-----\n"
)

// exampleIssued is a token in its real form, of bytes that nobody draws.
func exampleIssued() secret.Token {
	t, err := secret.NewToken(strings.NewReader("an example, and no secret: it lets nobody in"))
	if err != nil {
		panic(err) // the text is long enough
	}
	return t
}

func exampleTime() time.Time { return time.Date(2026, 11, 26, 8, 0, 0, 0, time.UTC) }

func exampleApplication() ApplicationBody {
	o := exampleOrder()
	return ApplicationBody{Profile: "cloud", Order: &o}
}

func exampleOrder() order.Order {
	return order.Order{Product: order.DV, Names: []string{"www.orchard.net", "orchard.net"}, CSR: exampleCSR, Method: order.MethodDNS}
}

// exampleFinding is made once, and not before a document is: its texts are read for it.
var exampleFinding = sync.OnceValue(func() review.Finding {
	f := review.Finding{
		ID: "dns.record-missing@orchard.net", Cause: cause.DNSRecordMissing, Level: cause.Wait, Subject: "orchard.net",
		Parameters: cause.Parameters{
			"type": "TXT", "owner": "_dnsauth.orchard.net", "host": "_dnsauth", "zone": "orchard.net", "rcode": "NXDOMAIN",
			"expected": "202611260800004t8bq0n6ydw1zr5cxk2m9f",
		},
	}
	if e := cause.Lookup(f.Cause); e != nil {
		f.Stage, f.Who = e.Stage(), e.Who
	}
	return localized([]review.Finding{f}, cause.English)[0]
})

func exampleView() service.View {
	at, deadline, next := exampleTime(), exampleTime().AddDate(0, 0, 3), exampleTime().Add(30*time.Second)
	o := exampleOrder()
	o.ID, o.Account, o.Tenant, o.SubmittedAt = exampleOrderID, "shop", "orchard", at
	return service.View{
		ID: exampleOrderID, Tenant: "orchard", Account: "shop", State: order.StatePending, Phase: order.PhaseValidation, Profile: "cloud", CloudStatus: 3,
		Allowed: []order.Action{order.ActionCheck, order.ActionCancel}, Order: &o,
		Challenges: []order.Challenge{{
			Name: "orchard.net", Method: order.MethodDNS, Type: "TXT", Owner: "_dnsauth.orchard.net",
			Value: "202611260800004t8bq0n6ydw1zr5cxk2m9f", Origin: "own", Created: at, Expires: at.AddDate(0, 0, 30),
		}},
		Verdict: review.VerdictWait, Findings: []review.Finding{exampleFinding()}, Review: 2, Checks: 3, NextCheck: &next,
		CreatedAt: at, SubmittedAt: &at, Deadline: &deadline, ChangedAt: at, Version: 7,
	}
}

func exampleSummary() service.Summary {
	at, deadline := exampleTime(), exampleTime().AddDate(0, 0, 3)
	return service.Summary{
		ID: exampleOrderID, Account: "shop", State: order.StatePending, Phase: order.PhaseValidation, Product: order.DV, Profile: "cloud",
		Method: order.MethodDNS, Name: "www.orchard.net", Names: 2, Verdict: review.VerdictWait, CreatedAt: at, SubmittedAt: &at, Deadline: &deadline, Version: 7,
	}
}

func exampleReview(whole bool) service.ReviewView {
	v := service.ReviewView{
		Number: 2, Trigger: "schedule", FirstAt: exampleTime(), LastAt: exampleTime().Add(time.Minute), Checks: 3,
		Verdict: review.VerdictWait, Causes: []string{string(exampleFinding().Cause)},
	}
	if whole {
		o := exampleOrder()
		v.Report = &review.Report{
			Version: review.ReportVersion, Engine: review.Engine, Order: &o, Profile: review.ProfileRef{Name: "cloud", Version: "1", Digest: "sha256:…"},
			Lang: cause.English, Scope: review.ScopeNetwork, NotAsked: []review.NotAsked{}, Mode: review.Precheck, At: exampleTime(), Verdict: review.VerdictWait,
			Findings: []review.Finding{exampleFinding()}, Data: map[string]data.Ref{}, Observations: []evidence.Observation{},
		}
	}
	return v
}

func exampleAttempt() service.AttemptView {
	ended := exampleTime().Add(time.Minute)
	return service.AttemptView{Number: 1, Issuer: "far", State: order.AttemptAbandoned, CreatedAt: exampleTime(), EndedAt: &ended, Lost: true}
}

func exampleEvent() service.Event {
	return service.Event{
		Version: 5, At: exampleTime(), Action: "order.check", Actor: "service",
		Data: map[string]any{"state": "pending", "verdict": "wait"},
	}
}

func exampleWhoami() service.Whoami {
	return service.Whoami{
		Tenant: "orchard", Account: "shop", Role: service.RoleApplicant, Token: exampleIssued().ID,
		Permissions: service.Permissions()[service.RoleApplicant],
	}
}

func exampleToken(text string) service.TokenView {
	end := exampleTime().AddDate(0, 0, 90)
	return service.TokenView{
		ID: exampleIssued().ID, Name: "web shop", Tenant: "orchard", Account: "shop", Role: service.RoleApplicant,
		CreatedAt: exampleTime(), ExpiresAt: &end, Secret: text,
	}
}

func exampleTokenRequest() service.TokenRequest {
	return service.TokenRequest{Name: "web shop", Role: service.RoleApplicant, Account: "shop", Days: 90}
}

func exampleTenant() service.TenantView {
	return service.TenantView{ID: "orchard", Name: "Orchard Ltd", CreatedAt: exampleTime()}
}

func exampleAccount() service.AccountView {
	return service.AccountView{ID: "shop", Verified: true, Agreement: "2026-01", CreatedAt: exampleTime()}
}

func exampleEntry() service.EntryView {
	return service.EntryView{
		ID: "0644f0c0d2800f3a9b1c2d4e5", At: exampleTime(), Tenant: "orchard", Actor: exampleIssued().ID, Role: string(service.RoleApplicant),
		Action: "order.submit", Subject: "order:" + exampleOrderID, Order: exampleOrderID, OrderVersion: 1,
		Data: []byte(`{"state":"pending","verdict":"pass"}`), Seq: 4711, Hash: "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
	}
}

func exampleAuditResult() service.AuditResult {
	return service.AuditResult{Valid: true, Entries: 4711, Heads: 12, Signed: 4650, Unsealed: 3, Key: "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"}
}

func exampleTrial() service.Trial {
	return service.Trial{Judged: 812, Changed: []service.Changed{{
		Order: exampleOrderID, Name: "www.orchard.net", State: order.StatePending, Profile: "cloud",
		Was: review.VerdictPass, Would: review.VerdictWait, Added: []review.Finding{exampleFinding()}, Gone: []cause.ID{},
	}}}
}

func exampleQueueItem() service.QueueItem {
	until := exampleTime().Add(30 * time.Minute)
	return service.QueueItem{
		Order: exampleOrderID, Account: "shop", Product: order.OV, Name: "bank.orchard.net", Names: 1, Causes: []string{string(cause.PolicySensitiveWord)},
		State: "open", OpenedAt: exampleTime(), DueAt: exampleTime().AddDate(0, 0, 3), ClaimedBy: "rita", ClaimedUntil: &until,
	}
}

func exampleDecision() service.DecisionView {
	until := exampleTime().AddDate(0, 0, 398)
	return service.DecisionView{
		ID: "0006445dba2f0000a1b2c3d4e5f6", Kind: "approve", Cause: string(cause.PolicySensitiveWord), Subject: "bank.orchard.net", Scope: "orchard.net",
		By: "rita", Note: "The bank of a river; the register of names shows it.", At: exampleTime(), Until: &until,
	}
}

func exampleDocket() service.Docket {
	item, v := exampleQueueItem(), exampleView()
	v.Phase, v.Verdict = order.PhaseReview, review.VerdictReview
	return service.Docket{
		Item: &item, Order: &v, Decisions: []service.DecisionView{},
		Matters: []service.Matter{{
			Finding: "policy.sensitive-word@bank.orchard.net", Cause: cause.PolicySensitiveWord, Subject: "bank.orchard.net", Scope: "orchard.net",
		}},
	}
}
