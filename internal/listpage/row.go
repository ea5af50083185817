package listpage

import (
	"bytes"
	"fmt"

	"github.com/stocktake/stocktake"
)

// rowKind is the kind of a row.
type rowKind uint8

const (
	rowObject       rowKind = iota // Contents: the current version of a key
	rowVersion                     // Version
	rowDeleteMarker                // DeleteMarker
	numKinds
)

// A field is an element of a row that is part of the record.
type field uint8

const (
	fieldKey field = iota
	fieldVersionID
	fieldIsLatest
	fieldLastModified
	fieldETag
	fieldSize
	fieldStorageClass
	fieldType
	fieldTransitionTime
	numFields
)

// fieldNames are the names of the elements.
var fieldNames = [numFields]string{
	"Key", "VersionId", "IsLatest", "LastModified", "ETag", "Size", "StorageClass", "Type", "TransitionTime",
}

// A row holds the texts of the fields of a row; nil: missing.
type row [numFields][]byte

// of reports whether the record of a row of kind k has the field.
func (f field) of(k rowKind) bool {
	switch f {
	case fieldKey, fieldLastModified:
		return true
	case fieldVersionID, fieldIsLatest:
		return k != rowObject
	}
	return f < numFields && k != rowDeleteMarker
}

// blank returns a record with the fields that all rows of a kind share.
func blank(k rowKind) stocktake.Record {
	r := stocktake.Record{IsLatest: k == rowObject, IsDeleteMarker: k == rowDeleteMarker, ETag: stocktake.ETag{Text: empty}}
	if k != rowDeleteMarker {
		r.Missing = lacking | stocktake.MissingType
		r.StorageClass = stocktake.S3Standard
	}
	return r
}

// add appends the record of a row. Its text must not change until the next Parse.
func (p *Page) add(k rowKind, f *row) error {
	p.Records = append(p.Records, blank(k))
	r := &p.Records[len(p.Records)-1]
	if r.Key = f[fieldKey]; len(r.Key) == 0 {
		return fmt.Errorf("%w: a row has no key", ErrMalformed)
	}
	milli := int64(0)
	for i := fieldVersionID; i < numFields; i++ {
		if !i.of(k) || f[i] == nil && !i.required() {
			continue
		}
		text := trim(f[i])
		ok := true
		if i == fieldLastModified {
			milli, ok = parseTime(text)
			r.LastModified = floorSeconds(milli)
		} else {
			ok = p.set(r, i, text)
		}
		if !ok {
			return fmt.Errorf("%w: key %.200q has %s %.100q", ErrMalformed, r.Key, fieldNames[i], text)
		}
	}
	if r.Type == stocktake.Multipart {
		r.Multipart = true
	}
	p.millis = append(p.millis, milli)
	return nil
}

// required reports whether a row must have the field if its record has it.
func (f field) required() bool {
	return f == fieldKey || f == fieldVersionID || f == fieldIsLatest || f == fieldLastModified || f == fieldSize
}

// set sets a field of a record, except for the key and the time of last
// modification.
func (p *Page) set(r *stocktake.Record, f field, text []byte) (ok bool) {
	switch f {
	case fieldVersionID:
		r.VersionID = text
		return len(text) > 0
	case fieldIsLatest:
		r.IsLatest = string(text) == "true"
		return r.IsLatest || string(text) == "false"
	case fieldSize:
		r.Size, ok = parseSize(text)
		return ok
	case fieldTransitionTime:
		moved, ok := parseTime(text)
		r.TransitionTime = floorSeconds(moved)
		return ok
	case fieldETag:
		if len(text) > 0 {
			r.ETag = stocktake.ParseETag(text)
			r.Multipart = isMultipart(&r.ETag)
		}
	case fieldStorageClass:
		r.StorageClass, ok = p.class(text)
		return ok
	case fieldType:
		r.Type = parseType(text)
		r.Missing &^= stocktake.MissingType
		if len(text) == 0 {
			r.Missing |= stocktake.MissingType
		}
	}
	return true
}

// trim is bytes.TrimSpace with a fast path for texts that need no trimming.
func trim(text []byte) []byte {
	if trimmed(text) {
		return text
	}
	return bytes.TrimSpace(text)
}

// trimmed reports whether text, if it is ASCII, has no white space around it.
func trimmed(text []byte) bool {
	n := len(text)
	return n == 0 || text[0]-'!' <= '~'-'!' && text[n-1]-'!' <= '~'-'!'
}

// lacking are the values that no listing contains.
const lacking = stocktake.MissingEncryption | stocktake.MissingACL | stocktake.MissingTags | stocktake.MissingCRC64

// empty is the text of a missing ETag.
var empty = []byte{}

// parseSize reads a size in bytes: at most 18 digits.
func parseSize(text []byte) (n int64, ok bool) {
	if len(text) == 0 || len(text) > 18 {
		return 0, false
	}
	for _, c := range text {
		if c -= '0'; c > 9 {
			return 0, false
		}
		n = n*10 + int64(c)
	}
	return n, true
}

// leadingSize parses the digits that text begins with, at most 18, and returns
// their number.
func leadingSize(text []byte) (size int64, n int) {
	for n < len(text) && n < 18 {
		c := text[n] - '0'
		if c > 9 {
			break
		}
		size = size*10 + int64(c)
		n++
	}
	return size, n
}

// class returns the storage class with a name. S3 services may omit STANDARD. Most
// rows have the class of the previous row.
func (p *Page) class(name []byte) (stocktake.StorageClass, bool) {
	if len(name) == 0 {
		return stocktake.S3Standard, true
	}
	if string(name) == p.lastClass.String() {
		return p.lastClass, true
	}
	c, ok := stocktake.ListedStorageClass(name)
	if ok {
		p.lastClass = c
	}
	return c, ok
}

// parseType parses an object type. Types that OSS does not have are Normal.
func parseType(text []byte) stocktake.ObjectType {
	for t := stocktake.Normal; t <= stocktake.Symlink; t++ {
		if string(text) == t.String() {
			return t
		}
	}
	return stocktake.Normal
}

// isMultipart reports whether an ETag is that of a multipart upload: it ends in "-n".
func isMultipart(e *stocktake.ETag) bool {
	if e.Text == nil {
		return e.Parts > 0
	}
	i := len(e.Text)
	for i > 0 && e.Text[i-1]-'0' < 10 {
		i--
	}
	return i > 0 && i < len(e.Text) && e.Text[i-1] == '-'
}
