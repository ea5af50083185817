package digest

import "testing"

// setFast chooses the implementation for the rest of a test.
func setFast(t *testing.T, on bool) {
	before := fast
	fast = on
	t.Cleanup(func() { fast = before })
}
