package engine_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/engine"
	"github.com/stocktake/stocktake/internal/membucket"
	"github.com/stocktake/stocktake/report"
)

// A detailedSource is a far source whose listing lacks columns: it returns tags and
// encryption on request, and never ACLs. For each hundredth object it returns none of
// these.
type detailedSource struct {
	*farSource
	asked  atomic.Int64
	broken bool // requests fail
}

func (f *detailedSource) Snapshot(ctx context.Context, bucket string) (engine.Snapshot, error) {
	snap, err := f.farSource.Snapshot(ctx, bucket)
	return detailedSnapshot{snap.(farSnapshot), f}, err
}

type detailedSnapshot struct {
	farSnapshot
	source *detailedSource
}

func (s detailedSnapshot) Pages(ctx context.Context, seg engine.Segment, versions bool, yield func([]stocktake.Record, bool) error) error {
	return s.farSnapshot.Pages(ctx, seg, versions, func(batch []stocktake.Record, more bool) error {
		for i := range batch {
			batch[i].Missing = stocktake.MissingACL | stocktake.MissingTags | stocktake.MissingEncryption
		}
		return yield(batch, more)
	})
}

func (s detailedSnapshot) Scan(ctx context.Context, seg engine.Segment, versions bool, yield func([]stocktake.Record) error) error {
	return s.Pages(ctx, seg, versions, func(batch []stocktake.Record, _ bool) error { return yield(batch) })
}

func (detailedSnapshot) Availability(f stocktake.Field) engine.Availability {
	switch f {
	case stocktake.FieldTaggingCount, stocktake.FieldEncryptionStatus:
		return engine.Fetched
	case stocktake.FieldObjectACL, stocktake.FieldCRC64:
		return engine.Unavailable
	}
	return engine.Listed
}

// tagsOf returns the number of tags that the store has for a key.
func tagsOf(key []byte) uint16 { return uint16(len(key))%7 + 1 }

func untold(key []byte) bool { return strings.HasSuffix(string(key), "00") }

func (s detailedSnapshot) Fetch(ctx context.Context, batch []stocktake.Record, columns []stocktake.Field, wanted func(int) bool) error {
	if s.source.broken {
		return errBoom
	}
	for i := range batch {
		r := &batch[i]
		for _, f := range columns {
			if m := stocktake.MissingOf(f); r.Missing&m == 0 || r.IsDeleteMarker || !wanted(i) || untold(r.Key) {
				continue
			}
			s.source.asked.Add(1)
			r.Missing &^= stocktake.MissingOf(f)
			r.TaggingCount, r.Encrypted = tagsOf(r.Key), true
		}
	}
	return ctx.Err()
}

