package main

import (
	"context"
	"io"
	"os"
	"path"
	"path/filepath"

	"github.com/aliyun/alibabacloud-oss-go-sdk-v2/oss"

	"github.com/stocktake/stocktake/internal/terminal"
	"github.com/stocktake/stocktake/internal/transfer"
)

type objectGet struct {
	remote
	jsonFlag
	From      string `arg:"" help:"oss://BUCKET/KEY, or with --recursive oss://BUCKET/PREFIX."`
	To        string `arg:"" optional:"" help:"File or folder; - is standard output (control characters are escaped on a terminal). Default: this folder." default:"."`
	Recursive bool   `help:"Download all objects below a prefix." short:"r"`
}

// Run downloads. A file appears under its name when it is whole and its checksum
// is right.
func (c *objectGet) Run(ctx context.Context, con console) error {
	from, err := parseAddress(c.From)
	if err != nil {
		return err
	}
	if c.To == "" {
		return usagef("the target is empty: name a file or a folder; . is this folder")
	}
	oc, err := c.ossClient()
	if err != nil {
		return err
	}
	switch {
	case c.Recursive && c.To == "-":
		return usagef("standard output takes one object")
	case c.Recursive:
		return c.folder(ctx, con, oc, from)
	case from.IsFolder():
		return usagef("%s names no object: add its key, or download all below it with --recursive", from)
	case c.To == "-":
		body, err := transfer.Open(ctx, oc, from)
		if err != nil {
			return explain(err, "download "+from.String())
		}
		defer body.Close()
		out, flush := terminal.Bytes(con.out)
		if _, err = io.Copy(out, body); err == nil {
			err = flush()
		}
		if err != nil {
			return explain(err, "download "+from.String())
		}
		return nil
	}
	to := c.To
	if st, err := os.Stat(to); err == nil && st.IsDir() {
		name, err := filepath.Localize(path.Base(from.Key))
		if err != nil {
			return usagef("%s: no file can have this name; name another", from)
		}
		to = filepath.Join(to, name)
	}
	root, err := os.OpenRoot(filepath.Dir(to))
	if err != nil {
		return usageError{err}
	}
	defer root.Close()
	n, err := transfer.Download(ctx, oc, from, root, filepath.Base(to))
	if err != nil {
		return explain(err, "download "+from.String())
	}
	return c.say(con, transfer.Totals{Objects: 1, Bytes: n}, "downloaded %s, %s, to %s", from, size(n), to)
}

// folder downloads all objects below a prefix.
func (c *objectGet) folder(ctx context.Context, con console, oc *oss.Client, from transfer.Address) error {
	if err := os.MkdirAll(c.To, 0o755); err != nil {
		return usageError{err}
	}
	root, err := os.OpenRoot(c.To)
	if err != nil {
		return usageError{err}
	}
	defer root.Close()
	from = from.FolderOrAll()
	done, err := transfer.All(ctx, con.err, "download", -1, transfer.Downloads(ctx, oc, from, root))
	if err != nil {
		return explainTransfer(err)
	}
	if err := c.say(con, done, "downloaded %s, %s, to %s", many(done.Objects, "object"), size(done.Bytes), c.To); err != nil {
		return err
	}
	return done.Err()
}
