package cluster

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivertype"
)

// The kinds of tasks, as in the table.
const (
	planKind    = "plan"
	sliceKind   = "slice"
	sumKind     = "sum"
	publishKind = "publish"
)

// The queues of River. Slices have a queue of their own, so that planning and
// publishing never wait for slices.
const (
	sliceQueue  = "slices"
	reportQueue = "reports"
)

// reportSlots is how many tasks other than slices a process carries out at once.
const reportSlots = 4

// A call is the content of a job: which attempt at which task to begin.
type call struct {
	Task       int64 `json:"task"`
	Generation int   `json:"generation"`
}

// The arguments of jobs, one type for each kind. River keeps the kind with the
// job: renaming one loses the jobs of earlier versions.
type (
	planCall    struct{ call }
	sliceCall   struct{ call }
	sumCall     struct{ call }
	publishCall struct{ call }
)

func (planCall) Kind() string    { return "stocktake_plan" }
func (sliceCall) Kind() string   { return "stocktake_slice" }
func (sumCall) Kind() string     { return "stocktake_sum" }
func (publishCall) Kind() string { return "stocktake_publish" }

// jobOf returns the job for an attempt at a task.
func jobOf(kind string, c call) river.InsertManyParams {
	p := river.InsertManyParams{InsertOpts: &river.InsertOpts{Queue: reportQueue, MaxAttempts: 1}}
	switch kind {
	case planKind:
		p.Args = planCall{c}
	case sumKind:
		p.Args = sumCall{c}
	case publishKind:
		p.Args = publishCall{c}
	default:
		p.Args, p.InsertOpts.Queue = sliceCall{c}, sliceQueue
	}
	return p
}

// Limits of jobs. A job is only a wake-up, and its result means nothing, so River
// never retries one. River discards jobs that are stuck because a process has died.
const (
	jobTimeout = 30 * time.Minute // of what does not end by itself
	stuckAfter = jobTimeout + time.Minute
	keepEnded  = time.Hour
	fetchPause = 50 * time.Millisecond // between two fetches of a process at least
	snooze     = time.Second           // of a slice that a process without a slot leaves to others
)

// newClient returns a client of River, which carries out jobs if fetched is not nil:
// it is called with the name of a queue after each fetch of its jobs. Each process
// knows all kinds of jobs, whatever it carries out, because a leader discards stuck
// jobs of unknown kinds.
func (r *Runner) newClient(fetched func(queue string)) (*river.Client[pgx.Tx], error) {
	workers := river.NewWorkers()
	river.AddWorker(workers, river.WorkFunc(func(ctx context.Context, j *river.Job[planCall]) error { return r.work(ctx, j.Args.call) }))
	river.AddWorker(workers, river.WorkFunc(func(ctx context.Context, j *river.Job[sliceCall]) error {
		if !r.claims(ctx, j.Args.Task) {
			return river.JobSnooze(snooze)
		}
		return r.work(ctx, j.Args.call)
	}))
	river.AddWorker(workers, river.WorkFunc(func(ctx context.Context, j *river.Job[sumCall]) error { return r.work(ctx, j.Args.call) }))
	river.AddWorker(workers, river.WorkFunc(func(ctx context.Context, j *river.Job[publishCall]) error { return r.work(ctx, j.Args.call) }))
	cfg := &river.Config{
		ID: r.id, Workers: workers, MaxAttempts: 1, JobTimeout: jobTimeout, FetchCooldown: fetchPause, RescueStuckJobsAfter: stuckAfter,
		CompletedJobRetentionPeriod: keepEnded, DiscardedJobRetentionPeriod: keepEnded, CancelledJobRetentionPeriod: keepEnded,
		Logger: slog.New(queueLog{r.log.Handler(), r.outage}),
	}
	if fetched != nil {
		cfg.Queues = map[string]river.QueueConfig{sliceQueue: {MaxWorkers: r.opts.Slots}, reportQueue: {MaxWorkers: reportSlots}}
		cfg.Hooks = []rivertype.Hook{river.HookMetricEmitFunc(func(_ context.Context, p *rivertype.HookMetricEmitParams) {
			if m, ok := p.Metric.(*rivertype.JobGetAvailableCountMetric); ok {
				fetched(m.Queue)
			}
		})}
	}
	c, err := river.NewClient(riverpgxv5.New(r.db.Pool()), cfg)
	if err != nil {
		return nil, fmt.Errorf("open the queue: %w", err)
	}
	return c, nil
}
