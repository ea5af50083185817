package rollup

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/stocktake/stocktake"
)

// Compare compares a stored roll-up with the roll-up of the rows of its report,
// which have the given columns. sorted says that the rows were in the order of
// their keys. Compare returns the differences in words, and what it could not check
// because a column or the order is missing.
func Compare(claimed, rows *Rollup, columns []stocktake.Field, sorted bool) (differences, unchecked []string) {
	c := comparison{}
	has := func(f stocktake.Field) bool { return slices.Contains(columns, f) }
	size, class, date := has(stocktake.FieldSize), has(stocktake.FieldStorageClass), has(stocktake.FieldLastModifiedDate)
	version, latest := has(stocktake.FieldVersionID), has(stocktake.FieldIsLatest)
	lacks := func(column, what string) {
		unchecked = append(unchecked, what+" in the roll-up: the report has no column "+column)
	}
	if !size {
		lacks("Size", "sizes and the largest")
	}
	if !class {
		lacks("StorageClass", "storage classes")
	}
	if !date {
		lacks("LastModifiedDate", "ages")
	}
	claimed, rows = claimed.visible(size, class, date, version, latest), rows.visible(size, class, date, version, latest)

	c.value("rows", claimed.Rows, rows.Rows)
	c.value("the total", claimed.Tally, rows.Tally)
	compareLists(&c, "class", claimed.Classes, rows.Classes, func(x *Class) (string, any) { return x.StorageClass, x.Count })
	compareLists(&c, "size", claimed.Sizes, rows.Sizes, func(x *Size) (string, any) {
		return fmt.Sprintf("%s from %d bytes", x.StorageClass, x.From), x.Count
	})
	compareLists(&c, "age", claimed.Ages, rows.Ages, func(x *Age) (string, any) {
		return fmt.Sprintf("%s from %d days", x.StorageClass, x.From), x.Count
	})
	c.extensions(claimed, rows)
	if sorted {
		c.prefixes(claimed, rows, size)
	} else {
		unchecked = append(unchecked, "prefixes in the roll-up: the rows are not in the order of their keys")
	}
	object := func(x *Object) (string, any) { return fmt.Sprintf("%q version %q", x.Key, x.VersionID), *x }
	if size {
		compareLists(&c, "largest", claimed.Largest, rows.Largest, object)
	}
	c.dated("oldest", claimed.Oldest, rows.Oldest)
	c.dated("newest", claimed.Newest, rows.Newest)
	return c.found, unchecked
}

// visible returns r without the values that depend on missing columns.
func (r *Rollup) visible(size, class, date, version, latest bool) *Rollup {
	v := *r
	v.Classes, v.Sizes, v.Ages = slices.Clone(r.Classes), slices.Clone(r.Sizes), slices.Clone(r.Ages)
	v.Extensions, v.Prefixes, v.Largest = slices.Clone(r.Extensions), slices.Clone(r.Prefixes), slices.Clone(r.Largest)
	tallies := []*Tally{&v.Tally}
	for i := range v.Prefixes {
		tallies = append(tallies, &v.Prefixes[i].Tally, &v.Prefixes[i].Folded.Tally)
	}
	counts := []*Count{&v.FoldedExtensions.Count}
	for i := range v.Extensions {
		counts = append(counts, &v.Extensions[i].Count)
	}
	for i := range v.Ages {
		counts = append(counts, &v.Ages[i].Count)
	}
	for i := range v.Classes {
		counts = append(counts, &v.Classes[i].Count)
	}
	if !class {
		v.Classes = nil
		for i := range v.Sizes {
			v.Sizes[i].StorageClass = ""
		}
		for i := range v.Ages {
			v.Ages[i].StorageClass = ""
		}
		v.Sizes = mergeCounts(v.Sizes, nil, func(s *Size) (string, int64, *Count) { return "", s.From, &s.Count })
		v.Ages = mergeCounts(v.Ages, nil, func(a *Age) (string, int64, *Count) { return "", a.From, &a.Count })
		counts = counts[:1+len(v.Extensions)]
		for i := range v.Ages {
			counts = append(counts, &v.Ages[i].Count)
		}
	}
	for _, t := range tallies {
		if !latest {
			t.Noncurrent = Count{}
		}
		if !size {
			t.Bytes, t.Noncurrent.Bytes = 0, 0
		}
	}
	if !size {
		v.Sizes, v.Largest = nil, nil
		for _, c := range counts {
			c.Bytes = 0
		}
		slices.SortFunc(v.Extensions, byObjects)
	}
	if !date {
		v.Ages, v.Oldest, v.Newest = nil, nil, nil
	}
	seen := func(o *Object) {
		if !version {
			o.VersionID = ""
		}
		if !class {
			o.StorageClass = ""
		}
		if !date {
			o.LastModified = time.Time{}
		}
		if !size {
			o.Size = 0
		}
	}
	for i := range v.Largest {
		seen(&v.Largest[i])
	}
	for _, o := range []**Object{&v.Oldest, &v.Newest} {
		if *o != nil {
			c := **o
			seen(&c)
			*o = &c
		}
	}
	return &v
}

