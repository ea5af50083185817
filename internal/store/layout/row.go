package layout

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/object"
)

// A Row is one version of an object in the index.
type Row struct {
	Info    object.Info // without VersionID and IsLatest, which are derived
	Seq     uint64      // when it was written, in the order of the store; never 0
	Null    bool        // the null version of its key
	Report  bool        // written by a run, as a file of its report
	Content Content
	DataKey []byte // wrapped; nil if not encrypted
}

// Content locates the bytes of a version.
type Content struct {
	Kind Kind
	ID   uint64 // of the blob or the map
}

// InFile reports whether the bytes are a blob file.
func (c Content) InFile() bool { return c.Kind == ContentFile || c.Kind == ContentBare }

// A Kind is the kind of place of content.
type Kind uint8

const (
	ContentEmpty  Kind = iota // no bytes
	ContentInline             // in the index, space D
	ContentBare               // in a blob file without checksums, of before layout 3
	ContentMap                // in several blobs, listed in space C
	_                         // reserved for benches
	ContentFile               // in a blob file
)

// The value of a row begins with the fields that a scan needs, at fixed offsets, little-endian; see
// docs/formats/store.md.
const (
	HotFormat  = 0  // 1 byte, RowFormat
	HotFlags   = 1  // 1 byte, flag*
	HotClass   = 2  // 1 byte
	HotType    = 3  // 1 byte
	HotACL     = 4  // 1 byte
	HotMore    = 5  // 1 byte, more*
	HotTags    = 6  // 2 bytes, number of tags
	HotSize    = 8  // 8 bytes
	HotTime    = 16 // 8 bytes, last modified, Unix milliseconds
	HotCRC64   = 24 // 8 bytes
	HotETag    = 32 // 16 bytes
	HotParts   = 48 // 4 bytes
	HotTextLen = 52 // 2 bytes, length of an ETag that has another form
	HotLen     = 56 // followed by the transition time (8 bytes) and the ETag's text, if flagged, and by the cold part
)

// RowFormat is the first byte of the value of a row.
const RowFormat = 1

// The flags of a row.
const (
	FlagDeleteMarker = 1 << iota // the version is a delete marker
	FlagNull                     // the version is the null version of its key
	FlagCRC64                    // the CRC-64 of the content is known
	FlagMultipart                // made by a multipart upload
	FlagEncrypted                // the content is encrypted
	FlagSealed                   // the appendable object is sealed
	FlagMD5                      // the ETag is the MD5 of the content
	FlagReport                   // written by a run, as a file of its report
)

// The parts of a value that few rows have, in byte HotMore.
const (
	MoreTransition = 1 << iota // there is a transition time
	MoreETagText               // there is an ETag's text
)

// ErrMalformed reports a key or value that this version cannot decode.
var ErrMalformed = errors.New("malformed row in the index")

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

// The cold part of a row is a sequence of items:
//
//	tag, 1 byte | length, uvarint | that many bytes
//
// Empty items are omitted; a tag may repeat only if noted below. A reader skips unknown tags, so
// items can be added without a new format.
const (
	itemContentType        = 1
	itemCacheControl       = 2
	itemContentDisposition = 3
	itemContentEncoding    = 4
	itemContentLanguage    = 5
	itemExpires            = 6
	itemMeta               = 7 // repeats: length of the name, uvarint | name | value
	itemTag                = 8 // repeats: length of the key, uvarint | key | value
	itemAlgorithm          = 9
	itemKeyID              = 10
	itemDataKey            = 11
	itemContent            = 12 // kind, 1 byte | id, 8 bytes little-endian
	itemMD5                = 13 // 16 bytes, where it is not the ETag
	itemSymlink            = 14
	itemParts              = 15 // uvarint
	itemRestore            = 16 // requested, ready, expires: 8 bytes little-endian each, Unix milliseconds
	itemDataAlgorithm      = 17
)

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

// Publish returns the public state of r.
func (r *Row) Publish(versioned, latest bool) object.Info {
	info := r.Info
	info.VersionID, info.IsLatest = r.VersionID(versioned), latest
	return info
}
