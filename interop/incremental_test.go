package interop_test

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aliyun/alibabacloud-oss-go-sdk-v2/oss"

	stocktakeclient "github.com/stocktake/stocktake/client"
	"github.com/stocktake/stocktake/internal/testserver"
	"github.com/stocktake/stocktake/interop/internal/stage"
	"github.com/stocktake/stocktake/report"
)

// TestIncrementalConfiguration puts the configuration that the official SDK's own
// test of incremental reports encodes, with all of its fields, and reads it back: the
// SDK's suite tests this part only against canned answers.
func TestIncrementalConfiguration(t *testing.T) {
	if !stage.Inside() {
		stage.Rerun(t, envBinary+"="+build(t))
		return
	}
	serve(t)
	c, ctx, bucket := client(), t.Context(), oss.Ptr("incremental")
	if _, err := c.PutBucket(ctx, &oss.PutBucketRequest{Bucket: bucket}); err != nil {
		t.Fatal(err)
	}
	want := incrementalConfiguration(*bucket)
	put := &oss.PutBucketInventoryRequest{Bucket: bucket, InventoryId: want.Id, InventoryConfiguration: want}
	if _, err := c.PutBucketInventory(ctx, put); err != nil {
		t.Fatal(err)
	}
	want.Filter.StorageClass = oss.Ptr("IA,Standard") // OSS only sorts them
	got, err := c.GetBucketInventory(ctx, &oss.GetBucketInventoryRequest{Bucket: bucket, InventoryId: want.Id})
	if err != nil {
		t.Fatal(err)
	}
	sameConfiguration(t, "GetBucketInventory", got.InventoryConfiguration, want)
	list, err := c.ListBucketInventory(ctx, &oss.ListBucketInventoryRequest{Bucket: bucket})
	if err != nil {
		t.Fatal(err)
	}
	if n := len(list.ListInventoryConfigurationsResult.InventoryConfigurations); n != 1 {
		t.Fatalf("%d configurations are listed", n)
	}
	sameConfiguration(t, "ListBucketInventory", &list.ListInventoryConfigurationsResult.InventoryConfigurations[0], want)

	// Windows have one length.
	want.Id, want.IncrementalInventory.Schedule.Frequency = oss.Ptr("often"), oss.Ptr(int64(60))
	put.InventoryId = want.Id
	_, err = c.PutBucketInventory(ctx, put)
	if e := new(oss.ServiceError); !errors.As(err, &e) || e.StatusCode != 400 || e.Code != "InvalidArgument" {
		t.Errorf("windows of a minute: %v", err)
	}
}

// incrementalConfiguration returns a configuration that has everything that the SDK
// knows and that can be combined.
func incrementalConfiguration(bucket string) *oss.InventoryConfiguration {
	return &oss.InventoryConfiguration{
		Id: oss.Ptr("report1"), IsEnabled: oss.Ptr(true),
		Destination: &oss.InventoryDestination{OSSBucketDestination: &oss.InventoryOSSBucketDestination{
			Format: oss.InventoryFormatCSV, AccountId: oss.Ptr(testserver.AccountID), RoleArn: oss.Ptr(roleARN),
			Bucket: oss.Ptr("acs:oss:::" + bucket), Prefix: oss.Ptr("prefix1"),
		}},
		Schedule: &oss.InventorySchedule{Frequency: oss.InventoryFrequencyType("Monthly"), DayOfMonth: oss.Ptr(15)},
		Filter: &oss.InventoryFilter{
			LastModifyBeginTimeStamp: oss.Ptr(int64(1637883649)), LastModifyEndTimeStamp: oss.Ptr(int64(1638347592)),
			LowerSizeBound: oss.Ptr(int64(1024)), UpperSizeBound: oss.Ptr(int64(1048576)),
			StorageClass: oss.Ptr("Standard,IA"), Prefix: oss.Ptr("filterPrefix"),
		},
		IncludedObjectVersions: oss.Ptr("All"),
		OptionalFields: &oss.OptionalFields{Fields: []oss.InventoryOptionalFieldType{
			oss.InventoryOptionalFieldSize, oss.InventoryOptionalFieldLastModifiedDate,
		}},
		IncrementalInventory: &oss.IncrementalInventory{
			IsEnabled: oss.Ptr(true),
			Schedule:  &oss.IncrementInventorySchedule{Frequency: oss.Ptr(int64(600))},
			OptionalFields: &oss.IncrementalInventoryOptionalFields{Fields: []oss.IncrementalInventoryOptionalFieldType{
				oss.IncrementalInventoryOptionalFieldSequenceNumber, oss.IncrementalInventoryOptionalFieldRecordType,
				oss.IncrementalInventoryOptionalFieldRecordTimestamp, oss.IncrementalInventoryOptionalFieldRequester,
				oss.IncrementalInventoryOptionalFieldSourceIp, oss.IncrementalInventoryOptionalFieldRequestId,
				oss.IncrementalInventoryOptionalFieldSize, oss.IncrementalInventoryOptionalFieldStorageClass,
				oss.IncrementalInventoryOptionalFieldLastModifiedDate, oss.IncrementalInventoryOptionalFieldETag,
				oss.IncrementalInventoryOptionalFieldIsMultipartUploaded, oss.IncrementalInventoryOptionalFieldObjectType,
				oss.IncrementalInventoryOptionalFieldObjectAcl, oss.IncrementalInventoryOptionalFieldCRC64,
				oss.IncrementalInventoryOptionalFieldEncryptionStatus,
			}},
		},
	}
}

