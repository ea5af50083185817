package store

import (
	"context"
	"fmt"

	"github.com/cockroachdb/pebble/v2"
	"github.com/stocktake/stocktake/internal/object"
)

// maxPage is the most entries and common prefixes of a page.
const maxPage = 1000

// List implements ossapi.Objects. It costs a seek for each common prefix and
// a step for each entry; what a common prefix stands for is not read.
func (s *Store) List(ctx context.Context, q object.ListQuery) (object.Listing, error) {
	b, err := s.bucket(q.Bucket)
	if err != nil {
		return object.Listing{}, err
	}
	bounds := appendEscaped(appendBucketHead(nil, spaceVersions, b.id), q.Prefix)
	it, err := s.db.NewIter(&pebble.IterOptions{LowerBound: bounds, UpperBound: after(bounds)})
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
	last *row // the last entry, nil if a common prefix came last
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
		if !l.q.Versions && len(value) >= hotLen && value[hotFlags]&flagDeleteMarker != 0 {
			ok = l.it.NextPrefix()
			continue
		}
		r, err := decodeRow(l.it.Key(), value)
		if err != nil {
			return err
		}
		if len(l.page.Entries)+len(l.page.CommonPrefixes) == l.q.Max {
			l.truncate(&r)
			return nil
		}
		switch group, grouped := group(r.info.Key, l.q.Prefix, l.q.Delimiter); {
		case grouped:
			l.page.CommonPrefixes = append(l.page.CommonPrefixes, group)
			l.page.NextAfter, l.last = group, nil
			ok = l.it.SeekGE(l.afterGroup(group))
		case l.q.Versions:
			if err := l.entry(&r); err != nil {
				return err
			}
			ok = l.it.Next()
		default:
			l.page.Entries = append(l.page.Entries, r.publish(l.versioned, true))
			l.page.NextAfter, l.last = r.info.Key, &r
			ok = l.it.NextPrefix()
		}
	}
	if err := l.it.Error(); err != nil {
		return fmt.Errorf("index: %w", err)
	}
	l.page.NextAfter = ""
	return nil
}

// entry adds a version to a listing of versions.
func (l *lister) entry(r *row) error {
	var latest bool
	switch {
	case l.last != nil && l.last.info.Key == r.info.Key:
	case len(l.page.Entries) == 0 && l.q.AfterVersion != "" && l.q.After == r.info.Key:
		n, err := newest(l.s.db, l.b.id, r.info.Key)
		if err != nil {
			return err
		}
		latest = n != nil && n.seq == r.seq
	default:
		latest = true
	}
	l.page.Entries = append(l.page.Entries, r.publish(l.versioned, latest))
	l.page.NextAfter, l.last = r.info.Key, r
	return nil
}

// truncate ends the page before next.
func (l *lister) truncate(next *row) {
	l.page.Truncated = true
	if !l.q.Versions || l.last == nil {
		return
	}
	l.page.NextAfterVersion = object.NullVersion
	// An id made of the sequence number marks the place even if the null version
	// is gone when the next page is asked for.
	if !l.last.null || next.info.Key == l.last.info.Key {
		l.page.NextAfterVersion = versionID(l.last.seq)
	}
}

// start goes to the first row that may be on the page.
func (l *lister) start() (bool, error) {
	if l.q.After == "" {
		return l.it.First(), nil
	}
	// A common prefix that After lies in, or is, does not sort after it.
	if group, ok := group(l.q.After, l.q.Prefix, l.q.Delimiter); ok {
		return l.it.SeekGE(l.afterGroup(group)), nil
	}
	if l.q.Versions && l.q.AfterVersion != "" {
		seq, ok := parseVersionID(l.q.AfterVersion)
		if l.q.AfterVersion == object.NullVersion {
			r, _, err := null(l.s.db, l.b.id, l.q.After)
			if err != nil {
				return false, err
			}
			if ok = r != nil; ok {
				seq = r.seq
			}
		}
		if ok && seq > 0 {
			return l.it.SeekGE(appendVersionKey(nil, l.b.id, l.q.After, seq-1)), nil
		}
	}
	return l.it.SeekGE(appendAfterKey(nil, l.b.id, l.q.After)), nil
}

// afterGroup is the first index key after all those of a common prefix.
func (l *lister) afterGroup(group string) []byte {
	return after(appendEscaped(appendBucketHead(nil, spaceVersions, l.b.id), group))
}
