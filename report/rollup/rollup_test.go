package rollup_test

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"math/bits"
	"slices"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/configtest"
	"github.com/stocktake/stocktake/report/rollup"
)

var start = time.Unix(1767628800, 0).UTC()

// draw draws records in the order of a report, with few names, so that prefixes
// and versions repeat.
func draw(t *rapid.T, prefix string, versions bool) []stocktake.Record {
	segment := rapid.SampledFrom([]string{"", "a", "b", "b-", "b0", "c.d", "猫", "x.JPG", "y.jpg", "z.tar.gz", ".hidden", "w.parquet", "v.toolong88", "\x00.\x00", "p.123", "\xff"})
	var records []stocktake.Record
	seen := map[string]bool{}
	for range rapid.IntRange(0, 80).Draw(t, "keys") {
		key := prefix + strings.Join(rapid.SliceOfN(segment, 1, 5).Draw(t, "segments"), "/")
		if key == "" || seen[key] {
			continue
		}
		seen[key] = true
		n := 1
		if versions {
			n = rapid.IntRange(1, 4).Draw(t, "versions of the key")
		}
		for v := range n {
			r := stocktake.Record{
				Key: []byte(key), IsLatest: v == 0,
				Size:         rapid.OneOf(rapid.Int64Range(0, 5), rapid.Int64Range(0, 1<<40)).Draw(t, "size"),
				LastModified: rapid.OneOf(rapid.Just(int64(0)), rapid.Int64Range(start.Unix()-9*86400, start.Unix()+5), rapid.Int64Range(1, start.Unix())).Draw(t, "modified"),
				StorageClass: configtest.StorageClass(t),
			}
			if versions {
				r.VersionID = fmt.Appendf(nil, "v%d", v)
				r.IsDeleteMarker = rapid.IntRange(0, 4).Draw(t, "marker") == 0
			}
			records = append(records, r)
		}
	}
	slices.SortStableFunc(records, func(a, b stocktake.Record) int { return bytes.Compare(a.Key, b.Key) })
	return records
}

