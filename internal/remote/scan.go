package remote

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/url"
	"sort"
	"strings"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/engine"
	"github.com/stocktake/stocktake/internal/listpage"
)

// Scan implements [engine.Snapshot]. A batch is a page.
func (sn *snapshot) Scan(ctx context.Context, seg engine.Segment, versions bool, yield func([]stocktake.Record) error) error {
	return sn.Pages(ctx, seg, versions, func(batch []stocktake.Record, _ bool) error { return yield(batch) })
}

// Pages implements [engine.PagedSnapshot].
func (sn *snapshot) Pages(ctx context.Context, seg engine.Segment, versions bool, yield func(batch []stocktake.Record, more bool) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if seg.From > seg.Prefix && !strings.HasPrefix(seg.From, seg.Prefix) {
		return nil // the segment begins after all keys with the prefix
	}
	l := &lister{s: sn.s, bucket: sn.bucket, buffers: &sn.buffers}
	defer l.release()
	sc := scan{lister: l, seg: seg, versions: versions && sn.versioned}
	if seg.From > seg.Prefix {
		sc.marker = markerBefore(seg.From)
	}
	if seg.After != "" {
		if !sc.versions {
			return fmt.Errorf("%w: %q %q: the bucket has no versions", engine.ErrCursorGone, seg.From, seg.After)
		}
		sc.skipping = true
	}
	for {
		if err := sc.next(ctx); err != nil {
			return err
		}
		records, end, err := sc.records()
		if err = errors.Join(err, ctx.Err()); err != nil {
			return err
		}
		if len(records) > 0 {
			if err := yield(records, !end); err != nil {
				return err
			}
		}
		if end {
			return nil
		}
		l.release()
	}
}

// A scan requests the pages of a segment. It continues after the last row that it
// has seen, not at the marker that the service returns, because these markers
// differ in form and in meaning between services.
//
// In a listing of versions each page begins with the first version of the last key,
// and the scan skips the versions that it has seen. Only for a key with very many
// versions does it continue after a version: versitygw 1.8 then loses and repeats
// rows if there are a null version or delete markers.
type scan struct {
	*lister
	seg      engine.Segment
	versions bool
	skipping bool // seg.After has not been found yet

	marker, version string // of the next request
	lastVersion     string // of the last row seen

	last  []byte              // key of the last row seen
	seen  listpage.VersionSet // versions of last that have been seen; if inKey, on the last page
	inKey bool                // last has very many versions
}

// manyVersions is the most versions of a key that are listed again for the next
// page.
const manyVersions = 500

// next requests the next page.
func (sc *scan) next(ctx context.Context) error {
	query := url.Values{"encoding-type": {"url"}, "max-keys": {sc.s.pageSize}}
	if sc.seg.Prefix != "" {
		query.Set("prefix", sc.seg.Prefix)
	}
	marker := "start-after"
	if sc.versions {
		query.Set("versions", "")
		marker = "key-marker"
	} else {
		query.Set("list-type", "2")
	}
	if sc.marker != "" {
		query.Set(marker, sc.marker)
	}
	if sc.version != "" {
		query.Set("version-id-marker", sc.version)
	}
	return sc.get(ctx, query, sc.marker, sc.check)
}

// check reports errors in a page that is well-formed.
func (sc *scan) check() error {
	if sc.page.Versions != sc.versions {
		return errors.New("it is a listing of another kind")
	}
	n := len(sc.page.Records)
	if !sc.versions && sc.page.Truncated && (n == 0 || bytes.Compare(sc.page.Records[n-1].Key, sc.last) <= 0) {
		return fmt.Errorf("%w: %w after key %.200q", errBroken, errStuck, sc.marker)
	}
	// The rows are in order: if the first and the last are under the prefix, all are.
	if n > 0 {
		for _, i := range []int{0, n - 1} {
			if key := sc.page.Records[i].Key; !strings.HasPrefix(string(key), sc.seg.Prefix) {
				return fmt.Errorf("%w: the key %.200q is not under %.200q", errBroken, key, sc.seg.Prefix)
			}
		}
	}
	return nil
}

