package layout

import (
	"errors"

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

// ErrMalformed reports a key or value that this version cannot decode.
var ErrMalformed = errors.New("malformed row in the index")
