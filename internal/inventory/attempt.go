package inventory

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/logs"
	"github.com/stocktake/stocktake/internal/tracing"
)

// Causes of the early end of an attempt. Any other end of its context is the shutdown of the
// service.
var (
	errCancelled = errors.New("the run was cancelled")
	errDeleted   = errors.New("the configuration was deleted")
)

// errUnwanted ends the run of a window whose configuration was replaced by one
// without incremental reports.
var errUnwanted = errors.New("the configuration no longer asks for incremental reports")

// GivenUp reports whether the context of [Runner.Run] has ended together with the run: the run was
// cancelled, or its configuration deleted. Otherwise another attempt follows.
func GivenUp(ctx context.Context) bool {
	cause := context.Cause(ctx)
	return errors.Is(cause, errCancelled) || errors.Is(cause, errDeleted)
}

// An attempt is an attempt of a run that is in progress.
type attempt struct {
	waiting
	ctx    context.Context // of this attempt; ends with execute
	cancel context.CancelCauseFunc
	span   *tracing.Span      // of the attempt; nil: it is not traced
	done   chan struct{}      // closed when the run has ended or is left for a later attempt
	saved  stocktake.Progress // last progress that Serve wrote to the catalog

	mu        sync.Mutex
	run       stocktake.Run // as the catalog has it
	follow    func() stocktake.Progress
	recording bool // its report is recorded, or about to be, so it can no longer be cancelled
	ending    bool // its end is recorded, or about to be
}

func newAttempt(ctx context.Context, w waiting) *attempt {
	a := &attempt{waiting: w, done: make(chan struct{})}
	ctx = logs.With(ctx, slog.String("run", w.id), slog.String("configuration", w.configuration))
	ctx, a.span = tracing.Start(w.parent.Under(ctx), "run")
	a.span.Set("stocktake.run", w.id)
	a.span.Set("stocktake.bucket", w.bucket)
	a.span.Set("stocktake.configuration", w.configuration)
	a.ctx, a.cancel = context.WithCancelCause(ctx)
	return a
}

// now returns the run with its progress; false if it has not started.
func (a *attempt) now() (stocktake.Run, bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	r := a.run
	if a.follow != nil {
		expected := r.Expected
		if r.Progress = a.follow(); r.Expected == 0 {
			r.Expected = expected
		}
	}
	return r, a.run.State != ""
}

// attemptNumber returns the number of the attempt; 0 if it has not started.
func (a *attempt) attemptNumber() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.run.Attempt
}

// cancelRun ends the attempt because its end was requested. Once its report is
// recorded it continues: any process that takes the run would publish the report.
func (a *attempt) cancelRun() {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !a.recording {
		a.cancel(errCancelled)
	}
}

// abandon ends the attempt because another process has taken its run, unless its end is recorded in
// the catalog, or about to be.
func (a *attempt) abandon() {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !a.ending {
		a.cancel(errTaken)
	}
}

// replace replaces the run in the catalog by the result of change.
func (a *attempt) replace(s *Service, change func(*stocktake.Run), write func(context.Context, stocktake.Run, Fence) error) error {
	r, _ := a.now()
	fence := s.fence(&r)
	change(&r)
	if err := s.retryUntilDone(a.ctx, func(ctx context.Context) error { return write(ctx, r, fence) }); err != nil {
		return err
	}
	a.mu.Lock()
	a.run = r
	a.mu.Unlock()
	s.opts.Observer.RunChanged(r)
	return nil
}

// record moves the run to Publishing and records its report. If the
// configuration was deleted, or the run cancelled or taken, the catalog no longer
// has the run as it was, and nothing is published.
//
// The change need not survive a crash of the machine: the next attempt finds the shards of this one
// and the published files. A run without shards leaves nothing to find, so its start must be
// durable before its report is visible.
func (a *attempt) record(s *Service, report []byte) (recorded []byte, err error) {
	a.mu.Lock()
	a.recording = true // from here on the attempt is not cancelled
	err = a.ctx.Err()
	a.mu.Unlock()
	if err == nil {
		err = a.replace(s, func(r *stocktake.Run) { r.State = stocktake.Publishing }, func(ctx context.Context, r stocktake.Run, fence Fence) error {
			// If this run fails, another run publishes the window.
			recorded, err = s.catalog.PublishRun(ctx, r, fence, report, r.Shards == 0 || r.Kind == stocktake.IncrementalRun)
			return err
		})
	}
	if err != nil {
		a.mu.Lock()
		a.recording = false
		a.mu.Unlock()
	}
	return recorded, err
}

