package kms_test

import (
	"bytes"
	"flag"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/stocktake/stocktake/internal/kms"
	"github.com/stocktake/stocktake/internal/securefile"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// What earlier versions wrote stays readable: master key, keys, a wrapped data
// key and a stream of two segments, as they lie in testdata/golden.
func TestReadsWhatWasWritten(t *testing.T) {
	ctx, golden := t.Context(), filepath.Join("testdata", "golden")
	plain, aad := bytes.Repeat([]byte("stocktake "), 7000), []byte("photos/cat.jpg")
	if *update {
		must(t, os.RemoveAll(golden))
		must(t, os.MkdirAll(golden, 0o755))
		k := open(t, golden, kms.Options{})
		_, err := k.Create(account, "reports")
		must(t, err)
		dataKey := kms.NewDataKey()
		_, wrapped, err := k.Wrap(ctx, account, "reports", dataKey, aad)
		must(t, err)
		_, err = k.Rotate("reports")
		must(t, err)
		must(t, os.WriteFile(filepath.Join(golden, "wrapped"), wrapped, 0o600))
		must(t, os.WriteFile(filepath.Join(golden, "content"), encrypt(t, plain, dataKey, aad), 0o600))
		must(t, os.Remove(filepath.Join(golden, "keys.json.lock")))
	}
	for _, folder := range []string{golden, golden + "-1"} { // version 1 has no accounts
		dir := t.TempDir()
		read := func(name string) []byte {
			b, err := os.ReadFile(filepath.Join(folder, name))
			must(t, err)
			return b
		}
		for _, name := range []string{"master.key", "keys.json"} { // a checkout makes them readable for everyone
			must(t, securefile.Replace(filepath.Join(dir, name), read(name)))
		}
		k := open(t, dir, kms.Options{Account: account})
		if info, err := k.Get("reports"); err != nil || info.Versions != 2 || info.Account != account {
			t.Errorf("%s: %+v, %v", folder, info, err)
		}
		k = open(t, dir, kms.Options{Account: other}) // they belong to the first
		if info, err := k.Get("reports"); err != nil || info.Account != account {
			t.Errorf("%s: %+v, %v", folder, info, err)
		}
		dataKey, err := k.Unwrap(ctx, read("wrapped"), aad)
		must(t, err)
		r := reader(t, read("content"), dataKey, aad)
		if got, err := io.ReadAll(r.Range(0, r.Size())); err != nil || !bytes.Equal(got, plain) {
			t.Errorf("%s: %d bytes, %v", folder, len(got), err)
		}
	}
}
