package main

import (
	"strings"
	"testing"

	"github.com/stocktake/stocktake"
)

// A run that is late is shown as such, whether it has ended or not.
func TestStatusOfLateRuns(t *testing.T) {
	var out strings.Builder
	all := []stocktake.InventoryStatus{
		{Bucket: "photos", Configuration: "a", Enabled: true, Last: &stocktake.Run{State: stocktake.Scanning, Late: true}},
		{Bucket: "photos", Configuration: "b", Enabled: true, Last: &stocktake.Run{State: stocktake.Succeeded}},
	}
	if err := new(inventoryStatus).print(&out, all); err != nil {
		t.Fatal(err)
	}
	if text := out.String(); strings.Count(text, "scanning, late") != 1 || strings.Count(text, "late") != 1 {
		t.Errorf("%s", text)
	}
}
