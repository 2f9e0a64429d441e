package rest

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"assay/internal/service"
)

// metrics are what /metrics shows. Labels are bounded: operation ids and status
// codes, never anything of a request.
type metrics struct {
	requests *prometheus.CounterVec
	seconds  *prometheus.HistogramVec
	limited  *prometheus.CounterVec
	panics   prometheus.Counter
	handler  http.Handler
}

func newMetrics(s *Server) *metrics {
	m := &metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "assay_http_requests_total", Help: "Requests answered, by operation and status code.",
		}, []string{"operation", "code"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "assay_http_request_seconds", Help: "How long answers took, by operation. Streams and polls count with the time they waited.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10},
		}, []string{"operation"}),
		limited: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "assay_http_limited_total", Help: "Requests refused by a rate limit, by what was counted.",
		}, []string{"by"}),
		panics: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "assay_panics_total", Help: "Defects that ended a request. Each is in the log.",
		}),
	}
	registry := prometheus.NewRegistry()
	registry.MustRegister(
		m.requests, m.seconds, m.limited, m.panics, &orders{server: s},
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "assay_http_waiting", Help: "Streams and polls that wait for an order to change.",
		}, func() float64 { return float64(s.waiting.Load()) }),
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	)
	if s.Meter != nil {
		registry.MustRegister(s.Meter.collectors()...)
	}
	m.handler = promhttp.HandlerFor(registry, promhttp.HandlerOpts{MaxRequestsInFlight: 4, DisableCompression: true})
	return m
}

func (m *metrics) request(operation string, status int, took time.Duration) {
	m.requests.WithLabelValues(operation, strconv.Itoa(status)).Inc()
	m.seconds.WithLabelValues(operation).Observe(took.Seconds())
}

func (s *Server) serveMetrics(w http.ResponseWriter, r *http.Request) {
	if !s.mayReadMetrics(r, requestOf(r.Context()).client) {
		s.fail(w, r, requestOf(r.Context()), &service.Problem{Kind: service.Forbidden, Message: "rest.metrics"})
		return
	}
	s.metrics.handler.ServeHTTP(w, r)
}

// orders are the counts of the store, read when they are asked for.
type orders struct{ server *Server }

func ordersDescriptions() map[string]*prometheus.Desc {
	d := func(name, help string) *prometheus.Desc { return prometheus.NewDesc(name, help, nil, nil) }
	return map[string]*prometheus.Desc{
		"open":     d("assay_orders_open", "Orders that have not ended."),
		"due":      d("assay_checks_due", "Rows that are due and not taken."),
		"leased":   d("assay_checks_running", "Rows that a process works on."),
		"lag":      d("assay_checks_lag_seconds", "How long ago the oldest row was due."),
		"unsealed": d("assay_audit_unsealed", "Audit entries without a place in the chain."),
		"sealer":   d("assay_audit_lag_seconds", "How long the oldest audit entry has waited for its place in the chain."),
		"notices":  d("assay_notices_waiting", "Notices that are not delivered yet."),
		"tardy":    d("assay_notices_lag_seconds", "How long ago the oldest notice was due that nobody delivers."),
		"up":       d("assay_database_up", "1 where the database answered."),
	}
}

func (*orders) Describe(out chan<- *prometheus.Desc) {
	for _, d := range ordersDescriptions() {
		out <- d
	}
}

func (o *orders) Collect(out chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
	defer cancel()
	d := ordersDescriptions()
	gauge := func(what string, v float64) {
		out <- prometheus.MustNewConstMetric(d[what], prometheus.GaugeValue, v)
	}
	now := o.server.Now()
	stats, err := o.server.Records.Stats(ctx, now)
	if err != nil {
		gauge("up", 0)
		return
	}
	gauge("up", 1)
	gauge("open", float64(stats.Open))
	gauge("due", float64(stats.Due))
	gauge("leased", float64(stats.Leased))
	gauge("lag", since(stats.OldestDue, now).Seconds())
	gauge("unsealed", float64(stats.Unsealed))
	gauge("notices", float64(stats.Notices))
	gauge("tardy", since(stats.OldestNotice, now).Seconds())
	gauge("sealer", since(stats.OldestUnsealed, now).Seconds())
}
