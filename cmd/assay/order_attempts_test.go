package main

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"assay/cause"
	"assay/internal/message"
	"assay/internal/service"
)

// TestAttemptEnd: what has to be done at another CA is said, and where.
func TestAttemptEnd(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		attempt service.AttemptView
		lang    cause.Language
		want    string
	}{
		"lost":        {service.AttemptView{Number: 2, Issuer: "far", Lost: true}, cause.English, "Attempt 2: the CA far is not used any more"},
		"lost, zh":    {service.AttemptView{Number: 2, Issuer: "far", Lost: true}, cause.Chinese, "已不再使用 CA far"},
		"not revoked": {service.AttemptView{Number: 1, Issuer: "far", NotRevoked: "0a"}, cause.English, "certificate 0a of the CA far, which refuses"},
		"revoked":     {service.AttemptView{Number: 1, Issuer: "far", Revoked: "0a"}, cause.English, "certificate 0a of the CA far, which revoked it"},
		"issued":      {service.AttemptView{Number: 1, Issuer: "far"}, cause.English, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var out bytes.Buffer
			a := &app{out: &out, err: &out, getenv: func(string) string { return "" }, now: time.Now, text: message.New(c.lang)}
			p := a.page()
			a.attemptEnd(p, &c.attempt)
			if got := p.String(); !strings.Contains(strings.Join(strings.Fields(got), " "), c.want) || c.want == "" && got != "" {
				t.Errorf("%q", got)
			}
		})
	}
}
