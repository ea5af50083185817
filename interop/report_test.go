package interop_test

import (
	"bytes"
	"context"
	"crypto/md5"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aliyun/alibabacloud-oss-go-sdk-v2/oss"

	"github.com/stocktake/stocktake/internal/testserver"
	"github.com/stocktake/stocktake/interop/internal/stage"
)

// TestReportReaders puts an inventory with the official SDK and reads the report with
// independent programs: gzip, zcat and Python's zlib and csv.
func TestReportReaders(t *testing.T) {
	if !stage.Inside() {
		for _, tool := range []string{"gzip", "zcat", "python3"} {
			if _, err := exec.LookPath(tool); err != nil {
				t.Fatalf("%s is missing (Debian: apt-get install gzip python3)", tool)
			}
		}
		stage.Rerun(t, envBinary+"="+build(t))
		return
	}
	serve(t)
	c := client()
	const bucket = "readers"
	if _, err := c.PutBucket(t.Context(), &oss.PutBucketRequest{Bucket: oss.Ptr(bucket)}); err != nil {
		t.Fatal(err)
	}
	want := map[string]int64{"猫/😀 + %.txt": 0, "a//b": 1, "quote\",\nline": 2, strings.Repeat("k", 1023): 3}
	for i := range 300 {
		want[fmt.Sprintf("many/%05d", i)] = int64(i)
	}
	for key, size := range want {
		_, err := c.PutObject(t.Context(), &oss.PutObjectRequest{
			Bucket: oss.Ptr(bucket), Key: oss.Ptr(key), Body: bytes.NewReader(make([]byte, size)),
		})
		if err != nil {
			t.Fatalf("put %q: %v", key, err)
		}
	}
	putInventory(t, c, bucket)
	manifest := awaitManifest(t, c, bucket)

	got := map[string]int64{}
	for _, f := range manifest.Files {
		shard := filepath.Join(t.TempDir(), filepath.Base(f.Key))
		stored := download(t, c, bucket, f.Key)
		if sum := fmt.Sprintf("%X", md5.Sum(stored)); sum != f.MD5 || int64(len(stored)) != f.Size {
			t.Errorf("%s: MD5 %s, %d bytes; the manifest says %s, %d", f.Key, sum, len(stored), f.MD5, f.Size)
		}
		if err := os.WriteFile(shard, stored, 0o644); err != nil {
			t.Fatal(err)
		}
		run(t, "gzip", "-t", shard)
		rows := run(t, "python3", "readers/read_report.py", shard, manifest.FileSchema)
		if n := bytes.Count(run(t, "zcat", shard), []byte("\n")); n != bytes.Count(rows, []byte("\n")) {
			t.Errorf("zcat reads %d lines, Python %d rows", n, bytes.Count(rows, []byte("\n")))
		}
		for line := range bytes.Lines(rows) {
			var key string
			var size int64
			if err := json.Unmarshal(line, &[]any{&key, &size}); err != nil {
				t.Fatalf("%s: %v", line, err)
			}
			if _, twice := got[key]; twice {
				t.Errorf("%q is listed twice", key)
			}
			got[key] = size
		}
	}
	for key, size := range want {
		if s, ok := got[key]; !ok || s != size {
			t.Errorf("%q: listed %v with size %d, want %d", key, ok, s, size)
		}
		delete(got, key)
	}
	if len(got) > 0 {
		t.Errorf("%d keys that were not put: %v", len(got), got)
	}
}

// putInventory requests a report of bucket in the same bucket, below reports/.
func putInventory(t *testing.T, c *oss.Client, bucket string) {
	t.Helper()
	_, err := c.PutBucketInventory(t.Context(), &oss.PutBucketInventoryRequest{
		Bucket: oss.Ptr(bucket), InventoryId: oss.Ptr("all"),
		InventoryConfiguration: &oss.InventoryConfiguration{
			Id: oss.Ptr("all"), IsEnabled: oss.Ptr(true),
			Destination: &oss.InventoryDestination{OSSBucketDestination: &oss.InventoryOSSBucketDestination{
				Format: oss.InventoryFormatCSV, AccountId: oss.Ptr(testserver.AccountID), RoleArn: oss.Ptr(roleARN),
				Bucket: oss.Ptr("acs:oss:::" + bucket), Prefix: oss.Ptr("reports"),
			}},
			Schedule:               &oss.InventorySchedule{Frequency: oss.InventoryFrequencyDaily},
			IncludedObjectVersions: oss.Ptr("All"),
			OptionalFields: &oss.OptionalFields{Fields: []oss.InventoryOptionalFieldType{
				oss.InventoryOptionalFieldSize, oss.InventoryOptionalFieldLastModifiedDate, oss.InventoryOptionalFieldETag,
				oss.InventoryOptionalFieldStorageClass, oss.InventoryOptionalFieldIsMultipartUploaded,
				oss.InventoryOptionalFieldEncryptionStatus,
			}},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
}

// A manifest has the members of manifest.json that a reader needs.
type manifest struct {
	FileSchema string `json:"fileSchema"`
	Files      []struct {
		Key  string `json:"key"`
		MD5  string `json:"MD5checksum"`
		Size int64  `json:"size"`
	} `json:"files"`
}

// awaitManifest waits for the first report as OSS recommends to readers: until a
// manifest.json exists.
func awaitManifest(t *testing.T, c *oss.Client, bucket string) (m manifest) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		page, err := c.ListObjectsV2(ctx, &oss.ListObjectsV2Request{Bucket: oss.Ptr(bucket), Prefix: oss.Ptr("reports/" + bucket + "/")})
		if err != nil {
			t.Fatalf("no report: %v", err)
		}
		i := slices.IndexFunc(page.Contents, func(o oss.ObjectProperties) bool { return strings.HasSuffix(*o.Key, "/manifest.json") })
		if i >= 0 {
			if err := json.Unmarshal(download(t, c, bucket, *page.Contents[i].Key), &m); err != nil {
				t.Fatal(err)
			}
			return m
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatal("no report within 30 s")
		}
	}
}

// download reads an object.
func download(t *testing.T, c *oss.Client, bucket, key string) []byte {
	t.Helper()
	res, err := c.GetObject(t.Context(), &oss.GetObjectRequest{Bucket: oss.Ptr(bucket), Key: oss.Ptr(key)})
	if err != nil {
		t.Fatalf("get %s: %v", key, err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatalf("get %s: %v", key, err)
	}
	return b
}

// run returns the output of a command; if the command fails, the test fails.
func run(t *testing.T, name string, args ...string) []byte {
	t.Helper()
	var stderr bytes.Buffer
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, stderr.Bytes())
	}
	return out
}
