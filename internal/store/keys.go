package store

import (
	"bytes"
	"encoding/binary"
)

// The key spaces of the index: the first byte of each key. docs/formats/store.md
// has the whole picture.
const (
	spaceMeta       = 'A' // facts about the store
	spaceBuckets    = 'B' // bucket by name
	spaceMaps       = 'C' // the pieces that content of several blobs consists of
	spaceData       = 'D' // small blobs
	spaceIntents    = 'I' // blob files on their way in
	spaceVersions   = 'O' // object versions
	spaceParts      = 'P' // parts of unfinished uploads
	spaceRemovals   = 'R' // blob files on their way out
	spaceStatistics = 'S' // statistics by bucket
	spaceUploads    = 'U' // unfinished uploads
)

var (
	keyFormat  = []byte{spaceMeta, 'f'} // version of the layout, 4 bytes big-endian
	keyCeiling = []byte{spaceMeta, 's'} // sequence numbers up to it may be in use, 8 bytes big-endian
	keyBuckets = []byte{spaceMeta, 'b'} // the last bucket id given out, 4 bytes big-endian
)

const (
	bucketHeadLen = 1 + 4 // space and bucket id
	seqLen        = 8
	terminatorLen = 2
)

// appendBucketHead appends what all keys of a bucket in a space begin with.
func appendBucketHead(dst []byte, space byte, bucket uint32) []byte {
	return binary.BigEndian.AppendUint32(append(dst, space), bucket)
}

// appendEscaped appends key so that the bytes compare as the key does whatever
// follows the terminator 00 01: each 00 is written as 00 FF.
func appendEscaped[K string | []byte](dst []byte, key K) []byte {
	for i := range len(key) {
		if dst = append(dst, key[i]); key[i] == 0 {
			dst = append(dst, 0xff)
		}
	}
	return dst
}

// appendKeyHead appends what the index keys of all versions of key begin with,
// and no other key's do.
//
//	O | bucket, 4 bytes big-endian | key, each 00 written as 00 FF | 00 01
func appendKeyHead[K string | []byte](dst []byte, bucket uint32, key K) []byte {
	dst = appendBucketHead(dst, spaceVersions, bucket)
	return append(appendEscaped(dst, key), 0, 1)
}

// appendVersionKey appends the index key of version seq of key.
//
//	key head | ^seq, 8 bytes big-endian
//
// Index keys compare as (key ascending, seq descending), so one forward scan
// yields a listing with the newest version of each key first.
func appendVersionKey[K string | []byte](dst []byte, bucket uint32, key K, seq uint64) []byte {
	return binary.BigEndian.AppendUint64(appendKeyHead(dst, bucket, key), ^seq)
}

// versionSeq is the sequence number at the end of an index key.
func versionSeq(indexKey []byte) uint64 {
	return ^binary.BigEndian.Uint64(indexKey[len(indexKey)-seqLen:])
}

// escapedKey is the part of an index key that holds the object's key.
func escapedKey(indexKey []byte) []byte {
	return indexKey[bucketHeadLen : len(indexKey)-seqLen-terminatorLen]
}

// unescape gives the key that escaped holds; it writes over escaped only if it
// must.
func unescape(escaped []byte) []byte {
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

// unescaped is unescape into a string of its own.
func unescaped(escaped []byte) string {
	if bytes.IndexByte(escaped, 0) < 0 {
		return string(escaped)
	}
	return string(unescape(bytes.Clone(escaped)))
}

// isVersionKey reports whether an index key is one of a version.
func isVersionKey(k []byte) bool {
	return len(k) > bucketHeadLen && k[0] == spaceVersions && split(k) == len(k)-seqLen
}

// appendAfterPrefix appends the first index key after all those that begin with
// what is in dst from start on. There is one, since each begins with a letter.
func appendAfterPrefix(dst []byte, start int) []byte {
	for i := len(dst) - 1; i >= start; i-- {
		if dst[i] != 0xff {
			dst[i]++
			return dst[:i+1]
		}
	}
	return dst
}

// after is the first index key after all those that begin with prefix.
func after(prefix []byte) []byte {
	return appendAfterPrefix(bytes.Clone(prefix), 0)
}

// appendAfterKey appends the first place after all versions of key.
func appendAfterKey[K string | []byte](dst []byte, bucket uint32, key K) []byte {
	start := len(dst)
	return appendAfterPrefix(appendKeyHead(dst, bucket, key), start)
}

// idKey is the key of blob id in a space.
func idKey(space byte, id uint64) []byte {
	return binary.BigEndian.AppendUint64([]byte{space}, id)
}

func bucketKey(name string) []byte { return append([]byte{spaceBuckets}, name...) }

func statisticsKey(bucket uint32) []byte { return appendBucketHead(nil, spaceStatistics, bucket) }
