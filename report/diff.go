package report

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"runtime"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/ordered"
)

// A ChangeKind says how a row of one report relates to the other.
type ChangeKind uint8

// The kinds of changes.
const (
	Added   ChangeKind = iota + 1 // the second report alone has it
	Removed                       // the first report alone has it
	Changed                       // both have it, with different values
)

var changeNames = [...]string{"", "added", "removed", "changed"}

// String returns "added", "removed" or "changed".
func (k ChangeKind) String() string {
	if int(k) < len(changeNames) {
		return changeNames[k]
	}
	return "unknown"
}

// MarshalText returns String, for package encoding.
func (k ChangeKind) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// A Change is a difference of two reports: one version of a key, or one key if
// not both reports have versions. Its rows have values of the columns Key,
// VersionId, IsLatest, IsDeleteMarker and Size, as far as the reports have them,
// and of those that are compared.
type Change struct {
	Kind ChangeKind
	Old  *Row              // in the first report; nil: it is Added
	New  *Row              // in the second; nil: it is Removed
	What []stocktake.Field // if Changed: the columns whose values differ, in the order of the column table
}

// Key returns the object key.
func (c *Change) Key() []byte {
	if c.New != nil {
		return c.New.Key
	}
	return c.Old.Key
}

// DiffOptions configure [Diff]. The zero value compares everything.
type DiffOptions struct {
	Keys KeyRange // of the rows that are compared

	// Columns are those whose values are compared; nil: those of both reports,
	// except Bucket and the time of the last access, which reading changes. A column
	// that one of the reports does not have is an error.
	Columns []stocktake.Field

	Goroutines int // goroutines that read; 0: GOMAXPROCS

	// TempDir is where the rows of a report without a summary are sorted, in files of
	// about a quarter of their size as text; empty: os.TempDir.
	TempDir string
}

// A Comparison is the result of [Diff].
type Comparison struct {
	Columns []stocktake.Field // whose values were compared

	OldRows, NewRows int64 // rows that were compared, those of versions that do not count left out
	Same             int64 // rows of each report that the other has with the same values
	Added, Removed   int64
	Changed          int64

	AddedBytes   int64 // size of the objects that were added
	RemovedBytes int64 // of those that were removed
	GrownBytes   int64 // total growth of the changed ones; negative: shrunk
}

// Equal reports whether no change was found.
func (c *Comparison) Equal() bool { return c.Added == 0 && c.Removed == 0 && c.Changed == 0 }

// add adds the counts of o.
func (c *Comparison) add(o *Comparison) {
	c.OldRows += o.OldRows
	c.NewRows += o.NewRows
	c.Same += o.Same
	c.Added += o.Added
	c.Removed += o.Removed
	c.Changed += o.Changed
	c.AddedBytes += o.AddedBytes
	c.RemovedBytes += o.RemovedBytes
	c.GrownBytes += o.GrownBytes
}

// ErrDisorder reports rows that should ascend by key and do not.
var ErrDisorder = errors.New("the rows are not in the order of their keys")

// ErrIndex reports rows that are not where the summary says. [Verify] finds the
// details.
var ErrIndex = errors.New("the index in " + SummaryName + " does not match the rows")

// Rows are rows that [Diff] can compare: a [Report], or the listing of a bucket.
type Rows interface {
	// Source names the origin of the rows, for errors.
	Source() string

	// Has reports whether the rows have values of the column.
	Has(stocktake.Field) bool

	// Read yields rows of a range of keys, ascending by key. [Report.Read] is the
	// contract.
	Read(context.Context, Query) iter.Seq2[*Row, error]
}

// stored returns the report that rows are if they are read from its files; else nil.
func stored(rows Rows) *Report {
	if r, ok := rows.(*Report); ok && r.applied == nil {
		return r
	}
	return nil
}

// Source returns the key of the report's manifest.
func (r *Report) Source() string { return r.Key }

