package inventory_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/catalog/sqlite"
	"github.com/stocktake/stocktake/internal/dirbucket"
	"github.com/stocktake/stocktake/internal/engine"
	"github.com/stocktake/stocktake/internal/inventory"
	"github.com/stocktake/stocktake/internal/runner/local"
)

// A survivor is a catalog that keeps what would survive a power failure at the worst
// time: its files at the last moment at which a change had to be durable.
type survivor struct {
	inventory.Catalog
	dir string
}

// catalogFiles are the files with content: SQLite rebuilds the index of the log.
var catalogFiles = []string{"catalog.db", "catalog.db-wal"}

func (s *survivor) keep(err error) error {
	for _, name := range catalogFiles {
		if err != nil {
			return err
		}
		var b []byte
		if b, err = os.ReadFile(filepath.Join(s.dir, name)); err == nil {
			err = os.WriteFile(filepath.Join(s.dir, "kept-"+name), b, 0o600)
		}
	}
	return err
}

func (s *survivor) AddConfiguration(ctx context.Context, e inventory.Entry, first *stocktake.Run, by inventory.Holder, limit int) error {
	return s.keep(s.Catalog.AddConfiguration(ctx, e, first, by, limit))
}

func (s *survivor) TakeRuns(ctx context.Context, by inventory.Holder, max int) ([]inventory.HeldRun, error) {
	taken, err := s.Catalog.TakeRuns(ctx, by, max)
	return taken, s.keep(err)
}

func (s *survivor) PublishRun(ctx context.Context, r stocktake.Run, fence inventory.Fence, manifest []byte, durable bool) ([]byte, error) {
	recorded, err := s.Catalog.PublishRun(ctx, r, fence, manifest, durable)
	if durable {
		err = s.keep(err)
	}
	return recorded, err
}

func (s *survivor) EndRun(ctx context.Context, r stocktake.Run, fence inventory.Fence, end inventory.End) error {
	return s.keep(s.Catalog.EndRun(ctx, r, fence, end))
}

// failPower runs l to its step and then restores the catalog to what a power failure
// would have left.
func (l life) failPower(t *testing.T) {
	t.Helper()
	l.Power = true
	l.die(t)
	for _, name := range catalogFiles {
		path := filepath.Join(l.Dir, name)
		if err := os.Rename(filepath.Join(l.Dir, "kept-"+name), path); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Remove(filepath.Join(l.Dir, "catalog.db-shm")); err != nil {
		t.Fatal(err)
	}
}

// TestPowerFailsAtEachStep discards, at each step of a run, what the catalog has not
// synced. The next process finishes the run: exactly one whole report exists, also if
// it has no objects.
func TestPowerFailsAtEachStep(t *testing.T) {
	for _, objects := range []int64{1000, 0} {
		for _, step := range steps {
			if objects == 0 && (step == string(engine.ShardCreated) || step == string(engine.ShardCommitted)) {
				continue // it has none
			}
			t.Run(fmt.Sprintf("%d objects/%s", objects, step), func(t *testing.T) {
				t.Parallel()
				l := life{Dir: t.TempDir(), Step: step, Objects: objects}
				l.failPower(t)
				l.Step = ""
				if err := l.live(); err != nil {
					t.Fatal(err)
				}
				checkOneReport(t, l.reports(), objects)
			})
		}
	}
}

// TestDeletedAfterPowerFailure deletes or cancels a run that had begun, but is
// queued in the catalog after the power failure: its shards are removed.
func TestDeletedAfterPowerFailure(t *testing.T) {
	for _, tt := range []struct {
		name string
		end  func(s *inventory.Service) error
	}{
		{"delete", func(s *inventory.Service) error { return s.Delete(t.Context(), "photos", "daily") }},
		{"cancel", func(s *inventory.Service) error {
			_, err := s.Cancel(t.Context(), "photos", "daily")
			return err
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			l := life{Dir: t.TempDir(), Step: string(engine.ShardCommitted), Objects: 1000}
			l.failPower(t)
			cat, err := sqlite.Open(t.Context(), filepath.Join(l.Dir, "catalog.db"))
			if err != nil {
				t.Fatal(err)
			}
			s, err := inventory.New(t.Context(), cat, newBuckets("photos"), &local.Runner{Stores: onDisk{l.Objects, l.reports()}},
				inventory.Options{Log: quiet})
			if err != nil {
				t.Fatal(err)
			}
			if r, err := cat.UnfinishedRuns(t.Context(), "photos", "daily"); err != nil || len(r) != 1 || r[0].State != stocktake.Queued || r[0].Attempt != 1 {
				t.Errorf("runs %+v, %v, want one as if nothing had happened", r, err)
			}
			if err := errors.Join(tt.end(s), cat.Close()); err != nil {
				t.Fatal(err)
			}
			b, err := dirbucket.Open(l.reports())
			if err != nil {
				t.Fatal(err)
			}
			defer b.Close()
			for key, err := range b.List(t.Context(), "") {
				t.Errorf("left: %s, %v", key, err)
			}
		})
	}
}
