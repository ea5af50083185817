package take_test

import (
	"context"
	"fmt"
	"hash/fnv"
	"slices"
	"sort"
	"testing"
	"time"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/engine"
	"github.com/stocktake/stocktake/internal/take"
)

// listing is a source with pages of a thousand keys that cannot count.
type listing struct {
	keys  []string
	pages int
}

func (l *listing) Snapshot(context.Context, string) (engine.Snapshot, error) { return l, nil }
func (*listing) Time() time.Time                                             { return time.Time{} }
func (*listing) Consistency() stocktake.Consistency                          { return stocktake.ConsistencyWindow }
func (*listing) Close() error                                                { return nil }
func (*listing) Count(context.Context, string) (int64, error)                { return -1, nil }
func (*listing) Split(context.Context, string, int) ([]string, error)        { return nil, nil }

func (l *listing) Scan(_ context.Context, seg engine.Segment, _ bool, yield func([]stocktake.Record) error) error {
	rest := l.keys[sort.SearchStrings(l.keys, max(seg.From, seg.Prefix)):]
	for len(rest) > 0 {
		l.pages++
		n := min(len(rest), 1000)
		page := make([]stocktake.Record, n)
		for i := range page {
			page[i].Key = []byte(rest[i])
		}
		rest = rest[n:]
		if err := yield(page); err != nil {
			return err
		}
	}
	return nil
}

func hashed(i int) string {
	h := fnv.New64a()
	fmt.Fprint(h, i)
	return fmt.Sprintf("%016x", h.Sum64()*0x9e3779b97f4a7c15)
}

// A guess is within a factor of the real number, after few requests.
func TestGuess(t *testing.T) {
	for name, tt := range map[string]struct {
		key    func(i int) string
		n      int
		factor float64
	}{
		"none":      {hashed, 0, 1},
		"one page":  {hashed, 900, 1},
		"two pages": {hashed, 1900, 1.01},
		"hashed":    {hashed, 300_000, 1.3},
		"numbered":  {func(i int) string { return fmt.Sprintf("data/%08d", i) }, 300_000, 3},
		"dated":     {func(i int) string { return fmt.Sprintf("logs/2026-%02d-%02d/%s", i%12+1, i%28+1, hashed(i)) }, 300_000, 6}, // clumps of a page
		"two folders": {func(i int) string {
			if i%10 == 0 {
				return "a/" + hashed(i)
			}
			return "z/" + hashed(i)
		}, 300_000, 2},
	} {
		l := new(listing)
		for i := range tt.n {
			l.keys = append(l.keys, tt.key(i))
		}
		slices.Sort(l.keys)
		l.keys = slices.Compact(l.keys)
		e, err := take.Guess(t.Context(), take.Job{Source: l, Bucket: "b"}, 0, take.Pace{Requests: 10})
		if err != nil {
			t.Fatal(err)
		}
		off := float64(e.Objects) / max(float64(len(l.keys)), 1)
		if len(l.keys) > 0 && (off > tt.factor || off < 1/tt.factor) {
			t.Errorf("%s: %d of %d", name, e.Objects, len(l.keys))
		}
		if e.Exact != (tt.n <= 1000) || l.pages > 70 || e.Probes > 70 {
			t.Errorf("%s: %+v after %d pages", name, e, l.pages)
		}
		if want := max((e.Objects+999)/1000, 1); tt.n > 1000 && e.Calls != want {
			t.Errorf("%s: %d calls, want %d", name, e.Calls, want)
		}
		t.Logf("%s: %d of %d, %d probes", name, e.Objects, len(l.keys), e.Probes)
	}
	l := &listing{keys: make([]string, 2000)}
	for i := range l.keys {
		l.keys[i] = fmt.Sprintf("%05d", i)
	}
	e, err := take.Guess(t.Context(), take.Job{Source: l}, 5_000_000, take.Pace{Requests: 10, PerSecond: 100})
	if err != nil || e.Objects != 5_000_000 || e.Calls != 5000 || e.Time < 50*time.Second || e.Probes != 2 {
		t.Errorf("%+v, %v", e, err)
	}
}
