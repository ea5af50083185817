package kms_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/stocktake/stocktake/internal/kms"
)

// An object is encrypted with a data key of its own, which is kept wrapped
// next to it. A range is read without the rest.
func Example() {
	dir, err := os.MkdirTemp("", "kms")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	ctx := context.Background()
	keys, err := kms.Open(filepath.Join(dir, "keys.json"), kms.Options{MasterFile: filepath.Join(dir, "master.key")})
	if err != nil {
		panic(err)
	}

	dataKey, object := kms.NewDataKey(), []byte("photos/cat.jpg")
	_, wrapped, err := keys.Wrap(ctx, "1000000000000000", kms.DefaultKey, dataKey, object)
	if err != nil {
		panic(err)
	}
	var file bytes.Buffer
	w, err := kms.NewWriter(&file, dataKey, object)
	if err != nil {
		panic(err)
	}
	fmt.Fprint(w, "a large picture")
	if err := w.Close(); err != nil {
		panic(err)
	}

	dataKey, err = keys.Unwrap(ctx, wrapped, object)
	if err != nil {
		panic(err)
	}
	r, err := kms.NewReader(bytes.NewReader(file.Bytes()), int64(file.Len()), dataKey, object)
	if err != nil {
		panic(err)
	}
	part, err := io.ReadAll(r.Range(2, 5))
	fmt.Printf("%d bytes, %d encrypted; bytes 2 to 6: %q, %v\n", r.Size(), file.Len(), part, err)
	// Output: 15 bytes, 71 encrypted; bytes 2 to 6: "large", <nil>
}
