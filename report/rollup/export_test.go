package rollup

import "testing"

// KeepPrefixes makes roll-ups keep so few prefixes until the test ends.
func KeepPrefixes(t testing.TB, n int) {
	topPrefixes = n
	t.Cleanup(func() { topPrefixes = TopPrefixes })
}
