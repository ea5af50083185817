package lifecycle_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/clock"
	"github.com/stocktake/stocktake/internal/lifecycle"
	"github.com/stocktake/stocktake/internal/object"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// The history of a bucket through a year and two months, day by day, with a clock
// that the test moves forward.
func TestYear(t *testing.T) {
	c := clock.NewFrozen(date("2026-01-01T00:00:00Z"))
	m := newMemory(c.Now)
	m.bucket("photos", object.Enabled,
		object.LifecycleRule{
			ID: "age", Enabled: true, Prefix: "p/", Expiration: days(365),
			Transitions: []object.LifecycleTransition{
				to(stocktake.IA, 30), to(stocktake.Archive, 60), to(stocktake.ColdArchive, 90), to(stocktake.DeepColdArchive, 180),
			},
			NoncurrentExpiration: 20, NoncurrentTransitions: []object.LifecycleTransition{to(stocktake.ColdArchive, 10)},
		},
		object.LifecycleRule{ID: "markers", Enabled: true, ExpiredDeleteMarker: true},
		object.LifecycleRule{ID: "uploads", Enabled: true, Prefix: "u/", AbortUploads: days(7)},
	)
	m.put("photos", "p/a") // v1, at midnight
	m.put("photos", "other")
	m.upload("photos", "u/x", c.Now())                               // no parts
	m.upload("photos", "u/y", c.Now(), date("2026-01-20T00:00:00Z")) // a part to come

	var history []string
	was := m.state("photos")
	begun := &observed{first: make(chan struct{})}
	w := newWorker(m, lifecycle.Options{Clock: c, Observer: begun})
	ctx, cancel := context.WithCancel(t.Context())
	served := make(chan error)
	go func() { served <- w.Serve(ctx) }()
	<-begun.first // from now on the clock waits for each pass
	for d := range 430 {
		check(t, c.Advance(t.Context(), 24*time.Hour))
		if d == 199 { // July 20
			m.put("photos", "p/a")
			was = m.state("photos")
		}
		is := m.state("photos")
		for _, l := range is {
			if !slices.Contains(was, l) {
				history = append(history, c.Now().Format(time.DateOnly)+" + "+l)
			}
		}
		for _, l := range was {
			if !slices.Contains(is, l) {
				history = append(history, c.Now().Format(time.DateOnly)+" - "+l)
			}
		}
		was = is
	}
	cancel()
	check(t, <-served)

	// Each change is seen at the midnight after 16:00 UTC, when the pass begins, of
	// the day on which it is due: January 31 is 30 days after January 1.
	want := strings.Split(strings.TrimSpace(`
2026-01-09 - upload u/x
2026-01-28 - upload u/y
2026-02-01 + p/a v000000001 IA
2026-02-01 - p/a v000000001 Standard
2026-03-03 + p/a v000000001 Archive
2026-03-03 - p/a v000000001 IA
2026-04-02 + p/a v000000001 ColdArchive 2026-04-01
2026-04-02 - p/a v000000001 Archive
2026-07-01 + p/a v000000001 DeepColdArchive 2026-06-30
2026-07-01 - p/a v000000001 ColdArchive 2026-04-01
2026-08-10 - p/a v000000001 DeepColdArchive 2026-06-30
2026-08-20 + p/a v000000005 IA
2026-08-20 - p/a v000000005 Standard
2026-09-19 + p/a v000000005 Archive
2026-09-19 - p/a v000000005 IA
2026-10-19 + p/a v000000005 ColdArchive 2026-10-18
2026-10-19 - p/a v000000005 Archive
2027-01-17 + p/a v000000005 DeepColdArchive 2027-01-16
2027-01-17 - p/a v000000005 ColdArchive 2026-10-18`), "\n")
	if !slices.Equal(history, want) {
		t.Errorf("history:\n%s\nwant:\n%s", strings.Join(history, "\n"), strings.Join(want, "\n"))
	}
}

