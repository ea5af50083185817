// Package metrics exports metrics of the server in the format of Prometheus:
// requests of the OSS API, runs, configurations, stores, disk and catalog. Every
// metric has a definition, from which docs/metrics.md is generated.
//
// Counters count events of this process. Gauges are read when the metrics are
// requested, so that they show the current state. No label has a value that clients
// choose, such as a key or the id of a run or request. The labels bucket and
// configuration are bounded; see [Metrics.Configurations].
package metrics

import (
	"context"
	"log/slog"
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/stocktake/stocktake/internal/ossapi"
)

const (
	sectionAPI     section = "OSS API"
	sectionProcess section = "Process"
)

var (
	requestsTotal   = sectionAPI.counter("requests_total", "Requests answered, by operation, HTTP status and error code of OSS (empty: success).", "operation", "status", "code")
	requestDuration = sectionAPI.histogram("request_duration_seconds", "Time from the headers of a request to the end of its answer.", "operation")
	receivedBytes   = sectionAPI.counter("received_bytes_total", "Bytes of request bodies received.")
	sentBytes       = sectionAPI.counter("sent_bytes_total", "Bytes of response bodies sent.")
	openConnections = sectionAPI.gauge("connections", "Open connections of clients.")
	maxConnections  = sectionAPI.gauge("connections_max", "Limit of open connections (--max-connections).")
	certificateFrom = sectionAPI.gauge("tls_certificate_start_timestamp_seconds", "From when on the TLS certificate in use is valid, in Unix seconds; missing without --tls-cert.")
	certificateEnd  = sectionAPI.gauge("tls_certificate_expiry_timestamp_seconds", "When the TLS certificate in use expires, in Unix seconds; missing without --tls-cert.")

	buildInfo = sectionProcess.gauge("build_info", "Always 1. The labels say what the program was built from.", "version", "revision", "goversion")
)

// Metrics is the server's metrics. Its methods are safe for concurrent use.
type Metrics struct {
	registry *prometheus.Registry
	log      *slog.Logger
	api      apiMetrics
	runs     *runMetrics
	stores   storeMetrics
	notices  *prometheus.CounterVec
}

type apiMetrics struct {
	requests *prometheus.CounterVec
	duration *prometheus.HistogramVec
	in, out  prometheus.Counter
}

// New returns metrics with all counts 0. A nil log means slog.Default().
func New(log *slog.Logger) *Metrics {
	if log == nil {
		log = slog.Default()
	}
	m := &Metrics{
		registry: prometheus.NewRegistry(),
		log:      log,
		api: apiMetrics{
			requests: requestsTotal.newCounters(),
			duration: requestDuration.newHistograms(0.0005, 4, 10),
			in:       receivedBytes.newCounter(),
			out:      sentBytes.newCounter(),
		},
		runs:    newRunMetrics(),
		stores:  newStoreMetrics(),
		notices: noticeDeliveries.newCounters(),
	}
	m.registry.MustRegister(m.api.requests, m.api.duration, m.api.in, m.api.out)
	m.registry.MustRegister(m.runs.collectors()...)
	m.registry.MustRegister(m.stores.collectors()...)
	m.registry.MustRegister(m.notices, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// readTimeout bounds the reading of metrics.
const readTimeout = 5 * time.Second

// maxScrapes is how many requests for metrics are answered concurrently; others get
// 503.
const maxScrapes = 4

// Handler answers with the metrics in Prometheus' text format. Metrics that cannot
// be read are left out, logged and counted (promhttp_metric_handler_errors_total).
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{
		ErrorHandling: promhttp.ContinueOnError, ErrorLog: errorLog{m.log}, Registry: m.registry, MaxRequestsInFlight: maxScrapes,
	})
}

// errorLog writes errors of readings to our log.
type errorLog struct{ log *slog.Logger }

// Println implements [promhttp.Logger].
func (l errorLog) Println(v ...any) { l.log.Warn("cannot read metrics", "err", v) }

// Build exports the version that the program was built from.
func (m *Metrics) Build(version, revision, goVersion string) {
	m.reads(func(emit emitter) error {
		emit(buildInfo, 1, version, revision, goVersion)
		return nil
	}, buildInfo)
}

// Connections exports the number of open connections and its limit.
func (m *Metrics) Connections(open func() int, limit int) {
	m.reads(func(emit emitter) error {
		emit(openConnections, float64(open()))
		emit(maxConnections, float64(limit))
		return nil
	}, openConnections, maxConnections)
}

// Certificate exports from when and until when the TLS certificate in use is valid.
func (m *Metrics) Certificate(validity func() (from, until time.Time)) {
	m.reads(func(emit emitter) error {
		from, until := validity()
		emit(certificateFrom, float64(from.Unix()))
		emit(certificateEnd, float64(until.Unix()))
		return nil
	}, certificateFrom, certificateEnd)
}

// Observe counts a request. Its operation and its error code come from fixed
// tables, so that clients cannot create series.
func (m *Metrics) Observe(o ossapi.Observation) {
	m.api.requests.WithLabelValues(o.Operation, strconv.Itoa(o.Status), o.Code).Inc()
	m.api.duration.WithLabelValues(o.Operation).Observe(o.Took.Seconds())
	m.api.in.Add(float64(max(o.In, 0)))
	m.api.out.Add(float64(max(o.Out, 0)))
}

// within calls read with a context that ends after patience.
func within(read func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(context.Background(), readTimeout)
	defer cancel()
	return read(ctx)
}
