package store

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/object"
)

// A row is one version of an object as the index keeps it.
type row struct {
	info    object.Info // without VersionID and IsLatest, which are derived
	seq     uint64      // when it was written, in the order of the store; never 0
	null    bool        // the null version of its key
	report  bool        // written by a run, as a file of its report
	content content
	dataKey []byte // wrapped; nil if not encrypted
}

// content is where the bytes of a version lie.
type content struct {
	kind contentKind
	id   uint64 // of the blob or the map
}

type contentKind uint8

const (
	contentEmpty   contentKind = iota // there are none
	contentInline                     // in the index, space D
	contentFile                       // in a blob file
	contentMap                        // in several blobs, listed in space C
	contentMissing                    // never were here: the row was ingested
)

// The value of a row begins with what a scan needs, at fixed offsets; the
// little-endian fields are those of docs/formats/store.md.
const (
	hotFormat  = 0  // 1 byte, rowFormat
	hotFlags   = 1  // 1 byte, flag*
	hotClass   = 2  // 1 byte
	hotType    = 3  // 1 byte
	hotACL     = 4  // 1 byte
	hotMore    = 5  // 1 byte, more*
	hotTags    = 6  // 2 bytes, number of tags
	hotSize    = 8  // 8 bytes
	hotTime    = 16 // 8 bytes, last modified, Unix milliseconds
	hotCRC64   = 24 // 8 bytes
	hotETag    = 32 // 16 bytes
	hotParts   = 48 // 4 bytes
	hotTextLen = 52 // 2 bytes, length of an ETag that has another form
	hotLen     = 56 // then the transition time (8 bytes) and the ETag's text, if the flags say so, then the cold part
)

const rowFormat = 1

const (
	flagDeleteMarker = 1 << iota
	flagNull
	flagCRC64
	flagMultipart
	flagEncrypted
	flagSealed
	flagMD5 // the ETag is the MD5 of the content
	flagReport
)

const (
	moreTransition = 1 << iota // there is a transition time
	moreETagText               // there is an ETag's text
)

var errRow = errors.New("malformed row in the index")

// appendRow appends the value of r.
func appendRow(dst []byte, r *row) []byte {
	var hot [hotLen]byte
	in := &r.info
	hot[hotFormat] = rowFormat
	flag := func(set bool, bit byte) {
		if set {
			hot[hotFlags] |= bit
		}
	}
	flag(in.IsDeleteMarker, flagDeleteMarker)
	flag(r.null, flagNull)
	flag(!in.IsDeleteMarker && in.Type != stocktake.Symlink, flagCRC64)
	flag(in.Parts > 0 || in.Type == stocktake.Multipart, flagMultipart)
	flag(in.Encryption.Algorithm != "", flagEncrypted)
	flag(in.Sealed, flagSealed)
	md5IsETag := len(in.MD5) == 16 && in.ETag.Text == nil && in.ETag.Parts == 0 && [16]byte(in.MD5) == in.ETag.Sum
	flag(md5IsETag, flagMD5)
	flag(r.report, flagReport)
	hot[hotClass], hot[hotType], hot[hotACL] = byte(in.StorageClass), byte(in.Type), byte(in.ACL)
	if !in.TransitionTime.IsZero() {
		hot[hotMore] |= moreTransition
	}
	if in.ETag.Text != nil {
		hot[hotMore] |= moreETagText
	}
	le := binary.LittleEndian
	le.PutUint16(hot[hotTags:], uint16(len(in.Tags)))
	le.PutUint64(hot[hotSize:], uint64(in.Size))
	le.PutUint64(hot[hotTime:], uint64(in.LastModified.UnixMilli()))
	le.PutUint64(hot[hotCRC64:], in.CRC64)
	copy(hot[hotETag:], in.ETag.Sum[:])
	le.PutUint32(hot[hotParts:], in.ETag.Parts)
	le.PutUint16(hot[hotTextLen:], uint16(len(in.ETag.Text)))
	dst = append(dst, hot[:]...)
	if hot[hotMore]&moreTransition != 0 {
		dst = le.AppendUint64(dst, uint64(in.TransitionTime.UnixMilli()))
	}
	dst = append(dst, in.ETag.Text...)
	return appendCold(dst, r, md5IsETag)
}

// decodeRow reads the row at an index key. Nothing in it points into value.
func decodeRow(indexKey, value []byte) (r row, err error) {
	return r, decodeRowInto(&r, indexKey, value, coldAll)
}

// decodeRowInto is decodeRow into r, which is overwritten, with some of the cold
// items only.
func decodeRowInto(r *row, indexKey, value []byte, cold coldItems) error {
	if len(value) < hotLen || value[hotFormat] != rowFormat || !isVersionKey(indexKey) {
		return fmt.Errorf("%w: key %x", errRow, indexKey)
	}
	le := binary.LittleEndian
	flags, more := value[hotFlags], value[hotMore]
	*r = row{seq: versionSeq(indexKey), null: flags&flagNull != 0, report: flags&flagReport != 0}
	in := &r.info
	in.Key = unescaped(escapedKey(indexKey))
	in.IsDeleteMarker = flags&flagDeleteMarker != 0
	in.Size = int64(le.Uint64(value[hotSize:]))
	in.CRC64 = le.Uint64(value[hotCRC64:])
	in.LastModified = time.UnixMilli(int64(le.Uint64(value[hotTime:]))).UTC()
	in.Type = stocktake.ObjectType(value[hotType])
	in.StorageClass = stocktake.StorageClass(value[hotClass])
	in.Sealed = flags&flagSealed != 0
	in.ACL = stocktake.ACL(value[hotACL])
	in.ETag.Sum = [16]byte(value[hotETag:])
	in.ETag.Parts = le.Uint32(value[hotParts:])
	if flags&flagMD5 != 0 && cold == coldAll {
		in.MD5 = append([]byte(nil), in.ETag.Sum[:]...)
	}
	rest := value[hotLen:]
	if more&moreTransition != 0 {
		if len(rest) < 8 {
			return fmt.Errorf("%w: key %x", errRow, indexKey)
		}
		in.TransitionTime = time.UnixMilli(int64(le.Uint64(rest))).UTC()
		rest = rest[8:]
	}
	if more&moreETagText != 0 {
		n := int(le.Uint16(value[hotTextLen:]))
		if len(rest) < n {
			return fmt.Errorf("%w: key %x", errRow, indexKey)
		}
		in.ETag.Text = append([]byte{}, rest[:n]...)
		rest = rest[n:]
	}
	if err := decodeCold(rest, r, cold); err != nil {
		return fmt.Errorf("%w: key %x", err, indexKey)
	}
	return nil
}
