package store

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/record"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// Tags of the fields that begin an edit in a manifest of Pebble, in this order.
const (
	tagComparer  = 1 // a string
	tagLogNumber = 2 // the first log that is needed
)

// firstNeededLog returns the number of the first log that the index in dir needs, as its manifest
// has it: the changes in earlier logs are in tables.
func firstNeededLog(fsys vfs.FS, dir string) (needed uint64, err error) {
	desc, err := pebble.Peek(dir, fsys)
	if err != nil || !desc.Exists {
		return 0, err
	}
	f, err := fsys.Open(desc.ManifestFilename)
	if err != nil {
		return 0, incomplete(err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	edits := record.NewReader(f, 0)
	for {
		edit, err := edits.Next()
		if errors.Is(err, io.EOF) || record.IsInvalidRecord(err) {
			return needed, nil // the end, or an edit whose writer was killed
		}
		if err != nil {
			return 0, fmt.Errorf("read %s: %w", desc.ManifestFilename, err)
		}
		log, err := logOfEdit(bufio.NewReader(edit))
		if errors.Is(err, io.ErrUnexpectedEOF) || record.IsInvalidRecord(err) {
			return needed, nil
		}
		if err != nil {
			return 0, fmt.Errorf("read %s: %w", desc.ManifestFilename, err)
		}
		needed = max(needed, log)
	}
}

// logOfEdit returns the first needed log that an edit of a manifest sets, 0 if it sets none.
func logOfEdit(r *bufio.Reader) (uint64, error) {
	tag, err := binary.ReadUvarint(r)
	if err == nil && tag == tagComparer {
		var length uint64
		if length, err = binary.ReadUvarint(r); err == nil {
			if _, err = io.CopyN(io.Discard, r, int64(min(length, 1<<20))); err == nil {
				tag, err = binary.ReadUvarint(r)
			}
		}
	}
	if errors.Is(err, io.EOF) {
		return 0, nil // the edit is empty, or has only the comparer
	}
	if err != nil || tag != tagLogNumber {
		return 0, err
	}
	return binary.ReadUvarint(r)
}
