package main

import (
	"fmt"
	"io"
	"os"
	"time"

	"golang.org/x/term"

	"github.com/stocktake/stocktake"
)

// progressOf says in a few words how far a run is.
func progressOf(r stocktake.Run) string {
	s := count(r.Listed) + " listed"
	if r.State.Ended() || r.Expected <= 0 || r.Expected < r.Listed {
		return s + rate(r)
	}
	s = fmt.Sprintf("%d%% of about %s%s", 100*r.Listed/r.Expected, count(r.Expected), rate(r))
	if d := runTime(r); r.Listed > 0 && d > time.Second {
		left := time.Duration(float64(d) * float64(r.Expected-r.Listed) / float64(r.Listed))
		s += ", " + left.Round(time.Second).String() + " left"
	}
	return s
}

// A progressLine shows the state of a run on one line that it writes over. On
// anything but a terminal it writes a line for each state instead.
type progressLine struct {
	w        io.Writer
	terminal bool
	last     stocktake.RunState
	shown    bool
}

func newProgressLine(w io.Writer) *progressLine {
	return &progressLine{w: w, terminal: isTerminal(w)}
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

func (l *progressLine) show(r stocktake.Run) {
	if l.terminal {
		fmt.Fprintf(l.w, "\r\x1b[K%s: %s", r.State, progressOf(r))
		l.shown = true
	} else if r.State != l.last {
		fmt.Fprintf(l.w, "%s: %s\n", r.State, progressOf(r))
	}
	l.last = r.State
}

func (l *progressLine) clear() {
	if l.shown {
		fmt.Fprint(l.w, "\r\x1b[K")
	}
}
