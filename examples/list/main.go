// List reads all inventory configurations of a bucket, page after page.
//
//	export OSS_ACCESS_KEY_ID=... OSS_ACCESS_KEY_SECRET=...
//	go run ./examples/list --region cn-hangzhou --bucket photos --endpoint http://127.0.0.1:9000
package main

import (
	"context"
	"encoding/xml"
	"errors"
	"flag"
	"fmt"
	"os"
	"strings"

	"github.com/aliyun/alibabacloud-oss-go-sdk-v2/oss"
	"github.com/aliyun/alibabacloud-oss-go-sdk-v2/oss/credentials"
)

var (
	region   = flag.String("region", "", "region of the bucket, such as cn-hangzhou")
	bucket   = flag.String("bucket", "", "bucket whose configurations they are")
	endpoint = flag.String("endpoint", "", "address of the service; empty: that of OSS in the region")
	_        = flag.String("user_id", "", "not needed; accepted as all examples take the same flags")
	_        = flag.String("arn", "", "not needed; accepted as all examples take the same flags")
	_        = flag.String("inventory_id", "", "not needed; accepted as all examples take the same flags")
)

func main() {
	flag.Parse()
	need("region", "bucket")

	cfg := oss.LoadDefaultConfig().WithRegion(*region).
		WithCredentialsProvider(credentials.NewEnvironmentVariableCredentialsProvider())
	if *endpoint != "" {
		cfg.WithEndpoint(*endpoint)
	}
	client := oss.NewClient(cfg)

	request := &oss.ListBucketInventoryRequest{Bucket: bucket}
	for more, total := true, 0; more; {
		result, err := client.ListBucketInventory(context.Background(), request)
		if none, ok := errors.AsType[*oss.ServiceError](err); ok && none.Code == "NoSuchInventory" {
			fmt.Println("status code:", none.StatusCode)
			fmt.Println("request id: ", none.RequestID)
			fmt.Println("the bucket has no inventory configuration")
			return
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		fmt.Println("status code:", result.StatusCode)
		fmt.Println("request id: ", result.Headers.Get("x-oss-request-id"))

		page := result.ListInventoryConfigurationsResult
		for _, configuration := range page.InventoryConfigurations {
			// Every field that came back, and no others, under the names of the API.
			fields, err := xml.MarshalIndent(configuration, "", "  ")
			if err != nil {
				fmt.Fprintln(os.Stderr, err)
				os.Exit(1)
			}
			fmt.Println(string(fields))
		}
		total += len(page.InventoryConfigurations)
		fmt.Println("is truncated:", oss.ToBool(page.IsTruncated))
		fmt.Println("next continuation token:", oss.ToString(page.NextContinuationToken))
		fmt.Println("configurations so far:", total)

		more = oss.ToBool(page.IsTruncated)
		request.ContinuationToken = page.NextContinuationToken
	}
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
