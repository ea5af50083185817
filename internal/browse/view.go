package browse

import (
	"fmt"
	"strings"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"

	"github.com/stocktake/stocktake/internal/human"
	"github.com/stocktake/stocktake/report/rollup"
)

const (
	reversed = "\x1b[7m"
	plain    = "\x1b[m"
)

// View implements [tea.Model].
func (b *browser) View() tea.View {
	v := tea.NewView(b.screen())
	v.AltScreen = true
	v.WindowTitle = "stocktake"
	return v
}

// screen returns the text of the screen. All text from outside passes through
// human.Printable.
func (b *browser) screen() string {
	if b.width == 0 {
		return "" // the size is not known yet
	}
	lines := []string{b.bar(b.title, b.right())}
	if b.help {
		lines = append(lines, strings.Split(helpText, "\n")...)
		return b.fill(lines, b.bar("any key: back", ""))
	}
	if b.objects != nil {
		lines = append(lines, b.objectLines()...)
	} else {
		lines = append(lines, b.entryLines()...)
	}
	return b.fill(lines, b.bar(b.footer(), ""))
}

// fill cuts the lines to the height of the screen and puts last at the bottom.
func (b *browser) fill(lines []string, last string) string {
	for len(lines) < b.height-1 {
		lines = append(lines, "")
	}
	lines = lines[:max(b.height-1, 0)]
	for i, l := range lines {
		lines[i] = ansi.Truncate(l, b.width, "")
	}
	return strings.Join(append(lines, last), "\n")
}

// bar returns a line in reverse video.
func (b *browser) bar(left, right string) string {
	left = ansi.Truncate(human.Printable(left), max(b.width-ansi.StringWidth(right)-1, 0), "…")
	gap := b.width - ansi.StringWidth(left) - ansi.StringWidth(right)
	return reversed + ansi.Truncate(left+strings.Repeat(" ", max(gap, 0))+right, b.width, "") + plain
}

func (b *browser) right() string {
	if b.objects != nil {
		return human.Many(b.total, "object")
	}
	return "by " + orders[b.order]
}

func (b *browser) footer() string {
	switch {
	case b.searching:
		return "search: " + b.search + "_"
	case b.loading != "":
		return "reading the objects of " + b.loading + " (esc: stop)"
	case b.message != "":
		return b.message
	case b.objects != nil:
		return "arrows: move  esc: back  q: quit  ?: help"
	case b.since != "":
		return "arrows: move, open, close  s/c/a/d: sort  L: largest  /: search  q: quit  ?: help"
	}
	return "arrows: move, open, close  s/c/a: sort  L: largest  /: search  q: quit  ?: help"
}

// entryLines returns the lines of the open prefix.
func (b *browser) entryLines() []string {
	head := fmt.Sprintf("%s  %s, %s", orRoot(b.at.prefix), human.Size(b.at.count.Bytes), human.Many(b.at.count.Objects, "object"))
	if b.since != "" {
		head += ", " + human.Grown(b.at.count.Bytes-b.at.before.Bytes) + " since " + b.since
	}
	out := []string{ansi.Truncate(human.Printable(head), b.width, "…")}
	most := int64(1) // a bar shows the size relative to the largest entry
	for i := range b.entries {
		most = max(most, b.weight(b.entries[i].count))
	}
	for i := b.top; i < min(b.top+b.lines(), len(b.entries)); i++ {
		out = append(out, b.entryLine(i, most))
	}
	return out
}

// weight returns the value that bars and shares show.
func (b *browser) weight(c rollup.Count) int64 {
	if b.order == byCount {
		return c.Objects
	}
	return c.Bytes
}

// roomy is the least width at which a screen shows both bars and changes.
const roomy = 100

func (b *browser) entryLine(i int, most int64) string {
	const wide = 10
	e := &b.entries[i]
	w := b.weight(e.count)
	share := 0.0
	if all := b.weight(b.at.count); all > 0 {
		share = 100 * float64(w) / float64(all)
	}
	full := int(float64(w)/float64(most)*wide + 0.5)
	l := fmt.Sprintf("%10s %5.1f%% ", human.Size(e.count.Bytes), share)
	if b.since == "" || b.width >= roomy {
		l += fmt.Sprintf("[%-*s] ", wide, strings.Repeat("#", full))
	}
	l += fmt.Sprintf("%13s  ", human.Count(e.count.Objects))
	if b.since != "" {
		change := ""
		if e.node != nil {
			change = human.Grown(e.change())
		}
		l += fmt.Sprintf("%11s  ", change)
	}
	return b.selected(i, l+human.Printable(e.name))
}

// objectLines returns the lines of a list of objects.
func (b *browser) objectLines() []string {
	head := b.listed
	if b.total > int64(len(b.objects)) {
		head = fmt.Sprintf("%s: the %s largest", head, human.Count(int64(len(b.objects))))
	}
	out := []string{ansi.Truncate(human.Printable(head), b.width, "…")}
	for i := b.top; i < min(b.top+b.lines(), len(b.objects)); i++ {
		o := &b.objects[i]
		l := fmt.Sprintf("%10s  %-10s  %-15s  %s", human.Size(o.Size), day(o.LastModified), human.Printable(o.StorageClass), human.Printable(string(o.Key)))
		if o.VersionID != "" {
			l += " (" + human.Printable(o.VersionID) + ")"
		}
		out = append(out, b.selected(i, l))
	}
	return out
}

// day returns the day of a time in UTC, or "-" for the zero time.
func day(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.UTC().Format(time.DateOnly)
}

// selected marks the line under the cursor.
func (b *browser) selected(i int, l string) string {
	if i != b.cursor {
		return "  " + l
	}
	l = ansi.Truncate("> "+l, b.width, "")
	return reversed + l + strings.Repeat(" ", max(b.width-ansi.StringWidth(l), 0)) + plain
}

const helpText = `
  up, down, k, j        move
  page up, page down    move by a screen; home, end, g, G: to the ends
  right, enter, l       open a prefix; the last one on a path shows its objects
  left, esc, h          close it
  s, c, a               sort by size, by number of objects, by name
  d                     sort by what has changed since the report of --since
  L                     the largest objects of the report
  /                     search for a prefix; n: the next one
  q, ctrl-c             quit

  "smaller prefixes" are those that the report keeps no totals of;
  stocktake report find shows what lies below them.`
