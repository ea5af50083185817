// Get reads one inventory configuration of a bucket.
//
//	export OSS_ACCESS_KEY_ID=... OSS_ACCESS_KEY_SECRET=...
//	go run ./examples/get --region cn-hangzhou --bucket photos --endpoint http://127.0.0.1:9000 --inventory_id daily
package main

import (
	"context"
	"encoding/xml"
	"flag"
	"fmt"
	"os"
	"strings"

	"github.com/aliyun/alibabacloud-oss-go-sdk-v2/oss"
	"github.com/aliyun/alibabacloud-oss-go-sdk-v2/oss/credentials"
)

var (
	region      = flag.String("region", "", "region of the bucket, such as cn-hangzhou")
	bucket      = flag.String("bucket", "", "bucket whose configuration it is")
	endpoint    = flag.String("endpoint", "", "address of the service; empty: that of OSS in the region")
	_           = flag.String("user_id", "", "not needed; accepted as all examples take the same flags")
	_           = flag.String("arn", "", "not needed; accepted as all examples take the same flags")
	inventoryID = flag.String("inventory_id", "", "id of the configuration")
)

func main() {
	flag.Parse()
	need("region", "bucket", "inventory_id")

	cfg := oss.LoadDefaultConfig().WithRegion(*region).
		WithCredentialsProvider(credentials.NewEnvironmentVariableCredentialsProvider())
	if *endpoint != "" {
		cfg.WithEndpoint(*endpoint)
	}
	client := oss.NewClient(cfg)

	result, err := client.GetBucketInventory(context.Background(), &oss.GetBucketInventoryRequest{
		Bucket:      bucket,
		InventoryId: inventoryID,
	})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println("status code:", result.StatusCode)
	fmt.Println("request id: ", result.Headers.Get("x-oss-request-id"))

	// Every field that came back, and no others, under the names of the API.
	fields, err := xml.MarshalIndent(result.InventoryConfiguration, "", "  ")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println(string(fields))
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
