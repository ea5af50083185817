package engine_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"testing"

	"github.com/stocktake/stocktake/internal/engine"
)

func TestProbeLeavesNothing(t *testing.T) {
	dst := newStore(1).Bucket("reports")
	dst.Write("photos/daily/data/other", []byte("x"))
	if err := engine.Probe(t.Context(), newStore(1), dst, newJob()); err != nil {
		t.Error(err)
	}
	if got := keys(t, dst); len(got) != 1 {
		t.Errorf("left %q", got)
	}
}

// Every failure is reported, and no file is left unless it cannot be removed.
func TestProbeTellsWhatFails(t *testing.T) {
	steps := 0
	for _, kind := range []fault{fails, lost} {
		for n := 1; ; n++ {
			dst := newStore(1).Bucket("reports")
			var op string
			f := faultAt(n, kind, &op)
			err := engine.Probe(t.Context(), faultySource{newStore(1), f}, faultyDestination{dst, f}, newJob())
			if op == "" {
				break
			}
			if op == "FreeSpace" || strings.HasPrefix(op, "List") { // what will fit is then unknown
				if err != nil {
					t.Errorf("%v: %s: %v", kind, op, err)
				}
				continue
			}
			steps++
			left := keys(t, dst)
			stays := kind == fails && strings.HasPrefix(op, "Remove")
			if err == nil || (len(left) > 0) != stays {
				t.Errorf("%v: %s: %v, left %q", kind, op, err, left)
			}
		}
	}
	if steps != 16 {
		t.Errorf("%d steps failed, want create, write, commit, open, remove, and snapshot, count, close, twice", steps)
	}
}

// The file is removed even after a cancellation.
func TestProbeCancelled(t *testing.T) {
	dst := newStore(1).Bucket("reports")
	ctx, cancel := context.WithCancel(t.Context())
	f := &faults{on: func(_ int, name string) fault {
		if strings.HasPrefix(name, "Open") {
			cancel()
		}
		return none
	}}
	err := engine.Probe(ctx, newStore(1), faultyDestination{dst, f}, newJob())
	if left := keys(t, dst); len(left) > 0 {
		t.Errorf("%v, left %q", err, left)
	}
}

// existing is a destination where every key is taken.
type existing struct{ engine.Destination }

func (e existing) Create(ctx context.Context, key string, opts engine.FileOptions) (engine.File, error) {
	f, err := e.Destination.Create(ctx, key, opts)
	return taken{f}, err
}

type taken struct{ engine.File }

func (t taken) Commit(context.Context, [16]byte) error {
	return errors.Join(fmt.Errorf("taken: %w", fs.ErrExist), t.Abort())
}

func (existing) Remove(context.Context, string) error { panic("what is not ours is removed") }

func TestProbeSparesOthers(t *testing.T) {
	dst := newStore(1).Bucket("reports")
	if err := engine.Probe(t.Context(), newStore(1), existing{dst}, newJob()); !errors.Is(err, fs.ErrExist) {
		t.Error(err)
	}
}
