package cluster

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/stocktake/stocktake/internal/catalog/relational"
	"github.com/stocktake/stocktake/internal/engine"
)

// resultsAtOnce is how many tasks' results are in memory while a run is summed up.
// Each takes up to some hundred kilobytes, most of it the roll-up.
const resultsAtOnce = 32

// runPlan returns the plan of a run.
func (r *Runner) runPlan(ctx context.Context, run string) (o engine.RunPlan, err error) {
	var text []byte
	if err := r.db.Row(ctx, []any{&text}, `SELECT outline FROM works WHERE run = $1`, run); err != nil {
		return o, err
	}
	err = json.Unmarshal(text, &o)
	return o, err
}

// results are the results of a run's slices in the database. They implement
// [engine.Results].
type results struct {
	r     *Runner
	run   string
	where []struct { // of each result
		task int64
		n    int // among those of the task
	}
}

const (
	nextResults = `SELECT id, result FROM tasks WHERE run = $1 AND kind = 'slice' AND done = 1 AND id > $2 ORDER BY id LIMIT $3`
	someResults = `SELECT id, result FROM tasks WHERE run = $1 AND kind = 'slice' AND done = 1 AND id = ANY ($2)`
)

// each calls yield with the stored results of tasks, and returns how many tasks there
// are.
func (s *results) each(ctx context.Context, yield func(task int64, text []byte) error, query string, args ...any) (n int, err error) {
	err = s.r.db.Rows(ctx, query, func(scan relational.Scanner) error {
		var task int64
		var text []byte
		if err := scan(&task, &text); err != nil {
			return err
		}
		n++
		return yield(task, text)
	}, append([]any{s.run}, args...)...)
	return n, err
}

// Reaches implements [engine.Results].
func (s *results) Reaches(ctx context.Context, yield func(engine.Reach) error) error {
	s.where = nil
	for after, n := int64(0), resultsAtOnce; n == resultsAtOnce; {
		var err error
		n, err = s.each(ctx, func(task int64, text []byte) error {
			after = task
			var reaches []engine.Reach
			if err := json.Unmarshal(text, &reaches); err != nil {
				return fmt.Errorf("the results of task %d: %w", task, err)
			}
			for i := range reaches {
				s.where = append(s.where, struct {
					task int64
					n    int
				}{task, i})
				if err := yield(reaches[i]); err != nil {
					return err
				}
			}
			return nil
		}, nextResults, after, resultsAtOnce)
		if err != nil {
			return err
		}
	}
	return nil
}

// InOrder implements [engine.Results].
func (s *results) InOrder(ctx context.Context, numbers []int, yield func(*engine.SliceResult) error) error {
	for len(numbers) > 0 {
		tasks := map[int64][]byte{}
		var ids []int64
		n := 0
		for ; n < len(numbers); n++ {
			id := s.where[numbers[n]].task
			if _, there := tasks[id]; there {
				continue
			}
			if len(ids) == resultsAtOnce {
				break
			}
			ids = append(ids, id)
			tasks[id] = nil
		}
		if _, err := s.each(ctx, func(task int64, text []byte) error { tasks[task] = text; return nil }, someResults, ids); err != nil {
			return err
		}
		if err := s.yield(tasks, numbers[:n], yield); err != nil {
			return err
		}
		numbers = numbers[n:]
	}
	return nil
}

// yield decodes the results of the given numbers; each task's results only once while
// they are next to each other.
func (s *results) yield(tasks map[int64][]byte, numbers []int, yield func(*engine.SliceResult) error) error {
	var decoded []engine.SliceResult
	last := int64(-1)
	for _, number := range numbers {
		at := s.where[number]
		if at.task != last {
			if tasks[at.task] == nil {
				return fmt.Errorf("the results of task %d are gone: %w", at.task, errLost)
			}
			decoded = nil
			if err := json.Unmarshal(tasks[at.task], &decoded); err != nil {
				return fmt.Errorf("the results of task %d: %w", at.task, err)
			}
			last = at.task
		}
		if err := yield(&decoded[at.n]); err != nil {
			return err
		}
	}
	return nil
}
