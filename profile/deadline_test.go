package profile_test

import (
	"strings"
	"testing"
	"time"

	"assay/profile"
)

// TestDeadline: by hours, and by calendar days across midnight of another zone
// and across changes of clocks.
func TestDeadline(t *testing.T) {
	t.Parallel()
	days := func(zone string) string {
		return "[deadline]\nmode = \"calendar-days\"\ntime_zone = \"" + zone + "\"\n"
	}
	for _, c := range []struct{ name, deadline, start, want string }{
		{"72 hours over a weekend", "", "2026-11-20T08:00:00Z", "2026-11-23T08:00:00Z"},
		{"given with an offset", "", "2026-11-20T08:00:00+08:00", "2026-11-23T00:00:00Z"},
		{"days in UTC", days("UTC"), "2026-11-20T08:00:00Z", "2026-11-24T00:00:00Z"},
		{"first second of a day", days("UTC"), "2026-11-20T00:00:00Z", "2026-11-24T00:00:00Z"},
		{"already the next day in Shanghai", days("Asia/Shanghai"), "2026-11-20T16:00:00Z", "2026-11-24T16:00:00Z"},
		{"still that day in Shanghai", days("Asia/Shanghai"), "2026-11-20T15:59:59Z", "2026-11-23T16:00:00Z"},
		{"a day of 25 hours", days("Europe/Berlin"), "2026-10-22T22:30:00Z", "2026-10-26T23:00:00Z"},
		{"a day of 23 hours", days("Europe/Berlin"), "2026-03-26T23:30:00Z", "2026-03-30T22:00:00Z"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			p, err := profile.Parse([]byte("name = \"t\"\ninherits = \"cloud\"\n" + c.deadline))
			if err != nil {
				t.Fatal(err)
			}
			start, err := time.Parse(time.RFC3339, c.start)
			if err != nil {
				t.Fatal(err)
			}
			end, ok := p.Deadline.Of(start)
			if got := end.Format(time.RFC3339); !ok || got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
	if _, ok := (&profile.Deadline{Hours: 72}).Of(time.Time{}); ok {
		t.Error("a draft has a deadline")
	}
	if _, ok := (&profile.Deadline{}).Of(time.Unix(0, 0)); ok {
		t.Error("a profile without a deadline has one")
	}
}

func TestDeadlineRefused(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ text, want string }{
		"unknown mode":    {`mode = "days"`, "deadline.mode"},
		"unknown zone":    {`time_zone = "Mars/Olympus"`, "deadline.time_zone"},
		"machine's zone":  {`time_zone = "Local"`, "deadline.time_zone"},
		"half a day":      {"mode = \"calendar-days\"\nhours = 36", "deadline.hours"},
		"negative length": {"hours = -1", "negative"},
	} {
		if _, err := profile.Parse([]byte("inherits = \"cloud\"\n[deadline]\n" + c.text)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}
