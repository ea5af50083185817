package report

import (
	"bytes"
	"context"
	"fmt"

	"github.com/stocktake/stocktake"
)

// changesBatch is how many changes one goroutine hands to another at once.
const changesBatch = 256

// A comparer compares the rows of one range.
type comparer struct {
	*differ
	keys     KeyRange
	old, new *side
	found    *changes
	emit     func(*changes) error
	counts   Comparison

	texts  bool
	border []byte // how the text of the first row of the pilot behind the range begins
}

// compare compares the rows of keys. With inner, the pilot has a row with the key
// keys.To, which is how the end of the range is found where rows are compared as
// texts: the order of texts is not that of keys.
func (d *differ) compare(ctx context.Context, keys KeyRange, inner bool, emit func(*changes) error) error {
	c := &comparer{differ: d, keys: keys, emit: emit, found: &changes{}}
	has := func(r Rows) bool { return r.Has(stocktake.FieldVersionID) }
	c.old = newSide(ctx, d.before, keys, d.needed(), !d.versions && has(d.before), &c.counts.OldRows)
	defer c.old.stop()
	c.new = newSide(ctx, d.after, keys, d.needed(), !d.versions && has(d.after), &c.counts.NewRows)
	defer c.new.stop()
	c.texts = d.texts && c.old.scan.texts != nil && (inner || len(keys.To) == 0)
	c.border = append(AppendKey([]byte{'"'}, keys.To), '"')
	if err := c.old.next(ctx); err != nil {
		return err
	}
	if err := c.new.next(ctx); err != nil {
		return err
	}
	for !c.old.end || !c.new.end {
		if err := c.step(ctx); err != nil {
			return err
		}
	}
	if inner && !c.arrived() {
		return fmt.Errorf("%s: %w", d.pilot.sibling(SummaryName), ErrIndex)
	}
	c.found.counts = c.counts
	return emit(c.found)
}

// arrived reports whether the pilot has the row that the range ends with.
func (c *comparer) arrived() bool {
	s := c.new
	if c.before == Rows(c.pilot) {
		s = c.old
	}
	return bytes.Equal(s.scan.first, c.keys.To)
}

// step compares the current rows and moves at least one side on.
func (c *comparer) step(ctx context.Context) error {
	if c.old.text != nil && c.new.text != nil && bytes.Equal(c.old.text, c.new.text) {
		return c.sameText(ctx)
	}
	if err := c.old.decode(); err != nil {
		return err
	}
	if err := c.new.decode(); err != nil {
		return err
	}
	var order int
	switch {
	case c.old.end && c.new.end:
		return nil
	case c.old.end:
		order = 1
	case c.new.end:
		order = -1
	default:
		order = bytes.Compare(c.old.row.Key, c.new.row.Key)
	}
	switch {
	case order < 0:
		if err := c.report(Removed, c.old.row, nil); err != nil {
			return err
		}
		return c.old.next(ctx)
	case order > 0:
		if err := c.report(Added, nil, c.new.row); err != nil {
			return err
		}
		return c.new.next(ctx)
	case c.versions && !bytes.Equal(c.old.row.VersionID, c.new.row.VersionID):
		return c.group(ctx)
	}
	if err := c.pair(c.old.row, c.new.row); err != nil {
		return err
	}
	return c.move(ctx)
}

// sameText counts two rows with the same text, unless they are the first ones
// behind the range.
func (c *comparer) sameText(ctx context.Context) error {
	if len(c.keys.To) > 0 && bytes.HasPrefix(c.old.text, c.border) {
		c.old.leave(c.keys.To)
		c.new.leave(c.keys.To)
		return nil
	}
	c.counts.Same++
	return c.move(ctx)
}

// move moves both sides on.
func (c *comparer) move(ctx context.Context) error {
	if !c.texts {
		if err := c.old.next(ctx); err != nil {
			return err
		}
		return c.new.next(ctx)
	}
	if err := c.old.nextText(ctx); err != nil {
		return err
	}
	return c.new.nextText(ctx)
}

