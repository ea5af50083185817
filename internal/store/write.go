package store

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/cockroachdb/pebble/v2"
	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/object"
	"github.com/stocktake/stocktake/internal/store/layout"
)

// A change is one atomic change of a bucket on its way into the index.
type change struct {
	s       *Store
	by      object.Origin // who makes it
	b       *bucket
	batch   *pebble.Batch
	delta   layout.Delta
	removed []removal // blob files that nothing names any more
}

// A removal is files of a version.
type removal struct {
	seq   uint64
	files []uint64
}

// errUncertain is a change that readers see already but a crash may undo.
var errUncertain = errors.New("the change may not be durable")

// change runs build under the locks of a key and commits what it put into the
// change. The bucket is the same from the call of build to the commit. When
// change returns nil the change is durable.
func (s *Store) change(by object.Origin, b *bucket, key string, build func(*change, *object.Bucket) error) error {
	if err := by.Check(); err != nil {
		return err
	}
	c := &change{s: s, by: by, b: b, batch: s.db.NewBatch()}
	defer c.batch.Close()
	if err := c.apply(key, build); err != nil {
		return err
	}
	if err := c.batch.SyncWait(); err != nil {
		err = fmt.Errorf("%w: %w", errUncertain, err)
		s.opts.Log.Error("the index's log could not be synced; the process ends", "err", err)
		s.opts.fatal(err)
		return err
	}
	for _, r := range c.removed {
		if !s.pins.defers(r.seq, r.files) {
			s.reap(layout.SpaceRemovals, r.files...)
		}
	}
	return nil
}

// apply makes the change visible and queues it for the log; who comes next
// under the same locks is behind it there.
func (c *change) apply(key string, build func(*change, *object.Bucket) error) error {
	c.b.mu.RLock()
	defer c.b.mu.RUnlock()
	if c.b.gone {
		return stocktake.ErrNoSuchBucket
	}
	stripe := c.s.stripe(c.b.id, key)
	stripe.Lock()
	defer stripe.Unlock()
	if err := build(c, c.b.state.Load()); err != nil {
		return err
	}
	c.delta[layout.StatLastModified] = c.s.opts.Now().UnixMilli()
	var buf [64]byte
	if err := c.batch.Merge(layout.StatisticsKey(c.b.id), c.delta.AppendTo(buf[:0]), nil); err != nil {
		return err
	}
	if err := c.s.db.ApplyNoSyncWait(c.batch, pebble.Sync); err != nil {
		return fmt.Errorf("index: %w", err)
	}
	c.b.stat.add(&c.delta)
	return nil
}

// put adds or, with the same seq, replaces r.
func (c *change) put(r *layout.Row) error {
	var keyBuf, valueBuf [512]byte
	key := layout.AppendVersionKey(keyBuf[:0], c.b.id, r.Info.Key, r.Seq)
	return c.batch.Set(key, layout.AppendRow(valueBuf[:0], r), nil)
}

// remove removes r and its content; nil is nothing.
func (c *change) remove(r *layout.Row) error {
	if r == nil {
		return nil
	}
	var keyBuf [512]byte
	c.delta.Count(r, -1)
	return errors.Join(
		c.batch.Delete(layout.AppendVersionKey(keyBuf[:0], c.b.id, r.Info.Key, r.Seq), nil),
		c.release(r.Seq, r.Content),
	)
}

// release removes content of version seq that no row names any more.
func (c *change) release(seq uint64, old layout.Content) error {
	pieces := []layout.Piece{{Content: old}}
	if old.Kind == layout.ContentMap {
		var err error
		if pieces, err = getPieces(c.s.db, old.ID); err != nil {
			return fmt.Errorf("map %x: %w", old.ID, err)
		}
		if err := c.batch.Delete(layout.IDKey(layout.SpaceMaps, old.ID), nil); err != nil {
			return err
		}
	}
	return c.releasePieces(seq, pieces)
}

func (c *change) releasePieces(seq uint64, pieces []layout.Piece) error {
	var files []uint64
	for _, p := range pieces {
		var err error
		switch p.Kind {
		case layout.ContentInline:
			err = c.batch.Delete(layout.IDKey(layout.SpaceData, p.ID), nil)
		case layout.ContentFile:
			files = append(files, p.ID)
			err = c.batch.Set(layout.IDKey(layout.SpaceRemovals, p.ID), nil, nil)
		}
		if err != nil {
			return err
		}
	}
	if len(files) > 0 {
		c.removed = append(c.removed, removal{seq, files})
	}
	return nil
}

// A write is a new version of a key about to be made.
type write struct {
	key             string
	body            *body
	forbidOverwrite bool // but not where versions are kept
	exclusive       bool // even there
	mustBeNew       bool // it is the first append; another may have been faster
	report          bool
	info            object.Info // all that the body does not say: CRC, ETag, type, attributes ...
}