// TestIncrementalReports changes a bucket through the official SDK while the server reports its
// changes every second. The windows contain each change once. Applied to the first full report,
// they equal a later one.
func TestIncrementalReports(t *testing.T) {
	if !stage.Inside() {
		stage.Rerun(t, envBinary+"="+build(t))
		return
	}
	serve(t, "--incremental-window", "1s")
	c, ctx, bucket := client(), t.Context(), oss.Ptr("live")
	check := func(_ any, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	put := func(key, data string) {
		t.Helper()
		check(c.PutObject(ctx, &oss.PutObjectRequest{Bucket: bucket, Key: oss.Ptr(key), Body: strings.NewReader(data)}))
	}
	for _, name := range []string{"live", "windows"} {
		check(c.PutBucket(ctx, &oss.PutBucketRequest{Bucket: oss.Ptr(name)}))
	}
	check(c.PutBucketVersioning(ctx, &oss.PutBucketVersioningRequest{
		Bucket: bucket, VersioningConfiguration: &oss.VersioningConfiguration{Status: oss.VersionEnabled},
	}))
	put("kept", "data")
	put("overwritten", "data")
	cfg := incrementalConfiguration("windows")
	cfg.Filter, cfg.Destination.OSSBucketDestination.Prefix = nil, nil
	cfg.OptionalFields.Fields = []oss.InventoryOptionalFieldType{
		oss.InventoryOptionalFieldSize, oss.InventoryOptionalFieldLastModifiedDate, oss.InventoryOptionalFieldETag,
		oss.InventoryOptionalFieldStorageClass, oss.InventoryOptionalFieldObjectAcl, oss.InventoryOptionalFieldObjectType,
	}
	check(c.PutBucketInventory(ctx, &oss.PutBucketInventoryRequest{Bucket: bucket, InventoryId: cfg.Id, InventoryConfiguration: cfg}))
	reports := stocktakeclient.NewBucket(c, "windows")
	full := func(n int) *report.Report { return waitFor(t, reports, "live/report1/", false, n)[n-1] }
	before := full(1)

	put("overwritten", "other data")
	put("new", "data")
	check(c.PutObjectAcl(ctx, &oss.PutObjectAclRequest{Bucket: bucket, Key: oss.Ptr("new"), Acl: oss.ObjectACLPrivate}))
	check(c.DeleteObject(ctx, &oss.DeleteObjectRequest{Bucket: bucket, Key: oss.Ptr("overwritten")}))
	made, err := c.PutObject(ctx, &oss.PutObjectRequest{Bucket: bucket, Key: oss.Ptr("removed"), Body: strings.NewReader("data")})
	check(made, err)
	check(c.DeleteObject(ctx, &oss.DeleteObjectRequest{Bucket: bucket, Key: oss.Ptr("removed"), VersionId: made.VersionId}))
	want := []string{"CREATE overwritten", "CREATE new", "UPDATE_METADATA new", "DELETE overwritten", "CREATE removed", "DELETE removed"}

	// A window is published once it has changes. The clock decides which changes share a
	// window.
	windows := waitForRows(t, reports, "live/report1/incremental_inventory/", len(want))
	var got []string
	for _, w := range windows {
		for row, err := range w.Rows(ctx) {
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, row.Change.RecordType.String()+" "+string(row.Key))
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("the windows have %q, want %q", got, want)
	}
	check(stocktakeclient.New(c).Run(ctx, *bucket, *cfg.Id))
	after := full(2)
	applied, err := report.Apply(ctx, before, windows, report.ApplyOptions{})
	check(applied, err)
	defer applied.Close()
	differences := 0
	_, err = report.Diff(ctx, applied.Report(), after, report.DiffOptions{}, func(c *report.Change) error {
		differences++
		t.Errorf("the full report with the windows differs from a later one: %+v", c)
		return nil
	})
	check(nil, err)
	if differences == 0 && len(applied.Dropped()) > 0 {
		t.Errorf("columns are left out: %v", applied.Dropped())
	}
}

// waitFor waits until n reports of changes, or n full reports, are complete, and
// returns all complete ones in the order of their times.
func waitFor(t *testing.T, b *stocktakeclient.Bucket, prefix string, incremental bool, n int) []*report.Report {
	t.Helper()
	for tick := time.NewTicker(100 * time.Millisecond); ; {
		var all []*report.Report
		for key, err := range b.List(t.Context(), prefix) {
			if err != nil {
				t.Fatal(err)
			}
			if !strings.HasSuffix(key, "/"+report.ManifestName) || strings.Contains(key, "/incremental_inventory/") != incremental {
				continue
			}
			r, err := report.Open(t.Context(), b, key)
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, r)
		}
		if len(all) >= n {
			return all
		}
		select {
		case <-tick.C:
		case <-t.Context().Done():
			t.Fatal(t.Context().Err())
		}
	}
}

// waitForRows waits until incremental reports have n rows altogether.
func waitForRows(t *testing.T, b *stocktakeclient.Bucket, prefix string, n int) []*report.Report {
	t.Helper()
	for few := 1; ; few++ {
		windows := waitFor(t, b, prefix, true, few)
		rows := int64(0)
		for _, w := range windows {
			rows += w.Summary.Matched
		}
		if rows >= int64(n) {
			return windows
		}
		few = len(windows)
	}
}

func sameConfiguration(t *testing.T, operation string, got, want *oss.InventoryConfiguration) {
	t.Helper()
	g, err := json.Marshal(got)
	if err != nil {
		t.Fatal(err)
	}
	w, err := json.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	if string(g) != string(w) {
		t.Errorf("%s returns\n%s\nwant\n%s", operation, g, w)
	}
}
