package engine_test

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/engine"
	"github.com/stocktake/stocktake/internal/keygen"
	"github.com/stocktake/stocktake/internal/membucket"
	"github.com/stocktake/stocktake/report"
)

// A farSource is a generated bucket behind a network: each page takes a while. It
// counts its pages.
type farSource struct {
	*keygen.Bucket
	pageRows int64
	requests int
	latency  func(from, to string) time.Duration

	mu    sync.Mutex
	pages int
	most  int // requests at once
	now   int
	trace []string
	fail  int // the page that fails; 0: none
	every int // each page with a multiple of this number fails, but not of a plan; 0: none
	taken int // snapshots; the first is that of a plan
}

func (f *farSource) Snapshot(ctx context.Context, _ string) (engine.Snapshot, error) {
	f.mu.Lock()
	f.taken++
	f.mu.Unlock()
	return farSnapshot{f, time.Now()}, ctx.Err()
}

type farSnapshot struct {
	*farSource
	taken time.Time
}

func (f farSnapshot) Time() time.Time                                      { return f.taken }
func (f farSnapshot) Consistency() stocktake.Consistency                   { return stocktake.ConsistencyWindow }
func (f farSnapshot) Close() error                                         { return nil }
func (f farSnapshot) Count(context.Context, string) (int64, error)         { return -1, nil }
func (f farSnapshot) Split(context.Context, string, int) ([]string, error) { return nil, nil }
func (f farSnapshot) Requests() int                                        { return f.requests }

func (f farSnapshot) Scan(ctx context.Context, seg engine.Segment, versions bool, yield func([]stocktake.Record) error) error {
	return f.Pages(ctx, seg, versions, func(batch []stocktake.Record, _ bool) error { return yield(batch) })
}

