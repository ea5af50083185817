package store

import (
	"bytes"
	"encoding/binary"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2"
	"github.com/google/go-cmp/cmp"
	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/object"
	"github.com/stocktake/stocktake/internal/store/layout"
)

// bucketOfLayout1 is the row of a bucket with every setting, as layout 1 kept it:
// documents by the name of their sub-resource, in base64.
const bucketOfLayout1 = `{"id":7,"owner":"1","created":"2026-01-05T16:00:00.123Z","storageClass":"IA","redundancy":"ZRS","acl":"private","versioning":2,` +
	`"sseAlgorithm":"KMS","sseKeyId":"key","configuration":{"policy":"e30=","publicAccessBlock":"dHJ1ZQ==","resourceGroup":"cmctYQ==","requestPayment":"UmVxdWVzdGVy",` +
	`"lifecycle":"eyJSdWxlcyI6W3siSUQiOiJyIiwiRW5hYmxlZCI6dHJ1ZSwiUHJlZml4IjoibG9nLyIsIlRhZ3MiOm51bGwsIkV4cGlyYXRpb24iOnsiRGF5cyI6MzB9fV19",` +
	`"tagging":"PFRhZ2dpbmc+PFRhZ1NldD48VGFnPjxLZXk+azwvS2V5PjxWYWx1ZT5hICZhbXA7IGI8L1ZhbHVlPjwvVGFnPjxUYWc+PEtleT5lbXB0eTwvS2V5PjxWYWx1ZT48L1ZhbHVlPjwvVGFnPjwvVGFnU2V0PjwvVGFnZ2luZz4="}}`

// setLayout makes the index in dir one of an earlier layout, with rows of it.
func setLayout(t *testing.T, dir string, version uint32, rows map[string]string) {
	t.Helper()
	s, err := Open(t.Context(), dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	for key, value := range rows {
		if err := s.db.Set([]byte(key), []byte(value), pebble.Sync); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.db.Set(layout.KeyFormat, binary.BigEndian.AppendUint32(nil, version), pebble.Sync); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestLayout1IsMigrated(t *testing.T) {
	dir := t.TempDir()
	setLayout(t, dir, 1, map[string]string{"Bphotos": bucketOfLayout1})
	want := object.Bucket{
		Name: "photos", Owner: "1", StorageClass: stocktake.IA, Redundancy: "ZRS", ACL: stocktake.Private, Versioning: object.Suspended,
		Encryption: object.Encryption{Algorithm: "KMS", KeyID: "key"}, Policy: []byte("{}"),
		Tags: []object.Tag{{Key: "k", Value: "a & b"}, {Key: "empty"}}, BlockPublicAccess: true, ResourceGroup: "rg-a", RequesterPays: true,
		Lifecycle: &object.Lifecycle{Rules: []object.LifecycleRule{{ID: "r", Enabled: true, Prefix: "log/", Expiration: &object.LifecycleAge{Days: 30}}}},
	}
	for range 2 { // the second start has nothing to migrate
		s, err := Open(t.Context(), dir, Options{})
		if err != nil {
			t.Fatal(err)
		}
		got, err := s.Bucket(t.Context(), "photos")
		want.Created = got.Created
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Errorf("%v (-want +got):\n%s", err, diff)
		}
		row, err := s.get(layout.BucketKey("photos"))
		if err != nil || bytes.Contains(row, []byte("configuration")) {
			t.Errorf("the row was not migrated: %s, %v", row, err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// Unknown contents of an index are refused, since a migration would lose them.
func TestUnknownLayoutIsRefused(t *testing.T) {
	for name, tt := range map[string]struct {
		version uint32
		row     string
		want    string
	}{
		"a later layout":     {layoutVersion + 1, bucketOfLayout1, "this program knows layouts 1 to"},
		"layout 0":           {0, bucketOfLayout1, "this program knows layouts 1 to"},
		"an unknown setting": {1, strings.Replace(bucketOfLayout1, "resourceGroup", "colour", 1), `unknown setting "colour"`},
		"damaged tags":       {1, strings.Replace(bucketOfLayout1, "PFRhZ2", "PFRhZ3", 1), "bucket photos in the index: tags"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			setLayout(t, dir, tt.version, map[string]string{"Bphotos": tt.row})
			s, err := Open(t.Context(), dir, Options{})
			if err == nil {
				s.Close()
			}
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%v, want %q", err, tt.want)
			}
		})
	}
}
