package engine

import (
	"context"
	"crypto/md5"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
)

// probe is the content that Probe writes. It is longer than content that a store
// keeps in its index, so that it is stored like shards.
var probe = []byte(strings.Repeat("Written to check whether reports can be written here. It may be removed.\n", 2000))

// Probe tries the steps of the run of job with one small file: it writes the file to
// the place of the shards, encrypted like them, reads it back and removes it. It also
// returns a [*SpaceError] if the report is not expected to fit. Use it for a
// configuration that has not run yet. The file has the name of a shard of job.Run, an
// id that no other run may have, so that a file left by a crash is found as a stray.
func Probe(ctx context.Context, src Source, dst Destination, job Job) error {
	job.Attempt = 1
	r, err := newRun(dst, job, Options{})
	if err != nil {
		return err
	}
	if err := r.probe(ctx); err != nil {
		return fmt.Errorf("the destination %s cannot be written: %w", job.Configuration.Destination.Bucket, err)
	}
	snap, err := src.Snapshot(ctx, job.Bucket)
	if err != nil {
		return fmt.Errorf("read %s: %w", job.Bucket, err)
	}
	count, err := snap.Count(ctx, job.Configuration.Filter.Prefix)
	if err := errors.Join(err, snap.Close()); err != nil {
		return fmt.Errorf("read %s: %w", job.Bucket, err)
	}
	if err := r.fits(ctx, count, r.previous(ctx)); err != nil {
		return err
	}
	return nil
}

func (r *run) probe(ctx context.Context) (err error) {
	dst, key := r.dst, r.names.shard(0, 0)
	f, err := dst.Create(ctx, key, FileOptions{
		ContentType: "text/plain", Encryption: r.job.Configuration.Destination.Encryption, Exclusive: true,
	})
	if err != nil {
		return fmt.Errorf("create %s: %w", key, err)
	}
	defer func() {
		err = errors.Join(err, f.Abort())
		if errors.Is(err, fs.ErrExist) {
			return // another program has written it
		}
		// Also after an error: the file may be there, and only the answer was lost.
		ctx, cancel := cleanupContext(ctx)
		defer cancel()
		if e := dst.Remove(ctx, key); e != nil {
			err = errors.Join(err, fmt.Errorf("remove %s: %w", key, e))
		}
	}()
	if _, err := f.Write(probe); err != nil {
		return fmt.Errorf("write %s: %w", key, err)
	}
	if err := f.Commit(ctx, md5.Sum(probe)); err != nil {
		return fmt.Errorf("write %s: %w", key, err)
	}
	return readBack(ctx, dst, key)
}

func readBack(ctx context.Context, dst Destination, key string) error {
	r, err := dst.Open(ctx, key)
	if err != nil {
		return fmt.Errorf("read %s: %w", key, err)
	}
	sum := md5.New()
	_, err = io.Copy(sum, r)
	if err = errors.Join(err, r.Close()); err != nil {
		return fmt.Errorf("read %s: %w", key, err)
	}
	if [md5.Size]byte(sum.Sum(nil)) != md5.Sum(probe) {
		return fmt.Errorf("read %s: %w", key, errProbe)
	}
	return nil
}

// errProbe means that a destination returned other bytes than were written.
var errProbe = errors.New("the destination returns other bytes than were written")
