package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/aliyun/alibabacloud-oss-go-sdk-v2/oss"
	"github.com/schollz/progressbar/v3"
	"golang.org/x/sync/errgroup"

	"github.com/stocktake/stocktake"
)

// uploadWorkers is how many files are on their way at once. The store commits
// writers that wait together with one sync, so more of them cost less each.
const uploadWorkers = 32

// A fileTree is the regular files of a folder, found once.
type fileTree struct {
	root  string
	files []treeFile
	bytes int64
}

type treeFile struct {
	key  string // path below the root, with slashes
	size int64
}

// findFiles walks root. It leaves out what cannot be an object: anything but
// regular files, and names that are not UTF-8 or too long; skipped counts those.
func findFiles(root string) (t fileTree, skipped int, err error) {
	t.root = root
	err = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if !d.Type().IsRegular() {
			if !d.IsDir() {
				skipped++
			}
			return nil
		}
		rel, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		key := filepath.ToSlash(rel)
		if !stocktake.ValidKey(key) {
			skipped++
			return nil
		}
		info, err := d.Info()
		if errors.Is(err, fs.ErrNotExist) {
			return nil // gone since the folder was read
		}
		if err != nil {
			return err
		}
		t.files = append(t.files, treeFile{key, info.Size()})
		t.bytes += info.Size()
		return nil
	})
	return t, skipped, err
}

// upload puts the whole tree into a bucket through the OSS API. Files of at
// least iaSize bytes are put as IA, so that the totals have more than one class.
func (t fileTree) upload(ctx context.Context, c *oss.Client, bucket string, iaSize int64, w io.Writer) error {
	bar := newUploadBar(w, t.bytes)
	defer bar.Close()
	g, ctx := errgroup.WithContext(ctx)
	next := make(chan treeFile)
	g.Go(func() error {
		defer close(next)
		for _, f := range t.files {
			select {
			case next <- f:
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		return nil
	})
	for range uploadWorkers {
		g.Go(func() error {
			for f := range next {
				if err := t.put(ctx, c, bucket, f, iaSize); err != nil {
					return fmt.Errorf("upload %s: %w", f.key, err)
				}
				_ = bar.Add64(f.size) // only a picture
			}
			return nil
		})
	}
	return g.Wait()
}

func (t fileTree) put(ctx context.Context, c *oss.Client, bucket string, f treeFile, iaSize int64) error {
	file, err := os.Open(filepath.Join(t.root, filepath.FromSlash(f.key)))
	if err != nil {
		return err
	}
	defer file.Close()
	req := &oss.PutObjectRequest{Bucket: &bucket, Key: &f.key, Body: file}
	if f.size >= iaSize {
		req.StorageClass = oss.StorageClassIA
	}
	_, err = c.PutObject(ctx, req)
	return err
}

func newUploadBar(w io.Writer, bytes int64) *progressbar.ProgressBar {
	if !isTerminal(w) {
		w = io.Discard
	}
	return progressbar.NewOptions64(bytes,
		progressbar.OptionSetWriter(w),
		progressbar.OptionSetDescription("uploading"),
		progressbar.OptionShowBytes(true),
		progressbar.OptionClearOnFinish(),
	)
}
