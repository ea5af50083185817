package metrics

import (
	"slices"

	"github.com/prometheus/client_golang/prometheus"
)

// A kind is the type of a metric as Prometheus names it.
type kind string

const (
	counter   kind = "counter"
	gauge     kind = "gauge"
	histogram kind = "histogram"
)

// A definition is one metric and its line in docs/metrics.md.
type definition struct {
	name    string
	kind    kind
	help    string
	labels  []string
	section string
	desc    *prometheus.Desc
}

// definitions are all metrics of the server in the order of docs/metrics.md, except
// those of the Go runtime and the process.
var definitions []*definition

// A section collects the definitions that follow each other in docs/metrics.md.
type section string

// counter defines a metric that only grows, and restarts at 0 with the server.
func (s section) counter(name, help string, labels ...string) *definition {
	return s.define(counter, name, help, labels)
}

// gauge defines a metric that shows a current value.
func (s section) gauge(name, help string, labels ...string) *definition {
	return s.define(gauge, name, help, labels)
}

// histogram defines a metric of observations.
func (s section) histogram(name, help string, labels ...string) *definition {
	return s.define(histogram, name, help, labels)
}

func (s section) define(k kind, name, help string, labels []string) *definition {
	d := &definition{
		name: "stocktake_" + name, kind: k, help: help, labels: labels, section: string(s),
		desc: prometheus.NewDesc("stocktake_"+name, help, labels, nil),
	}
	definitions = append(definitions, d)
	return d
}

func (d *definition) opts() prometheus.Opts { return prometheus.Opts{Name: d.name, Help: d.help} }

func (d *definition) newCounter() prometheus.Counter {
	return prometheus.NewCounter(prometheus.CounterOpts(d.opts()))
}

func (d *definition) newCounters() *prometheus.CounterVec {
	return prometheus.NewCounterVec(prometheus.CounterOpts(d.opts()), d.labels)
}

// newHistograms returns a histogram whose n buckets end at from, from*factor and so
// on.
func (d *definition) newHistograms(from, factor float64, n int) *prometheus.HistogramVec {
	return prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: d.name, Help: d.help, Buckets: prometheus.ExponentialBuckets(from, factor, n),
	}, d.labels)
}

// value returns a metric with a value that was read.
func (d *definition) value(v float64, labels ...string) prometheus.Metric {
	t := prometheus.GaugeValue
	if d.kind == counter {
		t = prometheus.CounterValue
	}
	return prometheus.MustNewConstMetric(d.desc, t, v, labels...)
}

// An emitter takes the values of a reading.
type emitter func(d *definition, v float64, labels ...string)

// A reading is a collector of metrics that are read at each request for metrics.
type reading struct {
	of   []*definition // errors are reported under the first
	read func(emit emitter) error
}

// Describe implements [prometheus.Collector].
func (r *reading) Describe(descs chan<- *prometheus.Desc) {
	for _, d := range r.of {
		descs <- d.desc
	}
}

// Collect implements [prometheus.Collector]. If the reading fails, the values that
// it has not emitted are missing from the answer.
func (r *reading) Collect(metrics chan<- prometheus.Metric) {
	err := r.read(func(d *definition, v float64, labels ...string) {
		if !slices.Contains(r.of, d) {
			panic("metrics: " + d.name + " is not of this reading") // a mistake of this package
		}
		metrics <- d.value(v, labels...)
	})
	if err != nil {
		metrics <- prometheus.NewInvalidMetric(r.of[0].desc, err)
	}
}

// reads registers metrics that are read at each request for metrics.
func (m *Metrics) reads(read func(emit emitter) error, of ...*definition) {
	m.registry.MustRegister(&reading{of, read})
}

// number is 1 for true.
func number(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
