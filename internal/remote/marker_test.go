package remote

import (
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"

	"github.com/stocktake/stocktake/internal/membucket"
)

// A marker comes before its key, is valid UTF-8, and has every prefix of the key
// that is shorter than the marker, which MinIO requires.
func TestBefore(t *testing.T) {
	raw := rapid.Map(rapid.SliceOfN(rapid.Byte(), 1, 9), func(b []byte) string { return string(b) })
	rapid.Check(t, func(t *rapid.T) {
		key := rapid.OneOf(membucket.RandomKeys(), raw).Draw(t, "key")
		marker := markerBefore(key)
		if marker >= key || !utf8.ValidString(marker) {
			t.Errorf("%q is not before %q", marker, key)
		}
		for i := range key {
			if prefix := key[:i]; utf8.ValidString(key) && !strings.HasPrefix(marker, prefix) {
				t.Errorf("%q is not under %q", marker, prefix)
			}
		}
	})
	for key, want := range map[string]string{
		"b": "a\U0010FFFF", "a/b": "a/a\U0010FFFF", "a\x00": "a", "\x00": "", "a\xff": "a\U0010FFFF\U0010FFFF", "\x80": "\x7f\U0010FFFF", "a\xe4\xb8": "a\u4dff\U0010FFFF", "\xed\xa0\x80": "\ud7ff\U0010FFFF", "\ue000": "\ud7ff\U0010FFFF",
	} {
		if got := markerBefore(key); got != want {
			t.Errorf("before %q comes %q, want %q", key, got, want)
		}
	}
}
