package engine

import (
	"bytes"
	"context"
	"slices"

	"github.com/stocktake/stocktake"
)

// An Availability says where the values of a column come from.
type Availability uint8

// The availabilities.
const (
	Listed      Availability = iota // records have it as they are scanned
	Fetched                         // one request per object returns them
	Unavailable                     // the store does not have them
)

// A DetailedSnapshot is a Snapshot of a store whose listing lacks columns.
// Record.Missing of its records names these columns. For records that match, a run
// fetches those that its reports have.
type DetailedSnapshot interface {
	Snapshot

	// Availability returns where the values of a column of full reports come from. A
	// column that is Fetched may become Unavailable while Fetch is called.
	Availability(f stocktake.Field) Availability

	// Fetch sets the missing values of the given columns in the records of a batch
	// for which wanted returns true. It makes many requests at once, and returns when
	// none is left. A value stays missing if the store can never provide it, for
	// example because the object was deleted meanwhile. Errors: why the store cannot
	// answer, or ctx.Err().
	Fetch(ctx context.Context, batch []stocktake.Record, columns []stocktake.Field, wanted func(i int) bool) error
}

// Costs are the requests that the columns of a report need in addition to the
// listing.
type Costs struct {
	Unavailable []stocktake.Field // the store cannot tell them: they are empty
	Fetched     []stocktake.Field // requests about each object tell them
	PerObject   int               // requests about each object

	PerSecond   float64 // requests that the limits of the store allow in a second; 0: any number
	Concurrency int     // requests that they allow at once
}

// details are the columns of one report that the listing of its source lacks. The
// zero value is for a source whose listing has all columns.
type details struct {
	snap    DetailedSnapshot
	columns []stocktake.Field // that are fetched
	asked   []stocktake.Field // all of the report
}

func newDetails(snap Snapshot, columns []stocktake.Field) (d details) {
	detailed, ok := snap.(DetailedSnapshot)
	if !ok {
		return details{}
	}
	d.snap, d.asked = detailed, columns
	for _, f := range columns {
		if detailed.Availability(f) == Fetched {
			d.columns = append(d.columns, f)
		}
	}
	return d
}

// fetch sets the missing values of records of a batch.
func (d *details) fetch(ctx context.Context, batch []stocktake.Record, wanted func(i int) bool) error {
	if len(d.columns) == 0 {
		return nil
	}
	return d.snap.Fetch(ctx, batch, d.columns, wanted)
}

// Doubts say where a report lacks values or may show wrong keys. The zero value is a
// report of a store whose listing has all columns.
type Doubts struct {
	// Unavailable are the columns that the store cannot provide. They are empty.
	Unavailable []stocktake.Field `json:",omitempty"`

	// Incomplete is how many rows lack a value of another column, because the store
	// did not return it for this object.
	Incomplete int64 `json:",omitempty"`

	// Suspect is how many rows have a key with the character U+FFFD: stores list it
	// in place of characters that XML cannot express.
	Suspect int64 `json:",omitempty"`
}

func (d *Doubts) merge(o Doubts) {
	d.Incomplete += o.Incomplete
	d.Suspect += o.Suspect
	for _, f := range o.Unavailable {
		if !slices.Contains(d.Unavailable, f) {
			d.Unavailable = append(d.Unavailable, f)
		}
	}
}

// doubts returns the doubts about some rows of a report; none if the listing of the
// source has all columns.
func (d *details) doubts(records []stocktake.Record) (o Doubts) {
	if d.snap == nil {
		return o
	}
	var expected stocktake.Missing
	for _, f := range d.columns {
		if d.snap.Availability(f) == Fetched {
			expected |= stocktake.MissingOf(f)
		}
	}
	for i := range records {
		r := &records[i]
		if r.Missing&expected != 0 && !r.IsDeleteMarker {
			o.Incomplete++
		}
		if bytes.IndexByte(r.Key, replacement[0]) >= 0 && bytes.Contains(r.Key, replacement) {
			o.Suspect++
		}
	}
	return o
}

var replacement = []byte("\uFFFD")

// unavailable returns the columns of the report that the store cannot provide.
func (d *details) unavailable() (fields []stocktake.Field) {
	for _, f := range d.asked {
		if d.snap.Availability(f) == Unavailable {
			fields = append(fields, f)
		}
	}
	return fields
}
