package console

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/report/rollup"
)

// sums returns the roll-up of keys. The size of each object is the length of its
// key.
func sums(t *testing.T, prefix string, keys ...string) *rollup.Rollup {
	t.Helper()
	b := rollup.New(rollup.Options{Start: time.Unix(1_700_000_000, 0), Prefix: prefix})
	for _, k := range keys {
		b.AddOne(&stocktake.Record{Key: []byte(k), Size: int64(len(k)), LastModified: 1_600_000_000})
	}
	r := rollup.Merge(b.Part())
	r.Seal()
	return r
}

// TestPrefixesAddUp opens every prefix of random reports: the entries below it must
// add up to its total.
func TestPrefixesAddUp(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 50 {
		seen := map[string]bool{}
		for range 1 + random.IntN(60) {
			var parts []string
			for range 1 + random.IntN(6) {
				parts = append(parts, string(rune('a'+random.IntN(3))))
			}
			seen[strings.Join(parts, "/")] = true
		}
		var keys []string
		for k := range seen {
			keys = append(keys, k)
		}
		r := sums(t, "", sorted(keys)...)
		for _, p := range r.Prefixes {
			for _, by := range []string{"bytes", "objects"} {
				got, err := totalsOf(r, string(p.Prefix), by, "/x")
				if err != nil {
					t.Fatal(err)
				}
				var objects, bytes int64
				for i, row := range got.Prefixes {
					objects += row.Objects
					bytes += row.Bytes
					if row.Objects < 0 || row.Bytes < 0 || i > 0 && row.Href != "" && got.Prefixes[i-1].Bytes < row.Bytes && by == "bytes" {
						t.Errorf("%q: %+v", p.Prefix, got.Prefixes)
					}
				}
				if objects != p.Objects || bytes != p.Bytes {
					t.Errorf("%q: %d objects, %d bytes, not %+v", p.Prefix, objects, bytes, p.Tally)
				}
			}
		}
	}
}

func sorted(keys []string) []string {
	for i := range keys {
		for j := i; j > 0 && keys[j] < keys[j-1]; j-- {
			keys[j], keys[j-1] = keys[j-1], keys[j]
		}
	}
	return keys
}

func TestUnknownPrefix(t *testing.T) {
	r := sums(t, "logs/", "logs/a/1", "logs/b/2")
	for _, prefix := range []string{"logs/c/", "logs/a", "x", "\xff"} {
		if _, err := totalsOf(r, prefix, "bytes", "/x"); err == nil {
			t.Errorf("%q is found", prefix)
		}
	}
	for _, prefix := range []string{"", "logs/"} {
		got, err := totalsOf(r, prefix, "bytes", "/x")
		if err != nil || len(got.Prefixes) != 2 || got.Above[0].Name != "logs/" {
			t.Errorf("%q: %+v %v", prefix, got, err)
		}
	}
	if got, err := totalsOf(r, "logs/a/", "objects", "/x"); err != nil || len(got.Above) != 2 || got.Above[1] != (step{"a/", "/x?by=objects&prefix=logs%2Fa%2F#prefixes"}) {
		t.Errorf("%+v %v", got.Above, err)
	}
	empty := sums(t, "")
	if got, err := totalsOf(empty, "", "bytes", "/x"); err != nil || len(got.Prefixes) != 0 || got.Treemap != nil {
		t.Errorf("%+v %v", got, err)
	}
}

// TestManyPrefixes holds that a page stays small, and still adds up.
func TestManyPrefixes(t *testing.T) {
	var keys []string
	for i := range 3000 {
		keys = append(keys, fmt.Sprintf("%04d/x", i))
	}
	r := sums(t, "", keys...)
	got, err := totalsOf(r, "", "objects", "/x")
	if err != nil {
		t.Fatal(err)
	}
	var objects int64
	for _, p := range got.Prefixes {
		objects += p.Objects
	}
	if len(got.Prefixes) > most+3 || objects != 3000 {
		t.Errorf("%d rows with %d objects", len(got.Prefixes), objects)
	}
}

func TestWhatGrew(t *testing.T) {
	old := sums(t, "", "a/1", "a/2", "gone/1", "same/1")
	after := sums(t, "", "a/1", "a/2", "a/33333", "new/1", "same/1")
	d := &compareData{Base: "/r", Old: "2026-01-01T00-00Z"}
	if err := d.fill(old, after, ""); err != nil {
		t.Fatal(err)
	}
	if d.Same != 1 || d.Total.Objects() != 1 || d.Total.Bytes() != 6 {
		t.Errorf("%+v", d)
	}
	got := map[string][2]int64{}
	for _, p := range d.Prefixes {
		got[p.Name] = [2]int64{p.Objects(), p.Bytes()}
		if p.Unsure {
			t.Errorf("%s is uncertain", p.Name)
		}
	}
	if fmt.Sprint(got) != "map[a/:[1 7] gone/:[-1 -6] new/:[1 5]]" || d.Prefixes[0].Name != "a/" || len(d.Chart.Labels) != 3 {
		t.Errorf("%v", d.Prefixes)
	}
	for _, prefix := range []string{"gone/", "new/", "a/"} {
		below := &compareData{Base: "/r"}
		if err := below.fill(old, after, prefix); err != nil {
			t.Errorf("%s: %v", prefix, err)
		}
	}
	if err := (&compareData{}).fill(old, after, "none/"); err == nil {
		t.Error("a prefix that neither has")
	}
}

func TestRunRows(t *testing.T) {
	start := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	r := stocktake.Run{ID: "1", Bucket: "b", Configuration: "c/d", State: stocktake.Scanning, Started: start, Progress: stocktake.Progress{Listed: 500, Expected: 2000}}
	row := newRunRow(&r, start.Add(10*time.Second))
	if row.Rate != 50 || row.Left != 30 || row.Done != 25 || row.Href != "/buckets/b/inventories/c%2Fd/runs/1" || row.Report != "" {
		t.Errorf("%+v", row)
	}
	r.State, r.Ended, r.Manifest = stocktake.Succeeded, start.Add(20*time.Second), "inv/b/c/2026-01-02T03-04Z/manifest.json"
	row = newRunRow(&r, start.Add(time.Hour))
	if row.Seconds != 20 || row.Left != 0 || row.Report != "/buckets/b/inventories/c%2Fd/reports/2026-01-02T03-04Z" {
		t.Errorf("%+v", row)
	}
	r.Started = start.Add(time.Hour) // the clock went back
	r.Ended = time.Time{}
	if row = newRunRow(&r, start); row.Seconds != 0 || row.Rate != 0 {
		t.Errorf("%+v", row)
	}
}
