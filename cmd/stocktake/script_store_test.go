package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"

	"github.com/aliyun/alibabacloud-oss-go-sdk-v2/oss"
	"github.com/rogpeppe/go-internal/testscript"
)

// flipbit GLOB OFFSET: changes one bit of the first file that the pattern
// matches; a negative offset counts from its end.
func flipBit(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: flipbit GLOB OFFSET")
	}
	files, err := filepath.Glob(ts.MkAbs(args[0]))
	ts.Check(err)
	if len(files) == 0 {
		ts.Fatalf("no file is %s", args[0])
	}
	off, err := strconv.Atoi(args[1])
	ts.Check(err)
	b, err := os.ReadFile(files[0])
	ts.Check(err)
	if off < 0 {
		off += len(b)
	}
	b[off] ^= 0x10
	ts.Check(os.WriteFile(files[0], b, 0o600))
}

// smalldisk FOLDER SIZE: mounts a file system of that size, such as 60m, in
// memory.
func smallDisk(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: smalldisk FOLDER SIZE")
	}
	dir := ts.MkAbs(args[0])
	ts.Check(os.MkdirAll(dir, 0o700))
	if out, err := exec.Command("mount", "-t", "tmpfs", "-o", "mode=700,size="+args[1], "tmpfs", dir).CombinedOutput(); err != nil {
		ts.Fatalf("mount needs root: %v: %s", err, out)
	}
	ts.Defer(func() { _ = exec.Command("umount", "-l", dir).Run() })
}

// filldisk FILE [LEFT]: writes to the file until the disk is full, except for LEFT
// bytes.
func fillDisk(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 1 || len(args) > 2 {
		ts.Fatalf("usage: filldisk FILE [LEFT]")
	}
	left := 0
	if len(args) == 2 {
		var err error
		left, err = strconv.Atoi(args[1])
		ts.Check(err)
	}
	f, err := os.Create(ts.MkAbs(args[0]))
	ts.Check(err)
	for block := make([]byte, 1<<20); len(block) > 0; {
		if _, err := f.Write(block); errors.Is(err, syscall.ENOSPC) {
			block = block[:len(block)/2]
		} else {
			ts.Check(err)
		}
	}
	size, err := f.Seek(0, io.SeekCurrent)
	ts.Check(err)
	ts.Check(f.Truncate(size - int64(left)))
	ts.Check(f.Close())
}

// putmany BUCKET COUNT SIZE: puts objects of so many bytes, named by number.
func putMany(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: putmany BUCKET COUNT SIZE")
	}
	count, err := strconv.Atoi(args[1])
	ts.Check(err)
	size, err := strconv.Atoi(args[2])
	ts.Check(err)
	c := scriptClient(ts)
	for i := range count {
		body := bytes.Repeat([]byte(fmt.Sprintf("%08d", i)), size/8)
		_, err := c.PutObject(context.Background(), &oss.PutObjectRequest{Bucket: oss.Ptr(args[0]), Key: oss.Ptr(fmt.Sprintf("%08d", i)), Body: bytes.NewReader(body)})
		ts.Check(err)
	}
}
