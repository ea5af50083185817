package layout

import (
	"bytes"
	"encoding/binary"
	"time"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/object"
)

// AppendBucketHead appends the prefix of all keys of a bucket in a space.
func AppendBucketHead(dst []byte, space byte, bucket uint32) []byte {
	return binary.BigEndian.AppendUint32(append(dst, space), bucket)
}

// AppendEscaped appends key with each 00 written as 00 FF, followed by the terminator 00 01. The
// bytes compare as the key does, whatever follows.
func AppendEscaped[K string | []byte](dst []byte, key K) []byte {
	for i := range len(key) {
		if dst = append(dst, key[i]); key[i] == 0 {
			dst = append(dst, 0xff)
		}
	}
	return dst
}

// AppendKeyHead appends the common prefix of the index keys of all versions of key. No other key
// has it.
//
//	O | bucket, 4 bytes big-endian | key, each 00 written as 00 FF | 00 01
func AppendKeyHead[K string | []byte](dst []byte, bucket uint32, key K) []byte {
	dst = AppendBucketHead(dst, SpaceVersions, bucket)
	return append(AppendEscaped(dst, key), 0, 1)
}

// AppendVersionKey appends the index key of version seq of key.
//
//	key head | ^seq, 8 bytes big-endian
//
// Index keys compare as (key ascending, seq descending), so one forward scan
// yields a listing with the newest version of each key first.
func AppendVersionKey[K string | []byte](dst []byte, bucket uint32, key K, seq uint64) []byte {
	return binary.BigEndian.AppendUint64(AppendKeyHead(dst, bucket, key), ^seq)
}

// split returns the length of the part of an index key that all versions of an object share: for a
// version up to and including the terminator, else the whole key.
func split(k []byte) int {
	if len(k) <= BucketHeadLen || k[0] != SpaceVersions {
		return len(k)
	}
	for i := BucketHeadLen; ; i += 2 {
		n := bytes.IndexByte(k[i:], 0)
		if n < 0 || i+n+1 >= len(k) {
			return len(k)
		}
		if i += n; k[i+1] == 1 {
			return i + 2
		}
	}
}

// appendAfterPrefix appends the first index key after all keys with the prefix dst[start:]. It
// exists, since each key begins with a letter.
func appendAfterPrefix(dst []byte, start int) []byte {
	for i := len(dst) - 1; i >= start; i-- {
		if dst[i] != 0xff {
			dst[i]++
			return dst[:i+1]
		}
	}
	return dst
}

// After returns the first index key after all those that begin with prefix.
func After(prefix []byte) []byte {
	return appendAfterPrefix(bytes.Clone(prefix), 0)
}

// AppendAfterKey appends the first index key after all versions of key.
func AppendAfterKey[K string | []byte](dst []byte, bucket uint32, key K) []byte {
	start := len(dst)
	return appendAfterPrefix(AppendKeyHead(dst, bucket, key), start)
}

// IDKey returns the key of blob id in a space.
func IDKey(space byte, id uint64) []byte {
	return binary.BigEndian.AppendUint64([]byte{space}, id)
}

// BucketKey returns the key of a bucket.
func BucketKey(name string) []byte { return append([]byte{SpaceBuckets}, name...) }

// StatisticsKey returns the key of the statistics of a bucket.
func StatisticsKey(bucket uint32) []byte { return AppendBucketHead(nil, SpaceStatistics, bucket) }

// AppendRow appends the value of r.
func AppendRow(dst []byte, r *Row) []byte {
	dst, md5IsETag := appendHot(dst, r)
	return appendItems(dst, r, md5IsETag)
}

// appendHot appends the part of r that a scan needs.
func appendHot(dst []byte, r *Row) (_ []byte, md5IsETag bool) {
	var hot [HotLen]byte
	in := &r.Info
	hot[HotFormat] = RowFormat
	flag := func(set bool, bit byte) {
		if set {
			hot[HotFlags] |= bit
		}
	}
	flag(in.IsDeleteMarker, FlagDeleteMarker)
	flag(r.Null, FlagNull)
	flag(!in.IsDeleteMarker && in.Type != stocktake.Symlink, FlagCRC64)
	flag(in.Parts > 0 || in.Type == stocktake.Multipart, FlagMultipart)
	flag(in.Encryption.Algorithm != "", FlagEncrypted)
	flag(in.Sealed, FlagSealed)
	md5IsETag = len(in.MD5) == 16 && in.ETag.Text == nil && in.ETag.Parts == 0 && [16]byte(in.MD5) == in.ETag.Sum
	flag(md5IsETag, FlagMD5)
	flag(r.Report, FlagReport)
	hot[HotClass], hot[HotType], hot[HotACL] = byte(in.StorageClass), byte(in.Type), byte(in.ACL)
	if !in.TransitionTime.IsZero() {
		hot[HotMore] |= MoreTransition
	}
	if in.ETag.Text != nil {
		hot[HotMore] |= MoreETagText
	}
	le := binary.LittleEndian
	le.PutUint16(hot[HotTags:], uint16(len(in.Tags)))
	le.PutUint64(hot[HotSize:], uint64(in.Size))
	le.PutUint64(hot[HotTime:], uint64(in.LastModified.UnixMilli()))
	le.PutUint64(hot[HotCRC64:], in.CRC64)
	copy(hot[HotETag:], in.ETag.Sum[:])
	le.PutUint32(hot[HotParts:], in.ETag.Parts)
	le.PutUint16(hot[HotTextLen:], uint16(len(in.ETag.Text)))
	dst = append(dst, hot[:]...)
	if hot[HotMore]&MoreTransition != 0 {
		dst = le.AppendUint64(dst, uint64(in.TransitionTime.UnixMilli()))
	}
	return append(dst, in.ETag.Text...), md5IsETag
}

