// Package browse shows a report on a terminal, as ncdu shows a disk: prefixes with
// their totals, largest first. Each prefix opens, down to its objects. Totals come
// from the roll-up of the report; rows are read only when the user asks for
// objects.
package browse

import (
	"cmp"
	"context"
	"errors"
	"io"
	"unicode/utf8"

	tea "charm.land/bubbletea/v2"

	"github.com/stocktake/stocktake/report"
	"github.com/stocktake/stocktake/report/rollup"
)

// A browser shows a report on a screen. It is a [tea.Model]. Its lines are those of
// the open prefix, or a list of objects.
type browser struct {
	ctx    context.Context
	report *report.Report
	sums   *rollup.Rollup
	title  string
	since  string // name of the earlier report; empty: there is none

	root, at *node
	entries  []entry
	order    order
	cursor   int
	top      int // first visible line

	width, height int

	objects   []rollup.Object // the open list; nil: none
	listed    string          // title of the list
	total     int64           // number of objects that the list is taken from
	loading   string          // prefix whose objects are being read; empty: none
	loads     int             // number of lists requested so far
	cancel    context.CancelFunc
	back      int  // cursor of at while the list is open
	searching bool // the user is typing a search text
	search    string
	message   string
	help      bool
}

// A Subject is the report to show.
type Subject struct {
	Report *report.Report // its rows are read for lists of objects
	Sums   *rollup.Rollup // the totals of the whole report
	Title  string

	Older *rollup.Rollup // of an earlier report, to show changes; nil: none
	Since string         // name of that report; empty without one
}

// Run shows a report on the whole screen of the terminal in and out until the user
// quits or ctx ends; then it returns the error of ctx. It handles Ctrl-C itself.
func Run(ctx context.Context, s Subject, in io.Reader, out io.Writer) error {
	_, err := tea.NewProgram(newBrowser(ctx, s), tea.WithContext(ctx), tea.WithOutput(out), tea.WithInput(in)).Run()
	if errors.Is(err, tea.ErrProgramKilled) && ctx.Err() != nil {
		return ctx.Err()
	}
	return err
}

func newBrowser(ctx context.Context, s Subject) *browser {
	b := &browser{ctx: ctx, report: s.Report, sums: s.Sums, title: s.Title, since: s.Since, cancel: func() {}}
	b.root = newTree(s.Sums, s.Older)
	b.at = b.root
	b.sort(bySize)
	return b
}

// Init implements [tea.Model].
func (b *browser) Init() tea.Cmd { return nil }

// objectsRead is sent when the objects below a prefix have been read.
type objectsRead struct {
	load   int // the number of the list
	prefix string
	list   []rollup.Object
	total  int64
	err    error
}

// Update implements [tea.Model].
func (b *browser) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	switch msg := msg.(type) {
	case tea.WindowSizeMsg:
		b.width, b.height = msg.Width, msg.Height
	case objectsRead:
		if b.loading != "" && msg.load == b.loads { // else the load was cancelled
			b.loading = ""
			if msg.err != nil {
				b.message = "cannot read the objects: " + msg.err.Error()
				break
			}
			b.open(msg.list, msg.total, "objects of "+orRoot(msg.prefix))
		}
	case tea.KeyPressMsg:
		return b, b.key(msg)
	}
	b.scroll()
	return b, nil
}

// key handles a key press.
func (b *browser) key(msg tea.KeyPressMsg) (cmd tea.Cmd) {
	defer b.scroll()
	key := msg.String()
	if key == "ctrl+c" {
		b.cancel()
		return tea.Quit
	}
	b.message = ""
	if b.searching {
		b.typed(key, msg.Text)
		return nil
	}
	if b.help {
		b.help = false
		return nil
	}
	switch key {
	case "q":
		b.cancel()
		return tea.Quit
	case "?":
		b.help = true
	case "up", "k":
		b.cursor--
	case "down", "j":
		b.cursor++
	case "pgup", "ctrl+b":
		b.cursor -= b.lines()
	case "pgdown", "ctrl+f", "space":
		b.cursor += b.lines()
	case "home", "g":
		b.cursor = 0
	case "end", "G":
		b.cursor = b.count() - 1
	case "left", "h", "backspace", "esc":
		b.close()
	case "right", "l", "enter":
		return b.enter()
	case "s":
		b.sort(bySize)
	case "c":
		b.sort(byCount)
	case "n":
		b.jump()
	case "a":
		b.sort(byName)
	case "d":
		if b.since == "" {
			b.message = "no other report: start with --since"
		} else {
			b.sort(byChange)
		}
	case "L":
		b.open(b.sums.Largest, int64(len(b.sums.Largest)), "the largest objects of the report")
	case "/":
		b.searching, b.search = true, ""
	}
	return nil
}

