package reportplace_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/membucket"
	"github.com/stocktake/stocktake/internal/reportfolder"
	"github.com/stocktake/stocktake/internal/reportplace"
	"github.com/stocktake/stocktake/report"
)

// buckets are those of a store in memory.
type buckets struct{ *membucket.Store }

var errNoBucket = errors.New("no such bucket")

func (b buckets) Bucket(a reportplace.Address) (report.Bucket, error) {
	if a.Bucket != "reports" {
		return nil, errNoBucket
	}
	return b.Store.Bucket(a.Bucket), nil
}

// newBuckets returns a bucket with two full reports and an incremental one of photos,
// and one full report of another configuration.
func newBuckets() buckets {
	b := buckets{membucket.New(nil, "reports")}
	for _, key := range []string{
		"inv/photos/daily/2026-01-01T00-00Z/manifest.json", "inv/photos/daily/2026-01-02T00-00Z/manifest.json",
		"inv/photos/daily/2026-01-03T00-00Z/manifest.checksum",
		"inv/photos/daily/incremental_inventory/2026-01-04T00-00Z/manifest.json",
		"other/2025-01-01T00-00Z/manifest.json",
	} {
		b.Store.Bucket("reports").Put(stocktake.Record{Key: []byte(key)})
	}
	return b
}

// Addresses are read, paths of this machine are told from them, and what is neither is
// refused.
func TestParseAddress(t *testing.T) {
	for text, want := range map[string]reportplace.Address{
		"oss://reports":     {Scheme: "oss", Bucket: "reports"},
		"s3://reports/a/b/": {Scheme: "s3", Bucket: "reports", Path: "a/b/"},
	} {
		if a, ok, err := reportplace.ParseAddress(text); a != want || !ok || err != nil {
			t.Errorf("%s: %+v, %v, %v", text, a, ok, err)
		}
	}
	for _, text := range []string{".", "/reports", "reports/a"} {
		if _, ok, err := reportplace.ParseAddress(text); ok || err != nil {
			t.Errorf("%s: %v, %v", text, ok, err)
		}
	}
	for _, text := range []string{"", "gs://reports", "oss://", "s3:///a"} {
		_, _, err := reportplace.ParseAddress(text)
		if _, ok := errors.AsType[*reportplace.ArgumentError](err); !ok {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// The newest full report is found, and an incremental one only in its own folder.
func TestOpenManifest(t *testing.T) {
	b := newBuckets()
	for where, want := range map[string]string{
		"oss://reports":                  "inv/photos/daily/2026-01-02T00-00Z/manifest.json",
		"oss://reports/inv/photos/daily": "inv/photos/daily/2026-01-02T00-00Z/manifest.json",
		"oss://reports/other/":           "other/2025-01-01T00-00Z/manifest.json",
		"oss://reports/inv/photos/daily/2026-01-01T00-00Z/manifest.json": "inv/photos/daily/2026-01-01T00-00Z/manifest.json",
		"oss://reports/inv/photos/daily/incremental_inventory":           "inv/photos/daily/incremental_inventory/2026-01-04T00-00Z/manifest.json",
	} {
		p, key, err := reportplace.OpenManifest(t.Context(), b, where)
		if err != nil || key != want {
			t.Errorf("%s: %q, %v", where, key, err)
			continue
		}
		if p.Where(key) != "oss://reports/"+want || p.Close() != nil {
			t.Errorf("%s: the manifest is at %s", where, p.Where(key))
		}
	}
	_, _, err := reportplace.OpenManifest(t.Context(), b, "oss://reports/inv/photos/dail")
	if err == nil || !strings.Contains(err.Error(), "no complete report (no manifest.json) below oss://reports/inv/photos/dail/") {
		t.Errorf("a part of a name: %v", err)
	}
	if _, _, err := reportplace.OpenManifest(t.Context(), b, "oss://others"); !errors.Is(err, errNoBucket) {
		t.Errorf("a bucket that cannot be opened: %v", err)
	}
}

// Each finds all reports below a prefix, until the caller has enough.
func TestEachInBucket(t *testing.T) {
	b := newBuckets()
	var found []string
	collect := func(p *reportplace.Place, manifest string, err error) error {
		found = append(found, p.Where(manifest))
		return err
	}
	if err := reportplace.Each(t.Context(), b, "oss://reports/inv/", collect); err != nil {
		t.Fatal(err)
	}
	if want := []string{
		"oss://reports/inv/photos/daily/2026-01-01T00-00Z/manifest.json", "oss://reports/inv/photos/daily/2026-01-02T00-00Z/manifest.json",
		"oss://reports/inv/photos/daily/incremental_inventory/2026-01-04T00-00Z/manifest.json",
	}; !slices.Equal(found, want) {
		t.Errorf("found %q", found)
	}
	calls, enough := 0, errors.New("enough")
	err := reportplace.Each(t.Context(), b, "oss://reports", func(*reportplace.Place, string, error) error {
		calls++
		return enough
	})
	if calls != 1 || !errors.Is(err, enough) {
		t.Errorf("%d calls, then %v", calls, err)
	}
}

// One damaged manifest in a folder does not hide another, and a folder that does not
// exist is told from an empty one.
func TestEachInFolder(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"a", "b"} {
		path := filepath.Join(dir, name, "2026-01-01T00-00Z", report.ManifestName)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte("{"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	calls := 0
	count := func(p *reportplace.Place, manifest string, err error) error {
		if calls++; filepath.Base(manifest) != report.ManifestName {
			t.Errorf("%+v, %s, %v", p, manifest, err)
		}
		return nil
	}
	if err := reportplace.Each(t.Context(), nil, dir, count); err != nil || calls != 2 {
		t.Errorf("%d reports, %v", calls, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := reportplace.Each(ctx, nil, dir, count); !errors.Is(err, context.Canceled) || calls != 2 {
		t.Errorf("after the end of the context: %d calls, %v", calls-2, err)
	}
	err := reportplace.Each(t.Context(), nil, filepath.Join(dir, "c"), count)
	if _, ok := errors.AsType[*reportfolder.PathError](err); !ok {
		t.Errorf("a folder that does not exist: %v", err)
	}
}
