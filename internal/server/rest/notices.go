package rest

import (
	"cmp"
	"context"
	"net/http"

	"assay/cause"
	"assay/internal/notify"
	"assay/internal/service"
	"assay/internal/store"
)

// ChannelList is a page of channels, by id.
type ChannelList struct {
	Items []service.ChannelView `json:"items"`
	// Next is the cursor of the next page; absent: this is the last one.
	Next string `json:"next,omitempty"`
}

// NoticeList is a page of notices, newest first.
type NoticeList struct {
	Items []service.NoticeView `json:"items"`
	// Next is the cursor of the next page; absent: this is the last one.
	Next string `json:"next,omitempty"`
}

// channelOperations are about where notices go.
func channelOperations() []*Operation {
	id := pathParam("id", "The id of the channel.", exampleChannel("").ID)
	op := func(method, path, id, summary, description string, answers []Answer, run func(*call) (*answer, error), problems ...service.Kind) *Operation {
		return &Operation{
			Operation: route(method, path, id, "notices", summary, description),
			Answers:   answers, Problems: append([]service.Kind{service.Invalid, service.Forbidden}, problems...), run: run,
		}
	}
	one := ok("The channel.", service.ChannelView{}, exampleChannel(""))
	list := op(http.MethodGet, "/channels", "list-channels", "List channels",
		"By id. To an applicant those that speak to the own account's applicants; what is secret or personal in a target is not shown.",
		ok("A page of channels.", ChannelList{}, ChannelList{Items: []service.ChannelView{exampleChannel("")}}), runChannels)
	list.Parameters = append(list.Parameters, cursorParam(), limitParam())
	add := op(http.MethodPost, "/channels", "new-channel", "Make a channel",
		"Notices of the events go to a mail address or, signed, to a webhook (https://www.standardwebhooks.com). The secret that verifies the signatures is in this answer and never shown again: not in the answer to the same request repeated either.",
		[]Answer{{Status: http.StatusCreated, Description: "The channel, with the secret of a webhook.", Type: service.ChannelView{}, Example: exampleChannel("whsec_" + exampleKey)}},
		runNewChannel, service.Conflict, kindTooLarge, kindMediaType, kindKeyReused)
	add.Parameters = append(add.Parameters, keyParam())
	add.Body = &Body{Type: service.ChannelRequest{}, Description: "Where notices go, and which.", Example: exampleChannelRequest()}
	show := op(http.MethodGet, "/channels/{id}", "show-channel", "Show a channel", "Without what is secret or personal in its target.", one, runChannel, service.NotFound)
	change := op(http.MethodPatch, "/channels/{id}", "change-channel", "Change a channel", "What it is told of, and in which language. Where it leads stays: make a new one for that.",
		one, runChangeChannel, service.NotFound, kindTooLarge, kindMediaType, kindKeyReused)
	change.Parameters = append(change.Parameters, keyParam())
	change.Body = &Body{Type: service.ChannelChange{}, Description: "What changes.", Example: service.ChannelChange{Language: string(cause.Chinese)}}
	remove := op(http.MethodDelete, "/channels/{id}", "remove-channel", "Remove a channel",
		"At once: its secrets are gone, and what waits for it is dropped. What is being sent at that moment may still arrive.", one, runRemoveChannel, service.NotFound, kindKeyReused)
	remove.Parameters = append(remove.Parameters, keyParam())
	test := op(http.MethodPost, "/channels/{id}/test", "test-channel", "Test a channel",
		"Sends a test through it and waits for what comes of that; once a minute at most.",
		ok("What came of it.", service.ChannelTest{}, service.ChannelTest{Delivered: true, Detail: "200 OK", Milliseconds: 84}), runTestChannel,
		service.NotFound, kindKeyReused, service.TooMany)
	test.Parameters = append(test.Parameters, keyParam())
	for _, o := range []*Operation{show, change, remove, test} {
		o.Parameters = append(o.Parameters, id)
	}
	return []*Operation{list, add, show, change, remove, test}
}

