package experiment

import (
	"context"
	"fmt"
	"time"

	"github.com/stocktake/stocktake/bench/internal/measure"
)

// A Contest measures ways to the same rows, each by the time it takes.
type Contest struct {
	*Experiment
	Rows   int
	Rounds int
	found  []*Entrant // those measured, in the order of the first round
}

// An Entrant is one of the compared ways to get the rows.
type Entrant struct {
	Name string
	Says string     // what it does with which settings
	Ours []*Entrant // the entrants of this project that its time is divided by; empty: it is one of them
	Once func(ctx context.Context) (Execution, error)

	times []time.Duration
	CPUs  []time.Duration // empty: not known
}

// An Execution is one execution of an entrant.
type Execution struct {
	Took   time.Duration
	CPU    time.Duration // of all its processes; 0: not known
	Stored int64         // bytes that it wrote
	Rows   int
}

// Measure runs the entrants in turn, so that what else the machine does at a
// time is shared by all. Each begins with an idle disk, so that unsynced data of
// the one before is not written while it is measured.
func (c *Contest) Measure(ctx context.Context, entrants ...*Entrant) error {
	c.found = append(c.found, entrants...)
	for range c.Rounds {
		for _, e := range entrants {
			if err := measure.Settle(c.Work); err != nil {
				return err
			}
			did, err := e.Once(ctx)
			if err != nil {
				return fmt.Errorf("%s: %w", e.Name, err)
			}
			if did.Rows != c.Rows {
				return fmt.Errorf("%s: %d of %d rows", e.Name, did.Rows, c.Rows)
			}
			e.times = append(e.times, did.Took)
			figures := []measure.Figure{PerSecond(c.Rows, did.Took, "objects")}
			if did.CPU > 0 {
				e.CPUs = append(e.CPUs, did.CPU)
				figures = append(figures, CPUSeconds(did.CPU))
			}
			figures = append(figures, measure.Figure{Value: float64(did.Stored) / float64(c.Rows), Unit: "stored-B/row"})
			c.Add(fmt.Sprintf("%s/objects=%d", e.Name, c.Rows), did.Took, figures...)
		}
	}
	return nil
}

// Compare computes the ratios: the time of an entrant over that of each in Ours. Ratios
// over the second and later ones also have their name.
func (c *Contest) Compare() {
	for _, e := range c.found {
		for i, ours := range e.Ours {
			name := e.Name
			if i > 0 {
				name += "/over=" + ours.Name
			}
			c.AddRatio(name, measure.Median(e.times).Seconds()/measure.Median(ours.times).Seconds(),
				fmt.Sprintf("time of %s, over time of %s; medians of %d", e.Says, ours.Says, c.Rounds))
			if len(e.CPUs) == c.Rounds && len(ours.CPUs) == c.Rounds {
				c.AddRatio(name+"/cpu", measure.Median(e.CPUs).Seconds()/measure.Median(ours.CPUs).Seconds(),
					fmt.Sprintf("processor time of %s, over that of %s; medians of %d", e.Says, ours.Says, c.Rounds))
			}
		}
	}
}
