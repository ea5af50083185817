package csvtext_test

import (
	"testing"

	"pgregory.net/rapid"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/membucket"
	"github.com/stocktake/stocktake/report/csvtext"
	"github.com/stocktake/stocktake/report/format/formattest"
)

func TestFormat(t *testing.T) {
	formattest.Run(t, csvtext.Format, func(t *rapid.T) []stocktake.Record { return membucket.RandomRecords(t, 20, true) })
}
