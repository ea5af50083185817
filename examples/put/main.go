// Put asks for an inventory of a bucket: every object version, every day, as
// CSV files under inventory/ in the same bucket.
//
//	export OSS_ACCESS_KEY_ID=... OSS_ACCESS_KEY_SECRET=...
//	go run ./examples/put --region cn-hangzhou --bucket photos --endpoint http://127.0.0.1:9000 \
//		--user_id 1000000000000000 --arn acs:ram::1000000000000000:role/inventory-writer --inventory_id daily
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"strings"

	"github.com/aliyun/alibabacloud-oss-go-sdk-v2/oss"
	"github.com/aliyun/alibabacloud-oss-go-sdk-v2/oss/credentials"
)

var (
	region      = flag.String("region", "", "region of the bucket, such as cn-hangzhou")
	bucket      = flag.String("bucket", "", "bucket to take inventory of")
	endpoint    = flag.String("endpoint", "", "address of the service; empty: that of OSS in the region")
	userID      = flag.String("user_id", "", "id of the account that owns the bucket")
	arn         = flag.String("arn", "", "role that writes the reports, such as acs:ram::1000000000000000:role/inventory-writer")
	inventoryID = flag.String("inventory_id", "", "id of the new configuration")
)

func main() {
	flag.Parse()
	need("region", "bucket", "user_id", "arn", "inventory_id")

	cfg := oss.LoadDefaultConfig().WithRegion(*region).
		WithCredentialsProvider(credentials.NewEnvironmentVariableCredentialsProvider())
	if *endpoint != "" {
		cfg.WithEndpoint(*endpoint)
	}
	client := oss.NewClient(cfg)

	result, err := client.PutBucketInventory(context.Background(), &oss.PutBucketInventoryRequest{
		Bucket:      bucket,
		InventoryId: inventoryID,
		InventoryConfiguration: &oss.InventoryConfiguration{
			Id:        inventoryID,
			IsEnabled: oss.Ptr(true),
			Destination: &oss.InventoryDestination{OSSBucketDestination: &oss.InventoryOSSBucketDestination{
				Format:    oss.InventoryFormatCSV,
				AccountId: userID,
				RoleArn:   arn,
				Bucket:    oss.Ptr("acs:oss:::" + *bucket),
				Prefix:    oss.Ptr("inventory"),
			}},
			Schedule:               &oss.InventorySchedule{Frequency: oss.InventoryFrequencyDaily},
			IncludedObjectVersions: oss.Ptr("All"),
			OptionalFields: &oss.OptionalFields{Fields: []oss.InventoryOptionalFieldType{
				oss.InventoryOptionalFieldSize,
				oss.InventoryOptionalFieldLastModifiedDate,
				oss.InventoryOptionalFieldETag,
				oss.InventoryOptionalFieldStorageClass,
			}},
		},
	})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println("status code:", result.StatusCode)
	fmt.Println("request id: ", result.Headers.Get("x-oss-request-id"))
}

// need ends the program if a flag that it cannot do without is missing.
func need(names ...string) {
	var missing []string
	for _, name := range names {
		if flag.Lookup(name).Value.String() == "" {
			missing = append(missing, "--"+name)
		}
	}
	if len(missing) > 0 {
		fmt.Fprintln(os.Stderr, "missing:", strings.Join(missing, " "))
		os.Exit(2)
	}
}
