package csvgz_test

import (
	"testing"

	"pgregory.net/rapid"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/membucket"
	"github.com/stocktake/stocktake/report/csvgz"
	"github.com/stocktake/stocktake/report/csvgz/csvgztest"
	"github.com/stocktake/stocktake/report/format"
	"github.com/stocktake/stocktake/report/format/formattest"
)

func TestFormat(t *testing.T) {
	sample := func(t *rapid.T) []stocktake.Record { return membucket.RandomRecords(t, 20, true) }
	for name, f := range map[string]format.Format{"csvgz": csvgz.Format, "plain": csvgztest.Plain} {
		t.Run(name, func(t *testing.T) { formattest.Run(t, f, sample) })
	}
}
