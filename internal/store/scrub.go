package store

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/stocktake/stocktake/internal/digest"
	"github.com/stocktake/stocktake/internal/kms"
	"github.com/stocktake/stocktake/internal/object"
	"github.com/stocktake/stocktake/internal/store/layout"
)

// A Scrub holds the counts of [Store.Scrub].
type Scrub struct {
	Objects   int64 // versions and parts whose bytes were read
	Bytes     int64
	Damaged   int64 // of the objects, those that cannot be read as they were written
	Unchecked int64 // encrypted without block checksums, and the store has no keyring
}

// ScrubOptions say how a scrub reads.
type ScrubOptions struct {
	BytesPerSecond int64         // at most; 0: no limit
	Problem        func(Problem) // called for each damaged object; nil: damage is logged only
	Progress       func(Scrub)   // is called now and then; nil: never
	Restart        bool          // begin at the first object, not where an earlier scrub was interrupted
}

const (
	scrubRows = 256              // rows that are read at once, so that no iterator is open while bytes are read
	scrubSave = 10 * time.Second // between two records of the progress
)

// Scrub reads all bytes of all versions and of all parts of unfinished uploads, and compares them
// with their checksums: those of blocks, those of the index, and the CRC-64 of the whole object.
// Requests may be served meanwhile. After an interruption, by ctx or by the end of the process, the
// next scrub resumes at the same place. The error is the reason for an early end of the scrub;
// damaged objects are not an error.
func (s *Store) Scrub(ctx context.Context, opts ScrubOptions) (Scrub, error) {
	sc := &scrubber{s: s, ctx: ctx, opts: opts, start: time.Now(), saved: time.Now()}
	at, err := s.get(layout.KeyScrub)
	if err != nil {
		return Scrub{}, err
	}
	if at == nil || opts.Restart {
		at = []byte{layout.SpaceVersions}
	}
	for _, space := range []byte{layout.SpaceVersions, layout.SpaceUploads} {
		end := []byte{space + 1}
		if bytes.Compare(at, end) >= 0 {
			continue
		}
		if at[0] < space {
			at = []byte{space}
		}
		if err := sc.space(at, end); err != nil {
			return sc.Scrub, fmt.Errorf("scrub: %w", err)
		}
	}
	batch := s.db.NewBatch()
	defer batch.Close()
	now := binary.BigEndian.AppendUint64(nil, uint64(time.Now().UnixMilli()))
	err = errors.Join(batch.Delete(layout.KeyScrub, nil), batch.Set(layout.KeyScrubbed, now, nil), batch.Commit(pebble.Sync))
	return sc.Scrub, err
}

// Scrubbed returns when the last complete scrub ended, on the real clock; zero if
// there was none.
func (s *Store) Scrubbed() (time.Time, error) {
	v, err := s.get(layout.KeyScrubbed)
	if err != nil || len(v) != 8 {
		return time.Time{}, err
	}
	return layout.FromMilli(int64(binary.BigEndian.Uint64(v))), nil
}

// scrubber carries out one scrub.
type scrubber struct {
	Scrub
	s     *Store
	ctx   context.Context
	opts  ScrubOptions
	start time.Time
	saved time.Time // when the place was recorded last
}

// space scrubs the rows in a range of index keys.
func (sc *scrubber) space(from, to []byte) error {
	for {
		rows, err := sc.rows(from, to)
		if err != nil || len(rows) == 0 {
			return err
		}
		for _, r := range rows {
			if err := sc.row(r[0], r[1]); err != nil {
				return errors.Join(err, sc.save(r[0]))
			}
			if time.Since(sc.saved) >= scrubSave {
				if err := sc.save(append(r[0], 0)); err != nil {
					return err
				}
			}
		}
		from = append(rows[len(rows)-1][0], 0)
		if sc.opts.Progress != nil {
			sc.opts.Progress(sc.Scrub)
		}
	}
}

// save records that the scrub has to continue at key.
func (sc *scrubber) save(key []byte) error {
	sc.saved = time.Now()
	return sc.s.db.Set(layout.KeyScrub, key, pebble.NoSync)
}

// rows returns the next keys and values.
func (sc *scrubber) rows(from, to []byte) (rows [][2][]byte, err error) {
	it, err := sc.s.db.NewIter(&pebble.IterOptions{LowerBound: from, UpperBound: to})
	if err != nil {
		return nil, err
	}
	defer it.Close()
	for ok := it.First(); ok && len(rows) < scrubRows; ok = it.Next() {
		value, err := it.ValueAndErr()
		if err != nil {
			return nil, err
		}
		rows = append(rows, [2][]byte{bytes.Clone(it.Key()), bytes.Clone(value)})
	}
	return rows, it.Error()
}

