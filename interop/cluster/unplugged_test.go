package cluster_test

import (
	"os"
	"testing"
	"time"

	"github.com/stocktake/stocktake/internal/testserver"
	"github.com/stocktake/stocktake/interop/internal/stage"
)

// A disturbance is a way to disturb a cable. No packet informs either end:
// connections stay open, and sent data is lost.
type disturbance struct {
	begin, end func(*cable)
	abandons   bool // the worker must abandon its work; only the store is reachable
}

// The interface of the test's namespace is set down: the worker sees no carrier.
var unplug = disturbance{
	begin: func(c *cable) { c.ip("link", "set", c.outside, "down") },
	end:   func(c *cable) { c.ip("link", "set", c.outside, "up") },
}

// The worker's own interface is set down: it has no route.
var shut = disturbance{
	begin: func(c *cable) { c.ipInside("link", "set", inside, "down") },
	end:   func(c *cable) { c.ipInside("link", "set", inside, "up") },
}

// The worker loses its addresses.
var strip = disturbance{
	begin: func(c *cable) { c.ipInside("address", "flush", "dev", inside) },
	end: func(c *cable) {
		c.ipInside("address", "add", c.at(ofDatabase, 2)+"/30", "dev", inside)
		c.ipInside("address", "add", c.at(ofStore, 2)+"/30", "dev", inside)
	},
}

// takeAway removes the address of the database or of the store.
func takeAway(net network) disturbance {
	return disturbance{
		begin:    func(c *cable) { c.ip("address", "delete", c.at(net, 1)+"/30", "dev", c.outside) },
		end:      func(c *cable) { c.ip("address", "add", c.at(net, 1)+"/30", "dev", c.outside) },
		abandons: net == ofDatabase,
	}
}

// unplugged is the mishap of a worker in a network namespace of its own, which reaches the
// store and the database outside through a cable.
type unplugged struct {
	disturbance
	cable *cable
}

func (u *unplugged) start(w *world, store *storeProxy, database *databaseProxy) *machine {
	u.cable = newCable(w.t)
	return w.startInside(u.cable, store.Listener.Addr().String(), "tcp", database.l.Addr().String())
}

// startInside starts a worker at the inner end of a cable.
func (w *world) startInside(c *cable, store, network, database string) *machine {
	toStore, toDatabase := newLink(w.t, c.at(ofStore, 1), "tcp", store), newLink(w.t, c.at(ofDatabase, 1), network, database)
	cfg := testserver.Config{Under: c.enter(), Listen: c.at(ofDatabase, 2) + ":9000"}
	return w.startWith(cfg, "worker", byWayOf(w.t, w.address, toDatabase.addr()), "http://"+toStore.addr())
}

func (u *unplugged) strike(*machine) { u.disturbance.begin(u.cable) }
func (u *unplugged) mend(*machine)   { u.disturbance.end(u.cable) }
func (u *unplugged) abandons() bool  { return u.disturbance.abandons }

// onStage runs a test again on a stage, whose namespace has the outer ends of cables,
// and reports whether it is on it.
func onStage(t *testing.T) bool {
	t.Helper()
	if stage.Inside() {
		return true
	}
	if os.Geteuid() != 0 {
		t.Skip("only root may join network namespaces while PostgreSQL runs as another user")
	}
	stage.Rerun(t, envStocktake+"="+stocktakeBinary, envVersitygw+"="+versitygwBinary)
	return false
}

// The network of a worker breaks during a step, without any packet that signals it.
func TestUnplugged(t *testing.T) {
	t.Parallel()
	if !onStage(t) {
		return
	}
	noDatabase, noStore := takeAway(ofDatabase), takeAway(ofStore)
	suffer(t, []mishap{
		{"link down while a slice is scanned", sliceBegun, &unplugged{disturbance: unplug}},
		{"link down before a slice is recorded", sliceUnrecorded, &unplugged{disturbance: unplug}},
		{"link down once the manifest is written", manifestWritten, &unplugged{disturbance: unplug}},
		{"own link down once a shard is uploaded", shardUnrecorded, &unplugged{disturbance: shut}},
		{"own link down before the manifest is written", manifestUnwritten, &unplugged{disturbance: shut}},
		{"own address gone once publishing is recorded", publishingRecorded, &unplugged{disturbance: strip}},
		{"own address gone before the end is recorded", endUnrecorded, &unplugged{disturbance: strip}},
		{"database's address gone while a slice is scanned", sliceBegun, &unplugged{disturbance: noDatabase}},
		{"database's address gone once a shard is uploaded", shardUnrecorded, &unplugged{disturbance: noDatabase}},
		{"store's address gone before a shard is uploaded", shardUnwritten, &unplugged{disturbance: noStore}},
		{"store's address gone before the summary is written", summaryUnwritten, &unplugged{disturbance: noStore}},
	})
}

// The link of a worker without others goes down and up repeatedly. Its runs take longer, but
// succeed.
func TestFlapping(t *testing.T) {
	t.Parallel()
	if !onStage(t) {
		return
	}
	l := startLake(t, "")
	l.fill(t, "photos", 6000)
	w := newWorld(t, server, migrated(t, server), l, "reports")
	store, c := newStoreProxy(t, l.endpoint), newCable(t)
	store.slow(300 * time.Millisecond)
	worker := w.startInside(c, store.Listener.Addr().String(), "unix", server.Socket())
	w.put(worker, "photos", "all")
	flaps := 0
	for w.has(`SELECT 1 FROM runs WHERE ended = 0`) && flaps < 40 {
		for _, d := range []disturbance{unplug, shut} {
			d.begin(c)
			time.Sleep(700 * time.Millisecond) // how long it is down
			d.end(c)
			time.Sleep(700 * time.Millisecond) // and up
			flaps++
		}
	}
	t.Logf("the link has been down %d times", flaps)
	w.ended("photos", "all")
	w.until("the worker to be ready", func() bool { return answers(worker.URL()) })
	runs := w.runs(worker, "photos", "all")
	w.nothingLeft()
	worker.stopped()
	w.reportsOf(runs, 1)
}
