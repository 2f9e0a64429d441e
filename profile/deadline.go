package profile

import (
	"errors"
	"fmt"
	"time"
	_ "time/tzdata" // so that one profile means one deadline on every machine
)

// The modes of a deadline.
const (
	// ModeHours: so many hours after the start, weekends included.
	ModeHours = "hours"
	// ModeCalendarDays: the end of the last of so many calendar days in the
	// profile's time zone. The day of the start is not counted, so the time is
	// never shorter than under [ModeHours] except across a change of clocks.
	ModeCalendarDays = "calendar-days"
)

// Of returns the last moment for what began at start: a submission, or the
// request of a revocation. ok is false where start is zero or the profile sets
// no deadline.
func (d *Deadline) Of(start time.Time) (end time.Time, ok bool) {
	if start.IsZero() || d.Hours == 0 {
		return time.Time{}, false
	}
	if d.Mode != ModeCalendarDays {
		return start.UTC().Add(time.Duration(d.Hours) * time.Hour), true
	}
	zone := d.zone
	if zone == nil {
		zone = time.UTC
	}
	y, m, day := start.In(zone).Date()
	// The first moment of the day after the last is its end; time.Date knows
	// days of 23 and 25 hours.
	return time.Date(y, m, day+d.Hours/24+1, 0, 0, 0, 0, zone).UTC(), true
}

// check finds the time zone and refuses words that mean nothing.
func (d *Deadline) check() error {
	switch {
	case d.Hours < 0 || d.TokenHours < 0:
		return errors.New("deadline: hours and token_hours must not be negative")
	case d.Mode != "" && d.Mode != ModeHours && d.Mode != ModeCalendarDays:
		return fmt.Errorf("deadline.mode: %q must be %q or %q", d.Mode, ModeHours, ModeCalendarDays)
	case d.Mode == ModeCalendarDays && d.Hours%24 != 0:
		return fmt.Errorf("deadline.hours: %d is not a number of whole days, which mode %q needs", d.Hours, d.Mode)
	case d.TimeZone == "Local":
		return errors.New(`deadline.time_zone: name the zone ("Asia/Shanghai"): "Local" would differ from machine to machine`)
	}
	zone, err := time.LoadLocation(d.TimeZone)
	if err != nil {
		return fmt.Errorf("deadline.time_zone: %q is no time zone such as \"Asia/Shanghai\"", d.TimeZone)
	}
	d.zone = zone
	return nil
}
