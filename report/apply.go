package report

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/stocktake/stocktake"
)

// ApplyOptions tune [Apply]. The zero value suits a command line.
type ApplyOptions struct {
	// Memory bounds the changes that are sorted in memory, in bytes, about; more are
	// sorted in files. 0: 64 MiB.
	Memory int64

	Folder string // of the files; empty: that of the system for temporary files
}

// Errors of [Apply], which say more. [Convert], [Diff] and [AddUp] also return
// ErrNotApplicable: for a report of changes, which is not a table.
var (
	ErrNotJoined     = errors.New("the reports do not join")
	ErrLost          = errors.New("changes are lost")
	ErrNotApplicable = errors.New("the reports lack what apply needs")
)

// isTable returns ErrNotApplicable for a report of changes.
func (r *Report) isTable() error {
	if !r.Incremental() {
		return nil
	}
	return fmt.Errorf("%s: %w: it is a report of changes; apply it to a full report first", r.Key, ErrNotApplicable)
}

// Apply applies incremental reports to a full report of the same configuration. The result is the
// table at the end of the last window, with the columns of the full report that the windows also
// have; see [Applied.Dropped]. Its rows are merged as they are read, in the order of their keys.
// Memory is bounded by ApplyOptions.Memory and by the versions of one key that has changed. The
// caller closes it.
//
// Windows may be given in any order; those that end before the full report are skipped. Without any
// other window the result is the full report. Errors: ErrNotJoined if a window is missing, or does
// not belong to the report; ErrLost if a window states a gap; ErrNotApplicable if the full report has no
// position of the journal, or a column is missing.
//
// Source: spec inventory-report.md, sections 5.5a and 5.6.
func Apply(ctx context.Context, full *Report, windows []*Report, opts ApplyOptions) (*Applied, error) {
	a := &Applied{full: full, sorter: changeSorter{limit: cmp.Or(opts.Memory, 64<<20), folder: opts.Folder}}
	err := a.check(windows)
	if err == nil {
		err = a.read(ctx)
	}
	if err != nil {
		return nil, errors.Join(err, a.Close())
	}
	return a, nil
}

// An Applied is a full report with windows applied.
type Applied struct {
	full    *Report
	windows []*Report // the needed ones, in order
	columns []stocktake.Field
	dropped []stocktake.Field

	versions  bool               // the report has rows of all versions
	versioned bool               // the bucket has, or had, versioning at the end
	match     *stocktake.Matcher // of the current versions; nil: all
	sorter    changeSorter
}

// Dropped returns the columns of the full report that the windows, and so the result, do not have.
func (a *Applied) Dropped() []stocktake.Field { return a.dropped }

// Windows returns how many windows come after the full report; 0: the result is the
// full report.
func (a *Applied) Windows() int { return len(a.windows) }

// Close removes the files that changes were sorted in.
func (a *Applied) Close() error { return a.sorter.close() }

// check finds the needed windows and checks that none is missing.
func (a *Applied) check(windows []*Report) error {
	full := a.full
	switch s := full.Summary; {
	case full.Incremental():
		return fmt.Errorf("%s: %w: it is a report of changes; name a full report first", full.Key, ErrNotApplicable)
	case s == nil || s.Journal == nil || s.Filter == nil:
		return fmt.Errorf("%s: %w: it does not say where the journal of the bucket stood: it was made before the configuration had incremental reports, or by another program", full.Key, ErrNotApplicable)
	case !full.Has(stocktake.FieldKey):
		return fmt.Errorf("%s: %w: it has no column Key", full.Key, ErrNotApplicable)
	}
	if err := a.join(windows); err != nil {
		return err
	}
	if len(a.windows) == 0 {
		a.columns = full.Columns
		return nil
	}
	a.versions = full.Has(stocktake.FieldVersionID)
	if err := a.checkColumns(a.windows[0]); err != nil {
		return err
	}
	for _, f := range full.Columns {
		switch {
		case f == 0:
		case f == stocktake.FieldBucket || f == stocktake.FieldKey || f == stocktake.FieldIsLatest || a.windows[0].Has(f):
			a.columns = append(a.columns, f)
		default:
			a.dropped = append(a.dropped, f)
		}
	}
	return nil
}

