package rest

import (
	"net/http"
	"strconv"

	"github.com/danielgtaylor/huma/v2"

	"assay/internal/message"
	"assay/internal/service"
)

// ReviewList is a page of the reviews of an order, newest first, without reports.
type ReviewList struct {
	Items []service.ReviewView `json:"items"`
	// Next is the cursor of the next page; absent: this is the last one.
	Next string `json:"next,omitempty"`
}

// AttemptList is the attempts to issue the certificate of an order, oldest first; of
// many the newest.
type AttemptList struct {
	Items []service.AttemptView `json:"items"`
}

// EventList is what happened to an order after a version, oldest first.
type EventList struct {
	Items []service.Event `json:"items"`
	// Version is what to ask from next.
	Version int64 `json:"version"`
}

func reviewOperations() []*Operation {
	reviews := route(http.MethodGet, "/orders/{id}/reviews", "list-reviews", "reviews", "List the reviews of an order",
		"Newest first. Checks that saw the same are one review.", orderParam(),
		numberParam("cursor", "Where the page before ended: `next` of its answer.", 12, 1, 1<<31-1), limitParam())
	count := pathParam("number", "The number of the review.", "3")
	count.Schema = &huma.Schema{Type: "integer", Minimum: float(1), Maximum: float(1<<31 - 1)}
	count.Example = 3
	review := route(http.MethodGet, "/orders/{id}/reviews/{number}", "show-review", "reviews", "Show a review",
		"With the whole report, which `assay replay` can judge again, and what changed in the evidence since the review before.", orderParam(), count)
	attempts := route(http.MethodGet, "/orders/{id}/attempts", "list-attempts", "reviews", "List the attempts to issue an order's certificate",
		"Each time that an order that passed was to get its certificate, at which CA, and what became of it.", orderParam())
	events := route(http.MethodGet, "/orders/{id}/events", "follow-order", "reviews", "Follow an order",
		"What happened after a version. With wait the answer comes when something did, or when the time is over. With `Accept: text/event-stream` it is a stream of server-sent events, one for each change, whose id is the version; it goes on until either side ends it.",
		orderParam(), numberParam("after", "The version that is known; 0: none.", 4, 0, 1<<53),
		numberParam("wait", "How many seconds to wait where nothing is new.", 30, 0, maxWait),
		headerParam("Last-Event-ID", "Of a stream: the version of the last event that arrived.", "4"))
	list := ReviewList{Items: []service.ReviewView{exampleReview(false)}}
	return []*Operation{
		{
			Operation: reviews, Answers: ok("A page of reviews.", ReviewList{}, list),
			Problems: []service.Kind{service.Invalid, service.Forbidden, service.NotFound}, run: runReviews,
		},
		{
			Operation: review, Answers: ok("The review.", service.ReviewView{}, exampleReview(true)),
			Problems: []service.Kind{service.Invalid, service.Forbidden, service.NotFound}, run: runReview,
		},
		{
			Operation: attempts, Answers: ok("The attempts.", AttemptList{}, AttemptList{Items: []service.AttemptView{exampleAttempt()}}),
			Problems: []service.Kind{service.Invalid, service.Forbidden, service.NotFound}, run: runAttempts,
		},
		{
			Operation: events, Answers: []Answer{
				{Status: http.StatusOK, Description: "What happened.", Type: EventList{}, Example: EventList{Items: []service.Event{exampleEvent()}, Version: 5}},
				{Status: http.StatusOK, Description: "What happened.", ContentType: "text/event-stream", Example: "id: 5\nevent: order.check\ndata: {\"version\":5}\n\n"},
			},
			Problems: []service.Kind{service.Invalid, service.Forbidden, service.NotFound}, run: runEvents,
		},
	}
}

func float(f float64) *float64 { return &f }

func runReviews(c *call) (*answer, error) {
	limit := orDefault(c.number("limit"), 50)
	items, err := c.s.Service.Reviews(c.ctx(), c.p, c.id(), c.number("cursor"), limit)
	if err != nil {
		return nil, err
	}
	list := ReviewList{Items: listed(items)}
	if len(items) == limit && items[limit-1].Number > 1 {
		list.Next = strconv.Itoa(items[limit-1].Number)
	}
	return &answer{status: http.StatusOK, value: list}, nil
}

func runAttempts(c *call) (*answer, error) {
	items, err := c.s.Service.Attempts(c.ctx(), c.p, c.id())
	if err != nil {
		return nil, err
	}
	for i := range items {
		if f := items[i].Findings; len(f) > 0 {
			items[i].Findings = localized(f, c.words.Lang())
		}
	}
	return &answer{status: http.StatusOK, value: AttemptList{Items: listed(items)}}, nil
}

func orDefault(n, otherwise int) int {
	if n == 0 {
		return otherwise
	}
	return n
}

func runReview(c *call) (*answer, error) {
	number, err := strconv.Atoi(c.r.PathValue("number"))
	if err != nil {
		return nil, invalid("rest.parameter", "Name", "number", "Why", message.ID("rest.why.number"))
	}
	v, err := c.s.Service.Review(c.ctx(), c.p, c.id(), number)
	if err != nil {
		return nil, err
	}
	if v.Report != nil {
		shown, report := *v, *v.Report
		report.Findings = localized(report.Findings, c.words.Lang())
		report.Lang = c.words.Lang()
		shown.Report = &report
		v = &shown
	}
	return &answer{status: http.StatusOK, value: v}, nil
}
