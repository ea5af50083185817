package human_test

import (
	"math"
	"testing"
	"time"

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

func TestAgo(t *testing.T) {
	now := time.Unix(1767628800, 0)
	for age, want := range map[time.Duration]string{
		-time.Hour: "1h0m in the future", -61 * time.Second: "1m in the future", -30 * time.Second: "0s ago", -50 * time.Hour: "2d2h in the future", 59 * time.Second: "59s ago", 61 * time.Second: "1m ago", 3 * time.Hour: "3h0m ago", 24*time.Hour - time.Second: "23h59m ago", 24 * time.Hour: "1d0h ago",
	} {
		if got := human.Ago(now, now.Add(-age)); got != want {
			t.Errorf("%v: %s, not %s", age, got, want)
		}
	}
	if got := human.Ago(now, time.Time{}); got != "-" {
		t.Errorf("never: %s", got)
	}
}