// noticeOperations are about what was told, and what would be.
func noticeOperations() []*Operation {
	id := pathParam("id", "The id of the notice, which receivers get with it: webhook-id, Message-ID.", exampleNotice(false).ID)
	return []*Operation{
		{
			Operation: route(http.MethodGet, "/notices", "list-notices", "notices", "List notices", "Newest first, each with what became of it. They are kept for 90 days.",
				queryParam("order", "Only notices about this order.", exampleOrderID),
				queryParam("certificate", "Only notices about this certificate.", exampleOrderID),
				queryParam("channel", "Only notices to this channel.", exampleChannel("").ID),
				wordParam("state", "due: to be sent, or sent again; sent; quiet: there was nothing new to say; dead: given up; dropped: its channel was removed.", "dead", words(store.NoticeStates())...),
				cursorParam(), limitParam()),
			Answers:  ok("A page of notices.", NoticeList{}, NoticeList{Items: []service.NoticeView{exampleNotice(false)}}),
			Problems: []service.Kind{service.Invalid, service.Forbidden}, run: runNotices,
		},
		{
			Operation: route(http.MethodGet, "/notices/{id}", "show-notice", "notices", "Show a notice", "With its delivery log: each attempt, and what the other side said.", id),
			Answers:   ok("The notice.", service.NoticeView{}, exampleNotice(true)),
			Problems:  []service.Kind{service.Invalid, service.Forbidden, service.NotFound}, run: runNotice,
		},
		{
			Operation: route(http.MethodPost, "/notices/{id}/retry", "retry-notice", "notices", "Try a notice again", "One that was given up is tried once more, at once, under the same id.", id, keyParam()),
			Answers:   ok("The notice as it is now.", service.NoticeView{}, exampleNotice(false)),
			Problems:  []service.Kind{service.Invalid, service.Forbidden, service.NotFound, service.WrongState, kindKeyReused}, run: runRetryNotice,
		},
		{
			Operation: route(http.MethodGet, "/orders/{id}/notice", "preview-notice", "notices", "Preview a notice",
				"What a notice of an event would say about the order as it is now, or, of a certificate's event, about the certificate of that id, to the role of whoever asks: the mail, and the body of the webhook.",
				orderParam(), eventParam(), wordParam("language", "The language; left out: that of the request.", string(cause.Chinese), words(cause.Languages())...)),
			Answers:  ok("The notice.", service.NoticePreview{}, examplePreview()),
			Problems: []service.Kind{service.Invalid, service.Forbidden, service.NotFound}, run: runPreviewNotice,
		},
	}
}

func runChannels(c *call) (*answer, error) {
	limit := orDefault(c.number("limit"), 50)
	items, err := c.s.Service.Channels(c.ctx(), c.p, c.text("cursor"), limit)
	if err != nil {
		return nil, err
	}
	list := ChannelList{Items: listed(items)}
	if len(items) == limit {
		list.Next = items[limit-1].ID
	}
	return &answer{status: http.StatusOK, value: list}, nil
}

func runNewChannel(c *call) (*answer, error) {
	var in service.ChannelRequest
	if err := c.decode(&in); err != nil {
		return nil, err
	}
	return once(c, func(ctx context.Context) (service.ChannelView, error) {
		return c.s.Service.NewChannel(ctx, c.p, in)
	}, shown[service.ChannelView](http.StatusCreated))
}

// shownOr shows a value where there is no error.
func shownOr[T any](v T, err error) (*answer, error) {
	if err != nil {
		return nil, err
	}
	return &answer{status: http.StatusOK, value: v}, nil
}

func runChannel(c *call) (*answer, error) {
	return shownOr(c.s.Service.Channel(c.ctx(), c.p, c.id()))
}

func runChangeChannel(c *call) (*answer, error) {
	var in service.ChannelChange
	if err := c.decode(&in); err != nil {
		return nil, err
	}
	return once(c, func(ctx context.Context) (service.ChannelView, error) {
		return c.s.Service.ChangeChannel(ctx, c.p, c.id(), in)
	}, shown[service.ChannelView](http.StatusOK))
}

func runRemoveChannel(c *call) (*answer, error) {
	return once(c, func(ctx context.Context) (service.ChannelView, error) {
		return c.s.Service.RemoveChannel(ctx, c.p, c.id())
	}, shown[service.ChannelView](http.StatusOK))
}

func runTestChannel(c *call) (*answer, error) {
	return once(c, func(ctx context.Context) (service.ChannelTest, error) {
		return c.s.Service.TestChannel(ctx, c.p, c.id())
	}, shown[service.ChannelTest](http.StatusOK))
}

func runNotices(c *call) (*answer, error) {
	items, next, err := c.s.Service.Notices(c.ctx(), c.p, service.NoticeQuery{
		Order: c.text("order"), Certificate: c.text("certificate"), Channel: c.text("channel"), State: c.text("state"), Cursor: c.text("cursor"), Limit: c.number("limit"),
	})
	return shownOr(NoticeList{Items: listed(items), Next: next}, err)
}

func runNotice(c *call) (*answer, error) {
	return shownOr(c.s.Service.Notice(c.ctx(), c.p, c.id()))
}

func runRetryNotice(c *call) (*answer, error) {
	return once(c, func(ctx context.Context) (service.NoticeView, error) {
		return c.s.Service.RetryNotice(ctx, c.p, c.id())
	}, shown[service.NoticeView](http.StatusOK))
}

func runPreviewNotice(c *call) (*answer, error) {
	lang := cmp.Or(cause.Language(c.text("language")), c.words.Lang())
	return shownOr(c.s.Service.PreviewNotice(c.ctx(), c.p, c.id(), cmp.Or(c.text("event"), string(notify.OrderFindings)), lang))
}