// model adds up records in the simplest way. Nothing is folded.
func model(opts rollup.Options, records []stocktake.Record) *rollup.Rollup {
	r := &rollup.Rollup{
		Version: rollup.Version, Start: opts.Start, Classes: []rollup.Class{}, Sizes: []rollup.Size{}, Ages: []rollup.Age{},
		Extensions: []rollup.Extension{}, Largest: []rollup.Object{},
		Depth: opts.Depth, Root: rollup.Key(opts.Prefix[:strings.LastIndex(opts.Prefix, "/")+1]), Rows: int64(len(records)),
	}
	type cell struct {
		class stocktake.StorageClass
		from  int64
	}
	classes, sizes, ages := map[stocktake.StorageClass]*rollup.Count{}, map[cell]*rollup.Count{}, map[cell]*rollup.Count{}
	exts, prefixes := map[string]*rollup.Count{}, map[string]*rollup.Tally{string(r.Root): {}}
	for i := range records {
		rec := &records[i]
		tally := func(t *rollup.Tally) {
			if rec.IsDeleteMarker {
				t.DeleteMarkers++
				return
			}
			t.Objects++
			t.Bytes += rec.Size
			if opts.Versions && !rec.IsLatest {
				t.Noncurrent.Objects++
				t.Noncurrent.Bytes += rec.Size
			}
		}
		tally(&r.Tally)
		segments := strings.SplitAfter(strings.TrimPrefix(string(rec.Key), string(r.Root)), "/")
		for d := 0; d <= min(opts.Depth, len(segments)-1); d++ {
			tally(at(prefixes, string(r.Root)+strings.Join(segments[:d], "")))
		}
		if rec.IsDeleteMarker {
			continue
		}
		add := func(c *rollup.Count) { c.Objects++; c.Bytes += rec.Size }
		add(at(classes, rec.StorageClass))
		from := int64(0)
		if rec.Size > 0 {
			from = 1 << (bits.Len64(uint64(rec.Size)) - 1)
		}
		add(at(sizes, cell{rec.StorageClass, from}))
		age := (start.Unix() - rec.LastModified) / 86400
		switch {
		case rec.LastModified == 0:
			age = rollup.AgeUnknown
		case rec.LastModified > start.Unix():
			age = rollup.AgeFuture
		case age > 0:
			age = 1 << (bits.Len64(uint64(age)) - 1)
		}
		add(at(ages, cell{rec.StorageClass, age}))
		add(at(exts, extension(string(rec.Key))))
		o := rollup.Object{Key: rollup.Key(rec.Key), VersionID: string(rec.VersionID), Size: rec.Size, StorageClass: rec.StorageClass.String()}
		if rec.LastModified != 0 {
			o.LastModified = time.Unix(rec.LastModified, 0).UTC()
			if r.Oldest == nil || o.LastModified.Before(r.Oldest.LastModified) {
				r.Oldest = &o
			}
			if r.Newest == nil || o.LastModified.After(r.Newest.LastModified) {
				r.Newest = &o
			}
		}
		r.Largest = append(r.Largest, o)
	}
	for c, n := range classes {
		r.Classes = append(r.Classes, rollup.Class{StorageClass: c.String(), Count: *n})
	}
	for c, n := range sizes {
		r.Sizes = append(r.Sizes, rollup.Size{StorageClass: c.class.String(), From: c.from, Count: *n})
	}
	for c, n := range ages {
		r.Ages = append(r.Ages, rollup.Age{StorageClass: c.class.String(), From: c.from, Count: *n})
	}
	for e, n := range exts {
		r.Extensions = append(r.Extensions, rollup.Extension{Extension: e, Count: *n})
	}
	for p, n := range prefixes {
		r.Prefixes = append(r.Prefixes, rollup.Prefix{Prefix: rollup.Key(p), Tally: *n})
	}
	slices.SortFunc(r.Classes, func(a, b rollup.Class) int { return stocktake.CompareStorageClasses(a.StorageClass, b.StorageClass) })
	slices.SortFunc(r.Sizes, func(a, b rollup.Size) int {
		return cmp.Or(stocktake.CompareStorageClasses(a.StorageClass, b.StorageClass), cmp.Compare(a.From, b.From))
	})
	slices.SortFunc(r.Ages, func(a, b rollup.Age) int {
		return cmp.Or(stocktake.CompareStorageClasses(a.StorageClass, b.StorageClass), cmp.Compare(a.From, b.From))
	})
	slices.SortFunc(r.Extensions, func(a, b rollup.Extension) int {
		return cmp.Or(cmp.Compare(b.Objects, a.Objects), cmp.Compare(b.Bytes, a.Bytes), cmp.Compare(a.Extension, b.Extension))
	})
	slices.SortFunc(r.Prefixes, func(a, b rollup.Prefix) int { return cmp.Compare(a.Prefix, b.Prefix) })
	slices.SortFunc(r.Largest, func(a, b rollup.Object) int {
		return cmp.Or(cmp.Compare(b.Size, a.Size), cmp.Compare(a.Key, b.Key), cmp.Compare(a.VersionID, b.VersionID))
	})
	r.Largest = r.Largest[:min(len(r.Largest), rollup.MaxLargest)]
	return r
}

func at[K comparable, V any](m map[K]*V, k K) *V {
	if m[k] == nil {
		m[k] = new(V)
	}
	return m[k]
}

// extension returns the extension of a key according to the model.
func extension(key string) string {
	name := key[strings.LastIndexByte(key, '/')+1:]
	i := strings.LastIndexByte(name, '.')
	if i < 1 || len(name)-i-1 < 1 || len(name)-i-1 > 7 {
		return ""
	}
	e := strings.ToLower(name[i+1:])
	if strings.Trim(e, "abcdefghijklmnopqrstuvwxyz0123456789") != "" || strings.Trim(e, "0123456789") == "" {
		return ""
	}
	return e
}

// build cuts records into parts and adds each in batches.
func build(t *rapid.T, opts rollup.Options, records []stocktake.Record) (parts []*rollup.Rollup) {
	b := rollup.New(opts)
	for {
		b.Reset()
		part := records[:rapid.IntRange(0, len(records)).Draw(t, "part")]
		records = records[len(part):]
		for len(part) > 0 {
			n := rapid.IntRange(1, len(part)).Draw(t, "batch")
			b.Add(part[:n])
			part = part[n:]
		}
		raw, err := json.Marshal(b.Part())
		if err != nil {
			t.Fatal(err)
		}
		p, err := rollup.Parse(raw) // parts are kept as JSON
		if err != nil {
			t.Fatal(err)
		}
		parts = append(parts, p)
		if len(records) == 0 {
			return parts
		}
	}
}

func drawOptions(t *rapid.T) rollup.Options {
	return rollup.Options{
		Start: start, Prefix: rapid.SampledFrom([]string{"", "b", "b/", "b/a/c"}).Draw(t, "prefix"),
		Depth: rapid.IntRange(1, 5).Draw(t, "depth"), Versions: rapid.Bool().Draw(t, "versions"),
	}
}