// Expired objects of a versioned bucket disappear step by step: a marker is added,
// then the noncurrent version is removed, then the marker, which is alone then.
func TestExpiredToNothing(t *testing.T) {
	c := clock.NewFrozen(date("2026-01-01T00:00:00Z"))
	m := newMemory(c.Now)
	m.bucket("b", object.Enabled,
		object.LifecycleRule{ID: "1", Enabled: true, Expiration: days(1), NoncurrentExpiration: 1},
		object.LifecycleRule{ID: "2", Enabled: true, ExpiredDeleteMarker: true},
	)
	m.put("b", "k")
	w := newWorker(m, lifecycle.Options{Clock: c})
	for i, want := range []struct {
		state string
		pass  lifecycle.Pass
	}{
		{"k v000000001 Standard", lifecycle.Pass{Listed: 1}},
		{"k v000000002 marker, k v000000001 Standard", lifecycle.Pass{Listed: 1, Expired: 1}},
		{"k v000000002 marker", lifecycle.Pass{Listed: 2, Removed: 1}},
		{"", lifecycle.Pass{Listed: 1, Removed: 1}},
		{"", lifecycle.Pass{}},
	} {
		got, err := w.RunOnce(t.Context(), "b")
		check(t, err)
		want.pass.Bucket = "b"
		if state := strings.Join(m.state("b"), ", "); state != want.state || got != want.pass {
			t.Errorf("day %d: %q %+v, want %q %+v", i, state, got, want.state, want.pass)
		}
		check(t, c.Advance(t.Context(), 24*time.Hour))
	}
}

func TestNext(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	check(t, err)
	for _, tt := range []struct {
		opts      lifecycle.Options
		now, want string
	}{
		{lifecycle.Options{}, "2026-01-01T15:59:59Z", "2026-01-01T16:00:00Z"},
		{lifecycle.Options{}, "2026-01-01T16:00:00Z", "2026-01-02T16:00:00Z"},
		{lifecycle.Options{Zone: time.UTC, Hour: 3}, "2026-12-31T03:00:00Z", "2027-01-01T03:00:00Z"},
		{lifecycle.Options{Zone: berlin, Hour: 2}, "2026-03-28T12:00:00Z", "2026-03-29T01:00:00Z"}, // 02:00 is left out
		{lifecycle.Options{Zone: berlin, Hour: 2}, "2026-10-25T01:00:00Z", "2026-10-26T01:00:00Z"}, // 02:00 has come twice
	} {
		if got := newWorker(nil, tt.opts).Next(date(tt.now)); !got.Equal(date(tt.want)) {
			t.Errorf("after %s: %s, want %s", tt.now, got.UTC(), tt.want)
		}
	}
}

// Actions that fall due while no worker runs are carried out when one starts.
func TestServeBeginsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMemory(time.Now)
		m.bucket("b", object.Unversioned, object.LifecycleRule{ID: "1", Enabled: true, Expiration: days(1)})
		m.put("b", "k", func(v *object.Info) { v.LastModified = time.Now().AddDate(0, 0, -9) })
		ctx, cancel := context.WithCancel(t.Context())
		go func() {
			synctest.Wait()
			if state := m.state("b"); len(state) > 0 {
				t.Errorf("left: %q", state)
			}
			cancel()
		}()
		check(t, newWorker(m, lifecycle.Options{}).Serve(ctx))
	})
}

