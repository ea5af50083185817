package layout

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strings"
	"time"

	"github.com/stocktake/stocktake/internal/object"
)

// An upload is a row of the future object, in a key space of its own:
//
//	U | bucket, 4 bytes | key, each 00 written as 00 FF | 00 01 | upload id, 16 bytes
//
// The id is derived from the row's sequence number; as text it is 32 upper-case hex digits. The
// keys of the parts have that number:
//
//	P | seq, 8 bytes | part number, 2 bytes
const UploadIDLen = 16

// uploadID returns the id of the upload with the sequence number seq.
func uploadID(seq uint64) (id [UploadIDLen]byte) {
	m := mix(seq)
	binary.BigEndian.PutUint64(id[:], m)
	binary.BigEndian.PutUint64(id[8:], mix(m))
	return id
}

func uploadText(id []byte) string { return strings.ToUpper(hex.EncodeToString(id)) }

// ParseUploadID is the inverse of UploadText; ok is false for an id that UploadText cannot return.
func ParseUploadID(text string) (seq uint64, ok bool) {
	var id [UploadIDLen]byte
	if len(text) != 2*UploadIDLen || strings.ToUpper(text) != text {
		return 0, false
	}
	if _, err := hex.Decode(id[:], []byte(text)); err != nil {
		return 0, false
	}
	seq = unmix(binary.BigEndian.Uint64(id[:]))
	return seq, uploadID(seq) == id
}

// AppendUploadKey appends the index key of upload seq to key.
func AppendUploadKey(dst []byte, bucket uint32, key string, seq uint64) []byte {
	dst = append(AppendEscaped(AppendBucketHead(dst, SpaceUploads, bucket), key), 0, 1)
	id := uploadID(seq)
	return append(dst, id[:]...)
}

// asVersionKey returns the version key that corresponds to an upload's index key, so that one codec
// serves both.
func asVersionKey(uploadKey []byte) ([]byte, uint64, error) {
	n := len(uploadKey) - UploadIDLen
	if n < BucketHeadLen+TerminatorLen {
		return nil, 0, fmt.Errorf("%w: key %x", ErrMalformed, uploadKey)
	}
	seq := unmix(binary.BigEndian.Uint64(uploadKey[n:]))
	key := append([]byte{SpaceVersions}, uploadKey[1:n]...)
	return binary.BigEndian.AppendUint64(key, ^seq), seq, nil
}

// DecodeUpload decodes the row of the future object from the key and value of an upload. The error
// is ErrMalformed.
func DecodeUpload(uploadKey, value []byte) (*Row, error) {
	key, _, err := asVersionKey(uploadKey)
	if err != nil {
		return nil, err
	}
	r, err := DecodeRow(key, value)
	return &r, err
}

// Upload returns the upload whose row is r.
func (r *Row) Upload() object.Upload {
	id := uploadID(r.Seq)
	return object.Upload{
		ID: uploadText(id[:]), Key: r.Info.Key, Initiated: r.Info.LastModified,
		StorageClass: r.Info.StorageClass, Encryption: r.Info.Encryption, Meta: r.Info.Headers.Meta,
	}
}

// A part is one part of an upload. Its value is
//
//	format, 1 byte, 1 | kind, 1 byte | blob id, 8 bytes | size, 8 bytes | MD5, 16 bytes |
//	CRC-64, 8 bytes | time, 8 bytes, Unix milliseconds; little-endian
type Part struct {
	object.Part
	Content Content
}

const (
	partFormat = 1
	partLen    = 1 + 1 + 8 + 8 + 16 + 8 + 8
)

// Piece returns the piece that p becomes in a completed object.
func (p *Part) Piece() Piece { return Piece{p.Content, p.Size} }

// PartKey returns the key of a part of upload seq; number is from 1 to 10,000.
func PartKey(seq uint64, number int) []byte {
	return binary.BigEndian.AppendUint16(IDKey(SpaceParts, seq), uint16(number))
}

// AppendPart appends the value of p.
func AppendPart(dst []byte, p *Part) []byte {
	le := binary.LittleEndian
	dst = le.AppendUint64(append(dst, partFormat, byte(p.Content.Kind)), p.Content.ID)
	dst = append(le.AppendUint64(dst, uint64(p.Size)), p.MD5[:]...)
	dst = le.AppendUint64(dst, p.CRC64)
	return le.AppendUint64(dst, uint64(p.LastModified.UnixMilli()))
}

// DecodePart reads the key and value of a part. The error is ErrMalformed.
func DecodePart(key, value []byte) (Part, error) {
	if len(key) != 1+8+2 || len(value) != partLen || value[0] != partFormat {
		return Part{}, fmt.Errorf("%w: key %x", ErrMalformed, key)
	}
	le := binary.LittleEndian
	return Part{
		object.Part{
			Number: int(binary.BigEndian.Uint16(key[9:])), Size: int64(le.Uint64(value[10:])), MD5: [16]byte(value[18:]),
			CRC64: le.Uint64(value[34:]), LastModified: time.UnixMilli(int64(le.Uint64(value[42:]))).UTC(),
		},
		Content{Kind(value[1]), le.Uint64(value[2:])},
	}, nil
}
