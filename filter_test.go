package stocktake_test

import (
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/configtest"
)

// alike are the classes of S3 that classes of OSS select.
var alike = map[stocktake.StorageClass][]string{
	stocktake.Standard:        {"STANDARD"},
	stocktake.IA:              {"STANDARD_IA", "ONEZONE_IA", "GLACIER_IR"},
	stocktake.Archive:         {"GLACIER"},
	stocktake.ColdArchive:     {"DEEP_ARCHIVE"},
	stocktake.DeepColdArchive: {"DEEP_ARCHIVE"},
}

// selects implements the filter as it is documented.
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
	if len(f.StorageClass) > 0 && (r.IsDeleteMarker || !slices.ContainsFunc(f.StorageClass, func(c stocktake.StorageClass) bool {
		return c == r.StorageClass || slices.Contains(alike[c], r.StorageClass.String())
	})) {
		return false
	}
	return true
}

func TestMatcher(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		small := rapid.Int64Range(0, 4)
		class := rapid.Custom(configtest.StorageClass)
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

// filterFields has for each field of a Filter a filter that breaks its rule, and
// one that excludes a record which a filter without it would select.
var filterFields = map[string]struct {
	illegal, excludes stocktake.Filter
	record            stocktake.Record
}{
	"Prefix":                   {stocktake.Filter{Prefix: "\xff"}, stocktake.Filter{Prefix: "b"}, stocktake.Record{Key: []byte("a")}},
	"LastModifyBeginTimeStamp": {stocktake.Filter{LastModifyBeginTimeStamp: 1}, stocktake.Filter{LastModifyBeginTimeStamp: 1700000000}, stocktake.Record{LastModified: 1699999999}},
	"LastModifyEndTimeStamp":   {stocktake.Filter{LastModifyEndTimeStamp: 1}, stocktake.Filter{LastModifyEndTimeStamp: 1700000000}, stocktake.Record{LastModified: 1700000001}},
	"LowerSizeBound":           {stocktake.Filter{LowerSizeBound: -1}, stocktake.Filter{LowerSizeBound: 2}, stocktake.Record{Size: 1}},
	"UpperSizeBound":           {stocktake.Filter{UpperSizeBound: -1}, stocktake.Filter{UpperSizeBound: 2}, stocktake.Record{Size: 3}},
	"StorageClass":             {stocktake.Filter{StorageClass: []stocktake.StorageClass{255}}, stocktake.Filter{StorageClass: []stocktake.StorageClass{stocktake.IA}}, stocktake.Record{}},
}

// readsBack are fields that select nothing: they keep what the request said.
var readsBack = []string{"AllClasses", "HasLowerSizeBound"}

func TestEveryFilterFieldIsValidatedAndMatched(t *testing.T) {
	for _, field := range reflect.VisibleFields(reflect.TypeFor[stocktake.Filter]()) {
		if slices.Contains(readsBack, field.Name) {
			continue
		}
		tt, ok := filterFields[field.Name]
		if !ok {
			t.Errorf("filterFields has no entry for Filter.%s: is there a rule, and a condition in Match?", field.Name)
			continue
		}
		c := configtest.Minimal()
		c.Filter = tt.illegal
		err := c.Validate(stocktake.InventoryRules{})
		if e, ok := errors.AsType[*stocktake.InvalidArgumentError](err); !ok || e.Element != "Filter/"+field.Name {
			t.Errorf("Validate accepts an illegal Filter.%s: %v", field.Name, err)
		}
		if m := stocktake.NewMatcher(stocktake.Filter{}, false); !m.Match(&tt.record) {
			t.Errorf("%s: no filter, and yet the record is excluded", field.Name)
		}
		if m := stocktake.NewMatcher(tt.excludes, false); m.Match(&tt.record) {
			t.Errorf("Match does not look at Filter.%s", field.Name)
		}
	}
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
