package human_test

import (
	"math"
	"testing"

	"github.com/stocktake/stocktake/internal/human"
)

func TestValues(t *testing.T) {
	for _, tt := range [][2]string{
		{human.Size(0), "0 B"},
		{human.Size(1023), "1023 B"},
		{human.Size(1024), "1.0 KiB"},
		{human.Size(1<<20 - 1), "1.0 MiB"},
		{human.Size(-1536), "-1.5 KiB"},
		{human.Size(math.MaxInt64), "8.0 EiB"},
		{human.Size(math.MinInt64), "-8.0 EiB"},
		{human.Grown(0), "+0 B"},
		{human.Grown(1536), "+1.5 KiB"},
		{human.Grown(-3), "-3 B"},
		{human.Count(0), "0"},
		{human.Count(999), "999"},
		{human.Count(1000), "1,000"},
		{human.Count(-1234567), "-1,234,567"},
		{human.Count(-123), "-123"},
		{human.Many(1, "row"), "1 row"},
		{human.Many(2000, "row"), "2,000 rows"},
		{human.Printable("a猫b"), "a猫b"},
		{human.Printable("\x1b[2J\u202e\xff\ufffd"), "\\x1b[2J\\u202e\\xff\ufffd"},
	} {
		if tt[0] != tt[1] {
			t.Errorf("%q, want %q", tt[0], tt[1])
		}
	}
}
