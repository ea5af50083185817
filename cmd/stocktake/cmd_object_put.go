package main

import (
	"context"
	"io"
	"iter"
	"os"
	"path/filepath"

	"github.com/aliyun/alibabacloud-oss-go-sdk-v2/oss"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/transfer"
)

type objectPut struct {
	remote
	jsonFlag
	Paths     []string `arg:"" name:"path" help:"Sources and one target. Sources: files, folders with --recursive, or - for stdin. Target: oss://BUCKET/KEY, or oss://BUCKET/PREFIX/ to keep names."`
	Recursive bool     `help:"Upload the contents of folders." short:"r"`
	Class     string   `help:"Storage class. Default: the bucket's." placeholder:"CLASS"`
}

// Help is shown by --help below the flags.
func (objectPut) Help() string {
	return `A folder goes below the prefix without its own name, as cp -r FOLDER/. does. Data folders
of servers, and files that are not regular, are left out.`
}

// Run uploads.
func (c *objectPut) Run(ctx context.Context, con console) error {
	if len(c.Paths) < 2 {
		return usagef("name what to upload, and where to: oss://BUCKET/KEY")
	}
	from := c.Paths[:len(c.Paths)-1]
	to, err := parseAddress(c.Paths[len(c.Paths)-1])
	if err != nil {
		return err
	}
	class, err := c.class()
	if err != nil {
		return err
	}
	oc, err := c.ossClient()
	if err != nil {
		return err
	}
	if len(from) == 1 && from[0] == "-" {
		return c.fromStdin(ctx, con, oc, to, class)
	}
	all, total, err := c.find(con, oc.NewUploader(), from, to, class)
	if err != nil {
		return err
	}
	done, err := transfer.All(ctx, con.err, "upload", total, all)
	if err != nil {
		return explainTransfer(err)
	}
	if err := c.say(con, done, "uploaded %s, %s, to %s", many(done.Objects, "file"), size(done.Bytes), to); err != nil {
		return err
	}
	return done.Err()
}

// class returns the value of --class as the SDK has it.
func (c *objectPut) class() (oss.StorageClassType, error) {
	if c.Class == "" {
		return "", nil
	}
	class, ok := stocktake.ParseStorageClass(c.Class)
	if !ok {
		return "", usagef("--class: unknown storage class %q; the classes are Standard, IA, Archive, ColdArchive, DeepColdArchive", c.Class)
	}
	return oss.StorageClassType(class.String()), nil
}

// find returns the uploads of all paths and how many bytes they have. All faults
// that can be found are found before anything is uploaded.
func (c *objectPut) find(con console, u *oss.Uploader, from []string, to transfer.Address, class oss.StorageClassType) (iter.Seq2[transfer.Item, error], int64, error) {
	total := int64(0)
	var parts []iter.Seq2[transfer.Item, error]
	for _, path := range from {
		st, err := os.Stat(path)
		switch {
		case path == "":
			return nil, 0, usagef("a source is empty: name a file or a folder; . is this folder")
		case err != nil:
			return nil, 0, usageError{err}
		case st.IsDir() && !c.Recursive:
			return nil, 0, usagef("%s is a folder: upload its contents with --recursive", path)
		case st.IsDir():
			tree, err := transfer.FindFiles(path)
			if err != nil {
				return nil, 0, err
			}
			tree.PrintSkipped(con.err)
			total += tree.Bytes
			parts = append(parts, tree.Uploads(u, to.Folder(), func(int64) oss.StorageClassType { return class }))
			continue
		case !st.Mode().IsRegular():
			return nil, 0, usagef("%s is not a regular file", path)
		case len(from) > 1 && !to.IsFolder():
			return nil, 0, usagef("%s: several files need a prefix: use %s/", to, to)
		}
		at := to
		if to.IsFolder() {
			at = to.Below(filepath.Base(path))
		}
		total += st.Size()
		parts = append(parts, func(yield func(transfer.Item, error) bool) {
			yield(transfer.Upload(u, path, st.Size(), at, class), nil)
		})
	}
	return func(yield func(transfer.Item, error) bool) {
		for _, part := range parts {
			for t, err := range part {
				if !yield(t, err) {
					return
				}
			}
		}
	}, total, nil
}

// fromStdin uploads standard input, whose size is not known.
func (c *objectPut) fromStdin(ctx context.Context, con console, oc *oss.Client, to transfer.Address, class oss.StorageClassType) error {
	if to.IsFolder() {
		return usagef("%s: standard input needs a full key", to)
	}
	if _, err := oc.NewUploader().UploadFrom(ctx, &oss.PutObjectRequest{Bucket: &to.Bucket, Key: &to.Key, StorageClass: class}, struct{ io.Reader }{os.Stdin}); err != nil {
		return explain(err, "upload "+to.String())
	}
	return c.say(con, transfer.Totals{Objects: 1}, "uploaded %s", to)
}
