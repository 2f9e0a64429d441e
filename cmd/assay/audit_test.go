package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"assay/cause"
	"assay/internal/message"
	"assay/internal/service"
)

// TestAuditPages: a list longer than a page is read page by page, up to the limit
// and no further, and what is written is one list.
func TestAuditPages(t *testing.T) {
	t.Parallel()
	const entries = 450
	var lock sync.Mutex
	var asked []string
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		q := r.URL.Query()
		lock.Lock()
		asked = append(asked, q.Get("cursor")+"/"+q.Get("limit")+"/"+q.Get("actor"))
		lock.Unlock()
		from, _ := strconv.Atoi(q.Get("cursor"))
		limit, _ := strconv.Atoi(q.Get("limit"))
		page := map[string]any{}
		var items []service.EntryView
		for i := from; i < min(from+limit, entries); i++ {
			items = append(items, service.EntryView{ID: fmt.Sprint(i), Seq: int64(entries - i), Actor: "service", Action: "order.check", Data: []byte("{}")})
		}
		page["items"] = items
		if from+limit < entries {
			page["next"] = strconv.Itoa(from + limit)
		}
		_ = json.NewEncoder(w).Encode(page)
	}))
	t.Cleanup(s.Close)
	for _, c := range []struct {
		args  []string
		lines int
		asked []string
		more  bool
	}{
		{[]string{}, 50, []string{"/50/"}, true},
		{[]string{"--limit", "250"}, 250, []string{"/200/", "200/50/"}, true},
		{[]string{"--limit", "450"}, 450, []string{"/200/", "200/200/", "400/50/"}, false},
		{[]string{"--limit", "0", "--actor", "x"}, 450, []string{"/200/x", "200/200/x", "400/200/x"}, false},
	} {
		asked = nil
		out := askAudit(t, s.URL, c.args...)
		if n := strings.Count(out, "order.check"); n != c.lines || !slices.Equal(asked, c.asked) || strings.Contains(out, "There are more") != c.more {
			t.Errorf("%v: %d lines, asked %v", c.args, n, asked)
		}
		if n := strings.Count(out, "Place"); n != 1 {
			t.Errorf("%v: %d heads", c.args, n)
		}
		var list []service.EntryView
		out = askAudit(t, s.URL, append(c.args, "--json")...)
		if err := json.Unmarshal([]byte(out), &list); err != nil || len(list) != c.lines || list[0].ID != "0" {
			t.Errorf("%v: %d entries, %v", c.args, len(list), err)
		}
		if whole, err := marshal(list); err != nil || string(whole) != out {
			t.Errorf("%v: not written as other lists are", c.args)
		}
	}
}

func askAudit(t *testing.T, url string, args ...string) string {
	t.Helper()
	out := &bytes.Buffer{}
	env := map[string]string{"ASSAY_URL": url, "ASSAY_TOKEN": "assay_x"}
	a := &app{now: time.Now, text: message.New(cause.English), out: out, err: out, getenv: func(k string) string { return env[k] }}
	c := a.auditListCommand()
	c.SetArgs(args)
	c.SilenceUsage, c.SilenceErrors = true, true
	if err := c.ExecuteContext(t.Context()); err != nil {
		t.Fatal(err)
	}
	return out.String()
}
