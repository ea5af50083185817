package console

import (
	"fmt"
	"html/template"
	"math"
	"net/url"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/human"
)

// functions are the functions that templates call.
var functions = template.FuncMap{
	"asset": assetURL, "name": name, "visible": human.Visible, "size": human.Size, "count": count, "when": when, "stamp": stamp,
	"took": took, "percent": percent, "share": share, "grown": grown, "grownCount": grownCount, "tone": tone, "many": many,
	"lower": strings.ToLower, "segment": url.PathEscape, "sub": func(a, b int64) int64 { return a - b },
	"list": func(all ...any) []any { return all }, "joined": func(all []string) string { return strings.Join(all, ", ") },
}

// name returns an untrusted name as an element whose direction does not affect the
// text around it.
func name(s any) template.HTML {
	return template.HTML(`<bdi class="name">` + template.HTMLEscapeString(human.Visible(fmt.Sprint(s))) + `</bdi>`) //nolint:gosec // escaped
}

// count returns a number, of one of the types that pages have, with separated
// thousands: "1,234".
func count(v any) string { return human.Count(integer(v)) }

// many returns a number with its noun: "1 object", "2 objects".
func many(v any, thing string) string { return human.Many(integer(v), thing) }

func integer(v any) int64 {
	n := reflect.ValueOf(v)
	if n.CanUint() {
		return int64(n.Uint())
	}
	return n.Int()
}

// stamp returns a time for programs; empty for the zero time.
func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}

// when returns a time for people.
func when(t time.Time) string {
	if t.IsZero() {
		return "never"
	}
	return t.UTC().Format("2006-01-02 15:04:05") + " UTC"
}

// took returns a duration in two units: "1 h 5 min".
func took(d time.Duration) string {
	switch {
	case d < 0:
		return "-"
	case d < time.Second:
		return fmt.Sprintf("%d ms", d.Milliseconds())
	case d < 10*time.Second:
		return fmt.Sprintf("%.1f s", d.Seconds())
	case d < time.Minute:
		return fmt.Sprintf("%d s", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%d min %d s", int(d.Minutes()), int(d.Seconds())%60)
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h %d min", int(d.Hours()), int(d.Minutes())%60)
	}
	return fmt.Sprintf("%d d %d h", int(d.Hours())/24, int(d.Hours())%24)
}

// percent returns the percentage of a part: "12.3 %".
func percent(part, whole int64) string {
	if whole <= 0 {
		return "-"
	}
	return strconv.FormatFloat(100*float64(part)/float64(whole), 'f', 1, 64) + " %"
}

// share returns the percentage of a part, for the width of a bar.
func share(part, whole int64) float64 {
	if whole <= 0 || part <= 0 {
		return 0
	}
	return math.Min(math.Round(1000*float64(part)/float64(whole))/10, 100)
}

// grown returns a difference of bytes: "+1.5 MiB", "0 B".
func grown(n int64) string {
	if n == 0 {
		return human.Size(n)
	}
	return human.Grown(n)
}

// grownCount returns a difference: "+1,234".
func grownCount(n int64) string {
	if n > 0 {
		return "+" + count(n)
	}
	return count(n)
}

// tone returns the color class of a state.
func tone(s stocktake.RunState) string {
	switch s {
	case stocktake.Succeeded:
		return "good"
	case stocktake.Failed:
		return "bad"
	case stocktake.Cancelled, stocktake.Skipped:
		return "quiet"
	}
	return "busy"
}
