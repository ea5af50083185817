package logs_test

import (
	"testing"

	"github.com/stocktake/stocktake/internal/logs"
)

func TestDigest(t *testing.T) {
	for document, want := range map[string]string{
		"":    "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
		"abc": "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad", // FIPS 180-4
	} {
		if got := logs.Digest([]byte(document)); got != want {
			t.Errorf("%q: %s, want %s", document, got, want)
		}
	}
}
