package review

import (
	"math"
	"time"

	"assay/order"
	"assay/profile"
)

const day = 24 * time.Hour

// lifetime is how long the certificate asked for would be valid, the longer
// where days and dates are both given; 0 where nothing was asked. A period
// without a beginning begins now. reversed: it ends before it begins.
func (f *facts) lifetime(v *order.Validity) (asked time.Duration, reversed bool) {
	const most = int(math.MaxInt64 / day)
	asked = time.Duration(min(max(v.Days, 0), most)) * day
	reversed = v.Days < 0
	if !v.NotAfter.IsZero() {
		begin := v.NotBefore
		if begin.IsZero() {
			begin = f.at
		}
		// Certificates count whole seconds.
		begin, end := begin.Truncate(time.Second), v.NotAfter.Truncate(time.Second)
		if end.Before(begin) {
			return 0, true
		}
		between := end.Sub(begin)
		if between < math.MaxInt64-time.Second {
			between += time.Second
		}
		asked = max(asked, between)
	}
	return asked, reversed
}

// longestValidity is the maximum at the time of judging, in days or hours, and
// the row of the dated table it comes from; the lesser where both are set.
func (f *facts) longestValidity() (limit time.Duration, row profile.Dated, ok bool) {
	if days, r, found := f.on(profile.ValidityDays); found {
		limit, row, ok = time.Duration(days)*day, r, true
	}
	if hours, r, found := f.on(profile.ValidityHours); found {
		if l := time.Duration(hours) * time.Hour; !ok || l < limit {
			limit, row, ok = l, r, true
		}
	}
	return limit, row, ok
}