// However the records are cut, the merged parts equal the sums in maps.
func TestMergeIsTheWhole(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		opts := drawOptions(t)
		records := draw(t, opts.Prefix, opts.Versions)
		parts := build(t, opts, records)
		if !opts.Versions { // otherwise parts may share keys, and are in order
			parts = rapid.Permutation(parts).Draw(t, "order")
		}
		got := rollup.Merge(parts...)
		got.Seal()
		if diff := gocmp.Diff(model(opts, records), got); diff != "" {
			t.Errorf("roll-up (-want +got):\n%s", diff)
		}
	})
}

// If there are more prefixes than are kept, the kept ones are the largest, with exact
// counts that do not depend on the cut, and the rest is folded.
func TestFoldedPrefixes(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		rollup.KeepPrefixes(t, rapid.IntRange(1, 4).Draw(rt, "kept"))
		opts := drawOptions(rt)
		records := draw(rt, opts.Prefix, opts.Versions)
		whole := rollup.New(opts)
		whole.Add(records)
		want := whole.Part()
		want.Seal()
		got := rollup.Merge(build(rt, opts, records)...)
		got.Seal()
		if diff := gocmp.Diff(want, got); diff != "" {
			rt.Errorf("roll-up of parts (-whole +parts):\n%s", diff)
		}
		checkFolds(rt, model(opts, records), got, true)
	})
}

// Parts that overlap are merged to lower bounds, which are marked.
func TestOverlappingParts(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		rollup.KeepPrefixes(t, rapid.IntRange(1, 4).Draw(rt, "kept"))
		opts := drawOptions(rt)
		records := draw(rt, opts.Prefix, opts.Versions)
		builders := []*rollup.Builder{rollup.New(opts), rollup.New(opts), rollup.New(opts)}
		for i := range records {
			builders[rapid.IntRange(0, 2).Draw(rt, "builder")].Add(records[i : i+1])
		}
		got := rollup.Merge(builders[0].Part(), builders[1].Part(), builders[2].Part())
		got.Seal()
		checkFolds(rt, model(opts, records), got, false)
	})
}

// checkFolds compares the prefixes of got with those of a model that folds none.
func checkFolds(t *rapid.T, want, got *rollup.Rollup, exact bool) {
	t.Helper()
	all := map[rollup.Key]rollup.Tally{}
	for _, p := range want.Prefixes {
		all[p.Prefix] = p.Tally
	}
	if got.Tally != want.Tally {
		t.Errorf("totals %+v, want %+v", got.Tally, want.Tally)
	}
	for i, p := range got.Prefixes {
		is := all[p.Prefix]
		if p.AtLeast && exact || !p.AtLeast && p.Tally != is || p.Objects > is.Objects || p.Bytes > is.Bytes || p.DeleteMarkers > is.DeleteMarkers {
			t.Errorf("prefix %q is %+v, want %+v", p.Prefix, p, is)
		}
		if d := got.Direct(i); exact && d != direct(all, want, p.Prefix) || d.Objects < 0 || d.DeleteMarkers < 0 {
			t.Errorf("directly under %q are %+v, want %+v", p.Prefix, d, direct(all, want, p.Prefix))
		}
	}
}

// direct returns the totals directly under prefix, without those of the prefixes below it.
func direct(all map[rollup.Key]rollup.Tally, want *rollup.Rollup, prefix rollup.Key) rollup.Tally {
	d := all[prefix]
	if strings.Count(string(prefix[len(want.Root):]), "/") == want.Depth {
		return d
	}
	for p, n := range all {
		rest, below := strings.CutPrefix(string(p), string(prefix))
		if below && strings.Count(rest, "/") == 1 && strings.HasSuffix(rest, "/") {
			d.Objects -= n.Objects
			d.Bytes -= n.Bytes
			d.Noncurrent.Objects -= n.Noncurrent.Objects
			d.Noncurrent.Bytes -= n.Noncurrent.Bytes
			d.DeleteMarkers -= n.DeleteMarkers
		}
	}
	return d
}