func appendItems(dst []byte, r *Row, md5IsETag bool) []byte {
	in := &r.Info
	dst = appendItem(dst, itemContentType, in.Headers.ContentType)
	dst = appendItem(dst, itemCacheControl, in.Headers.CacheControl)
	dst = appendItem(dst, itemContentDisposition, in.Headers.ContentDisposition)
	dst = appendItem(dst, itemContentEncoding, in.Headers.ContentEncoding)
	dst = appendItem(dst, itemContentLanguage, in.Headers.ContentLanguage)
	dst = appendItem(dst, itemExpires, in.Headers.Expires)
	for _, m := range in.Headers.Meta {
		dst = appendPair(dst, itemMeta, m.Name, m.Value)
	}
	for _, t := range in.Tags {
		dst = appendPair(dst, itemTag, t.Key, t.Value)
	}
	dst = appendItem(dst, itemAlgorithm, in.Encryption.Algorithm)
	dst = appendItem(dst, itemKeyID, in.Encryption.KeyID)
	dst = appendItem(dst, itemDataAlgorithm, in.Encryption.Data)
	dst = appendItem(dst, itemDataKey, r.DataKey)
	if r.Content.Kind != ContentEmpty {
		dst = append(dst, itemContent, 9, byte(r.Content.Kind))
		dst = binary.LittleEndian.AppendUint64(dst, r.Content.ID)
	}
	if !md5IsETag {
		dst = appendItem(dst, itemMD5, in.MD5)
	}
	dst = appendItem(dst, itemSymlink, in.Symlink)
	if in.Parts != 0 {
		dst = appendItem(dst, itemParts, binary.AppendUvarint(nil, uint64(in.Parts)))
	}
	if in.Restore != (object.Restore{}) {
		dst = append(dst, itemRestore, 24)
		for _, t := range []time.Time{in.Restore.Requested, in.Restore.Ready, in.Restore.Expires} {
			dst = binary.LittleEndian.AppendUint64(dst, uint64(UnixMilli(t)))
		}
	}
	return dst
}

func appendItem[T string | []byte](dst []byte, tag byte, item T) []byte {
	if len(item) == 0 {
		return dst
	}
	dst = binary.AppendUvarint(append(dst, tag), uint64(len(item)))
	return append(dst, item...)
}

func appendPair(dst []byte, tag byte, name, value string) []byte {
	var head [binary.MaxVarintLen64]byte
	n := binary.PutUvarint(head[:], uint64(len(name)))
	dst = binary.AppendUvarint(append(dst, tag), uint64(n+len(name)+len(value)))
	dst = append(dst, head[:n]...)
	dst = append(dst, name...)
	return append(dst, value...)
}

// UnixMilli returns t in Unix milliseconds, 0 for the zero time.
func UnixMilli(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

// FromMilli is the inverse of [UnixMilli]; its times are in UTC.
func FromMilli(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}

// VersionID returns the id of r in a bucket that is versioned, or that never was.
func (r *Row) VersionID(versioned bool) string {
	switch {
	case !versioned:
		return ""
	case r.Null:
		return object.NullVersion
	}
	return VersionID(r.Seq)
}

// Public returns r as callers of the store see it.
func (r *Row) Public(versioned, latest bool) object.Info {
	info := r.Info
	info.VersionID, info.IsLatest = r.VersionID(versioned), latest
	return info
}

// A delta is a change of a bucket's statistics. It goes into the index in the batch of the change
// itself, as an operand that Pebble merges, so writers do not contend for one sum.
//
// Its encoding has the fields that are not 0, each as
//
//	field, 1 byte | difference, zigzag varint
type Delta [NumStats]int64

// The fields of a delta: objects by class, bytes by class, and
const (
	StatObjects      = 0
	StatBytes        = StatObjects + stocktake.NumStorageClasses
	StatMarkers      = StatBytes + stocktake.NumStorageClasses
	StatUploads      = StatMarkers + 1
	StatLastModified = StatUploads + 1 // Unix milliseconds; the greater one wins
	NumStats         = StatLastModified + 1
)

// Count adds n times the version r.
func (d *Delta) Count(r *Row, n int64) {
	if r.Info.IsDeleteMarker {
		d[StatMarkers] += n
		return
	}
	class := min(int(r.Info.StorageClass), stocktake.NumStorageClasses-1)
	d[StatObjects+class] += n
	d[StatBytes+class] += n * r.Info.Size
}

// Add adds e to d.
func (d *Delta) Add(e *Delta) {
	for i := range StatLastModified {
		d[i] += e[i]
	}
	d[StatLastModified] = max(d[StatLastModified], e[StatLastModified])
}

// AppendTo appends the encoding of d in the index.
func (d *Delta) AppendTo(dst []byte) []byte {
	for i, v := range d {
		if v != 0 {
			dst = binary.AppendVarint(append(dst, byte(i)), v)
		}
	}
	return dst
}
