package throttle

import (
	"strings"
	"testing"
	"time"
)

func TestHours(t *testing.T) {
	for _, tt := range []struct{ hours, at, next string }{
		{"", "2026-01-05T12:00:00Z", "2026-01-05T12:00:00Z"},
		{"00:00-00:00", "2026-01-05T12:00:00Z", "2026-01-05T12:00:00Z"},
		{"08:00-12:00", "2026-01-05T07:59:59Z", "2026-01-05T08:00:00Z"},
		{"08:00-12:00", "2026-01-05T08:00:00Z", "2026-01-05T08:00:00Z"},
		{"08:00-12:00", "2026-01-05T11:59:59Z", "2026-01-05T11:59:59Z"},
		{"08:00-12:00", "2026-01-05T12:00:00Z", "2026-01-06T08:00:00Z"},
		{"22:00-06:00", "2026-01-05T05:59:59Z", "2026-01-05T05:59:59Z"},
		{"22:00-06:00", "2026-01-05T06:00:00Z", "2026-01-05T22:00:00Z"},
		{"22:00-06:00", "2026-01-05T23:00:00Z", "2026-01-05T23:00:00Z"},
		{"22:00-06:00 Europe/Berlin", "2026-01-05T20:59:59Z", "2026-01-05T21:00:00Z"},
		{"22:00-06:00 Europe/Berlin", "2026-07-05T19:59:59Z", "2026-07-05T20:00:00Z"},
		{"22:00-06:00 Asia/Shanghai", "2026-01-31T13:00:00Z", "2026-01-31T14:00:00Z"},
		{"02:30-04:00 Europe/Berlin", "2026-03-29T00:59:00Z", "2026-03-29T01:30:00Z"}, // clocks go from 2 to 3
		{"02:30-03:30 Europe/Berlin", "2026-10-24T23:59:00Z", "2026-10-25T01:30:00Z"}, // and back: the second 02:30
	} {
		h, err := ParseHours(tt.hours)
		if err != nil {
			t.Errorf("%s: %v", tt.hours, err)
			continue
		}
		at, _ := time.Parse(time.RFC3339, tt.at)
		if got := h.Next(at).UTC().Format(time.RFC3339); got != tt.next {
			t.Errorf("%s at %s: %s, want %s", tt.hours, tt.at, got, tt.next)
		}
	}
	for _, wrong := range []string{"22:00", "22-06", "22:00-24:00", "22:00-06:60", "2:00-06:00", "22:00-06:00 Moon/Base", "22:00-06:00 Local", "a-b", "-", "22:00-06:00 ../zone"} {
		if h, err := ParseHours(wrong); err == nil || !strings.Contains(err.Error(), "an example is") {
			t.Errorf("%q is read as %+v, %v", wrong, h, err)
		}
	}
}