// typed adds to the search text.
func (b *browser) typed(key, text string) {
	switch key {
	case "enter":
		b.searching = false
		b.jump()
	case "esc":
		b.searching, b.search = false, ""
	case "backspace":
		_, n := utf8.DecodeLastRuneInString(b.search)
		b.search = b.search[:len(b.search)-n]
	default:
		b.search += text
	}
}

// jump selects the next prefix that contains the search text and opens its parent.
func (b *browser) jump() {
	if b.search == "" {
		return
	}
	from := b.at
	if b.objects == nil && b.cursor < len(b.entries) && b.entries[b.cursor].node != nil {
		from = b.entries[b.cursor].node
	}
	n := b.root.find(b.search, from)
	if n == nil {
		b.message = "no prefix has " + b.search
		return
	}
	b.objects = nil
	b.show(n.parent, n)
}

// show opens a prefix and selects a line of it.
func (b *browser) show(n, selected *node) {
	b.at, b.entries, b.cursor, b.top = n, n.entries(b.order), 0, 0
	for i := range b.entries {
		if b.entries[i].node != nil && b.entries[i].node == selected {
			b.cursor = i
		}
	}
}

// sort orders the lines and keeps the selection.
func (b *browser) sort(order order) {
	var selected *node
	if b.cursor < len(b.entries) {
		selected = b.entries[b.cursor].node
	}
	b.order = order
	b.show(b.at, selected)
}

// enter opens the selected line.
func (b *browser) enter() tea.Cmd {
	if b.objects != nil || b.cursor >= len(b.entries) {
		return nil
	}
	e := &b.entries[b.cursor]
	switch {
	case e.node != nil && len(e.node.children) > 0:
		b.show(e.node, nil)
	case e.node != nil && e.count.Objects > 0:
		return b.load(e.node.prefix, false)
	case e.opens && e.node == nil:
		return b.load(e.leaf, true)
	default:
		b.message = "there is nothing to open"
	}
	return nil
}

// load reads the objects below a prefix.
func (b *browser) load(prefix string, direct bool) tea.Cmd {
	b.cancel()
	ctx, cancel := context.WithCancel(b.ctx)
	b.cancel = cancel
	b.loading = orRoot(prefix)
	b.loads++
	load := b.loads
	return func() tea.Msg {
		list, total, err := largestBelow(ctx, b.report, prefix, direct)
		return objectsRead{load, orRoot(prefix), list, total, err}
	}
}

// open shows a list of objects.
func (b *browser) open(list []rollup.Object, total int64, of string) {
	if len(list) == 0 {
		b.message = "there are no objects"
		return
	}
	if b.objects == nil {
		b.back = b.cursor
	}
	b.objects, b.total, b.listed, b.cursor, b.top = list, total, of, 0, 0
}

// close closes the list, or the open prefix.
func (b *browser) close() {
	switch {
	case b.loading != "":
		b.cancel()
		b.loading = ""
	case b.objects != nil:
		b.objects, b.cursor = nil, b.back
	case b.at != b.root:
		b.show(b.at.parent, b.at)
	}
}

func (b *browser) count() int {
	if b.objects != nil {
		return len(b.objects)
	}
	return len(b.entries)
}

// lines returns how many entries the screen shows: two lines are above them, one
// below.
func (b *browser) lines() int { return max(b.height-3, 1) }

// scroll keeps the selection within the list and on the screen.
func (b *browser) scroll() {
	b.cursor = max(min(b.cursor, b.count()-1), 0)
	b.top = max(min(b.top, b.cursor), b.cursor-b.lines()+1, 0)
}

// orRoot names the empty prefix.
func orRoot(prefix string) string {
	return cmp.Or(prefix, "/")
}
