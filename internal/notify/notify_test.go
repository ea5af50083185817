package notify_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/catalog/catalogtest"
	"github.com/stocktake/stocktake/internal/catalog/sqlite"
	"github.com/stocktake/stocktake/internal/clock"
	"github.com/stocktake/stocktake/internal/inventory"
	"github.com/stocktake/stocktake/internal/notify"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var (
	start  = time.Date(2026, 1, 5, 16, 0, 0, 0, time.UTC)
	secret = []byte("0123456789abcdef")
)

// receiver is a real HTTP server that records notices.
type receiver struct {
	*httptest.Server
	mu     sync.Mutex
	bodies []string
	ids    []string
	times  []time.Time
	answer func(attempt int) int // nil: 204
}

func newReceiver(t *testing.T, clk clock.Clock) *receiver {
	r := &receiver{}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		body, err := io.ReadAll(req.Body)
		if err != nil {
			t.Error(err)
		}
		timestamp := req.Header.Get(notify.HeaderTimestamp)
		if got, want := req.Header.Get(notify.HeaderSignature), notify.Sign(secret, timestamp, body); got != want {
			t.Errorf("signature %q, want %q", got, want)
		}
		if want := strconv.FormatInt(clk.Now().Unix(), 10); timestamp != want {
			t.Errorf("timestamp %s, want %s", timestamp, want)
		}
		r.mu.Lock()
		defer r.mu.Unlock()
		r.bodies = append(r.bodies, string(body))
		r.ids = append(r.ids, req.Header.Get(notify.HeaderID))
		r.times = append(r.times, clk.Now())
		status := http.StatusNoContent
		if r.answer != nil {
			status = r.answer(len(r.bodies))
		}
		if status/100 == 3 {
			w.Header().Set("Location", "/elsewhere")
		}
		w.WriteHeader(status)
	}))
	t.Cleanup(r.Close)
	return r
}

type world struct {
	*notify.Notifier
	t       *testing.T
	clock   *clock.Movable
	catalog *sqlite.Catalog
	log     *bytes.Buffer
	made    int
}

func newWorld(t *testing.T, clk *clock.Movable, webhooks ...notify.Webhook) *world {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{}}
	t.Cleanup(client.CloseIdleConnections)
	return newWorldWith(t, clk, client, webhooks...)
}

