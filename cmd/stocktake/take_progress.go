package main

import (
	"io"
	"time"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/terminal"
)

const (
	takeEvery   = 200 * time.Millisecond // on a terminal
	takeSeldom  = 30 * time.Second       // elsewhere, such as in a log
	takeFirstly = 2 * time.Second        // before a rate says anything
)

// A takeLine shows the progress of a take with its rate and remaining time: on one terminal line,
// elsewhere as a line every 30 seconds.
type takeLine struct {
	*terminal.StatusLine
	quit, done chan struct{} // nil: it has not begun
}

func newTakeLine(w io.Writer) *takeLine {
	return &takeLine{StatusLine: terminal.NewStatusLine(w)}
}

// start shows the progress until stop. before is how many objects earlier
// attempts have listed.
func (l *takeLine) start(progress func() stocktake.Progress, before int64) {
	every := takeSeldom
	if l.Terminal {
		every = takeEvery
	}
	begin := time.Now()
	l.quit, l.done = make(chan struct{}), make(chan struct{})
	go func() {
		defer close(l.done)
		tick := time.NewTicker(every)
		defer tick.Stop()
		for {
			select {
			case <-l.quit:
				l.Clear()
				return
			case <-tick.C:
			}
			text := takeText(progress(), before, time.Since(begin))
			if l.Terminal {
				l.Show(text)
			} else {
				sayln(l.Writer, text)
			}
		}
	}()
}

// stop ends it. Without start it does nothing.
func (l *takeLine) stop() {
	if l.quit == nil {
		return
	}
	close(l.quit)
	<-l.done
}

// takeText returns the progress of a take in a few words. Its rate is that of this
// attempt.
func takeText(p stocktake.Progress, before int64, took time.Duration) string {
	text := many(p.Listed, "object") + " listed, " + many(int64(p.Shards), "shard")
	rate := float64(p.Listed-before) / took.Seconds()
	if took < takeFirstly || rate <= 0 {
		return text
	}
	text += ", " + count(int64(rate)) + "/s"
	if p.Expected > p.Listed {
		left := time.Duration(float64(p.Expected-p.Listed) / rate * float64(time.Second))
		text += ", " + left.Round(time.Second).String() + " left of about " + many(p.Expected, "object")
	}
	return text
}
