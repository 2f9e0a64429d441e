package main

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"assay/cause"
	"assay/internal/message"
	"assay/internal/service"
)

// TestTokenLost: a token whose answer was lost on the way is revoked and another is
// made; where that does not help, what there is and what to do is said.
func TestTokenLost(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		secrets []string // of the answers, in turn
		revoked bool     // whether the service revokes
		asked   []string
		says    string
		fails   bool
	}{
		"nothing lost":       {secrets: []string{"assay_1"}, revoked: true, asked: []string{"POST /tokens"}, says: "assay_1"},
		"once":               {secrets: []string{"", "assay_2"}, revoked: true, asked: []string{"POST /tokens", "DELETE /tokens/id1", "POST /tokens"}, says: "assay_2"},
		"every time":         {secrets: []string{"", ""}, revoked: true, asked: []string{"POST /tokens", "DELETE /tokens/id1", "POST /tokens", "DELETE /tokens/id2"}, says: "assay token new --role auditor", fails: true},
		"it cannot be ended": {secrets: []string{""}, asked: []string{"POST /tokens", "DELETE /tokens/id1"}, says: "assay token revoke id1", fails: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var asked []string
			made := 0
			s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				asked = append(asked, r.Method+" "+strings.TrimPrefix(r.URL.Path, "/api/v1"))
				if r.Method == http.MethodDelete {
					if !c.revoked {
						w.WriteHeader(http.StatusNotFound)
					}
					return
				}
				made++
				_ = json.NewEncoder(w).Encode(service.TokenView{ID: "id" + itoa(int64(made)), Role: service.RoleAuditor, Secret: c.secrets[made-1]})
			}))
			t.Cleanup(s.Close)
			env := map[string]string{"ASSAY_URL": s.URL, "ASSAY_TOKEN": "assay_x"}
			var out bytes.Buffer
			a := &app{now: time.Now, text: message.New(cause.English), out: &out, err: &out, getenv: func(k string) string { return env[k] }}
			cmd := a.tokenNewCommand()
			cmd.SetArgs([]string{"--role", "auditor"})
			cmd.SilenceErrors, cmd.SilenceUsage = true, true
			err := cmd.Execute()
			if err != nil {
				a.fail(err)
			}
			if (err != nil) != c.fails || !slices.Equal(asked, c.asked) || !strings.Contains(out.String(), c.says) {
				t.Errorf("%v, asked %v: %s", err, asked, out.String())
			}
		})
	}
}
