package cluster_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/testpostgres"
)

// Variables of the kill test: its duration, and the seed of its choices. Their names
// are not stocktake's, because stocktake refuses variables that it does not know.
const (
	killFor  = "CHAOS_FOR"
	killSeed = "CHAOS_SEED"
)

// schedulerQuery returns the machine that records due runs.
const schedulerQuery = `SELECT p.host FROM duties d JOIN processes p ON p.id = d.owner WHERE d.name = 'scheduler'`

// A chaos is a world in which machines and the database are killed and restarted.
type chaos struct {
	*world
	random   *rand.Rand // processes that were killed, and when
	machines []*machine
	api      []*machine // those that clients ask
	store    *storeProxy

	mu       sync.Mutex
	urls     map[string]string // of the machines, by name
	down     map[string]bool
	figures  map[string]int
	longest  time.Duration   // that a client had to repeat a request
	asked    map[string]bool // runs that a server has acknowledged
	restarts sync.WaitGroup
}

// Machines and the database are killed at random while clients put, delete and run
// configurations. Everything acknowledged still exists, every run ends once with its
// report, and nothing else is left.
func TestKilled(t *testing.T) {
	t.Parallel()
	length, seed := 60*time.Second, rand.Uint64()
	if text := os.Getenv(killFor); text != "" {
		var err error
		if length, err = time.ParseDuration(text); err != nil {
			t.Fatalf("%s: %v", killFor, err)
		}
	}
	if text := os.Getenv(killSeed); text != "" {
		var err error
		if seed, err = strconv.ParseUint(text, 10, 64); err != nil {
			t.Fatalf("%s: %v", killSeed, err)
		}
	}
	t.Logf("%s=%d %s=%v", killSeed, seed, killFor, length)

	pg := testpostgres.Start(t, "max_connections=200")
	l := startLake(t, "")
	l.fill(t, "photos", 20_000)
	l.fill(t, "scans", 6000)
	l.fill(t, "logs", 1500)
	c := &chaos{
		world: newWorld(t, pg, migrated(t, pg), l, "reports"), random: rand.New(rand.NewPCG(seed, 0)), store: newStoreProxy(t, l.endpoint),
		urls: map[string]string{}, down: map[string]bool{}, figures: map[string]int{}, asked: map[string]bool{},
	}
	c.store.slow(100 * time.Millisecond) // so that much is in progress
	for _, duty := range []struct {
		role string
		n    int
	}{{"api", 2}, {"scheduler", 2}, {"worker", 4}} {
		for i := range duty.n {
			name := fmt.Sprintf("%s-%d", duty.role, i+1)
			m := c.startAt(name, c.address, c.store.URL, "--roles", duty.role, "--keep-runs", "100000", "--max-runs", "4")
			c.machines, c.urls[name] = append(c.machines, m), m.URL()
			if duty.role == "api" {
				c.api = append(c.api, m)
			}
		}
	}

	c.prefixes = map[string]string{}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var clients sync.WaitGroup
	kept := make([]map[string]string, 2) // prefixes by id, of each client that puts and deletes
	for i := range kept {
		kept[i] = map[string]string{}
		clients.Go(func() { c.churn(ctx, i, rand.New(rand.NewPCG(seed, uint64(i)+1)), kept[i]) })
	}
	steady := map[string][]string{"photos": {"a", "b", "c"}, "scans": {"d", "e", "f"}}
	for bucket, ids := range steady {
		for _, id := range ids {
			clients.Go(func() { c.runAgain(ctx, bucket, id) })
		}
	}
	c.kill(c.scheduler(), 0)
	for end := time.Now().Add(length); time.Now().Before(end) && !t.Failed(); {
		time.Sleep(time.Second + time.Duration(c.random.Int64N(int64(3*time.Second)))) // the rhythm of disasters
		c.disaster()
	}
	calm := time.Now()
	c.restarts.Wait()
	stop()
	clients.Wait()
	c.until("the end of all runs", func() bool {
		rows, err := c.tryRows(`SELECT 1 FROM runs WHERE ended = 0`)
		return err == nil && len(rows) == 0
	})
	c.figures["seconds until all had ended"] = int(time.Since(calm).Seconds())
	c.nothingLeft()
	c.checkAll(steady, kept)
	c.verifyByCommand()
	t.Logf("%v; the longest that a request had to be repeated: %v", c.figures, c.longest.Round(time.Millisecond))
}

func (c *chaos) count(what string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.figures[what]++
}

// disaster kills a process. The choice depends on the seed and on which processes are alive.
func (c *chaos) disaster() {
	if rows, err := c.tryRows(`SELECT 1 FROM works WHERE listing IS NOT NULL`); err == nil {
		for range rows {
			c.count("runs that shared a listing then")
		}
	}
	victim, after := c.machines[c.random.IntN(len(c.machines))], time.Duration(c.random.Int64N(int64(6*time.Second)))
	switch choice := c.random.IntN(10); choice {
	case 0: // River's leader, which maintains jobs
		c.kill(c.holder(victim, "leaders killed", `SELECT p.host FROM river_leader l JOIN processes p ON p.id = l.leader_id`), after)
	case 1: // the machine that records due runs
		c.kill(c.holder(victim, "schedulers killed", schedulerQuery), after)
	case 2, 3:
		mode := []string{"fast", "immediate"}[choice-2]
		c.t.Logf("the database is stopped (%s) for %v", mode, after)
		if err := c.pg.Stop(mode); err != nil {
			c.t.Error(err)
		}
		time.Sleep(after)
		if err := c.pg.Start(); err != nil {
			c.t.Error(err)
		}
		c.count("databases stopped, " + mode)
	default:
		c.kill(victim, after)
	}
}

