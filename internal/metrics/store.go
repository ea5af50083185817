package metrics

import "github.com/prometheus/client_golang/prometheus"

// StoreHealth is what metrics show of the store.
type StoreHealth struct {
	DiskFull     bool // writes are refused
	DamagedReads int  // reads that failed since the start because stored bytes are damaged
	DamagedIndex int  // files of the index with damaged blocks, met since the start
}

// Store shows the health of the store. health is asked each time the metrics
// are.
func (m *Metrics) Store(health func() StoreHealth) {
	gauge := func(name, help string, value func(StoreHealth) int) prometheus.Collector {
		return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, func() float64 { return float64(value(health())) })
	}
	m.registry.MustRegister(
		gauge("stocktake_disk_full", "1 while writes are refused because the disk is full, else 0.", func(h StoreHealth) int {
			if h.DiskFull {
				return 1
			}
			return 0
		}),
		gauge("stocktake_damaged_reads", "Reads of objects that failed since the start because stored bytes are damaged.", func(h StoreHealth) int { return h.DamagedReads }),
		gauge("stocktake_damaged_index_files", "Files of the index in which damaged blocks were met since the start.", func(h StoreHealth) int { return h.DamagedIndex }),
	)
}
