package report

import (
	"fmt"
	"strings"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/csvrow"
	"github.com/stocktake/stocktake/report/csvgz"
	"github.com/stocktake/stocktake/report/csvtext"
	"github.com/stocktake/stocktake/report/format"
	"github.com/stocktake/stocktake/report/parquet"
)

// A Format is a file format of shards; see [format.Format].
type Format = format.Format

// A Row is a row of a report, decoded; see [format.Row].
type Row = format.Row

// A RowError says which row of a shard cannot be read, and why; see
// [format.RowError].
type RowError = format.RowError

// An Origin says which run has made a shard; see [format.Origin].
type Origin = format.Origin

// formats is the table of formats. To add a format, add a package next to csvgz and
// a line here.
var formats = []Format{
	csvgz.Format,
	parquet.Format,
}

// Formats returns the formats that reports can have.
func Formats() []Format { return append([]Format(nil), formats...) }

// FormatNamed returns the format that a configuration or a manifest calls name;
// names are case-sensitive. An error if there is none.
func FormatNamed(name string) (Format, error) {
	for _, f := range formats {
		if f.Name() == name {
			return f, nil
		}
	}
	names := make([]string, len(formats))
	for i, f := range formats {
		names[i] = f.Name()
	}
	return nil, fmt.Errorf("format %.40q is not one of %s; have the reports written in one of these", name, strings.Join(names, ", "))
}

// formatOf returns the format of the report's files. Those of an incremental report
// have no compression.
func formatOf(m *stocktake.Manifest) (Format, error) {
	if m.Incremental() && m.FileFormat == csvtext.Format.Name() {
		return csvtext.Format, nil
	}
	return FormatNamed(m.FileFormat)
}

// AppendKey appends key as it stands in manifest.summary, percent-encoded, to
// dst.
func AppendKey(dst, key []byte) []byte { return csvrow.AppendKey(dst, key) }

// ParseKey is the inverse of AppendKey. It returns an error if encoded has a '%'
// without two hexadecimal digits.
func ParseKey(encoded string) ([]byte, error) { return csvrow.AppendUnescaped(nil, []byte(encoded)) }
