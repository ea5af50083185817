package csvgz

import (
	"fmt"
	"strings"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/report/format"
)

// Format is CSV in gzip, the format of OSS bucket inventory. A shard is one
// gzip member.
//
// Source: OSS developer guide, bucket inventory.
var Format format.Format = csvGzip{}

type csvGzip struct{}

func (csvGzip) Name() string   { return stocktake.FormatCSV }
func (csvGzip) Suffix() string { return ".csv.gz" }

// PieceRows implements [format.Format].
func (csvGzip) PieceRows() int64 { return 1 << 15 }

// ContentType implements [format.Format]. A shard has no Content-Encoding: with
// one, HTTP clients would decompress it, and its MD5 would no longer match.
func (csvGzip) ContentType() string { return "application/octet-stream" }

func (csvGzip) Schema(columns []stocktake.Field) string { return stocktake.FileSchema(columns) }

func (csvGzip) ParseSchema(schema string) (columns []stocktake.Field, names []string, err error) {
	return stocktake.ParseFileSchema(schema)
}

func (csvGzip) NewEncoder(bucket string, columns []stocktake.Field) (format.Encoder, error) {
	return New(bucket, columns)
}

func (csvGzip) NewJoiner(bucket string, columns []stocktake.Field) (format.Joiner, error) {
	if err := check(bucket, columns); err != nil {
		return nil, err
	}
	return new(joiner), nil
}

func (csvGzip) NewReader(columns []stocktake.Field) format.Reader { return newReader(columns) }

// check returns an error for an invalid bucket or invalid columns of a report.
func check(bucket string, columns []stocktake.Field) error {
	if err := format.CheckColumns(bucket, columns); err != nil {
		return fmt.Errorf("csvgz: %w", err)
	}
	if strings.ContainsAny(bucket, "\",\r\n") {
		return fmt.Errorf("csvgz: bucket name %q cannot be a column", bucket)
	}
	for _, f := range columns[2:] {
		if !encodes(f) {
			return fmt.Errorf("csvgz: column %s has no encoding", f)
		}
	}
	return nil
}
