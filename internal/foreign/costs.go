package foreign

import (
	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/engine"
	"github.com/stocktake/stocktake/internal/throttle"
)

// Costs returns the cost of the columns of a report on a bucket of the store. It
// makes no request.
func (s *Store) Costs(columns []stocktake.Field) engine.Costs {
	c := engine.Costs{
		PerObject: s.Default().RequestsPerObject(columns),
		PerSecond: s.settings.Limits.PerSecond, Concurrency: s.settings.Limits.Concurrency,
	}
	if c.Concurrency == 0 {
		c.Concurrency = throttle.DefaultConcurrency
	}
	for _, f := range columns {
		switch s.Default().Availability(f) {
		case engine.Unavailable:
			c.Unavailable = append(c.Unavailable, f)
		case engine.Fetched:
			c.Fetched = append(c.Fetched, f)
		}
	}
	return c
}