// request is the delay of one page on the network.
func (f farSnapshot) request(ctx context.Context, seg engine.Segment) error {
	f.mu.Lock()
	f.pages++
	n := f.pages
	f.now++
	f.most = max(f.most, f.now)
	f.trace = append(f.trace, fmt.Sprintf("%4d ms: [%q, %q)", time.Since(f.taken).Milliseconds(), seg.From, seg.To))
	pause := f.latency(seg.From, seg.To)
	f.mu.Unlock()
	timer := time.NewTimer(pause)
	defer timer.Stop()
	var err error
	select {
	case <-timer.C:
	case <-ctx.Done():
		err = ctx.Err()
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.now--
	if f.fail == n || f.every > 0 && n%f.every == 0 && f.farSource.taken > 1 {
		return errBoom
	}
	return err
}

func (f farSnapshot) Pages(ctx context.Context, seg engine.Segment, versions bool, yield func([]stocktake.Record, bool) error) error {
	i, end := f.Rank(max(seg.From, seg.Prefix)), f.Rows
	if seg.Prefix != "" {
		end = f.Rank(seg.Prefix + "\xff")
	}
	if seg.To != "" {
		end = min(end, f.Rank(seg.To))
	}
	if seg.After != "" && !versions {
		return errors.New("a version to continue behind, in a scan of current versions")
	}
	if seg.After != "" {
		n, err := strconv.ParseInt(seg.After[1:], 10, 64)
		if err != nil {
			return engine.ErrCursorGone
		}
		i += f.Versions - n + 1
	}
	batch := make([]stocktake.Record, 0, f.pageRows)
	for {
		at := seg
		if i < end {
			at.From = string(f.AppendKey(nil, i))
		}
		if err := f.request(ctx, at); err != nil {
			return err
		}
		batch = batch[:0]
		for ; i < end && int64(len(batch)) < f.pageRows; i++ {
			var r stocktake.Record
			f.Fill(&r, i)
			if versions || r.IsLatest {
				batch = append(batch, r)
			}
		}
		if len(batch) > 0 {
			if err := yield(batch, i < end); err != nil {
				return err
			}
		}
		if i >= end {
			return nil
		}
	}
}

// vary returns a time up to most that depends on the request, not on when it is made.
func vary(seed uint64, from, to string, most time.Duration) time.Duration {
	h := fnv.New64a()
	fmt.Fprintf(h, "%d %q %q", seed, from, to)
	return time.Duration(h.Sum64() % uint64(most))
}

// newFar returns a bucket of a shape and the job of a report of all its versions.
func newFar(t tb, shape string, rows int64) (*farSource, engine.Job) {
	t.Helper()
	b, err := keygen.New(shape, rows)
	if err != nil {
		t.Fatal(err)
	}
	f := &farSource{Bucket: b, pageRows: 10, requests: 8, latency: func(string, string) time.Duration { return 30 * time.Millisecond }}
	return f, newJob(func(c *stocktake.InventoryConfiguration) {
		c.IncludedObjectVersions = stocktake.AllVersions
		c.OptionalFields = []stocktake.Field{stocktake.FieldSize, stocktake.FieldStorageClass, stocktake.FieldLastModifiedDate, stocktake.FieldETag}
	})
}

// For any keys, any duration of pages and any memory limit, each row is in the report
// once, in order.
func TestPagesAreJoinedInOrder(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		shape := rapid.SampledFrom(keygen.Shapes).Draw(rt, "shape")
		rows := rapid.Int64Range(0, 900).Draw(rt, "rows")
		requests := rapid.IntRange(1, 12).Draw(rt, "requests")
		pageRows := rapid.Int64Range(2, 40).Draw(rt, "page")
		seed := rapid.Uint64().Draw(rt, "seed")
		opts := small
		opts.EmptyManifest = true
		opts.Limits = report.Limits{Rows: rapid.Int64Range(1, 500).Draw(rt, "shard"), PieceRows: rapid.SampledFrom([]int64{1, 30, 100}).Draw(rt, "piece")}
		opts.Memory = rapid.SampledFrom([]int64{1, 100 << 10, 400 << 10, 100 << 20}).Draw(rt, "memory")
		var failure error
		synctest.Test(t, func(t *testing.T) {
			f, job := newFar(t, shape, rows)
			f.requests, f.pageRows = requests, pageRows
			f.latency = func(from, to string) time.Duration { return vary(seed, from, to, 100*time.Millisecond) }
			dst := membucket.New(nil, "reports").Bucket("reports")
			for range 2 { // the second run has hints
				result, err := engine.Run(t.Context(), f, dst, job, opts)
				if err == nil {
					err = differs(t.Context(), dst, result, f.Bucket)
				}
				failure = errors.Join(failure, err)
				job.Run += "-again"
			}
			if f.most > requests {
				failure = errors.Join(failure, fmt.Errorf("%d requests at once, of %d", f.most, requests))
			}
		})
		if failure != nil {
			rt.Fatal(failure) // outside of the bubble: it ends the goroutine
		}
	})
}

// differs returns the differences of a report from the rows of a bucket, each once,
// in order.
func differs(ctx context.Context, dst engine.Destination, result engine.Result, b *keygen.Bucket) error {
	if result.Summary.Listed != b.Rows || result.Summary.Matched != b.Rows {
		return fmt.Errorf("%d rows listed, %d matched, of %d", result.Summary.Listed, result.Summary.Matched, b.Rows)
	}
	rep, err := report.Open(ctx, dst, result.Manifest)
	if err != nil {
		return err
	}
	i := int64(0)
	var want stocktake.Record
	for row, err := range rep.Rows(ctx) {
		if err != nil {
			return err
		}
		b.Fill(&want, i)
		if string(row.Key) != string(want.Key) || string(row.VersionID) != string(want.VersionID) {
			return fmt.Errorf("row %d is %q %q, want %q %q", i, row.Key, row.VersionID, want.Key, want.VersionID)
		}
		i++
	}
	if i != b.Rows {
		return fmt.Errorf("%d rows, want %d", i, b.Rows)
	}
	return nil
}

