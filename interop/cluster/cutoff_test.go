package cluster_test

import (
	"errors"
	"testing"
	"time"

	"github.com/stocktake/stocktake"
)

// cutOff is the mishap of a worker that loses the database or the store because links
// break.
type cutOff struct {
	database, store linkState

	toDatabase, toStore *link
}

func (c *cutOff) start(w *world, store *storeProxy, database *databaseProxy) *machine {
	c.toStore, c.toDatabase = newLink(w.t, localhost, "tcp", store.Listener.Addr().String()), newLink(w.t, localhost, "tcp", database.l.Addr().String())
	return w.startAt("worker", byWayOf(w.t, w.address, c.toDatabase.addr()), "http://"+c.toStore.addr())
}

func (c *cutOff) strike(*machine) {
	c.toStore.set(c.store)
	c.toDatabase.set(c.database)
}

func (c *cutOff) mend(*machine) {
	c.toStore.set(whole)
	c.toDatabase.set(whole)
}

// Without the database, a worker loses the right to its slice after a while.
func (c *cutOff) abandons() bool { return c.store == whole }

// A worker loses the database or the store during a slice.
func TestCutOff(t *testing.T) {
	t.Parallel()
	suffer(t, []mishap{
		{"database cut", sliceBegun, &cutOff{database: cut}},
		{"database silent", sliceBegun, &cutOff{database: silent}},
		{"database deaf", sliceBegun, &cutOff{database: deaf}},
		{"store cut", sliceBegun, &cutOff{store: cut}},
		{"store silent", sliceBegun, &cutOff{store: silent}},
		{"store deaf", sliceBegun, &cutOff{store: deaf}},
		{"both silent", sliceBegun, &cutOff{database: silent, store: silent}},
	})
}

// On a lossy connection everything takes longer but works.
func TestPoorLine(t *testing.T) {
	t.Parallel()
	l := startLake(t, "")
	l.fill(t, "photos", 2500)
	template := migrated(t, server)
	for name, spoil := range map[string]func(*link){
		"slow":  func(k *link) { k.slow(50 * time.Millisecond) },
		"lossy": func(k *link) { k.lose() },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, server, server.Copy(t, template), l, "reports-"+name)
			toStore, toDatabase := newLink(t, localhost, "tcp", l.endpoint[len("http://"):]), newLink(t, localhost, "unix", server.Socket())
			worker := w.startAt("worker", byWayOf(t, w.address, toDatabase.addr()), "http://"+toStore.addr())
			spoil(toStore)
			spoil(toDatabase)
			w.until("a configuration", func() bool {
				err := worker.api().Put(t.Context(), "photos", w.configuration("all"))
				return err == nil || errors.Is(err, stocktake.ErrInventoryExists)
			})
			w.ended("photos", "all")
			w.until("another run", func() bool {
				_, err := worker.api().Run(t.Context(), "photos", "all")
				return err == nil
			})
			w.ended("photos", "all")
			var runs []stocktake.Run // more than two if an answer to the request was lost
			w.until("the runs", func() (ok bool) {
				var err error
				runs, err = worker.api().Runs(t.Context(), "photos", "all")
				return err == nil && len(runs) >= 2
			})
			w.nothingLeft()
			worker.stopped()
			w.reportsOf(runs, len(runs))
		})
	}
}
