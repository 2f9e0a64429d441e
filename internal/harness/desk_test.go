package harness

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	mathrand "math/rand/v2"
	"net/http"
	"slices"

	"assay/internal/service"
	"assay/internal/store"
	"assay/order"
)

// letIn makes the token of a reviewer, where there is none.
func (b *book) letIn(ctx context.Context, server string) error {
	if b.reviewer != "" || b.token == "" {
		return nil
	}
	var told struct{ Secret string }
	d := deed{key: "reviewer", body: `{"role":"reviewer","account":"rita","name":"a reviewer"}`}
	status, _, raw, err := post(ctx, http.DefaultClient, server+"/api/v1/tokens", b.token, d)
	if err == nil && status != http.StatusCreated {
		err = fmt.Errorf("a reviewer's token: %d %s", status, raw)
	}
	if err == nil {
		err = json.Unmarshal(raw, &told)
	}
	b.reviewer = told.Secret
	return err
}

// judge makes up what a reviewer, or an applicant who is asked, does about an order.
func (b *book) judge(ctx context.Context, client *http.Client, server string, r *mathrand.Rand, d *deed) {
	const remark = `{"cause":"policy.sensitive-word-inside","note":"why"}`
	d.does, d.desk = []string{"claim", "claim", "approve", "approve", "ask", "answer", "refuse"}[r.IntN(7)], true
	if d.does == "approve" && !b.approval(ctx, client, server, d) {
		d.does = "claim"
	}
	switch d.does {
	case "ask", "refuse":
		d.body = remark
	case "answer":
		d.desk, d.body = false, `{"note":"because"}`
	}
	d.path = "/api/v1/orders/" + d.order + "/" + d.does
}

// approval approves what a reviewer sees; ok is false where that cannot be seen.
func (b *book) approval(ctx context.Context, client *http.Client, server string, d *deed) bool {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, server+"/api/v1/orders/"+d.order+"/docket", http.NoBody)
	if err != nil {
		return false
	}
	r.Header.Set("Authorization", "Bearer "+b.reviewer)
	resp, err := client.Do(r)
	if err != nil {
		return false
	}
	defer resp.Body.Close()
	var docket service.Docket
	if json.NewDecoder(resp.Body).Decode(&docket) != nil || docket.Order == nil || len(docket.Matters) == 0 {
		return false
	}
	in := service.ApprovalRequest{Review: docket.Order.Review, Note: "seen", OrderOnly: true}
	for i := range docket.Matters {
		in.Findings = append(in.Findings, docket.Matters[i].Finding)
	}
	raw, err := json.Marshal(in)
	d.body = string(raw)
	return err == nil
}

// desk proves that an order waits in the queue exactly where it waits for a
// person, and that each decision there is one that was audited.
func (p *proof) desk(ctx context.Context, o *store.OrderRow, entries []store.Entry) error {
	item, err := p.db.DeskItem(ctx, o.Tenant, o.ID)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	waits := err == nil && item.State != store.DeskClosed
	if want := o.State == order.StatePending && o.Phase == order.PhaseReview; waits != want {
		p.fault("order %s is %s %s, and waits in the queue: %t", o.ID, o.State, o.Phase, waits)
	}
	list, err := p.db.Decisions(ctx, o.ID, 200)
	if err != nil {
		return err
	}
	had := map[string]int{}
	for i := range entries {
		had[entries[i].Action]++
	}
	made := map[string]int{}
	for i := range list {
		made["review."+list[i].Kind]++
	}
	for _, action := range []string{"review.approve", "review.ask", "review.answer", "review.refuse"} {
		if had[action] != made[action] {
			p.fault("order %s has %d decisions %s, and %d entries of them", o.ID, made[action], action, had[action])
		}
		p.book.decided += made[action]
	}
	return nil
}

// claims: each that was acknowledged is there, and none twice.
func (p *proof) claims(ctx context.Context) error {
	found := map[string]int{}
	f := store.EntryFilter{Tenant: service.RootTenant, Action: "review.claim", Limit: 200}
	for {
		list, err := p.db.Entries(ctx, f)
		if err != nil {
			return err
		}
		for i := range list {
			found[list[i].Subject]++
			f.BeforeAt, f.BeforeID = list[i].At, list[i].ID
		}
		if len(list) < f.Limit {
			break
		}
	}
	sent, told := map[string]int{}, map[string]int{}
	for key, d := range p.book.sent {
		if d.does != "claim" {
			continue
		}
		sent["order:"+d.order]++
		if _, acknowledged := p.book.done[key]; acknowledged {
			told["order:"+d.order]++
		}
	}
	for _, s := range slices.Sorted(maps.Keys(sent)) {
		if found[s] < told[s] {
			p.fault("lost: %d claims of %s were acknowledged, and there are %d", told[s], s, found[s])
		}
		if found[s] > sent[s] {
			p.fault("double effect: %d claims of %s were asked for, and there are %d", sent[s], s, found[s])
		}
	}
	return nil
}