// maxDifferences is how many differences of each kind are reported.
const maxDifferences = 3

// A comparison collects differences.
type comparison struct{ found []string }

func (c *comparison) value(what string, claimed, rows any) {
	if a, b := text(claimed), text(rows); a != b {
		c.found = append(c.found, fmt.Sprintf("%s is %s; the rows add up to %s", what, a, b))
	}
}

func (c *comparison) dated(what string, claimed, rows *Object) {
	if claimed != nil && rows != nil && claimed.LastModified.Equal(rows.LastModified) && claimed.Key == rows.Key {
		claimed = rows // any version of a key may be named
	}
	c.value(what, claimed, rows)
}

// text returns a value as it is written in manifest.rollup.
func text(v any) string {
	raw, err := json.Marshal(v)
	if err != nil {
		return err.Error()
	}
	return string(raw)
}

// compareLists compares lists of named entries. A name may occur more than once,
// for a version that is in a report twice.
func compareLists[T any](c *comparison, kind string, claimed, rows []T, of func(*T) (string, any)) {
	is := make(map[string][]string, len(rows))
	for i := range rows {
		name, v := of(&rows[i])
		is[name] = append(is[name], text(v))
	}
	wrong := 0
	add := func(format string, args ...any) {
		if wrong++; wrong <= maxDifferences {
			c.found = append(c.found, kind+" "+fmt.Sprintf(format, args...))
		}
	}
	for i := range claimed {
		name, v := of(&claimed[i])
		got, want := text(v), is[name]
		if len(want) == 0 {
			add("%.200s is %s; the rows have none", name, got)
			continue
		}
		if got != want[0] {
			add("%.200s is %s; the rows add up to %s", name, got, want[0])
		}
		is[name] = want[1:]
	}
	for i := range rows {
		if name, _ := of(&rows[i]); len(is[name]) > 0 {
			add("%.200s is missing; the rows add up to %s", name, is[name][0])
			is[name] = is[name][1:]
		}
	}
	if wrong > maxDifferences {
		c.found = append(c.found, fmt.Sprintf("%s: %d more differences", kind, wrong-maxDifferences))
	}
}

// extensions compares extensions. If any were folded, it compares only those that
// both have in full.
func (c *comparison) extensions(claimed, rows *Rollup) {
	named := func(e *Extension) (string, any) { return "." + e.Extension, e.Count }
	if claimed.FoldedExtensions.Extensions == 0 && rows.FoldedExtensions.Extensions == 0 {
		compareLists(c, "extension", claimed.Extensions, rows.Extensions, named)
		return
	}
	exact := map[string]bool{}
	for _, e := range claimed.Extensions {
		exact[e.Extension] = !e.AtLeast
	}
	both := map[string]bool{}
	for _, e := range rows.Extensions {
		both[e.Extension] = !e.AtLeast && exact[e.Extension]
	}
	only := func(list []Extension) []Extension {
		return slices.DeleteFunc(slices.Clone(list), func(e Extension) bool { return !both[e.Extension] })
	}
	compareLists(c, "extension", only(claimed.Extensions), only(rows.Extensions), named)
	c.value("all extensions together", claimed.allExtensions(), rows.allExtensions())
}

func (r *Rollup) allExtensions() Count {
	n := r.FoldedExtensions.Count
	for _, e := range r.Extensions {
		n.add(e.Count)
	}
	return n
}

// prefixes compares prefixes. Bytes determine which prefixes are kept, so without
// sizes it compares only those that both have kept.
func (c *comparison) prefixes(claimed, rows *Rollup, sizes bool) {
	a, b := claimed.Prefixes, rows.Prefixes
	if !sizes {
		a, b = common(a, b), common(b, a)
	}
	compareLists(c, "prefix", a, b, func(p *Prefix) (string, any) {
		return fmt.Sprintf("%q", p.Prefix), struct {
			Tally
			Folded  Folded `json:"folded,omitzero"`
			AtLeast bool   `json:"atLeast,omitempty"`
		}{p.Tally, p.Folded, p.AtLeast}
	})
}

// common returns the entries of a that are also in b, without folded counts.
func common(a, b []Prefix) []Prefix {
	out := []Prefix{}
	for _, p := range a {
		if _, ok := slices.BinarySearchFunc(b, p.Prefix, func(q Prefix, k Key) int { return strings.Compare(string(q.Prefix), string(k)) }); ok {
			p.Folded = Folded{}
			out = append(out, p)
		}
	}
	slices.SortFunc(out, func(x, y Prefix) int { return cmp.Compare(x.Prefix, y.Prefix) })
	return out
}
