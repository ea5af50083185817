package systemtest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/store"
	"github.com/stocktake/stocktake/internal/testserver"
	"github.com/stocktake/stocktake/inventoryxml"
	"github.com/stocktake/stocktake/report"
)

// TestKillDuringWindows kills the server while clients change a bucket and windows of one
// second are published, mostly soon after a window has ended. Each answered change is in
// exactly one window, and the first full report with all windows equals a full report at the
// end.
func TestKillDuringWindows(t *testing.T) {
	t.Parallel()
	data, args := t.TempDir(), []string{"--incremental-window", "1s"}
	writers := make([]*changer, 3)
	for i := range writers {
		writers[i] = &changer{
			prefix: fmt.Sprintf("w%02d/", i), rng: rand.New(rand.NewPCG(rand.Uint64(), uint64(i))),
			made: map[string]bool{}, removed: map[string]bool{},
		}
	}
	kills := rounds(t, killsVariable, 3)
	for round := range kills {
		s := start(t, data, args...)
		c := newWire(s)
		if round == 0 {
			beginWindows(t, c)
		}
		var wg sync.WaitGroup
		for _, w := range writers {
			wg.Go(func() {
				if err := w.write(t.Context(), c); err != nil {
					t.Error(err)
				}
			})
		}
		if round == 0 { // the first full reports are complete, and made while no change is in progress
			awaitFullRun(t, c, "all")
			awaitFullRun(t, c, "current")
		}
		before := answered(writers)
		await(t, "there are changes", func() bool { return answered(writers) >= before+50 || t.Failed() })
		now := time.Now()
		at := now.Truncate(time.Second).Add(time.Second + rand.N(100*time.Millisecond))
		if round%3 == 2 {
			at = now.Add(rand.N(time.Second))
		}
		time.AfterFunc(time.Until(at), s.Kill)
		wg.Wait()
		c.client.CloseIdleConnections()
		s.Kill()
		if t.Failed() {
			t.Fatalf("at kill %d\n%s", round+1, s.Log())
		}
	}

	s := start(t, data, args...)
	c := newWire(s)
	awaitWindows(t, c, time.Now())
	for _, id := range []string{"all", "current"} {
		c.must(t, to("POST", "photos", "", "inventory", "", "inventoryId", id, "x-oss-stocktake", "run"))
		awaitFullRun(t, c, id)
	}
	c.client.CloseIdleConnections()
	check(t, s.Stop())

	st, err := store.Open(t.Context(), data, store.Options{})
	check(t, err)
	h := &history{t: t, store: st, memory: 64 << 10}
	rows := 0
	for _, id := range []string{"all", "current"} {
		windows, joined := h.law(id)
		if joined == 0 {
			t.Errorf("%s: no full report was brought forward", id)
		}
		if id == "all" {
			rows = inOneWindow(t, windows, writers)
		}
	}
	check(t, st.Close())
	t.Logf("%d kills, %d changes", kills, rows)
}

// answered returns how many requests of all clients were answered.
func answered(writers []*changer) (n int64) {
	for _, w := range writers {
		n += w.answered.Load()
	}
	return n
}

// beginWindows makes the buckets, an object, because a bucket without rows has no report, and
// configurations that report all changes.
func beginWindows(t *testing.T, c *wire) {
	t.Helper()
	c.must(t, to("PUT", "photos", ""))
	c.must(t, to("PUT", "reports", ""))
	c.must(t, to("PUT", "photos", "", "versioning", "").with([]byte("<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>")))
	c.must(t, to("PUT", "photos", "before"))
	for _, versions := range []stocktake.IncludedObjectVersions{stocktake.AllVersions, stocktake.CurrentVersions} {
		cfg := lawConfiguration(versions)
		cfg.Destination.AccountID = testserver.AccountID
		c.must(t, to("PUT", "photos", "", "inventory", "", "inventoryId", cfg.ID).with(inventoryxml.Append(nil, &cfg)))
	}
}

