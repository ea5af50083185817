package lifecycle

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/object"
)

// A Pass is what one pass through a bucket has done.
type Pass struct {
	Bucket string

	Listed        int64 // versions and delete markers looked at
	Transitioned  int64
	Expired       int64 // current versions deleted
	Removed       int64 // noncurrent versions and delete markers
	ListedUploads int64
	Aborted       int64 // uploads

	// Changed is how many had become another version, or had gone, between the
	// decision and the deed, and were left alone.
	Changed int64
	Failed  int64 // could not be changed; the next pass tries again
}

// Acts is how much was changed.
func (p *Pass) Acts() int64 { return p.Transitioned + p.Expired + p.Removed + p.Aborted }

// LogValue implements slog.LogValuer.
func (p Pass) LogValue() slog.Value {
	attrs := []slog.Attr{slog.String("bucket", p.Bucket), slog.Int64("listed", p.Listed)}
	for _, n := range []struct {
		name string
		n    int64
	}{
		{"transitioned", p.Transitioned},
		{"expired", p.Expired},
		{"removed", p.Removed},
		{"uploads", p.ListedUploads},
		{"aborted", p.Aborted},
		{"changed", p.Changed},
		{"failed", p.Failed},
	} {
		if n.n > 0 {
			attrs = append(attrs, slog.Int64(n.name, n.n))
		}
	}
	return slog.GroupValue(attrs...)
}

// A pass is a Pass that goes.
type pass struct {
	*Worker
	now    time.Time // the instant that it decides by
	logged time.Time // when its progress was logged last, in time that really passes
	pace   pace

	mu    sync.Mutex // guards what follows; changes are made by several goroutines
	done  Pass
	first error // of the changes that failed
}

// An act is an action and what it is done to.
type act struct {
	version   object.Info
	situation Situation
	action    Action
}

// errChanged ends a change of what has become something else, or is no longer
// to be changed.
var errChanged = errors.New("the version has changed since it was looked at")

// run carries out the rules of a bucket.
func (p *pass) run(ctx context.Context, rules *Rules) error {
	for _, prefix := range rules.prefixes() {
		if some := rules.within(prefix, aboutVersions); !some.Empty() {
			if err := p.versions(ctx, prefix, some); err != nil {
				return fmt.Errorf("versions under %q: %w", prefix, err)
			}
		}
		if some := rules.within(prefix, aboutUploads); !some.Empty() {
			if err := p.uploads(ctx, prefix, some); err != nil {
				return fmt.Errorf("uploads under %q: %w", prefix, err)
			}
		}
	}
	return p.first
}

// versions goes through the versions under a prefix, page by page.
func (p *pass) versions(ctx context.Context, prefix string, rules *Rules) error {
	q := object.ListQuery{Bucket: p.done.Bucket, Prefix: prefix, Max: p.page, Versions: true}
	look := looker{rules: rules, now: p.now}
	for {
		page, err := p.store.List(ctx, q)
		if err != nil {
			return err
		}
		p.done.Listed += int64(len(page.Entries))
		for i := range page.Entries {
			look.at(&page.Entries[i])
		}
		if !page.Truncated {
			look.end()
		}
		if err := p.perform(ctx, rules, look.acts); err != nil || !page.Truncated {
			return err
		}
		look.acts = look.acts[:0]
		q.After, q.AfterVersion = page.NextAfter, page.NextAfterVersion
		p.progress()
	}
}

// A looker decides on the versions of a listing, one after the other.
type looker struct {
	rules *Rules
	now   time.Time
	acts  []act

	// last is the entry before. waits: it is a delete marker, not decided on before
	// it is known whether it is alone.
	last  object.Info
	waits bool
}

// at takes the next entry.
func (l *looker) at(v *object.Info) {
	same := l.last.Key == v.Key && v.Key != ""
	if l.waits {
		l.decide(&l.last, Situation{Now: l.now, Alone: !same})
	}
	s := Situation{Now: l.now}
	if same {
		s.Replaced = l.last.LastModified
	}
	l.last = *v
	if l.waits = v.IsLatest && v.IsDeleteMarker; !l.waits && (v.IsLatest || same) {
		l.decide(v, s)
	}
}

