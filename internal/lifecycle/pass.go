package lifecycle

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/object"
)

// A Pass is the counts of one pass through a bucket.
type Pass struct {
	Bucket string

	Listed        int64 // versions and delete markers looked at
	Transitioned  int64
	Expired       int64 // current versions deleted
	Removed       int64 // noncurrent versions and delete markers
	ListedUploads int64
	Aborted       int64 // uploads

	// Changed counts versions that were not acted on because they were replaced or removed after
	// the decision.
	Changed int64
	Failed  int64 // failed changes; the next pass tries again
}

// Actions counts the changes.
func (p *Pass) Actions() int64 { return p.Transitioned + p.Expired + p.Removed + p.Aborted }

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

// serviceOrigin makes all changes of this package.
var serviceOrigin = object.ByService("lifecycle")

// A pass is a Pass in progress.
type pass struct {
	*Worker
	now       time.Time         // the time that decisions are based on
	lifecycle *object.Lifecycle // the rules of the bucket at the start of the pass
	logged    time.Time         // when progress was last logged, in real time
	pace      pace

	mu         sync.Mutex // guards what follows; changes are made by several goroutines
	done       Pass
	firstError error // of the failed changes
}

// A plannedAction is an action and the version it applies to.
type plannedAction struct {
	version   object.Info
	situation Situation
	action    Action
}

// errChanged ends the change of a version that differs from the listed one.
var errChanged = errors.New("the version has changed since it was read")

// errRules ends a pass whose rules have been changed or deleted.
//
// Source: OSS user guide: disabling a rule interrupts its task.
var errRules = errors.New("the rules have changed")

// checkRules reports whether the rules of the bucket are still those of the pass. It
// is called before every page.
func (p *pass) checkRules(ctx context.Context) error {
	b, err := p.store.Bucket(ctx, p.done.Bucket)
	if err != nil {
		return err
	}
	if b.Lifecycle != p.lifecycle && !reflect.DeepEqual(b.Lifecycle, p.lifecycle) {
		return errRules
	}
	return nil
}

// run carries out the rules of a bucket.
func (p *pass) run(ctx context.Context, rules *Rules) error {
	for _, prefix := range rules.prefixes() {
		if some := rules.within(prefix, hasVersionActions); !some.Empty() {
			if err := p.versions(ctx, prefix, some); err != nil {
				return fmt.Errorf("versions under %q: %w", prefix, err)
			}
		}
		if some := rules.within(prefix, hasUploadActions); !some.Empty() {
			if err := p.uploads(ctx, prefix, some); err != nil {
				return fmt.Errorf("uploads under %q: %w", prefix, err)
			}
		}
	}
	return p.firstError
}

// perform carries out acts, several at once so that they share the store's syncs.
// Its error ends the pass; failures of single acts are counted.
func (p *pass) perform(ctx context.Context, rules *Rules, acts []plannedAction) error {
	g, all := errgroup.WithContext(ctx)
	g.SetLimit(p.opts.Parallel)
	for i := range acts {
		if p.pace.wait(all) != nil {
			break // ctx has ended, or an action has ended the pass
		}
		g.Go(func() error { return p.performOne(all, rules, &acts[i]) })
	}
	if err := g.Wait(); err != nil {
		return err
	}
	return ctx.Err()
}

// performOne carries out an action if its version is still the one that was listed.
func (p *pass) performOne(ctx context.Context, rules *Rules, a *plannedAction) error {
	v := object.Version{Bucket: p.done.Bucket, Key: a.version.Key, ID: a.version.VersionID}
	check := func(now *object.Info) error {
		if !sameVersion(now, &a.version) || rules.Decide(now, a.situation) != a.action {
			return errChanged
		}
		return nil
	}
	var err error
	switch a.action.Kind {
	case Transition:
		_, err = p.store.UpdateObject(ctx, serviceOrigin, v, func(now *object.Info) error {
			if err := check(now); err != nil {
				return err
			}
			now.StorageClass = a.action.Class
			if hasTransitionTime(a.action.Class) {
				now.TransitionTime = p.clock.Now()
			}
			return nil
		})
	case Expire:
		v.ID = ""
		fallthrough
	case Remove:
		_, err = p.store.DeleteIf(ctx, serviceOrigin, v, func(now object.Info) error { return check(&now) })
	}
	return p.count(a, err)
}

// sameVersion reports whether now is the listed version. The id alone is not
// enough, because null versions are replaced.
func sameVersion(now, listed *object.Info) bool {
	return now.VersionID == listed.VersionID && now.IsLatest == listed.IsLatest &&
		now.IsDeleteMarker == listed.IsDeleteMarker && now.LastModified.Equal(listed.LastModified)
}

// count records the result of an action. Its error ends the pass.
func (p *pass) count(a *plannedAction, err error) error {
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
	case isChanged(err):
		p.done.Changed++
	case errors.Is(err, stocktake.ErrNoSuchBucket), errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return err
	default:
		p.countFailed(fmt.Errorf("%s %q: %w", a.action.Kind, a.version.Key, err))
	}
	return nil
}

// isChanged reports whether err means that a version has changed.
func isChanged(err error) bool {
	return errors.Is(err, errChanged) || errors.Is(err, object.ErrNoSuchKey) || errors.Is(err, object.ErrNoSuchVersion) ||
		errors.Is(err, object.ErrMethodNotAllowed)
}

// countFailed counts a change that failed. The caller holds p.mu.
func (p *pass) countFailed(err error) {
	p.done.Failed++
	if p.firstError == nil {
		p.firstError = err
	}
	if p.done.Failed <= maxLogged {
		p.log.Warn("lifecycle action failed; the next pass tries again", "bucket", p.done.Bucket, "err", err)
	}
}

// Bounds on what a pass logs.
const (
	maxLogged     = 10 // failures logged individually; the total is logged at the end
	progressEvery = 30 * time.Second
)

func (p *pass) progress() {
	if now := time.Now(); now.Sub(p.logged) >= progressEvery {
		p.logged = now
		p.log.Info("lifecycle pass continues", "pass", p.done)
	}
}
