package lifecycle

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/clock"
	"github.com/stocktake/stocktake/internal/object"
)

// Options tune a [Worker]. The zero value suits production.
type Options struct {
	// Hour, 0 to 23, and Zone are when the daily pass begins. Zone nil means UTC+8.
	// Actions that are due at midnight UTC wait for it.
	Hour int
	Zone *time.Location

	// Rate is the most changes per second; 0 means 2,000.
	Rate int

	// Parallel is the number of concurrent changes; 0 means 8.
	Parallel int

	Clock    clock.Clock  // nil means clock.Real
	Log      *slog.Logger // nil means slog.Default()
	Observer Observer     // nil means none
}

// beijing needs no zone data.
var beijing = time.FixedZone("UTC+8", 8*60*60)

// A Worker carries out the rules of all buckets. It keeps no state: the next pass completes an
// interrupted one.
type Worker struct {
	store    Store
	accounts func() []string
	opts     Options
	clock    clock.Clock
	log      *slog.Logger
	page     int // entries of a listing
}

// NewWorker returns a worker for the buckets of all accounts; accounts returns
// their ids.
func NewWorker(store Store, accounts func() []string, opts Options) *Worker {
	opts.Rate = cmp.Or(opts.Rate, 2000)
	opts.Parallel = cmp.Or(opts.Parallel, 8)
	opts.Log = cmp.Or(opts.Log, slog.Default())
	opts.Zone = cmp.Or(opts.Zone, beijing)
	if opts.Clock == nil {
		opts.Clock = clock.Real{}
	}
	return &Worker{store: store, accounts: accounts, opts: opts, clock: opts.Clock, log: opts.Log, page: 1000}
}

// Serve makes a pass through all buckets at once, for actions that fell due while
// no server ran, and then every day, until ctx ends. It then returns nil, within
// the time of one change or page.
func (w *Worker) Serve(ctx context.Context) error {
	timer := w.clock.NewTimer()
	defer timer.Stop()
	for at := w.clock.Now(); ; at = w.next(w.clock.Now()) {
		timer.Set(at)
		select {
		case <-ctx.Done():
			return nil
		case <-timer.C():
		}
		_ = w.RunAll(ctx) // RunAll has logged the error; the next day's pass tries again
	}
}

// next returns when the pass after now begins. If daylight saving time skips or repeats the hour,
// the pass begins once, within an hour of it.
func (w *Worker) next(now time.Time) time.Time {
	y, m, d := now.In(w.opts.Zone).Date()
	for ; ; d++ {
		if t := time.Date(y, m, d, w.opts.Hour, 0, 0, 0, w.opts.Zone); t.After(now) {
			return t.UTC()
		}
	}
}

// bucketPage is how many buckets are read at once.
const bucketPage = 100

// RunAll makes a pass through every bucket that has rules, one after the other.
// A failure in one bucket does not stop the pass through the others; the errors
// are joined.
func (w *Worker) RunAll(ctx context.Context) error {
	var errs []error
	for _, account := range w.accounts() {
		for after := ""; ; {
			page, more, err := w.store.Buckets(ctx, account, "", after, bucketPage)
			if err != nil {
				w.log.Error("lifecycle: cannot list the buckets of an account", "account", account, "err", err)
				errs = append(errs, fmt.Errorf("buckets of account %s: %w", account, err))
				break
			}
			for i := range page {
				after = page[i].Name
				if _, err := w.runBucket(ctx, &page[i]); err != nil {
					errs = append(errs, err)
				}
				if ctx.Err() != nil {
					return errors.Join(errs...)
				}
			}
			if !more || len(page) == 0 {
				break
			}
		}
	}
	return errors.Join(errs...)
}

// RunOnce makes a pass through one bucket now. It returns the counts also with an
// error. The error is stocktake.ErrNoSuchBucket if the bucket does not exist.
func (w *Worker) RunOnce(ctx context.Context, bucket string) (Pass, error) {
	b, err := w.store.Bucket(ctx, bucket)
	if err != nil {
		return Pass{Bucket: bucket}, fmt.Errorf("bucket %s: %w", bucket, err)
	}
	return w.runBucket(ctx, &b)
}

// runBucket makes a pass through one bucket.
func (w *Worker) runBucket(ctx context.Context, b *object.Bucket) (Pass, error) {
	done := Pass{Bucket: b.Name}
	rules := NewRules(b.Lifecycle)
	if rules.Empty() {
		return done, nil
	}
	p := &pass{
		Worker: w, now: w.clock.Now(), lifecycle: b.Lifecycle, logged: time.Now(),
		pace: pace{interval: time.Second / time.Duration(w.opts.Rate)},
		done: Pass{Bucket: b.Name},
	}
	err := p.run(ctx, rules)
	done = p.done
	if errors.Is(err, errRules) {
		w.log.Info("lifecycle pass ended: the rules were changed; the next pass applies the new ones", "bucket", b.Name)
		err = p.firstError
	}
	if err != nil {
		err = fmt.Errorf("lifecycle of bucket %s: %w", b.Name, err)
	}
	w.logPass(ctx, done, err)
	return done, err
}

// logPass logs the result of a pass.
func (w *Worker) logPass(ctx context.Context, done Pass, err error) {
	switch {
	case err == nil && done.Actions() == 0:
		w.log.Debug("lifecycle pass", "pass", done)
	case err == nil:
		w.log.Info("lifecycle pass", "pass", done)
	case errors.Is(err, stocktake.ErrNoSuchBucket):
		w.log.Info("lifecycle pass ended: the bucket was deleted", "pass", done)
	case ctx.Err() != nil:
		w.log.Info("lifecycle pass interrupted", "pass", done)
	default:
		w.log.Error("lifecycle pass failed; the next pass tries again", "pass", done, "err", err)
	}
	if w.opts.Observer != nil {
		w.opts.Observer.PassDone(done, err)
	}
}
