package store

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strconv"

	"github.com/cockroachdb/pebble/v2"
	"github.com/stocktake/stocktake/internal/kms"
	"github.com/stocktake/stocktake/internal/store/blob"
	"github.com/stocktake/stocktake/internal/store/layout"
)

// An Audit holds the counts of [Store.Audit].
type Audit struct {
	Buckets, Versions, Uploads, Parts int64 // Versions: delete markers included

	Inline      int64 // blobs in the index
	Files       int64 // blob files that rows name
	FileBytes   int64 // their sizes on disk
	Passing     int64 // blob files being added or removed
	InlineBytes int64
	Changes     int64 // in journals
}

// A Problem is a fault that an audit found.
type Problem struct {
	Subject string // the faulty thing, such as "blob 1f", or an object with the index key of its row in hex
	Text    string // what is wrong with it
}

func (p Problem) String() string { return p.Subject + ": " + p.Text }

// Audit compares the index with itself and with the blob files: every blob in a row exists with the right size
// and is named once, no other blob exists, every part belongs to an upload, the statistics of each bucket are
// the sum of its rows, and no change is missing from a journal. It reads the whole index and the names and sizes
// of all files, but not their bytes, and needs 16 bytes of memory per blob. Concurrent writes are allowed.
//
// Audit calls problem for each fault and, unless it is nil, progress with the counts so far every
// few thousand rows and files, both from the caller's goroutine. The error says what could not be
// read.
func (s *Store) Audit(ctx context.Context, problem func(Problem), progress func(Audit)) (Audit, error) {
	if progress == nil {
		progress = func(Audit) {}
	}
	a := &auditor{s: s, ctx: ctx, problem: problem, progress: progress}
	// Files first: a file has its record in the index before it has its name.
	if err := s.blobs.Each(a.fileSeen, a.strayFile); err != nil {
		return a.Audit, fmt.Errorf("audit: %w", err)
	}
	slices.Sort(a.files)
	snapshot := s.db.NewSnapshot()
	defer snapshot.Close()
	a.index = snapshot
	for _, step := range []func() error{a.buckets, a.rows, a.parts, a.journals, a.records, a.inlineBlobs, a.maps, a.fileBlobs} {
		if err := step(); err != nil {
			return a.Audit, fmt.Errorf("audit: %w", err)
		}
	}
	return a.Audit, nil
}

type auditor struct {
	Audit
	s        *Store
	ctx      context.Context
	problem  func(Problem)
	progress func(Audit)
	steps    int // rows and files seen
	index    *pebble.Snapshot

	files   []uint64 // ids of the existing files, ascending
	passing []uint64 // ids that have an intent or a removal

	named, inline, mapped []uint64 // ids in rows: files, blobs in the index, maps

	names   map[uint32]string        // of the buckets
	stats   map[uint32]*layout.Delta // by bucket
	uploads map[uint64]bool          // by sequence number: whether it is encrypted
}

func (a *auditor) wrong(subject, format string, args ...any) {
	a.problem(Problem{subject, fmt.Sprintf(format, args...)})
}

// step is called for each row and file.
func (a *auditor) step() error {
	if a.steps++; a.steps%4096 == 0 {
		a.progress(a.Audit)
	}
	return a.ctx.Err()
}

// subject names a row by its index key, in a form for people if the key can be
// decoded.
func (a *auditor) subject(key []byte) string {
	what, tail := "object", layout.SeqLen
	switch {
	case key[0] == layout.SpaceUploads:
		what, tail = "upload of object", layout.UploadIDLen
	case key[0] == layout.SpaceParts:
		return fmt.Sprintf("part %x", key)
	case key[0] == layout.SpaceJournal:
		return fmt.Sprintf("journal %x", key)
	}
	end := len(key) - tail - layout.TerminatorLen
	if end < layout.BucketHeadLen {
		return fmt.Sprintf("row %x", key)
	}
	name, ok := a.names[binary.BigEndian.Uint32(key[1:])]
	if !ok {
		return fmt.Sprintf("row %x", key)
	}
	return fmt.Sprintf("%s %q of bucket %s (row %x)", what, layout.Unescaped(key[layout.BucketHeadLen:end]), name, key)
}

func blobName(id uint64) string { return "blob " + strconv.FormatUint(id, 16) }

func (a *auditor) fileSeen(id uint64) error {
	a.files = append(a.files, id)
	return a.step()
}

func (a *auditor) strayFile(path string) error {
	a.wrong("file "+path, "the name is not that of a blob")
	return a.step()
}

