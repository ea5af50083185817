package engine

import (
	"context"

	"github.com/stocktake/stocktake/internal/tracing"
)

// traced calls scan in a span.
func (w *worker) traced(ctx context.Context, slice Slice, c *cursor) (SliceResult, error) {
	ctx, span := tracing.Start(ctx, "slice")
	result, err := w.scan(ctx, slice, c)
	describe(span, []SliceResult{result})
	span.End(err)
	return result, err
}

// describe adds the results of slices to a span; a nil span is not traced.
func describe(span *tracing.Span, results []SliceResult) {
	if span == nil {
		return
	}
	var listed, shards int64
	for i := range results {
		listed += results[i].Listed
		shards += int64(len(results[i].Files))
	}
	span.SetInt("stocktake.listed", listed)
	span.SetInt("stocktake.shards", shards)
}
