package take_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"

	"github.com/stocktake/stocktake/internal/farstore"
	"github.com/stocktake/stocktake/internal/foreign"
	"github.com/stocktake/stocktake/internal/keygen"
	"github.com/stocktake/stocktake/internal/take"
)

// A take that lists many key ranges at once is interrupted again and again, and
// loses nothing that was listed.
func TestContinueFar(t *testing.T) {
	const rows = 30_000
	bucket, err := keygen.New("flat", rows)
	if err != nil {
		t.Fatal(err)
	}
	far := &farstore.Store{Bucket: bucket}
	var left atomic.Int64
	var interrupt atomic.Pointer[context.CancelFunc]
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if left.Add(-1) == 0 {
			(*interrupt.Load())()
		}
		far.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	t.Setenv("FAR_ACCESS_KEY_ID", "k")
	t.Setenv("FAR_ACCESS_KEY_SECRET", "s")
	store, err := foreign.Open(foreign.Settings{Name: "far", Kind: foreign.S3, Endpoint: server.URL, Credentials: foreign.Env("FAR"), Buckets: []string{"photos"}}, nil)
	if err != nil {
		t.Fatal(err)
	}
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
