package layout

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"time"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/object"
)

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

// DecodeHot decodes the fields at fixed offsets of the value of a row into r, which
// is overwritten: all except Key, VersionID, IsLatest, and those that DecodeMore
// adds if HotMore is not 0. The value has at least HotLen bytes.
func DecodeHot(value []byte, r *stocktake.Record) {
	_ = value[HotLen-1]
	flags := value[HotFlags]
	le := binary.LittleEndian
	*r = stocktake.Record{
		Size:           int64(le.Uint64(value[HotSize:])),
		LastModified:   int64(le.Uint64(value[HotTime:])) / 1000,
		CRC64:          le.Uint64(value[HotCRC64:]),
		TaggingCount:   le.Uint16(value[HotTags:]),
		StorageClass:   stocktake.StorageClass(value[HotClass]),
		Type:           stocktake.ObjectType(value[HotType]),
		ACL:            stocktake.ACL(value[HotACL]),
		HasCRC64:       flags&FlagCRC64 != 0,
		IsDeleteMarker: flags&FlagDeleteMarker != 0,
		Multipart:      flags&FlagMultipart != 0,
		Encrypted:      flags&FlagEncrypted != 0,
	}
	r.ETag.Sum = [16]byte(value[HotETag:])
	r.ETag.Parts = le.Uint32(value[HotParts:])
}

// DecodeMore decodes into r the parts that few rows have. ETag.Text points into
// value.
func DecodeMore(value []byte, r *stocktake.Record) error {
	rest, more := value[HotLen:], value[HotMore]
	if more&MoreTransition != 0 {
		if len(rest) < 8 {
			return ErrMalformed
		}
		r.TransitionTime = int64(binary.LittleEndian.Uint64(rest)) / 1000
		rest = rest[8:]
	}
	if more&MoreETagText != 0 {
		n := int(binary.LittleEndian.Uint16(value[HotTextLen:]))
		if len(rest) < n {
			return ErrMalformed
		}
		r.ETag.Text = rest[:n:n]
	}
	return nil
}

// DecodeRow reads the row at an index key. Nothing in it points into value.
func DecodeRow(indexKey, value []byte) (r Row, err error) {
	err = DecodeRowInto(&r, indexKey, value, itemsAll)
	return r, err
}

// IsNull reports whether a row is that of a null version, without decoding it.
func IsNull(indexKey, value []byte) (bool, error) {
	if len(value) < HotLen || value[HotFormat] != RowFormat || !isVersionKey(indexKey) {
		return false, fmt.Errorf("%w: key %x", ErrMalformed, indexKey)
	}
	return value[HotFlags]&FlagNull != 0, nil
}

// DecodeRowInto decodes a row into r, which is overwritten, with some of
// the cold items only.
func DecodeRowInto(r *Row, indexKey, value []byte, cold Items) error {
	if len(value) < HotLen || value[HotFormat] != RowFormat || !isVersionKey(indexKey) {
		return fmt.Errorf("%w: key %x", ErrMalformed, indexKey)
	}
	le := binary.LittleEndian
	flags, more := value[HotFlags], value[HotMore]
	*r = Row{Seq: VersionSeq(indexKey), Null: flags&FlagNull != 0, Report: flags&FlagReport != 0}
	in := &r.Info
	in.Key = Unescaped(EscapedKey(indexKey))
	in.IsDeleteMarker = flags&FlagDeleteMarker != 0
	in.Size = int64(le.Uint64(value[HotSize:]))
	in.CRC64 = le.Uint64(value[HotCRC64:])
	in.LastModified = time.UnixMilli(int64(le.Uint64(value[HotTime:]))).UTC()
	in.Type = stocktake.ObjectType(value[HotType])
	in.StorageClass = stocktake.StorageClass(value[HotClass])
	in.Sealed = flags&FlagSealed != 0
	in.ACL = stocktake.ACL(value[HotACL])
	in.ETag.Sum = [16]byte(value[HotETag:])
	in.ETag.Parts = le.Uint32(value[HotParts:])
	if flags&FlagMD5 != 0 && cold == itemsAll {
		in.MD5 = append([]byte(nil), in.ETag.Sum[:]...)
	}
	rest := value[HotLen:]
	if more&MoreTransition != 0 {
		if len(rest) < 8 {
			return fmt.Errorf("%w: key %x", ErrMalformed, indexKey)
		}
		in.TransitionTime = time.UnixMilli(int64(le.Uint64(rest))).UTC()
		rest = rest[8:]
	}
	if more&MoreETagText != 0 {
		n := int(le.Uint16(value[HotTextLen:]))
		if len(rest) < n {
			return fmt.Errorf("%w: key %x", ErrMalformed, indexKey)
		}
		in.ETag.Text = append([]byte{}, rest[:n]...)
		rest = rest[n:]
	}
	if err := decodeItems(rest, r, cold); err != nil {
		return fmt.Errorf("%w: key %x", err, indexKey)
	}
	return nil
}

