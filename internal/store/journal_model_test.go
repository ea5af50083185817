package store_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/engine"
	"github.com/stocktake/stocktake/internal/journal"
	"github.com/stocktake/stocktake/internal/object"
	"github.com/stocktake/stocktake/internal/store"
	"pgregory.net/rapid"
)

// now is the position behind all changes.
var now = stocktake.JournalPosition{Sequence: math.MaxUint64, Time: math.MaxInt64}

// A table is a report that changes are applied to.
type table struct {
	all     map[string][]stocktake.Record // by key, newest first
	current map[string]stocktake.Record
}

// row copies a record. Version ids are as in a bucket that has had versioning, and
// IsLatest is left out, since windows do not have it.
func row(r *stocktake.Record) stocktake.Record {
	c := *r
	c.Key, c.VersionID, c.ETag.Text, c.IsLatest = bytes.Clone(r.Key), bytes.Clone(r.VersionID), bytes.Clone(r.ETag.Text), false
	if len(c.VersionID) == 0 {
		c.VersionID = []byte(object.NullVersion)
	}
	return c
}

// full makes the table of a full report.
func full(ctx context.Context, sn engine.Snapshot, prefix string) (table, error) {
	tab := table{map[string][]stocktake.Record{}, map[string]stocktake.Record{}}
	for _, versions := range []bool{true, false} {
		if err := sn.Scan(ctx, engine.Segment{Prefix: prefix}, versions, func(batch []stocktake.Record) error {
			for i := range batch {
				r := row(&batch[i])
				if versions {
					tab.all[string(r.Key)] = append(tab.all[string(r.Key)], r)
				} else {
					tab.current[string(r.Key)] = r
				}
			}
			return nil
		}); err != nil {
			return tab, err
		}
	}
	return tab, nil
}

func (tab *table) clone() table {
	c := table{maps.Clone(tab.all), maps.Clone(tab.current)}
	for key, versions := range c.all {
		c.all[key] = slices.Clone(versions)
	}
	return c
}

// apply applies a change as the reader of a window does.
func (tab *table) apply(c *journal.Change) error {
	r := row(&c.Record)
	key := string(r.Key)
	if !c.Revealed {
		i := slices.IndexFunc(tab.all[key], func(have stocktake.Record) bool { return bytes.Equal(have.VersionID, r.VersionID) })
		switch {
		case c.Type == journal.UpdateMetadata && i < 0, c.Permanent && i < 0:
			return fmt.Errorf("%s of %q %s, which does not exist", c.Type, key, r.VersionID)
		case c.Type == journal.UpdateMetadata:
			tab.all[key][i] = r
		default:
			if i >= 0 {
				tab.all[key] = slices.Delete(tab.all[key], i, i+1)
			}
			if !c.Permanent {
				tab.all[key] = slices.Insert(tab.all[key], 0, r)
			}
		}
		if len(tab.all[key]) == 0 {
			delete(tab.all, key)
		}
		if !c.Permanent && c.Record.IsLatest != (len(tab.all[key]) > 0 && bytes.Equal(tab.all[key][0].VersionID, r.VersionID)) {
			return fmt.Errorf("%s of %q %s: IsLatest %v", c.Type, key, r.VersionID, c.Record.IsLatest)
		}
	}
	if c.Record.IsLatest {
		if c.Type == journal.Delete {
			delete(tab.current, key)
		} else {
			tab.current[key] = r
		}
	}
	return nil
}

func (tab *table) diff(want table) string {
	return cmp.Diff(want, *tab, cmp.AllowUnexported(table{}), cmpopts.EquateEmpty())
}

// A replica is a report that a reader of the journal keeps up to date.
type replica struct {
	prefix string
	at     stocktake.JournalPosition
	table  table
}

// A journalWorld is a world whose bucket has readers.
type journalWorld struct {
	*world
	clock    time.Time
	replicas map[string]*replica
}

func (w *journalWorld) journal() journal.Journal { return w.s.Journal() }

func (w *journalWorld) tick(*rapid.T) {
	w.clock = w.clock.Add(time.Duration(rapid.Int64Range(-5000, 10_000).Draw(w.t, "tick")) * time.Millisecond)
}

// report makes a full report for a replica, which states its position.
func (w *journalWorld) report(r *replica) {
	sn, err := w.s.Source().Snapshot(w.t.Context(), "b")
	if err != nil {
		w.t.Fatal(err)
	}
	defer sn.Close()
	at := sn.(engine.JournaledSnapshot).Journal()
	if at == nil || at.Sequence < r.at.Sequence || at.Time < r.at.Time {
		w.t.Fatalf("report at %+v, after %+v", at, r.at)
	}
	if r.table, err = full(w.t.Context(), sn, r.prefix); err != nil {
		w.t.Fatal(err)
	}
	r.at = *at
}

func (w *journalWorld) subscribe(*rapid.T) {
	id := rapid.SampledFrom([]string{"r1", "r2", "r3"}).Draw(w.t, "reader")
	prefix := prefixes.Draw(w.t, "prefix")
	at, err := w.journal().Subscribe(w.t.Context(), "b", id, prefix)
	if err != nil {
		w.t.Fatal(err)
	}
	if r := w.replicas[id]; r != nil && r.prefix == prefix {
		if at.Sequence > r.at.Sequence {
			w.t.Fatalf("%s is at %+v, and has published at most up to %+v", id, at, r.at)
		}
		return
	}
	r := &replica{prefix: prefix, at: at}
	w.replicas[id] = r
	w.report(r)
}