// A version that was written, or became current again, after the decision is left
// alone.
func TestChangedMeanwhile(t *testing.T) {
	type rule = object.LifecycleRule
	week := func(v *object.Info) { v.LastModified = date("2026-01-01T00:00:00Z") }
	tagged := func(v *object.Info) { v.Tags = []object.Tag{{Key: "keep"}} }
	for _, tt := range []struct {
		name       string
		versioning object.Versioning
		rule       rule
		before     func(m *memory)
		meanwhile  func(m *memory)
		want       string
	}{
		{
			"overwritten", object.Unversioned,
			rule{Expiration: days(1)},
			func(m *memory) { m.put("b", "k", week) },
			func(m *memory) { m.put("b", "k") },
			"k Standard",
		},
		{
			"overwritten where versions are kept", object.Enabled,
			rule{Expiration: days(1)},
			func(m *memory) { m.put("b", "k", week) },
			func(m *memory) { m.put("b", "k") },
			"k v000000002 Standard, k v000000001 Standard",
		},
		{
			"overwritten before a transition", object.Unversioned,
			rule{Transitions: []object.LifecycleTransition{to(stocktake.IA, 1)}},
			func(m *memory) { m.put("b", "k", week) },
			func(m *memory) { m.put("b", "k") },
			"k Standard",
		},
		{
			"tagged", object.Unversioned,
			rule{Expiration: days(1), Not: []object.LifecycleNot{{Tag: &object.Tag{Key: "keep"}}}},
			func(m *memory) { m.put("b", "k", week) },
			func(m *memory) { m.put("b", "k", week, tagged) },
			"k Standard",
		},
		{
			"tagged before it was asked for its tags", object.Unversioned,
			rule{Expiration: days(1), Not: []object.LifecycleNot{{Tag: &object.Tag{Key: "keep"}}}},
			func(m *memory) { m.put("b", "k", week) },
			func(m *memory) { m.put("b", "k", tagged) },
			"k Standard",
		},
		{
			"gone before it was asked for its tags", object.Unversioned,
			rule{Expiration: days(1), Tags: []object.Tag{{Key: "go"}}},
			func(m *memory) { m.put("b", "k", week) },
			func(m *memory) { m.buckets["b"].versions = nil },
			"",
		},
		{
			"current again", object.Enabled,
			rule{NoncurrentExpiration: 1},
			func(m *memory) { m.put("b", "k", week); m.put("b", "k", week) },
			func(m *memory) { m.buckets["b"].versions = m.buckets["b"].versions[1:] },
			"k v000000001 Standard",
		},
		{
			"hidden marker", object.Enabled,
			rule{ExpiredDeleteMarker: true},
			func(m *memory) { m.put("b", "k", week, func(v *object.Info) { v.IsDeleteMarker = true }) },
			func(m *memory) { m.put("b", "k") },
			"k v000000002 Standard, k v000000001 marker",
		},
		{
			"gone", object.Unversioned,
			rule{Expiration: days(1)},
			func(m *memory) { m.put("b", "k", week) },
			func(m *memory) { m.buckets["b"].versions = nil },
			"",
		},
		{
			"upload completed", object.Unversioned,
			rule{AbortUploads: days(1)},
			func(m *memory) { m.upload("b", "k", date("2026-01-01T00:00:00Z")) },
			func(m *memory) { m.buckets["b"].uploads = nil },
			"",
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := clock.NewFrozen(date("2026-01-08T00:00:00Z"))
			m := newMemory(c.Now)
			tt.rule.ID, tt.rule.Enabled = "r", true
			m.bucket("b", tt.versioning, tt.rule)
			tt.before(m)
			var once sync.Once
			m.before = func(op, _, _ string) error {
				if op == "UpdateObject" || op == "DeleteIf" || op == "AbortUpload" || op == "Head" && strings.Contains(tt.name, "asked") {
					once.Do(func() { tt.meanwhile(m) })
				}
				return nil
			}
			got, err := newWorker(m, lifecycle.Options{Clock: c}).RunOnce(t.Context(), "b")
			check(t, err)
			if got.Changed != 1 || got.Actions() != 0 || got.Failed != 0 {
				t.Errorf("%+v, want one changed", got)
			}
			if state := strings.Join(m.state("b"), ", "); state != tt.want {
				t.Errorf("%q, want %q", state, tt.want)
			}
		})
	}
}

// A pass ends when its rules change.
func TestRulesChangeMeanwhile(t *testing.T) {
	c := clock.NewFrozen(date("2026-01-08T00:00:00Z"))
	m := newMemory(c.Now)
	b := m.bucket("b", object.Unversioned, object.LifecycleRule{ID: "1", Enabled: true, Expiration: days(1), AbortUploads: days(1)})
	for i := range 100 {
		m.put("b", fmt.Sprintf("%03d", i), func(v *object.Info) { v.LastModified = date("2026-01-01T00:00:00Z") })
	}
	m.upload("b", "u", date("2026-01-01T00:00:00Z"))
	lists := 0
	m.before = func(op, _, _ string) error {
		if op == "List" {
			if lists++; lists == 4 {
				b.Lifecycle = &object.Lifecycle{Rules: []object.LifecycleRule{{ID: "1", Expiration: days(1), AbortUploads: days(1)}}}
			}
		}
		return nil
	}
	w := newWorker(m, lifecycle.Options{Clock: c})
	w.SetPage(10)
	got, err := w.RunOnce(t.Context(), "b")
	check(t, err)
	if want := (lifecycle.Pass{Bucket: "b", Listed: 40, Expired: 40}); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
}

type observed struct {
	passes []lifecycle.Pass
	errs   []error
	first  chan struct{} // closed with the first pass; may be nil
}

func (o *observed) PassDone(p lifecycle.Pass, err error) {
	if o.first != nil && len(o.passes) == 0 {
		close(o.first)
	}
	o.passes, o.errs = append(o.passes, p), append(o.errs, err)
}

