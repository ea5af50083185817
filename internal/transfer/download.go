package transfer

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"hash/crc64"
	"io"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/aliyun/alibabacloud-oss-go-sdk-v2/oss"
)

// Downloads yields the transfers of all objects below a prefix into a folder,
// under their keys without the prefix.
func Downloads(ctx context.Context, oc *oss.Client, from Address, root *os.Root) iter.Seq2[Item, error] {
	return func(yield func(Item, error) bool) {
		for o, err := range objects(ctx, oc, from) {
			if err != nil {
				yield(Item{}, err)
				return
			}
			key := oss.ToString(o.Key)
			if strings.HasSuffix(key, "/") && o.Size == 0 {
				continue // a folder marker of some clients
			}
			t := Item{name: key, size: o.Size, do: func(ctx context.Context) error {
				name, err := filepath.Localize(strings.TrimPrefix(key, from.Key))
				if err != nil {
					return &fs.PathError{Op: "write", Path: key, Err: errors.New("no file can have this name")}
				}
				_, err = Download(ctx, oc, Address{from.Bucket, key}, root, name)
				return err
			}}
			if !yield(t, nil) {
				return
			}
		}
	}
}

// Download writes an object to a file below root. The file is replaced as a whole
// or not at all. It returns the number of bytes.
func Download(ctx context.Context, oc *oss.Client, from Address, root *os.Root, name string) (n int64, err error) {
	body, err := Open(ctx, oc, from)
	if err != nil {
		return 0, err
	}
	defer body.Close()
	if dir := filepath.Dir(name); dir != "." {
		if err := root.MkdirAll(dir, 0o755); err != nil {
			return 0, err
		}
	}
	part := filepath.Join(filepath.Dir(name), ".stocktake-"+rand.Text())
	f, err := root.OpenFile(part, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	if err != nil {
		return 0, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, root.Remove(part))
		}
	}()
	n, err = io.Copy(f, body)
	if err := errors.Join(err, f.Close()); err != nil {
		return n, err
	}
	return n, root.Rename(part, name)
}

// Open reads an object whose size the service must state, because otherwise a
// truncated body could not be detected. At the end it compares the service's
// checksum with that of the bytes read.
func Open(ctx context.Context, oc *oss.Client, at Address) (io.ReadCloser, error) {
	r, err := oc.GetObject(ctx, &oss.GetObjectRequest{Bucket: &at.Bucket, Key: &at.Key})
	if err != nil {
		return nil, err
	}
	if r.Headers.Get("Content-Length") == "" { // net/http ends the body where it says
		return nil, errors.Join(fmt.Errorf("%s: the service does not state the length of the object", at), r.Body.Close())
	}
	want, err := strconv.ParseUint(oss.ToString(r.HashCRC64), 10, 64)
	if err != nil {
		return r.Body, nil // the service has no checksum of it
	}
	return &checkedBody{ReadCloser: r.Body, at: at, want: want, table: crc64.MakeTable(crc64.ECMA)}, nil
}

// A checkedBody is a body with a known CRC-64.
type checkedBody struct {
	io.ReadCloser
	at        Address
	table     *crc64.Table
	got, want uint64
}

func (b *checkedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.got = crc64.Update(b.got, b.table, p[:n])
	if err == io.EOF && b.got != b.want {
		err = fmt.Errorf("%s: the checksum is wrong: CRC-64 %d, want %d", b.at, b.got, b.want)
	}
	return n, err
}