// scheduler waits for a scheduler, and returns it.
func (c *chaos) scheduler() (m *machine) {
	c.until("a scheduler", func() bool {
		m = c.holder(nil, "schedulers killed", schedulerQuery)
		return m != nil
	})
	return m
}

// holder returns the machine that a query names, which is counted; another one if there
// is none.
func (c *chaos) holder(other *machine, what, query string) *machine {
	rows, err := c.tryRows(query)
	if err != nil || len(rows) == 0 {
		return other
	}
	for _, m := range c.machines {
		if m.name == rows[0][0] {
			c.count(what)
			return m
		}
	}
	c.t.Errorf("%s: there is no machine %s", query, rows[0][0])
	return other
}

// kill kills a running machine, and starts it again after a while.
func (c *chaos) kill(m *machine, after time.Duration) {
	c.mu.Lock()
	there := !c.down[m.name]
	c.down[m.name] = true
	c.mu.Unlock()
	if !there {
		return
	}
	c.t.Logf("%s is killed and starts again after %v", m.name, after)
	if m.Ended() {
		c.t.Errorf("%s has ended by itself:\n%s", m.name, last(m.Log(), 3000))
	}
	m.Kill()
	c.count("machines killed")
	c.restarts.Go(func() {
		time.Sleep(after)
		if err := m.start(context.WithoutCancel(c.t.Context())); err != nil {
			c.t.Error(err)
			return
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		c.down[m.name], c.urls[m.name] = false, m.URL()
	})
}

func (c *chaos) url(m *machine) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.urls[m.name]
}

// checkAll compares the content of the database and of the bucket of reports with
// what was acknowledged.
func (c *chaos) checkAll(steady map[string][]string, kept []map[string]string) {
	found := map[string]string{}
	for _, f := range c.checkReports() {
		found[f.run] = f.manifest
	}
	c.figures["reports"] = len(found)
	want := map[string]map[string]bool{"logs": {}}
	for bucket, ids := range steady {
		want[bucket] = map[string]bool{}
		for _, id := range ids {
			want[bucket][id] = true
		}
	}
	for _, ids := range kept {
		for id := range ids {
			want["logs"][id] = true
		}
	}
	for bucket, ids := range want {
		for _, m := range c.api {
			got := map[string]bool{}
			for cfg, err := range m.api().List(c.t.Context(), bucket) {
				if err != nil {
					c.t.Fatal(err)
				}
				got[cfg.ID] = true
				if !ids[cfg.ID] {
					c.t.Errorf("%s has a configuration %s that was deleted", bucket, cfg.ID)
				}
			}
			if len(got) < len(ids) {
				c.t.Errorf("%s has the configurations %v, want %v", bucket, got, ids)
			}
		}
		for id := range ids {
			for _, r := range c.runs(c.api[0], bucket, id) {
				delete(c.asked, r.ID)
				c.figures["runs"]++
				c.figures["attempts"] += r.Attempt
				if r.State != stocktake.Succeeded || found[r.ID] != r.Manifest || r.Manifest == "" {
					c.t.Errorf("%+v, its report is %q", r, found[r.ID])
				}
			}
		}
	}
	for id := range c.asked {
		c.t.Errorf("the run %s was acknowledged and is not there", id)
	}
}

// runAgain puts a configuration, and makes its runs one after the other.
func (c *chaos) runAgain(ctx context.Context, bucket, id string) {
	err := c.insist(func(m *machine) error {
		err := c.client(m).Put(context.WithoutCancel(ctx), bucket, c.configuration(id))
		if errors.Is(err, stocktake.ErrInventoryExists) {
			return nil // the answer to the first attempt was lost
		}
		return err
	})
	for err == nil && ctx.Err() == nil {
		if err = c.runEnds(bucket, id); err != nil {
			break
		}
		err = c.insist(func(m *machine) error {
			r, err := c.client(m).Run(context.WithoutCancel(ctx), bucket, id) // a run that is in progress is returned
			if err == nil {
				c.mu.Lock()
				c.asked[r.ID] = true
				c.mu.Unlock()
			}
			return err
		})
	}
	if err != nil {
		c.t.Errorf("%s of %s: %v", id, bucket, err)
	}
}

// runEnds waits for the end of the newest run.
func (c *chaos) runEnds(bucket, id string) error {
	for deadline := time.Now().Add(limit); ; {
		var runs []stocktake.Run
		err := c.insist(func(m *machine) (err error) {
			runs, err = c.client(m).Runs(context.WithoutCancel(c.t.Context()), bucket, id)
			return err
		})
		switch {
		case err != nil:
			return err
		case len(runs) == 0:
			return errors.New("an acknowledged configuration has no run")
		case runs[0].State == stocktake.Succeeded:
			return nil
		case runs[0].State.Ended():
			return fmt.Errorf("%+v", runs[0])
		case time.Now().After(deadline):
			return fmt.Errorf("the run does not end: %+v\n%s", runs[0], c.state())
		}
		time.Sleep(300 * time.Millisecond) // between questions
	}
}
