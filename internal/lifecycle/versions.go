package lifecycle

import (
	"context"
	"time"

	"github.com/stocktake/stocktake/internal/object"
)

// versions processes the versions under a prefix, page by page.
func (p *pass) versions(ctx context.Context, prefix string, rules *Rules) error {
	q := object.ListQuery{Bucket: p.done.Bucket, Prefix: prefix, Max: p.page, Versions: true}
	scan := versionScan{store: p.store, bucket: p.done.Bucket, rules: rules, untagged: rules.untagged(), now: p.now}
	for {
		if err := p.checkRules(ctx); err != nil {
			return err
		}
		page, err := p.store.List(ctx, q)
		if err != nil {
			return err
		}
		if err := scan.page(ctx, &page); err != nil {
			return err
		}
		p.done.Listed += int64(len(page.Entries))
		p.done.Changed += scan.changed
		if err := p.perform(ctx, rules, scan.actions); err != nil || !page.Truncated {
			return err
		}
		q.After, q.AfterVersion = page.NextAfter, page.NextAfterVersion
		p.progress()
	}
}

// A versionScan decides on the versions of a listing, one at a time.
type versionScan struct {
	store    Store
	bucket   string
	rules    *Rules
	untagged *Rules // nil: no rule has tags
	now      time.Time

	actions []plannedAction // of the page
	changed int64           // of the page: versions that were gone when their tags were read

	// last is the previous entry. waits means that it is a delete marker whose
	// decision waits until it is known whether it is alone.
	last    object.Info
	pending bool
}

// page processes the next page.
func (l *versionScan) page(ctx context.Context, page *object.Listing) error {
	l.actions, l.changed = l.actions[:0], 0
	for i := range page.Entries {
		if err := l.entry(ctx, &page.Entries[i]); err != nil {
			return err
		}
	}
	if l.pending && !page.Truncated {
		l.pending = false
		return l.decide(ctx, &l.last, Situation{Now: l.now, Alone: true})
	}
	return nil
}

func (l *versionScan) entry(ctx context.Context, v *object.Info) error {
	same := l.last.Key == v.Key && v.Key != ""
	if l.pending {
		if err := l.decide(ctx, &l.last, Situation{Now: l.now, Alone: !same}); err != nil {
			return err
		}
	}
	s := Situation{Now: l.now}
	if same {
		s.Replaced = l.last.LastModified
	}
	l.last = *v
	l.pending = v.IsLatest && v.IsDeleteMarker
	if l.pending || !v.IsLatest && !same { // its successor was removed between two pages: skip it now
		return nil
	}
	return l.decide(ctx, v, s)
}

// decide decides on a version. A listing has no tags. decide reads them only if the
// decision depends on them.
func (l *versionScan) decide(ctx context.Context, v *object.Info, s Situation) error {
	if l.untagged != nil && !v.IsDeleteMarker {
		if l.untagged.Decide(v, s).Kind == Keep {
			return nil
		}
		full, err := l.store.Head(ctx, object.Version{Bucket: l.bucket, Key: v.Key, ID: v.VersionID})
		switch {
		case isChanged(err), err == nil && !sameVersion(&full, v):
			l.changed++
			return nil
		case err != nil:
			return err
		}
		v = &full
	}
	if a := l.rules.Decide(v, s); a.Kind != Keep {
		l.actions = append(l.actions, plannedAction{*v, s, a})
	}
	return nil
}
