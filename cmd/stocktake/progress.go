package main

import (
	"fmt"
	"io"
	"time"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/terminal"
)

// progressOf returns the progress of a run in a few words.
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

// A progressLine shows the state of a run on one terminal line that it overwrites. On anything
// except a terminal it writes one line for each state.
type progressLine struct {
	terminal.StatusLine
	last stocktake.RunState
}

func newProgressLine(w io.Writer) *progressLine {
	return &progressLine{StatusLine: *terminal.NewStatusLine(w)}
}

func (l *progressLine) show(r stocktake.Run) {
	text := string(r.State)
	if r.State != stocktake.Queued {
		text += ": " + progressOf(r)
	}
	l.StatusLine.Show(text)
	if !l.Terminal && r.State != l.last {
		sayln(l.Writer, printable(text))
	}
	l.last = r.State
}

func runTime(r stocktake.Run) time.Duration {
	if r.Started.IsZero() {
		return 0
	}
	if r.Ended.IsZero() {
		return time.Since(r.Started)
	}
	return r.Ended.Sub(r.Started)
}

func rate(r stocktake.Run) string {
	if d := runTime(r); d > 0 && r.Listed > 0 {
		return fmt.Sprintf(" (%s objects/s)", count(int64(float64(r.Listed)/d.Seconds())))
	}
	return ""
}
