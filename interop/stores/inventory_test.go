package stores_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/aliyun/alibabacloud-oss-go-sdk-v2/oss"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/stocktake/stocktake/client"
	"github.com/stocktake/stocktake/internal/testserver"
	"github.com/stocktake/stocktake/report"
)

// testInventories: a stocktake server whose settings name the store makes the
// inventory of a versioned bucket of the store, with a configuration put by Alibaba's
// SDK, and so does stocktake take; both have the rows that the SDK of S3 lists.
func testInventories(t *testing.T, s *server) {
	binary, err := testserver.Build(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	source, reports := s.newBucket(t), s.newBucket(t)
	_, err = s.api.PutBucketVersioning(t.Context(), &s3.PutBucketVersioningInput{
		Bucket: &source, VersioningConfiguration: &types.VersioningConfiguration{Status: types.BucketVersioningStatusEnabled},
	})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 40 {
		key := aws.String(fmt.Sprintf("photos/%02d", i%30)) // ten keys have two versions
		if _, err := s.api.PutObject(t.Context(), &s3.PutObjectInput{Bucket: &source, Key: key, Body: strings.NewReader("x")}); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 5 {
		if _, err := s.api.DeleteObject(t.Context(), &s3.DeleteObjectInput{Bucket: &source, Key: aws.String(fmt.Sprintf("photos/%02d", i))}); err != nil {
			t.Fatal(err)
		}
	}
	want := s.rows(t, source)

	settings := filepath.Join(t.TempDir(), "stocktake.yaml")
	text := fmt.Sprintf(`stores:
  - name: lake
    kind: s3
    endpoint: %s
    credentials: {env: LAKE}
    roles: {"*": default}
    aliases: {lake-source: %s, lake-reports: %s}
`, s.endpoint, source, reports)
	if err := os.WriteFile(settings, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	key := []string{"LAKE_ACCESS_KEY_ID=" + accessKey, "LAKE_ACCESS_KEY_SECRET=" + secretKey}
	srv, err := testserver.Start(t.Context(), testserver.Config{Binary: binary, Data: t.TempDir(), Args: []string{"--config", settings}, Env: key})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := srv.Stop(); err != nil {
			t.Error(err)
		}
	})
	api := ossClient(srv)
	_, err = api.PutBucketInventory(t.Context(), &oss.PutBucketInventoryRequest{
		Bucket: oss.Ptr("lake-source"), InventoryId: oss.Ptr("daily"),
		InventoryConfiguration: &oss.InventoryConfiguration{
			Id: oss.Ptr("daily"), IsEnabled: oss.Ptr(true), IncludedObjectVersions: oss.Ptr("All"),
			Schedule: &oss.InventorySchedule{Frequency: oss.InventoryFrequencyDaily},
			Destination: &oss.InventoryDestination{OSSBucketDestination: &oss.InventoryOSSBucketDestination{
				Format: oss.InventoryFormatCSV, AccountId: oss.Ptr(testserver.AccountID), RoleArn: oss.Ptr("acs:ram::" + testserver.AccountID + ":role/stocktake"),
				Bucket: oss.Ptr("acs:oss:::lake-reports"), Prefix: oss.Ptr("inv"),
			}},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	c := client.New(api)
	runs, err := c.Runs(t.Context(), "lake-source", "daily")
	if err != nil || len(runs) != 1 {
		t.Fatalf("%+v, %v", runs, err)
	}
	run, err := c.Wait(t.Context(), runs[0], nil)
	if err != nil || run.Manifest == "" {
		t.Fatalf("%+v, %v", run, err)
	}
	if got := reported(t, s.store.Destination(reports), run.Manifest); !slices.Equal(got, want) {
		t.Errorf("the report of the server has %d rows, want %d:\n%q\n%q", len(got), len(want), got, want)
	}

	for _, args := range [][]string{
		{"store", "check", "lake", "--config", settings, "--bucket", "lake-reports"},
		{"take", "s3://" + source, "s3://" + reports + "/taken", "--versions", "All", "--endpoint", s.endpoint},
	} {
		cmd := exec.CommandContext(t.Context(), binary, args...)
		cmd.Env = append(os.Environ(), append(key, "AWS_ACCESS_KEY_ID="+accessKey, "AWS_SECRET_ACCESS_KEY="+secretKey)...)
		out, err := cmd.CombinedOutput()
		t.Logf("stocktake %s\n%s", strings.Join(args[:2], " "), out)
		if err != nil {
			t.Fatalf("%q: %v", args, err)
		}
		if _, manifest, ok := bytes.Cut(out, []byte("s3://"+reports+"/")); ok && args[0] == "take" {
			manifest, _, _ = bytes.Cut(manifest, []byte(" "))
			if got := reported(t, s.store.Destination(reports), string(manifest)); !slices.Equal(got, want) {
				t.Errorf("the report of take has %d rows, want %d:\n%q\n%q", len(got), len(want), got, want)
			}
		} else if args[0] == "take" {
			t.Errorf("take said %q", out)
		}
	}
}

// rows returns the listing of a bucket by the SDK, a line for each version and
// marker, sorted.
func (s *server) rows(t *testing.T, bucket string) (rows []string) {
	t.Helper()
	pages := s3.NewListObjectVersionsPaginator(s.api, &s3.ListObjectVersionsInput{Bucket: &bucket})
	for pages.HasMorePages() {
		page, err := pages.NextPage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range page.Versions {
			rows = append(rows, fmt.Sprintf("%s %s %t false", *v.Key, *v.VersionId, *v.IsLatest))
		}
		for _, m := range page.DeleteMarkers {
			rows = append(rows, fmt.Sprintf("%s %s %t true", *m.Key, *m.VersionId, *m.IsLatest))
		}
	}
	slices.Sort(rows)
	return rows
}

// reported returns the same of a report.
func reported(t *testing.T, b report.Bucket, manifest string) (rows []string) {
	t.Helper()
	r, err := report.Open(t.Context(), b, manifest)
	if err != nil {
		t.Fatal(err)
	}
	for row, err := range r.Rows(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		rows = append(rows, fmt.Sprintf("%s %s %t %t", row.Key, row.VersionID, row.IsLatest, row.IsDeleteMarker))
	}
	slices.Sort(rows)
	return rows
}
