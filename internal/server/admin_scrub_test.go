package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stocktake/stocktake/client"
	"github.com/stocktake/stocktake/internal/object"
	"github.com/stocktake/stocktake/internal/signature"
	"github.com/stocktake/stocktake/internal/store"
)

// storedFolder makes a data folder of n objects, each in a file of its own.
func storedFolder(t *testing.T, objects int) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "data")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	st, err := store.Open(t.Context(), dir, store.Options{Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	by, body := object.ByService("test"), strings.Repeat("x", 70_000)
	err = st.CreateBucket(t.Context(), by, object.NewBucket("photos", DefaultAccount, time.Now()), false)
	for i := range objects {
		_, putErr := st.PutObject(t.Context(), by, object.Put{Bucket: "photos", Key: fmt.Sprintf("%04d", i), Size: int64(len(body))}, strings.NewReader(body))
		err = errors.Join(err, putErr)
	}
	if err = errors.Join(err, st.Close()); err != nil {
		t.Fatal(err)
	}
	return dir
}

// damagedFolder makes a storedFolder and truncates all its files.
func damagedFolder(t *testing.T, objects int) string {
	t.Helper()
	dir := storedFolder(t, objects)
	blobs, err := filepath.Glob(filepath.Join(dir, "blobs", "*", "*", "*"))
	if err != nil || len(blobs) < objects {
		t.Fatalf("%d blob files, %v", len(blobs), err)
	}
	for _, b := range blobs {
		if err := os.Truncate(b, 60_000); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// serveFolder runs a server on the folder until the test ends.
func serveFolder(t *testing.T, cfg Config) *client.Admin {
	t.Helper()
	cfg.Listen, cfg.Log = "127.0.0.1:0", slog.New(slog.DiscardHandler)
	s, err := New(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	key, _ := s.RootKey()
	admin := &client.Admin{Endpoint: s.Endpoint(), Region: s.Config().Region, AccessKeyID: key.ID, AccessKeySecret: key.Secret}
	ctx, end := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Serve(ctx) }()
	t.Cleanup(func() {
		end()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return admin
}

// refusal returns the status of an error if it is a refusal by the server.
func refusal(err error) int {
	if refused, ok := errors.AsType[*client.AdminError](err); ok {
		return refused.StatusCode
	}
	return 0
}

// A requested scrub finds all damaged objects, even more than the 100 of one answer, also in a
// server that does not scrub on its own.
func TestScrubOnDemand(t *testing.T) {
	const objects = 201 // an answer has 100
	admin := serveFolder(t, Config{Data: damagedFolder(t, objects), ScrubRate: -1})
	for range 2 {
		seen := map[string]bool{}
		var last client.Scrub
		sum, err := admin.Scrub(t.Context(), client.ScrubOptions{
			BytesPerSecond: -1,
			Problem:        func(p client.ScrubProblem) { seen[p.Subject] = true },
			Progress:       func(s client.Scrub) { last = s },
		})
		if err != nil || sum.Damaged != objects || sum.Objects != objects || last != sum {
			t.Fatalf("%+v, last seen %+v, %v", sum, last, err)
		}
		if len(seen) != objects || !seen[`object "0000" of bucket photos`] {
			t.Errorf("%d of %d problems were told", len(seen), objects)
		}
	}
	stranger := *admin
	stranger.AccessKeySecret = "another"
	if _, err := stranger.Scrub(t.Context(), client.ScrubOptions{}); refusal(err) != http.StatusForbidden {
		t.Errorf("a stranger: %v", err)
	}
}

// A scrub continues when its clients disconnect, and others can watch it later. It ends with
// the server.
func TestScrubIsWatched(t *testing.T) {
	admin := serveFolder(t, Config{Data: storedFolder(t, 1)})
	watch := func(opts client.ScrubOptions) error {
		ctx, leave := context.WithCancel(t.Context())
		defer leave()
		opts.Progress = func(client.Scrub) { leave() }
		_, err := admin.Scrub(ctx, opts)
		return err
	}
	if err := watch(client.ScrubOptions{BytesPerSecond: 1}); !errors.Is(err, context.Canceled) {
		t.Fatalf("the first: %v", err)
	}
	if err := watch(client.ScrubOptions{}); !errors.Is(err, context.Canceled) {
		t.Errorf("a second: %v", err)
	}
	for _, opts := range []client.ScrubOptions{{BytesPerSecond: -1}, {BytesPerSecond: 1 << 30}, {Restart: true}} {
		if err := watch(opts); refusal(err) != http.StatusConflict {
			t.Errorf("%+v: %v", opts, err)
		}
	}
}

// Invalid parameters of a request about a scrub are refused, and no scrub begins. The client
// cannot send such requests.
func TestScrubRefusesBadRequests(t *testing.T) {
	const (
		scrubRate    = "rate is a number of bytes a second, at least 0"
		scrubRestart = "restart is true or false"
		scrubAfter   = "after is a number, at least 0"
	)
	admin := serveFolder(t, Config{Data: storedFolder(t, 1), ScrubRate: -1})
	send := func(method, query string) (status int, body string) {
		r, err := http.NewRequestWithContext(t.Context(), method, admin.Endpoint+"/-/scrub?"+query, nil)
		if err != nil {
			t.Fatal(err)
		}
		key := signature.Credentials{ID: admin.AccessKeyID, Secret: admin.AccessKeySecret}
		if err := signature.Sign(r, signature.Target{Bucket: "-", Key: "scrub"}, key, admin.Region, signature.V4, time.Now()); err != nil {
			t.Fatal(err)
		}
		res, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		text, err := io.ReadAll(res.Body)
		if err != nil {
			t.Fatal(err)
		}
		return res.StatusCode, string(text)
	}
	for query, want := range map[string]string{
		"rate=": scrubRate, "rate=-1": scrubRate, "rate=1.5": scrubRate, "rate=many": scrubRate, "rate=9223372036854775808": scrubRate,
		"restart=": scrubRestart, "restart=yes": scrubRestart, "rate=1&restart=2": scrubRestart,
		"after=": scrubAfter, "after=-1": scrubAfter, "after=x": scrubAfter, "after=9223372036854775808": scrubAfter,
	} {
		if status, body := send(http.MethodPost, query); status != http.StatusBadRequest || body != want+"\n" {
			t.Errorf("POST ?%s: %d %s", query, status, body)
		}
	}
	if status, body := send(http.MethodGet, "after=-1"); status != http.StatusBadRequest || body != scrubAfter+"\n" {
		t.Errorf("GET ?after=-1: %d %s", status, body)
	}
	if status, body := send(http.MethodGet, "after=1000"); status != http.StatusOK || !strings.Contains(body, `"number":0`) {
		t.Errorf("a scrub began, or there is none to see: %d %s", status, body)
	}
}
