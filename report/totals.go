package report

import (
	"encoding/json"
	"fmt"
	"slices"

	"github.com/stocktake/stocktake"
)

// Totals add up records. The zero value is ready. In JSON, storage
// classes are named.
type Totals struct {
	Rows    int64
	Markers int64 // delete markers among them, which have no size and no class
	Bytes   int64 // size of the objects

	classes [stocktake.NumStorageClasses]count // of OSS
	others  []count                            // by class, less those of OSS; grows as needed
}

// Add counts a record. It does not allocate.
func (t *Totals) Add(r *stocktake.Record) {
	t.Rows++
	if r.IsDeleteMarker {
		t.Markers++
		return
	}
	t.Bytes += r.Size
	c := t.class(r.StorageClass)
	c.objects++
	c.bytes += r.Size
}

type count struct{ objects, bytes int64 }

// class returns the count of a class.
func (t *Totals) class(c stocktake.StorageClass) *count {
	if c < stocktake.NumStorageClasses {
		return &t.classes[c]
	}
	i := int(c) - stocktake.NumStorageClasses
	for len(t.others) <= i {
		t.others = append(t.others, count{})
	}
	return &t.others[i]
}

// Merge adds the counts of o.
func (t *Totals) Merge(o *Totals) {
	t.Rows += o.Rows
	t.Markers += o.Markers
	t.Bytes += o.Bytes
	o.each(func(class stocktake.StorageClass, n count) {
		c := t.class(class)
		c.objects += n.objects
		c.bytes += n.bytes
	})
}

// each calls f with the classes that occur.
func (t *Totals) each(f func(stocktake.StorageClass, count)) {
	for i, c := range t.classes {
		if c.objects > 0 {
			f(stocktake.StorageClass(i), c)
		}
	}
	for i, c := range t.others {
		if c.objects > 0 {
			f(stocktake.StorageClass(stocktake.NumStorageClasses+i), c)
		}
	}
}

// Classes returns the totals of the storage classes that occur, in the order of
// stocktake.CompareStorageClasses, never nil.
func (t *Totals) Classes() []stocktake.ClassTotal {
	list := []stocktake.ClassTotal{}
	t.each(func(class stocktake.StorageClass, c count) {
		list = append(list, stocktake.ClassTotal{StorageClass: class.String(), Objects: c.objects, Bytes: c.bytes})
	})
	slices.SortFunc(list, func(a, b stocktake.ClassTotal) int {
		return stocktake.CompareStorageClasses(a.StorageClass, b.StorageClass)
	})
	return list
}

type totalsJSON struct {
	Rows    int64                  `json:"rows"`
	Markers int64                  `json:"markers"`
	Bytes   int64                  `json:"bytes"`
	Classes []stocktake.ClassTotal `json:"classes"`
}

// MarshalJSON implements [json.Marshaler].
func (t Totals) MarshalJSON() ([]byte, error) {
	return json.Marshal(totalsJSON{t.Rows, t.Markers, t.Bytes, t.Classes()})
}

// UnmarshalJSON implements [json.Unmarshaler]. An unknown storage
// class is an error.
func (t *Totals) UnmarshalJSON(raw []byte) error {
	var j totalsJSON
	if err := json.Unmarshal(raw, &j); err != nil {
		return err
	}
	*t = Totals{Rows: j.Rows, Markers: j.Markers, Bytes: j.Bytes}
	for _, c := range j.Classes {
		class, ok := stocktake.ListedStorageClass([]byte(c.StorageClass)) // this program has written it
		if !ok {
			return fmt.Errorf("storage class %.40q is unknown", c.StorageClass)
		}
		*t.class(class) = count{c.Objects, c.Bytes}
	}
	return nil
}
