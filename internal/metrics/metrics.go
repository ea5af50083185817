// Package metrics counts what the server does, for Prometheus: requests of the
// OSS face and runs of the inventory service. It is the Observer of both.
package metrics

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/ossapi"
)

// Metrics is the server's metrics. Its methods may be called from many
// goroutines at once. docs/operating.md lists them.
type Metrics struct {
	registry *prometheus.Registry

	requests *prometheus.CounterVec
	seconds  *prometheus.HistogramVec
	in, out  prometheus.Counter

	runs       *prometheus.CounterVec
	runSeconds prometheus.Histogram
	listed     prometheus.Counter
	matched    prometheus.Counter
	written    prometheus.Counter
}

// New returns metrics that have counted nothing.
func New() *Metrics {
	m := &Metrics{
		registry: prometheus.NewRegistry(),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "stocktake_requests_total", Help: "Requests answered, by operation, HTTP status and OSS error code.",
		}, []string{"operation", "status", "code"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "stocktake_request_seconds", Help: "Time from a request's headers to the end of its answer.",
			Buckets: prometheus.ExponentialBuckets(0.0005, 4, 10),
		}, []string{"operation"}),
		in:  counter("stocktake_received_bytes_total", "Bytes of request bodies received."),
		out: counter("stocktake_sent_bytes_total", "Bytes of answers' bodies sent."),
		runs: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "stocktake_runs_total", Help: "Runs that ended, by state and trigger.",
		}, []string{"state", "trigger"}),
		runSeconds: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "stocktake_run_seconds", Help: "Time of runs that succeeded, from their start.",
			Buckets: prometheus.ExponentialBuckets(0.01, 4, 12),
		}),
		listed:  counter("stocktake_run_listed_total", "Records that ended runs have read."),
		matched: counter("stocktake_run_matched_total", "Records that ended runs have reported."),
		written: counter("stocktake_run_written_bytes_total", "Bytes of shards that ended runs have written."),
	}
	m.registry.MustRegister(
		m.requests, m.seconds, m.in, m.out,
		m.runs, m.runSeconds, m.listed, m.matched, m.written,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	)
	return m
}

func counter(name, help string) prometheus.Counter {
	return prometheus.NewCounter(prometheus.CounterOpts{Name: name, Help: help})
}

// patience is how long a metric that must be asked for may take.
const patience = 5 * time.Second

// Handler answers with the metrics in Prometheus' text format.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{ErrorHandling: promhttp.ContinueOnError})
}

// Runs shows how many runs are being made and how many wait for a place. load is
// asked each time the metrics are.
func (m *Metrics) Runs(load func() (running, waiting int)) {
	gauge := func(name, help string, value func() int) prometheus.Collector {
		return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, func() float64 { return float64(value()) })
	}
	m.registry.MustRegister(
		gauge("stocktake_runs_going", "Runs that scan or publish.", func() int { running, _ := load(); return running }),
		gauge("stocktake_runs_waiting", "Runs that are due and wait for a place.", func() int { _, waiting := load(); return waiting }),
	)
}

// Connections shows how many connections are open, and how many may be.
func (m *Metrics) Connections(open func() int, limit int) {
	m.registry.MustRegister(
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "stocktake_connections", Help: "Open connections of clients."}, func() float64 { return float64(open()) }),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "stocktake_connections_max", Help: "Limit of open connections."}, func() float64 { return float64(limit) }),
	)
}

// Notices shows how many notices wait and how many were given up. count is asked
// each time the metrics are; if it fails, they are left out.
func (m *Metrics) Notices(count func(context.Context) (waiting, dead int64, err error)) {
	m.registry.MustRegister(notices(count))
}

type notices func(context.Context) (waiting, dead int64, err error)

var noticesDesc = prometheus.NewDesc("stocktake_notices", "Notices that wait for delivery to their webhook, and those that could not be delivered (dead).", []string{"state"}, nil)

// Describe implements prometheus.Collector.
func (notices) Describe(descs chan<- *prometheus.Desc) { descs <- noticesDesc }

// Collect implements prometheus.Collector.
func (count notices) Collect(metrics chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	waiting, dead, err := count(ctx)
	if err != nil {
		metrics <- prometheus.NewInvalidMetric(noticesDesc, err)
		return
	}
	metrics <- prometheus.MustNewConstMetric(noticesDesc, prometheus.GaugeValue, float64(waiting), "waiting")
	metrics <- prometheus.MustNewConstMetric(noticesDesc, prometheus.GaugeValue, float64(dead), "dead")
}

// Observe counts a request. Its operation comes from a fixed table and its code
// from ours, so that no client can make series.
func (m *Metrics) Observe(o ossapi.Observation) {
	m.requests.WithLabelValues(o.Operation, strconv.Itoa(o.Status), o.Code).Inc()
	m.seconds.WithLabelValues(o.Operation).Observe(o.Took.Seconds())
	m.in.Add(float64(max(o.In, 0)))
	m.out.Add(float64(max(o.Out, 0)))
}

// RunChanged counts a run that has ended.
func (m *Metrics) RunChanged(r stocktake.Run) {
	if !r.State.Ended() {
		return
	}
	m.runs.WithLabelValues(string(r.State), string(r.Trigger)).Inc()
	m.listed.Add(float64(r.Listed))
	m.matched.Add(float64(r.Matched))
	m.written.Add(float64(r.Written))
	if r.State == stocktake.Succeeded {
		m.runSeconds.Observe(r.Ended.Sub(r.Started).Seconds())
	}
}
