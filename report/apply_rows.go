package report

import (
	"bytes"
	"context"
	"fmt"
	"iter"
	"slices"

	"github.com/stocktake/stocktake"
)

// rows yields the rows of the result, as [Report.Read] does.
func (a *Applied) rows(ctx context.Context, q Query) iter.Seq2[*Row, error] {
	return func(yield func(*Row, error) bool) {
		m := &applier{Applied: a, yield: yield}
		full, stop := iter.Pull2(a.full.Read(ctx, Query{Keys: q.Keys}))
		defer stop()
		m.full = full
		changes, err := a.sorter.open(q.Keys)
		if err == nil {
			defer changes.close()
			m.changes = changes
			err = m.run(ctx)
		}
		if err != nil {
			yield(nil, err)
		}
	}
}

// An applier goes through the rows and the changes of a range of keys.
type applier struct {
	*Applied
	full    func() (*Row, error, bool)
	changes *changeReader
	yield   func(*Row, error) bool

	row    *Row   // of the full report; nil: there is no other
	change *Row   // nil: there is no other
	group  []*Row // versions of the key that is being merged, the newest first
	key    []byte // of it
	n      int
}

// run merges. It returns nil when the caller stops reading.
func (m *applier) run(ctx context.Context) error {
	if err := m.nextRow(); err != nil {
		return err
	}
	if err := m.nextChange(); err != nil {
		return err
	}
	for m.row != nil || m.change != nil {
		if m.n++; m.n%4096 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		if m.change == nil || m.row != nil && bytes.Compare(m.row.Key, m.change.Key) < 0 {
			m.finish(m.row)
			if !m.yield(m.row, nil) {
				return nil
			}
			if err := m.nextRow(); err != nil {
				return err
			}
			continue
		}
		if more, err := m.mergeKey(); err != nil || !more {
			return err
		}
	}
	return nil
}

func (m *applier) nextRow() (err error) {
	var ok bool
	if m.row, err, ok = m.full(); !ok {
		m.row = nil
	}
	return err
}

func (m *applier) nextChange() (err error) {
	m.change, err = m.changes.next()
	return err
}

// mergeKey applies the changes of a key to its versions, and yields what remains.
func (m *applier) mergeKey() (more bool, err error) {
	m.key = append(m.key[:0], m.change.Key...)
	m.group = m.group[:0]
	for m.row != nil && bytes.Equal(m.row.Key, m.key) {
		m.group = append(m.group, m.row.Clone())
		if err := m.nextRow(); err != nil {
			return false, err
		}
	}
	for m.change != nil && bytes.Equal(m.change.Key, m.key) {
		if m.versions {
			if err := m.applyVersion(m.change); err != nil {
				return false, err
			}
		} else {
			m.applyCurrent(m.change)
		}
		if err := m.nextChange(); err != nil {
			return false, err
		}
	}
	for i, row := range m.group {
		row.IsLatest = i == 0 || !m.versions
		m.finish(row)
		if !m.yield(row, nil) {
			return false, nil
		}
	}
	return true, nil
}

// finish makes a row one of the result.
func (m *applier) finish(row *Row) {
	if m.versions && m.versioned && len(row.VersionID) == 0 {
		row.VersionID = []byte("null")
	}
}

// applyVersion applies a change to all versions of a key. A version that is created
// is the newest, also the null version, which replaces the one before. A version
// that is changed or removed must be there.
func (m *applier) applyVersion(c *Row) error {
	at := slices.IndexFunc(m.group, func(r *Row) bool { return sameVersion(r.VersionID, c.VersionID) })
	if at < 0 && (c.Change.RecordType == stocktake.RecordUpdateMetadata || c.Change.Permanent) {
		return fmt.Errorf("%w: change %d is of version %.80q of %.200q, which neither the full report nor a change before it has",
			ErrNotJoined, c.Change.Sequence, c.VersionID, c.Key)
	}
	if c.Change.RecordType == stocktake.RecordUpdateMetadata {
		m.group[at] = m.changed(c)
		return nil
	}
	if at >= 0 {
		m.group = slices.Delete(m.group, at, at+1)
	}
	if !c.Change.Permanent {
		m.group = slices.Insert(m.group, 0, m.changed(c))
	}
	return nil
}

// applyCurrent applies a change to the current version of a key. The report has at
// most one row of the key: none if the filter leaves it out.
func (m *applier) applyCurrent(c *Row) {
	m.group = m.group[:0]
	if c.Change.RecordType == stocktake.RecordDelete {
		return
	}
	row := m.changed(c)
	row.IsLatest = true
	if m.match == nil || m.match.Match(&row.Record) {
		m.group = append(m.group, row)
	}
}

// changed returns the row of the state after a change.
func (m *applier) changed(c *Row) *Row {
	row := c.Clone()
	row.Change = stocktake.Change{}
	return row
}
