package browse

import (
	"cmp"
	"container/heap"
	"context"
	"slices"
	"strings"
	"time"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/report"
	"github.com/stocktake/stocktake/report/rollup"
)

// shownObjects bounds the objects in a list of a browser.
const shownObjects = 1000

// largestBelow reads the rows under a prefix and returns the largest objects. If
// direct is true, it returns only objects directly below the prefix. It stops when
// ctx ends.
func largestBelow(ctx context.Context, r *report.Report, prefix string, direct bool) (list []rollup.Object, total int64, err error) {
	var found objectHeap
	q := report.Query{Keys: report.PrefixRange([]byte(prefix)), Columns: []stocktake.Field{
		stocktake.FieldVersionID, stocktake.FieldIsDeleteMarker, stocktake.FieldSize, stocktake.FieldStorageClass, stocktake.FieldLastModifiedDate,
	}}
	for row, err := range r.Read(ctx, q) {
		if err != nil {
			return nil, 0, err
		}
		if row.IsDeleteMarker || direct && strings.Contains(string(row.Key[len(prefix):]), "/") {
			continue
		}
		total++
		if len(found) == shownObjects {
			if row.Size <= found[0].Size {
				continue
			}
			heap.Pop(&found)
		}
		o := rollup.Object{Key: rollup.Key(row.Key), VersionID: string(row.VersionID), Size: row.Size, StorageClass: row.StorageClass.String()}
		if row.LastModified != 0 {
			o.LastModified = time.Unix(row.LastModified, 0).UTC()
		}
		heap.Push(&found, o)
	}
	list = found
	slices.SortFunc(list, func(a, b rollup.Object) int {
		return cmp.Or(cmp.Compare(b.Size, a.Size), cmp.Compare(a.Key, b.Key), cmp.Compare(a.VersionID, b.VersionID))
	})
	return list, total, nil
}

// An objectHeap is a heap whose first object is the smallest.
type objectHeap []rollup.Object

func (h objectHeap) Len() int           { return len(h) }
func (h objectHeap) Less(i, j int) bool { return h[i].Size < h[j].Size }
func (h objectHeap) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *objectHeap) Push(x any)        { *h = append(*h, x.(rollup.Object)) }
func (h *objectHeap) Pop() any {
	old := *h
	last := old[len(old)-1]
	*h = old[:len(old)-1]
	return last
}
