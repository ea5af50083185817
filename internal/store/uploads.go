package store

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/stocktake/stocktake/internal/object"
)

// An upload is a row of the object to be, in a space of its own:
//
//	U | bucket, 4 bytes | key, each 00 written as 00 FF | 00 01 | upload id, 16 bytes
//
// The id is made of the row's sequence number; in text it is 32 upper-case hex
// digits. The parts are by that number:
//
//	P | seq, 8 bytes | part number, 2 bytes
const uploadIDLen = 16

// uploadID is the id of the upload that was begun as seq.
func uploadID(seq uint64) (id [uploadIDLen]byte) {
	m := mix(seq)
	binary.BigEndian.PutUint64(id[:], m)
	binary.BigEndian.PutUint64(id[8:], mix(m))
	return id
}

func uploadText(id []byte) string { return strings.ToUpper(hex.EncodeToString(id)) }

// parseUploadID is the inverse of uploadID's text; ok is false for what it never
// made.
func parseUploadID(text string) (seq uint64, ok bool) {
	var id [uploadIDLen]byte
	if len(text) != 2*uploadIDLen || strings.ToUpper(text) != text {
		return 0, false
	}
	if _, err := hex.Decode(id[:], []byte(text)); err != nil {
		return 0, false
	}
	seq = unmix(binary.BigEndian.Uint64(id[:]))
	return seq, uploadID(seq) == id
}

func appendUploadKey(dst []byte, bucket uint32, key string, seq uint64) []byte {
	dst = append(appendEscaped(appendBucketHead(dst, spaceUploads, bucket), key), 0, 1)
	id := uploadID(seq)
	return append(dst, id[:]...)
}

// asVersionKey is the version key of the row that an upload's index key stands
// for, so that one codec does for both.
func asVersionKey(uploadKey []byte) ([]byte, uint64, error) {
	n := len(uploadKey) - uploadIDLen
	if n < bucketHeadLen+terminatorLen {
		return nil, 0, fmt.Errorf("%w: key %x", errRow, uploadKey)
	}
	seq := unmix(binary.BigEndian.Uint64(uploadKey[n:]))
	key := append([]byte{spaceVersions}, uploadKey[1:n]...)
	return binary.BigEndian.AppendUint64(key, ^seq), seq, nil
}

func decodeUpload(uploadKey, value []byte) (*row, error) {
	key, _, err := asVersionKey(uploadKey)
	if err != nil {
		return nil, err
	}
	r, err := decodeRow(key, value)
	return &r, err
}

// upload finds an unfinished upload.
func (s *Store) upload(b *bucket, u object.UploadID) (*row, error) {
	seq, ok := parseUploadID(u.ID)
	if !ok {
		return nil, object.ErrNoSuchUpload
	}
	key := appendUploadKey(nil, b.id, u.Key, seq)
	value, err := s.get(key)
	switch {
	case err != nil:
		return nil, err
	case value == nil:
		return nil, object.ErrNoSuchUpload
	}
	return decodeUpload(key, value)
}

func (r *row) upload() object.Upload {
	id := uploadID(r.seq)
	return object.Upload{
		ID: uploadText(id[:]), Key: r.info.Key, Initiated: r.info.LastModified,
		StorageClass: r.info.StorageClass, Encryption: r.info.Encryption,
	}
}

// InitiateUpload implements ossapi.Uploads.
func (s *Store) InitiateUpload(ctx context.Context, by object.Origin, p object.Put) (begun object.Upload, err error) {
	b, err := s.bucket(p.Bucket)
	if err != nil {
		return object.Upload{}, err
	}
	if err := checkKey(p.Key); err != nil {
		return object.Upload{}, err
	}
	var info object.Info
	e, err := s.describe(ctx, &info, &p.Attributes, b.state.Load())
	if err != nil {
		return object.Upload{}, err
	}
	err = s.change(by, b, p.Key, func(c *change, _ *object.Bucket) error {
		seq, err := s.nextSeq()
		if err != nil {
			return err
		}
		info.Key, info.LastModified = p.Key, s.now()
		r := &row{info: info, seq: seq, dataKey: e.wrapped}
		c.delta[statUploads] = 1
		begun = r.upload()
		return c.batch.Set(appendUploadKey(nil, b.id, p.Key, seq), appendRow(nil, r), nil)
	})
	if err != nil {
		return object.Upload{}, err
	}
	return begun, nil
}

