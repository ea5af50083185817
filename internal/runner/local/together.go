package local

import (
	"context"
	"sync"

	"github.com/stocktake/stocktake/internal/engine"
	"github.com/stocktake/stocktake/internal/inventory"
)

// RunTogether implements [inventory.Sharer]: tasks whose roles list the bucket in the
// same way share a listing.
func (r *Runner) RunTogether(contexts []context.Context, tasks []inventory.Task, ended func(task int, o inventory.Outcome, err error)) {
	var all sync.WaitGroup
	defer all.Wait()
	groups := map[string][]int{}
	for i := range tasks {
		listing := r.Stores.ListingKey(tasks[i].Run.Bucket, &tasks[i].Configuration)
		if listing != "" {
			groups[listing] = append(groups[listing], i)
			continue
		}
		all.Go(func() {
			o, err := r.Run(contexts[i], tasks[i])
			ended(i, o, err)
		})
	}
	for _, group := range groups {
		all.Go(func() { r.runGroup(contexts, tasks, group, ended) })
	}
}

// runGroup makes the runs of tasks that share a listing.
func (r *Runner) runGroup(contexts []context.Context, tasks []inventory.Task, group []int, ended func(task int, o inventory.Outcome, err error)) {
	var src engine.Source
	var members []engine.Member
	for _, i := range group {
		t := &tasks[i]
		source, err := r.Stores.Source(contexts[i], t.Run.Bucket, &t.Configuration)
		if err != nil {
			ended(i, inventory.Outcome{}, err)
			continue
		}
		dst, err := r.Stores.Destination(contexts[i], &t.Configuration)
		if err != nil {
			ended(i, inventory.Outcome{}, err)
			continue
		}
		src = source
		members = append(members, engine.Member{
			Context: contexts[i], Destination: dst, Job: r.job(t), Options: r.options(t),
			Ended: func(o engine.Outcome) {
				if o.Err != nil {
					ended(i, inventory.Outcome{}, o.Err)
				} else {
					ended(i, OutcomeOf(&o.Result), nil)
				}
			},
		})
	}
	if len(members) > 0 {
		engine.RunTogether(context.Background(), src, members)
	}
}
