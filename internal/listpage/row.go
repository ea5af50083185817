package listpage

import (
	"bytes"
	"fmt"

	"github.com/stocktake/stocktake"
)

// kind is what a row is.
type kind uint8

const (
	current kind = iota // Contents: the current version of a key
	version             // Version
	marker              // DeleteMarker
	numKinds
)

// A field is an element of a row that becomes part of its record.
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

// A row is the text of the fields of a row; nil: it is missing.
type row [numFields][]byte

// add appends the record of a row. Its text must stay as it is until the page is
// parsed again.
func (p *Page) add(k kind, f *row) error {
	for i := fieldVersionID; i < numFields; i++ {
		f[i] = trim(f[i])
	}
	p.Records = append(p.Records, stocktake.Record{Key: f[fieldKey], IsLatest: true, IsDeleteMarker: k == marker})
	r := &p.Records[len(p.Records)-1]
	if len(r.Key) == 0 {
		return fmt.Errorf("%w: a row has no key", ErrMalformed)
	}
	wrong := func(i field) error {
		return fmt.Errorf("%w: key %.200q has %s %.100q", ErrMalformed, r.Key, fieldNames[i], f[i])
	}
	if k != current {
		switch string(f[fieldIsLatest]) {
		case "true":
		case "false":
			r.IsLatest = false
		default:
			return wrong(fieldIsLatest)
		}
		if r.VersionID = f[fieldVersionID]; len(r.VersionID) == 0 {
			return wrong(fieldVersionID)
		}
	}
	milli, ok := parseTime(f[fieldLastModified])
	if !ok {
		return wrong(fieldLastModified)
	}
	r.LastModified = floorSeconds(milli)
	r.ETag.Text = empty
	if k != marker {
		if r.Size, ok = parseSize(f[fieldSize]); !ok {
			return wrong(fieldSize)
		}
		if f[fieldTransitionTime] != nil {
			moved, ok := parseTime(f[fieldTransitionTime])
			if !ok {
				return wrong(fieldTransitionTime)
			}
			r.TransitionTime = floorSeconds(moved)
		}
		if len(f[fieldETag]) > 0 {
			r.ETag = stocktake.ParseETag(f[fieldETag])
		}
		if r.StorageClass, ok = p.class(f[fieldStorageClass]); !ok {
			return wrong(fieldStorageClass)
		}
		r.Type = parseType(f[fieldType])
		r.Missing = lacking
		if len(f[fieldType]) == 0 {
			r.Missing |= stocktake.MissingType
		}
		r.Multipart = r.Type == stocktake.Multipart || ofParts(&r.ETag)
	}
	p.millis = append(p.millis, milli)
	return nil
}

// trim is bytes.TrimSpace, which most texts do not need.
func trim(text []byte) []byte {
	if trimmed(text) {
		return text
	}
	return bytes.TrimSpace(text)
}

// trimmed reports whether text has no blanks around it, if it is of ASCII.
func trimmed(text []byte) bool {
	n := len(text)
	return n == 0 || text[0]-'!' <= '~'-'!' && text[n-1]-'!' <= '~'-'!'
}

// lacking is what no listing tells.
const lacking = stocktake.MissingEncryption | stocktake.MissingACL | stocktake.MissingTags | stocktake.MissingCRC64

// empty is the text of an ETag that is not there.
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

// class returns the storage class with a name. Stores of S3 may leave STANDARD
// out. Most rows have the class of the row before.
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

// parseType reads an object type. Types that are not OSS's are Normal.
func parseType(text []byte) stocktake.ObjectType {
	for t := stocktake.Normal; t <= stocktake.Symlink; t++ {
		if string(text) == t.String() {
			return t
		}
	}
	return stocktake.Normal
}

// ofParts reports whether an ETag is one of a multipart upload: it ends in "-n".
func ofParts(e *stocktake.ETag) bool {
	if e.Text == nil {
		return e.Parts > 0
	}
	i := len(e.Text)
	for i > 0 && e.Text[i-1]-'0' < 10 {
		i--
	}
	return i > 0 && i < len(e.Text) && e.Text[i-1] == '-'
}