// A report has the columns that take a request per object, requested only for matching
// rows; its summary names the empty ones. This holds for scans of pages, for seeded
// runs, which scan segments, and for runs that share a listing.
func TestDetails(t *testing.T) {
	for _, way := range []string{"pages", "seed", "together"} {
		synctest.Test(t, func(t *testing.T) {
			far, job := newFar(t, "skewed", 2000)
			f := &detailedSource{farSource: far}
			job.Configuration.IncludedObjectVersions = stocktake.CurrentVersions
			job.Configuration.Filter.Prefix = "main/data/"
			job.Configuration.OptionalFields = []stocktake.Field{
				stocktake.FieldTaggingCount, stocktake.FieldObjectACL, stocktake.FieldEncryptionStatus, stocktake.FieldCRC64, stocktake.FieldSize,
			}
			dst := membucket.New(nil, "reports").Bucket("reports")
			var result engine.Result
			var err error
			switch way {
			case "seed":
				job.Seed = "s"
				fallthrough
			case "pages":
				result, err = engine.Run(t.Context(), f, dst, job, small)
			default:
				other := job
				other.Run, other.Configuration.ID, other.Configuration.Filter.Prefix = "other", "other", "main/data/3"
				outcomes := engine.RunTogether(t.Context(), f, []engine.Member{{Destination: dst, Job: job, Options: small}, {Destination: dst, Job: other, Options: small}})
				result, err = outcomes[0].Result, errors.Join(outcomes[0].Err, outcomes[1].Err)
				if n := outcomes[1].Result.Summary.Incomplete; n == 0 || n > result.Summary.Incomplete {
					t.Errorf("%s: %d rows of the other are incomplete", way, n)
				}
			}
			if err != nil {
				t.Fatalf("%s: %v", way, err)
			}
			rows, empty := int64(0), int64(0)
			rep, err := report.Open(t.Context(), dst, result.Manifest)
			if err != nil {
				t.Fatal(err)
			}
			for row, err := range rep.Rows(t.Context()) {
				if err != nil {
					t.Fatal(err)
				}
				rows++
				var got []string
				for _, v := range row.Values()[2:6] {
					got = append(got, string(v))
				}
				want := []string{fmt.Sprint(tagsOf(row.Key)), "", "true", ""}
				if untold(row.Key) {
					empty++
					want = []string{"", "", "", ""}
				}
				if !slices.Equal(got, want) {
					t.Fatalf("%s: %s has %q, want %q", way, row.Key, got, want)
				}
			}
			s := &result.Summary
			if rows == 0 || empty == 0 || s.Incomplete != empty || !slices.Equal(s.Unavailable, []string{"ObjectAcl", "Crc64"}) || s.SuspectKeys != 0 {
				t.Errorf("%s: %d rows, %d of them incomplete; the summary says %d, %q unavailable, %d suspect", way, rows, empty, s.Incomplete, s.Unavailable, s.SuspectKeys)
			}
			if asked := f.asked.Load(); asked != 2*(rows-empty) {
				t.Errorf("%s: %d requests for %d rows", way, asked, rows-empty)
			}
			if v, err := report.Verify(t.Context(), dst, result.Manifest, report.VerifyOptions{}); err != nil || !v.OK {
				t.Errorf("%s: %+v, %v", way, v, err)
			}
		})
	}
}

// A store that does not answer about objects fails the run.
func TestDetailsFail(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		far, job := newFar(t, "flat", 500)
		job.Configuration.OptionalFields = []stocktake.Field{stocktake.FieldTaggingCount}
		dst := membucket.New(nil, "reports").Bucket("reports")
		if _, err := engine.Run(t.Context(), &detailedSource{farSource: far, broken: true}, dst, job, small); !errors.Is(err, errBoom) {
			t.Errorf("error %v", err)
		}
		checkNothing(t, dst)
	})
}

// Keys that a store may have listed with replacement characters count as suspect.
func TestSuspectKeys(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		far, job := newFar(t, "flat", 500)
		f := &replacingSource{detailedSource{farSource: far}}
		dst := membucket.New(nil, "reports").Bucket("reports")
		result, err := engine.Run(t.Context(), f, dst, job, small)
		if err != nil || result.Summary.SuspectKeys != 1 {
			t.Errorf("%d keys are suspect, %v", result.Summary.SuspectKeys, err)
		}
	})
}

// A replacingSource has U+FFFD in its last key, and characters with the same first
// bytes in others.
type replacingSource struct{ detailedSource }

func (f *replacingSource) Snapshot(ctx context.Context, bucket string) (engine.Snapshot, error) {
	snap, err := f.farSource.Snapshot(ctx, bucket)
	return replacingSnapshot{detailedSnapshot{snap.(farSnapshot), &f.detailedSource}}, err
}

type replacingSnapshot struct{ detailedSnapshot }

func (s replacingSnapshot) Pages(ctx context.Context, seg engine.Segment, versions bool, yield func([]stocktake.Record, bool) error) error {
	return s.detailedSnapshot.Pages(ctx, seg, versions, func(batch []stocktake.Record, more bool) error {
		if last := &batch[len(batch)-1]; string(last.Key) == string(s.AppendKey(nil, s.Rows-1)) {
			last.Key = append(slices.Clone(last.Key), "\uFFFE\uFFFD"...)
		}
		return yield(batch, more)
	})
}
