package main

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"assay/cause"
	"assay/internal/message"
	"assay/internal/store"
	"assay/order"
)

// TestStateWord: an order that is over and waits for another CA says so, in both
// languages; one that its owner cancelled says that.
func TestStateWord(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		lang   cause.Language
		state  order.State
		reason order.Reason
		want   string
	}{
		{cause.English, order.StateCancelling, order.FailDeadline, "deadline passed: another CA may still be issuing"},
		{cause.Chinese, order.StateCancelling, order.FailDeadline, "超过期限：其他 CA 可能仍在签发"},
		{cause.English, order.StateCancelling, "", "being cancelled"},
		{cause.English, order.StateFailed, order.FailDeadline, "failed: deadline passed"},
		{cause.Chinese, order.StateFailed, order.FailDeadline, "失败：超过期限"},
	} {
		a := &app{text: message.New(c.lang)}
		if got := a.stateWord(c.state, c.reason); got != c.want {
			t.Errorf("%s %s %s: %q", c.lang, c.state, c.reason, got)
		}
	}
}

// entries find what the service writes into the audit log of an order, with which
// followers of the order are told.
var entries = []*regexp.Regexp{
	regexp.MustCompile(`audit\(tx, .*, (?:o|cur|&written), "([a-z.-]*[a-z])"`),
	regexp.MustCompile(`gaveUp\(tx, a, &about, "([a-z.-]*[a-z])"`),
	regexp.MustCompile(`step\{.*name: "([a-z.-]*[a-z])"`),
	regexp.MustCompile(`verified\(ctx, p, id, "([a-z.-]*[a-z])"`),
	regexp.MustCompile(`(?:action|entry|name)\b.*= .*"((?:order|review)\.[a-z-]+)"`),
	regexp.MustCompile(`true: "(letter-[a-z]+)"`),
	regexp.MustCompile(`false: "(letter-[a-z]+)"`),
}

// TestEventWords: order watch has words in both languages for whatever can happen to
// an order.
func TestEventWords(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("../../internal/service/*.go")
	if err != nil {
		t.Fatal(err)
	}
	var events []string
	for _, path := range files {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		raw, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range entries {
			for _, m := range r.FindAllStringSubmatch(string(raw), -1) {
				events = append(events, m[1])
			}
		}
	}
	for i, r := range entries {
		if !slices.ContainsFunc(files, func(path string) bool {
			raw, err := os.ReadFile(path)
			return err == nil && r.Match(raw)
		}) {
			t.Errorf("pattern %d finds nothing any more", i)
		}
	}
	for _, tr := range order.Transitions() {
		if a := tr.Action; tr.From != order.StateIssued && a != order.ActionLetter && a != order.ActionCancelled { // those have names of their own
			events = append(events, string(a))
		}
	}
	for _, kind := range []string{store.DecisionApprove, store.DecisionAgree, store.DecisionRefuse, store.DecisionAsk, store.DecisionAnswer, store.DecisionWithdraw} {
		events = append(events, "review."+kind)
	}
	slices.Sort(events)
	events = slices.Compact(events)
	en, zh := message.New(cause.English), message.New(cause.Chinese)
	for _, e := range events {
		id := "order.event." + strings.TrimPrefix(e, "order.")
		if !en.Has(id) || !zh.Has(id) || en.Text(id) == zh.Text(id) {
			t.Errorf("no words for %s", e)
		}
	}
	t.Logf("%d: %v", len(events), events)
}
