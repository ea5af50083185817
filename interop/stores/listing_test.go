package stores_test

import (
	"cmp"
	"context"
	"fmt"
	"math/rand/v2"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/engine"
	"github.com/stocktake/stocktake/internal/engine/sourcetest"
)

// A row is what two listings of a version can be compared by.
type row struct {
	key, version   string
	latest, marker bool
	size, modified int64
	etag           string
}

// list lists all versions with the SDK: one page, as the markers of further pages
// are what servers get wrong.
func (s *server) list(ctx context.Context, bucket string) ([]row, error) {
	in := &s3.ListObjectVersionsInput{Bucket: &bucket, MaxKeys: aws.Int32(1000)}
	decode := func(key string) (string, error) { return key, nil }
	if s.encodes {
		in.EncodingType, decode = types.EncodingTypeUrl, url.QueryUnescape
	}
	out, err := s.api.ListObjectVersions(ctx, in)
	if err != nil {
		return nil, err
	}
	if aws.ToBool(out.IsTruncated) {
		return nil, fmt.Errorf("%s has more versions than a page", bucket)
	}
	var rows []row
	for _, v := range out.Versions {
		key, err := decode(aws.ToString(v.Key))
		if err != nil {
			return nil, err
		}
		rows = append(rows, row{
			key: key, version: aws.ToString(v.VersionId), latest: aws.ToBool(v.IsLatest),
			size: aws.ToInt64(v.Size), modified: v.LastModified.Unix(), etag: strings.Trim(aws.ToString(v.ETag), `"`),
		})
	}
	for _, m := range out.DeleteMarkers {
		key, err := decode(aws.ToString(m.Key))
		if err != nil {
			return nil, err
		}
		rows = append(rows, row{key: key, version: aws.ToString(m.VersionId), latest: aws.ToBool(m.IsLatest), marker: true, modified: m.LastModified.Unix()})
	}
	return rows, nil
}

// scan lists versions with the adapter.
func scan(t *testing.T, snap engine.Snapshot, seg engine.Segment, versions bool) (rows []row) {
	t.Helper()
	err := snap.Scan(t.Context(), seg, versions, func(batch []stocktake.Record) error {
		for i := range batch {
			r := row{
				key: string(batch[i].Key), version: string(batch[i].VersionID), latest: batch[i].IsLatest, marker: batch[i].IsDeleteMarker,
				size: batch[i].Size, modified: batch[i].LastModified,
			}
			if !r.marker {
				r.etag = batch[i].ETag.String()
			}
			rows = append(rows, r)
		}
		return nil
	})
	if err != nil {
		t.Fatalf("scan %+v: %v", seg, err)
	}
	return rows
}

// testRandomBucket: hostile keys and many versions, put at random, are listed as the
// SDK lists them, whatever the size of pages and wherever ranges are cut.
func testRandomBucket(t *testing.T, s *server) {
	b := &contractBucket{t, s, s.newBucket(t)}
	rng := rand.New(rand.NewPCG(12, 1))
	var all []string
	for _, key := range sourcetest.HostileKeys {
		if len(key) < 200 && !s.keys.refuses(key) { // 20 rows of 1,000 bytes show nothing more
			all = append(all, key)
		}
	}
	b.SetVersioning(true)
	var ids []row
	for range 700 {
		key := all[rng.IntN(len(all))]
		switch n := rng.IntN(20); {
		case n == 0:
			b.SetVersioning(rng.IntN(2) == 0)
		case n < 4:
			b.Delete(key)
		case n == 4 && len(ids) > 0:
			i := rng.IntN(len(ids))
			b.DeleteVersion(ids[i].key, ids[i].version)
			ids = slices.Delete(ids, i, i+1) // versitygw refuses to delete what is gone
		default:
			if id := b.Put(sourcetest.Object{Key: key, Body: strings.Repeat("x", rng.IntN(9))}); id != "" && id != "null" { // another null version may replace it
				ids = append(ids, row{key: key, version: id})
			}
		}
	}
	want, err := s.list(t.Context(), b.name)
	if err != nil {
		t.Fatal(err)
	}
	byVersion := func(a, b row) int { return cmp.Or(cmp.Compare(a.key, b.key), cmp.Compare(a.version, b.version)) }
	slices.SortFunc(want, byVersion)
	current := slices.DeleteFunc(slices.Clone(want), func(r row) bool { return !r.latest || r.marker })
	for i := range current {
		current[i].version = "" // the listing does not tell
	}
	cuts := []string{"", "a", "a\"", "a\xff", "b", "\xf0", ""}
	for _, pageSize := range []int{s.pageSize, 1000} {
		snap, err := s.open(t, pageSize).Source().Snapshot(t.Context(), b.name)
		if err != nil {
			t.Fatal(err)
		}
		for versions, want := range map[bool][]row{true: want, false: current} {
			var pieces []row
			for i := range len(cuts) - 1 {
				pieces = append(pieces, scan(t, snap, engine.Segment{From: cuts[i], To: cuts[i+1]}, versions)...)
			}
			for name, got := range map[string][]row{"whole": scan(t, snap, engine.Segment{}, versions), "in ranges": pieces} {
				if !slices.IsSortedFunc(got, func(a, b row) int { return cmp.Compare(a.key, b.key) }) {
					t.Errorf("page size %d, %s: the keys are out of order", pageSize, name)
				}
				for i := 1; i < len(got); i++ { // the latest version first, then by age
					if a, b := got[i-1], got[i]; !s.unordered && a.key == b.key && (b.latest || a.modified < b.modified) {
						t.Errorf("page size %d, %s: of %q, %s comes before %s", pageSize, name, a.key, a.version, b.version)
					}
				}
				slices.SortFunc(got, byVersion)
				if !slices.Equal(got, want) {
					t.Errorf("page size %d, %s, versions %v: %d rows, want %d: %v", pageSize, name, versions, len(got), len(want), differences(got, want))
				}
			}
		}
		if err := snap.Close(); err != nil {
			t.Error(err)
		}
	}
}

// differences returns some rows that only one of two listings has.
func differences(got, want []row) (d []string) {
	for _, side := range []struct {
		sign        string
		rows, other []row
	}{{"-", want, got}, {"+", got, want}} {
		for _, r := range side.rows {
			if !slices.Contains(side.other, r) && len(d) < 10 {
				d = append(d, fmt.Sprintf("%s%+v", side.sign, r))
			}
		}
	}
	return d
}