// AbortUpload implements ossapi.Uploads.
func (s *Store) AbortUpload(_ context.Context, by object.Origin, u object.UploadID) error {
	b, err := s.bucket(u.Bucket)
	if err != nil {
		return err
	}
	return s.change(by, b, u.Key, func(c *change, _ *object.Bucket) error {
		r, err := s.upload(b, u)
		if err != nil {
			return err
		}
		parts, err := s.parts(r.seq, 0, object.MaxParts)
		if err != nil {
			return err
		}
		return c.endUpload(r, parts, parts)
	})
}

// endUpload removes the upload r with all its parts, and the content of those in
// unused.
func (c *change) endUpload(r *row, parts, unused []part) error {
	c.delta[statUploads]--
	err := c.batch.Delete(appendUploadKey(nil, c.b.id, r.info.Key, r.seq), nil)
	for i := range parts {
		err = errors.Join(err, c.batch.Delete(partKey(r.seq, parts[i].Number), nil))
	}
	pieces := make([]piece, len(unused))
	for i := range unused {
		pieces[i] = unused[i].piece()
	}
	return errors.Join(err, c.releasePieces(r.seq, pieces))
}

// Parts implements ossapi.Uploads.
func (s *Store) Parts(_ context.Context, u object.UploadID, after, limit int) (object.Upload, []object.Part, bool, error) {
	b, err := s.bucket(u.Bucket)
	if err != nil {
		return object.Upload{}, nil, false, err
	}
	r, err := s.upload(b, u)
	if err != nil {
		return object.Upload{}, nil, false, err
	}
	limit = min(max(limit, 1), maxPage)
	parts, err := s.parts(r.seq, after, limit+1)
	if err != nil {
		return object.Upload{}, nil, false, err
	}
	page := make([]object.Part, min(len(parts), limit))
	for i := range page {
		page[i] = parts[i].Part
	}
	return r.upload(), page, len(parts) > limit, nil
}

// A part is one part of an upload. Its value is
//
//	format, 1 byte, 1 | kind, 1 byte | blob id, 8 bytes | size, 8 bytes | MD5, 16 bytes |
//	CRC-64, 8 bytes | time, 8 bytes, Unix milliseconds; little-endian
type part struct {
	object.Part
	content content
}

const (
	partFormat = 1
	partLen    = 1 + 1 + 8 + 8 + 16 + 8 + 8
)

func (p *part) piece() piece { return piece{p.content, p.Size} }

func partKey(seq uint64, number int) []byte {
	return binary.BigEndian.AppendUint16(idKey(spaceParts, seq), uint16(number))
}

func appendPart(dst []byte, p *part) []byte {
	le := binary.LittleEndian
	dst = le.AppendUint64(append(dst, partFormat, byte(p.content.kind)), p.content.id)
	dst = append(le.AppendUint64(dst, uint64(p.Size)), p.MD5[:]...)
	dst = le.AppendUint64(dst, p.CRC64)
	return le.AppendUint64(dst, uint64(p.LastModified.UnixMilli()))
}

func decodePart(key, value []byte) (part, error) {
	if len(key) != 1+8+2 || len(value) != partLen || value[0] != partFormat {
		return part{}, fmt.Errorf("%w: key %x", errRow, key)
	}
	le := binary.LittleEndian
	return part{
		object.Part{
			Number: int(binary.BigEndian.Uint16(key[9:])), Size: int64(le.Uint64(value[10:])), MD5: [16]byte(value[18:]),
			CRC64: le.Uint64(value[34:]), LastModified: time.UnixMilli(int64(le.Uint64(value[42:]))).UTC(),
		},
		content{contentKind(value[1]), le.Uint64(value[2:])},
	}, nil
}

// parts lists up to limit parts of upload seq with a number above after.
func (s *Store) parts(seq uint64, after, limit int) (parts []part, err error) {
	if after >= object.MaxParts {
		return nil, nil
	}
	it, err := s.db.NewIter(&pebble.IterOptions{LowerBound: partKey(seq, max(after, 0)+1), UpperBound: partKey(seq, object.MaxParts+1)})
	if err != nil {
		return nil, fmt.Errorf("index: %w", err)
	}
	defer it.Close()
	for ok := it.First(); ok && len(parts) < limit; ok = it.Next() {
		value, err := it.ValueAndErr()
		if err != nil {
			return nil, fmt.Errorf("index: %w", err)
		}
		p, err := decodePart(it.Key(), value)
		if err != nil {
			return nil, err
		}
		parts = append(parts, p)
	}
	if err := it.Error(); err != nil {
		return nil, fmt.Errorf("index: %w", err)
	}
	return parts, nil
}
