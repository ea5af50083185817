package inventory_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/inventory"
)

var rounds = flag.Int("rounds", 2, "how many random lives TestAnyOrderOfThings tries")

// chaos is a Runner whose runs last and fail at random, and that records violations
// of what must always hold.
type chaos struct {
	t       *testing.T
	mu      sync.Mutex
	rnd     *rand.Rand
	calm    bool            // each run succeeds at once
	going   map[string]int  // by configuration
	all     int             // going
	deleted map[string]bool // configurations that are not there now
	ended   map[string]bool // runs that have published
}

func (c *chaos) Run(ctx context.Context, t inventory.Task) (inventory.Outcome, error) {
	name := t.Run.Bucket + "/" + t.Run.Configuration
	c.mu.Lock()
	if c.all++; c.all > 2 {
		c.t.Errorf("%d runs go at once, more than MaxRuns", c.all)
	}
	if c.going[name]++; c.going[name] > 1 {
		c.t.Errorf("two runs of %s go at once", name)
	}
	if c.ended[t.Run.ID] {
		c.t.Errorf("run %s has published and goes again", t.Run.ID)
	}
	scan, publish, fail := time.Duration(c.rnd.IntN(15))*time.Hour, time.Duration(c.rnd.IntN(2))*time.Hour, c.rnd.IntN(4) == 0
	if c.calm {
		scan, publish, fail = 0, 0, false
	}
	c.mu.Unlock()
	defer func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.all--
		c.going[name]--
	}()
	if err := sleep(ctx, scan); err != nil {
		return inventory.Outcome{}, err
	}
	if fail {
		return inventory.Outcome{}, errors.New("no such luck")
	}
	if err := record(ctx, t); err != nil {
		return inventory.Outcome{}, err
	}
	if err := sleep(ctx, publish); err != nil {
		return inventory.Outcome{}, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.deleted[name] {
		c.t.Errorf("run %s of %s published after its configuration was deleted", t.Run.ID, name)
	}
	c.ended[t.Run.ID] = true
	return done, nil
}

func (c *chaos) Clean(context.Context, inventory.Task) error { return nil }

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// TestAnyOrderOfThings makes requests in random order, with restarts between them, and
// checks what must always hold.
func TestAnyOrderOfThings(t *testing.T) {
	for range *rounds {
		seed := rand.Uint64()
		synctest.Test(t, func(t *testing.T) { anyOrder(t, seed) })
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
}

func anyOrder(t *testing.T, seed uint64) {
	rnd := rand.New(rand.NewPCG(seed, 0))
	c := &chaos{
		t: t, rnd: rand.New(rand.NewPCG(seed, 1)),
		going: map[string]int{}, deleted: map[string]bool{}, ended: map[string]bool{},
	}
	w := newWorld(t, inventory.Options{MaxRuns: 2, MaxAttempts: 1000, LateAfter: 5 * time.Hour, Spread: time.Hour})
	w.engine = c
	w.close()
	w.open()
	w.serve()
	schedules := []stocktake.Schedule{
		daily,
		{Frequency: stocktake.Weekly},
		monthly(31),
		{Frequency: stocktake.Once},
		{Frequency: stocktake.Once, AutoDelete: new(true)},
	}
	there := func(name string, is bool) {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.deleted[name] = !is
	}
	for range 120 {
		bucket, id := []string{"photos", "logs"}[rnd.IntN(2)], fmt.Sprint(rnd.IntN(3))
		name := bucket + "/" + id
		var err error
		switch rnd.IntN(10) {
		case 0, 1:
			cfg := configuration(id, schedules[rnd.IntN(len(schedules))])
			there(name, true)
			err = w.Put(t.Context(), bucket, cfg)
		case 2:
			if err = w.Delete(t.Context(), bucket, id); err == nil {
				there(name, false)
			}
		case 3:
			_, err = w.Run(t.Context(), bucket, id)
		case 4:
			_, err = w.Cancel(t.Context(), bucket, id)
		case 5:
			_, err = w.Suspend(t.Context(), bucket, id)
		case 6:
			_, err = w.Resume(t.Context(), bucket, id)
		case 7:
			if rnd.IntN(3) == 0 {
				w.close()
				w.open()
				w.serve()
			}
		default:
			time.Sleep(time.Duration(rnd.IntN(12)) * time.Hour)
		}
		for _, known := range []error{stocktake.ErrInventoryExists, stocktake.ErrNoSuchInventory, stocktake.ErrNoSuchRun} {
			if errors.Is(err, known) {
				err = nil
			}
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	c.mu.Lock()
	c.calm = true
	c.mu.Unlock()
	time.Sleep(200 * time.Hour)
	synctest.Wait()
	if load := w.Load(); load != (inventory.Load{}) {
		t.Errorf("load %+v", load)
	}
	var all []stocktake.InventoryStatus
	for _, bucket := range []string{"photos", "logs"} {
		page, err := w.Status(t.Context(), bucket, "")
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, page...)
	}
	for _, st := range all {
		unfinished, err := w.catalog.UnfinishedRuns(t.Context(), st.Bucket, st.Configuration)
		if err != nil || len(unfinished) > 0 {
			t.Errorf("runs that never ended: %+v, %v", unfinished, err)
		}
		recurs := st.Frequency != stocktake.Once
		if recurs != !st.Next.IsZero() && !st.Suspended {
			t.Errorf("%+v: next due %v", st, st.Next)
		}
		if !st.Next.IsZero() && !st.Next.After(time.Now().Add(-time.Hour)) {
			t.Errorf("%+v: was due at %v, now it is %v", st, st.Next, time.Now())
		}
	}
	w.close()
}