// each calls f with every key and value of a space.
func (a *auditor) each(space byte, f func(key, value []byte) error) error {
	return eachReadable(a.index, []byte{space}, []byte{space + 1}, func(key, value []byte) error {
		if err := a.step(); err != nil {
			return err
		}
		return f(key, value)
	}, func(g gap) error {
		a.wrong("index", "the keys after %x and before %x cannot be read: %v", g.After, g.Before, g.Err)
		return a.step()
	})
}

func (a *auditor) buckets() error {
	a.names, a.stats = map[uint32]string{}, map[uint32]*layout.Delta{}
	return a.each(layout.SpaceBuckets, func(key, value []byte) error {
		a.Buckets++
		id, _, err := layout.DecodeBucket(string(key[1:]), value)
		if err != nil {
			a.wrong(fmt.Sprintf("bucket %q", key[1:]), "%v", err)
			return nil
		}
		a.names[id], a.stats[id] = string(key[1:]), new(layout.Delta)
		return nil
	})
}

// rows checks versions and uploads, which are both rows, and then their statistics.
func (a *auditor) rows() error {
	a.uploads = map[uint64]bool{}
	if err := a.each(layout.SpaceVersions, func(key, value []byte) error {
		a.Versions++
		r, err := layout.DecodeRow(key, value)
		return a.row(key, value, &r, err, func(d *layout.Delta) { d.Count(&r, 1) })
	}); err != nil {
		return err
	}
	if err := a.each(layout.SpaceUploads, func(key, value []byte) error {
		a.Uploads++
		r, err := layout.DecodeUpload(key, value)
		if err == nil {
			a.uploads[r.Seq] = r.DataKey != nil
		}
		return a.row(key, value, r, err, func(d *layout.Delta) { d[layout.StatUploads]++ })
	}); err != nil {
		return err
	}
	for id, want := range a.stats {
		value, err := get(a.index, layout.StatisticsKey(id))
		if pebble.IsCorruptionError(err) {
			a.wrong("bucket "+a.names[id], "its statistics cannot be read: %v", err)
			continue
		}
		if err != nil {
			return err
		}
		have, err := layout.ParseDelta(value)
		want[layout.StatLastModified] = have[layout.StatLastModified]
		switch subject := "bucket " + a.names[id]; {
		case err != nil:
			a.wrong(subject, "%v", err)
		case have != *want:
			a.wrong(subject, "its statistics are %s, but its rows sum to %s", have, *want)
		}
	}
	return nil
}

// row checks one row, which is r unless it could not be decoded.
func (a *auditor) row(key, value []byte, r *layout.Row, err error, count func(*layout.Delta)) error {
	if err != nil {
		a.wrong(a.subject(key), "%v", err)
		return nil
	}
	d := a.stats[binary.BigEndian.Uint32(key[1:])]
	if d == nil {
		a.wrong(a.subject(key), "its bucket does not exist")
		d = new(layout.Delta)
	}
	count(d)
	c := claim{key: bytes.Clone(key), value: bytes.Clone(value), sealed: r.DataKey != nil}
	if r.Content.Kind != layout.ContentMap {
		return a.blob(&c, layout.Piece{Content: r.Content, Size: r.Info.Size})
	}
	a.mapped = append(a.mapped, r.Content.ID)
	pieces, err := getPieces(a.index, r.Content.ID)
	if err != nil {
		if !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, layout.ErrMalformed) && !pebble.IsCorruptionError(err) {
			return err
		}
		a.wrong(a.subject(key), "map %x: %v", r.Content.ID, err)
		return nil
	}
	size := int64(0)
	for _, p := range pieces {
		size += p.Size
		if err := a.blob(&c, p); err != nil {
			return err
		}
	}
	if size != r.Info.Size {
		a.wrong(a.subject(key), "it has %d bytes, its blobs %d", r.Info.Size, size)
	}
	return nil
}

func (a *auditor) parts() error {
	return a.each(layout.SpaceParts, func(key, value []byte) error {
		a.Parts++
		p, err := layout.DecodePart(key, value)
		if err != nil {
			a.wrong(a.subject(key), "%v", err)
			return nil
		}
		sealed, ok := a.uploads[binary.BigEndian.Uint64(key[1:])]
		if !ok {
			a.wrong(a.subject(key), "its upload does not exist")
		}
		return a.blob(&claim{bytes.Clone(key), bytes.Clone(value), sealed}, p.Piece())
	})
}

// A claim is a row that names blobs.
type claim struct {
	key, value []byte
	sealed     bool
}

// size returns what the blob of a piece takes on disk.
func (c *claim) size(p layout.Piece) int64 {
	if c.sealed {
		return kms.CipherSize(p.Size)
	}
	return p.Size
}

// fileSize returns the size of the file of a piece.
func (c *claim) fileSize(p layout.Piece) int64 {
	if p.Kind == layout.ContentBare {
		return c.size(p)
	}
	return blob.FileSize(c.size(p))
}

