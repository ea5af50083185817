package browse

import (
	"context"
	"log/slog"
	"strings"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/dirbucket"
	"github.com/stocktake/stocktake/internal/engine"
	"github.com/stocktake/stocktake/internal/membucket"
	"github.com/stocktake/stocktake/report"
	"github.com/stocktake/stocktake/report/rollup"
)

// made makes a report of objects, by key and size, and returns it with its totals.
func made(t *testing.T, objects map[string]int64) (*report.Report, *rollup.Rollup) {
	t.Helper()
	var records []stocktake.Record
	for key, size := range objects {
		records = append(records, stocktake.Record{Key: []byte(key), Size: size, LastModified: 1767582245, IsLatest: true})
	}
	store := membucket.New(func() time.Time { return time.Unix(1767628800, 0) }, "photos")
	store.Bucket("photos").Load(records...)
	dst, err := dirbucket.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := dst.Close(); err != nil {
			t.Error(err)
		}
	})
	job := engine.Job{Run: "run-1", Attempt: 1, Bucket: "photos", Configuration: stocktake.InventoryConfiguration{
		ID: "daily", IncludedObjectVersions: stocktake.CurrentVersions, Destination: stocktake.Destination{Format: "CSV", Bucket: "reports"},
		OptionalFields: []stocktake.Field{stocktake.FieldSize, stocktake.FieldStorageClass, stocktake.FieldLastModifiedDate},
	}}
	result, err := engine.Run(t.Context(), store, dst, job, engine.Options{Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	r, err := report.Open(t.Context(), dst, result.Manifest)
	if err != nil {
		t.Fatal(err)
	}
	sums, err := r.ReadRollup(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return r, sums
}

// pictures are the objects of most tests.
var pictures = map[string]int64{
	"logs/a.gz": 10, "logs/b.gz": 20, "logs/old/c.gz": 5,
	"photos/cat.jpg": 500, "photos/dog.jpg": 400,
	"top.txt": 1, "evil\x1b[2J/x": 7,
}

// screen returns the lines of a browser without styles.
func screen(b *browser) []string {
	return strings.Split(strings.NewReplacer(reversed, "", plain, "").Replace(b.screen()), "\n")
}

// browsing returns a browser with a screen of 70 by 20, and a function that types a
// key and executes the resulting command.
func browsing(t *testing.T, s Subject) (*browser, func(keys ...string)) {
	t.Helper()
	b := newBrowser(t.Context(), s)
	b.Update(tea.WindowSizeMsg{Width: 70, Height: 20})
	return b, func(keys ...string) {
		for _, k := range keys {
			if _, cmd := b.Update(press(k)); cmd != nil {
				b.Update(cmd())
			}
		}
	}
}

// press is the message of a key.
func press(k string) tea.KeyPressMsg {
	switch k {
	case "enter":
		return tea.KeyPressMsg{Code: tea.KeyEnter}
	case "esc":
		return tea.KeyPressMsg{Code: tea.KeyEscape}
	case "down":
		return tea.KeyPressMsg{Code: tea.KeyDown}
	}
	return tea.KeyPressMsg{Code: []rune(k)[0], Text: k}
}

// names returns the names of the visible lines.
func names(b *browser) string {
	var all []string
	for _, e := range b.entries {
		all = append(all, e.name)
	}
	return strings.Join(all, " ")
}

func TestOrders(t *testing.T) {
	r, sums := made(t, pictures)
	b, key := browsing(t, Subject{Report: r, Sums: sums, Title: "daily"})
	const rest = " (objects directly here)"
	for order, want := range map[string]string{
		"s": "photos/ logs/ evil\x1b[2J/" + rest,
		"c": "logs/ photos/ evil\x1b[2J/" + rest,
		"a": "evil\x1b[2J/ logs/ photos/" + rest,
	} {
		key(order)
		if got := names(b); got != want {
			t.Errorf("%s: %q, want %q", order, got, want)
		}
	}
	if key("d"); b.message == "" {
		t.Error("without another report the order of changes is refused in words")
	}
	if text := strings.Join(screen(b), "\n"); strings.Contains(text, "\x1b[2J") || !strings.Contains(text, `evil\x1b[2J/`) {
		t.Errorf("the screen obeys a key:\n%q", text)
	}
}

func TestWhatChanged(t *testing.T) {
	_, older := made(t, pictures)
	r, sums := made(t, map[string]int64{"photos/cat.jpg": 500, "logs/a.gz": 10, "new/x": 90})
	b, key := browsing(t, Subject{Report: r, Sums: sums, Title: "daily", Older: older, Since: "yesterday"})
	key("d")
	if got, want := names(b), "photos/ new/ logs/ evil\x1b[2J/"; got != want {
		t.Errorf("by change: %q, want %q", got, want)
	}
	if change := b.entries[0].change(); change != -400 {
		t.Errorf("photos/ changed by %d, want -400", change)
	}
	if gone := b.entries[3]; gone.count.Objects != 0 || gone.before.Bytes != 7 {
		t.Errorf("a prefix that only the other report has: %+v", gone)
	}
}

func TestOpenAndClose(t *testing.T) {
	r, sums := made(t, pictures)
	b, key := browsing(t, Subject{Report: r, Sums: sums, Title: "daily"})
	key("down", "enter") // logs/
	if b.at.prefix != "logs/" || names(b) != "old/ (objects directly here)" {
		t.Fatalf("open: %q with %q", b.at.prefix, names(b))
	}
	key("down", "enter") // the objects directly here
	if len(b.objects) != 2 || b.objects[0].Key != "logs/b.gz" || b.total != 2 {
		t.Fatalf("objects %+v of %d", b.objects, b.total)
	}
	key("esc")
	if b.objects != nil || b.cursor != 1 {
		t.Errorf("after the list: cursor %d, objects %v", b.cursor, b.objects)
	}
	key("esc")
	if b.at != b.root || b.entries[b.cursor].name != "logs/" {
		t.Errorf("after the prefix: at %q, on %q", b.at.prefix, b.entries[b.cursor].name)
	}
	key("s", "L")
	if len(b.objects) == 0 || b.objects[0].Size != 500 {
		t.Errorf("the largest objects: %+v", b.objects)
	}
}

func TestSearch(t *testing.T) {
	r, sums := made(t, pictures)
	b, key := browsing(t, Subject{Report: r, Sums: sums, Title: "daily"})
	key("/", "O", "L", "d", "enter")
	if b.at.prefix != "logs/" || b.entries[b.cursor].name != "old/" {
		t.Errorf("found %q in %q", b.entries[b.cursor].name, b.at.prefix)
	}
	key("/", "z", "z", "enter")
	if b.message != "no prefix has zz" {
		t.Errorf("message %q", b.message)
	}
	key("/", "x", "esc")
	if b.searching || b.search != "" {
		t.Errorf("after esc the search stays: %q", b.search)
	}
}

// The result of a cancelled list arrives late. It must not be taken for that of the
// same list, requested again.
func TestAbandonedList(t *testing.T) {
	r, sums := made(t, pictures)
	b, key := browsing(t, Subject{Report: r, Sums: sums, Title: "daily"})
	_, first := b.Update(press("enter")) // photos/
	key("esc")
	late := first()
	_, second := b.Update(press("enter"))
	b.Update(late)
	b.Update(second())
	if b.message != "" || len(b.objects) != 2 {
		t.Errorf("message %q, objects %+v", b.message, b.objects)
	}
}

func TestLargestBelow(t *testing.T) {
	r, _ := made(t, pictures)
	list, total, err := largestBelow(t.Context(), r, "logs/", false)
	if err != nil || total != 3 || len(list) != 3 || list[0].Key != "logs/b.gz" || list[2].Key != "logs/old/c.gz" {
		t.Errorf("%+v of %d, %v", list, total, err)
	}
	if _, total, err = largestBelow(t.Context(), r, "logs/", true); err != nil || total != 2 {
		t.Errorf("directly below: %d, %v", total, err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err := largestBelow(ended, r, "", false); err == nil {
		t.Error("it reads on after the end of its context")
	}
}

// Any size of a terminal is filled exactly, line by line.
func TestSmallScreens(t *testing.T) {
	r, sums := made(t, pictures)
	b, key := browsing(t, Subject{Report: r, Sums: sums, Title: "daily"})
	for _, k := range []string{"", "?", "esc", "L"} {
		if k != "" {
			key(k)
		}
		for _, size := range []tea.WindowSizeMsg{{Width: 1, Height: 1}, {Width: 8, Height: 2}, {Width: 200, Height: 60}} {
			b.Update(size)
			if lines := screen(b); len(lines) != size.Height {
				t.Errorf("%q on %v: %d lines", k, size, len(lines))
			}
		}
	}
}