// Items says which items are decoded.
type Items uint8

const (
	itemsAll    Items = iota
	ListedItems       // what listings show: the state of a restore
)

func decodeItems(b []byte, r *Row, items Items) error {
	in := &r.Info
	for len(b) > 0 {
		tag := b[0]
		size, n := binary.Uvarint(b[1:])
		if n <= 0 || size > uint64(len(b)-1-n) {
			return ErrMalformed
		}
		item := b[1+n : 1+n+int(size)]
		b = b[1+n+int(size):]
		if items == ListedItems && tag != itemRestore {
			continue
		}
		switch tag {
		case itemContentType:
			in.Headers.ContentType = string(item)
		case itemCacheControl:
			in.Headers.CacheControl = string(item)
		case itemContentDisposition:
			in.Headers.ContentDisposition = string(item)
		case itemContentEncoding:
			in.Headers.ContentEncoding = string(item)
		case itemContentLanguage:
			in.Headers.ContentLanguage = string(item)
		case itemExpires:
			in.Headers.Expires = string(item)
		case itemMeta:
			name, value, ok := decodePair(item)
			if !ok {
				return ErrMalformed
			}
			in.Headers.Meta = append(in.Headers.Meta, object.Meta{Name: name, Value: value})
		case itemTag:
			key, value, ok := decodePair(item)
			if !ok {
				return ErrMalformed
			}
			in.Tags = append(in.Tags, object.Tag{Key: key, Value: value})
		case itemAlgorithm:
			in.Encryption.Algorithm = string(item)
		case itemKeyID:
			in.Encryption.KeyID = string(item)
		case itemDataAlgorithm:
			in.Encryption.Data = string(item)
		case itemDataKey:
			r.DataKey = append([]byte(nil), item...)
		case itemContent:
			if len(item) != 9 {
				return ErrMalformed
			}
			r.Content = Content{Kind: Kind(item[0]), ID: binary.LittleEndian.Uint64(item[1:])}
		case itemMD5:
			in.MD5 = append([]byte(nil), item...)
		case itemSymlink:
			in.Symlink = string(item)
		case itemParts:
			parts, n := binary.Uvarint(item)
			if n <= 0 {
				return ErrMalformed
			}
			in.Parts = int(parts)
		case itemRestore:
			if len(item) != 24 {
				return ErrMalformed
			}
			at := func(off int) time.Time { return FromMilli(int64(binary.LittleEndian.Uint64(item[off:]))) }
			in.Restore = object.Restore{Requested: at(0), Ready: at(8), Expires: at(16)}
		}
	}
	return nil
}

func decodePair(item []byte) (name, value string, ok bool) {
	size, n := binary.Uvarint(item)
	if n <= 0 || size > uint64(len(item)-n) {
		return "", "", false
	}
	return string(item[n : n+int(size)]), string(item[n+int(size):]), true
}