// blob checks one blob that a row names.
func (a *auditor) blob(c *claim, p layout.Piece) error {
	switch p.Kind {
	case layout.ContentEmpty:
		if p.Size != 0 {
			a.wrong(a.subject(c.key), "it has %d bytes and no blob", p.Size)
		}
	case layout.ContentInline:
		a.inline = append(a.inline, p.ID)
		data, err := get(a.index, layout.IDKey(layout.SpaceData, p.ID))
		switch {
		case pebble.IsCorruptionError(err):
			a.wrong(a.subject(c.key), "%s cannot be read: %v", blobName(p.ID), err)
		case err != nil:
			return err
		case data == nil:
			a.wrong(a.subject(c.key), "%s is not in the index", blobName(p.ID))
		case int64(len(data)) != c.size(p):
			a.wrong(a.subject(c.key), "%s has %d bytes, want %d", blobName(p.ID), len(data), c.size(p))
		}
		a.Inline++
		a.InlineBytes += int64(len(data))
	case layout.ContentFile, layout.ContentBare:
		a.named = append(a.named, p.ID)
		return a.file(c, p)
	default:
		a.wrong(a.subject(c.key), "content of kind %d", p.Kind)
	}
	return nil
}

func (a *auditor) file(c *claim, p layout.Piece) error {
	a.Files++
	size, err := a.s.blobs.Size(p.ID)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		now, err := a.s.get(c.key)
		if err == nil && bytes.Equal(now, c.value) { // else it was deleted meanwhile
			a.wrong(a.subject(c.key), "%s has no file", blobName(p.ID))
		}
		return err
	case err != nil:
		return err
	case size != c.fileSize(p):
		a.wrong(a.subject(c.key), "the file of %s has %d bytes, want %d", blobName(p.ID), size, c.fileSize(p))
	}
	a.FileBytes += size
	return nil
}

// records reads which files are being written or removed.
func (a *auditor) records() error {
	for _, space := range []byte{layout.SpaceIntents, layout.SpaceRemovals} {
		if err := a.each(space, func(key, _ []byte) error {
			if len(key) != 9 {
				a.wrong(fmt.Sprintf("record %x", key), "%v", layout.ErrMalformed)
				return nil
			}
			a.passing = append(a.passing, binary.BigEndian.Uint64(key[1:]))
			return nil
		}); err != nil {
			return err
		}
	}
	slices.Sort(a.passing)
	return nil
}

func (a *auditor) inlineBlobs() error {
	return a.exactly("blob in the index", layout.SpaceData, a.inline)
}
func (a *auditor) maps() error { return a.exactly("map", layout.SpaceMaps, a.mapped) }

// exactly checks that the keys of a space are the named ones, each exactly once.
func (a *auditor) exactly(what string, space byte, named []uint64) error {
	a.once(what, named)
	return a.each(space, func(key, _ []byte) error {
		if len(key) != 9 {
			a.wrong(fmt.Sprintf("%s %x", what, key), "%v", layout.ErrMalformed)
			return nil
		}
		id := binary.BigEndian.Uint64(key[1:])
		if _, ok := slices.BinarySearch(named, id); !ok {
			a.wrong(fmt.Sprintf("%s %x", what, id), "no row names it")
		}
		return nil
	})
}

// once sorts ids and checks that none occurs twice.
func (a *auditor) once(what string, ids []uint64) {
	slices.Sort(ids)
	for i := 1; i < len(ids); i++ {
		if ids[i] == ids[i-1] {
			a.wrong(fmt.Sprintf("%s %x", what, ids[i]), "two rows name it")
		}
	}
}

// fileBlobs checks that each file is named by a row, an intent or a removal.
func (a *auditor) fileBlobs() error {
	a.once("blob", a.named)
	for _, id := range a.files {
		if _, ok := slices.BinarySearch(a.named, id); ok {
			continue
		}
		if _, ok := slices.BinarySearch(a.passing, id); ok {
			a.Passing++
			continue
		}
		switch _, err := a.s.blobs.Size(id); {
		case err == nil:
			a.wrong(blobName(id), "no row names its file")
		case !errors.Is(err, fs.ErrNotExist): // it was removed meanwhile
			return err
		}
	}
	return nil
}

// String returns a line for people.
func (a Audit) String() string {
	return fmt.Sprintf("%d buckets, %d versions, %d uploads, %d parts, %d blobs in the index, %d blob files of %d bytes, %d temporary files, %d changes in journals",
		a.Buckets, a.Versions, a.Uploads, a.Parts, a.Inline, a.Files, a.FileBytes, a.Passing, a.Changes)
}
