package csvgz

import (
	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/csvrow"
)

const daySeconds = 86400

const (
	numDays = 64
	noDay   = -1 << 40
)

// A day is a day that occurred in any time column, and its last time.
type day struct {
	number int64    // since 1970-01-01
	text   [16]byte // "2006-01-02T"

	pos                  int64 // position of the text of the time in the piece
	hour, minute, second uint32
}

const (
	yearText = len("2006-")
	dateText = len("2006-01-02T")
	hourText = len("2006-01-02T15-")
	timeText = len("2006-01-02T15-04-05")
)

// time adds t, in Unix seconds, and the text before its column. The part that t
// shares with the last time of the same day, in any column, becomes a match. If
// that time is out of reach, t is compared with the time of the previous row.
func (c cursor) time(e *Encoder, o *op, r *stocktake.Record, t int64) cursor {
	t = min(max(t, csvrow.MinTime), csvrow.MaxTime)
	number := t / daySeconds
	second := uint32(t - number*daySeconds)
	if t < number*daySeconds {
		number--
		second += daySeconds
	}
	d := &e.days[number&(numDays-1)]
	if d.number != number {
		d.set(number)
	}
	if o.group != nil {
		c = c.group(e, o.group, r)
	} else {
		back := e.since(c, d.pos-3) // every date has the same three bytes before it
		if back > maxWindow {
			back = e.since(c, o.pos)
		}
		o.pos = e.base + int64(c.text)
		e.text.put32(c.text, '"'|','<<8|'"'<<16)
		c = c.match(e, 3, back)
	}

	hour, minute := second/3600, second/60%60
	second -= hour*3600 + minute*60
	pos := e.base + int64(c.text)
	*e.text.at16(c.text) = d.text
	e.text.put32(c.text+11, dashText[hour&127])
	e.text.put32(c.text+14, dashText[minute&127])
	e.text.put32(c.text+17, zText[second&127])

	n := dateText
	if back := e.since(c, d.pos); back <= maxWindow {
		if hour == d.hour {
			n = hourText
			if minute == d.minute && second == d.second {
				n = timeText
			}
		}
		c = c.match(e, n, back)
	} else {
		c = c.date(e, o, d)
	}
	if n < timeText {
		c = c.flush(e)
		if n < hourText {
			c = c.put(uint64(e.dash[hour&127]))
		}
		c = c.put(uint64(e.dash[minute&127])).put(uint64(e.pair[second&127])).spill(&e.out)
		c.text += timeText - n
	}
	d.pos, d.hour, d.minute, d.second = pos, hour, minute, second
	o.date, o.datePos = d.text, pos

	z := e.since(c, o.z)
	o.z = e.base + int64(c.text)
	return c.match(e, 1, z)
}

// date adds the date of a day that is out of reach. The part that it shares with
// the date of the previous row becomes a match.
func (c cursor) date(e *Encoder, o *op, d *day) cursor {
	n := commonPrefix(d.text[:dateText], o.date[:dateText])
	if n > 0 {
		c = c.match(e, n, e.since(c, o.datePos))
	}
	c = c.flush(e)
	c.text += dateText - n
	if n < yearText {
		c = c.literals(e, d.text[n:yearText])
		n = yearText
	}
	for _, b := range d.text[n:dateText] { // at most "01-02T", which fits
		c = c.put(uint64(e.literal[b]))
	}
	return c.spill(&e.out)
}

func (d *day) set(number int64) {
	*d = day{number: number, pos: noPosition}
	csvrow.PutDate((*[dateText]byte)(d.text[:]), number)
}
