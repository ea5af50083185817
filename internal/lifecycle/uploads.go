package lifecycle

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/object"
)

// abortDue returns the rule that aborts an upload last modified at modified.
func (r *Rules) abortDue(key string, modified, now time.Time) (rule string, due bool) {
	for i := range r.rules {
		one := &r.rules[i]
		if one.AbortUploads != nil && selectsKey(one, key) && isDue(one.AbortUploads, modified, now) {
			return one.ID, true
		}
	}
	return "", false
}

// uploads processes the unfinished uploads under a prefix.
func (p *pass) uploads(ctx context.Context, prefix string, rules *Rules) error {
	q := object.UploadQuery{Bucket: p.done.Bucket, Prefix: prefix, Max: p.page}
	for {
		if err := p.checkRules(ctx); err != nil {
			return err
		}
		page, err := p.store.UploadList(ctx, q)
		if err != nil {
			return err
		}
		p.done.ListedUploads += int64(len(page.Uploads))
		for i := range page.Uploads {
			if err := p.upload(ctx, rules, &page.Uploads[i]); err != nil {
				return err
			}
		}
		if !page.Truncated {
			return nil
		}
		q.After, q.AfterUpload = page.NextAfter, page.NextAfterUpload
		p.progress()
	}
}

// upload aborts an upload if it is due. Its days count from its newest part: an
// upload of many weeks is not cut off while parts still arrive.
func (p *pass) upload(ctx context.Context, rules *Rules, u *object.Upload) error {
	if _, due := rules.abortDue(u.Key, u.Initiated, p.now); !due {
		return nil
	}
	if err := p.pace.wait(ctx); err != nil {
		return err
	}
	id := object.UploadID{Bucket: p.done.Bucket, Key: u.Key, ID: u.ID}
	modified, err := p.modified(ctx, id, u.Initiated)
	if err == nil {
		rule, due := rules.abortDue(u.Key, modified, p.now)
		if !due {
			return nil
		}
		if err = p.store.AbortUpload(ctx, serviceOrigin, id); err == nil {
			p.done.Aborted++
			p.log.Debug("lifecycle", "action", "abort", "rule", rule, "bucket", id.Bucket, "key", id.Key, "upload", id.ID)
		}
	}
	switch {
	case err == nil:
	case errors.Is(err, object.ErrNoSuchUpload):
		p.done.Changed++
	case errors.Is(err, stocktake.ErrNoSuchBucket), ctx.Err() != nil:
		return err
	default:
		p.mu.Lock()
		defer p.mu.Unlock()
		p.countFailed(fmt.Errorf("abort upload %s of %q: %w", u.ID, u.Key, err))
	}
	return nil
}

// modified returns when an upload was last modified.
func (p *pass) modified(ctx context.Context, id object.UploadID, modified time.Time) (time.Time, error) {
	for after := 0; ; {
		_, parts, more, err := p.store.Parts(ctx, id, after, p.page)
		if err != nil {
			return time.Time{}, err
		}
		for i := range parts {
			after = parts[i].Number
			if parts[i].LastModified.After(modified) {
				modified = parts[i].LastModified
			}
		}
		if !more || len(parts) == 0 {
			return modified, nil
		}
	}
}
