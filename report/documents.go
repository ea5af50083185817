package report

import (
	"context"
	"errors"
	"fmt"
	"io"
)

// maxChecksumSize bounds what is read of a manifest.checksum, in bytes; one has
// 32.
const maxChecksumSize = 1 << 10

var errTooLong = errors.New("it is too long")

// read reads a small file whole. A file of more than limit bytes is an
// error, and no more than that is read.
func read(ctx context.Context, b Bucket, key string, limit int64) ([]byte, error) {
	f, err := b.Open(ctx, key)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", key, err)
	}
	defer f.Close()
	raw, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err == nil && int64(len(raw)) > limit {
		err = fmt.Errorf("%w: more than %d bytes", errTooLong, limit)
	}
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", key, err)
	}
	return raw, nil
}