// More extensions than are kept are folded, and those that may be incomplete are
// marked.
func TestFoldedExtensions(t *testing.T) {
	const n = 3000
	name := func(i int) string { return fmt.Sprintf("%c%c%c", 'a'+i%26, 'a'+i/26%26, 'a'+i/676%26) }
	var records []stocktake.Record
	counts := map[string]int64{}
	for i := range 3 * n {
		e := name(i % n)
		if i%3 == 0 {
			e = "jpg"
		}
		counts[e]++
		records = append(records, stocktake.Record{Key: fmt.Appendf(nil, "%06d.%s", i, e), Size: 2})
	}
	one, two := rollup.New(rollup.Options{Start: start}), rollup.New(rollup.Options{Start: start})
	one.Add(records[:n])
	two.Add(records[n:])
	got := rollup.Merge(one.Part(), two.Part())
	if len(got.Extensions) > rollup.MaxExtensions || got.Extensions[0].Extension != "jpg" || got.Extensions[0].AtLeast {
		t.Errorf("%d extensions, the first %+v", len(got.Extensions), got.Extensions[0])
	}
	sum := got.FoldedExtensions.Count
	for _, e := range got.Extensions {
		sum.Objects += e.Objects
		sum.Bytes += e.Bytes
		if e.Objects > counts[e.Extension] || !e.AtLeast && e.Objects != counts[e.Extension] {
			t.Errorf("%+v, want %d objects", e, counts[e.Extension])
		}
	}
	if sum != (rollup.Count{Objects: got.Objects, Bytes: got.Bytes}) {
		t.Errorf("kept and folded are %+v, want %+v", sum, got.Tally)
	}
}

// Records out of order are noticed, and no count is claimed to be exact.
func TestDisorder(t *testing.T) {
	b := rollup.New(rollup.Options{Start: start})
	for _, key := range []string{"b/x", "a/x", "b/y"} {
		b.Add([]stocktake.Record{{Key: []byte(key), Size: 1}})
	}
	r := b.Part()
	if b.Sorted() || len(r.Prefixes) != 3 || !r.Prefixes[2].AtLeast || r.Prefixes[2].Objects != 2 {
		t.Errorf("sorted %v, %+v", b.Sorted(), r.Prefixes)
	}
}

func TestParseRefuses(t *testing.T) {
	for _, raw := range []string{
		"", "{", "[]", `{"version":2}`, `{"version":1}`,
		`{"version":1,"depth":17,"prefixes":[{"prefix":""}]}`,
		`{"version":1,"root":"a%2F","prefixes":[{"prefix":""}]}`,
		`{"version":1,"prefixes":[{"prefix":""},{"prefix":"b%2F"},{"prefix":"a%2F"}]}`,
		`{"version":1,"prefixes":[{"prefix":""},{"prefix":"b"}]}`,
		`{"version":1,"prefixes":[{"prefix":""},{"prefix":"%2"}]}`,
		`{"version":1,"root":"a%2F","prefixes":[{"prefix":"a%2F"},{"prefix":"b%2F"}]}`,
	} {
		if r, err := rollup.Parse([]byte(raw)); err == nil {
			t.Errorf("%s is read as %+v", raw, r)
		}
	}
}

// Adding records allocates nothing once the buffers have grown.
func TestAddDoesNotAllocate(t *testing.T) {
	var records []stocktake.Record
	for i := range 4096 {
		records = append(records, stocktake.Record{
			Key: fmt.Appendf(nil, "a/%03d/%02d/part-%04d.parquet", i/100, i/10%10, i), Size: int64(i * 7919 % 5000), LastModified: start.Unix() - int64(i*1000),
		})
	}
	b := rollup.New(rollup.Options{Start: start})
	if n := testing.AllocsPerRun(10, func() {
		b.Reset()
		b.Add(records)
	}); n > 0 {
		t.Errorf("%v allocations for %d records", n, len(records))
	}
}

func BenchmarkAdd(b *testing.B) {
	for _, c := range []struct{ name, key string }{
		{"lake", "lake/tenant-%04d/access/dt=2026-03-%02d/07/part-%05d-1f2e3d4c.log.gz"},
		{"flat", "%08d%02d%08d"},
		{"directories", "%04d/%02d/%08d/x"},
	} {
		b.Run(c.name, func(b *testing.B) {
			var records []stocktake.Record
			for i := range 1 << 15 {
				records = append(records, stocktake.Record{
					Key: fmt.Appendf(nil, c.key, i/5000, i/100%50, i), Size: int64(uint32(i)*2654435761>>12) + 1, LastModified: start.Unix() - int64(i*100),
					StorageClass: stocktake.StorageClass(i % 3),
				})
			}
			u := rollup.New(rollup.Options{Start: start})
			b.ReportAllocs()
			for b.Loop() {
				u.Reset()
				for batch := range slices.Chunk(records, 512) {
					u.Add(batch)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(records)), "ns/record")
		})
	}
}
