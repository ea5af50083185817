package local

import (
	"context"
	"errors"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/inventory"
	"github.com/stocktake/stocktake/internal/window"
)

// errNoJournal reports that windows cannot be made.
var errNoJournal = &stocktake.IncrementalDisabledError{Reason: "the server runs with --no-incremental; restart it without the flag to report changes"}

// runWindow makes the report of a window.
func (r *Runner) runWindow(ctx context.Context, t inventory.Task) (inventory.Outcome, error) {
	if r.Journal == nil {
		return inventory.Outcome{}, errNoJournal
	}
	dst, err := r.Stores.Destination(ctx, &t.Configuration)
	if err != nil {
		return inventory.Outcome{}, err
	}
	progress := new(window.Progress)
	t.Follow(progress.Load)
	result, err := window.Make(ctx, r.Journal, dst, windowJob(&t), window.Options{
		Limits: r.WindowLimits, EmptyManifest: r.EmptyWindows, Progress: progress, Log: r.Options.Log, Record: t.Record,
	})
	if errors.Is(err, window.ErrRecordedLost) {
		err = errors.Join(err, inventory.ErrWindowLost)
	}
	if err != nil {
		return inventory.Outcome{}, err
	}
	o := inventory.Outcome{Manifest: result.Manifest, Until: result.Until, Next: result.Next, Progress: stocktake.Progress{
		Listed: result.Summary.Listed, Matched: result.Summary.Matched, Bytes: result.Summary.Bytes, Shards: len(result.Summary.Files),
	}}
	for _, f := range result.Summary.Files {
		o.Written += f.Size
	}
	return o, nil
}

func windowJob(t *inventory.Task) window.Job {
	job := window.Job{
		Run: t.Run.ID, Attempt: t.Run.Attempt, Bucket: t.Run.Bucket, Configuration: t.Configuration,
		Start: t.Run.Window.Start, End: t.Run.Window.End, Recorded: t.Recorded,
	}
	if w := t.Window; w != nil {
		job.Now, job.Length, job.After, job.Joined, job.Subscribed = w.Now, w.Length, w.After, w.Joined, w.Subscribed
	}
	return job
}
