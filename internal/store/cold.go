package store

import (
	"encoding/binary"
	"time"

	"github.com/stocktake/stocktake/internal/object"
)

// The cold part of a row is a sequence of items:
//
//	tag, 1 byte | length, uvarint | that many bytes
//
// Items that are empty are left out; a tag that may repeat says so. A reader
// skips the tags it does not know, so items can be added without a new format.
const (
	coldContentType        = 1
	coldCacheControl       = 2
	coldContentDisposition = 3
	coldContentEncoding    = 4
	coldContentLanguage    = 5
	coldExpires            = 6
	coldMeta               = 7 // repeats: length of the name, uvarint | name | value
	coldTag                = 8 // repeats: length of the key, uvarint | key | value
	coldAlgorithm          = 9
	coldKeyID              = 10
	coldDataKey            = 11
	coldContent            = 12 // kind, 1 byte | id, 8 bytes little-endian
	coldMD5                = 13 // 16 bytes, where it is not the ETag
	coldSymlink            = 14
	coldParts              = 15 // uvarint
	coldRestore            = 16 // requested, ready, expires: 8 bytes little-endian each, Unix milliseconds
	coldDataAlgorithm      = 17
)

func appendCold(dst []byte, r *row, md5IsETag bool) []byte {
	in := &r.info
	dst = appendItem(dst, coldContentType, in.Headers.ContentType)
	dst = appendItem(dst, coldCacheControl, in.Headers.CacheControl)
	dst = appendItem(dst, coldContentDisposition, in.Headers.ContentDisposition)
	dst = appendItem(dst, coldContentEncoding, in.Headers.ContentEncoding)
	dst = appendItem(dst, coldContentLanguage, in.Headers.ContentLanguage)
	dst = appendItem(dst, coldExpires, in.Headers.Expires)
	for _, m := range in.Headers.Meta {
		dst = appendPair(dst, coldMeta, m.Name, m.Value)
	}
	for _, t := range in.Tags {
		dst = appendPair(dst, coldTag, t.Key, t.Value)
	}
	dst = appendItem(dst, coldAlgorithm, in.Encryption.Algorithm)
	dst = appendItem(dst, coldKeyID, in.Encryption.KeyID)
	dst = appendItem(dst, coldDataAlgorithm, in.Encryption.Data)
	dst = appendItem(dst, coldDataKey, r.dataKey)
	if r.content.kind != contentEmpty {
		dst = append(dst, coldContent, 9, byte(r.content.kind))
		dst = binary.LittleEndian.AppendUint64(dst, r.content.id)
	}
	if !md5IsETag {
		dst = appendItem(dst, coldMD5, in.MD5)
	}
	dst = appendItem(dst, coldSymlink, in.Symlink)
	if in.Parts != 0 {
		dst = appendItem(dst, coldParts, binary.AppendUvarint(nil, uint64(in.Parts)))
	}
	if in.Restore != (object.Restore{}) {
		dst = append(dst, coldRestore, 24)
		for _, t := range []time.Time{in.Restore.Requested, in.Restore.Ready, in.Restore.Expires} {
			dst = binary.LittleEndian.AppendUint64(dst, uint64(unixMilli(t)))
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

// coldItems says which items are decoded.
type coldItems uint8

const (
	coldAll    coldItems = iota
	coldListed           // what listings show: the state of a restore
)

func decodeCold(b []byte, r *row, items coldItems) error {
	in := &r.info
	for len(b) > 0 {
		tag := b[0]
		size, n := binary.Uvarint(b[1:])
		if n <= 0 || size > uint64(len(b)-1-n) {
			return errRow
		}
		item := b[1+n : 1+n+int(size)]
		b = b[1+n+int(size):]
		if items == coldListed && tag != coldRestore {
			continue
		}
		switch tag {
		case coldContentType:
			in.Headers.ContentType = string(item)
		case coldCacheControl:
			in.Headers.CacheControl = string(item)
		case coldContentDisposition:
			in.Headers.ContentDisposition = string(item)
		case coldContentEncoding:
			in.Headers.ContentEncoding = string(item)
		case coldContentLanguage:
			in.Headers.ContentLanguage = string(item)
		case coldExpires:
			in.Headers.Expires = string(item)
		case coldMeta:
			name, value, ok := decodePair(item)
			if !ok {
				return errRow
			}
			in.Headers.Meta = append(in.Headers.Meta, object.Meta{Name: name, Value: value})
		case coldTag:
			key, value, ok := decodePair(item)
			if !ok {
				return errRow
			}
			in.Tags = append(in.Tags, object.Tag{Key: key, Value: value})
		case coldAlgorithm:
			in.Encryption.Algorithm = string(item)
		case coldKeyID:
			in.Encryption.KeyID = string(item)
		case coldDataAlgorithm:
			in.Encryption.Data = string(item)
		case coldDataKey:
			r.dataKey = append([]byte(nil), item...)
		case coldContent:
			if len(item) != 9 {
				return errRow
			}
			r.content = content{kind: contentKind(item[0]), id: binary.LittleEndian.Uint64(item[1:])}
		case coldMD5:
			in.MD5 = append([]byte(nil), item...)
		case coldSymlink:
			in.Symlink = string(item)
		case coldParts:
			parts, n := binary.Uvarint(item)
			if n <= 0 {
				return errRow
			}
			in.Parts = int(parts)
		case coldRestore:
			if len(item) != 24 {
				return errRow
			}
			at := func(off int) time.Time { return fromMilli(int64(binary.LittleEndian.Uint64(item[off:]))) }
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

// unixMilli is t in Unix milliseconds, 0 for the zero time.
func unixMilli(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

func fromMilli(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}