// make commits w as the current version of its key. It ends w.body either way.
func (s *Store) make(by object.Origin, b *bucket, w *write) (made object.Info, err error) {
	defer func() {
		if err == nil || errors.Is(err, errUncertain) {
			s.done(w.body)
		} else {
			s.drop(w.body)
		}
	}()
	if err := checkKey(w.key); err != nil {
		return object.Info{}, err
	}
	err = s.change(by, b, w.key, func(c *change, state *object.Bucket) error {
		if err := s.forbid(b, w, state); err != nil {
			return err
		}
		r := &layout.Row{Info: w.info, Report: w.report, Content: w.body.content, DataKey: w.body.envelope.wrapped}
		r.Info.Key, r.Info.Size = w.key, w.body.size
		if err := c.replace(r, state); err != nil {
			return err
		}
		made = r.Publish(state.Versioning != object.Unversioned, true)
		return w.body.addTo(c.batch)
	})
	if err != nil {
		return object.Info{}, err
	}
	return made, nil
}

// forbid refuses w if it may not replace what is there.
func (s *Store) forbid(b *bucket, w *write, state *object.Bucket) error {
	if !w.exclusive && !w.mustBeNew && (!w.forbidOverwrite || state.Versioning != object.Unversioned) {
		return nil
	}
	r, err := newest(s.db, b.id, w.key)
	if err != nil {
		return err
	}
	if r == nil || r.Info.IsDeleteMarker {
		return nil
	}
	if w.mustBeNew {
		return cmp.Or(appendable(r, 0), error(&object.PositionError{Length: r.Info.Size}))
	}
	return object.ErrFileExists
}

// replace makes r the current version of its key: it replaces the null version
// unless the bucket is versioned, and is one itself then.
func (c *change) replace(r *layout.Row, state *object.Bucket) (err error) {
	if r.Seq, err = c.s.nextSeq(); err != nil {
		return err
	}
	r.Info.LastModified = c.s.now()
	if r.Null = state.Versioning != object.Enabled; r.Null {
		if err := c.removeNull(r.Info.Key, state); err != nil {
			return err
		}
	}
	c.delta.Count(r, 1)
	return c.put(r)
}

// checkKey refuses keys that have no place in the index. What else makes a key
// legal is for those to say who take it from strangers.
func checkKey(key string) error {
	if len(key) == 0 || len(key) > stocktake.MaxKeyLength {
		return fmt.Errorf("a key of %d bytes", len(key))
	}
	return nil
}

// removeNull removes the null version of a key, if there is one.
func (c *change) removeNull(key string, state *object.Bucket) error {
	if state.Versioning == object.Unversioned { // then there is no other
		r, err := newest(c.s.db, c.b.id, key)
		return errors.Join(err, c.remove(r))
	}
	r, _, err := null(c.s.db, c.b.id, key)
	return errors.Join(err, c.remove(r))
}

// PutObject implements ossapi.Objects.
func (s *Store) PutObject(ctx context.Context, by object.Origin, p object.Put, r io.Reader) (object.Info, error) {
	b, err := s.bucket(p.Bucket)
	if err != nil {
		return object.Info{}, err
	}
	state := b.state.Load()
	w := &write{key: p.Key, forbidOverwrite: p.ForbidOverwrite}
	// It is looked at again when the body is there; but why receive it in vain.
	if err := s.forbid(b, w, state); err != nil {
		return object.Info{}, err
	}
	e, err := s.describe(ctx, &w.info, &p.Attributes, state)
	if err != nil {
		return object.Info{}, err
	}
	var d digests
	if w.body, d, err = s.receive(ctx, r, &p, e); err != nil {
		return object.Info{}, err
	}
	setDigests(&w.info, d)
	return s.make(by, b, w)
}

// describe fills in what a writer says of an object, and what the bucket says
// where the writer is silent. It returns the envelope for its bytes.
func (s *Store) describe(ctx context.Context, info *object.Info, a *object.Attributes, state *object.Bucket) (envelope, error) {
	info.StorageClass = state.StorageClass
	if a.StorageClass != nil {
		info.StorageClass = *a.StorageClass
	}
	info.Encryption = state.Encryption
	if a.Encryption != nil {
		info.Encryption = *a.Encryption
	}
	info.ACL = a.ACL
	info.Headers = a.Headers
	info.Headers.Meta = slices.Clone(a.Headers.Meta)
	info.Tags = slices.Clone(a.Tags)
	return s.seal(ctx, &info.Encryption)
}

// setDigests makes info that of content put as a whole.
func setDigests(info *object.Info, d digests) {
	info.CRC64, info.ETag, info.MD5 = d.crc64, stocktake.ETag{Sum: d.md5}, slices.Clone(d.md5[:])
}