// Each operation fails once. The other bucket is still processed, and the next pass
// completes the work.
func TestEverythingFailsOnce(t *testing.T) {
	boom := errors.New("boom")
	for n := 1; ; n++ {
		c := clock.NewFrozen(date("2026-01-08T00:00:00Z"))
		m := newMemory(c.Now)
		old := func(v *object.Info) { v.LastModified = date("2026-01-01T00:00:00Z") }
		for _, name := range []string{"a", "b"} {
			m.bucket(name, object.Unversioned, object.LifecycleRule{
				ID: "1", Enabled: true, Prefix: "x", Expiration: days(1), AbortUploads: days(1),
			}, object.LifecycleRule{
				ID: "2", Enabled: true, Prefix: "y", Transitions: []object.LifecycleTransition{to(stocktake.ColdArchive, 1)},
				Not: []object.LifecycleNot{{Tag: &object.Tag{Key: "keep"}}},
			})
			for i := range 5 {
				m.put(name, fmt.Sprint("x", i), old)
				m.put(name, fmt.Sprint("y", i), old)
				m.upload(name, fmt.Sprint("x", i), date("2026-01-01T00:00:00Z"), date("2026-01-01T00:00:00Z"))
			}
		}
		var (
			mu     sync.Mutex
			calls  int
			failed string // bucket
		)
		m.before = func(op, bucket, _ string) error {
			mu.Lock()
			defer mu.Unlock()
			if calls++; calls == n {
				failed = op + " " + bucket
				return boom
			}
			return nil
		}
		var log bytes.Buffer
		var seen observed
		w := newWorker(m, lifecycle.Options{Clock: c, Log: slog.New(slog.NewTextHandler(&log, nil)), Parallel: 1, Observer: &seen})
		w.SetPage(2)

		err := w.RunAll(t.Context())
		if (err != nil) != (failed != "") || err != nil && !errors.Is(err, boom) {
			t.Fatalf("%d: %s: %v", n, failed, err)
		}
		left := func(name string) int {
			return len(slices.DeleteFunc(m.state(name), func(l string) bool { return strings.HasPrefix(l, "y") && strings.Contains(l, "ColdArchive 2026-01-08") }))
		}
		for _, name := range []string{"a", "b"} {
			if left(name) > 0 && !strings.HasSuffix(failed, " "+name) && failed != "Buckets " {
				t.Fatalf("%d: %s failed and kept bucket %s from being done: %q", n, failed, name, m.state(name))
			}
		}
		if failed == "" {
			if len(seen.passes) != 2 || seen.passes[1].Actions() != 15 || seen.errs[1] != nil {
				t.Errorf("observed %+v", seen)
			}
			break
		}
		if !strings.Contains(log.String(), "boom") {
			t.Errorf("%d: %s failed in silence:\n%s", n, failed, &log)
		}
		check(t, w.RunAll(t.Context()))
		if l := left("a") + left("b"); l > 0 {
			t.Fatalf("%d: after %s failed, the next pass left %d", n, failed, l)
		}
	}
}

// A pass ends soon after its context, and reports it.
func TestEnds(t *testing.T) {
	c := clock.NewFrozen(date("2026-01-08T00:00:00Z"))
	m := newMemory(c.Now)
	m.bucket("b", object.Unversioned, object.LifecycleRule{ID: "1", Enabled: true, Expiration: days(1)})
	for i := range 2000 {
		m.put("b", fmt.Sprintf("%04d", i), func(v *object.Info) { v.LastModified = date("2026-01-01T00:00:00Z") })
	}
	ctx, cancel := context.WithCancel(t.Context())
	var mu sync.Mutex
	calls := 0
	m.before = func(op, _, _ string) error {
		mu.Lock()
		defer mu.Unlock()
		if calls++; calls == 100 {
			cancel()
		}
		return ctx.Err()
	}
	got, err := newWorker(m, lifecycle.Options{Clock: c, Rate: 1_000_000}).RunOnce(ctx, "b")
	if !errors.Is(err, context.Canceled) || got.Expired > 110 || got.Failed > 0 {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestBadBuckets(t *testing.T) {
	m := newMemory(time.Now)
	w := newWorker(m, lifecycle.Options{})
	if _, err := w.RunOnce(t.Context(), "none"); !errors.Is(err, stocktake.ErrNoSuchBucket) {
		t.Errorf("missing bucket: %v", err)
	}
	m.bucket("b", object.Unversioned).Lifecycle = nil
	if got, err := w.RunOnce(t.Context(), "b"); err != nil || got != (lifecycle.Pass{Bucket: "b"}) {
		t.Errorf("no rules: %+v, %v", got, err)
	}
}

// Changes are made no faster than the configured rate.
func TestRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMemory(time.Now)
		m.bucket("b", object.Unversioned, object.LifecycleRule{ID: "1", Enabled: true, Expiration: days(1)})
		for i := range 1000 {
			m.put("b", fmt.Sprintf("%04d", i), func(v *object.Info) { v.LastModified = time.Now().AddDate(0, 0, -9) })
		}
		start := time.Now()
		got, err := newWorker(m, lifecycle.Options{Rate: 100}).RunOnce(t.Context(), "b")
		check(t, err)
		if took := time.Since(start); got.Expired != 1000 || took < 9900*time.Millisecond || took > 10*time.Second {
			t.Errorf("%d in %v, want 1000 in 10 s", got.Expired, took)
		}
	})
}