// pair compares two rows of the same version.
func (c *comparer) pair(old, new *Row) error {
	what := differing(&old.Record, &new.Record, c.columns)
	if len(what) == 0 {
		c.counts.Same++
		return nil
	}
	c.counts.Changed++
	c.counts.GrownBytes += new.Size - old.Size
	return c.add(Change{Kind: Changed, Old: old.Clone(), New: new.Clone(), What: what})
}

// report notes that only one side has a row.
func (c *comparer) report(kind ChangeKind, old, new *Row) error {
	if kind == Added {
		c.counts.Added++
		c.counts.AddedBytes += new.Size
		return c.add(Change{Kind: kind, New: new.Clone()})
	}
	c.counts.Removed++
	c.counts.RemovedBytes += old.Size
	return c.add(Change{Kind: kind, Old: old.Clone()})
}

func (c *comparer) add(change Change) error {
	c.found.list = append(c.found.list, change)
	if len(c.found.list) < changesBatch {
		return nil
	}
	full := c.found
	c.found = &changes{}
	return c.emit(full)
}

// maxWaiting is how many versions of one key may wait for their counterparts. Each takes less than
// 1 KiB of memory.
var maxWaiting = 1 << 19

// group compares the versions of one key whose order differs: each is kept until the other side
// reaches it or has no more versions of the key.
func (c *comparer) group(ctx context.Context) error {
	key := bytes.Clone(c.old.row.Key)
	var old, new waiting
	in := func(s *side) bool { return !s.end && bytes.Equal(s.row.Key, key) }
	for in(c.old) || in(c.new) {
		if in(c.old) {
			switch match := new.take(c.old.row.VersionID); {
			case match != nil:
				if err := c.pair(c.old.row, match); err != nil {
					return err
				}
			case in(c.new):
				old.put(c.old.row)
			default:
				if err := c.report(Removed, c.old.row, nil); err != nil {
					return err
				}
			}
			if err := c.old.next(ctx); err != nil {
				return err
			}
		}
		if in(c.new) {
			switch match := old.take(c.new.row.VersionID); {
			case match != nil:
				if err := c.pair(match, c.new.row); err != nil {
					return err
				}
			case in(c.old):
				new.put(c.new.row)
			default:
				if err := c.report(Added, nil, c.new.row); err != nil {
					return err
				}
			}
			if err := c.new.next(ctx); err != nil {
				return err
			}
		}
		// What waits for a side that has no more versions of the key has no counterpart.
		if !in(c.new) {
			if err := c.removed(&old); err != nil {
				return err
			}
		}
		if !in(c.old) {
			if err := c.added(&new); err != nil {
				return err
			}
		}
		if len(old.byVersion)+len(new.byVersion) > maxWaiting {
			return fmt.Errorf("key %.200q: too many of its versions differ between %s and %s: more than %d are in only one of them or in another order",
				key, c.before.Source(), c.after.Source(), maxWaiting)
		}
	}
	return nil
}

// removed reports waiting versions of the old side as removed.
func (c *comparer) removed(old *waiting) error {
	for _, row := range old.rest() {
		if err := c.report(Removed, row, nil); err != nil {
			return err
		}
	}
	*old = waiting{}
	return nil
}

// added reports waiting versions of the new side as added.
func (c *comparer) added(new *waiting) error {
	for _, row := range new.rest() {
		if err := c.report(Added, nil, row); err != nil {
			return err
		}
	}
	*new = waiting{}
	return nil
}

// waiting are versions whose counterparts have not been seen.
type waiting struct {
	byVersion map[string]*Row
	order     []*Row
}

func (w *waiting) put(row *Row) {
	if w.byVersion == nil {
		w.byVersion = map[string]*Row{}
	}
	row = row.Clone()
	w.byVersion[string(row.VersionID)] = row
	w.order = append(w.order, row)
}

func (w *waiting) take(version []byte) *Row {
	row := w.byVersion[string(version)]
	delete(w.byVersion, string(version))
	return row
}

// rest returns the remaining ones, in their order.
func (w *waiting) rest() (rows []*Row) {
	for _, row := range w.order {
		if w.byVersion[string(row.VersionID)] == row {
			rows = append(rows, row)
		}
	}
	return rows
}
