package parquet

import (
	"time"

	"github.com/stocktake/stocktake"
)

// createdBy names the writer in the form that readers parse to work around its known
// faults: application, version, build.
const createdBy = "stocktake version 1.0.0 (build stocktake)"

// The keys of the metadata of a file.
const (
	metaConfiguration = "stocktake.configuration"
	metaRun           = "stocktake.run"
	metaSnapshot      = "stocktake.snapshot"
)

// appendFooter appends FileMetaData.
//
// Source: parquet-format, parquet.thrift.
func (j *joiner) appendFooter(w *structWriter) {
	w.begin()
	w.i32(1, 1)
	w.list(2, thriftStruct, 1+len(j.columns))
	w.begin()
	w.string(4, schemaName)
	w.i32(5, int32(len(j.columns)))
	w.end()
	for _, f := range j.columns {
		specs[f].appendElement(w)
	}
	w.i64(3, j.rows)
	w.list(4, thriftStruct, len(j.groups))
	for i := range j.groups {
		j.groups[i].append(w, j.columns, i)
	}
	if meta := j.meta(); len(meta) > 0 {
		w.list(5, thriftStruct, len(meta))
		for _, m := range meta {
			w.begin()
			w.string(1, m[0])
			w.string(2, m[1])
			w.end()
		}
	}
	w.string(6, createdBy)
	w.list(7, thriftStruct, len(j.columns))
	for range j.columns {
		w.begin()
		w.empty(1) // the order of the type
		w.end()
	}
	w.end()
}

// meta returns the key-value metadata.
func (j *joiner) meta() (meta [][2]string) {
	if o := j.origin; o.Configuration != "" {
		meta = append(meta, [2]string{metaConfiguration, o.Configuration})
	}
	if o := j.origin; o.Run != "" {
		meta = append(meta, [2]string{metaRun, o.Run})
	}
	if o := j.origin; !o.Snapshot.IsZero() {
		meta = append(meta, [2]string{metaSnapshot, o.Snapshot.UTC().Format(time.RFC3339Nano)})
	}
	return meta
}

// appendElement appends the SchemaElement of a column.
func (s spec) appendElement(w *structWriter) {
	w.begin()
	w.i32(1, s.kind.number())
	if s.required {
		w.i32(3, 0)
	} else {
		w.i32(3, 1)
	}
	w.string(4, s.name)
	switch s.kind {
	case keys, text, words:
		w.i32(6, convertedUTF8)
		w.open(10)
		w.empty(1) // STRING
		w.end()
	case times:
		w.i32(6, convertedTimestampMillis)
		w.open(10)
		w.open(8) // TIMESTAMP
		w.bool(1, true)
		w.open(2)
		w.empty(1) // MILLIS
		w.end()
		w.end()
		w.end()
	}
	w.end()
}

// number returns the type of the kind.
func (k kind) number() int32 {
	switch k {
	case flags:
		return typeBoolean
	case counts, times:
		return typeInt64
	}
	return typeByteArray
}

// encodings returns the encodings of the pages of a chunk of the kind.
func (k kind) encodings() []int32 {
	switch k {
	case keys:
		return []int32{encodingRLE, encodingDeltaByteArray}
	case text:
		return []int32{encodingRLE, encodingDeltaLength}
	case words:
		return []int32{encodingPlain, encodingRLE, encodingRLEDictionary}
	case counts, times:
		return []int32{encodingRLE, encodingDelta}
	}
	return []int32{encodingPlain, encodingRLE}
}

// append appends a RowGroup.
func (g *joined) append(w *structWriter, columns []stocktake.Field, ordinal int) {
	w.begin()
	w.list(1, thriftStruct, len(columns))
	size := int64(0)
	for i, f := range columns {
		c := &g.chunks[i]
		size += c.size
		w.begin()
		w.i64(2, 0)
		w.open(3)
		c.append(w, specs[f], g.offset, g.rows)
		w.end()
		at := &g.index[i]
		w.i64(4, at.offsets)
		w.i32(5, at.offsetsLength)
		if at.columnsLength > 0 {
			w.i64(6, at.columns)
			w.i32(7, at.columnsLength)
		}
		w.end()
	}
	w.i64(2, size)
	w.i64(3, g.rows)
	if g.ascending {
		w.list(4, thriftStruct, 1)
		w.begin()
		w.i32(1, 1) // column Key
		w.bool(2, false)
		w.bool(3, false)
		w.end()
	}
	w.i64(5, g.offset)
	w.i64(6, g.stored)
	if ordinal < 1<<15 {
		w.i16(7, int16(ordinal))
	}
	w.end()
}

// append appends ColumnMetaData.
func (c *chunk) append(w *structWriter, s spec, base, rows int64) {
	w.i32(1, s.kind.number())
	encodings := s.kind.encodings()
	w.list(2, thriftI32, len(encodings))
	for _, e := range encodings {
		w.element32(e)
	}
	w.list(3, thriftBinary, 1)
	w.element([]byte(s.name))
	w.i32(4, codecZstd)
	w.i64(5, rows)
	w.i64(6, c.size)
	w.i64(7, c.stored)
	w.i64(9, base+c.data)
	if c.data > c.offset {
		w.i64(11, base+c.offset)
	}
	w.open(12)
	w.i64(3, c.nulls)
	if c.max != nil {
		w.binary(5, c.max)
		w.binary(6, c.min)
	}
	w.end()
}