func newWorldWith(t *testing.T, clk *clock.Movable, client *http.Client, webhooks ...notify.Webhook) *world {
	t.Helper()
	cat, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "catalog.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := cat.Close(); err != nil {
			t.Error(err)
		}
	})
	w := &world{t: t, clock: clk, catalog: cat, log: &bytes.Buffer{}}
	w.Notifier, err = notify.New(cat, webhooks, notify.Options{Client: client, Clock: clk, Log: slog.New(slog.NewTextHandler(w.log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// serve delivers notices until the returned function is called.
func (w *world) serve() (stop func()) {
	ctx, cancel := context.WithCancel(w.t.Context())
	done := make(chan error)
	go func() { done <- w.Serve(ctx) }()
	return sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			w.t.Error(err)
		}
	})
}

// happen stores the notices of an event, as the service does.
func (w *world) happen(kind inventory.EventKind) {
	w.t.Helper()
	w.made++
	id := fmt.Sprint("run", w.made)
	first := catalogtest.Queued("photos", id, id)
	r := first
	r.State, r.Ended, r.Reason = stocktake.Failed, w.clock.Now(), "no such luck"
	err := errors.Join(
		w.catalog.AddConfiguration(w.t.Context(), catalogtest.Entry("photos", id), &first, catalogtest.Holder, 1<<20),
		w.catalog.EndRun(w.t.Context(), r, catalogtest.At(stocktake.Queued, r), inventory.End{
			Keep: 1, Notices: w.Notices(inventory.Event{Kind: kind, Time: w.clock.Now(), Run: r}),
		}),
	)
	if err != nil {
		w.t.Fatal(err)
	}
	w.Stored()
}

func (w *world) advance(d time.Duration) {
	w.t.Helper()
	if err := w.clock.Advance(w.t.Context(), d); err != nil {
		w.t.Fatal(err)
	}
}

func TestDelivers(t *testing.T) {
	clk := clock.NewFrozen(start)
	r := newReceiver(t, clk)
	w := newWorld(t, clk, notify.Webhook{Name: "ops", URL: r.URL, Secret: secret, Events: []inventory.EventKind{inventory.EventFailed}})
	w.happen(inventory.EventFailed) // before it serves
	defer w.serve()()
	w.advance(0)
	w.happen(inventory.EventSucceeded)
	w.happen(inventory.EventFailed)
	w.advance(0)
	if len(r.bodies) != 2 {
		t.Fatalf("received %q, want two failures", r.bodies)
	}
	var got struct {
		ID    string
		Event string
		Time  time.Time
		Run   stocktake.Run
	}
	if err := json.Unmarshal([]byte(r.bodies[0]), &got); err != nil {
		t.Fatal(err)
	}
	if got.ID == "" || got.ID != r.ids[0] || got.Event != "failed" || !got.Time.Equal(start) || got.Run.ID != "run1" || got.Run.Reason != "no such luck" {
		t.Errorf("received %s", r.bodies[0])
	}
	if next, err := w.catalog.NextNotice(t.Context(), "ops"); err != nil || !next.IsZero() {
		t.Errorf("after the delivery there is one for %v, %v", next, err)
	}
}

func TestTriesAgainAndGivesUp(t *testing.T) {
	clk := clock.NewFrozen(start)
	r := newReceiver(t, clk)
	r.answer = func(attempt int) int { return []int{500, 302, 404}[attempt%3] }
	w := newWorld(t, clk, notify.Webhook{Name: "ops", URL: r.URL + "/very-secret", Secret: secret})
	stop := w.serve()
	defer stop()
	w.happen(inventory.EventFailed)
	w.advance(72 * time.Hour)
	var after []time.Duration
	for _, at := range r.times {
		after = append(after, at.Sub(start).Round(time.Second))
	}
	want := []time.Duration{
		0, 5 * time.Second, 35 * time.Second, 155 * time.Second, 755 * time.Second, 2555 * time.Second,
		6155 * time.Second, 13355 * time.Second, 27755 * time.Second, 56555 * time.Second, 114155 * time.Second, 171755 * time.Second,
	}
	if diff := cmp.Diff(want, after); diff != "" {
		t.Errorf("attempts (-want +got):\n%s", diff)
	}
	dead, err := w.Dead(t.Context(), "", 10)
	if err != nil || len(dead) != 1 || dead[0].Attempts != 12 || !strings.Contains(dead[0].Error, "500") {
		t.Fatalf("dead %+v, %v", dead, err)
	}

	// Retry manually, once the receiver answers.
	r.answer = nil
	if err := w.Retry(t.Context(), dead[0].ID); err != nil {
		t.Fatal(err)
	}
	w.advance(0)
	if got := r.ids[len(r.ids)-1]; len(r.ids) != 13 || got != dead[0].ID {
		t.Errorf("%d attempts, the last at %s", len(r.ids), got)
	}
	told, err := w.History(t.Context(), inventory.NoticeQuery{}, 10)
	if err != nil || len(told) != 1 || told[0].State() != inventory.NoticeDelivered || told[0].Answer != 204 || told[0].Error != "" || told[0].Run != "run1" {
		t.Errorf("history %+v, %v", told, err)
	}
	// Retry a notice that was received, too.
	if err := w.Retry(t.Context(), dead[0].ID); err != nil {
		t.Error(err)
	}
	w.advance(0)
	if len(r.ids) != 14 {
		t.Errorf("%d attempts", len(r.ids))
	}
	if err := w.Retry(t.Context(), "none"); !errors.Is(err, inventory.ErrNoSuchNotice) {
		t.Errorf("retry of one that there is not: %v", err)
	}
	stop()
	if strings.Contains(w.log.String(), "very-secret") || strings.Contains(w.log.String(), string(secret)) {
		t.Errorf("the log tells secrets:\n%s", w.log)
	}
}

// A receiver gets a test notice even if it does not subscribe to its event.
func TestTryOfAReceiver(t *testing.T) {
	clk := clock.NewFrozen(start)
	r := newReceiver(t, clk)
	w := newWorld(t, clk, notify.Webhook{Name: "ops", URL: r.URL, Secret: secret, Events: []inventory.EventKind{inventory.EventLate}})
	defer w.serve()()
	id, err := w.Test(t.Context(), "ops")
	if err != nil {
		t.Fatal(err)
	}
	w.advance(0)
	if len(r.bodies) != 1 || r.ids[0] != id || !strings.Contains(r.bodies[0], `"event":"test"`) {
		t.Errorf("received %q", r.bodies)
	}
	told, err := w.History(t.Context(), inventory.NoticeQuery{}, 10)
	if err != nil || len(told) != 1 || told[0].ID != id || told[0].State() != inventory.NoticeDelivered || told[0].Bucket != "" {
		t.Errorf("history %+v, %v", told, err)
	}
	if _, err := w.Test(t.Context(), "nobody"); !errors.Is(err, notify.ErrNoSuchWebhook) {
		t.Errorf("unknown receiver: %v", err)
	}
}

// A webhook cannot be the address of a cloud's credential service.
func TestMetadataServiceIsNotReached(t *testing.T) {
	t.Setenv("http_proxy", "")
	clk := clock.NewFrozen(start)
	w := newWorldWith(t, clk, nil, notify.Webhook{Name: "ops", URL: "http://169.254.169.254/latest", Secret: secret})
	stop := w.serve()
	defer stop()
	w.happen(inventory.EventFailed)
	w.advance(72 * time.Hour)
	dead, err := w.Dead(t.Context(), "", 10)
	if err != nil || len(dead) != 1 || !strings.Contains(dead[0].Error, "connections to 169.254.169.254 are not allowed") {
		t.Errorf("dead %+v, %v", dead, err)
	}
}

func TestGoneForGood(t *testing.T) {
	clk := clock.NewFrozen(start)
	r := newReceiver(t, clk)
	r.answer = func(int) int { return http.StatusGone }
	w := newWorld(t, clk, notify.Webhook{Name: "ops", URL: r.URL, Secret: secret})
	defer w.serve()()
	w.happen(inventory.EventLate)
	w.advance(time.Hour)
	dead, err := w.Dead(t.Context(), "", 10)
	if err != nil || len(dead) != 1 || len(r.ids) != 1 {
		t.Fatalf("dead %+v, %v, after %d attempts; want one", dead, err, len(r.ids))
	}
	if waiting, dead, err := w.catalog.CountNotices(t.Context()); err != nil || waiting != 0 || dead != 1 {
		t.Errorf("%d notices wait, %d are dead, %v; want 0 and 1", waiting, dead, err)
	}
	if err := w.Drop(t.Context(), dead[0].ID); err != nil {
		t.Fatal(err)
	}
	if err := w.Drop(t.Context(), dead[0].ID); !errors.Is(err, inventory.ErrNoSuchNotice) {
		t.Errorf("drop of one that was dropped: %v", err)
	}
	if dead, err := w.Dead(t.Context(), "", 10); err != nil || len(dead) != 0 {
		t.Errorf("dead %+v, %v", dead, err)
	}
}

// TestReceiverThatIsDown has two receivers and many notices. One receiver is down for a long
// time. The other one receives its notices, and in the end only dead notices are left.
func TestReceiverThatIsDown(t *testing.T) {
	clk := clock.NewFrozen(start)
	r := newReceiver(t, clk)
	w := newWorld(t, clk,
		notify.Webhook{Name: "up", URL: r.URL, Secret: secret},
		notify.Webhook{Name: "down", URL: "http://user:very-secret@127.0.0.1:1/", Secret: secret},
	)
	stop := w.serve()
	defer stop()
	const n = 20
	for range n {
		w.happen(inventory.EventFailed)
	}
	w.advance(0)
	if waiting, dead, err := w.catalog.CountNotices(t.Context()); err != nil || waiting != n || dead != 0 {
		t.Errorf("%d notices wait, %d are dead, %v; want %d and 0", waiting, dead, err, n)
	}
	if len(r.ids) != n {
		t.Errorf("the receiver that is up was told %d of %d", len(r.ids), n)
	}
	w.advance(7 * 24 * time.Hour)
	dead, err := w.Dead(t.Context(), "", 100)
	if err != nil || len(dead) != n {
		t.Errorf("%d dead, %v; want %d", len(dead), err, n)
	}
	for _, d := range dead {
		if d.Target != "down" || d.Error == "" || strings.Contains(d.Error, "very-secret") {
			t.Errorf("dead: %+v", d)
		}
	}
	// A month later a new notice dies, and the old ones are removed.
	w.advance(31 * 24 * time.Hour)
	w.happen(inventory.EventFailed)
	w.advance(7 * 24 * time.Hour)
	if dead, err := w.Dead(t.Context(), "", 100); err != nil || len(dead) != 1 {
		t.Errorf("%d dead after a month, %v; want the new one", len(dead), err)
	}
	stop()
	if strings.Contains(w.log.String(), "very-secret") {
		t.Errorf("the log tells secrets:\n%s", w.log)
	}
}

func TestHookThatIsNoLongerConfigured(t *testing.T) {
	clk := clock.NewFrozen(start)
	w := newWorld(t, clk, notify.Webhook{Name: "old", URL: "http://127.0.0.1:1/", Secret: secret})
	w.happen(inventory.EventFailed)
	webhooks, err := notify.New(w.catalog, nil, notify.Options{Clock: clk})
	if err != nil {
		t.Fatal(err)
	}
	w.Notifier = webhooks
	if err := w.Serve(t.Context()); err != nil { // it has nothing to deliver, and returns
		t.Fatal(err)
	}
	dead, err := w.Dead(t.Context(), "", 10)
	if err != nil || len(dead) != 1 || dead[0].Error == "" {
		t.Fatalf("dead %+v, %v", dead, err)
	}
	if err := w.Retry(t.Context(), dead[0].ID); !errors.Is(err, notify.ErrNoSuchWebhook) {
		t.Errorf("retry for a webhook that is not configured: %v", err)
	}
}

func TestNewRefuses(t *testing.T) {
	good := notify.Webhook{Name: "ops", URL: "https://example.com/very-secret", Secret: secret}
	for name, change := range map[string]func(*notify.Webhook){
		"no name":       func(h *notify.Webhook) { h.Name = "" },
		"no URL":        func(h *notify.Webhook) { h.URL = "" },
		"a file":        func(h *notify.Webhook) { h.URL = "file:///very-secret" },
		"a broken URL":  func(h *notify.Webhook) { h.URL = "http://very-secret\x00" },
		"short secret":  func(h *notify.Webhook) { h.Secret = secret[:15] },
		"unknown event": func(h *notify.Webhook) { h.Events = []inventory.EventKind{"exploded"} },
	} {
		h := good
		change(&h)
		if _, err := notify.New(nil, []notify.Webhook{h}, notify.Options{}); err == nil || strings.Contains(err.Error(), "very-secret") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := notify.New(nil, []notify.Webhook{good, good}, notify.Options{}); err == nil {
		t.Error("two of one name: accepted")
	}
}

// The vector of docs/formats/webhook.md, with which a receiver can check its
// implementation.
func TestSignVector(t *testing.T) {
	got := notify.Sign([]byte("0123456789abcdef"), "1767628800", []byte(`{"event":"failed"}`))
	if want := "v1=b0ac2e734f7c7915dd9ed7504dec328e709982af9bf87631bdbe7a29e9823288"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

// TestNoticeOfAClockThatWasAhead delivers a notice at once if it is due later than the longest
// pause, because the clock was ahead when it was stored.
func TestNoticeOfAClockThatWasAhead(t *testing.T) {
	clk := clock.NewFrozen(time.Date(2026, 1, 5, 16, 0, 0, 0, time.UTC))
	r := newReceiver(t, clk)
	w := newWorld(t, clk, notify.Webhook{Name: "ops", URL: r.URL, Secret: secret})
	n := inventory.Notice{ID: "n", Target: "ops", Made: clk.Now().Add(49 * time.Hour), Due: clk.Now().Add(50 * time.Hour), Payload: "{}"}
	first := catalogtest.Queued("photos", "a", "a")
	ended := first
	ended.State, ended.Ended = stocktake.Failed, clk.Now()
	if err := errors.Join(
		w.catalog.AddConfiguration(t.Context(), catalogtest.Entry("photos", "a"), &first, catalogtest.Holder, 10),
		w.catalog.EndRun(t.Context(), ended, catalogtest.At(stocktake.Queued, first), inventory.End{Keep: 1, Notices: []inventory.Notice{n}}),
	); err != nil {
		t.Fatal(err)
	}
	stop := w.serve()
	w.Stored() // which holds the clock until a worker has checked
	if err := clk.Advance(t.Context(), time.Minute); err != nil {
		t.Fatal(err)
	}
	stop()
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.ids) != 1 {
		t.Errorf("received %q, want the notice", r.ids)
	}
}
