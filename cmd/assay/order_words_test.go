package main

import (
	"testing"

	"assay/cause"
	"assay/internal/message"
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
