package inventory

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/object"
)

// A warner finds causes for runs to fail. It checks each destination once.
type warner struct {
	s       *Service
	bucket  string
	source  *object.Bucket // nil: not read yet
	seen    map[stocktake.Destination]error
	reached map[string]error // by bucket
}

func (s *Service) newWarner(bucket string) *warner {
	return &warner{s: s, bucket: bucket, seen: map[stocktake.Destination]error{}, reached: map[string]error{}}
}

// warnings returns the warnings in words; nil if nothing is wrong.
func (w *warner) warnings(ctx context.Context, e *EntryStatus) (warnings []string) {
	add := func(err error) {
		if err != nil && ctx.Err() == nil {
			warnings = append(warnings, Reason(err, &e.Configuration))
		}
	}
	unfit := w.destination(ctx, &e.Configuration.Destination)
	add(unfit)
	if unfit == nil {
		add(w.reach(ctx, w.bucket))
		if dst := e.Configuration.Destination.Bucket; dst != w.bucket {
			add(w.reach(ctx, dst))
		}
	}
	add(checkKeys(e.Bucket, &e.Configuration))
	if reportsChanges(&e.Configuration) {
		add(w.s.mayReportChanges(e.Bucket))
	}
	if unfit == nil { // the role's rights in a missing bucket do not matter
		add(w.s.mayReport(ctx, w.bucket, &e.Configuration))
	}
	if e.Configuration.Destination.Encryption != (stocktake.Encryption{}) {
		add(w.s.opts.Encrypts(ctx, w.bucket, &e.Configuration))
	}
	rows := int64(0)
	if e.Last != nil {
		rows = e.Last.Matched
	}
	warnings = append(warnings, w.s.buckets.Notes(w.bucket, e.Configuration.Columns(), rows)...)
	if r := e.Last; r != nil && r.Late && !r.State.Ended() {
		warnings = append(warnings, fmt.Sprintf("the run due at %s is late", r.Due.Format(time.RFC3339)))
	}
	w.s.mu.Lock()
	defer w.s.mu.Unlock()
	return append(warnings, w.s.removalWarnings[[2]string{e.Bucket, e.Configuration.ID}]...)
}

// reach asks the store of a bucket, once.
func (w *warner) reach(ctx context.Context, bucket string) error {
	err, ok := w.reached[bucket]
	if !ok {
		err = w.s.buckets.CheckBucket(ctx, bucket)
		w.reached[bucket] = err
	}
	return err
}

func (w *warner) destination(ctx context.Context, dst *stocktake.Destination) error {
	if w.source == nil {
		b, err := w.s.buckets.Bucket(ctx, w.bucket)
		if err != nil {
			return err
		}
		w.source = &b
	}
	key := stocktake.Destination{Bucket: dst.Bucket, AccountID: dst.AccountID}
	if err, ok := w.seen[key]; ok {
		return err
	}
	err := w.s.checkDestination(ctx, w.source, dst)
	if e, ok := errors.AsType[*stocktake.InvalidArgumentError](err); ok {
		err = fmt.Errorf("the destination %s cannot be written: %s", dst.Bucket, e.Reason)
	}
	w.seen[key] = err
	return err
}