// end says that there are no more entries.
func (l *looker) end() {
	if l.waits {
		l.decide(&l.last, Situation{Now: l.now, Alone: true})
	}
	l.waits = false
}

func (l *looker) decide(v *object.Info, s Situation) {
	if a := l.rules.Decide(v, s); a.Kind != Keep {
		l.acts = append(l.acts, act{*v, s, a})
	}
}

// perform does acts, several at once so that they share what the store waits
// for. Its error ends the pass; others are counted.
func (p *pass) perform(ctx context.Context, rules *Rules, acts []act) error {
	g, all := errgroup.WithContext(ctx)
	g.SetLimit(p.opts.Parallel)
	for i := range acts {
		if p.pace.wait(all) != nil {
			break // ctx has ended, or an act has ended the pass
		}
		g.Go(func() error { return p.one(all, rules, &acts[i]) })
	}
	if err := g.Wait(); err != nil {
		return err
	}
	return ctx.Err()
}

// one does an act if what it was decided on is still so.
func (p *pass) one(ctx context.Context, rules *Rules, a *act) error {
	v := object.Version{Bucket: p.done.Bucket, Key: a.version.Key, ID: a.version.VersionID}
	check := func(now *object.Info) error {
		if now.VersionID != a.version.VersionID || now.IsLatest != a.version.IsLatest ||
			now.IsDeleteMarker != a.version.IsDeleteMarker || !now.LastModified.Equal(a.version.LastModified) ||
			rules.Decide(now, a.situation) != a.action {
			return errChanged
		}
		return nil
	}
	var err error
	switch a.action.Kind {
	case Transition:
		_, err = p.store.UpdateObject(ctx, v, func(now *object.Info) error {
			if err := check(now); err != nil {
				return err
			}
			now.StorageClass = a.action.Class
			if frozen(a.action.Class) {
				now.TransitionTime = p.clock.Now()
			}
			return nil
		})
	case Expire:
		v.ID = ""
		fallthrough
	case Remove:
		_, err = p.store.DeleteIf(ctx, v, func(now object.Info) error { return check(&now) })
	}
	return p.count(a, err)
}

// count tells how an act has ended. Its error ends the pass.
func (p *pass) count(a *act, err error) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case err == nil:
		switch a.action.Kind {
		case Transition:
			p.done.Transitioned++
		case Expire:
			p.done.Expired++
		case Remove:
			p.done.Removed++
		}
		p.log.Debug("lifecycle", "action", a.action.Kind, "rule", a.action.Rule, "bucket", p.done.Bucket,
			"key", a.version.Key, "version", a.version.VersionID)
	case errors.Is(err, errChanged), errors.Is(err, object.ErrNoSuchKey), errors.Is(err, object.ErrNoSuchVersion),
		errors.Is(err, object.ErrMethodNotAllowed):
		p.done.Changed++
	case errors.Is(err, stocktake.ErrNoSuchBucket), errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return err
	default:
		p.failed(fmt.Errorf("%s %q: %w", a.action.Kind, a.version.Key, err))
	}
	return nil
}

// failed counts a change that failed. The caller holds p.mu.
func (p *pass) failed(err error) {
	p.done.Failed++
	if p.first == nil {
		p.first = err
	}
	if p.done.Failed <= maxLogged {
		p.log.Warn("lifecycle action failed; the next pass tries again", "bucket", p.done.Bucket, "err", err)
	}
}

// Bounds on what a pass logs.
const (
	maxLogged     = 10 // failures, one by one; the sum is logged at the end
	progressEvery = 30 * time.Second
)

func (p *pass) progress() {
	if now := time.Now(); now.Sub(p.logged) >= progressEvery {
		p.logged = now
		p.log.Info("lifecycle pass goes on", "pass", p.done)
	}
}
