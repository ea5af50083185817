package journaltest

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/journal"
)

func testReader(t *testing.T, s *suite) {
	s.Put("before")
	at := s.subscribe("r", "")
	s.Put("a")
	s.Put("b")
	cut := s.cut()
	s.Put("a")
	s.want("", at, cut, "CREATE a", "CREATE b")
	s.want("", cut, end, "CREATE a")
	s.want("", at, at)
	s.want("", cut, at)
	if again := s.subscribe("r", ""); again != at {
		t.Errorf("subscribing again: %+v, want %+v", again, at)
	}
	s.want("", at, end, "CREATE a", "CREATE b", "CREATE a")
}

// testTypes: each change has its type, its state, and says whether it is that of
// the newest version.
func testTypes(t *testing.T, s *suite) {
	first := s.Put("k")
	at := s.subscribe("r", "")
	second := s.Put("k")
	s.Tag("k", first)
	s.Tag("k", second)
	s.Delete("k")
	s.Remove("k", first)  // an old one
	s.Remove("k", second) // the one below the marker
	third := s.Put("k")
	fourth := s.Put("k")
	s.Remove("k", fourth) // reveals the third
	s.Remove("k", third)  // reveals the marker, which is not a current version
	changes, _ := s.changes("", at, end)
	type shape struct {
		Type                                journal.Type
		version                             string
		permanent, revealed, latest, marker bool
	}
	want := []shape{
		{Type: journal.Create, version: second, latest: true},
		{Type: journal.UpdateMetadata, version: first},
		{Type: journal.UpdateMetadata, version: second, latest: true},
		{Type: journal.Delete, latest: true, marker: true},
		{Type: journal.Delete, version: first, permanent: true},
		{Type: journal.Delete, version: second, permanent: true},
		{Type: journal.Create, version: third, latest: true},
		{Type: journal.Create, version: fourth, latest: true},
		{Type: journal.Delete, version: fourth, permanent: true, latest: true},
		{Type: journal.Create, version: third, revealed: true, latest: true},
		{Type: journal.Delete, version: third, permanent: true, latest: true},
	}
	var got []shape
	for _, c := range changes {
		sh := shape{c.Type, string(c.Record.VersionID), c.Permanent, c.Revealed, c.Record.IsLatest, c.Record.IsDeleteMarker}
		if sh.marker {
			if sh.version == "" {
				t.Error("a delete marker has no version id")
			}
			sh.version = ""
		}
		if c.Type == journal.UpdateMetadata && c.Record.TaggingCount != 1 {
			t.Errorf("the state before the change: %+v", c.Record)
		}
		if len(c.Requester) == 0 || len(c.RequestID) == 0 || len(c.SourceIP) == 0 {
			t.Errorf("made by %q, %q from %q", c.Requester, c.RequestID, c.SourceIP)
		}
		got = append(got, sh)
	}
	if !slices.Equal(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

func testPrefixes(t *testing.T, s *suite) {
	s.subscribe("r", "a/")
	at := s.subscribe("q", "a/b")
	s.Put("a/b")
	s.Put("a/c")
	s.Put("b")
	s.want("a/", at, end, "CREATE a/b", "CREATE a/c")
	s.want("a/b", at, end, "CREATE a/b")
	if stat := s.stat(); stat.Changes != 2 {
		t.Errorf("%d changes are kept; one is of a key that no reader wants", stat.Changes)
	}
	later := s.subscribe("r", "b") // another prefix
	s.Put("b")
	s.want("b", later, end, "CREATE b")
}

// testCuts: windows by time and by sequence are the same, also if they are cut
// late or again.
func testCuts(t *testing.T, s *suite) {
	at := s.subscribe("r", "")
	var bounds []int64
	for _, key := range []string{"a", "b", "c"} {
		s.Put(key)
		s.Put(key)
		s.Advance(10 * time.Second)
		bounds = append(bounds, s.Now())
	}
	var cuts []stocktake.JournalPosition
	for _, b := range bounds {
		cuts = append(cuts, s.cutAt(b))
	}
	s.Put("d") // in the same millisecond as the last cut: it is after it
	for range 2 {
		s.want("", at, cuts[0], "CREATE a", "CREATE a")
		s.want("", cuts[0], cuts[1], "CREATE b", "CREATE b")
		s.want("", cuts[1], cuts[2], "CREATE c", "CREATE c")
		s.want("", cuts[2], end, "CREATE d")
		for i, b := range bounds {
			cuts[i] = s.cutAt(b)
		}
	}
	s.publish("r", cuts[0])
	cuts[1] = s.cutAt(bounds[1])
	s.want("", cuts[0], cuts[1], "CREATE b", "CREATE b")
	changes, _ := s.changes("", cuts[2], end)
	if changes[0].Time < bounds[2] {
		t.Errorf("a change after the cut at %d has time %d", bounds[2], changes[0].Time)
	}
	s.publish("r", cuts[2])
	_, err := s.Journal().Cut(t.Context(), "b", bounds[0])
	s.fails("a cut before what is trimmed", journal.ErrTrimmed, err)
}

func testClock(t *testing.T, s *suite) {
	at := s.subscribe("r", "")
	s.Put("a")
	high := s.Now()
	s.Advance(-time.Hour)
	s.Put("b")
	cut := s.cutAt(high + 1)
	s.Put("c") // the clock is behind the cut
	s.want("", at, cut, "CREATE a", "CREATE b")
	s.Restart()
	s.Put("d")
	changes, _ := s.changes("", at, end)
	for i, want := range []int64{high, high, high + 1, high + 1} {
		if changes[i].Time != want {
			t.Errorf("change %d has time %d, want %d", i, changes[i].Time, want)
		}
	}
	s.publish("r", cut)
	s.check(s.Journal().Unsubscribe(t.Context(), "b", "r"))
	if again := s.subscribe("r", ""); again.Sequence <= changes[3].Sequence {
		t.Errorf("a new journal begins at %+v, after %d", again, changes[3].Sequence)
	}
}

func testTrimming(t *testing.T, s *suite) {
	at := s.subscribe("r", "")
	s.subscribe("q", "")
	s.putAll(keys(0, 10))
	first := s.cut()
	s.putAll(keys(10, 20))
	second := s.cut()
	s.publish("r", second)
	s.want("", at, second, created(keys(0, 20))...) // q needs them
	s.publish("q", first)
	if stat := s.stat(); stat.Changes != 10 || stat.Bytes <= 0 || stat.Readers != 2 || stat.Lost != 0 || stat.Oldest.IsZero() {
		t.Errorf("%+v", stat)
	}
	_, err := s.Journal().Changes(t.Context(), "b", "", at, second, s.nothing)
	s.fails("reading what is trimmed", journal.ErrTrimmed, err)
	s.want("", first, second, created(keys(10, 20))...)
	s.publish("q", at) // before its own: nothing changes
	s.publish("q", stocktake.JournalPosition{Sequence: 1 << 60, Time: second.Time})
	s.Put("later")
	s.want("", second, end, "CREATE later")
	s.publish("q", second)
	s.publish("r", end)
	if stat := s.stat(); stat.Changes != 1 {
		t.Errorf("%+v", stat)
	}
}

func testRestarts(t *testing.T, s *suite) {
	at := s.subscribe("r", "")
	s.putAll(keys(0, 5))
	s.Restart()
	s.putAll(keys(5, 10))
	cut := s.cut()
	s.Restart()
	if again := s.subscribe("r", ""); again != at {
		t.Errorf("after a restart the reader is at %+v, want %+v", again, at)
	}
	s.want("", at, cut, created(keys(0, 10))...)
	s.publish("r", cut)
	s.Restart()
	s.Put("later")
	s.want("", cut, end, "CREATE later")
	if again := s.subscribe("r", ""); again != cut {
		t.Errorf("the reader is at %+v, want %+v", again, cut)
	}
	if stat := s.stat(); stat.Changes != 1 {
		t.Errorf("%+v", stat)
	}
}

// testBatches: many changes come in several batches, whole and in order, and what
// happens meanwhile does not show.
func testBatches(t *testing.T, s *suite) {
	at := s.subscribe("r", "")
	want := keys(0, 1000)
	s.putAll(want)
	cut := s.cut()
	var got []string
	batches := 0
	_, err := s.Journal().Changes(t.Context(), "b", "", at, end, func(batch []journal.Change) error {
		if batches++; batches == 1 {
			s.Put("meanwhile")
			s.publish("r", cut)
		}
		for i := range batch {
			got = append(got, string(batch[i].Record.Key))
		}
		return nil
	})
	s.check(err)
	if !slices.Equal(got, want) || batches < 2 {
		t.Errorf("%d of %d changes in %d batches", len(got), len(want), batches)
	}
}

func testEnds(t *testing.T, s *suite) {
	at := s.subscribe("r", "")
	s.putAll(keys(0, 1000))
	boom := errors.New("boom")
	calls := 0
	_, err := s.Journal().Changes(t.Context(), "b", "", at, end, func([]journal.Change) error { calls++; return boom })
	if s.fails("yield's error", boom, err); calls != 1 {
		t.Errorf("yield was called %d times", calls)
	}
	ctx, cancel := context.WithCancel(t.Context())
	calls = 0
	_, err = s.Journal().Changes(ctx, "b", "", at, end, func([]journal.Change) error { calls++; cancel(); return nil })
	if s.fails("an ended context", context.Canceled, err); calls != 1 {
		t.Errorf("yield was called %d times", calls)
	}
}

func testUnknown(t *testing.T, s *suite) {
	j, ctx := s.Journal(), t.Context()
	for _, tt := range []struct {
		bucket string
		want   error
	}{{"none", stocktake.ErrNoSuchBucket}, {"b", journal.ErrNoReader}} {
		s.fails("Unsubscribe", tt.want, j.Unsubscribe(ctx, tt.bucket, "r"))
		s.fails("Published", tt.want, j.Published(ctx, tt.bucket, "r", end))
		_, err := j.Cut(ctx, tt.bucket, s.Now())
		s.fails("Cut", tt.want, err)
		_, err = j.Changes(ctx, tt.bucket, "", stocktake.JournalPosition{}, end, s.nothing)
		s.fails("Changes", tt.want, err)
	}
	_, err := j.Subscribe(ctx, "none", "r", "")
	s.fails("Subscribe", stocktake.ErrNoSuchBucket, err)
	_, err = j.Readers(ctx, "none")
	s.fails("Readers", stocktake.ErrNoSuchBucket, err)
	_, err = j.Stat(ctx, "none")
	s.fails("Stat", stocktake.ErrNoSuchBucket, err)
	if stat := s.stat(); stat.Readers != 0 || stat.Changes != 0 || stat.Bytes != 0 {
		t.Errorf("%+v", stat)
	}
	s.subscribe("q", "")
	s.fails("Published", journal.ErrNoReader, j.Published(ctx, "b", "r", end))
	s.fails("Unsubscribe", journal.ErrNoReader, j.Unsubscribe(ctx, "b", "r"))
}

func testBucketGone(t *testing.T, s *suite) {
	s.subscribe("r", "")
	s.Remove("k", s.Put("k"))
	s.DeleteBucket()
	_, err := s.Journal().Cut(background, "b", s.Now())
	s.fails("Cut", stocktake.ErrNoSuchBucket, err)
	s.Restart()
	_, err = s.Journal().Subscribe(background, "b", "r", "")
	s.fails("Subscribe", stocktake.ErrNoSuchBucket, err)
}

func testReaders(t *testing.T, s *suite) {
	second := s.subscribe("b", "x")
	first := s.subscribe("a", "\xff")
	list, err := s.Journal().Readers(t.Context(), "b")
	s.check(err)
	want := []journal.Reader{{ID: "a", Prefix: "\xff", At: first}, {ID: "b", Prefix: "x", At: second}}
	if !slices.Equal(list, want) {
		t.Errorf("%+v, want %+v", list, want)
	}
	s.Put("x")
	s.check(s.Journal().Unsubscribe(t.Context(), "b", "b"))
	s.Put("x")
	if stat := s.stat(); stat.Changes != 1 || stat.Readers != 1 {
		t.Errorf("after its reader has gone, a prefix is journalled: %+v", stat)
	}
	s.Restart()
	if list, err := s.Journal().Readers(t.Context(), "b"); err != nil || !slices.Equal(list, want[:1]) {
		t.Errorf("%+v, %v", list, err)
	}
	s.check(s.Journal().Unsubscribe(t.Context(), "b", "a"))
	s.Put("x")
	if list, err := s.Journal().Readers(t.Context(), "b"); err != nil || len(list) != 0 {
		t.Errorf("%+v, %v", list, err)
	}
}

// testLaterReader: a position that one reader was given does not turn into one
// that is trimmed because others come and go.
func testLaterReader(t *testing.T, s *suite) {
	s.subscribe("old", "")
	s.Put("a")
	at := s.subscribe("new", "")
	cut := s.cut()
	s.want("", at, cut)
	s.check(s.Journal().Unsubscribe(t.Context(), "b", "old"))
	s.Put("b")
	s.want("", cut, end, "CREATE b")
	s.want("", at, end, "CREATE b")
	s.publish("new", cut)
	s.want("", cut, s.cut(), "CREATE b")

	// A late cut is not behind what a reader has, though no change came between.
	s.subscribe("other", "") // which takes a number
	first := s.cut()
	s.publish("new", first)
	s.Advance(time.Second)
	late := s.Now()
	s.Advance(time.Second)
	s.Put("c")
	if second := s.cutAt(late); second.Sequence < first.Sequence {
		t.Errorf("a cut at %+v, after one at %+v", second, first)
	}

	// Of two positions between the same changes, one is earlier.
	early := s.subscribe("early", "")
	s.Advance(time.Second)
	s.publish("new", s.cut())
	s.cutAt(early.Time + 1)
}

// testBound: what does not fit is dropped, oldest first, and never silently.
func testBound(t *testing.T, s *suite) {
	at := s.subscribe("r", "")
	s.putAll(keys(0, 100))
	cut := s.cut()
	check := func() {
		t.Helper()
		stat := s.stat()
		got, gaps := s.read("", at, cut)
		if stat.Bytes > stat.Limit || stat.Limit != 4000 || len(gaps) != 1 || stat.Lost != gaps[0].Changes || int(gaps[0].Changes)+len(got) != 100 || len(got) < 10 {
			t.Fatalf("%+v, %d changes, gaps %+v", stat, len(got), gaps)
		}
		if want := created(keys(100-len(got), 100)); !slices.Equal(got, want) {
			t.Errorf("left are %q", got)
		}
		if g := gaps[0]; g.First.Sequence <= at.Sequence || g.Last.Sequence >= cut.Sequence || g.First.Time < at.Time || g.Last.Time < g.First.Time {
			t.Errorf("gap %+v from %+v to %+v", g, at, cut)
		}
	}
	check()
	s.Restart()
	check()
	s.publish("r", cut)
	s.Put("later")
	s.want("", cut, end, "CREATE later")
	if stat := s.stat(); stat.Lost != 0 || stat.Changes != 1 {
		t.Errorf("after the gap: %+v", stat)
	}
}

// testGapsOfReaders: a reader is told of the gaps that concern it.
func testGapsOfReaders(t *testing.T, s *suite) {
	slow := s.subscribe("slow", "")
	s.putAll(keys(0, 10))
	cut := s.cut()
	fast := s.subscribe("fast", "")
	s.Advance(time.Second)
	s.putAll(keys(10, 70)) // the first ten are dropped, and some of these
	rest, gaps := s.read("", slow, end)
	if len(gaps) < 2 {
		t.Fatalf("the slow reader has gaps %+v", gaps)
	}
	lost := 0
	for _, g := range gaps {
		lost += int(g.Changes)
	}
	if lost+len(rest) != 70 {
		t.Errorf("%d changes are lost and %d left, of 70", lost, len(rest))
	}
	if _, gaps := s.read("", slow, cut); len(gaps) != 1 || gaps[0].Changes != 10 {
		t.Errorf("the first window of the slow reader has gaps %+v", gaps)
	}
	_, gaps = s.read("", fast, end)
	if len(gaps) != 1 || int(gaps[0].Changes)+len(rest) != 60 {
		t.Errorf("the fast reader has %d changes and gaps %+v", len(rest), gaps)
	}
}
