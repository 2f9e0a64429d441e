package rest

import (
	"encoding/json"

	"github.com/danielgtaylor/huma/v2"

	"assay/internal/notify"
	"assay/internal/service"
	"assay/internal/store"
)

// exampleKey is a key in its real form; it signs nothing.
const exampleKey = "YW4gZXhhbXBsZSwgYW5kIG5vIHNlY3JldDogMzJi"

func eventParam() *huma.Param {
	return wordParam("event", "The event; left out: "+string(notify.OrderFindings)+".", string(notify.OrderReminder), words(notify.Events())...)
}

func exampleChannelRequest() service.ChannelRequest {
	return service.ChannelRequest{
		Kind: service.KindWebhook, Target: "https://hooks.orchard.net/assay", Events: []string{string(notify.OrderReady), string(notify.OrderRefused)}, Language: "en",
	}
}

func exampleChannel(secret string) service.ChannelView {
	return service.ChannelView{
		ID: "9f86d081884c7d65", Kind: service.KindWebhook, Account: "shop", Role: service.RoleApplicant, Target: "https://hooks.orchard.net/…",
		Events: []string{string(notify.OrderReady), string(notify.OrderRefused)}, Language: "en", CreatedAt: exampleTime(), Secret: secret,
	}
}

func exampleNotice(whole bool) service.NoticeView {
	due := exampleTime().AddDate(0, 0, 1)
	v := service.NoticeView{
		ID: "0006445dba2f0000a1b2c3d4e5f6.9f86d081884c7d65", Channel: exampleChannel("").ID, Event: string(notify.OrderRefused), Order: exampleOrderID,
		At: exampleTime(), State: string(store.NoticeDue), DueAt: &due, Attempts: 1, Reason: "503 Service Unavailable",
	}
	if whole {
		v.Tries = []service.NoticeTry{{Attempt: 1, At: exampleTime(), Milliseconds: 84, Detail: "503 Service Unavailable"}}
	}
	return v
}

func examplePreview() service.NoticePreview {
	return service.NoticePreview{
		Subject: "www.orchard.net: order " + exampleOrderID + " waits for you", Text: "The order for www.orchard.net still waits for what is listed here.\n…\n",
		HTML: "<!doctype html>…", Payload: json.RawMessage(`{"type":"order.reminder","timestamp":"2026-11-26T08:00:00Z","data":{"order":"` + exampleOrderID + `"}}`),
	}
}
