package inventory

import (
	"context"
	"fmt"

	"github.com/stocktake/stocktake"
)

// Suspend stops the scheduled runs of a configuration until Resume. A run in progress continues,
// and manual runs are possible. The configuration reads back unchanged.
func (s *Service) Suspend(ctx context.Context, bucket, id string) (stocktake.InventoryStatus, error) {
	return s.setSuspended(ctx, bucket, id, true)
}

// Resume ends a suspension. Missed full runs are not made up for. Missed windows are: the changes
// made meanwhile are reported in order.
func (s *Service) Resume(ctx context.Context, bucket, id string) (stocktake.InventoryStatus, error) {
	return s.setSuspended(ctx, bucket, id, false)
}

func (s *Service) setSuspended(ctx context.Context, bucket, id string, suspended bool) (stocktake.InventoryStatus, error) {
	e, err := s.catalog.EntryStatus(ctx, bucket, id)
	if err != nil {
		return stocktake.InventoryStatus{}, err
	}
	if e.Suspended != suspended {
		e.Suspended = suspended
		s.plan(&e.Entry, s.now())
		if err := s.catalog.SetDue(ctx, e.Entry); err != nil {
			return stocktake.InventoryStatus{}, err
		}
		s.wakeAt(e.Wake)
		if reportsChanges(&e.Configuration) {
			s.resumeWindows()
		}
	}
	return s.status(ctx, &e, s.newWarner(bucket)), nil
}

// Check makes the checks of a run without starting one. If none fails, a [Prober] writes a file to
// the destination and removes it. Failures are among the warnings.
func (s *Service) Check(ctx context.Context, bucket, id string) (stocktake.InventoryStatus, error) {
	e, err := s.catalog.EntryStatus(ctx, bucket, id)
	if err != nil {
		return stocktake.InventoryStatus{}, err
	}
	st := s.status(ctx, &e, s.newWarner(bucket))
	p, ok := s.runner.(Prober)
	if len(st.Warnings) > 0 || !ok {
		return st, nil
	}
	if err := p.Probe(ctx, bucket, &e.Configuration); err != nil {
		if ctx.Err() != nil {
			return st, ctx.Err()
		}
		st.Warnings = append(st.Warnings, Reason(err, &e.Configuration))
	}
	return st, nil
}

// MaxRetention bounds the numbers of a [stocktake.Retention].
const MaxRetention = 1_000_000

// Retain sets which reports of a configuration are kept. It takes effect after the next run that
// succeeds. Errors: [*stocktake.InvalidArgumentError] for a number that is negative or above
// [MaxRetention], [stocktake.ErrNoSuchInventory].
func (s *Service) Retain(ctx context.Context, bucket, id string, r stocktake.Retention) (stocktake.InventoryStatus, error) {
	for _, n := range []struct {
		name  string
		value int
	}{{"reports", r.Reports}, {"days", r.Days}} {
		if n.value < 0 || n.value > MaxRetention {
			return stocktake.InventoryStatus{}, &stocktake.InvalidArgumentError{
				Element: n.name, Value: fmt.Sprint(n.value), Reason: fmt.Sprintf("0 to %d", MaxRetention),
			}
		}
	}
	if err := s.catalog.SetRetention(ctx, bucket, id, r); err != nil {
		return stocktake.InventoryStatus{}, err
	}
	e, err := s.catalog.EntryStatus(ctx, bucket, id)
	if err != nil {
		return stocktake.InventoryStatus{}, err
	}
	return s.status(ctx, &e, s.newWarner(bucket)), nil
}