// A run that is scanned in very short slices, each by a new process, writes each row
// once.
func TestPagesInSlices(t *testing.T) {
	for _, shape := range keygen.Shapes {
		t.Run(shape, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f, job := newFar(t, shape, 1200)
				dst := membucket.New(nil, "reports").Bucket("reports")
				opts := small
				opts.MinSegment = 50
				opts.Limits = report.Limits{Rows: 400, PieceRows: 50}
				opts.Slice = engine.Budget{Time: 200 * time.Millisecond}
				result, results := sliced(t, f, dst, job, opts, true, func(n int) int { return n - 1 }, func() bool { return len(f.trace)%3 == 0 })
				if len(results) < 5 {
					t.Errorf("%d slices", len(results))
				}
				checkWhole(t, dst, result.Manifest, 1200)
				if err := differs(t.Context(), dst, result, f.Bucket); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

// A slice with a request that fails keeps the rows that it has read, if its caller wants them, and
// the next slice lists the others: each row is in the report once.
func TestPagesFailInSlices(t *testing.T) {
	for _, shape := range keygen.Shapes {
		for _, every := range []int{3, 7, 20} {
			t.Run(fmt.Sprint(shape, every), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					f, job := newFar(t, shape, 1200)
					f.every = every
					dst := membucket.New(nil, "reports").Bucket("reports")
					opts := small
					opts.MinSegment = 50
					opts.Limits = report.Limits{Rows: 400, PieceRows: 50}
					var failures atomic.Int64
					opts.Slice.Failed = func(err error) {
						if failures.Add(1); !errors.Is(err, errBoom) {
							t.Error(err)
						}
					}
					result, _ := sliced(t, f, dst, job, opts, true, func(n int) int { return n - 1 }, func() bool { return len(f.trace)%3 == 0 })
					if n := failures.Load(); n == 0 || n > int64(f.pages/every) {
						t.Errorf("%d failures in %d pages", n, f.pages)
					}
					checkWhole(t, dst, result.Manifest, 1200)
					if err := differs(t.Context(), dst, result, f.Bucket); err != nil {
						t.Error(err)
					}
				})
			})
		}
	}
}

// A stopped slice keeps the rows that it has read.
func TestPagesStop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, job := newFar(t, "hashed", 4000)
		dst := membucket.New(nil, "reports").Bucket("reports")
		opts := small
		stop := make(chan struct{})
		time.AfterFunc(400*time.Millisecond, func() { close(stop) })
		opts.Slice.Stop = stop
		results, err := engine.ScanSlice(t.Context(), f, dst, job, engine.Slice{}, opts)
		if err != nil {
			t.Fatal(err)
		}
		listed := int64(0)
		for i := range results {
			listed += results[i].Listed
		}
		if _, more := results[len(results)-1].Rest(); !more || listed == 0 || listed == 4000 {
			t.Errorf("%d rows in %d results", listed, len(results))
		}
	})
}

// After an error on any page no file is left.
func TestPagesFail(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for n := 1; ; n += 1 + n/8 {
			f, job := newFar(t, "dated", 1000)
			f.fail = n
			dst := membucket.New(nil, "reports").Bucket("reports")
			opts := small
			opts.Limits = report.Limits{Rows: 100, PieceRows: 20}
			_, err := engine.Run(t.Context(), f, dst, job, opts)
			if f.pages < n {
				if err != nil {
					t.Error(err)
				}
				break
			}
			if !errors.Is(err, errBoom) {
				t.Errorf("page %d fails: error %v", n, err)
			}
			checkNothing(t, dst)
		}
	})
}

// A bucket of one page is one request, and one of few pages is not cut.
func TestFewPages(t *testing.T) {
	for _, rows := range []int64{0, 1, 10, 25} {
		synctest.Test(t, func(t *testing.T) {
			f, job := newFar(t, "flat", rows)
			if _, err := engine.Run(t.Context(), f, membucket.New(nil, "reports").Bucket("reports"), job, small); err != nil {
				t.Fatal(err)
			}
			if f.pages != max(1, int(rows+9)/10) {
				t.Errorf("%d rows took %d pages", rows, f.pages)
			}
		})
	}
}

