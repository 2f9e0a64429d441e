package rest

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"assay/cause"
	"assay/internal/service"
	"assay/order"
)

// QueueList is a page of the review queue: what is due first comes first.
type QueueList struct {
	Items []service.QueueItem `json:"items"`
	// Next is the cursor of the next page; absent: this is the last one.
	Next string `json:"next,omitempty"`
}

// DecisionList are the newest decisions about an order, newest first.
type DecisionList struct {
	Items []service.DecisionView `json:"items"`
}

// A WithdrawalBody takes an approval back.
type WithdrawalBody struct {
	// Decision is the id of the approval.
	Decision string `json:"decision"`
	// Note is why.
	Note string `json:"note"`
}

// A NoteBody is an answer to a reviewer's question.
type NoteBody struct {
	Note string `json:"note"`
}

func deskOperations() []*Operation {
	post := func(word, id, summary, description string) huma.Operation {
		return route(http.MethodPost, "/orders/{id}/"+word, id, "queue", summary, description, orderParam(), keyParam(), ifMatchParam())
	}
	list := route(http.MethodGet, "/review-queue", "list-queue", "queue", "List the review queue", "Orders that wait for a person; what is due first comes first.",
		wordParam("state", "open: a reviewer has to decide (also where it is left out); asked: its applicant has to answer; closed: nothing waits.", "open", "open", "asked", "closed"),
		wordParam("product", "Only orders of this product.", "ov", "dv", "ov", "ev"),
		queryParam("account", "Only orders of this account.", "shop"),
		queryParam("claimed_by", "Only orders that this account works on.", "rita"), cursorParam(), limitParam())
	docket := route(http.MethodGet, "/orders/{id}/docket", "show-docket", "queue", "Show an order to a reviewer",
		"The order with the findings that a person has to decide, what an approval of each would count for, whether two have to agree, and what was decided before.", orderParam())
	decisions := route(http.MethodGet, "/orders/{id}/decisions", "list-decisions", "queue", "List decisions about an order",
		"What people decided, asked and answered, newest first. Who reviews is not shown to applicants.", orderParam())
	item := ok("Its place in the queue.", service.QueueItem{}, exampleQueueItem())
	body := func(of any, description string) *Body { return &Body{Type: of, Description: description, Example: of} }
	problems := append(actionProblems(), kindKeyReused)
	bodied := append(actionProblems(), kindKeyReused, kindTooLarge, kindMediaType)
	remark := service.Remark{Cause: cause.PolicySensitiveWord, Note: "Please show that the name is licensed."}
	approval := service.ApprovalRequest{Review: 2, Findings: []string{"policy.sensitive-word@bank.orchard.net"}, Note: "The bank of a river; the register of names shows it."}
	return []*Operation{
		{
			Operation: list, Answers: ok("A page of the queue.", QueueList{}, QueueList{Items: []service.QueueItem{exampleQueueItem()}}),
			Problems: []service.Kind{service.Invalid, service.Forbidden}, run: runQueue,
		},
		{
			Operation: docket, Answers: ok("The order and what is to be decided.", service.Docket{}, exampleDocket()),
			Problems: []service.Kind{service.Invalid, service.Forbidden, service.NotFound}, run: runDocket,
		},
		{
			Operation: decisions, Answers: ok("The decisions.", DecisionList{}, DecisionList{Items: []service.DecisionView{exampleDecision()}}),
			Problems: []service.Kind{service.Invalid, service.Forbidden, service.NotFound}, run: runDecisions,
		},
		{
			Operation: route(http.MethodPost, "/orders/{id}/claim", "claim-order", "queue", "Claim an order",
				"Says that you work on it: for as long as the profile says nobody else decides about it. Claimed again it lasts longer.", orderParam(), keyParam()),
			Answers: item, Problems: problems, run: runHold(Desk.Claim),
		},
		{
			Operation: route(http.MethodPost, "/orders/{id}/release", "release-order", "queue", "Release an order", "Ends your claim.", orderParam(), keyParam()),
			Answers:   item, Problems: problems, run: runHold(Desk.Release),
		},
		{
			Operation: post("approve", "approve-order", "Approve findings",
				"Findings of level review count as information from now on, and the order is judged again at once. Nothing of another level can be approved, and only what was looked at: where the newest review says otherwise the answer is a conflict. Where two have to agree, the first does so, and another person approves. Whoever ordered does not decide."),
			Body: body(approval, "What is approved, and why."), Answers: orderAnswer("The order as it is now."), Problems: bodied, run: runApprove,
		},
		{
			Operation: post("refuse", "refuse-order", "Refuse an order", "It fails; its applicant reads the cause and the note."),
			Body:      body(remark, "Why."), Answers: orderAnswer("The order as it is now."), Problems: bodied, run: runRemark(Desk.Refuse),
		},
		{
			Operation: post("ask", "ask-order", "Ask the applicant", "The clock of the review stops until there is an answer."),
			Body:      body(remark, "What is asked."), Answers: orderAnswer("The order as it is now."), Problems: bodied, run: runRemark(Desk.Ask),
		},
		{
			Operation: post("withdraw", "withdraw-approval", "Withdraw an approval", "It counts no more, for this order and for later ones. An order that was ready by it is judged again."),
			Body:      body(WithdrawalBody{Decision: "0006445dba2f0000a1b2c3d4e5f6", Note: "It is a bank after all."}, "Which, and why."),
			Answers:   orderAnswer("The order as it is now."), Problems: bodied, run: runWithdraw,
		},
		{
			Operation: post("answer", "answer-order", "Answer the reviewer", "The clock of the review goes on with what was left of it."),
			Body:      body(NoteBody{Note: "We are a garden at a river bank."}, "The answer."), Answers: orderAnswer("The order as it is now."), Problems: bodied, run: runAnswer,
		},
		{
			Operation: post("remind", "remind-order", "Urge the reviewer", "Reviewers are told that you wait: from when on the service level has ended, and once a day. Sooner the answer says from when on."),
			Answers:   orderAnswer("The order as it is now."), Problems: append(problems, service.TooMany), run: runUrge,
		},
	}
}

