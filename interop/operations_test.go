package interop_test

import (
	"bytes"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/stocktake/stocktake/internal/ossapi"
	"github.com/stocktake/stocktake/interop/internal/document"
)

// TestOperationsAreDocumented compares the table of operations in the document with
// the routing table of the server; -update rewrites it.
func TestOperationsAreDocumented(t *testing.T) {
	var want bytes.Buffer
	if err := ossapi.WriteOperations(&want); err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := document.Update(compatibility, "operations", want.Bytes()); err != nil {
			t.Fatal(err)
		}
	}
	got, err := document.Part(compatibility, "operations")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want.Bytes()) {
		t.Errorf("%s is not what the server does; run: cd interop && go test -run Operations . -update\n%s",
			compatibility, cmp.Diff(string(got), want.String()))
	}
}