// awaitWindows waits until all changes before a time are reported.
func awaitWindows(t *testing.T, c *wire, until time.Time) {
	t.Helper()
	await(t, "all windows are published", func() bool {
		a := c.must(t, to("GET", "photos", "", "inventory", "", "x-oss-stocktake", "status"))
		var doc struct {
			Inventories []stocktake.InventoryStatus `json:"inventories"`
		}
		check(t, json.Unmarshal(a.body, &doc))
		return len(doc.Inventories) == 2 && !slices.ContainsFunc(doc.Inventories, func(s stocktake.InventoryStatus) bool {
			return s.Incremental == nil || s.Incremental.Published.Before(until)
		})
	})
}

// awaitFullRun waits until the newest full run of a configuration has ended.
func awaitFullRun(t *testing.T, c *wire, id string) {
	t.Helper()
	await(t, "the full run has ended", func() bool {
		a := c.must(t, to("GET", "photos", "", "inventory", "", "inventoryId", id, "x-oss-stocktake", "runs"))
		var doc struct {
			Runs []stocktake.Run `json:"runs"`
		}
		check(t, json.Unmarshal(a.body, &doc))
		for _, r := range doc.Runs {
			if r.Kind == stocktake.IncrementalRun {
				continue
			}
			if !r.Ended.IsZero() && r.State != stocktake.Succeeded {
				t.Fatalf("%+v", r)
			}
			return !r.Ended.IsZero()
		}
		return false
	})
}

// inOneWindow checks that each answered change is in exactly one window, and every other change
// in at most one. It returns the number of changes.
func inOneWindow(t *testing.T, windows []*report.Report, writers []*changer) (rows int) {
	t.Helper()
	made, removed := map[string]int{}, map[string]int{} // by key and version
	for _, w := range windows {
		for row, err := range w.Rows(t.Context()) {
			check(t, err)
			rows++
			if row.Change.Permanent {
				removed[string(row.Key)+"?"+string(row.VersionID)]++
			} else {
				made[string(row.Key)+"?"+string(row.VersionID)]++
			}
		}
	}
	for _, c := range []struct {
		what     string
		got      map[string]int
		answered func(*changer) map[string]bool
	}{
		{"made", made, func(w *changer) map[string]bool { return w.made }},
		{"removed", removed, func(w *changer) map[string]bool { return w.removed }},
	} {
		n := 0
		for _, w := range writers {
			for version := range c.answered(w) {
				n++
				if c.got[version] != 1 {
					t.Errorf("%s was %s and is in %d windows as that", version, c.what, c.got[version])
				}
			}
		}
		for version, n := range c.got {
			if n > 1 {
				t.Errorf("that %s was %s is reported %d times", version, c.what, n)
			}
		}
		if n == 0 {
			t.Errorf("no version was %s", c.what)
		}
	}
	return rows
}

// mostLive is the approximate number of versions of a changer that are kept.
const mostLive = 100

// A changer is a client that makes and removes versions of its own keys.
type changer struct {
	prefix string
	rng    *rand.Rand

	answered      atomic.Int64    // requests
	live          []string        // versions that may be removed, as key?version
	made, removed map[string]bool // versions, including delete markers, that were answered
}

// write makes requests until one is not answered.
func (w *changer) write(ctx context.Context, c *wire) error {
	for {
		key := fmt.Sprintf("%s猫 %d", w.prefix, w.rng.IntN(5))
		q := to("PUT", "photos", key).with(noise[:w.rng.IntN(2000)])
		removes := ""
		switch n := w.rng.IntN(10); {
		case len(w.live) > mostLive || n < 3 && len(w.live) > 0:
			i := w.rng.IntN(len(w.live))
			removes = w.live[i]
			w.live = slices.Delete(w.live, i, i+1)
			key, version, _ := strings.Cut(removes, "?")
			q = to("DELETE", "photos", key, "versionId", version)
		case n < 5: // a delete marker
			q = to("DELETE", "photos", key)
		}
		a, err := c.do(ctx, q)
		if err != nil {
			return nil // the server has been killed
		}
		if a.status >= http.StatusMultipleChoices {
			return fmt.Errorf("%v: %d %s\n%s", q, a.status, a.code, a.body)
		}
		w.answered.Add(1)
		if removes != "" {
			w.removed[removes] = true
			continue
		}
		id := a.header.Get("X-Oss-Version-Id")
		if id == "" {
			return errors.New("an answer without a version")
		}
		w.made[key+"?"+id] = true
		w.live = append(w.live, key+"?"+id)
	}
}
