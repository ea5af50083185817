package transfer

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"iter"
	"os"
	"path/filepath"

	"github.com/aliyun/alibabacloud-oss-go-sdk-v2/oss"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/datafolder"
	"github.com/stocktake/stocktake/internal/human"
	"github.com/stocktake/stocktake/internal/terminal"
)

// A Tree is the regular files of a folder, as found once.
type Tree struct {
	Files   []File
	Bytes   int64 // of all files
	root    string
	skipped []string // names that cannot be objects, each with the reason
}

// A File is a file of a Tree.
type File struct {
	key  string // path below the root, with slashes
	size int64  // bytes
}

// FindFiles walks root. It skips, with the reason, what cannot be an object
// (anything but regular files, and names that are not valid keys), folders that
// cannot be read, and the data folders of servers: they contain secret keys, and an
// upload from them would grow them.
func FindFiles(root string) (t Tree, err error) {
	t.root = root
	skip := func(path, why string) { t.skipped = append(t.skipped, path+": "+why) }
	err = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil && path == root:
			return err
		case errors.Is(err, fs.ErrNotExist):
			return nil // removed since the folder was read
		case err != nil:
			skip(path, "it cannot be read")
			return nil
		case d.IsDir():
			if datafolder.Is(path) {
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
		t.Files = append(t.Files, File{key, info.Size()})
		t.Bytes += info.Size()
		return nil
	})
	return t, err
}

// PrintSkipped prints the first skipped files.
func (t *Tree) PrintSkipped(w io.Writer) {
	const most = 10
	for i, what := range t.skipped {
		if i == most {
			terminal.Printf(w, "left out: %s more\n", human.Count(int64(len(t.skipped)-most)))
			return
		}
		terminal.Printf(w, "left out: %s\n", human.Printable(what))
	}
}

// Uploads yields the transfers that upload the tree below a prefix. class returns
// the storage class for the size of a file; empty means the bucket's class.
func (t *Tree) Uploads(u *oss.Uploader, to Address, class func(size int64) oss.StorageClassType) iter.Seq2[Item, error] {
	return func(yield func(Item, error) bool) {
		for _, f := range t.Files {
			if !yield(Upload(u, filepath.Join(t.root, filepath.FromSlash(f.key)), f.size, to.Below(f.key), class(f.size)), nil) {
				return
			}
		}
	}
}

// Upload puts a file, in parts if it is large.
func Upload(u *oss.Uploader, path string, size int64, to Address, class oss.StorageClassType) Item {
	return Item{name: path, size: size, do: func(ctx context.Context) error {
		f, err := os.Open(path) // the SDK's own error does not name the file
		if err != nil {
			return err
		}
		defer f.Close()
		_, err = u.UploadFrom(ctx, &oss.PutObjectRequest{Bucket: &to.Bucket, Key: &to.Key, StorageClass: class}, f)
		return err
	}}
}
