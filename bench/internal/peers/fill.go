package peers

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/stocktake/stocktake/bench/internal/load"
)

// versitygw keeps the ETag of an object in an attribute of its file.
const etagAttribute, etagOfNothing = "user.etag", "d41d8cd98f00b204e9800998ecf8427e"

// fillLimit is far longer than filling takes. It bounds the wait for a server that
// hangs.
const fillLimit = 12 * time.Hour

// Fill creates a bucket with empty objects.
func (s *Server) Fill(ctx context.Context, bucket string, keys int) error {
	if _, err := s.Do(ctx, http.MethodPut, bucket, "", nil, nil, nil); err != nil {
		return err
	}
	key := func(i int) string { return fmt.Sprintf("part-%03d/object-%08d", i%100, i) }
	if done, err := s.fillFiles(bucket, keys, key); done || err != nil {
		return err
	}
	l := load.Load{Clients: 64, For: fillLimit, Most: keys}
	filled, err := l.Run(ctx, func(ctx context.Context, i int) error {
		_, err := s.Do(ctx, http.MethodPut, bucket, key(i), nil, bytes.NewReader(nil), nil)
		return err
	})
	if err != nil {
		return err
	}
	if filled.Requests != keys {
		return fmt.Errorf("%s: only %d of %d keys put within %v", s.Name, filled.Requests, keys, l.For)
	}
	return nil
}

// fillFiles makes objects of no bytes in a bucket of versitygw, which keeps each as a
// file: that takes a thousandth of the time of requests. ok is false for servers
// that are not filled so.
func (s *Server) fillFiles(bucket string, keys int, key func(i int) string) (ok bool, err error) {
	if s.Name != "versitygw" {
		return false, nil
	}
	made := map[string]bool{}
	for i := range keys {
		path := filepath.Join(s.dir, bucket, filepath.FromSlash(key(i)))
		if dir := filepath.Dir(path); !made[dir] {
			if err := os.MkdirAll(dir, 0o755); err != nil {
				return true, err
			}
			made[dir] = true
		}
		f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
		if err != nil {
			return true, err
		}
		if err := errors.Join(f.Close(), tagged(path)); err != nil {
			return true, fmt.Errorf("%s: %w", path, err)
		}
	}
	return true, nil
}

// tagged sets the ETag of a file to that of an empty object, if the file system can
// store it; otherwise the object is listed without an ETag.
func tagged(path string) error {
	err := syscall.Setxattr(path, etagAttribute, []byte(etagOfNothing), 0)
	if errors.Is(err, syscall.ENOTSUP) {
		return nil
	}
	return err
}

// URL returns where the server listens.
func (s *Server) URL() string { return s.base }

// Keys returns the environment that official tools find the keys of the server in.
func (s *Server) Keys() []string {
	return []string{"AWS_ACCESS_KEY_ID=" + accessKeyID, "AWS_SECRET_ACCESS_KEY=" + accessKeySecret, "AWS_REGION=us-east-1"}
}
