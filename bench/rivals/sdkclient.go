package rivals

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"net/url"
	"os"

	"github.com/aliyun/alibabacloud-oss-go-sdk-v2/oss"
	osscredentials "github.com/aliyun/alibabacloud-oss-go-sdk-v2/oss/credentials"
	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"

	"github.com/stocktake/stocktake/bench/internal/experiment"
	"github.com/stocktake/stocktake/internal/testserver"
)

// sdkListings list the current objects of a bucket with the SDK of a vendor, page
// after page, discard them, and return their number. The keys come from the
// environment, as with official tools.
var sdkListings = map[string]func(ctx context.Context, url, bucket string) (rows int64, err error){
	"minio-sdk": minioListing,
	"oss-sdk":   ossListing,
}

// SDKClient lists a bucket once and prints the number of objects. It runs as a
// separate process, so that its processor time is that of the SDK.
func SDKClient(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("sdk-client", flag.ContinueOnError)
	client := flags.String("client", "", "whose SDK lists")
	url := flags.String("url", "", "of the server")
	bucket := flags.String("bucket", "", "bucket that is listed")
	if err := experiment.Parse(flags, args); err != nil {
		return err
	}
	list, ok := sdkListings[*client]
	if !ok {
		return fmt.Errorf("no SDK %q", *client)
	}
	rows, err := list(ctx, *url, *bucket)
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(rows)
}

func minioListing(ctx context.Context, server, bucket string) (rows int64, err error) {
	u, err := url.Parse(server)
	if err != nil {
		return 0, err
	}
	api, err := minio.New(u.Host, &minio.Options{
		Creds: credentials.NewStaticV4(os.Getenv("AWS_ACCESS_KEY_ID"), os.Getenv("AWS_SECRET_ACCESS_KEY"), ""), Region: "us-east-1",
	})
	if err != nil {
		return 0, err
	}
	for o := range api.ListObjects(ctx, bucket, minio.ListObjectsOptions{Recursive: true}) {
		if o.Err != nil {
			return rows, o.Err
		}
		rows++
	}
	return rows, nil
}

func ossListing(ctx context.Context, server, bucket string) (rows int64, err error) {
	api := oss.NewClient(oss.LoadDefaultConfig().WithRegion(testserver.Region).WithEndpoint(server).WithUsePathStyle(true).
		WithCredentialsProvider(osscredentials.NewStaticCredentialsProvider(os.Getenv("OSS_ACCESS_KEY_ID"), os.Getenv("OSS_ACCESS_KEY_SECRET"))))
	pages := api.NewListObjectsV2Paginator(&oss.ListObjectsV2Request{Bucket: &bucket, MaxKeys: 1000})
	for pages.HasNext() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return rows, err
		}
		rows += int64(len(page.Contents))
	}
	return rows, nil
}
