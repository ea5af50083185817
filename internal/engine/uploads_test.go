package engine_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"

	"github.com/stocktake/stocktake/internal/engine"
)

// uploading is a destination at which dead attempts may have left uploads.
type uploading struct {
	engine.Destination
	prefixes []string // that were asked for
	err      error
}

func (u *uploading) AbortUploads(_ context.Context, prefix string) (int, error) {
	u.prefixes = append(u.prefixes, prefix)
	return 1, u.err
}

// Only uploads of the shards of the run are aborted, when an earlier attempt may have
// left some. A failure to abort is logged and does not affect the report.
func TestUploadsOfEarlierAttempts(t *testing.T) {
	for _, failure := range []error{nil, errors.New("denied")} {
		var log bytes.Buffer
		opts := small
		opts.Log = slog.New(slog.NewTextHandler(&log, nil))
		store := newStore(objects)
		dst := &uploading{Destination: store.Bucket("reports"), err: failure}
		for attempt := 1; attempt <= 2; attempt++ {
			job := newJob()
			job.Attempt = attempt
			if _, err := engine.Run(t.Context(), store, dst, job, opts); err != nil {
				t.Fatal(err)
			}
			if len(dst.prefixes) != attempt-1 {
				t.Errorf("attempt %d has aborted the uploads of %q", attempt, dst.prefixes)
			}
		}
		if err := engine.CleanAttempts(t.Context(), dst, newJob(), opts); err != nil || len(dst.prefixes) != 2 {
			t.Errorf("%v, %q", err, dst.prefixes)
		}
		if failure != nil != strings.Contains(log.String(), "denied") {
			t.Errorf("after %v, the log is %s", failure, &log)
		}
		shards := 0
		for _, key := range keys(t, dst) {
			if strings.HasPrefix(key, dst.prefixes[0]) {
				shards++
			} else if strings.Contains(key, "/data/") {
				t.Errorf("the shard %s does not begin with %s", key, dst.prefixes[0])
			}
		}
		if shards == 0 {
			t.Errorf("no shard begins with %s", dst.prefixes[0])
		}
	}
}

// A run that ends without its report aborts the unfinished uploads in the folder that
// it had begun.
func TestUploadsOfUnpublishedReport(t *testing.T) {
	store := newStore(objects)
	dst := &uploading{Destination: store.Bucket("reports")}
	f := &faults{on: func(_ int, what string) fault {
		if strings.HasPrefix(what, "Commit") && strings.HasSuffix(what, "/manifest.json") || strings.HasPrefix(what, "Remove") {
			return fails
		}
		return none
	}}
	if _, err := engine.Run(t.Context(), store, faultyDestination{dst, f}, newJob(), small); err == nil {
		t.Fatal("the run has published")
	}
	if err := engine.CleanAttempts(t.Context(), dst, newJob(), small); err != nil {
		t.Fatal(err)
	}
	if len(dst.prefixes) != 2 || !strings.HasSuffix(dst.prefixes[1], "Z/") {
		t.Errorf("the uploads below %q were aborted, want those of the run and of its folder", dst.prefixes)
	}
	if left := keys(t, dst); len(left) > 0 {
		t.Errorf("%q is left", left)
	}
}
