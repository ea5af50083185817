package listpage

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
	era := (year+400)/400 - 1 // rounded down, as the year may be -1
	yearOfEra := year - era*400
	dayOfYear := (153*((month+9)%12)+2)/5 + day - 1
	dayOfEra := yearOfEra*365 + yearOfEra/4 - yearOfEra/100 + dayOfYear
	return era*146097 + dayOfEra - 719468
}

// floorSeconds returns the seconds of a time in milliseconds, also before 1970.
func floorSeconds(milli int64) int64 {
	if milli < 0 {
		milli -= 999
	}
	return milli / 1000
}
