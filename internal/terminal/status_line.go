package terminal

import (
	"fmt"
	"io"
	"os"

	"golang.org/x/term"

	"github.com/stocktake/stocktake/internal/human"
)

// A StatusLine is a terminal line that is overwritten. On other outputs it shows
// nothing.
type StatusLine struct {
	Writer   io.Writer
	Terminal bool // whether Writer is one
	shown    bool
}

// NewStatusLine returns an empty line of w.
func NewStatusLine(w io.Writer) *StatusLine { return &StatusLine{Writer: w, Terminal: Is(w)} }

// Show replaces the text of the line.
func (l *StatusLine) Show(text string) {
	if l.Terminal {
		fmt.Fprint(l.Writer, "\r\x1b[K"+human.Printable(text))
		l.shown = true
	}
}

// Clear removes the line, for other output.
func (l *StatusLine) Clear() {
	if l.shown {
		fmt.Fprint(l.Writer, "\r\x1b[K")
		l.shown = false
	}
}

// ClearScreen clears the screen of a terminal.
func ClearScreen(w io.Writer) { fmt.Fprint(w, "\x1b[H\x1b[2J") }

// Is reports whether w is a terminal.
func Is(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}
