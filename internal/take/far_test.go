package take_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/engine"
	"github.com/stocktake/stocktake/internal/farstore"
	"github.com/stocktake/stocktake/internal/foreign"
	"github.com/stocktake/stocktake/internal/keygen"
	"github.com/stocktake/stocktake/internal/take"
	"github.com/stocktake/stocktake/report"
)

// openFar opens a store that a handler implements.
func openFar(t *testing.T, h http.Handler) *foreign.Store {
	t.Helper()
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	t.Setenv("FAR_ACCESS_KEY_ID", "k")
	t.Setenv("FAR_ACCESS_KEY_SECRET", "s")
	store, err := foreign.Open(foreign.Settings{Name: "far", Kind: foreign.S3, Endpoint: server.URL, Credentials: foreign.Env("FAR"), Buckets: []string{"photos"}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return store
}

// A take makes as many requests about objects as its estimate says, and reports the
// columns that the store does not have.
func TestDetailsFar(t *testing.T) {
	const rows = 2000
	bucket, err := keygen.New("flat", rows)
	if err != nil {
		t.Fatal(err)
	}
	far := &farstore.Store{Bucket: bucket}
	store := openFar(t, far)
	w := newWorld(0)
	w.job.Source = store.Default().Source()
	w.job.Configuration.OptionalFields = []stocktake.Field{stocktake.FieldTaggingCount, stocktake.FieldCRC64, stocktake.FieldEncryptionStatus, stocktake.FieldSize}
	costs := store.Costs(w.job.Configuration.Columns())
	e, err := take.Guess(t.Context(), w.job, rows, take.Pace{Requests: 8, PerSecond: 100, PerObject: costs.PerObject})
	if err != nil {
		t.Fatal(err)
	}
	if e.Requests != 2*rows || e.Calls != 2 || e.ObjectTime == 0 || e.Time != (2*rows+2)*time.Second/100 || !slices.Equal(e.Unavailable, []stocktake.Field{stocktake.FieldCRC64}) {
		t.Errorf("the estimate is %+v", e)
	}
	before := far.Stats().ObjectRequests
	if before != 2 {
		t.Errorf("the estimate has made %d requests about objects", before)
	}
	result, err := take.Run(t.Context(), w.job, take.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if asked := far.Stats().ObjectRequests - before; asked != 2*rows {
		t.Errorf("the take has made %d requests about objects", asked)
	}
	if s := &result.Summary; s.Matched != rows || s.Incomplete != 0 || !slices.Equal(s.Unavailable, []string{"Crc64"}) {
		t.Errorf("%d rows, %d incomplete, unavailable %q", s.Matched, s.Incomplete, s.Unavailable)
	}
	rep, err := report.Open(t.Context(), w.job.Destination, result.Manifest)
	if err != nil {
		t.Fatal(err)
	}
	for row, err := range rep.Rows(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		if v := row.Values(); string(v[2]) != "9" || len(v[3]) > 0 || string(v[4]) != "true" {
			t.Fatalf("a row is %q", v)
		}
	}
}

// A take without interruptions writes one file at a time, however many ranges it
// lists concurrently, and lists nothing twice for its plan.
func TestWholeFar(t *testing.T) {
	const rows = 30_000
	bucket, err := keygen.New("flat", rows)
	if err != nil {
		t.Fatal(err)
	}
	w := newWorld(0)
	w.job.Source = openFar(t, &farstore.Store{Bucket: bucket}).Default().Source()
	for _, when := range []string{"without a report", "with the last report"} {
		result, err := take.Run(t.Context(), w.job, take.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if s := &result.Summary; s.Matched != rows || len(s.Files) != 1 {
			t.Errorf("%s: %d rows in %d files", when, s.Matched, len(s.Files))
		}
	}
}

// A take that lists many key ranges concurrently is interrupted repeatedly, and
// loses no listed record.
func TestContinueFar(t *testing.T) {
	const rows = 30_000
	bucket, err := keygen.New("flat", rows)
	if err != nil {
		t.Fatal(err)
	}
	far := &farstore.Store{Bucket: bucket}
	var left atomic.Int64
	var interrupt atomic.Pointer[context.CancelFunc]
	store := openFar(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if left.Add(-1) == 0 {
			(*interrupt.Load())()
		}
		far.ServeHTTP(w, r)
	}))
	w := newWorld(0)
	for i := range int64(rows) {
		w.keys = append(w.keys, string(bucket.AppendKey(nil, i)))
	}
	w.job.Source = store.Default().Source()
	before := int64(0)
	for n := 1; ; n++ {
		if n > 50 {
			t.Fatal("it makes no progress")
		}
		ctx, cancel := context.WithCancel(t.Context())
		interrupt.Store(&cancel)
		left.Store(12)
		opts := take.Options{Begun: func(b take.Begun) {
			if b.Listed < before || n > 2 && b.Listed == 0 {
				t.Errorf("attempt %d begins with %d objects, there were %d", n, b.Listed, before)
			}
			before = b.Listed
		}}
		result, err := take.Run(ctx, w.job, opts)
		cancel()
		if err == nil {
			if n < 2 {
				t.Error("it was not interrupted")
			}
			w.whole(t, result)
			t.Logf("%d attempts, %d pages", n, far.Stats().Pages)
			return
		}
		if !errors.Is(err, take.ErrInterrupted) {
			t.Fatal(err)
		}
	}
}

// breaking is a source whose pages fail after some.
type breaking struct {
	engine.Source
	left *atomic.Int64 // pages until then
}

func (b breaking) Snapshot(ctx context.Context, bucket string) (engine.Snapshot, error) {
	s, err := b.Source.Snapshot(ctx, bucket)
	if err != nil {
		return nil, err
	}
	return breakingSnapshot{s.(engine.PagedSnapshot), b.left}, nil
}

type breakingSnapshot struct {
	engine.PagedSnapshot
	left *atomic.Int64
}

var errBroken = errors.New("broken")

func (s breakingSnapshot) Pages(ctx context.Context, seg engine.Segment, versions bool, yield func([]stocktake.Record, bool) error) error {
	return s.PagedSnapshot.Pages(ctx, seg, versions, func(batch []stocktake.Record, more bool) error {
		if err := yield(batch, more); err != nil || !more {
			return err
		}
		if s.left.Add(-1) < 0 {
			return errBroken
		}
		return nil
	})
}

// A take whose store goes away keeps what it has listed, though its next checkpoint is far, and the
// next take lists the rest.
func TestStoreGoesAway(t *testing.T) {
	const rows = 40_000
	bucket, err := keygen.New("flat", rows)
	if err != nil {
		t.Fatal(err)
	}
	store := openFar(t, &farstore.Store{Bucket: bucket})
	w := newWorld(0)
	left := new(atomic.Int64)
	left.Store(20)
	w.job.Source = breaking{store.Default().Source(), left}
	if _, err := take.Run(t.Context(), w.job, take.Options{}); !errors.Is(err, errBroken) {
		t.Fatal(err)
	}
	left.Store(1000)
	var begun take.Begun
	result, err := take.Run(t.Context(), w.job, take.Options{Begun: func(b take.Begun) { begun = b }})
	if err != nil {
		t.Fatal(err)
	}
	if begun.Listed < 10_000 || begun.Listed >= rows {
		t.Errorf("the second take began with %+v", begun)
	}
	if result.Summary.Listed != rows || result.Summary.Matched != rows {
		t.Errorf("%d rows listed, %d matched", result.Summary.Listed, result.Summary.Matched)
	}
	v, err := report.Verify(t.Context(), w.store.Bucket("reports"), result.Manifest, report.VerifyOptions{})
	if err != nil || !v.OK || v.Rows != rows {
		t.Errorf("%+v, %v", v, err)
	}
}
