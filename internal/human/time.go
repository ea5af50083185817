package human

import (
	"fmt"
	"time"
)

// When writes a time for people: UTC to the second, "-" for none.
func When(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.UTC().Format("2006-01-02 15:04:05Z")
}

// skew is by how much the clocks of two machines may differ without being wrong.
const skew = time.Minute

// Ago returns how long before now t was, in its two largest units. A server whose clock is ahead of
// this one's may have a t shortly after now. A later t, as after a clock was set back, is "in the
// future".
func Ago(now, t time.Time) string {
	switch age := now.Sub(t); {
	case t.IsZero():
		return "-"
	case age < -skew:
		return span(-age) + " in the future"
	default:
		return span(max(age, 0)) + " ago"
	}
}

// span writes a duration in its two largest units.
func span(d time.Duration) string {
	day, hour, minute := int(d.Hours())/24, int(d.Hours())%24, int(d.Minutes())%60
	switch {
	case day > 0:
		return fmt.Sprintf("%dd%dh", day, hour)
	case hour > 0:
		return fmt.Sprintf("%dh%dm", hour, minute)
	case minute > 0:
		return fmt.Sprintf("%dm", minute)
	}
	return fmt.Sprintf("%ds", int(d.Seconds()))
}