// execute makes one attempt. When it returns, the run has ended, or was removed with its
// configuration, or the service is shutting down and the run will restart.
func (s *Service) execute(a *attempt) {
	defer a.cancel(nil)
	var outcome Outcome
	cfg, task, err := s.begin(a)
	if err == nil {
		if task, err = s.task(a, task); err == nil {
			outcome, err = s.runner.Run(a.ctx, task)
		}
	}
	s.finish(a, &cfg, outcome, err)
}

// begin reads the task of the attempt and records its start.
func (s *Service) begin(a *attempt) (cfg stocktake.InventoryConfiguration, task Task, err error) {
	if s.deleted.has(a.bucket) {
		return cfg, task, stocktake.ErrNoSuchInventory // others need the place until the catalog has removed the run
	}
	var r stocktake.Run
	var expected int64
	unwanted := false // the configuration no longer has incremental reports
	replaced := false
	err = s.retryUntilDone(a.ctx, func(ctx context.Context) (err error) {
		if r, err = s.catalog.Run(ctx, a.id); err != nil {
			return err
		}
		if cfg, err = s.catalog.RunConfiguration(ctx, a.id); err != nil {
			return err
		}
		task.Window, task.Recorded, err = s.windowTask(ctx, &r)
		if unwanted = errors.Is(err, stocktake.ErrNoSuchInventory); unwanted {
			return nil
		}
		if err != nil {
			return err
		}
		if replaced, err = s.replacedSince(ctx, &r, &cfg); err != nil {
			return err
		}
		if r.Attempt > 1 {
			recorded, err := s.catalog.RecordedReport(ctx, a.id)
			if err != nil {
				return err
			}
			if recorded != nil {
				task.Recorded = recorded
			}
		}
		expected, err = s.catalog.LastListed(ctx, a.bucket, a.configuration, r.Kind)
		return err
	})
	if err == nil && r.State != stocktake.Queued {
		err = stocktake.ErrNoSuchRun // cancelled while it waited
	}
	if err != nil {
		return cfg, task, err
	}
	a.mu.Lock()
	a.run = r
	a.mu.Unlock()
	switch {
	case unwanted:
		return cfg, task, errUnwanted
	case replaced && task.Recorded == nil:
		return cfg, task, fmt.Errorf("%w; %s", errReplaced, r.Reason)
	}
	task.Configuration = cfg
	return cfg, task, a.replace(s, func(r *stocktake.Run) {
		r.State, r.Started = stocktake.Scanning, s.now()
		r.Progress = stocktake.Progress{Expected: max(expected, 0)}
	}, s.catalog.StartRun)
}

// task completes the task that begin has started to fill.
func (s *Service) task(a *attempt, t Task) (Task, error) {
	if err := s.mayReport(a.ctx, a.bucket, &t.Configuration); err != nil {
		return Task{}, err
	}
	r, _ := a.now()
	s.log.Info("run started", "bucket", r.Bucket, "configuration", r.Configuration, "run", r.ID, "attempt", r.Attempt,
		"trigger", r.Trigger, "due", r.Due)
	t.Run = r
	t.Follow = func(progress func() stocktake.Progress) {
		a.mu.Lock()
		defer a.mu.Unlock()
		a.follow = progress
	}
	t.Record = func(_ context.Context, report []byte) ([]byte, error) { return a.record(s, report) }
	return t, nil
}