// The requests of a scan, in the order they are made.
func TestTraceOfRequests(t *testing.T) {
	for _, shape := range []string{"flat", "dated", "deep"} {
		synctest.Test(t, func(t *testing.T) {
			f, job := newFar(t, shape, 400)
			f.latency = func(from, to string) time.Duration {
				return 30*time.Millisecond + vary(1, from, to, 7*time.Millisecond)
			}
			if _, err := engine.Run(t.Context(), f, membucket.New(nil, "reports").Bucket("reports"), job, small); err != nil {
				t.Fatal(err)
			}
			slices.Sort(f.trace) // those that are made at once
			golden(t, "testdata/requests-"+shape+".txt", strings.Join(f.trace, "\n")+"\n")
		})
	}
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(name, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(name)
	if err != nil || string(want) != got {
		t.Errorf("%s differs (-update writes it): %v, got\n%s", name, err, got)
	}
}

// A bucket without a previous report is divided after a sample of its pages, into
// parts for all workers; a small one is not divided. The slices read it once.
func TestPlanOfPages(t *testing.T) {
	for _, tt := range []struct {
		rows        int64
		pages       int // that are looked at, at most
		least, most int // slices
	}{
		{400, 1, 1, 1},
		{15_000, 10, 1, 1},
		{400_000, 34, 12, 50},
	} {
		synctest.Test(t, func(t *testing.T) {
			f, job := newFar(t, "hashed", tt.rows)
			f.pageRows, f.requests = 1000, 4
			dst := membucket.New(nil, "reports").Bucket("reports")
			opts := engine.Options{Workers: 8, Log: quiet}
			o, err := engine.Plan(t.Context(), f, dst, job, opts)
			if err != nil {
				t.Fatal(err)
			}
			if n := len(o.Slices); n < tt.least || n > tt.most || f.pages > tt.pages {
				t.Errorf("%d rows: %d slices after %d pages", tt.rows, n, f.pages)
			}
			var results []engine.SliceResult
			for _, s := range o.Slices {
				some, err := engine.ScanSlice(t.Context(), f, dst, job, s, opts)
				if err != nil {
					t.Fatal(err)
				}
				results = append(results, some...)
			}
			if r, err := engine.Publish(t.Context(), dst, job, o, results, opts); err != nil || r.Summary.Listed != tt.rows {
				t.Errorf("%d rows: %d, %v", tt.rows, r.Summary.Listed, err)
			}
		})
	}
}

// The rest of a slice that is ended early is cut so that, as far as its scan knows,
// about as many records lie on each side. The scan does not know digits of keys that
// it has not met yet: all keys that begin with them may be one part.
func TestSharesOfPages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, job := newFar(t, "hashed", 1_000_000)
		f.pageRows = 1000
		opts := small
		opts.MinSegment, opts.Limits = 2000, report.Limits{}
		opts.Slice = engine.Budget{Time: 2 * time.Second}
		results, err := engine.ScanSlice(t.Context(), f, membucket.New(nil, "reports").Bucket("reports"), job, engine.Slice{}, opts)
		if err != nil {
			t.Fatal(err)
		}
		left, largest, cuts := int64(0), int64(0), 0
		for i := range results {
			for _, s := range results[i].Shares(100, 1000+100*i) {
				to := f.Rows
				if s.Segment.To != "" {
					to = f.Rank(s.Segment.To)
				}
				rows := to - f.Rank(s.Segment.From)
				left += rows
				largest = max(largest, rows)
				cuts++
			}
			left -= max(results[i].Left, 0)
		}
		if cuts < 16 || largest > 250_000 || max(left, -left) > 500_000 {
			t.Errorf("%d parts, the largest of %d rows; the estimate is %d wrong", cuts, largest, left)
		}
	})
}
