package inventory_test

import (
	"fmt"
	"time"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/inventory"
)

// The last day of each month, at the start of the day in UTC+8.
func ExampleNext() {
	schedule := stocktake.Schedule{Frequency: stocktake.Monthly, DayOfMonth: 31}
	put := time.Date(2026, 1, 31, 10, 0, 0, 0, time.UTC)

	due := put
	for range 3 {
		due = inventory.Next(schedule, put, due, inventory.DayStart{})
		fmt.Println(due)
	}
	// Output:
	// 2026-02-27 16:00:00 +0000 UTC
	// 2026-03-30 16:00:00 +0000 UTC
	// 2026-04-29 16:00:00 +0000 UTC
}
