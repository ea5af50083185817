package csvgz

import "github.com/stocktake/stocktake/internal/csvrow"

// escaped and quoted are the text of each byte of a key, and of any other value.
var escaped, quoted = &csvrow.Escapes, &csvrow.Quotes

// Texts of numbers, the first byte lowest.
var (
	dashText   [128]uint32 // two digits of 0 to 99 and a dash
	zText      [128]uint32 // the same with a Z
	leadText   [32]uint16  // 0 to 31, without a leading zero
	tripleText [1024]uint32
)

func init() {
	for n, pair := range csvrow.DecimalPairs {
		dashText[n] = uint32(pair) | '-'<<16
		zText[n] = uint32(pair) | 'Z'<<16
	}
	for n := range leadText {
		leadText[n] = csvrow.DecimalPairs[n]
		if n < 10 {
			leadText[n] >>= 8
		}
	}
	for n := range 1000 {
		tripleText[n] = uint32(csvrow.DecimalPairs[n/10]) | uint32(csvrow.Decimal[n%10])<<16
	}
}
