package main

import (
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stocktake/stocktake"
)

// A run that is late is shown as such, whether it has ended or not.
func TestStatusOfLateRuns(t *testing.T) {
	var out strings.Builder
	all := []stocktake.InventoryStatus{
		{Bucket: "photos", Configuration: "a", Enabled: true, Last: &stocktake.Run{State: stocktake.Scanning, Late: true}},
		{Bucket: "photos", Configuration: "b", Enabled: true, Last: &stocktake.Run{State: stocktake.Succeeded}},
	}
	if err := new(inventoryStatus).print(&out, all, nil); err != nil {
		t.Fatal(err)
	}
	if text := out.String(); strings.Count(text, "scanning, late") != 1 || strings.Count(text, "late") != 1 {
		t.Errorf("%s", text)
	}
}

// A failed run is shown with the age of the last success and what is published.
func TestStatusOfSuccess(t *testing.T) {
	var out strings.Builder
	all := []stocktake.InventoryStatus{
		{
			Bucket: "photos", Configuration: "a", Enabled: true, Last: &stocktake.Run{State: stocktake.Failed}, Succeeded: time.Now().Add(-50*time.Hour - 30*time.Minute),
			Incremental: &stocktake.IncrementalStatus{Published: time.Unix(1767628800, 0)},
		},
		{Bucket: "photos", Configuration: "b", Enabled: true},
	}
	if err := new(inventoryStatus).print(&out, all, nil); err != nil {
		t.Fatal(err)
	}
	if text := out.String(); !regexp.MustCompile(`2d2h ago +2026-01-05 16:00:00Z`).MatchString(text) || strings.Count(text, "ago") != 1 {
		t.Errorf("%s", text)
	}
}
