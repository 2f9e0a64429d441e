package rest

import (
	"context"
	"net/http"

	"assay/internal/service"
)

// action is a use case that does something to an order.
type action func(s Orders, ctx context.Context, p service.Principal, id string, version int64) (*service.View, error)

func actionOperations() []*Operation {
	post := func(word, summary, description string, do action) *Operation {
		return &Operation{
			Operation: route(http.MethodPost, "/orders/{id}/"+word, word+"-order", "orders", summary, description, orderParam(), keyParam(), ifMatchParam()),
			Answers:   orderAnswer("The order as it is now."),
			Problems:  append(actionProblems(), kindKeyReused),
			run:       runAction(do),
		}
	}
	resubmit := post("resubmit", "Submit an order again",
		"An order that failed or was cancelled starts anew with the same number and, unless they expired or the names changed, the same values. A body changes what was asked for.", nil)
	resubmit.Body = &Body{Type: ApplicationBody{}, Description: "What changes; left out: nothing.", Optional: true, Example: exampleApplication()}
	resubmit.Problems = append(resubmit.Problems, service.Refused, kindTooLarge, kindMediaType)
	resubmit.run = runResubmit
	submit := post("submit", "Submit a draft", "The draft is reviewed; where that refuses it, it stays a draft.", Orders.Submit)
	submit.Problems = append(submit.Problems, service.Refused)
	return []*Operation{
		submit,
		post("verify", "Check now", "The order is looked at at once. Sooner than the profile allows nothing is looked at: the order then has the finding limit.checked-too-often with the time from which it can be.", Orders.Verify),
		post("cancel", "Cancel an order", "Nothing is looked at any more; the order ends. Where another CA may be issuing for it, it stays in the state cancelling until that CA has answered; what it issued is revoked.", Orders.Cancel),
		post("resume", "Resume checks", "Checks that were paused, because they kept finding the same, go on.", Orders.Resume),
		resubmit,
		post("erase", "Erase personal data", "The organization, the people and what was seen are removed from an order that ended, and from the database beyond recovery; backups made before have them still, and so has a log that PostgreSQL keeps. The audit chain stays whole.", Orders.Erase),
	}
}

// actionProblems are the problems of whatever is done to an order.
func actionProblems() []service.Kind {
	return []service.Kind{service.Invalid, service.Forbidden, service.NotFound, service.Conflict, service.WrongState, kindPrecondition}
}

func runAction(do action) func(*call) (*answer, error) {
	return func(c *call) (*answer, error) {
		version, err := c.ifMatch()
		if err != nil {
			return nil, err
		}
		return once(c, func(ctx context.Context) (*service.View, error) {
			return do(c.s.Service, ctx, c.p, c.id(), version)
		}, c.showOrder(http.StatusOK))
	}
}

func runResubmit(c *call) (*answer, error) {
	version, err := c.ifMatch()
	if err != nil {
		return nil, err
	}
	var in *service.Application
	if len(c.body) > 0 {
		if in, err = c.application(); err != nil {
			return nil, err
		}
	}
	return once(c, func(ctx context.Context) (*service.View, error) {
		return c.s.Service.Resubmit(ctx, c.p, c.id(), version, in)
	}, c.showOrder(http.StatusOK))
}
