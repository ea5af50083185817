package report

import (
	"encoding/json"
	"fmt"

	"github.com/stocktake/stocktake"
)

// Totals add up records. The zero value is ready. In JSON, storage
// classes are named.
type Totals struct {
	Rows    int64
	Markers int64 // delete markers among them, which have no size and no class
	Bytes   int64 // size of the objects

	classes [stocktake.NumStorageClasses]struct{ objects, bytes int64 }
}

// Add counts a record. It does not allocate.
func (t *Totals) Add(r *stocktake.Record) {
	t.Rows++
	if r.IsDeleteMarker {
		t.Markers++
		return
	}
	t.Bytes += r.Size
	if c := int(r.StorageClass); c < len(t.classes) {
		t.classes[c].objects++
		t.classes[c].bytes += r.Size
	}
}

// Merge adds the counts of o.
func (t *Totals) Merge(o *Totals) {
	t.Rows += o.Rows
	t.Markers += o.Markers
	t.Bytes += o.Bytes
	for i := range t.classes {
		t.classes[i].objects += o.classes[i].objects
		t.classes[i].bytes += o.classes[i].bytes
	}
}

// Classes returns the totals of the storage classes that occur, in the order of
// stocktake.StorageClass, never nil.
func (t *Totals) Classes() []stocktake.ClassTotal {
	list := []stocktake.ClassTotal{}
	for i, c := range t.classes {
		if c.objects > 0 {
			list = append(list, stocktake.ClassTotal{
				StorageClass: stocktake.StorageClass(i).String(), Objects: c.objects, Bytes: c.bytes,
			})
		}
	}
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
		class, ok := stocktake.ParseStorageClass(c.StorageClass)
		if !ok {
			return fmt.Errorf("storage class %.40q is unknown", c.StorageClass)
		}
		t.classes[class].objects, t.classes[class].bytes = c.Objects, c.Bytes
	}
	return nil
}
