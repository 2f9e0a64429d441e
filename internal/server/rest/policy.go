package rest

import (
	"context"
	"net/http"

	"assay/internal/service"
)

func policyOperations() []*Operation {
	try := route(http.MethodPost, "/profiles/try", "try-profile", "policy", "Try a profile",
		"Judges the newest review of every order again by the profile in the body: whose verdict would change? Nothing is looked at anew, and nothing is kept, no answer under a key either: asked again it is judged anew.", keyParam())
	at := timeParam("at", "The time to judge at.", "2027-03-15T00:00:00Z")
	at.Required = true
	forecast := route(http.MethodGet, "/forecast", "forecast", "policy", "Forecast a date",
		"Judges the newest review of every open order, and of every certificate that is in force and to be renewed, as of a later time, up to 20 years ahead: which orders and renewals will the dated rules fail, and why?", at)
	trial := func(description string) []Answer { return ok(description, service.Trial{}, exampleTrial()) }
	return []*Operation{
		{
			Operation: try, Body: &Body{Description: "A profile file.", ContentType: "application/toml", Example: "name = \"cloud\"\ninherits = \"cloud\"\n"},
			Answers: trial("Whose verdict would change."), Problems: []service.Kind{service.Invalid, service.Forbidden, kindTooLarge, kindMediaType, kindKeyReused, service.TooMany}, run: runTry,
		},
		{Operation: forecast, Answers: trial("Whose verdict will change."), Problems: []service.Kind{service.Invalid, service.Forbidden, service.TooMany}, run: runForecast},
	}
}

func runTry(c *call) (*answer, error) {
	if err := c.unhurried(); err != nil {
		return nil, err
	}
	return once(c, func(ctx context.Context) (*service.Trial, error) {
		return c.s.Service.TryProfile(ctx, c.p, c.body, c.words.Lang())
	}, shown[*service.Trial](http.StatusOK))
}

func runForecast(c *call) (*answer, error) {
	if err := c.unhurried(); err != nil {
		return nil, err
	}
	t, err := c.s.Service.Forecast(c.ctx(), c.p, c.time("at"), c.words.Lang())
	if err != nil {
		return nil, err
	}
	return &answer{status: http.StatusOK, value: t}, nil
}