// row scrubs the content that a row names. The error ends the scrub.
func (sc *scrubber) row(key, value []byte) error {
	if err := sc.ctx.Err(); err != nil {
		return err
	}
	b := sc.s.bucketByID(binary.BigEndian.Uint32(key[1:]))
	if b == nil {
		return nil // it was deleted
	}
	if key[0] == layout.SpaceVersions {
		r, err := layout.DecodeRow(key, value)
		if err != nil {
			sc.problem(fmt.Sprintf("row %x of bucket %s", key, b.state.Load().Name), err)
			return nil
		}
		return sc.content(b, key, value, &r)
	}
	upload, err := layout.DecodeUpload(key, value)
	if err != nil {
		sc.problem(fmt.Sprintf("upload %x of bucket %s", key, b.state.Load().Name), err)
		return nil
	}
	parts, err := sc.s.parts(upload.Seq, 0, object.MaxParts)
	if err != nil {
		return err
	}
	for i := range parts {
		r := *upload
		r.Content, r.Info.Size, r.Info.CRC64 = parts[i].Content, parts[i].Size, parts[i].CRC64
		if err := sc.content(b, key, value, &r); err != nil {
			return err
		}
	}
	return nil
}

// content scrubs the content of r, whose row, or that of its upload, is at key.
func (sc *scrubber) content(b *bucket, key, value []byte, r *layout.Row) error {
	if r.Content.Kind == layout.ContentEmpty {
		return nil
	}
	err := sc.read(b, r)
	switch {
	case err == nil:
		sc.Objects++
		return nil
	case sc.ctx.Err() != nil:
		return sc.ctx.Err()
	case errors.Is(err, errNoKeys):
		sc.Unchecked++
		return nil
	}
	now, getErr := sc.s.get(key)
	if getErr == nil && !bytes.Equal(now, value) {
		return nil // it was changed or removed meanwhile
	}
	sc.Objects++
	if errors.Is(err, fs.ErrNotExist) {
		err = errors.New("its bytes are missing")
	}
	sc.problem(fmt.Sprintf("object %q of bucket %s", r.Info.Key, b.state.Load().Name), err)
	return nil
}

func (sc *scrubber) problem(subject string, err error) {
	sc.Damaged++
	if sc.opts.Problem != nil {
		sc.opts.Problem(Problem{subject, err.Error()})
	}
}

// errNoKeys reports content that cannot be checked without its key.
var errNoKeys = errors.New("the content can be checked only with its key")

// read reads and compares the content of r.
func (sc *scrubber) read(b *bucket, r *layout.Row) error {
	if r.DataKey != nil && sc.s.opts.Keys == nil {
		return sc.readSealed(b, r)
	}
	c, err := sc.s.openContent(sc.ctx, b, r)
	if err != nil {
		return err
	}
	defer c.Close()
	reader, err := c.Range(0, r.Info.Size)
	if err != nil {
		return err
	}
	w := &scrubWriter{sc: sc}
	if _, err := io.Copy(w, reader); err != nil {
		return err
	}
	if w.crc64 != r.Info.CRC64 {
		err := fmt.Errorf("its CRC-64 is %d, that of its bytes is %d", r.Info.CRC64, w.crc64)
		sc.s.damageLog(b, r)(err)
		return err
	}
	return nil
}

// readSealed checks encrypted blobs as far as their files have checksums.
func (sc *scrubber) readSealed(b *bucket, r *layout.Row) error {
	pieces := []layout.Piece{{Content: r.Content, Size: r.Info.Size}}
	if r.Content.Kind == layout.ContentMap {
		var err error
		if pieces, err = getPieces(sc.s.db, r.Content.ID); err != nil {
			return err
		}
	}
	unchecked := false
	for _, p := range pieces {
		if p.Kind != layout.ContentFile {
			unchecked = true
			continue
		}
		stored := kms.CipherSize(p.Size)
		f, err := sc.s.blobs.OpenChecked(p.ID, stored)
		if err != nil {
			return err
		}
		f.OnDamage = sc.s.damageLog(b, r)
		reader, err := f.Range(0, stored)
		if err == nil {
			_, err = io.Copy(&scrubWriter{sc: sc}, reader)
		}
		if err := errors.Join(err, f.Close()); err != nil {
			return err
		}
	}
	if unchecked {
		return errNoKeys
	}
	return nil
}

// scrubWriter sums the bytes written to it and limits the rate of the scrub.
type scrubWriter struct {
	sc    *scrubber
	crc64 uint64
}

func (w *scrubWriter) Write(p []byte) (int, error) {
	w.crc64 = digest.UpdateCRC64(w.crc64, p)
	sc := w.sc
	sc.Bytes += int64(len(p))
	if rate := sc.opts.BytesPerSecond; rate > 0 {
		ahead := time.Duration(float64(sc.Bytes)/float64(rate)*float64(time.Second)) - time.Since(sc.start)
		if ahead > time.Millisecond {
			select {
			case <-time.After(ahead):
			case <-sc.ctx.Done():
			}
		}
	}
	return len(p), sc.ctx.Err()
}
