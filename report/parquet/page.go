package parquet

import (
	"hash/crc32"
	"strconv"
)

// The numbers of types, encodings and codecs in Parquet.
//
// Source: parquet-format, parquet.thrift.
const (
	typeBoolean   = 0
	typeInt32     = 1
	typeInt64     = 2
	typeInt96     = 3
	typeByteArray = 6

	encodingPlain            = 0
	encodingPlainDictionary  = 2
	encodingRLE              = 3
	encodingDelta            = 5
	encodingDeltaLength      = 6
	encodingDeltaByteArray   = 7
	encodingRLEDictionary    = 8
	codecUncompressed        = 0
	codecSnappy              = 1
	codecGzip                = 2
	codecZstd                = 6
	pageData                 = 0
	pageDictionary           = 2
	pageDataV2               = 3
	convertedUTF8            = 0
	convertedTimestampMillis = 9
	convertedTimestampMicros = 10
)

// codecName returns the name of a codec, and its number if it has none.
//
// Source: parquet-format, parquet.thrift, CompressionCodec.
func codecName(codec int64) string {
	names := []string{"UNCOMPRESSED", "SNAPPY", "GZIP", "LZO", "BROTLI", "LZ4", "ZSTD", "LZ4_RAW"}
	if codec >= 0 && codec < int64(len(names)) {
		return names[codec]
	}
	return strconv.FormatInt(codec, 10)
}

// A chunk is the footer's data about a column of a row group, with offsets from the
// first byte of the row group.
type chunk struct {
	kind         kind
	offset       int64 // of the first page
	data         int64 // of the first data page, which follows the dictionary if there is one
	stored, size int64 // bytes of all pages with their headers, compressed and not
	nulls        int64
	bounds            // of all values
	indexed      bool // each page has bounds or is empty
	pages        []page
}

// A page is the page index's data about a page.
type page struct {
	offset int64 // from the first byte of the row group
	stored int32 // bytes, with its header
	row    int64 // number of rows of the row group before it
	nulls  int64
	empty  bool // no row has a value
	bounds
}

// bounds are the least and the greatest of some values; none if min is nil.
type bounds struct{ min, max []byte }

// A rowGroup is the Detail of a piece.
type rowGroup struct {
	ascending bool // the keys ascend in their stored form
	chunks    []chunk
}

// appendPage appends a page with its header to dst.
func appendPage(dst []byte, w *structWriter, dictionary bool, values, encoding int, size int, stored []byte) []byte {
	w.b, w.last = w.b[:0], w.last[:0]
	w.begin()
	if dictionary {
		w.i32(1, pageDictionary)
	} else {
		w.i32(1, pageData)
	}
	w.i32(2, int32(size))
	w.i32(3, int32(len(stored)))
	w.i32(4, int32(crc32.ChecksumIEEE(stored)))
	if dictionary {
		w.open(7)
		w.i32(1, int32(values))
		w.i32(2, int32(encoding))
	} else {
		w.open(5)
		w.i32(1, int32(values))
		w.i32(2, int32(encoding))
		w.i32(3, encodingRLE)
		w.i32(4, encodingRLE)
	}
	w.end()
	w.end()
	return append(append(dst, w.b...), stored...)
}