// aReplica draws a reader; it skips the step if there is none.
func (w *journalWorld) aReplica() (string, *replica) {
	if len(w.replicas) == 0 {
		w.t.Skip("no readers")
	}
	id := rapid.SampledFrom(slices.Sorted(maps.Keys(w.replicas))).Draw(w.t, "reader")
	return id, w.replicas[id]
}

func (w *journalWorld) unsubscribe(*rapid.T) {
	id, _ := w.aReplica()
	if err := w.journal().Unsubscribe(w.t.Context(), "b", id); err != nil {
		w.t.Fatal(err)
	}
	delete(w.replicas, id)
	if len(w.replicas) == 0 {
		if stat, err := w.journal().Stat(w.t.Context(), "b"); err != nil || stat.Readers != 0 || stat.Changes != 0 || stat.Bytes != 0 {
			w.t.Fatalf("without readers: %+v, %v", stat, err)
		}
	}
}

// read applies changes to a table, and holds them to their order and the window.
func (w *journalWorld) readChanges(r *replica, tab *table, until stocktake.JournalPosition) []journal.Gap {
	seq, ms := r.at.Sequence, r.at.Time
	gaps, err := w.journal().Changes(w.t.Context(), "b", r.prefix, r.at, until, func(batch []journal.Change) error {
		if len(batch) == 0 {
			return errors.New("empty batch")
		}
		for i := range batch {
			c := &batch[i]
			if c.Sequence <= seq || c.Sequence > until.Sequence || c.Time < ms || c.Time >= until.Time || !strings.HasPrefix(string(c.Record.Key), r.prefix) {
				return fmt.Errorf("change %+v, after %d at %d, until %+v", c, seq, ms, until)
			}
			if string(c.Requester) != by.Principal || string(c.RequestID) != by.Request || string(c.SourceIP) != by.Address.String() {
				return fmt.Errorf("made by %s, %s, %s", c.Requester, c.RequestID, c.SourceIP)
			}
			seq, ms = c.Sequence, c.Time
			if err := tab.apply(c); err != nil && w.opts.JournalBytes == 0 { // else changes may be lost
				return err
			}
		}
		return nil
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return gaps
}

// window cuts a window of a reader and perhaps publishes it.
func (w *journalWorld) window(*rapid.T) {
	id, r := w.aReplica()
	cut, err := w.journal().Cut(w.t.Context(), "b", max(w.clock.UnixMilli(), r.at.Time))
	if err != nil {
		w.t.Fatal(err)
	}
	if cut.Sequence < r.at.Sequence { // the report was made later in the same millisecond
		return
	}
	if gaps := w.readChanges(r, &r.table, cut); len(gaps) > 0 {
		w.report(r)
		cut = r.at
	} else {
		r.at = cut
	}
	if rapid.Bool().Draw(w.t, "publish") {
		if err := w.journal().Published(w.t.Context(), "b", id, cut); err != nil {
			w.t.Fatal(err)
		}
	}
}

func (w *journalWorld) fullReport(*rapid.T) {
	_, r := w.aReplica()
	w.report(r)
}

// law checks that each report, combined with all changes since, equals the report of
// now.
func (w *journalWorld) law(t *rapid.T) {
	w.check(t)
	for id, r := range w.replicas {
		tab := r.table.clone()
		if gaps := w.readChanges(r, &tab, now); len(gaps) > 0 {
			if w.opts.JournalBytes == 0 {
				w.t.Fatalf("%s: gaps %+v", id, gaps)
			}
			w.report(r)
			continue
		}
		want := replica{prefix: r.prefix, at: r.at}
		w.report(&want)
		if diff := tab.diff(want.table); diff != "" {
			w.t.Fatalf("%s of prefix %q (-want +got):\n%s", id, r.prefix, diff)
		}
	}
	if stat, err := w.journal().Stat(w.t.Context(), "b"); err != nil || stat.Readers != len(w.replicas) || stat.Bytes > stat.Limit {
		w.t.Fatalf("%+v, %v", stat, err)
	}
	if _, err := w.s.Audit(w.t.Context(), func(p store.Problem) { w.t.Fatal(p) }, nil); err != nil {
		w.t.Fatal(err)
	}
}

// TestJournalLaw checks the law on random histories: a full report, combined with
// the changes since, equals the full report of a later time.
func TestJournalLaw(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := &journalWorld{clock: time.UnixMilli(1767628800000), replicas: map[string]*replica{}}
		w.world = newWorldWith(t, func(o *store.Options) {
			o.Now = func() time.Time { return w.clock }
			o.JournalBytes = rapid.SampledFrom([]int64{0, 0, 2000}).Draw(t, "bound")
		})
		defer w.close()
		t.Repeat(map[string]func(*rapid.T){
			"put": w.put, "put again": w.put, "delete": w.deleteCurrent, "delete version": w.deleteVersion, "delete another": w.deleteVersion,
			"copy": w.copyObject, "update": w.update, "update again": w.update, "symlink": w.symlink, "append": w.append, "append again": w.append,
			"seal": w.sealObject, "multipart": w.multipart, "versioning": w.setVersioning, "crash": w.crash,
			"write report": w.writeReport, "remove report": w.removeReport,
			"clock": w.tick, "subscribe": w.subscribe, "subscribe again": w.subscribe, "unsubscribe": w.unsubscribe,
			"window": w.window, "window again": w.window, "full": w.fullReport, "": w.law,
		})
	})
}
