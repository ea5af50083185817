package stocktake_test

import (
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/configtest"
)

// selects is the filter as its documentation tells it.
func selects(f stocktake.Filter, current bool, r *stocktake.Record) bool {
	if current && (!r.IsLatest || r.IsDeleteMarker) {
		return false
	}
	if !strings.HasPrefix(string(r.Key), f.Prefix) {
		return false
	}
	if f.LastModifyBeginTimeStamp != 0 && r.LastModified < f.LastModifyBeginTimeStamp {
		return false
	}
	if f.LastModifyEndTimeStamp != 0 && r.LastModified > f.LastModifyEndTimeStamp {
		return false
	}
	bySize := f.LowerSizeBound > 0 || f.UpperSizeBound > 0
	if bySize && (r.IsDeleteMarker || r.Size < f.LowerSizeBound) {
		return false
	}
	if f.UpperSizeBound > 0 && r.Size > f.UpperSizeBound {
		return false
	}
	if len(f.StorageClass) > 0 && (r.IsDeleteMarker || !slices.Contains(f.StorageClass, r.StorageClass)) {
		return false
	}
	return true
}

func TestMatcher(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		small := rapid.Int64Range(0, 4)
		class := rapid.Custom(func(t *rapid.T) stocktake.StorageClass {
			return stocktake.StorageClass(rapid.Uint8Range(0, stocktake.NumStorageClasses-1).Draw(t, "class"))
		})
		f := stocktake.Filter{
			Prefix:                   rapid.StringMatching(`[ab]{0,2}`).Draw(t, "prefix"),
			LastModifyBeginTimeStamp: small.Draw(t, "begin"), LastModifyEndTimeStamp: small.Draw(t, "end"),
			LowerSizeBound: small.Draw(t, "lower"), UpperSizeBound: small.Draw(t, "upper"),
			StorageClass: rapid.SliceOfN(class, 0, 3).Draw(t, "classes"),
		}
		r := stocktake.Record{
			Key:          []byte(rapid.StringMatching(`[ab]{1,4}`).Draw(t, "key")),
			LastModified: small.Draw(t, "modified"), Size: small.Draw(t, "size"), StorageClass: class.Draw(t, "class"),
			IsLatest: rapid.Bool().Draw(t, "latest"), IsDeleteMarker: rapid.Bool().Draw(t, "marker"),
		}
		current := rapid.Bool().Draw(t, "current")
		m := stocktake.NewMatcher(f, current)
		if got, want := m.Match(&r), selects(f, current, &r); got != want {
			t.Fatalf("Match is %v, want %v", got, want)
		}
		m.SkipPrefix()
		f.Prefix = ""
		if got, want := m.Match(&r), selects(f, current, &r); got != want {
			t.Fatalf("without the prefix Match is %v, want %v", got, want)
		}
	})
}

func TestZeroMatcherSelectsAll(t *testing.T) {
	var m stocktake.Matcher
	for _, r := range []stocktake.Record{{}, {IsDeleteMarker: true}, {LastModified: -1, Size: -1}} {
		if !m.Match(&r) {
			t.Errorf("%+v does not match", r)
		}
	}
}

func TestMatchDoesNotAllocate(t *testing.T) {
	m := stocktake.NewMatcher(configtest.Full().Filter, true)
	r := stocktake.Record{Key: []byte(configtest.Full().Filter.Prefix + "x"), LastModified: 1700000000, Size: 1, IsLatest: true}
	if !m.Match(&r) {
		t.Fatal("does not match")
	}
	if n := testing.AllocsPerRun(100, func() { m.Match(&r) }); n != 0 {
		t.Errorf("%v allocations a record", n)
	}
}

func BenchmarkMatch(b *testing.B) {
	m := stocktake.NewMatcher(configtest.Full().Filter, true)
	r := stocktake.Record{Key: []byte(configtest.Full().Filter.Prefix + "x"), LastModified: 1700000000, Size: 1, IsLatest: true}
	b.ReportAllocs()
	for b.Loop() {
		if !m.Match(&r) {
			b.Fatal("does not match")
		}
	}
}
