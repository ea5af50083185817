//go:build unix

package main

import (
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/charmbracelet/x/vt"
	"github.com/creack/pty"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/dirbucket"
	"github.com/stocktake/stocktake/internal/engine"
	"github.com/stocktake/stocktake/internal/membucket"
)

var updateScreens = flag.Bool("update-screens", false, "rewrite the golden screens of report browse")

// browseReport makes a report in a folder and returns its path.
func browseReport(t *testing.T, seed string, records []stocktake.Record) string {
	t.Helper()
	store := membucket.New(func() time.Time { return time.Unix(1767628800, 0) }, "photos")
	store.Bucket("photos").Load(records...)
	folder := t.TempDir()
	dst, err := dirbucket.Open(folder)
	if err != nil {
		t.Fatal(err)
	}
	defer dst.Close()
	job := engine.Job{Run: "run-1", Attempt: 1, Bucket: "photos", Seed: seed, Configuration: stocktake.InventoryConfiguration{
		ID: "daily", IncludedObjectVersions: stocktake.CurrentVersions, Destination: stocktake.Destination{Format: "CSV", Bucket: "reports"},
		OptionalFields: []stocktake.Field{stocktake.FieldSize, stocktake.FieldStorageClass, stocktake.FieldLastModifiedDate},
	}}
	if _, err := engine.Run(t.Context(), store, dst, job, engine.Options{Log: slog.New(slog.DiscardHandler)}); err != nil {
		t.Fatal(err)
	}
	return filepath.Join(folder, "photos", "daily")
}

// browsedRecords are objects with hostile, wide and plain keys. Later ones are
// what a second report has.
func browsedRecords(later bool) (records []stocktake.Record) {
	add := func(key string, size int64) {
		records = append(records, stocktake.Record{Key: []byte(key), Size: size, LastModified: 1767582245, IsLatest: true})
	}
	for i := range 300 {
		add(fmt.Sprintf("logs/2026-01-%02d/part-%03d.gz", i%28+1, i), int64(1000*i))
	}
	for i := range 60 {
		add(fmt.Sprintf("photos/album-%02d/cat.jpg", i), int64(i)<<20)
	}
	add("photos/readme.txt", 512)
	add("evil\x1b[2J\x1b]0;owned\x07\u202e/a\r\nb\x9b", 7<<20)
	add("猫の写真/写真.jpg", 5<<20)
	add("top.txt", 9)
	if later {
		add("new/big.bin", 1<<30)
		add("photos/album-07/dog.jpg", 100<<20)
	}
	return records
}

// An emulated is a terminal with the real program in it.
type emulated struct {
	t    *testing.T
	pty  *os.File
	cmd  *exec.Cmd
	name string

	mu     sync.Mutex // guards the screen, except its answers to the program
	screen *vt.Emulator
}

// Write shows what the program prints. It is safe for concurrent use, unlike
// vt.SafeEmulator, whose cells are pointers into the screen.
func (term *emulated) Write(p []byte) (int, error) {
	term.mu.Lock()
	defer term.mu.Unlock()
	return term.screen.Write(p)
}

func startTerminal(t *testing.T, name string, width, height int, args ...string) *emulated {
	t.Helper()
	path, err := exec.LookPath("stocktake") // testscript puts the program under test there
	if err != nil {
		t.Fatal(err)
	}
	term := &emulated{t: t, screen: vt.NewEmulator(width, height), cmd: exec.Command(path, args...), name: name}
	term.cmd.Env = append(os.Environ(), "TERM=xterm-256color", "NO_COLOR=1")
	term.pty, err = pty.StartWithSize(term.cmd, &pty.Winsize{Rows: uint16(height), Cols: uint16(width)})
	if err != nil {
		t.Fatal(err)
	}
	shown := make(chan struct{})
	go func() {
		defer close(shown)
		io.Copy(term, term.pty)
	}()
	answered := make(chan struct{})
	go func() { // what the program asks the terminal
		defer close(answered)
		io.Copy(term.pty, term.screen)
	}()
	t.Cleanup(func() {
		term.cmd.Process.Kill() // it has ended unless the test failed
		term.pty.Close()
		<-shown
		term.screen.InputPipe().(io.Closer).Close() // Close of the screen races with its Read
		<-answered
	})
	return term
}

func (term *emulated) keys(keys string) {
	term.t.Helper()
	if _, err := term.pty.WriteString(keys); err != nil {
		term.t.Fatal(err)
	}
}

