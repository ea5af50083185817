package csvrow

import (
	"encoding/binary"
	"math"
)

// The times that a date column can show, in Unix seconds: the years 0 to 9999. A
// time outside this range becomes the nearest one in it.
const (
	MinTime = -62167219200
	MaxTime = 253402300799
)

// A dateCache writes times as rows do, "2006-01-02T15-04-05Z", and caches the last
// day.
type dateCache struct {
	day  int64    // since 1970-01-01
	text [11]byte // "2006-01-02T" of day
}

func (c *dateCache) reset() { c.day = math.MinInt64 }

// put writes t, in Unix seconds, into b at i and returns the index after it.
func (c *dateCache) put(b []byte, i int, t int64) int {
	t = min(max(t, MinTime), MaxTime)
	day, sec := t/86400, uint32(t%86400)
	if t%86400 < 0 {
		day, sec = day-1, uint32(t%86400+86400)
	}
	if day != c.day {
		c.set(day)
	}
	b = b[i : i+20]
	copy(b, c.text[:])
	binary.LittleEndian.PutUint16(b[11:], DecimalPairs[sec/3600])
	b[13] = '-'
	binary.LittleEndian.PutUint16(b[14:], DecimalPairs[sec/60%60])
	b[16] = '-'
	binary.LittleEndian.PutUint16(b[17:], DecimalPairs[sec%60])
	b[19] = 'Z'
	return i + 20
}

func (c *dateCache) set(day int64) {
	c.day = day
	PutDate(&c.text, day)
}

// PutDate writes a day, counted from 1970-01-01, as "2006-01-02T". The day must be
// in the years 0 to 9999. The algorithm counts years from March 1 of year 0, so
// that the leap day comes last, and eras of 400 years.
//
// Source: H. Hinnant, chrono-Compatible Low-Level Date Algorithms,
// civil_from_days.
func PutDate(text *[11]byte, day int64) {
	z := day + 719468 // since 0000-03-01; negative for the two months before it
	era := z / 146097
	if z < 0 {
		era = -1
	}
	doe := z - era*146097
	yoe := (doe - doe/1460 + doe/36524 - doe/146096) / 365
	doy := doe - (365*yoe + yoe/4 - yoe/100)
	mp := (5*doy + 2) / 153
	d := doy - (153*mp+2)/5 + 1
	m, y := mp+3, yoe+era*400
	if m > 12 {
		m, y = m-12, y+1
	}
	binary.LittleEndian.PutUint16(text[0:], DecimalPairs[y/100])
	binary.LittleEndian.PutUint16(text[2:], DecimalPairs[y%100])
	binary.LittleEndian.PutUint16(text[5:], DecimalPairs[m])
	binary.LittleEndian.PutUint16(text[8:], DecimalPairs[d])
	text[4], text[7], text[10] = '-', '-', 'T'
}
