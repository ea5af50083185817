package metrics

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/stocktake/stocktake/internal/throttle"
)

const sectionStores section = "Stores of the settings"

var (
	storeRequests = sectionStores.counter("store_requests_total", "Requests sent to a store by runs, each attempt counted: list, get, head, put, delete, upload, other.", "store", "operation")
	storeDuration = sectionStores.histogram("store_request_duration_seconds", "Time until a store began to answer.", "store", "operation")
	storeRefused  = sectionStores.counter("store_throttled_total", "Requests that a store refused with status 429 or 503.", "store")
	storeFailed   = sectionStores.counter("store_failed_total", "Requests that a store did not answer.", "store")
	storeRetries  = sectionStores.counter("store_retries_total", "Requests that were repeated after a temporary failure.", "store")
	storeInFlight = sectionStores.gauge("store_requests_in_flight", "Requests to a store that are not answered yet.", "store")
	storeWaiting  = sectionStores.gauge("store_requests_waiting", "Requests that wait because the limit of concurrent requests is reached.", "store")
	storeLimit    = sectionStores.gauge("store_requests_in_flight_max", "Current limit of concurrent requests to a store. It grows while the store answers quickly, and halves when the store is overloaded.", "store")
)

type storeMetrics struct {
	requests *prometheus.CounterVec
	duration *prometheus.HistogramVec
}

func newStoreMetrics() storeMetrics {
	return storeMetrics{storeRequests.newCounters(), storeDuration.newHistograms(0.001, 2.5, 12)}
}

func (m *storeMetrics) collectors() []prometheus.Collector {
	return []prometheus.Collector{m.requests, m.duration}
}

// NamedStore is the part of a store named in the settings that metrics read.
type NamedStore struct {
	Name  string
	Stats func() throttle.Stats
}

// Stores exports the stores named in the settings.
func (m *Metrics) Stores(stores []NamedStore) {
	m.reads(func(emit emitter) error {
		for _, s := range stores {
			stats := s.Stats()
			emit(storeRefused, float64(stats.Refused), s.Name)
			emit(storeFailed, float64(stats.Failed), s.Name)
			emit(storeRetries, float64(stats.Retried), s.Name)
			emit(storeInFlight, float64(stats.InFlight), s.Name)
			emit(storeWaiting, float64(stats.Waiting), s.Name)
			emit(storeLimit, float64(stats.Limit), s.Name)
		}
		return nil
	}, storeRefused, storeFailed, storeRetries, storeInFlight, storeWaiting, storeLimit)
}

// StoreRequest returns the function that counts the requests sent to a store.
func (m *Metrics) StoreRequest(store string) func(operation string, took time.Duration) {
	return func(operation string, took time.Duration) {
		m.stores.requests.WithLabelValues(store, operation).Inc()
		m.stores.duration.WithLabelValues(store, operation).Observe(took.Seconds())
	}
}
