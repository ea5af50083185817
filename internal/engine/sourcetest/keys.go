package sourcetest

import (
	"strings"

	"github.com/stocktake/stocktake"
)

// HostileKeys are object keys that stores and tools are known to mishandle, in
// ascending order of their bytes. UTF-16 order would put the emoji before
// U+FF61.
var HostileKeys = []string{
	" ", "!", "%", "%2F", "+", ".", "..", "../../etc/passwd", "./a", "0", "A", "a", "a\x00b", "a\nb", "a\r\nb",
	"a b", "a\"b", "a#b?c=d", "a&b", "a'b", "a+b%25", "a,b", "a/", "a//b", "a/b", "a\\b", "a|b", "b", "b ",
	strings.Repeat("k", stocktake.MaxKeyLength), "z~-_.", "\u007f", "é", "猫", "猫,\"\n/ +%.jpg", "｡", "😀", "😀/", "\U0010ffff",
}

// longKeys returns n keys of the greatest length, ascending, that differ only in
// their last bytes.
func longKeys(n int) []string {
	keys := make([]string, n)
	for i := range keys {
		tail := string([]byte{byte('a' + i/26), byte('a' + i%26)})
		keys[i] = strings.Repeat("L", stocktake.MaxKeyLength-len(tail)) + tail
	}
	return keys
}