// join puts the windows that are needed in order.
func (a *Applied) join(windows []*Report) error {
	s := a.full.Summary
	from := *s.Journal
	for _, w := range windows {
		switch {
		case !w.Incremental():
			return fmt.Errorf("%s: %w: it is a full report; apply takes only one, the first", w.Key, ErrNotApplicable)
		case w.Summary == nil || w.Summary.Window == nil:
			return fmt.Errorf("%s: %w: it has no summary that says which changes it has", w.Key, ErrNotApplicable)
		case w.Summary.Bucket != s.Bucket || w.Summary.Configuration != s.Configuration:
			return fmt.Errorf("%s: %w: it is of configuration %s of bucket %s, the full report of %s of %s", w.Key, ErrNotJoined,
				w.Summary.Configuration, w.Summary.Bucket, s.Configuration, s.Bucket)
		}
		if w.Summary.Window.Until.Sequence > from.Sequence {
			a.windows = append(a.windows, w)
		}
	}
	if len(a.windows) == 0 {
		return nil
	}
	// Places name their reports differently, so the key only breaks ties.
	slices.SortFunc(a.windows, func(x, y *Report) int {
		v, w := x.Summary.Window, y.Summary.Window
		return cmp.Or(cmp.Compare(v.Until.Sequence, w.Until.Sequence), cmp.Compare(v.After.Sequence, w.After.Sequence),
			cmp.Compare(v.Until.Time, w.Until.Time), cmp.Compare(x.Key, y.Key))
	})
	a.windows = slices.CompactFunc(a.windows, func(x, y *Report) bool {
		return x.Key == y.Key || x.Summary.Run == y.Summary.Run && *x.Summary.Window == *y.Summary.Window
	})
	first := a.windows[0]
	if sub := first.Summary.Window.Subscribed; from.Sequence < sub.Sequence || from.Time < sub.Time {
		return fmt.Errorf("%s: %w: the configuration of the windows was put after the full report was made", a.full.Key, ErrNotJoined)
	}
	if first.Summary.Window.After.Sequence > from.Sequence {
		return fmt.Errorf("%w: a window is missing before %s: the full report has the changes up to %d, the window those after %d", ErrNotJoined,
			first.Key, from.Sequence, first.Summary.Window.After.Sequence)
	}
	for i, w := range a.windows {
		for _, g := range w.Manifest.Gaps {
			if g.Until > from.Sequence {
				return fmt.Errorf("%s: %w: after %d up to %d, the journal was full; begin with a later full report", w.Key, ErrLost, g.After, g.Until)
			}
		}
		if i == 0 {
			continue
		}
		before := a.windows[i-1]
		switch {
		case w.Summary.Window.Subscribed != before.Summary.Window.Subscribed:
			return fmt.Errorf("%s: %w: the configuration was put again after %s", w.Key, ErrNotJoined, before.Key)
		case w.Summary.Window.After.Sequence != before.Summary.Window.Until.Sequence:
			return fmt.Errorf("%w: a window is missing between %s, which ends at %d, and %s, which begins after %d", ErrNotJoined,
				before.Key, before.Summary.Window.Until.Sequence, w.Key, w.Summary.Window.After.Sequence)
		case w.Manifest.FileSchema != before.Manifest.FileSchema:
			return fmt.Errorf("%s: %w: its columns are not those of %s", w.Key, ErrNotJoined, before.Key)
		}
	}
	return nil
}

// checkColumns checks that the windows have the columns that are needed.
func (a *Applied) checkColumns(w *Report) error {
	needed := []stocktake.Field{stocktake.FieldKey, stocktake.FieldSequenceNumber, stocktake.FieldRecordType}
	if a.versions {
		needed = append(needed, stocktake.FieldVersionID, stocktake.FieldIsDeleteMarker)
	}
	for _, f := range needed {
		if !w.Has(f) {
			return fmt.Errorf("%s: %w: the windows lack the column %s", w.Key, ErrNotApplicable, f)
		}
	}
	filter := *a.full.Summary.Filter
	filtered := false
	for _, c := range []struct {
		used   bool
		name   string
		column stocktake.Field
	}{
		{len(filter.StorageClass) > 0, "storage class", stocktake.FieldStorageClass},
		{filter.LowerSizeBound > 0 || filter.UpperSizeBound > 0, "size", stocktake.FieldSize},
		{filter.LastModifyBeginTimeStamp > 0 || filter.LastModifyEndTimeStamp > 0, "time of modification", stocktake.FieldLastModifiedDate},
	} {
		if !c.used {
			continue
		}
		filtered = true
		if !w.Has(c.column) {
			return fmt.Errorf("%s: %w: the configuration filters by %s, and the windows lack the column %s", w.Key, ErrNotApplicable, c.name, c.column)
		}
		if a.versions {
			return fmt.Errorf("%s: %w: the configuration filters versions by %s: the latest version is unknown without the versions that the filter leaves out", w.Key, ErrNotApplicable, c.name)
		}
	}
	if filtered {
		a.match = new(stocktake.NewMatcher(filter, false))
	}
	return nil
}

// read sorts the changes.
func (a *Applied) read(ctx context.Context) error {
	if len(a.windows) == 0 {
		return nil
	}
	w := a.windows[0]
	columns := slices.DeleteFunc(slices.Clone(w.Columns), func(f stocktake.Field) bool { return f == 0 })
	if err := a.sorter.begin(w.Manifest.SourceBucket, columns); err != nil {
		return err
	}
	from := a.full.Summary.Journal.Sequence
	for _, w := range a.windows {
		for row, err := range w.Rows(ctx) {
			if err != nil {
				return err
			}
			if row.Change.Sequence <= from {
				continue
			}
			a.versioned = a.versioned || len(row.VersionID) > 0
			if err := a.sorter.add(&stocktake.ChangedRecord{Change: row.Change, Record: row.Record}); err != nil {
				return err
			}
		}
	}
	return a.sorter.sort()
}

// Report returns the result as a report: it can be read, converted, added up and
// compared, but has no files, unless it is the full report. It is valid until Close.
func (a *Applied) Report() *Report {
	if len(a.windows) == 0 {
		return a.full
	}
	last := a.windows[len(a.windows)-1]
	end := last.Summary.Window.Until
	r := *a.full
	r.applied = a
	r.Columns, r.names = a.columns, nil
	for _, f := range a.columns {
		r.names = append(r.names, f.Column().SchemaName)
	}
	r.Manifest.CreationTimestamp = last.Manifest.EndTimestamp
	r.Manifest.FileSchema = r.Format.Schema(a.columns)
	r.Manifest.Files = nil
	s := *a.full.Summary
	s.Start = time.Unix(last.Manifest.EndTimestamp, 0).UTC()
	s.End, s.Journal, s.Rollup, s.Files = s.Start, &end, nil, nil
	s.Matched, s.Bytes, s.Classes = 0, 0, nil // not known before the rows are read
	r.Summary = &s
	return &r
}

// sameVersion reports whether two ids are of one version. An object that was there
// before the bucket had versioning has no id, and is "null" from then on.
func sameVersion(a, b []byte) bool {
	return bytes.Equal(a, b) || isNull(a) && isNull(b)
}

func isNull(id []byte) bool { return len(id) == 0 || string(id) == "null" }
