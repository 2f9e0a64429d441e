package rest

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"assay/internal/service"
	"assay/review"
)

// A Meter counts what the service does in the background, for /metrics. It is a
// [service.Meter].
type Meter struct {
	checks *prometheus.CounterVec
	took   prometheus.Histogram
	late   prometheus.Histogram
	events *prometheus.CounterVec
}

var _ service.Meter = (*Meter)(nil)

// NewMeter makes a meter.
func NewMeter() *Meter {
	seconds := func(name, help string) prometheus.Histogram {
		return prometheus.NewHistogram(prometheus.HistogramOpts{Name: name, Help: help, Buckets: []float64{.1, .25, .5, 1, 2.5, 5, 10, 30, 60, 300}})
	}
	return &Meter{
		checks: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "assay_checks_total", Help: "Orders looked at, by verdict."}, []string{"verdict"}),
		took:   seconds("assay_check_seconds", "How long looking at an order took."),
		late:   seconds("assay_check_late_seconds", "How long after it was due an order was looked at."),
		events: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "assay_background_total", Help: "What happened in the background: reminders, retries, panics, leases-lost, sealed, pruned, notices, notices-failed, notices-dead.",
		}, []string{"what"}),
	}
}

// Checked counts a check.
func (m *Meter) Checked(verdict review.Verdict, took, late time.Duration) {
	m.checks.WithLabelValues(string(verdict)).Inc()
	m.took.Observe(took.Seconds())
	m.late.Observe(late.Seconds())
}

// Counted counts what happened n times.
func (m *Meter) Counted(what string, n int) { m.events.WithLabelValues(what).Add(float64(n)) }

func (m *Meter) collectors() []prometheus.Collector {
	return []prometheus.Collector{m.checks, m.took, m.late, m.events}
}
