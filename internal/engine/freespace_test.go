package engine_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/engine"
	"github.com/stocktake/stocktake/internal/membucket"
)

// narrow is a destination with the given free space in bytes.
type narrow struct {
	*membucket.Bucket
	free int64
}

func (d narrow) FreeSpace(context.Context) (int64, error) { return d.free, nil }

// A run whose report will not fit ends before it writes anything, if the last report
// shows its size; without a last report, it warns and tries.
func TestFreeSpace(t *testing.T) {
	store := newStore(objects)
	dst := store.Bucket("reports")
	var log bytes.Buffer
	opts := small
	opts.Log = slog.New(slog.NewTextHandler(&log, nil))
	job := newJob()
	first, err := engine.Run(t.Context(), store, narrow{dst, 10}, job, opts)
	if err != nil || !strings.Contains(log.String(), "may not fit") {
		t.Errorf("the first run: %v, log %q", err, &log)
	}
	size := int64(0)
	for _, f := range first.Summary.Files {
		size += f.Size
	}
	before := keys(t, dst)
	job.Run = "run-2"
	var full *engine.SpaceError
	_, err = engine.Run(t.Context(), store, narrow{dst, size - 1}, job, opts)
	if !errors.As(err, &full) || full.Need != size || full.Free != size-1 || !full.Last || full.Advice() == "" {
		t.Errorf("error %v, want one of %d bytes", err, size)
	}
	if after := keys(t, dst); len(after) != len(before) {
		t.Errorf("the destination holds %q, had %q", after, before)
	}
	log.Reset()
	for _, free := range []int64{size, -1} {
		job.Run += "0"
		if _, err := engine.Run(t.Context(), store, narrow{dst, free}, job, opts); err != nil || log.Len() > 0 {
			t.Errorf("with %d bytes free: %v, log %q", free, err, &log)
		}
	}
}

// A probe says whether the report is expected to fit.
func TestProbeFreeSpace(t *testing.T) {
	store := newStore(objects)
	dst := store.Bucket("reports")
	filtered := newJob(func(c *stocktake.InventoryConfiguration) { c.Filter.LowerSizeBound = 1 })
	var full *engine.SpaceError
	for _, tt := range []struct {
		job  engine.Job
		free int64
		last bool
		fits bool
	}{
		{newJob(), 100, false, false},
		{newJob(), 10_000, false, true},
		{filtered, 100, false, true}, // how many objects match is unknown
		{newJob(), -1, false, true},
		{newJob(), 100, true, false},
		{newJob(), 10_000, true, true},
	} {
		if tt.last {
			job := newJob()
			job.Run = "run-2"
			if _, err := engine.Run(t.Context(), store, dst, job, small); err != nil {
				t.Fatal(err)
			}
		}
		err := engine.Probe(t.Context(), store, narrow{dst, tt.free}, tt.job)
		if tt.fits != (err == nil) || err != nil && (!errors.As(err, &full) || full.Last != tt.last) {
			t.Errorf("%d bytes free, last %v: %v", tt.free, tt.last, err)
		}
	}
}
