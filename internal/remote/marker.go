package remote

import "unicode/utf8"

// before returns a marker that comes before key, with few keys between them. It is
// valid UTF-8, which AWS may insist on.
func before(key string) string {
	for i := 0; i < len(key); {
		r, size := utf8.DecodeRuneInString(key[i:])
		if r == utf8.RuneError && size == 1 {
			return key[:i]
		}
		i += size
	}
	last, size := utf8.DecodeLastRuneInString(key)
	head := key[:len(key)-size]
	switch last {
	case 0:
		return head
	case 0xE000:
		last = 0xD800 // those between are halves of characters
	}
	return head + string(last-1) + "\U0010FFFF"
}
