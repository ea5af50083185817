package layout

import (
	"bytes"
	"encoding/binary"

	"github.com/cockroachdb/pebble/v2"
)

// The key spaces of the index: the first byte of each key. docs/formats/store.md describes all of
// them.
const (
	SpaceMeta       = 'A' // facts about the store
	SpaceBuckets    = 'B' // bucket by name
	SpaceMaps       = 'C' // lists of pieces, for content of several blobs
	SpaceData       = 'D' // small blobs
	SpaceIntents    = 'I' // blob files being added
	SpaceJournal    = 'J' // changes by bucket, for incremental reports
	SpaceVersions   = 'O' // object versions
	SpaceParts      = 'P' // parts of unfinished uploads
	SpaceRemovals   = 'R' // blob files being removed
	SpaceStatistics = 'S' // statistics by bucket
	SpaceUploads    = 'U' // unfinished uploads
)

var (
	KeyFormat   = []byte{SpaceMeta, 'f'} // version of the layout, 4 bytes big-endian
	KeyCeiling  = []byte{SpaceMeta, 's'} // sequence numbers up to it may be in use, 8 bytes big-endian
	KeyBuckets  = []byte{SpaceMeta, 'b'} // the last bucket id given out, 4 bytes big-endian
	KeyScrub    = []byte{SpaceMeta, 'c'} // progress of the unfinished scrub: an index key
	KeyScrubbed = []byte{SpaceMeta, 'd'} // when the last scrub ended, 8 bytes big-endian, Unix milliseconds
)

// Lengths of parts of keys, in bytes.
const (
	BucketHeadLen = 1 + 4 // space and bucket id
	SeqLen        = 8     // sequence number
	TerminatorLen = 2     // 00 01, after an escaped object key
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

// VersionSeq returns the sequence number at the end of an index key.
func VersionSeq(indexKey []byte) uint64 {
	return ^binary.BigEndian.Uint64(indexKey[len(indexKey)-SeqLen:])
}

// EscapedKey returns the part of an index key that holds the object's key.
func EscapedKey(indexKey []byte) []byte {
	return indexKey[BucketHeadLen : len(indexKey)-SeqLen-TerminatorLen]
}

// Unescape returns the key that escaped holds. It overwrites escaped if the key
// has a zero byte.
func Unescape(escaped []byte) []byte {
	i := bytes.IndexByte(escaped, 0)
	if i < 0 {
		return escaped
	}
	key := escaped[:i]
	for ; i < len(escaped); i++ {
		key = append(key, escaped[i])
		if escaped[i] == 0 {
			i++ // the FF
		}
	}
	return key
}

// Unescaped returns the key that escaped holds, as a new string.
func Unescaped(escaped []byte) string {
	if bytes.IndexByte(escaped, 0) < 0 {
		return string(escaped)
	}
	return string(Unescape(bytes.Clone(escaped)))
}

// isVersionKey reports whether an index key is one of a version.
func isVersionKey(k []byte) bool {
	return len(k) > BucketHeadLen && k[0] == SpaceVersions && split(k) == len(k)-SeqLen
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

// comparer orders index keys by their bytes. Unlike the default it tells Pebble that the versions
// of an object share a prefix, so that filters work per object.
var comparer = func() *pebble.Comparer {
	c := *pebble.DefaultComparer
	c.Name = "stocktake.index.v1"
	c.Split = split
	// Shortened keys must not be cut inside a key head, or their split would differ from that of
	// the original keys; whole keys are always correct.
	c.Separator = func(dst, a, _ []byte) []byte { return append(dst, a...) }
	c.Successor = func(dst, a []byte) []byte { return append(dst, a...) }
	c.ImmediateSuccessor = func(dst, prefix []byte) []byte {
		if n := len(prefix); n > BucketHeadLen && prefix[0] == SpaceVersions && bytes.HasSuffix(prefix, []byte{0, 1}) {
			return append(append(dst, prefix[:n-1]...), 2)
		}
		return append(append(dst, prefix...), 0)
	}
	return &c
}()

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