// records returns the rows of the page that are in the segment and have not been
// seen, and moves the marker past them. end says that the segment has no more.
func (sc *scan) records() (records []stocktake.Record, end bool, err error) {
	records = sc.unseen(sc.page.Records)
	if !sc.s.types {
		withoutTypes(records)
	}
	end = !sc.page.Truncated
	switch {
	case len(records) > 0:
		sc.remember(records)
	case end:
	case sc.versions && sc.last != nil && !sc.inKey:
		sc.continueInKey(sc.lastVersion) // the page has only versions that have been seen
	default:
		return nil, true, fmt.Errorf("list %s: %w after key %.200q", sc.bucket, &UnansweredError{errStuck}, sc.marker)
	}
	from := func(key string) int {
		return sort.Search(len(records), func(i int) bool { return string(records[i].Key) >= key })
	}
	records = records[from(sc.seg.From):]
	if sc.seg.To != "" {
		if n := from(sc.seg.To); n < len(records) {
			records, end = records[:n], true
		}
	}
	if sc.skipping {
		if records, err = sc.skip(records, end); err != nil {
			return nil, true, err
		}
	}
	return records, end, nil
}

// withoutTypes drops the types in listings, except Appendable: all other types
// would be guesses.
func withoutTypes(records []stocktake.Record) {
	for i := range records {
		if r := &records[i]; r.Type != stocktake.Appendable && !r.IsDeleteMarker {
			r.Type = stocktake.Normal
			r.Missing |= stocktake.MissingType
		}
	}
}

// skip drops the versions of the first key up to seg.After.
func (sc *scan) skip(records []stocktake.Record, end bool) ([]stocktake.Record, error) {
	for i := range records {
		if string(records[i].Key) != sc.seg.From {
			end = true
			break
		}
		if string(records[i].VersionID) == sc.seg.After {
			sc.skipping = false
			return records[i+1:], nil
		}
	}
	if end {
		return nil, fmt.Errorf("%w: %q %q", engine.ErrCursorGone, sc.seg.From, sc.seg.After)
	}
	return nil, nil
}

// unseen drops the rows before the last key, and the versions of that key that have
// been seen.
func (sc *scan) unseen(records []stocktake.Record) []stocktake.Record {
	if sc.last == nil {
		return records
	}
	for len(records) > 0 && bytes.Compare(records[0].Key, sc.last) < 0 {
		records = records[1:]
	}
	kept, n := 0, 0 // rows of the last key
	for ; n < len(records) && bytes.Equal(records[n].Key, sc.last); n++ {
		if sc.versions && !sc.seen.Has(records[n].VersionID) {
			records[kept] = records[n]
			kept++
		}
	}
	return append(records[:kept], records[n:]...)
}

// remember moves the marker past the last row.
func (sc *scan) remember(records []stocktake.Record) {
	last := &records[len(records)-1]
	again := bytes.Equal(sc.last, last.Key)
	sc.last = append(sc.last[:0], last.Key...)
	if !sc.versions {
		sc.marker = string(last.Key)
		return
	}
	if !again {
		sc.inKey = false
	}
	if !again || sc.inKey {
		sc.seen.Clear()
	}
	first := len(records) - 1
	for first > 0 && bytes.Equal(records[first-1].Key, sc.last) {
		first--
	}
	for i := first; i < len(records); i++ {
		sc.seen.Add(records[i].VersionID)
	}
	sc.marker, sc.version = markerBefore(string(last.Key)), ""
	if sc.inKey || sc.seen.Len() > manyVersions {
		sc.continueInKey(string(last.VersionID))
	}
	sc.lastVersion = string(last.VersionID)
}

// continueInKey continues after a version of the last key.
func (sc *scan) continueInKey(version string) {
	sc.inKey = true
	sc.marker, sc.version = string(sc.last), version
}

var errStuck = errors.New("the listing does not advance")
