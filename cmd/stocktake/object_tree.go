package main

import (
	"context"
	"errors"
	"io/fs"
	"iter"
	"os"
	"path/filepath"

	"github.com/aliyun/alibabacloud-oss-go-sdk-v2/oss"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/server"
)

// A fileTree is the regular files of a folder, found once.
type fileTree struct {
	root    string
	files   []treeFile
	bytes   int64
	skipped []string // names that cannot be objects, each with the reason
}

type treeFile struct {
	key  string // path below the root, with slashes
	size int64
}

// findFiles walks root. It leaves out, with the reason, what cannot be an object
// (anything but regular files, and names that no key can have), folders that cannot
// be read, and the data folders of servers: they hold keys, and an upload from them
// would grow them.
func findFiles(root string) (t fileTree, err error) {
	t.root = root
	skip := func(path, why string) { t.skipped = append(t.skipped, path+": "+why) }
	err = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil && path == root:
			return err
		case errors.Is(err, fs.ErrNotExist):
			return nil // gone since the folder was read
		case err != nil:
			skip(path, "it cannot be read")
			return nil
		case d.IsDir():
			if isDataFolder(path) {
				skip(path, "it is the data folder of a server")
				return fs.SkipDir
			}
			return nil
		case !d.Type().IsRegular():
			skip(path, "it is not a regular file")
			return nil
		}
		rel, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		key := filepath.ToSlash(rel)
		if !stocktake.ValidKey(key) {
			skip(path, "no key can have this name")
			return nil
		}
		info, err := d.Info()
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		t.files = append(t.files, treeFile{key, info.Size()})
		t.bytes += info.Size()
		return nil
	})
	return t, err
}

// isDataFolder reports whether a server keeps its data in a folder.
func isDataFolder(path string) bool {
	f := server.Folder(path)
	st, err := os.Stat(f.Index())
	return err == nil && st.IsDir() && fileExists(f.Catalog())
}

func fileExists(name string) bool {
	st, err := os.Stat(name)
	return err == nil && st.Mode().IsRegular()
}

// saySkipped prints the first files that were left out.
func (t *fileTree) saySkipped(con console) {
	const most = 10
	for i, what := range t.skipped {
		if i == most {
			sayf(con.err, "left out: %s more\n", count(int64(len(t.skipped)-most)))
			return
		}
		sayf(con.err, "left out: %s\n", printable(what))
	}
}

// uploads yields the transfers that put the tree below a prefix. class returns
// the storage class of a file from its size; empty means the bucket's.
func (t *fileTree) uploads(u *oss.Uploader, to objectAddress, class func(size int64) oss.StorageClassType) iter.Seq2[transfer, error] {
	return func(yield func(transfer, error) bool) {
		for _, f := range t.files {
			if !yield(upload(u, filepath.Join(t.root, filepath.FromSlash(f.key)), f.size, to.below(f.key), class(f.size)), nil) {
				return
			}
		}
	}
}

// upload puts a file, in parts if it is large.
func upload(u *oss.Uploader, path string, size int64, to objectAddress, class oss.StorageClassType) transfer {
	return transfer{name: path, size: size, do: func(ctx context.Context) error {
		f, err := os.Open(path) // the SDK's own error for one that cannot be read names no file
		if err != nil {
			return err
		}
		defer f.Close()
		_, err = u.UploadFrom(ctx, &oss.PutObjectRequest{Bucket: &to.bucket, Key: &to.key, StorageClass: class}, f)
		return err
	}}
}
