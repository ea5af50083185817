package sqlite_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/catalog/catalogtest"
	"github.com/stocktake/stocktake/internal/catalog/sqlite"
	"github.com/stocktake/stocktake/internal/inventory"
)

// together makes changes in one transaction and returns the error of each.
func together(c *sqlite.Catalog, changes ...func() error) []error {
	release := c.Hold()
	answers := make([]error, len(changes))
	done := make(chan struct{})
	for i, change := range changes {
		go func() {
			answers[i] = change()
			done <- struct{}{}
		}()
		synctest.Wait() // it waits, behind those before it
	}
	release()
	for range changes {
		<-done
	}
	return answers
}

func TestTogetherEachForItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := open(t, filepath.Join(t.TempDir(), "catalog.db"))
		put := func(id, run string) func() error {
			first := catalogtest.Queued("photos", id, run)
			return func() error {
				return c.AddConfiguration(t.Context(), catalogtest.Entry("photos", id), &first, catalogtest.Holder, 3)
			}
		}
		ended, end := context.WithCancel(t.Context())
		var in [2]any
		transaction := func(i int) func() error {
			return func() (err error) {
				in[i], err = c.Transaction(t.Context())
				return err
			}
		}
		answers := together(c,
			put("a", "ra"),
			put("a", "again"),
			put("b", "rb"),
			put("c", "ra"), // fails after it has written: the run is there
			func() error { end(); return c.RemoveBucket(ended, "photos") },
			put("d", "rd"),
			put("e", "re"),
			transaction(0),
			transaction(1),
		)
		if in[0] == nil || in[0] != in[1] {
			t.Error("they were made in more than one transaction")
		}
		for i, want := range []error{nil, stocktake.ErrInventoryExists, nil, nil, context.Canceled, nil, stocktake.ErrInventoryExceedLimit, nil, nil} {
			if i == 3 {
				if answers[i] == nil {
					t.Error("a run whose id is taken was kept")
				}
				continue
			}
			if !errors.Is(answers[i], want) {
				t.Errorf("change %d: %v, want %v", i, answers[i], want)
			}
		}
		entries, err := c.EntryStatuses(t.Context(), "photos")
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, e := range entries {
			got = append(got, e.Configuration.ID+" "+e.Last.ID)
		}
		if want := "a ra, b rb, d rd"; strings.Join(got, ", ") != want {
			t.Errorf("kept %q, want %q", got, want)
		}
	})
}

func TestTogetherWithoutRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := open(t, filepath.Join(t.TempDir(), "catalog.db"))
		first := catalogtest.Queued("photos", "a", "ra")
		if err := c.AddConfiguration(t.Context(), catalogtest.Entry("photos", "a"), &first, catalogtest.Holder, 10); err != nil {
			t.Fatal(err)
		}
		if err := c.LimitPages(t.Context(), 10); err != nil {
			t.Fatal(err)
		}
		running := first
		running.State = stocktake.Scanning
		failed := running
		failed.State, failed.Ended = stocktake.Failed, catalogtest.Start
		huge := inventory.End{Keep: 1, Notices: []inventory.Notice{{ID: "n", Payload: strings.Repeat("x", 1<<20)}}}
		answers := together(c,
			func() error { return c.StartRun(t.Context(), running, catalogtest.At(stocktake.Queued, running)) },
			func() error { return c.EndRun(t.Context(), failed, catalogtest.At(stocktake.Scanning, failed), huge) },
			func() error { return c.SetRetention(t.Context(), "photos", "a", stocktake.Retention{Days: 7}) },
		)
		if answers[0] != nil || answers[2] != nil {
			t.Errorf("what there was room for: %v", answers)
		}
		if answers[1] == nil || !strings.Contains(answers[1].Error(), "full") {
			t.Errorf("%v, want it to say that the disk is full", answers[1])
		}
		e, err := c.EntryStatus(t.Context(), "photos", "a")
		if err != nil || e.Retention.Days != 7 || e.Last.State != stocktake.Scanning {
			t.Errorf("then there is %+v, %v", e, err)
		}
	})
}

// TestWithdrawn withdraws a waiting change.
func TestWithdrawn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := open(t, filepath.Join(t.TempDir(), "catalog.db"))
		release := c.Hold()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := c.AddConfiguration(ctx, catalogtest.Entry("photos", "a"), nil, catalogtest.Holder, 10); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%v, want %v", err, context.DeadlineExceeded)
		}
		release()
		if err := c.RemoveConfiguration(t.Context(), "photos", "b"); err != nil {
			t.Fatal(err)
		}
		if n, err := c.CountConfigurations(t.Context()); err != nil || n != 0 {
			t.Errorf("%d configurations, %v, want none", n, err)
		}
	})
}

// A read whose caller has no time left says so, and not that SQLite was interrupted.
func TestReadEndsWithContext(t *testing.T) {
	c := open(t, filepath.Join(t.TempDir(), "catalog.db"))
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := c.ReadForEver(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v, want %v", err, context.DeadlineExceeded)
	}
}

// TestSynced checks how commits are made: only lazy changes may return before the
// sync.
func TestSynced(t *testing.T) {
	const normal, full = 1, 2
	synctest.Test(t, func(t *testing.T) {
		c := open(t, filepath.Join(t.TempDir(), "catalog.db"))
		put := func(id string) func() error {
			first := catalogtest.Queued("photos", id, id)
			return func() error {
				return c.AddConfiguration(t.Context(), catalogtest.Entry("photos", id), &first, catalogtest.Holder, 10)
			}
		}
		move := func(id string) func() error {
			r := catalogtest.Queued("photos", id, id)
			r.State = stocktake.Scanning
			return func() error { return c.StartRun(t.Context(), r, catalogtest.At(stocktake.Queued, r)) }
		}
		for i, step := range []struct {
			changes []func() error
			want    int
		}{
			{[]func() error{put("a")}, full},
			{[]func() error{move("a")}, normal},
			{[]func() error{put("b"), put("c")}, full},
			{[]func() error{move("b"), put("d")}, full},
			{[]func() error{move("c"), move("d")}, normal},
			{[]func() error{put("e")}, full},
		} {
			if err := errors.Join(together(c, step.changes...)...); err != nil {
				t.Fatal(err)
			}
			if got, err := c.Synchronous(t.Context()); err != nil || got != step.want {
				t.Errorf("step %d: synchronous %d, %v, want %d", i, got, err, step.want)
			}
		}
	})
}

// BenchmarkCommits measures concurrent changes, which share a sync.
func BenchmarkCommits(b *testing.B) {
	for _, at := range []int{1, 2, 8, 64} {
		b.Run(fmt.Sprintf("at once=%d", at), func(b *testing.B) {
			c := open(b, filepath.Join(b.TempDir(), "catalog.db"))
			for i := range at {
				id := fmt.Sprint(i)
				if err := c.AddConfiguration(b.Context(), catalogtest.Entry("photos", id), nil, catalogtest.Holder, catalogtest.Limit); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportAllocs()
			left := make(chan struct{}, b.N)
			for range b.N {
				left <- struct{}{}
			}
			close(left)
			errs := make(chan error, at)
			b.ResetTimer()
			for i := range at {
				go func() {
					var err error
					days := 0
					for range left {
						if days++; err == nil {
							err = c.SetRetention(b.Context(), "photos", fmt.Sprint(i), stocktake.Retention{Days: days})
						}
					}
					errs <- err
				}()
			}
			for range at {
				if err := <-errs; err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "commits/s")
		})
	}
}