func runQueue(c *call) (*answer, error) {
	items, next, err := c.s.Service.Queue(c.ctx(), c.p, service.QueueQuery{
		State: c.text("state"), Product: order.Product(c.text("product")), Account: c.text("account"), ClaimedBy: c.text("claimed_by"),
		Cursor: c.text("cursor"), Limit: c.number("limit"),
	})
	if err != nil {
		return nil, err
	}
	return &answer{status: http.StatusOK, value: QueueList{Items: listed(items), Next: next}}, nil
}

func runDocket(c *call) (*answer, error) {
	d, err := c.s.Service.Docket(c.ctx(), c.p, c.id())
	if err != nil {
		return nil, err
	}
	shown, v := *d, *d.Order
	v.Findings = localized(v.Findings, c.words.Lang())
	shown.Order = &v
	return &answer{status: http.StatusOK, value: &shown}, nil
}

func runDecisions(c *call) (*answer, error) {
	items, err := c.s.Service.Decisions(c.ctx(), c.p, c.id())
	if err != nil {
		return nil, err
	}
	return &answer{status: http.StatusOK, value: DecisionList{Items: listed(items)}}, nil
}

func runHold(do func(s Desk, ctx context.Context, p service.Principal, id string) (service.QueueItem, error)) func(*call) (*answer, error) {
	return func(c *call) (*answer, error) {
		return once(c, func(ctx context.Context) (service.QueueItem, error) {
			return do(c.s.Service, ctx, c.p, c.id())
		}, shown[service.QueueItem](http.StatusOK))
	}
}

// onOrder reads a body and does something to the order with it.
func onOrder[B any](do func(c *call, ctx context.Context, version int64, in B) (*service.View, error)) func(*call) (*answer, error) {
	return func(c *call) (*answer, error) {
		version, err := c.ifMatch()
		if err != nil {
			return nil, err
		}
		var in B
		if err := c.decode(&in); err != nil {
			return nil, err
		}
		return once(c, func(ctx context.Context) (*service.View, error) {
			return do(c, ctx, version, in)
		}, c.showOrder(http.StatusOK))
	}
}

func runApprove(c *call) (*answer, error) {
	return onOrder(func(c *call, ctx context.Context, version int64, in service.ApprovalRequest) (*service.View, error) {
		return c.s.Service.Approve(ctx, c.p, c.id(), version, in)
	})(c)
}

func runRemark(do func(s Desk, ctx context.Context, p service.Principal, id string, version int64, in service.Remark) (*service.View, error)) func(*call) (*answer, error) {
	return onOrder(func(c *call, ctx context.Context, version int64, in service.Remark) (*service.View, error) {
		return do(c.s.Service, ctx, c.p, c.id(), version, in)
	})
}

func runWithdraw(c *call) (*answer, error) {
	return onOrder(func(c *call, ctx context.Context, version int64, in WithdrawalBody) (*service.View, error) {
		return c.s.Service.Withdraw(ctx, c.p, c.id(), version, in.Decision, in.Note)
	})(c)
}

func runUrge(c *call) (*answer, error) {
	version, err := c.ifMatch()
	if err != nil {
		return nil, err
	}
	return once(c, func(ctx context.Context) (*service.View, error) {
		return c.s.Service.Urge(ctx, c.p, c.id(), version)
	}, c.showOrder(http.StatusOK))
}

func runAnswer(c *call) (*answer, error) {
	return onOrder(func(c *call, ctx context.Context, version int64, in NoteBody) (*service.View, error) {
		return c.s.Service.Answer(ctx, c.p, c.id(), version, in.Note)
	})(c)
}
