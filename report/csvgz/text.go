package csvgz

const (
	upperHex = "0123456789ABCDEF"
	decimal  = "0123456789"
)

// escaped and quoted have what stands in a row for a byte of a key and for one
// of another text: at most three bytes, the first lowest, and their number in
// the highest byte. A key is percent-encoded; in other text a quote is doubled,
// should a store ever make one.
var escaped, quoted = func() (k, q [256]uint32) {
	for c := range 256 {
		k[c] = uint32(c) | 1<<24
		q[c] = k[c]
		if !unreserved(byte(c)) {
			k[c] = '%' | uint32(upperHex[c>>4])<<8 | uint32(upperHex[c&15])<<16 | 3<<24
		}
	}
	q['"'] = '"' | '"'<<8 | 2<<24
	return k, q
}()

func unreserved(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' ||
		c == '-' || c == '_' || c == '.' || c == '~'
}

// hexText has the two digits of a byte, pairText those of 0 to 99, tripleText
// the three of 0 to 999, the first lowest.
var (
	hexText    [256]uint16
	pairText   [100]uint16
	dashText   [128]uint32 // the same with a dash behind
	zText      [128]uint32 // with a Z behind
	leadText   [32]uint16  // 0 to 31, without a leading zero
	tripleText [1024]uint32
)

func init() {
	for c := range hexText {
		hexText[c] = uint16(upperHex[c>>4]) | uint16(upperHex[c&15])<<8
	}
	for n := range pairText {
		pairText[n] = uint16(decimal[n/10]) | uint16(decimal[n%10])<<8
		dashText[n] = uint32(pairText[n]) | '-'<<16
		zText[n] = uint32(pairText[n]) | 'Z'<<16
	}
	for n := range leadText {
		leadText[n] = pairText[n]
		if n < 10 {
			leadText[n] >>= 8
		}
	}
	for n := range 1000 {
		tripleText[n] = uint32(pairText[n/10]) | uint32(decimal[n%10])<<16
	}
}
