package store

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/digest"
	"github.com/stocktake/stocktake/internal/engine"
	"github.com/stocktake/stocktake/internal/journal"
	"github.com/stocktake/stocktake/internal/object"
	"github.com/stocktake/stocktake/internal/store/layout"
)

// Destination returns a bucket as an engine.Destination. It writes ordinary objects that the index
// marks as part of a report, so that Remove spares versions that others put under the same key in a
// versioned bucket. by is the origin of its changes.
func (s *Store) Destination(bucket string, by object.Origin) engine.Destination {
	return &destination{s, bucket, by}
}

type destination struct {
	s      *Store
	bucket string
	by     object.Origin
}

// Create implements engine.Destination.
func (d *destination) Create(ctx context.Context, key string, opts engine.FileOptions) (engine.File, error) {
	b, err := d.s.bucket(d.bucket)
	if err != nil {
		return nil, err
	}
	attributes := object.Attributes{Headers: object.Headers{ContentType: opts.ContentType}}
	switch e := opts.Encryption; {
	case e.SSEKMS:
		attributes.Encryption = &object.Encryption{Algorithm: "KMS", KeyID: e.KeyID}
	case e.SSEOSS:
		attributes.Encryption = &object.Encryption{Algorithm: "AES256"}
	}
	f := &destinationFile{s: d.s, b: b, by: d.by, w: newVersion{key: key, exclusive: opts.Exclusive, report: true}}
	e, err := d.s.fillAttributes(ctx, &f.w.info, &attributes, b.state.Load())
	if err != nil {
		return nil, err
	}
	f.w.body = d.s.newBody(-1, e)
	f.w.body.uncached = true
	return f, nil
}

// destinationFile is an object being written to a bucket.
type destinationFile struct {
	s     *Store
	b     *bucket
	by    object.Origin
	w     newVersion
	err   error // of the first write that failed
	ended bool
}

var errEnded = errors.New("write to a file that is committed or dropped")

func (f *destinationFile) Write(p []byte) (int, error) {
	if f.ended {
		return 0, errEnded
	}
	if f.err == nil {
		_, f.err = f.w.body.Write(p)
	}
	if f.err != nil {
		return 0, f.err
	}
	f.w.info.CRC64 = digest.UpdateCRC64(f.w.info.CRC64, p)
	return len(p), nil
}

// Commit implements engine.File. The sum becomes the ETag, as it would if the
// object had been put.
func (f *destinationFile) Commit(ctx context.Context, md5 [16]byte) error {
	if f.ended {
		return errEnded
	}
	err := f.err
	if err == nil {
		err = ctx.Err()
	}
	if err == nil {
		err = f.w.body.finish()
	}
	if err != nil {
		return errors.Join(err, f.Abort())
	}
	f.ended = true
	f.w.info.ETag, f.w.info.MD5 = stocktake.ETag{Sum: md5}, md5[:]
	_, err = f.s.commitVersion(f.by, f.b, &f.w)
	if errors.Is(err, object.ErrFileExists) {
		return fs.ErrExist
	}
	return err
}

// Abort implements engine.File.
func (f *destinationFile) Abort() error {
	if !f.ended {
		f.ended = true
		f.w.body.drop()
	}
	return nil
}

// Open implements engine.Destination.
func (d *destination) Open(ctx context.Context, key string) (io.ReadCloser, error) {
	return d.open(ctx, key, func(size int64) (int64, int64, error) { return 0, size, nil })
}

// OpenRange implements engine.Destination.
func (d *destination) OpenRange(ctx context.Context, key string, offset, length int64) (io.ReadCloser, error) {
	return d.open(ctx, key, func(size int64) (int64, int64, error) {
		if offset < 0 || offset >= size {
			return 0, 0, fmt.Errorf("byte %d of %d: %w", offset, size, io.ErrUnexpectedEOF)
		}
		if rest := size - offset; length < 0 || length > rest {
			length = rest
		}
		return offset, length, nil
	})
}

// open reads the part of an object that the function picks, given its size.
func (d *destination) open(ctx context.Context, key string, pick func(size int64) (offset, length int64, err error)) (io.ReadCloser, error) {
	info, c, err := d.s.Open(ctx, object.Version{Bucket: d.bucket, Key: key})
	if errors.Is(err, object.ErrNoSuchKey) {
		return nil, fs.ErrNotExist
	}
	if err != nil {
		return nil, err
	}
	offset, length, err := pick(info.Size)
	if err != nil {
		return nil, errors.Join(err, c.Close())
	}
	r, err := c.Range(offset, length)
	if err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return &contentReader{r, c}, nil
}

// FreeSpace implements engine.Destination: the free bytes of the disk beyond the
// reserve.
func (d *destination) FreeSpace(context.Context) (int64, error) {
	if n, known := d.s.blobs.Free(); known {
		return max(n, 0), nil
	}
	return -1, nil
}

type contentReader struct {
	io.Reader
	io.Closer
}

// List implements engine.Destination.
func (d *destination) List(ctx context.Context, prefix string) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		q := object.ListQuery{Bucket: d.bucket, Prefix: prefix, Max: maxPage}
		for more := true; more; {
			page, err := d.s.List(ctx, q)
			if err != nil {
				yield("", err)
				return
			}
			for i := range page.Entries {
				if !yield(page.Entries[i].Key, nil) {
					return
				}
			}
			more, q.After = page.Truncated, page.NextAfter
		}
	}
}

// Remove implements engine.Destination. In a versioned bucket it removes exactly the versions of
// the key that are part of a report.
func (d *destination) Remove(_ context.Context, key string) error {
	b, err := d.s.bucket(d.bucket)
	if err != nil {
		return err
	}
	err = d.s.reduce(d.by, b, key, func(c *change, state *object.Bucket) error {
		var made []*layout.Row
		revealed := false
		err := versions(c.s.db, b.id, key, func(r *layout.Row, latest bool) bool {
			if r.Report || state.Versioning == object.Unversioned {
				made, revealed = append(made, r), revealed || latest
				c.record(journal.Delete, layout.ChangePermanent|latestIf(latest), r)
			}
			return true
		})
		if err == nil && len(made) == 0 {
			err = errNothing
		}
		if err == nil && revealed {
			err = c.reveal(key, made...)
		}
		for _, r := range made {
			err = errors.Join(err, c.remove(r))
		}
		return err
	})
	if err == errNothing {
		return nil
	}
	return err
}
