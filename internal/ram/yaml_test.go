package ram

import (
	"strings"
	"testing"
)

// Errors of a declaration name its lines, not this program's types.
func TestDeclarationErrors(t *testing.T) {
	for text, want := range map[string]string{
		"nonsense":                              "line 1: cannot unmarshal !!str `nonsense`",
		"accounts: []\n---\naccounts: []\n":     "a second document follows the first",
		"acounts: []":                           "line 1: field acounts not found",
		"accounts:\n  - id: 1\n    keys: 3":     "line 3: cannot unmarshal !!int `3`",
		"accounts:\n  - users:\n      - nam: x": "line 3: field nam not found",
	} {
		_, err := readYAML([]byte(text))
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "ram.") || strings.Contains(err.Error(), "into") {
			t.Errorf("%q: %v; want %q", text, err, want)
		}
	}
}