// finish records the result of the attempt.
func (s *Service) finish(a *attempt, cfg *stocktake.InventoryConfiguration, outcome Outcome, err error) {
	defer a.span.End(nil)
	cause := context.Cause(a.ctx)
	if errors.Is(cause, errCancelled) {
		s.reread(a)
	}
	r, begun := a.now()
	gone := errors.Is(cause, errDeleted) || errors.Is(err, stocktake.ErrNoSuchRun) || errors.Is(err, stocktake.ErrNoSuchInventory)
	switch {
	case err == nil:
		r.State, r.Progress, r.Manifest = stocktake.Succeeded, outcome.Progress, outcome.Manifest
	case gone:
		s.log.Info("run dropped: configuration deleted or run cancelled", "bucket", a.bucket, "configuration", a.configuration, "run", a.id)
		return
	case errors.Is(cause, errTaken):
		s.log.Warn("run lost: its lease expired and another process has taken it", "bucket", a.bucket, "configuration", a.configuration, "run", a.id)
		return
	case errors.Is(err, errUnwanted):
		r.State, r.Reason = stocktake.Cancelled, errUnwanted.Error()
	case errors.Is(cause, errCancelled) && begun:
		r.State, r.Reason = stocktake.Cancelled, "it was cancelled on request"
	case cause != nil || !begun:
		s.log.Info("run interrupted; it restarts with the server", "bucket", a.bucket, "configuration", a.configuration, "run", a.id)
		if cause != nil {
			s.release(a.id) // it does not wait for the ends of others
		}
		return
	case s.retry(a, cfg, r, err):
		return
	default:
		r.State, r.Reason = stocktake.Failed, Reason(err, cfg)
	}
	a.span.Set("stocktake.state", string(r.State))
	a.span.SetInt("stocktake.attempt", int64(r.Attempt))
	a.span.SetInt("stocktake.listed", r.Listed)
	if r.State == stocktake.Failed {
		a.span.Fail(r.Reason)
	}
	a.mu.Lock()
	a.ending = true
	fence := s.fence(&a.run)
	a.mu.Unlock()
	kept := r.State == stocktake.Failed && r.Kind == stocktake.FullRun && (MayPass(err) || errors.Is(err, errReplaced))
	r.Ended, r.Key = s.now(), ""
	remove := r.State == stocktake.Succeeded && r.Kind == stocktake.FullRun && removesItself(cfg)

	// Record the end of a run even during a shutdown.
	how := runEnd{remove: remove, outcome: outcome, forget: r.State == stocktake.Cancelled || errors.Is(err, ErrWindowLost)}
	err = s.retryUntilDone(context.WithoutCancel(a.ctx), func(ctx context.Context) error {
		return s.endRun(ctx, r, fence, how)
	})
	switch {
	case errors.Is(err, stocktake.ErrNoSuchRun):
		s.log.Info("result of a run dropped: its configuration was deleted or another process has taken the run", append(runAttrs(&r), "state", r.State)...)
	case err == nil && kept:
		s.cleanInterrupted(context.WithoutCancel(a.ctx), r, *cfg)
	case err == nil && r.State == stocktake.Succeeded && r.Kind == stocktake.FullRun && !remove:
		s.removeReports(a, cfg, r.Manifest)
	case err != nil:
		s.doubt.Store(true)
		s.log.Error("cannot record the end of a run; it restarts with the server, which finds the published report",
			append(runAttrs(&r), "state", r.State, "err", err)...)
	}
}

// reread reads the run of an attempt that was cancelled before it had read its run,
// so that its end can be recorded.
func (s *Service) reread(a *attempt) {
	if _, begun := a.now(); begun {
		return
	}
	err := s.retryUntilDone(context.WithoutCancel(a.ctx), func(ctx context.Context) error {
		r, err := s.catalog.Run(ctx, a.id)
		if err != nil || r.State != stocktake.Queued {
			return err
		}
		a.mu.Lock()
		defer a.mu.Unlock()
		a.run = r
		return nil
	})
	if err != nil && !errors.Is(err, stocktake.ErrNoSuchRun) {
		s.log.Warn("cannot read a cancelled run", "bucket", a.bucket, "configuration", a.configuration, "run", a.id, "err", err)
	}
}

func removesItself(cfg *stocktake.InventoryConfiguration) bool {
	d := cfg.Schedule.AutoDelete
	return cfg.Schedule.Frequency == stocktake.Once && d != nil && *d
}

// patience is how long a service that is shutting down tries to write to a failing catalog.
const patience = 5 * time.Second

// retryUntilDone repeats a step of the catalog until the catalog works or ctx ends, so that a disk that is
// full for a while does not lose a run. If ctx cannot end, it stops once the service has been
// shutting down for patience.
//
// The pauses use the real clock, since a moved clock waits for the run.
func (s *Service) retryUntilDone(ctx context.Context, step func(context.Context) error) error {
	var pause backoff
	for {
		err := step(ctx)
		if err == nil || ctx.Err() != nil ||
			errors.Is(err, stocktake.ErrNoSuchRun) || errors.Is(err, stocktake.ErrNoSuchInventory) {
			return err
		}
		wait := pause.next()
		s.log.Error("the catalog fails; trying again", "retry_in", wait, "err", err)
		select {
		case <-ctx.Done():
			return err
		case <-s.ending:
			return err
		case <-time.After(wait):
		}
	}
}
