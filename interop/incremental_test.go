package interop_test

import (
	"encoding/json"
	"errors"
	"testing"

	"github.com/aliyun/alibabacloud-oss-go-sdk-v2/oss"

	"github.com/stocktake/stocktake/internal/testserver"
	"github.com/stocktake/stocktake/interop/internal/stage"
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
	want.Filter.StorageClass = oss.Ptr("IA,Standard") // OSS sorts them, and nothing else
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
