package listpage

import "encoding/binary"

// parseTime reads 2006-01-02T15:04:05Z, with any fraction of a second, as Unix
// milliseconds.
func parseTime(t []byte) (milli int64, ok bool) {
	if len(t) < 20 || t[4] != '-' || t[7] != '-' || t[10] != 'T' || t[13] != ':' || t[16] != ':' || t[len(t)-1] != 'Z' {
		return 0, false
	}
	year, ok1 := digits(t[:4])
	month, ok2 := digits(t[5:7])
	day, ok3 := digits(t[8:10])
	hour, ok4 := digits(t[11:13])
	minute, ok5 := digits(t[14:16])
	second, ok6 := digits(t[17:19])
	if !(ok1 && ok2 && ok3 && ok4 && ok5 && ok6) || month < 1 || month > 12 || day < 1 || day > daysOf(year, month) ||
		hour > 23 || minute > 59 || second > 59 {
		return 0, false
	}
	if fraction := t[19 : len(t)-1]; len(fraction) > 0 {
		if fraction[0] != '.' || len(fraction) == 1 {
			return 0, false
		}
		for i, c := range fraction[1:] {
			if c -= '0'; c > 9 {
				return 0, false
			}
			if i < 3 {
				milli = milli*10 + int64(c)
			}
		}
		for i := len(fraction); i < 4; i++ {
			milli *= 10
		}
	}
	seconds := (daysSinceEpoch(year, month, day)*24+hour)*3600 + minute*60 + second
	return seconds*1000 + milli, true
}

// usualTimeLen is the length of 2006-01-02T15:04:05.000Z, as most stores write times.
const usualTimeLen = len("2006-01-02T15:04:05.000Z")

// usualTime parses a time of that form at the beginning of text.
func usualTime(text []byte) (milli int64, ok bool) {
	if len(text) < usualTimeLen {
		return 0, false
	}
	a, ok1 := usualDate.read(text[0:8])
	b, ok2 := usualHour.read(text[8:16])
	c, ok3 := usualSecond.read(text[16:24])
	// Each byte of these now holds the number of the two digits that begin there.
	pa, pb, pc := a*10+a>>8, b*10+b>>8, c*10+c>>8
	year := int64(pa&0xff*100 + pa>>16&0xff)
	month, day := int64(pa>>40&0xff), int64(pb&0xff)
	hour, minute, second := int64(pb>>24&0xff), int64(pb>>48&0xff), int64(pc>>8&0xff)
	if !(ok1 && ok2 && ok3) || month < 1 || month > 12 || day < 1 || day > 28 && day > daysOf(year, month) ||
		hour > 23 || minute > 59 || second > 59 {
		return 0, false
	}
	seconds := (daysSinceEpoch(year, month, day)*24+hour)*3600 + minute*60 + second
	return seconds*1000 + int64(pc>>32&0xff*10+c>>48&0xff), true
}

// A digitWord is eight bytes, some of which are digits.
type digitWord struct{ zero, six, high uint64 }

var usualDate, usualHour, usualSecond = newDigitWord("0000-00-"), newDigitWord("00T00:00"), newDigitWord(":00.000Z")

// newDigitWord returns the word that expects digits where like has zeros, and the
// bytes of like elsewhere.
func newDigitWord(like string) (w digitWord) {
	for i := range 8 {
		w.zero |= uint64(like[i]) << (8 * i)
		if like[i] == '0' {
			w.six |= 6 << (8 * i)
			w.high |= 0xf0 << (8 * i)
		} else {
			w.high |= 0xff << (8 * i)
		}
	}
	return w
}

// read returns the values of the digits, each in its byte, and 0 elsewhere.
func (w *digitWord) read(text []byte) (values uint64, ok bool) {
	values = binary.LittleEndian.Uint64(text) ^ w.zero
	return values, (values|(values+w.six))&w.high == 0
}

// digits reads a few decimal digits.
func digits(text []byte) (n int64, ok bool) {
	for _, c := range text {
		if c -= '0'; c > 9 {
			return 0, false
		}
		n = n*10 + int64(c)
	}
	return n, true
}

func daysOf(year, month int64) int64 {
	switch month {
	case 4, 6, 9, 11:
		return 30
	case 2:
		if year%4 == 0 && (year%100 != 0 || year%400 == 0) {
			return 29
		}
		return 28
	}
	return 31
}

// daysSinceEpoch counts the days since 1 January 1970 in the Gregorian calendar.
//
// Source: H. Hinnant, chrono-Compatible Low-Level Date Algorithms, days_from_civil.
func daysSinceEpoch(year, month, day int64) int64 {
	if month <= 2 {
		year--
	}
	y := uint64(year + 400) // the year may be -1
	return int64(y*365+y/4-y/100+y/400) + marchFirst[month] + day - 1 - 719468 - 146097
}

// marchFirst are the days from 1 March to the first of each month.
var marchFirst = [13]int64{0, 306, 337, 0, 31, 61, 92, 122, 153, 184, 214, 245, 275}

// floorSeconds returns a time in milliseconds in seconds, rounded down, also before
// 1970.
func floorSeconds(milli int64) int64 {
	if milli < 0 {
		milli -= 999
	}
	return milli / 1000
}
