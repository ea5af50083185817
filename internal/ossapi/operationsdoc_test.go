package ossapi_test

import (
	"bytes"
	"flag"
	"os"
	"testing"

	"github.com/stocktake/stocktake/internal/ossapi"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// TestOperations compares the list of operations, which docs/compatibility.md
// contains, with its golden file: it changes only on purpose.
func TestOperations(t *testing.T) {
	const golden = "testdata/golden/operations.md"
	var got bytes.Buffer
	check(t, ossapi.WriteOperations(&got))
	if *update {
		check(t, os.MkdirAll("testdata/golden", 0o755))
		check(t, os.WriteFile(golden, got.Bytes(), 0o644))
	}
	want, err := os.ReadFile(golden)
	check(t, err)
	if !bytes.Equal(got.Bytes(), want) {
		t.Errorf("the list of operations has changed; see it with -update:\n%s", got.Bytes())
	}
}
