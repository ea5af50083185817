package lifecycle

import (
	"context"
	"time"

	"github.com/stocktake/stocktake/internal/object"
)

// versions processes the versions under a prefix, page by page.
func (p *pass) versions(ctx context.Context, prefix string, rules *Rules) error {
	q := object.ListQuery{Bucket: p.done.Bucket, Prefix: prefix, Max: p.page, Versions: true}
	look := looker{store: p.store, bucket: p.done.Bucket, rules: rules, untagged: rules.untagged(), now: p.now}
	for {
		if err := p.inForce(ctx); err != nil {
			return err
		}
		page, err := p.store.List(ctx, q)
		if err != nil {
			return err
		}
		if err := look.page(ctx, &page); err != nil {
			return err
		}
		p.done.Listed += int64(len(page.Entries))
		p.done.Changed += look.changed
		if err := p.perform(ctx, rules, look.acts); err != nil || !page.Truncated {
			return err
		}
		q.After, q.AfterVersion = page.NextAfter, page.NextAfterVersion
		p.progress()
	}
}

// A looker decides on the versions of a listing, one at a time.
type looker struct {
	store    Store
	bucket   string
	rules    *Rules
	untagged *Rules // nil: no rule has tags
	now      time.Time

	acts    []act // of the page
	changed int64 // of the page: versions that were gone when their tags were read

	// last is the previous entry. waits means that it is a delete marker whose
	// decision waits until it is known whether it is alone.
	last  object.Info
	waits bool
}

// page processes the next page.
func (l *looker) page(ctx context.Context, page *object.Listing) error {
	l.acts, l.changed = l.acts[:0], 0
	for i := range page.Entries {
		if err := l.entry(ctx, &page.Entries[i]); err != nil {
			return err
		}
	}
	if l.waits && !page.Truncated {
		l.waits = false
		return l.decide(ctx, &l.last, Situation{Now: l.now, Alone: true})
	}
	return nil
}

func (l *looker) entry(ctx context.Context, v *object.Info) error {
	same := l.last.Key == v.Key && v.Key != ""
	if l.waits {
		if err := l.decide(ctx, &l.last, Situation{Now: l.now, Alone: !same}); err != nil {
			return err
		}
	}
	s := Situation{Now: l.now}
	if same {
		s.Replaced = l.last.LastModified
	}
	l.last = *v
	l.waits = v.IsLatest && v.IsDeleteMarker
	if l.waits || !v.IsLatest && !same { // its successor was removed between two pages: skip it now
		return nil
	}
	return l.decide(ctx, v, s)
}

// decide decides on a version. A listing has no tags. decide reads them only if the
// decision depends on them.
func (l *looker) decide(ctx context.Context, v *object.Info, s Situation) error {
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
		l.acts = append(l.acts, act{*v, s, a})
	}
	return nil
}
