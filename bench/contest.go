package main

import (
	"context"
	"fmt"
	"time"

	"github.com/stocktake/stocktake/bench/measure"
)

// A contest measures ways to the same rows, each by the time it takes.
type contest struct {
	*measurement
	rows   int
	rounds int
	found  []*entrant // those measured, in the order of the first round
}

// An entrant is one of the compared ways to get the rows.
type entrant struct {
	name string
	says string     // what it does with which settings
	ours []*entrant // what its time is held against; empty: it is one of ours
	once func(ctx context.Context) (execution, error)

	times []time.Duration
	cpus  []time.Duration // empty: not known
}

// An execution is one execution of an entrant.
type execution struct {
	took   time.Duration
	cpu    time.Duration // of all its processes; 0: not known
	stored int64         // bytes that it wrote
	rows   int
}

// measure runs the entrants in turn, so that what else the machine does at a
// time is shared by all. Each begins with an idle disk, so that unsynced data of
// the one before is not written while it is measured.
func (c *contest) measure(ctx context.Context, entrants ...*entrant) error {
	c.found = append(c.found, entrants...)
	for range c.rounds {
		for _, e := range entrants {
			if err := measure.Settle(c.work); err != nil {
				return err
			}
			did, err := e.once(ctx)
			if err != nil {
				return fmt.Errorf("%s: %w", e.name, err)
			}
			if did.rows != c.rows {
				return fmt.Errorf("%s: %d of %d rows", e.name, did.rows, c.rows)
			}
			e.times = append(e.times, did.took)
			figures := []measure.Figure{perSecond(c.rows, did.took, "objects")}
			if did.cpu > 0 {
				e.cpus = append(e.cpus, did.cpu)
				figures = append(figures, cpuSeconds(did.cpu))
			}
			figures = append(figures, measure.Figure{Value: float64(did.stored) / float64(c.rows), Unit: "stored-B/row"})
			c.add(fmt.Sprintf("%s/objects=%d", e.name, c.rows), did.took, figures...)
		}
	}
	return nil
}

// compare computes the ratios: the time of an entrant over ours. Ratios over later
// entrants of ours also have the name of that entrant.
func (c *contest) compare() {
	for _, e := range c.found {
		for i, ours := range e.ours {
			name := e.name
			if i > 0 {
				name += "/over=" + ours.name
			}
			c.addRatio(name, measure.Median(e.times).Seconds()/measure.Median(ours.times).Seconds(),
				fmt.Sprintf("time of %s, over time of %s; medians of %d", e.says, ours.says, c.rounds))
			if len(e.cpus) == c.rounds && len(ours.cpus) == c.rounds {
				c.addRatio(name+"/cpu", measure.Median(e.cpus).Seconds()/measure.Median(ours.cpus).Seconds(),
					fmt.Sprintf("processor time of %s, over that of %s; medians of %d", e.says, ours.says, c.rounds))
			}
		}
	}
}

// makeRun makes a run of all columns on a server, as an entrant.
func makeRun(ctx context.Context, s *lakeServer) (execution, error) {
	run, err := s.inventory(ctx)
	return execution{took: run.took, cpu: run.used.CPU, stored: run.Written, rows: int(run.Matched)}, err
}
