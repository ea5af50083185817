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

// Ago returns how long before now t was, in its two largest units. A server whose
// clock is ahead of this one's may have a t after now.
func Ago(now, t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	age := max(now.Sub(t), 0)
	day, hour, minute := int(age.Hours())/24, int(age.Hours())%24, int(age.Minutes())%60
	switch {
	case day > 0:
		return fmt.Sprintf("%dd%dh ago", day, hour)
	case hour > 0:
		return fmt.Sprintf("%dh%dm ago", hour, minute)
	case minute > 0:
		return fmt.Sprintf("%dm ago", minute)
	}
	return fmt.Sprintf("%ds ago", int(age.Seconds()))
}
