package service

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"assay/cause"
	"assay/internal/store"
	"assay/lab"
	"assay/order"
	"assay/profile"
	"assay/review"
)

// wordy is a name in which a person has to look at a word, under the profile cloud.
const wordy = "qqbankqq.orchard.net"

// person lets somebody in by a real token, as units read it.
func (b *bed) person(t *testing.T, role Role, account string) Principal {
	t.Helper()
	v, err := b.NewToken(context.Background(), b.who[RoleAdministrator], TokenRequest{Role: role, Account: account})
	if err != nil {
		t.Fatal(err)
	}
	p, err := b.Authenticate(context.Background(), v.Secret)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// published is the world in which all values of an order are.
func published(v *View) lab.Change {
	z := lab.ZoneCopy{Remove: lab.Strings{"_dnsauth TXT"}}
	for _, c := range v.Challenges {
		z.Add = append(z.Add, c.Owner+`. TXT "`+c.Value+`"`)
	}
	return lab.Change{Zones: map[string]lab.ZoneChange{"orchard.net": {ZoneCopy: z}}}
}

// toReview is an order that waits for a reviewer.
func (h *house) toReview(t *testing.T, names ...string) *View {
	t.Helper()
	v := h.apply(t, h.who[RoleApplicant], dv(t, names...))
	h.world(t, v, published(v))
	if v = h.run(t, v.ID); v.State != order.StatePending || v.Phase != order.PhaseReview || v.Waiting == nil || v.Waiting.For != "reviewer" {
		t.Fatalf("%s %s %s %v %+v", v.State, v.Phase, v.Verdict, causesIn(v), v.Waiting)
	}
	return v
}

func (h *house) docket(t *testing.T, p Principal, id string) *Docket {
	t.Helper()
	d, err := h.Docket(context.Background(), p, id)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// all approves every matter of a docket as it is shown.
func all(d *Docket, note string) ApprovalRequest {
	a := ApprovalRequest{Review: d.Order.Review, Note: note}
	for _, m := range d.Matters {
		a.Findings = append(a.Findings, m.Finding)
	}
	return a
}

// TestDesk: an order with a word in it waits for a person, who approves; it goes
// on, and the next order of that account for that domain has the approval as
// evidence, and needs nobody.
func TestDesk(t *testing.T) {
	t.Parallel()
	h, ctx := newHouse(t), context.Background()
	v := h.toReview(t, wordy)
	if got := h.actions(t, v.ID); !slices.Equal(got, []string{"order.submit", "order.check", "review.open"}) {
		t.Errorf("%v", got)
	}
	rita := h.person(t, RoleReviewer, "rita")
	items, next, err := h.Queue(ctx, rita, QueueQuery{})
	if err != nil || next != "" || len(items) != 1 || items[0].Order != v.ID || items[0].DueAt.Sub(h.clock()) != 24*time.Hour || items[0].Late {
		t.Fatalf("%+v %q %v", items, next, err)
	}
	if !slices.Equal(items[0].Causes, []string{string(cause.PolicySensitiveWordInside)}) {
		t.Errorf("%v", items[0].Causes)
	}
	d := h.docket(t, rita, v.ID)
	if len(d.Matters) != 1 || d.Matters[0].Scope != "orchard.net" || d.Matters[0].FourEyes {
		t.Fatalf("%+v", d.Matters)
	}
	if _, err := h.Claim(ctx, rita, v.ID); err != nil {
		t.Fatal(err)
	}
	after, err := h.Approve(ctx, rita, v.ID, 0, all(d, "The name of a river."))
	if err != nil {
		t.Fatal(err)
	}
	if after.State != order.StatePending {
		t.Errorf("an approval does not pass an order by itself: %s", after.State)
	}
	if v = h.run(t, v.ID); v.State != order.StateReady || v.Waiting != nil {
		t.Fatalf("%s %s %v", v.State, v.Phase, causesIn(v))
	}
	if items, _, err := h.Queue(ctx, rita, QueueQuery{}); err != nil || len(items) != 0 {
		t.Errorf("%+v %v", items, err)
	}
	i := slices.IndexFunc(v.Findings, func(f review.Finding) bool { return f.Cause == cause.PolicySensitiveWordInside })
	if i < 0 || v.Findings[i].Level != cause.Info || v.Findings[i].Approval == nil || v.Findings[i].Approval.By != "rita" || v.Findings[i].Approval.Reason != "The name of a river." {
		t.Fatalf("%+v", v.Findings)
	}
	if got := h.actions(t, v.ID); !slices.Equal(got[3:], []string{"review.approve", "order.pass"}) {
		t.Errorf("%v", got)
	}

	h.pass(time.Hour)
	later := h.apply(t, h.who[RoleApplicant], dv(t, wordy))
	h.world(t, later, published(later))
	if later = h.run(t, later.ID); later.State != order.StateReady {
		t.Errorf("a later order of the account: %s %s %v", later.State, later.Phase, causesIn(later))
	}
	other := h.person(t, RoleApplicant, "other")
	if _, err := h.PutAccount(ctx, h.who[RoleAdministrator], AccountView{ID: "other", Verified: true}); err != nil {
		t.Fatal(err)
	}
	theirs := h.apply(t, other, dv(t, wordy))
	h.world(t, theirs, published(theirs))
	if theirs = h.run(t, theirs.ID); theirs.Phase != order.PhaseReview {
		t.Errorf("an approval counted for another account: %s %s", theirs.State, theirs.Phase)
	}
}

// TestDeskFalseAccepts: what must not get an order through.
func TestDeskFalseAccepts(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	for name, try := range map[string]func(t *testing.T, h *house, v *View, d *Docket, rita Principal) error{
		"whoever ordered": func(t *testing.T, h *house, v *View, d *Docket, _ Principal) error {
			_, err := h.Approve(ctx, h.person(t, RoleReviewer, "shop"), v.ID, 0, all(d, "mine"))
			return err
		},
		"whoever ordered, otherwise written": func(t *testing.T, h *house, v *View, d *Docket, _ Principal) error {
			_, err := h.Approve(ctx, h.person(t, RoleReviewer, "SHOP"), v.ID, 0, all(d, "mine"))
			return err
		},
		"an administrator": func(_ *testing.T, h *house, v *View, d *Docket, _ Principal) error {
			_, err := h.Approve(ctx, h.who[RoleAdministrator], v.ID, 0, all(d, "by right"))
			return err
		},
		"an auditor": func(_ *testing.T, h *house, v *View, d *Docket, _ Principal) error {
			_, err := h.Approve(ctx, h.who[RoleAuditor], v.ID, 0, all(d, "by right"))
			return err
		},
		"a token that may only read": func(_ *testing.T, h *house, v *View, d *Docket, rita Principal) error {
			rita.Scopes = []string{string(MayReadOrders)}
			_, err := h.Approve(ctx, rita, v.ID, 0, all(d, "scopes"))
			return err
		},
		"a token revoked in between": func(t *testing.T, h *house, v *View, d *Docket, rita Principal) error {
			if _, err := h.RevokeToken(ctx, h.who[RoleAdministrator], rita.Token); err != nil {
				t.Fatal(err)
			}
			_, err := h.Approve(ctx, rita, v.ID, 0, all(d, "still here"))
			return err
		},
		"an account deactivated in between": func(t *testing.T, h *house, v *View, d *Docket, rita Principal) error {
			now := h.clock()
			if _, err := h.PutAccount(ctx, h.who[RoleAdministrator], AccountView{ID: "rita", DeactivatedAt: &now}); err != nil {
				t.Fatal(err)
			}
			_, err := h.Approve(ctx, rita, v.ID, 0, all(d, "still here"))
			return err
		},
		"a token that nobody knows": func(_ *testing.T, h *house, v *View, d *Docket, rita Principal) error {
			rita.Token = "made-up"
			_, err := h.Approve(ctx, rita, v.ID, 0, all(d, "hm"))
			return err
		},
		"a token of a tenant that was read elsewhere": func(_ *testing.T, h *house, v *View, d *Docket, rita Principal) error {
			rita.Tenant = "vineyard"
			_, err := h.Approve(ctx, rita, v.ID, 0, all(d, "hm"))
			return err
		},
		"with the token of somebody else": func(t *testing.T, h *house, v *View, d *Docket, rita Principal) error {
			rita.Token = h.person(t, RoleReviewer, "rob").Token
			_, err := h.Approve(ctx, rita, v.ID, 0, all(d, "hm"))
			return err
		},
		"a finding of another level": func(_ *testing.T, h *house, v *View, d *Docket, rita Principal) error {
			a := all(d, "hm")
			a.Findings = nil
			for _, f := range d.Order.Findings {
				if f.Level != cause.Review {
					a.Findings = append(a.Findings, f.ID)
				}
			}
			_, err := h.Approve(ctx, rita, v.ID, 0, a)
			return err
		},
		"another review asks by now": func(t *testing.T, h *house, v *View, d *Docket, rita Principal) error {
			i, err := h.Store.DeskItem(ctx, RootTenant, v.ID)
			if err != nil {
				t.Fatal(err)
			}
			i.Review = "another"
			if err := h.Store.Write(ctx, func(tx store.Tx) error { return tx.OpenDesk(*i) }); err != nil {
				t.Fatal(err)
			}
			_, err = h.Approve(ctx, rita, v.ID, 0, all(d, "hm"))
			return err
		},
		"who ordered changed by now": func(_ *testing.T, h *house, v *View, _ *Docket, rita Principal) error {
			_, err := h.decide(ctx, rita, v.ID, 0, v.Version-1, "review.approve", func(store.Tx, *store.Order, *store.DeskItem, []store.Decision) (map[string]any, error) {
				return nil, nil
			})
			return err
		},
		"a finding that there is none of": func(_ *testing.T, h *house, v *View, d *Docket, rita Principal) error {
			_, err := h.Approve(ctx, rita, v.ID, 0, ApprovalRequest{Review: d.Order.Review, Findings: []string{"policy.sensitive-word@" + wordy}, Note: "hm"})
			return err
		},
		"a review that there is none of": func(_ *testing.T, h *house, v *View, d *Docket, rita Principal) error {
			a := all(d, "hm")
			a.Review = 99
			_, err := h.Approve(ctx, rita, v.ID, 0, a)
			return err
		},
		"no reason": func(_ *testing.T, h *house, v *View, d *Docket, rita Principal) error {
			_, err := h.Approve(ctx, rita, v.ID, 0, all(d, " \n"))
			return err
		},
		"nothing in particular": func(_ *testing.T, h *house, v *View, d *Docket, rita Principal) error {
			_, err := h.Approve(ctx, rita, v.ID, 0, ApprovalRequest{Review: d.Order.Review, Note: "all of it"})
			return err
		},
		"another version": func(_ *testing.T, h *house, v *View, d *Docket, rita Principal) error {
			_, err := h.Approve(ctx, rita, v.ID, v.Version+1, all(d, "hm"))
			return err
		},
		"while another works on it": func(t *testing.T, h *house, v *View, d *Docket, rita Principal) error {
			if _, err := h.Claim(ctx, h.person(t, RoleReviewer, "rob"), v.ID); err != nil {
				t.Fatal(err)
			}
			_, err := h.Approve(ctx, rita, v.ID, 0, all(d, "hm"))
			return err
		},
		"an order that ended": func(t *testing.T, h *house, v *View, d *Docket, rita Principal) error {
			if _, err := h.Cancel(ctx, h.who[RoleApplicant], v.ID, 0); err != nil {
				t.Fatal(err)
			}
			_, err := h.Approve(ctx, rita, v.ID, 0, all(d, "hm"))
			return err
		},
		"an order that was resubmitted": func(t *testing.T, h *house, v *View, d *Docket, rita Principal) error {
			if _, err := h.Cancel(ctx, h.who[RoleApplicant], v.ID, 0); err != nil {
				t.Fatal(err)
			}
			if _, err := h.Resubmit(ctx, h.who[RoleApplicant], v.ID, 0, nil); err != nil {
				t.Fatal(err, findings(err))
			}
			_, err := h.Approve(ctx, rita, v.ID, 0, all(d, "hm"))
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHouse(t)
			v := h.toReview(t, wordy)
			rita := h.person(t, RoleReviewer, "rita")
			d := h.docket(t, rita, v.ID)
			if err := try(t, h, v, d, rita); err == nil {
				t.Fatal("it was taken")
			} else if !strings.Contains(err.Error(), ": ") {
				t.Error(err)
			}
			h.pass(24 * time.Hour)
			if v = h.run(t, v.ID); v.State == order.StateReady {
				t.Errorf("%s %s", v.State, v.Phase)
			}
			if list, err := h.Store.Decisions(ctx, v.ID, 10); err != nil || len(list) != 0 {
				t.Errorf("%+v %v", list, err)
			}
		})
	}
}

// TestDeskMoved: what was looked at must still be what is found.
func TestDeskMoved(t *testing.T) {
	t.Parallel()
	h, ctx := newHouse(t), context.Background()
	v := h.toReview(t, wordy)
	rita := h.person(t, RoleReviewer, "rita")
	d := h.docket(t, rita, v.ID)
	a := all(d, "seen")
	// Submitted again with another name, the order says something else.
	if _, err := h.Cancel(ctx, h.who[RoleApplicant], v.ID, 0); err != nil {
		t.Fatal(err)
	}
	in := dv(t, "zzbankzz.orchard.net", "orchard.net")
	if _, err := h.Resubmit(ctx, h.who[RoleApplicant], v.ID, 0, &in); err != nil {
		t.Fatal(err, findings(err))
	}
	h.pass(time.Hour) // longer than the profile lets pass between checks
	again := h.read(t, v.ID)
	h.world(t, again, published(again))
	if again = h.run(t, v.ID); again.Phase != order.PhaseReview {
		t.Fatalf("%s %v", again.Phase, causesIn(again))
	}
	if _, err := h.Approve(ctx, rita, v.ID, 0, a); !problemIs(err, Conflict) {
		t.Errorf("a finding of an earlier review was approved: %v", err)
	}
}

// TestDeskFacts: the finding of that id says something else by now.
func TestDeskFacts(t *testing.T) {
	t.Parallel()
	h, ctx := newHouse(t), context.Background()
	v := h.toReview(t, wordy)
	rita := h.person(t, RoleReviewer, "rita")
	a := all(h.docket(t, rita, v.ID), "seen")
	o, err := h.Store.Order(ctx, RootTenant, v.ID)
	if err != nil {
		t.Fatal(err)
	}
	last, err := h.Store.Review(ctx, v.ID, 0)
	if err != nil {
		t.Fatal(err)
	}
	report, err := h.report(ctx, last)
	if err != nil {
		t.Fatal(err)
	}
	for i := range report.Findings {
		if report.Findings[i].Level == cause.Review {
			report.Findings[i].Parameters["word"] = "another"
		}
	}
	packed, err := packReview(o, report, "manual", last)
	if err != nil {
		t.Fatal(err)
	}
	err = h.Store.Write(ctx, func(tx store.Tx) error {
		i, err := tx.DeskItem(RootTenant, v.ID)
		if err != nil {
			return err
		}
		i.Review = "f00d"
		return errors.Join(keepReview(tx, packed, "f00d", h.now()), tx.OpenDesk(*i))
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := h.Approve(ctx, rita, v.ID, 0, a); !problemIs(err, Conflict) {
		t.Errorf("%v", err)
	}
}

// TestAgreement: the first of four eyes counts for the facts, the submission and
// the person it is of.
func TestAgreement(t *testing.T) {
	t.Parallel()
	submitted := time.Date(2026, 11, 20, 8, 0, 0, 0, time.UTC)
	o := &store.Order{OrderRow: store.OrderRow{Submitted: submitted}}
	f := &review.Finding{ID: "x", Cause: cause.PolicySensitiveWord, Subject: "bank.orchard.net", Parameters: cause.Parameters{"word": "bank"}}
	whole := store.Decision{
		ID: "1", Kind: store.DecisionAgree, Cause: string(f.Cause), Subject: f.Subject, Facts: review.FactsOf(f), By: "rita", At: submitted.Add(time.Hour),
	}
	if agreement([]store.Decision{whole}, o, f, "rob") == nil || agreement([]store.Decision{whole}, o, f, "") == nil {
		t.Error("it does not count at all")
	}
	for name, change := range map[string]func(d *store.Decision){
		"other facts":           func(d *store.Decision) { d.Facts = "0" },
		"another cause":         func(d *store.Decision) { d.Cause = "policy.other" },
		"another subject":       func(d *store.Decision) { d.Subject = "orchard.net" },
		"before the submission": func(d *store.Decision) { d.At = submitted.Add(-time.Second) },
		"of the same person":    func(d *store.Decision) { d.By = " ROB" },
		"no agreement":          func(d *store.Decision) { d.Kind = store.DecisionAsk },
	} {
		d := whole
		change(&d)
		if agreement([]store.Decision{d}, o, f, "rob") != nil {
			t.Errorf("%s counts", name)
		}
	}
	if agreement([]store.Decision{whole, {ID: "2", Kind: store.DecisionWithdraw, Refers: "1"}}, o, f, "rob") != nil {
		t.Error("one that was withdrawn counts")
	}
}

// TestDeskRequesters: who made an order for somebody else is one who ordered.
func TestDeskRequesters(t *testing.T) {
	t.Parallel()
	h, ctx := newHouse(t), context.Background()
	admin := h.person(t, RoleAdministrator, "ada")
	in := dv(t, wordy)
	in.Order.Account, in.Draft = "shop", true
	v := h.apply(t, admin, in)
	if _, err := h.Submit(ctx, h.who[RoleApplicant], v.ID, 0); err != nil {
		t.Fatal(err, findings(err))
	}
	h.world(t, v, published(v))
	if v = h.run(t, v.ID); v.Phase != order.PhaseReview {
		t.Fatal(v.Phase, causesIn(v))
	}
	ada := h.person(t, RoleReviewer, "ada")
	if _, err := h.Approve(ctx, ada, v.ID, 0, all(h.docket(t, ada, v.ID), "I made it")); !problemIs(err, Forbidden) {
		t.Errorf("%v", err)
	}
	// And who submitted one that somebody else made.
	v2 := h.apply(t, h.who[RoleApplicant], Application{Order: dv(t, "zzbankzz.orchard.net").Order, Draft: true})
	if _, err := h.Submit(ctx, admin, v2.ID, 0); err != nil {
		t.Fatal(err, findings(err))
	}
	h.world(t, v2, published(v2))
	if v2 = h.run(t, v2.ID); v2.Phase != order.PhaseReview {
		t.Fatal(v2.Phase, causesIn(v2))
	}
	if _, err := h.Refuse(ctx, ada, v2.ID, 0, Remark{cause.PolicySensitiveWordInside, "no"}); !problemIs(err, Forbidden) {
		t.Errorf("%v", err)
	}
}

// TestDeskWithdrawOne: the same for an approval of one order.
func TestDeskWithdrawOne(t *testing.T) {
	t.Parallel()
	h, ctx := newHouse(t), context.Background()
	v := h.toReview(t, wordy)
	rita := h.person(t, RoleReviewer, "rita")
	a := all(h.docket(t, rita, v.ID), "fine")
	a.OrderOnly = true
	if _, err := h.Approve(ctx, rita, v.ID, 0, a); err != nil {
		t.Fatal(err)
	}
	list, err := h.Decisions(ctx, rita, v.ID)
	if err != nil || len(list) != 1 {
		t.Fatal(list, err)
	}
	if _, err := h.Withdraw(ctx, rita, v.ID, 0, list[0].ID, "no"); err != nil {
		t.Fatal(err)
	}
	if v = h.run(t, v.ID); v.State != order.StatePending || v.Phase != order.PhaseReview {
		t.Errorf("%s %s", v.State, v.Phase)
	}
}

// TestDeskRefuseApproved: a cause for which an order is refused is not approved any more,
// for this order submitted again and for a later one.
func TestDeskRefuseApproved(t *testing.T) {
	t.Parallel()
	h, ctx := newHouse(t), context.Background()
	v := h.toReview(t, wordy)
	rita := h.person(t, RoleReviewer, "rita")
	if _, err := h.Approve(ctx, rita, v.ID, 0, all(h.docket(t, rita, v.ID), "fine")); err != nil {
		t.Fatal(err)
	}
	// Before a check made anything of it.
	if _, err := h.Refuse(ctx, rita, v.ID, 0, Remark{Cause: cause.PolicySensitiveWordInside, Note: "It is a bank."}); err != nil {
		t.Fatal(err)
	}
	again, err := h.Resubmit(ctx, h.who[RoleApplicant], v.ID, 0, nil)
	if err != nil {
		t.Fatal(err)
	}
	h.pass(10 * time.Minute) // no check is due sooner
	h.world(t, again, published(again))
	if v = h.run(t, v.ID); v.State != order.StatePending || v.Phase != order.PhaseReview || v.Waiting == nil {
		t.Errorf("%s %s %v", v.State, v.Phase, causesIn(v))
	}
	h.pass(time.Hour)
	later := h.apply(t, h.who[RoleApplicant], dv(t, wordy))
	h.world(t, later, published(later))
	if later = h.run(t, later.ID); later.Phase != order.PhaseReview {
		t.Errorf("a later order: %s %s", later.State, later.Phase)
	}
}

// TestDeskWithdraw: an approval that was withdrawn counts no more; what passed
// with it waits again.
func TestDeskWithdraw(t *testing.T) {
	t.Parallel()
	h, ctx := newHouse(t), context.Background()
	v := h.toReview(t, wordy)
	rita := h.person(t, RoleReviewer, "rita")
	if _, err := h.Approve(ctx, rita, v.ID, 0, all(h.docket(t, rita, v.ID), "fine")); err != nil {
		t.Fatal(err)
	}
	if v = h.run(t, v.ID); v.State != order.StateReady {
		t.Fatal(v.State)
	}
	list, err := h.Decisions(ctx, rita, v.ID)
	if err != nil || len(list) != 1 {
		t.Fatal(list, err)
	}
	if _, err := h.Withdraw(ctx, rita, v.ID, 0, "none", "oh"); !problemIs(err, Invalid) {
		t.Error(err)
	}
	if _, err := h.Withdraw(ctx, rita, v.ID, 0, list[0].ID, "It is a bank."); err != nil {
		t.Fatal(err)
	}
	if _, err := h.Withdraw(ctx, rita, v.ID, 0, list[0].ID, "twice"); !problemIs(err, Invalid) {
		t.Error(err)
	}
	h.pass(100 * time.Hour) // past the deadline, which runs no more
	if v = h.run(t, v.ID); v.State != order.StatePending || v.Phase != order.PhaseReview || v.Waiting == nil {
		t.Errorf("%s %s %v", v.State, v.Phase, causesIn(v))
	}
	h.pass(time.Hour)
	later := h.apply(t, h.who[RoleApplicant], dv(t, wordy))
	h.world(t, later, published(later))
	if later = h.run(t, later.ID); later.Phase != order.PhaseReview {
		t.Errorf("a later order: %s %s", later.State, later.Phase)
	}
}

// TestDeskEnds: an approval ends when the profile says so.
func TestDeskEnds(t *testing.T) {
	t.Parallel()
	h, ctx := newHouse(t), context.Background()
	v := h.toReview(t, wordy)
	rita := h.person(t, RoleReviewer, "rita")
	if _, err := h.Approve(ctx, rita, v.ID, 0, all(h.docket(t, rita, v.ID), "fine")); err != nil {
		t.Fatal(err)
	}
	h.run(t, v.ID)
	h.pass(398 * 24 * time.Hour)
	later := h.apply(t, h.who[RoleApplicant], dv(t, wordy))
	h.world(t, later, published(later))
	if later = h.run(t, later.ID); later.Phase != order.PhaseReview {
		t.Errorf("%s %s %v", later.State, later.Phase, causesIn(later))
	}
}

// TestDeskOrderOnly: where the reviewer says so, an approval counts for its order
// alone.
func TestDeskOrderOnly(t *testing.T) {
	t.Parallel()
	h, ctx := newHouse(t), context.Background()
	v := h.toReview(t, wordy)
	rita := h.person(t, RoleReviewer, "rita")
	a := all(h.docket(t, rita, v.ID), "this once")
	a.OrderOnly = true
	if _, err := h.Approve(ctx, rita, v.ID, 0, a); err != nil {
		t.Fatal(err)
	}
	if v = h.run(t, v.ID); v.State != order.StateReady {
		t.Fatal(v.State, causesIn(v))
	}
	h.pass(time.Hour)
	later := h.apply(t, h.who[RoleApplicant], dv(t, wordy))
	h.world(t, later, published(later))
	if later = h.run(t, later.ID); later.Phase != order.PhaseReview {
		t.Errorf("%s %s", later.State, later.Phase)
	}
}

// twoForWords is the profile cloud, with two who have to agree about words.
func twoForWords(t *testing.T) *profile.Profile {
	t.Helper()
	p, err := profile.Parse([]byte("name = \"cloud\"\ninherits = \"cloud\"\n[words]\nfour_eyes = true\n"))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// TestDeskFourEyes: where two have to agree, one does not suffice, and the same
// twice is one.
func TestDeskFourEyes(t *testing.T) {
	t.Parallel()
	h, ctx := newHouse(t), context.Background()
	prof := twoForWords(t)
	h.Profiles = func(string) (*profile.Profile, error) { return prof, nil }
	v := h.toReview(t, wordy)
	rita, rob := h.person(t, RoleReviewer, "rita"), h.person(t, RoleReviewer, "rob")
	d := h.docket(t, rita, v.ID)
	if !d.Matters[0].FourEyes || d.Matters[0].AgreedBy != "" {
		t.Fatalf("%+v", d.Matters)
	}
	if _, err := h.Approve(ctx, rita, v.ID, 0, all(d, "fine")); err != nil {
		t.Fatal(err)
	}
	if v = h.run(t, v.ID); v.State == order.StateReady {
		t.Fatal("one sufficed")
	}
	d = h.docket(t, rob, v.ID)
	if d.Matters[0].AgreedBy != "rita" || d.Item == nil {
		t.Fatalf("%+v", d)
	}
	if _, err := h.Approve(ctx, rita, v.ID, 0, all(d, "again")); !problemIs(err, Forbidden) {
		t.Errorf("the same twice: %v", err)
	}
	second := h.person(t, RoleReviewer, "Rita")
	if _, err := h.Approve(ctx, second, v.ID, 0, all(d, "again")); !problemIs(err, Forbidden) {
		t.Errorf("the same, otherwise written: %v", err)
	}
	if _, err := h.Approve(ctx, rob, v.ID, 0, all(d, "I think so too")); err != nil {
		t.Fatal(err)
	}
	if v = h.run(t, v.ID); v.State != order.StateReady {
		t.Fatalf("%s %v", v.State, causesIn(v))
	}
	if got := h.actions(t, v.ID); !slices.Contains(got, "review.agree") || !slices.Contains(got, "review.approve") {
		t.Errorf("%v", got)
	}
	i := slices.IndexFunc(v.Findings, func(f review.Finding) bool { return f.Approval != nil })
	if a := v.Findings[i].Approval; a.By != "rob" || a.AgreedBy != "rita" {
		t.Errorf("%+v", a)
	}
}

// TestDeskAtOnce: of two reviewers who decide at once one does, and the other is
// told so.
func TestDeskAtOnce(t *testing.T) {
	t.Parallel()
	h, ctx := newHouse(t), context.Background()
	v := h.toReview(t, wordy)
	people := []Principal{h.person(t, RoleReviewer, "rita"), h.person(t, RoleReviewer, "rob")}
	d := h.docket(t, people[0], v.ID)
	errs := make([]error, len(people))
	var group sync.WaitGroup
	for i, p := range people {
		group.Go(func() {
			if i == 0 {
				_, errs[i] = h.Approve(ctx, p, v.ID, v.Version, all(d, "yes"))
			} else {
				_, errs[i] = h.Refuse(ctx, p, v.ID, v.Version, Remark{cause.PolicySensitiveWordInside, "no"})
			}
		})
	}
	group.Wait()
	if (errs[0] == nil) == (errs[1] == nil) {
		t.Fatalf("%v", errs)
	}
	for _, err := range errs {
		if err != nil && !problemIs(err, Conflict) && !problemIs(err, WrongState) {
			t.Error(err)
		}
	}
	list, err := h.Store.Decisions(ctx, v.ID, 10)
	if err != nil || len(list) != 1 {
		t.Errorf("%+v %v", list, err)
	}
}

// TestDeskClaims: two reviewers do not collide; a claim ends by itself.
func TestDeskClaims(t *testing.T) {
	t.Parallel()
	h, ctx := newHouse(t), context.Background()
	v := h.toReview(t, wordy)
	rita, rob := h.person(t, RoleReviewer, "rita"), h.person(t, RoleReviewer, "rob")
	i, err := h.Claim(ctx, rita, v.ID)
	if err != nil || i.ClaimedBy != "rita" || i.ClaimedUntil.Sub(h.clock()) != 30*time.Minute {
		t.Fatalf("%+v %v", i, err)
	}
	for name, try := range map[string]func() error{
		"claim":   func() error { _, err := h.Claim(ctx, rob, v.ID); return err },
		"release": func() error { _, err := h.Release(ctx, rob, v.ID); return err },
		"ask": func() error {
			_, err := h.Ask(ctx, rob, v.ID, 0, Remark{cause.PolicySensitiveWordInside, "why?"})
			return err
		},
	} {
		if err := try(); !problemIs(err, Conflict) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if list, _, err := h.Queue(ctx, rita, QueueQuery{ClaimedBy: "rita"}); err != nil || len(list) != 1 {
		t.Errorf("%+v %v", list, err)
	}
	h.pass(30 * time.Minute)
	if i, err = h.Claim(ctx, rob, v.ID); err != nil || i.ClaimedBy != "rob" {
		t.Errorf("%+v %v", i, err)
	}
	if i, err = h.Release(ctx, rob, v.ID); err != nil || i.ClaimedBy != "" {
		t.Errorf("%+v %v", i, err)
	}
	if v := h.read(t, v.ID); v.Version != 3 {
		t.Errorf("a claim changed the order: version %d", v.Version)
	}
	if _, err := h.Claim(ctx, h.person(t, RoleReviewer, "shop"), v.ID); !problemIs(err, Forbidden) {
		t.Errorf("whoever ordered: %v", err)
	}
}

// TestDeskAsk: a reviewer asks, the clock of the review stops, the applicant
// answers, it goes on.
func TestDeskAsk(t *testing.T) {
	t.Parallel()
	h, ctx := newHouse(t), context.Background()
	v := h.toReview(t, wordy)
	rita := h.person(t, RoleReviewer, "rita")
	due := *v.Waiting.Due
	if _, err := h.Answer(ctx, h.who[RoleApplicant], v.ID, 0, "What?"); !problemIs(err, WrongState) {
		t.Errorf("nobody asked: %v", err)
	}
	h.pass(time.Hour)
	if _, err := h.Ask(ctx, rita, v.ID, 0, Remark{"no.such-cause", "?"}); !problemIs(err, Invalid) {
		t.Error(err)
	}
	asked, err := h.Ask(ctx, rita, v.ID, 0, Remark{cause.PolicySensitiveWordInside, "Are you a bank?"})
	if err != nil {
		t.Fatal(err)
	}
	w := asked.Waiting
	if w == nil || w.For != "applicant" || w.Question == nil || w.Question.Note != "Are you a bank?" || w.Question.By != "" {
		t.Fatalf("%+v", w)
	}
	if items, _, err := h.Queue(ctx, rita, QueueQuery{State: "asked"}); err != nil || len(items) != 1 {
		t.Errorf("%+v %v", items, err)
	}
	if _, err := h.Urge(ctx, h.who[RoleApplicant], v.ID, 0); !problemIs(err, WrongState) {
		t.Errorf("it waits for him: %v", err)
	}
	h.pass(48 * time.Hour)
	if n, err := h.late(ctx); err != nil || n != 0 {
		t.Errorf("%d %v", n, err)
	}
	h.run(t, v.ID)
	answered, err := h.Answer(ctx, h.who[RoleApplicant], v.ID, 0, "No: a river bank.")
	if err != nil {
		t.Fatal(err)
	}
	if w := answered.Waiting; w == nil || w.For != "reviewer" || !w.Due.Equal(due.Add(48*time.Hour)) {
		t.Errorf("%+v, was %v", w, due)
	}
	d := h.docket(t, rita, v.ID)
	if len(d.Decisions) != 2 || d.Decisions[0].Kind != "answer" || d.Decisions[0].By != "shop" || d.Decisions[1].By != "rita" {
		t.Errorf("%+v", d.Decisions)
	}
	list, err := h.Decisions(ctx, h.who[RoleApplicant], v.ID)
	if err != nil || len(list) != 2 || list[1].By != "" {
		t.Errorf("who asked is shown to who ordered: %+v %v", list, err)
	}
}

// TestDeskRefuse: a reviewer refuses with a reason, which the applicant reads.
func TestDeskRefuse(t *testing.T) {
	t.Parallel()
	h, ctx := newHouse(t), context.Background()
	v := h.toReview(t, wordy)
	rita := h.person(t, RoleReviewer, "rita")
	v, err := h.Refuse(ctx, rita, v.ID, 0, Remark{cause.PolicySensitiveWordInside, "Show that you are one."})
	if err != nil {
		t.Fatal(err)
	}
	if v.State != order.StateFailed || v.Reason != order.FailReviewer || v.EndedAt == nil || v.Refusal == nil || v.Refusal.Note != "Show that you are one." {
		t.Fatalf("%s %s %+v", v.State, v.Reason, v.Refusal)
	}
	if v = h.read(t, v.ID); v.Refusal == nil || v.Refusal.Cause != string(cause.PolicySensitiveWordInside) {
		t.Errorf("%+v", v.Refusal)
	}
	if due := h.due(t, v.ID); len(due) != 0 {
		t.Errorf("%v", due)
	}
	if items, _, err := h.Queue(ctx, rita, QueueQuery{}); err != nil || len(items) != 0 {
		t.Errorf("%+v %v", items, err)
	}
	if v, err = h.Resubmit(ctx, h.who[RoleApplicant], v.ID, 0, nil); err != nil || v.Refusal != nil || v.Reason != "" {
		t.Errorf("%+v %v", v, err)
	}
}

// TestDeskUrge: from the end of the service level on, once a day; and reviewers
// hear of what is late by themselves.
func TestDeskUrge(t *testing.T) {
	t.Parallel()
	h, ctx := newHouse(t), context.Background()
	v := h.toReview(t, wordy)
	shop, rita := h.who[RoleApplicant], h.person(t, RoleReviewer, "rita")
	h.pass(24*time.Hour - time.Microsecond)
	_, err := h.Urge(ctx, shop, v.ID, 0)
	if !problemIs(err, TooMany) {
		t.Fatal(err)
	}
	if n, err := h.late(ctx); err != nil || n != 0 {
		t.Errorf("%d %v", n, err)
	}
	h.pass(time.Microsecond)
	for range 2 {
		if _, err := h.late(ctx); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := h.Urge(ctx, shop, v.ID, 0); err != nil {
		t.Fatal(err)
	}
	if _, err := h.Urge(ctx, shop, v.ID, 0); !problemIs(err, TooMany) {
		t.Errorf("twice: %v", err)
	}
	h.pass(24 * time.Hour)
	if _, err := h.Urge(ctx, shop, v.ID, 0); err != nil {
		t.Error(err)
	}
	if n, err := h.late(ctx); err != nil || n != 1 {
		t.Errorf("a day later: %d %v", n, err)
	}
	count := map[string]int{}
	for _, a := range h.actions(t, v.ID) {
		count[a]++
	}
	if count["review.late"] != 2 || count["review.urge"] != 2 {
		t.Errorf("%v", count)
	}
	if _, err := h.Urge(ctx, rita, v.ID, 0); !problemIs(err, Forbidden) {
		t.Error(err)
	}
	if item, err := h.Store.DeskItem(ctx, "", v.ID); err != nil || item.State != store.DeskOpen {
		t.Errorf("%+v %v", item, err)
	}
}

// TestDeskEV: for an EV order two reviewers have to agree, and who gathered what it
// rests on is not the one who approves last.
func TestDeskEV(t *testing.T) {
	t.Parallel()
	o, ctx, see := newOffice(t), t.Context(), must[*View](t)
	organization, contact := o.ev(t)
	v := o.apply(t, o.owner, identity(t, order.EV, organization, contact, wordy))
	see(o.UploadLetter(ctx, o.owner, v.ID, pdfLetter))
	letters := must[[]LetterView](t)(o.Letters(ctx, o.first, v.ID))
	see(o.DecideLetter(ctx, o.first, v.ID, letters[0].ID, DecisionRequest{Accept: true}))
	see(o.AddCall(ctx, o.first, v.ID, CallRequest{Number: "+86 755 8601 3388", Source: "114", Result: "confirmed"}))
	o.world(t, v, published(v))
	if v = o.run(t, v.ID); v.Phase != order.PhaseReview {
		t.Fatalf("%s %s %v", v.State, v.Phase, v.Findings)
	}
	docket := o.docket(t, o.first, v.ID)
	see(o.Approve(ctx, o.second, v.ID, 0, all(docket, "fine")))
	if v = o.run(t, v.ID); v.State == order.StateReady {
		t.Fatal("one sufficed")
	}
	docket = o.docket(t, o.first, v.ID)
	if _, err := o.Approve(ctx, o.first, v.ID, 0, all(docket, "me too")); !problemIs(err, Forbidden) {
		t.Errorf("who gathered the evidence approved last: %v", err)
	}
	third := o.reviewer(t, "cora")
	see(o.Approve(ctx, third, v.ID, 0, all(docket, "fine, too")))
	if v = o.run(t, v.ID); v.State != order.StateReady {
		t.Errorf("%s %s %v", v.State, v.Phase, causesIn(v))
	}
}

// ev are dossiers of an organization as EV asks for, which two reviewers approved.
func (o *office) ev(t *testing.T) (organization, contact string) {
	t.Helper()
	ctx, d := t.Context(), must[*DossierView](t)
	org := d(o.NewDossier(ctx, o.owner, DossierRequest{Kind: "organization", Organization: evOrchard()}))
	con := d(o.NewDossier(ctx, o.owner, DossierRequest{Kind: "contact", Parent: org.ID, Contact: mei()}))
	d(o.SubmitDossier(ctx, o.owner, org.ID, 0))
	d(o.SubmitDossier(ctx, o.owner, con.ID, 0))
	for _, c := range append(claimsOf(evOrchard()),

		ClaimRequest{Item: "operational-existence", Value: "since 2009", Source: "gsxt.gov.cn", Class: "QGIS"},
		ClaimRequest{Item: "number", Value: "91440300MA5FG8H23Q", Source: "gsxt.gov.cn", Class: "QGIS"}) {
		if _, err := o.AddClaim(ctx, o.first, org.ID, c); err != nil {
			t.Fatal(c.Item, err)
		}
	}
	for _, item := range []string{"signer", "approver"} {
		d(o.AddClaim(ctx, o.first, con.ID, ClaimRequest{Item: "authority", Value: item, Source: "letter of the board", Class: "letter"}))
	}
	for _, who := range []Principal{o.first, o.second} {
		o.pass(time.Minute)
		d(o.approveDossier(ctx, who, org.ID))
		d(o.approveDossier(ctx, who, con.ID))
	}
	return org.ID, con.ID
}

func evOrchard() *order.Organization {
	o := orchard()
	o.BusinessCategory, o.JurisdictionCountry, o.RegistrationNumber = "Private Organization", "CN", "91440300MA5FG8H23Q"
	return o
}

// TestDeskGathered: it is who found what counts that does not approve an EV order
// last, whoever approved its dossiers first.
func TestDeskGathered(t *testing.T) {
	t.Parallel()
	o, ctx, see := newOffice(t), t.Context(), must[*View](t)
	organization, contact := o.ev(t) // found by the first, approved by both
	third := o.reviewer(t, "cora")
	v := o.apply(t, o.owner, identity(t, order.EV, organization, contact, wordy))
	see(o.UploadLetter(ctx, o.owner, v.ID, pdfLetter))
	letters := must[[]LetterView](t)(o.Letters(ctx, o.first, v.ID))
	see(o.DecideLetter(ctx, third, v.ID, letters[0].ID, DecisionRequest{Accept: true}))
	see(o.AddCall(ctx, o.second, v.ID, CallRequest{Number: "+86 755 8601 3388", Source: "114", Result: "confirmed"}))
	o.world(t, v, published(v))
	if v = o.run(t, v.ID); v.Phase != order.PhaseReview {
		t.Fatalf("%s %v", v.Phase, v.Findings)
	}
	docket := o.docket(t, o.first, v.ID)
	see(o.Approve(ctx, o.reviewer(t, "dora"), v.ID, 0, all(docket, "fine")))
	v = o.run(t, v.ID)
	for _, who := range []Principal{o.first, o.second, third} { // claims, a call, the letter
		if _, err := o.Approve(ctx, who, v.ID, 0, all(o.docket(t, who, v.ID), "fine")); !problemIs(err, Forbidden) {
			t.Errorf("%s: %v", who.Account, err)
		}
	}
}

// TestRequesterVerifies: what somebody found does not count for an order that the
// same one made for another account, and is refused there at once.
func TestRequesterVerifies(t *testing.T) {
	t.Parallel()
	o, ctx, d, see := newOffice(t), t.Context(), must[*DossierView](t), must[*View](t)
	boss := o.person(t, RoleAdministrator, "boss")
	organization, contact := o.filed(t)
	for _, c := range claimsOf(orchard()) {
		d(o.AddClaim(ctx, boss, organization, c)) // nothing was ordered yet
	}
	d(o.approveDossier(ctx, boss, organization))
	d(o.approveDossier(ctx, boss, contact))
	in := identity(t, order.OV, organization, contact, "orchard.net")
	in.Order.Account = "shop"
	v := o.apply(t, boss, in)
	see(o.UploadLetter(ctx, o.owner, v.ID, pdfLetter))
	letters := must[[]LetterView](t)(o.Letters(ctx, o.first, v.ID))
	if _, err := o.DecideLetter(ctx, boss, v.ID, letters[0].ID, DecisionRequest{Accept: true}); !problemIs(err, WrongState) {
		t.Errorf("the letter: %v", err)
	}
	if _, err := o.AddCall(ctx, boss, v.ID, CallRequest{Number: "+86 755 8601 3388", Source: "114", Result: "confirmed"}); !problemIs(err, WrongState) {
		t.Errorf("the call: %v", err)
	}
	if _, err := o.AddOrderClaim(ctx, boss, v.ID, claimsOf(orchard())[0]); !problemIs(err, WrongState) {
		t.Errorf("a claim: %v", err)
	}
	see(o.DecideLetter(ctx, o.first, v.ID, letters[0].ID, DecisionRequest{Accept: true}))
	see(o.AddCall(ctx, o.first, v.ID, CallRequest{Number: "+86 755 8601 3388", Source: "114", Result: "confirmed"}))
	o.world(t, v, lab.Change{})
	if v = o.run(t, v.ID); v.State == order.StateReady || !slices.Contains(causesIn(v), cause.OrganizationNotVerifiable) ||
		!slices.Contains(causesIn(v), cause.OrganizationRequesterNotAuthorized) {
		t.Errorf("%s %v", v.State, causesIn(v))
	}
	// An order of somebody else with the same dossiers needs nobody.
	next := o.apply(t, o.owner, identity(t, order.OV, organization, contact, "orchard.net"))
	o.world(t, next, lab.Change{})
	if next = o.run(t, next.ID); next.State != order.StateReady {
		t.Errorf("%s %v", next.State, causesIn(next))
	}
	// Whoever filled in a dossier does not verify it.
	own := d(o.NewDossier(ctx, boss, DossierRequest{Kind: "organization", Account: "shop", Organization: orchard()}))
	d(o.SubmitDossier(ctx, o.owner, own.ID, 0))
	if _, err := o.AddClaim(ctx, boss, own.ID, claimsOf(orchard())[0]); !problemIs(err, WrongState) {
		t.Errorf("who made the dossier: %v", err)
	}
}

// TestDeskWords: an approval of a word in one name does not let another word pass
// under the same domain; where it is withdrawn, later orders that were ready by it
// are judged again.
func TestDeskWords(t *testing.T) {
	t.Parallel()
	h, ctx := newHouse(t), context.Background()
	v := h.toReview(t, wordy)
	rita := h.person(t, RoleReviewer, "rita")
	if _, err := h.Approve(ctx, rita, v.ID, 0, all(h.docket(t, rita, v.ID), "fine")); err != nil {
		t.Fatal(err)
	}
	h.run(t, v.ID)
	h.pass(time.Hour)
	same := h.apply(t, h.who[RoleApplicant], dv(t, "zzbankzz.orchard.net"))
	h.world(t, same, published(same))
	if same = h.run(t, same.ID); same.State != order.StateReady {
		t.Fatalf("the same word: %s %v", same.State, causesIn(same))
	}
	other := h.apply(t, h.who[RoleApplicant], dv(t, "qqpayqq.orchard.net"))
	h.world(t, other, published(other))
	if other = h.run(t, other.ID); other.Phase != order.PhaseReview {
		t.Errorf("another word: %s %s %v", other.State, other.Phase, causesIn(other))
	}
	list, err := h.Decisions(ctx, rita, v.ID)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := h.Withdraw(ctx, h.person(t, RoleReviewer, "shop"), v.ID, 0, list[0].ID, "mine"); !problemIs(err, Forbidden) {
		t.Errorf("whoever ordered withdrew: %v", err)
	}
	if _, err := h.Withdraw(ctx, rita, v.ID, 0, list[0].ID, "It is a bank."); err != nil {
		t.Fatal(err)
	}
	if same = h.run(t, same.ID); same.State != order.StatePending || same.Phase != order.PhaseReview {
		t.Errorf("a later order stays %s %s", same.State, same.Phase)
	}
}

// deskUses are the use cases of the review queue. The order that is tried waits
// for nobody.
func deskUses() []use {
	return []use{
		{"Queue", MayReadQueue, "", func(ctx context.Context, s *Service, p Principal, id string) error {
			items, _, err := s.Queue(ctx, p, QueueQuery{Limit: 200})
			return shows(err, p, slices.ContainsFunc(items, func(i QueueItem) bool { return i.Order == id }))
		}},
		{"Docket", MayReadQueue, NotFound, func(ctx context.Context, s *Service, p Principal, id string) error {
			_, err := s.Docket(ctx, p, id)
			return err
		}},
		{"Decisions", MayReadOrders, NotFound, func(ctx context.Context, s *Service, p Principal, id string) error {
			_, err := s.Decisions(ctx, p, id)
			return err
		}},
		{"Claim", MayDecide, NotFound, func(ctx context.Context, s *Service, p Principal, id string) error {
			_, err := s.Claim(ctx, p, id)
			return err
		}},
		{"Release", MayDecide, NotFound, func(ctx context.Context, s *Service, p Principal, id string) error {
			_, err := s.Release(ctx, p, id)
			return err
		}},
		{"Approve", MayDecide, NotFound, func(ctx context.Context, s *Service, p Principal, id string) error {
			_, err := s.Approve(ctx, p, id, 0, ApprovalRequest{Review: 1, Findings: []string{"x"}, Note: "why"})
			return err
		}},
		{"Refuse", MayDecide, NotFound, func(ctx context.Context, s *Service, p Principal, id string) error {
			_, err := s.Refuse(ctx, p, id, 0, Remark{cause.PolicySensitiveWord, "why"})
			return err
		}},
		{"Ask", MayDecide, NotFound, func(ctx context.Context, s *Service, p Principal, id string) error {
			_, err := s.Ask(ctx, p, id, 0, Remark{cause.PolicySensitiveWord, "why"})
			return err
		}},
		{"Withdraw", MayDecide, NotFound, func(ctx context.Context, s *Service, p Principal, id string) error {
			_, err := s.Withdraw(ctx, p, id, 0, "none", "why")
			if problemIs(err, Invalid) {
				return nil // it may, and there is nothing to withdraw
			}
			return err
		}},
		{"Answer", MayWriteOrders, NotFound, func(ctx context.Context, s *Service, p Principal, id string) error {
			_, err := s.Answer(ctx, p, id, 0, "so")
			return err
		}},
		{"Urge", MayWriteOrders, NotFound, func(ctx context.Context, s *Service, p Principal, id string) error {
			_, err := s.Urge(ctx, p, id, 0)
			return err
		}},
	}
}