// text returns the screen without styles, and without blanks at the ends of lines.
func (term *emulated) text() string {
	term.mu.Lock()
	defer term.mu.Unlock()
	var b strings.Builder
	for y := range term.screen.Height() {
		line := ""
		for x := 0; x < term.screen.Width(); x++ {
			c := term.screen.CellAt(x, y)
			switch {
			case c == nil || c.Content == "" && c.Width <= 1:
				line += " "
			default:
				line += c.Content
				x += max(c.Width, 1) - 1
			}
		}
		b.WriteString(strings.TrimRight(line, " ") + "\n")
	}
	return b.String()
}

// shows waits until the screen is the golden one of that name. It has a minute:
// nothing else shows that the screen has stopped changing.
func (term *emulated) shows(name string) {
	term.t.Helper()
	path := filepath.Join("testdata", "browse", term.name+"-"+name+".txt")
	if *updateScreens {
		last := ""
		for text := term.text(); text != last || strings.TrimSpace(text) == ""; text = term.text() {
			last = text
			time.Sleep(time.Second) // only while golden files are made
		}
		if err := os.WriteFile(path, []byte(last), 0o644); err != nil {
			term.t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		term.t.Fatal(err)
	}
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(5 * time.Millisecond) { // between two looks at another process
		got := term.text()
		if got == string(want) {
			return
		}
		if time.Now().After(deadline) {
			term.t.Fatalf("%s: the screen is\n%s\nwant\n%s", name, got, want)
		}
	}
}

// full reports whether a program has the whole screen.
func (term *emulated) full() bool {
	term.mu.Lock()
	defer term.mu.Unlock()
	return term.screen.IsAltScreen()
}

// quits ends the program with a key and holds that it leaves the screen as it
// found it.
func (term *emulated) quits(key string) {
	term.t.Helper()
	term.keys(key)
	if err := term.cmd.Wait(); err != nil {
		term.t.Errorf("it ends with %v", err)
	}
	for deadline := time.Now().Add(time.Minute); term.full(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			term.t.Fatal("the terminal keeps the screen of the program")
		}
	}
}

const (
	keyUp, keyDown, keyRight, keyLeft = "\x1b[A", "\x1b[B", "\x1b[C", "\x1b[D"
	keyEnter, keyEnd                  = "\r", "\x1b[F"
)

// A person opens and closes prefixes, sorts, searches, sees the largest objects
// and what has changed, on a small screen and a large one.
func TestBrowse(t *testing.T) {
	before := browseReport(t, "one", browsedRecords(false))
	after := browseReport(t, "two", browsedRecords(true))
	for _, size := range [][2]int{{80, 24}, {200, 60}} {
		name := fmt.Sprintf("%dx%d", size[0], size[1])
		t.Run(name, func(t *testing.T) {
			term := startTerminal(t, name, size[0], size[1], "report", "browse", after)
			term.shows("start")
			term.keys("c")
			term.shows("by-count")
			term.keys("a")
			term.shows("by-name")
			term.keys("sg" + keyRight)
			term.shows("open")
			term.keys(keyEnd)
			term.shows("end")
			term.keys(keyEnter)
			term.shows("objects-here")
			term.keys(keyLeft + keyLeft)
			term.shows("closed")
			term.keys("L")
			term.shows("largest")
			term.keys(keyLeft + "/ALBUM-5" + keyEnter)
			term.shows("search")
			term.keys("n")
			term.shows("search-next")
			term.keys("/nowhere" + keyEnter)
			term.shows("search-nothing")
			term.keys("?")
			term.shows("help")
			term.quits("qq")

			term = startTerminal(t, name, size[0], size[1], "report", "browse", after, "--since", before)
			term.keys("d")
			term.shows("changes")
			term.quits("\x03")
		})
	}
}

// The screen follows the size of the terminal.
func TestBrowseResizes(t *testing.T) {
	term := startTerminal(t, "resized", 80, 24, "report", "browse", browseReport(t, "two", browsedRecords(true)))
	term.shows("before")
	term.mu.Lock()
	term.screen.Resize(120, 10)
	term.mu.Unlock()
	if err := pty.Setsize(term.pty, &pty.Winsize{Rows: 10, Cols: 120}); err != nil {
		t.Fatal(err)
	}
	term.shows("after")
	term.quits("q")
}

// If the input is not a terminal, no key is waited for.
func TestBrowseNeedsATerminal(t *testing.T) {
	var out strings.Builder
	if code := run(t.Context(), []string{"report", "browse", "."}, console{&out, &out}); code != exitUsage || !strings.Contains(out.String(), "needs a terminal") {
		t.Errorf("%d: %s", code, &out)
	}
}
