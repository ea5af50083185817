package inventory

import (
	"cmp"
	"context"
	"slices"

	"github.com/stocktake/stocktake"
)

// A Team is a [Runner] that makes runs together with other processes.
type Team interface {
	Runner

	// Work returns the machines and their tasks for the runs of a configuration, of a bucket if id
	// is empty, or of all buckets if bucket is empty, too.
	Work(ctx context.Context, bucket, id string) (stocktake.Work, error)
}

// Work returns the machines and their tasks for the runs of a configuration, of the bucket if id is
// empty, or of all buckets if bucket is empty, too. Errors: [stocktake.ErrNoSuchInventory] for an
// unknown id.
func (s *Service) Work(ctx context.Context, bucket, id string) (stocktake.Work, error) {
	if id != "" {
		if _, err := s.catalog.Configuration(ctx, bucket, id); err != nil {
			return stocktake.Work{}, err
		}
	}
	if t, ok := s.runner.(Team); ok {
		w, err := t.Work(ctx, bucket, id)
		for i := range w.Runs {
			w.Runs[i].Run = s.withProgress(w.Runs[i].Run)
		}
		return w, err
	}
	return s.ownWork(bucket, id), nil
}

// ownWork returns what Work returns if this process is the only one.
func (s *Service) ownWork(bucket, id string) stocktake.Work {
	machine := s.opts.Machine
	machine.Seen, machine.Scheduler = s.now(), true
	w := stocktake.Work{Machines: []stocktake.Machine{machine}, Runs: []stocktake.RunWork{}}
	asked := func(b, i string) bool { return (bucket == "" || b == bucket) && (id == "" || i == id) }
	for _, r := range s.Active() {
		if !asked(r.Bucket, r.Configuration) || r.State == stocktake.Queued || r.State.Ended() {
			continue
		}
		w.Runs = append(w.Runs, stocktake.RunWork{Run: r, Machine: machine.ID, Name: machine.Name, Tasks: []stocktake.RunTask{{
			Kind: stocktake.TaskRun, State: stocktake.TaskWorking, Attempt: r.Attempt, Machine: machine.ID, Name: machine.Name,
			Since: r.Started, Listed: r.Listed, Matched: r.Matched, Bytes: r.Bytes,
		}}})
	}
	slices.SortFunc(w.Runs, func(a, b stocktake.RunWork) int {
		return cmp.Or(a.Run.Queued.Compare(b.Run.Queued), cmp.Compare(a.Run.ID, b.Run.ID))
	})
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, q := range s.queue.all() {
		if asked(q.bucket, q.configuration) {
			w.Waiting++
		}
	}
	for _, q := range s.delayed {
		if asked(q.bucket, q.configuration) {
			w.Waiting++
		}
	}
	return w
}
