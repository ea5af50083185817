package parquet_test

import (
	"testing"

	"pgregory.net/rapid"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/membucket"
	"github.com/stocktake/stocktake/report/format/formattest"
	"github.com/stocktake/stocktake/report/parquet"
)

func TestFormat(t *testing.T) {
	formattest.Run(t, parquet.Format, func(t *rapid.T) []stocktake.Record { return membucket.RandomRecords(t, 20, true) })
}
