package parquet

import (
	"fmt"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/report/format"
)

// Format is Apache Parquet, an extension: OSS bucket inventory supports only CSV. A
// piece is a row group.
var Format format.Format = parquet{}

type parquet struct{}

func (parquet) Name() string   { return stocktake.FormatParquet }
func (parquet) Suffix() string { return ".parquet" }

// ContentType implements [format.Format].
//
// Source: IANA media types registry.
func (parquet) ContentType() string { return "application/vnd.apache.parquet" }

func (parquet) Schema(columns []stocktake.Field) string { return schemaText(columns) }

func (parquet) ParseSchema(schema string) (columns []stocktake.Field, names []string, err error) {
	if names, err = parseSchema(schema); err != nil {
		return nil, nil, err
	}
	columns = make([]stocktake.Field, len(names))
	for i, name := range names {
		columns[i] = fieldNamed[name]
	}
	return columns, names, nil
}

// PieceRows implements [format.Format]: engines read row groups in parallel, and
// DuckDB's own have 122,880 rows.
func (parquet) PieceRows() int64 { return 1 << 17 }

func (parquet) NewEncoder(bucket string, columns []stocktake.Field) (format.Encoder, error) {
	return New(bucket, columns)
}

func (parquet) NewJoiner(bucket string, columns []stocktake.Field) (format.Joiner, error) {
	if err := check(bucket, columns); err != nil {
		return nil, err
	}
	return &joiner{columns: columns}, nil
}

func (parquet) NewReader(columns []stocktake.Field) format.Reader { return newReader(columns) }

// check returns an error for an invalid bucket or invalid columns of a report.
func check(bucket string, columns []stocktake.Field) error {
	if err := format.CheckColumns(bucket, columns); err != nil {
		return fmt.Errorf("parquet: %w", err)
	}
	for _, f := range columns {
		if specs[f].name == "" {
			return fmt.Errorf("parquet: column %s has no encoding", f)
		}
	}
	return nil
}
