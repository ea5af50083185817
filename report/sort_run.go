package report

import (
	"bytes"
	"container/heap"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/report/csvgz"
	"github.com/stocktake/stocktake/report/format"
)

// A sortedRun is a temporary file of rows in the order of their keys, a shard of
// CSV. Where the system allows that, the file has no name, so that nothing is left
// of it if the process is killed.
type sortedRun struct {
	f     *os.File
	named bool
	size  int64
}

// runBucket stands in the column Bucket of runs. The bucket is the same for all rows.
const runBucket = "sorted"

// Size implements [format.File].
func (r *sortedRun) Size() int64 { return r.size }

// Open implements [format.File].
func (r *sortedRun) Open(_ context.Context, offset, length int64) (io.ReadCloser, error) {
	if length < 0 {
		length = r.size - offset
	}
	return io.NopCloser(io.NewSectionReader(r.f, offset, length)), nil
}

// close removes the file.
func (r *sortedRun) close() error {
	err := r.f.Close()
	if r.named {
		err = errors.Join(err, os.Remove(r.f.Name()))
	}
	return err
}

func closeRuns(runs []*sortedRun) error {
	var errs []error
	for _, r := range runs {
		errs = append(errs, r.close())
	}
	return errors.Join(errs...)
}

// A runWriter writes a run.
type runWriter struct {
	run  *sortedRun
	enc  format.Encoder
	join format.Joiner
}

func newRunWriter(dir string, columns []stocktake.Field) (*runWriter, error) {
	enc, err := csvgz.Format.NewEncoder(runBucket, columns)
	if err != nil {
		return nil, err
	}
	join, err := csvgz.Format.NewJoiner(runBucket, columns)
	if err != nil {
		return nil, err
	}
	f, err := os.CreateTemp(dir, "stocktake-sort-*")
	if err != nil {
		return nil, err
	}
	named := os.Remove(f.Name()) != nil // then close removes it
	w := &runWriter{run: &sortedRun{f: f, named: named}, enc: enc, join: join}
	if err := join.Begin(f); err != nil {
		return nil, errors.Join(err, w.run.close())
	}
	enc.Reset(f)
	return w, nil
}

func (w *runWriter) add(batch []stocktake.Record) error {
	_, err := w.enc.Encode(batch)
	return err
}

// end ends the run. The caller closes it in any case.
func (w *runWriter) end() error {
	piece, err := w.enc.Close()
	if err == nil {
		err = w.join.Add(piece)
	}
	if err == nil {
		err = w.join.End()
	}
	if err != nil {
		return err
	}
	w.run.size, err = w.run.f.Seek(0, io.SeekEnd)
	return err
}

// A runCursor is a run that is read, at a row.
type runCursor struct {
	reader format.Reader
	row    *Row
	number int // of the run
}

// runHeap has the cursors, the one with the least key first.
type runHeap []*runCursor

func (h runHeap) Len() int { return len(h) }
func (h runHeap) Less(i, j int) bool {
	if c := bytes.Compare(h[i].row.Key, h[j].row.Key); c != 0 {
		return c < 0
	}
	return h[i].number < h[j].number
}
func (h runHeap) Swap(i, j int) { h[i], h[j] = h[j], h[i] }
func (h *runHeap) Push(x any)   { *h = append(*h, x.(*runCursor)) }

func (h *runHeap) Pop() any {
	last := (*h)[len(*h)-1]
	*h = (*h)[:len(*h)-1]
	return last
}

// merge yields the rows of runs in the order of their keys, and of the runs.
func merge(ctx context.Context, runs []*sortedRun, columns []stocktake.Field, keys KeyRange) iter.Seq2[*Row, error] {
	return func(yield func(*Row, error) bool) {
		var h runHeap
		defer func() {
			for _, c := range h {
				_ = c.reader.Close() // nothing was written
			}
		}()
		for i, run := range runs {
			c := &runCursor{reader: csvgz.Format.NewReader(columns), number: i}
			if err := c.reader.Open(ctx, run, format.Place{}); err != nil {
				yield(nil, fmt.Errorf("read a sorted part: %w", err))
				return
			}
			h = append(h, c)
		}
		// Move each to its first row; a run has one.
		for _, c := range h {
			if err := c.next(); err != nil {
				yield(nil, err)
				return
			}
		}
		heap.Init(&h)
		for n := 0; len(h) > 0; n++ {
			if n%4096 == 0 && ctx.Err() != nil {
				yield(nil, ctx.Err())
				return
			}
			c := h[0]
			if keys.Contains(c.row.Key) {
				c.row.Bucket = nil
				c.row.SetValues(nil)
				if !yield(c.row, nil) {
					return
				}
			} else if len(keys.To) > 0 && bytes.Compare(c.row.Key, keys.To) >= 0 {
				return
			}
			switch err := c.next(); {
			case errors.Is(err, io.EOF):
				heap.Pop(&h)
				_ = c.reader.Close()
			case err != nil:
				yield(nil, err)
				return
			default:
				heap.Fix(&h, 0)
			}
		}
	}
}

// next moves to the next row; io.EOF after the last.
func (c *runCursor) next() (err error) {
	if c.row, err = c.reader.Next(); err != nil && err != io.EOF {
		err = fmt.Errorf("read a sorted part: %w", err)
	}
	return err
}
