package store

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/cockroachdb/pebble/v2"
	"github.com/stocktake/stocktake/internal/object"
	"github.com/stocktake/stocktake/internal/store/layout"
)

// maxPage is the maximum number of entries and common prefixes in a page.
const maxPage = 1000

// List implements ossapi.Objects. It costs a seek for each common prefix and a step
// for each entry; the keys below a common prefix are not read.
func (s *Store) List(ctx context.Context, q object.ListQuery) (object.Listing, error) {
	b, err := s.bucket(q.Bucket)
	if err != nil {
		return object.Listing{}, err
	}
	bounds := layout.AppendEscaped(layout.AppendBucketHead(nil, layout.SpaceVersions, b.id), q.Prefix)
	it, err := s.db.NewIter(&pebble.IterOptions{LowerBound: bounds, UpperBound: layout.After(bounds)})
	if err != nil {
		return object.Listing{}, fmt.Errorf("index: %w", err)
	}
	defer it.Close()
	l := lister{s: s, b: b, q: &q, it: it, versioned: b.state.Load().Versioning != object.Unversioned}
	q.Max = min(max(q.Max, 1), maxPage)
	if err := l.run(ctx); err != nil {
		return object.Listing{}, err
	}
	return l.page, nil
}

// lister makes one page.
type lister struct {
	s         *Store
	b         *bucket
	q         *object.ListQuery
	it        *pebble.Iterator
	versioned bool

	page object.Listing
	row  layout.Row // at the iterator
	last place
}

// place is the position of the last entry; zero if it was a common prefix, or if there was none.
type place struct {
	key  string
	seq  uint64
	null bool
}

func (l *lister) run(ctx context.Context) error {
	ok, err := l.start()
	if err != nil {
		return err
	}
	for steps := 0; ok; steps++ {
		if steps%1024 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		value, err := l.it.ValueAndErr()
		if err != nil {
			return fmt.Errorf("index: %w", err)
		}
		if !l.q.Versions && len(value) >= layout.HotLen && value[layout.HotFlags]&layout.FlagDeleteMarker != 0 {
			ok = l.it.NextPrefix()
			continue
		}
		r := &l.row
		if err := layout.DecodeRowInto(r, l.it.Key(), value, layout.ListedItems); err != nil {
			return err
		}
		if len(l.page.Entries)+len(l.page.CommonPrefixes) == l.q.Max {
			l.truncate()
			return nil
		}
		if group, grouped := commonPrefix(r.Info.Key, l.q.Prefix, l.q.Delimiter); grouped {
			l.page.CommonPrefixes = append(l.page.CommonPrefixes, group)
			l.page.NextAfter, l.last = group, place{}
			ok = l.it.SeekGE(l.afterGroup(group))
			continue
		}
		latest := true
		if l.q.Versions {
			if latest, err = l.isLatest(); err != nil {
				return err
			}
		}
		r.Info.VersionID, r.Info.IsLatest = r.VersionID(l.versioned), latest
		if len(l.page.Entries) == 32 { // the page will probably be full
			l.page.Entries = slices.Grow(l.page.Entries, l.q.Max-32)
		}
		l.page.Entries = append(l.page.Entries, r.Info)
		l.page.NextAfter, l.last = r.Info.Key, place{r.Info.Key, r.Seq, r.Null}
		if l.q.Versions {
			ok = l.it.Next()
		} else {
			ok = l.it.NextPrefix()
		}
	}
	if err := l.it.Error(); err != nil {
		return fmt.Errorf("index: %w", err)
	}
	l.page.NextAfter = ""
	return nil
}

// isLatest reports whether the row is the newest version of its key, in a
// listing of versions.
func (l *lister) isLatest() (bool, error) {
	key := l.row.Info.Key
	if l.last.key == key {
		return false, nil
	}
	if len(l.page.Entries) > 0 || l.q.AfterVersion == "" || l.q.After != key {
		return true, nil
	}
	// The page begins between versions of a key.
	n, err := newest(l.s.db, l.b.id, key)
	return n != nil && n.Seq == l.row.Seq, err
}

// truncate ends the page before the row.
func (l *lister) truncate() {
	l.page.Truncated = true
	if !l.q.Versions || l.last.key == "" {
		return
	}
	l.page.NextAfterVersion = object.NullVersion
	// An id derived from the sequence number marks the place even if the null version is removed
	// before the next page is requested.
	if !l.last.null || l.row.Info.Key == l.last.key {
		l.page.NextAfterVersion = layout.VersionID(l.last.seq)
	}
}

// start moves to the first row that may be on the page.
func (l *lister) start() (bool, error) {
	if l.q.After == "" {
		return l.it.First(), nil
	}
	// A common prefix that contains After, or equals it, does not sort after it.
	if group, ok := commonPrefix(l.q.After, l.q.Prefix, l.q.Delimiter); ok {
		return l.it.SeekGE(l.afterGroup(group)), nil
	}
	if l.q.Versions && l.q.AfterVersion != "" {
		seq, ok := layout.ParseVersionID(l.q.AfterVersion)
		if l.q.AfterVersion == object.NullVersion {
			r, _, err := findNull(l.s.db, l.b.id, l.q.After)
			if err != nil {
				return false, err
			}
			if ok = r != nil; ok {
				seq = r.Seq
			}
		}
		if ok && seq > 0 {
			return l.it.SeekGE(layout.AppendVersionKey(nil, l.b.id, l.q.After, seq-1)), nil
		}
	}
	return l.it.SeekGE(layout.AppendAfterKey(nil, l.b.id, l.q.After)), nil
}

// afterGroup returns the first index key after all those of a common prefix.
func (l *lister) afterGroup(group string) []byte {
	return layout.After(layout.AppendEscaped(layout.AppendBucketHead(nil, layout.SpaceVersions, l.b.id), group))
}

// commonPrefix returns what key is rolled up into.
func commonPrefix(key, prefix, delimiter string) (string, bool) {
	rest, ok := strings.CutPrefix(key, prefix)
	if !ok || delimiter == "" {
		return "", false
	}
	i := strings.Index(rest, delimiter)
	if i < 0 {
		return "", false
	}
	return key[:len(prefix)+i+len(delimiter)], true
}