// Diff compares two reports, which may be of different buckets, stores and
// formats, and calls each with every change, in the order of the keys. The rows
// of a Change are valid until each returns. An error of each ends Diff and is
// returned.
//
// Versions are compared if both have them; otherwise the newest versions of the one that has.
// Memory does not grow with the reports. A key whose versions are in a very different order in both
// can cost much; more than 65,536 versions that wait for their counterpart are an error. Reports
// that OSS or S3 make may have their rows in any order, and are sorted before. For other reports,
// rows that do not ascend by key are ErrDisorder.
func Diff(ctx context.Context, before, after Rows, opts DiffOptions, each func(*Change) error) (_ *Comparison, err error) {
	d, err := newDiffer(before, after, opts)
	if err != nil {
		return nil, err
	}
	for _, side := range []*Rows{&d.before, &d.after} {
		if r, ok := (*side).(*Report); ok && !r.Ordered() {
			s, err := sortRows(ctx, r, Query{Keys: opts.Keys, Columns: d.needed()}, opts.TempDir)
			if err != nil {
				return nil, err
			}
			defer func() { err = errors.Join(err, s.close()) }()
			*side = s
		}
	}
	goroutines := opts.Goroutines
	if goroutines <= 0 {
		goroutines = runtime.GOMAXPROCS(0)
	}
	parts := d.parts(opts.Keys)
	all := Comparison{Columns: d.columns}
	err = ordered.Run(ctx, goroutines, len(parts), func(ctx context.Context, i int, emit func(*changes) error) error {
		inner := i < len(parts)-1 // it ends with a key of the pilot
		return d.compare(ctx, parts[i], inner, emit)
	}, func(found *changes) error {
		for i := range found.list {
			if err := each(&found.list[i]); err != nil {
				return err
			}
		}
		all.add(&found.counts)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &all, nil
}

// changes are some changes of one part, and in the last ones of it the counts of
// the part.
type changes struct {
	list   []Change
	counts Comparison
}

// A differ compares two reports part by part.
type differ struct {
	before, after Rows
	pilot         *Report // whose keys the parts end with; nil: there is one part
	columns       []stocktake.Field
	versions      bool // of the keys are compared
	texts         bool // rows may be compared as texts
}

func newDiffer(before, after Rows, opts DiffOptions) (*differ, error) {
	d := &differ{before: before, after: after}
	for _, side := range []Rows{before, after} {
		if r, ok := side.(*Report); ok {
			if err := r.isTable(); err != nil {
				return nil, err
			}
		}
		if !side.Has(stocktake.FieldKey) {
			return nil, fmt.Errorf("%s has no column %s", side.Source(), stocktake.FieldKey)
		}
	}
	d.versions = before.Has(stocktake.FieldVersionID) && after.Has(stocktake.FieldVersionID)
	for _, f := range opts.Columns {
		for _, side := range []Rows{before, after} {
			if !side.Has(f) {
				return nil, fmt.Errorf("%s has no column %s", side.Source(), f)
			}
		}
	}
	d.columns = comparedColumns(before, after, opts.Columns)
	a, b := stored(before), stored(after)
	switch {
	case a != nil && !a.Ordered() || b != nil && !b.Ordered():
		// Each part would read all of that report.
	case a != nil:
		d.pilot = a
	case b != nil:
		d.pilot = b
	}
	if a != nil && b != nil && d.pilot != nil {
		d.texts = a.Format == b.Format && a.Manifest.FileSchema == b.Manifest.FileSchema
	}
	return d, nil
}

// needed are the columns that are read.
func (d *differ) needed() []stocktake.Field {
	return append([]stocktake.Field{stocktake.FieldKey, stocktake.FieldVersionID, stocktake.FieldIsLatest, stocktake.FieldIsDeleteMarker, stocktake.FieldSize}, d.columns...)
}

// partRows is about how many rows of a report a part of its comparison has: so
// many that it costs little to find where the part begins in the other.
var partRows int64 = 1 << 19 // tests make it small

// parts cuts the comparison into ranges of keys.
func (d *differ) parts(keys KeyRange) []KeyRange {
	if d.pilot == nil {
		return []KeyRange{keys}
	}
	return d.pilot.SplitRange(keys, int(d.pilot.Summary.Matched/partRows)+1)
}
