package sqlite

import (
	"slices"
	"sync"

	"github.com/stocktake/stocktake"
)

// memoSize is how many documents a memo remembers at least, and half of how
// many at most: some 20 MB of usual ones.
const memoSize = 8192

// A memo remembers what documents parse to: parsing is two thirds of the cost of
// reading a page. It is right for ever, as nothing but the document matters. The
// zero value is ready.
type memo struct {
	mu         sync.Mutex
	young, old map[string]stocktake.InventoryConfiguration // by document; when young is full it becomes old
}

func (m *memo) parse(document []byte) (stocktake.InventoryConfiguration, error) {
	if cfg, ok := m.get(document); ok {
		return clone(cfg), nil
	}
	cfg, err := stocktake.ParseInventoryConfiguration(document)
	if err != nil {
		return cfg, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.add(string(document), cfg)
	return clone(cfg), nil
}

func (m *memo) get(document []byte) (stocktake.InventoryConfiguration, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	cfg, ok := m.young[string(document)]
	if ok {
		return cfg, true
	}
	if cfg, ok = m.old[string(document)]; ok {
		m.add(string(document), cfg)
	}
	return cfg, ok
}

func (m *memo) add(document string, cfg stocktake.InventoryConfiguration) {
	if m.young == nil || len(m.young) >= memoSize {
		m.young, m.old = make(map[string]stocktake.InventoryConfiguration), m.young
	}
	m.young[document] = cfg
}

// clone copies a configuration, so that what a caller does with it stays with
// the caller.
func clone(c stocktake.InventoryConfiguration) stocktake.InventoryConfiguration {
	c.OptionalFields = slices.Clone(c.OptionalFields)
	c.Filter.StorageClass = slices.Clone(c.Filter.StorageClass)
	if c.Schedule.AutoDelete != nil {
		c.Schedule.AutoDelete = new(*c.Schedule.AutoDelete)
	}
	if c.Incremental != nil {
		c.Incremental = new(*c.Incremental)
		c.Incremental.OptionalFields = slices.Clone(c.Incremental.OptionalFields)
	}
	return c
}
