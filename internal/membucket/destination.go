package membucket

import (
	"bytes"
	"context"
	"crypto/md5"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"maps"
	"slices"
	"strings"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/engine"
)

// Create implements [engine.Destination].
func (b *Bucket) Create(ctx context.Context, key string, opts engine.FileOptions) (engine.File, error) {
	return &file{bucket: b, key: key, opts: opts}, ctx.Err()
}

var errDigest = errors.New("the content does not match its MD5")

type file struct {
	bucket *Bucket
	key    string
	opts   engine.FileOptions
	body   []byte
	ended  bool
}

func (f *file) Write(p []byte) (int, error) {
	if f.ended {
		return 0, fs.ErrClosed
	}
	f.body = append(f.body, p...)
	return len(p), nil
}

func (f *file) Commit(ctx context.Context, sum [16]byte) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if f.ended {
		return fs.ErrClosed
	}
	if md5.Sum(f.body) != sum {
		return fmt.Errorf("%s: %w", f.key, errDigest)
	}
	b := f.bucket
	b.store.mu.Lock()
	defer b.store.mu.Unlock()
	if f.opts.Exclusive && b.current(f.key) != nil {
		return fmt.Errorf("%s: %w", f.key, fs.ErrExist)
	}
	f.ended = true
	b.put(version{record: stocktake.Record{
		Key: []byte(f.key), Size: int64(len(f.body)), ETag: stocktake.ETag{Sum: sum},
		Encrypted: f.opts.Encryption.SSEOSS || f.opts.Encryption.SSEKMS,
	}, body: f.body})
	return nil
}

func (f *file) Abort() error {
	f.ended = true
	return nil
}

// current returns the current version of key, nil if there is none or it is a
// delete marker. It requires the lock.
func (b *Bucket) current(key string) *version {
	versions := b.objects[key]
	if len(versions) == 0 || versions[0].record.IsDeleteMarker {
		return nil
	}
	return &versions[0]
}

// Open implements [engine.Destination].
func (b *Bucket) Open(ctx context.Context, key string) (io.ReadCloser, error) {
	body, err := b.content(ctx, key)
	if err != nil {
		return nil, err
	}
	return io.NopCloser(bytes.NewReader(body)), nil
}

// content returns the content of the current version of key.
func (b *Bucket) content(ctx context.Context, key string) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	b.store.mu.Lock()
	defer b.store.mu.Unlock()
	v := b.current(key)
	if v == nil {
		return nil, fmt.Errorf("%s: %w", key, fs.ErrNotExist)
	}
	return v.body, nil
}

// OpenRange implements [engine.Destination].
func (b *Bucket) OpenRange(ctx context.Context, key string, offset, length int64) (io.ReadCloser, error) {
	body, err := b.content(ctx, key)
	if err != nil {
		return nil, err
	}
	if offset < 0 || offset >= int64(len(body)) {
		return nil, fmt.Errorf("%s: byte %d of %d: %w", key, offset, len(body), io.ErrUnexpectedEOF)
	}
	part := body[offset:]
	if length >= 0 {
		part = part[:min(length, int64(len(part)))]
	}
	return io.NopCloser(bytes.NewReader(part)), nil
}

// List implements [engine.Destination]. It shows the keys there were when it began.
func (b *Bucket) List(ctx context.Context, prefix string) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		b.store.mu.Lock()
		keys := slices.Sorted(maps.Keys(b.objects))
		keys = slices.DeleteFunc(keys, func(key string) bool {
			return !strings.HasPrefix(key, prefix) || b.current(key) == nil
		})
		b.store.mu.Unlock()
		for _, key := range keys {
			if err := ctx.Err(); err != nil {
				yield("", err)
				return
			}
			if !yield(key, nil) {
				return
			}
		}
	}
}

// FreeSpace implements [engine.Destination]. It is unknown.
func (b *Bucket) FreeSpace(ctx context.Context) (int64, error) { return -1, ctx.Err() }

// Remove implements [engine.Destination].
func (b *Bucket) Remove(ctx context.Context, key string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	b.store.mu.Lock()
	defer b.store.mu.Unlock()
	delete(b.objects, key)
	b.sorted = nil
	return nil
}

// Write replaces the content of key. Tests use it to damage reports.
func (b *Bucket) Write(key string, body []byte) {
	b.store.mu.Lock()
	defer b.store.mu.Unlock()
	sum := md5.Sum(body)
	b.put(version{
		record: stocktake.Record{Key: []byte(key), Size: int64(len(body)), ETag: stocktake.ETag{Sum: sum}},
		body:   bytes.Clone(body),
	})
}
