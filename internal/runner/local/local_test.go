package local_test

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"testing"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/configtest"
	"github.com/stocktake/stocktake/internal/engine"
	"github.com/stocktake/stocktake/internal/inventory"
	"github.com/stocktake/stocktake/internal/membucket"
	"github.com/stocktake/stocktake/internal/runner/local"
)

// stores are buckets in memory. sourceErr, destErr and removeErr are the errors of
// finding a source, finding a destination and removing files; nil: success.
type stores struct {
	*membucket.Store
	sourceErr, destErr, removeErr error
}

func (s *stores) Source(context.Context, string, *stocktake.InventoryConfiguration) (engine.Source, error) {
	return s.Store, s.sourceErr
}

func (s *stores) Destination(_ context.Context, cfg *stocktake.InventoryConfiguration) (engine.Destination, error) {
	return destination{s.Bucket(cfg.Destination.Bucket), s}, s.destErr
}

// ListingKey says that runs of a bucket that is "shared" may share a listing.
func (s *stores) ListingKey(bucket string, cfg *stocktake.InventoryConfiguration) string {
	if bucket == "shared" {
		return "as " + cfg.Destination.RoleARN
	}
	return ""
}

type destination struct {
	*membucket.Bucket
	s *stores
}

func (d destination) Remove(ctx context.Context, key string) error {
	if d.s.removeErr != nil {
		return d.s.removeErr
	}
	return d.Bucket.Remove(ctx, key)
}

// keys returns the keys in the destination.
func (s *stores) keys(t *testing.T) (keys []string) {
	t.Helper()
	for key, err := range s.Bucket("reports").List(t.Context(), "") {
		if err != nil {
			t.Fatal(err)
		}
		keys = append(keys, key)
	}
	return keys
}

const objects = 100

func newRunner() (*local.Runner, *stores) {
	s := &stores{Store: membucket.New(nil, "photos", "reports")}
	s.Bucket("photos").Load(membucket.UniformRecords(objects)...)
	return &local.Runner{Stores: s, Options: engine.Options{Log: slog.New(slog.DiscardHandler)}}, s
}

// task returns a task whose report is recorded by record, and a way to read its
// progress.
func task(attempt int, record func([]byte) ([]byte, error)) (t inventory.Task, progress *func() stocktake.Progress) {
	progress = new(func() stocktake.Progress)
	return inventory.Task{
		Run:           stocktake.Run{ID: "run", Bucket: "photos", Configuration: "daily", Attempt: attempt},
		Configuration: configtest.Minimal(),
		Follow:        func(p func() stocktake.Progress) { *progress = p },
		Record:        func(_ context.Context, report []byte) ([]byte, error) { return record(report) },
	}, progress
}

// TestRun makes a run, then another attempt of it, which finds the report, counts
// nothing itself, and returns the same outcome.
func TestRun(t *testing.T) {
	r, s := newRunner()
	recorded := 0
	first, progress := task(1, func(report []byte) ([]byte, error) {
		recorded++
		if len(report) == 0 {
			t.Error("an empty report is recorded")
		}
		return report, nil
	})
	got, err := r.Run(t.Context(), first)
	if err != nil {
		t.Fatal(err)
	}
	if recorded != 1 || got.Listed != objects || got.Matched != objects || got.Shards != 1 || got.Written == 0 {
		t.Errorf("recorded %d times, %+v", recorded, got)
	}
	if p := (*progress)(); p.Listed != objects {
		t.Errorf("followed progress of %d objects", p.Listed)
	}
	keys := s.keys(t)
	if !slices.Contains(keys, got.Manifest) {
		t.Errorf("the manifest %s is not among %q", got.Manifest, keys)
	}

	second, _ := task(2, func(report []byte) ([]byte, error) { return report, nil })
	again, err := r.Run(t.Context(), second)
	if err != nil || again != got {
		t.Errorf("second attempt: %+v, %v, want %+v", again, err, got)
	}
	if now := s.keys(t); !slices.Equal(now, keys) {
		t.Errorf("the second attempt made %q of %q", now, keys)
	}
}

// TestStoresAreMissing checks that the error of a store is returned unchanged, and
// that nothing is written.
func TestStoresAreMissing(t *testing.T) {
	missing := errors.New("there is no such store")
	for name, set := range map[string]func(*stores){
		"source":      func(s *stores) { s.sourceErr = missing },
		"destination": func(s *stores) { s.destErr = missing },
	} {
		r, s := newRunner()
		set(s)
		attempt, progress := task(1, func(report []byte) ([]byte, error) { return report, nil })
		if _, err := r.Run(t.Context(), attempt); !errors.Is(err, missing) {
			t.Errorf("%s: Run returned %v", name, err)
		}
		if *progress != nil {
			t.Errorf("%s: the run is followed although it did not begin", name)
		}
		if err := r.Probe(t.Context(), "photos", &attempt.Configuration); !errors.Is(err, missing) || name == "destination" && !strings.Contains(err.Error(), "reports") {
			t.Errorf("%s: Probe returned %v", name, err)
		}
		if err := r.Clean(t.Context(), attempt); name == "destination" && !errors.Is(err, missing) {
			t.Errorf("%s: Clean returned %v", name, err)
		}
		if keys := s.keys(t); len(keys) > 0 {
			t.Errorf("%s: wrote %q", name, keys)
		}
	}
}

// TestNotRecorded checks that a run whose report cannot be recorded fails, and that
// nothing of it is left.
func TestNotRecorded(t *testing.T) {
	taken := errors.New("another process has the run")
	r, s := newRunner()
	attempt, _ := task(1, func([]byte) ([]byte, error) { return nil, taken })
	if _, err := r.Run(t.Context(), attempt); !errors.Is(err, taken) {
		t.Errorf("Run returned %v", err)
	}
	if keys := s.keys(t); len(keys) > 0 {
		t.Errorf("left %q", keys)
	}
}

// TestClean checks that the files of a lost attempt are removed, and that a completed
// report stays.
func TestClean(t *testing.T) {
	r, s := newRunner()
	s.removeErr = errors.New("the process is gone")
	lost, _ := task(1, func([]byte) ([]byte, error) { return nil, s.removeErr })
	if _, err := r.Run(t.Context(), lost); !errors.Is(err, s.removeErr) {
		t.Errorf("Run returned %v", err)
	}
	if len(s.keys(t)) == 0 {
		t.Fatal("the attempt has left nothing")
	}
	s.removeErr = nil
	if err := r.Clean(t.Context(), lost); err != nil {
		t.Fatal(err)
	}
	if keys := s.keys(t); len(keys) > 0 {
		t.Errorf("after Clean there are %q", keys)
	}

	whole, _ := task(1, func(report []byte) ([]byte, error) { return report, nil })
	if _, err := r.Run(t.Context(), whole); err != nil {
		t.Fatal(err)
	}
	complete := s.keys(t)
	if err := r.Clean(t.Context(), whole); err != nil {
		t.Fatal(err)
	}
	if keys := s.keys(t); !slices.Equal(keys, complete) {
		t.Errorf("Clean left %q of the complete report %q", keys, complete)
	}
}

// TestProbe checks that a probe leaves nothing.
func TestProbe(t *testing.T) {
	r, s := newRunner()
	cfg := configtest.Minimal()
	if err := r.Probe(t.Context(), "photos", &cfg); err != nil {
		t.Error(err)
	}
	if keys := s.keys(t); len(keys) > 0 {
		t.Errorf("left %q", keys)
	}
}
