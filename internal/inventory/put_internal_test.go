package inventory

import (
	"strings"
	"testing"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/report"
)

// If checkKeys accepts a folder, no report in it has keys that are too long.
func TestLongestName(t *testing.T) {
	const id = "daily"
	at := report.Location{Bucket: "photos", Configuration: id}
	cfg := stocktake.InventoryConfiguration{ID: id}
	for len(reportFolder(at.Bucket, &cfg)) < stocktake.MaxKeyLength-longestName {
		at.Prefix += "p"
		cfg.Destination.Prefix = at.Prefix
	}
	if err := at.CheckWindowKeys(); err != nil {
		t.Error(err)
	}
	for _, f := range report.Formats() {
		if err := at.CheckKeys(f); err != nil {
			t.Errorf("%s: %v", f.Name(), err)
		}
	}
	if strings.Count(at.Prefix, "p") < 100 {
		t.Errorf("prefix of %d bytes", len(at.Prefix))
	}
}
