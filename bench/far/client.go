package far

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"runtime/debug"
	"runtime/pprof"
	"time"

	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/bench/internal/experiment"
	"github.com/stocktake/stocktake/internal/dirbucket"
	"github.com/stocktake/stocktake/internal/engine"
	"github.com/stocktake/stocktake/internal/remote"
	"github.com/stocktake/stocktake/internal/s3bucket"
	"github.com/stocktake/stocktake/internal/take"
)

// Client lists the bucket of the simulator once and prints the number
// of rows.
func Client(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("far-client", flag.ContinueOnError)
	client := flags.String("client", "", "who lists")
	url := flags.String("url", "", "of the simulator")
	requests := flags.Int("requests", 64, "requests at once")
	out := flags.String("out", "", "folder for reports")
	bucket := flags.String("bucket", "far", "bucket that the SDK lists; its keys are those of the environment, if there are any")
	profile := flags.String("profile", "", "file for a CPU profile; none: no profile is made")
	if err := experiment.Parse(flags, args); err != nil {
		return err
	}
	if *profile != "" {
		stop, err := profileCPU(*profile)
		if err != nil {
			return err
		}
		defer stop()
	}
	debug.SetMemoryLimit(take.MemoryLimit) // as stocktake take does
	transport := &http.Transport{MaxIdleConnsPerHost: *requests, MaxIdleConns: *requests, DisableCompression: true, WriteBufferSize: 8 << 10, ReadBufferSize: 32 << 10}
	list := farReport
	if *client == "aws-sdk" {
		list = func(ctx context.Context, url string, _ int, _ string, transport http.RoundTripper) (int64, error) {
			return farPaginator(ctx, url, *bucket, transport)
		}
	}
	rows, err := list(ctx, *url, *requests, *out, transport)
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(rows)
}

// profileCPU writes a CPU profile to a file until stop is called.
func profileCPU(path string) (stop func(), err error) {
	f, err := os.Create(path)
	if err != nil {
		return nil, err
	}
	if err := pprof.StartCPUProfile(f); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return func() {
		pprof.StopCPUProfile()
		_ = f.Close() // a profile that is cut off does not open
	}, nil
}

// farReport makes a whole report in a folder.
func farReport(ctx context.Context, url string, requests int, out string, transport http.RoundTripper) (int64, error) {
	store, err := s3bucket.New(remote.Options{
		Endpoint: url, Addressing: remote.PathStyle, Requests: requests, Transport: transport,
		Credentials: remote.Static(remote.Credentials{AccessKeyID: "id", AccessKeySecret: "secret"}),
	})
	if err != nil {
		return 0, err
	}
	dst, err := dirbucket.Open(out)
	if err != nil {
		return 0, err
	}
	job := engine.Job{Run: fmt.Sprint("far-", time.Now().UnixNano()), Attempt: 1, Bucket: "far", Configuration: stocktake.InventoryConfiguration{
		ID: "all", IncludedObjectVersions: stocktake.AllVersions,
		OptionalFields: []stocktake.Field{
			stocktake.FieldSize, stocktake.FieldLastModifiedDate, stocktake.FieldETag, stocktake.FieldStorageClass, stocktake.FieldIsMultipartUploaded,
		},
		Destination: stocktake.Destination{Format: "CSV", Bucket: "reports"},
	}}
	result, err := engine.Run(ctx, store.Source(), dst, job, engine.Options{Log: slog.New(slog.DiscardHandler)})
	return result.Summary.Matched, errors.Join(err, dst.Close())
}

// farPaginator lists with the paginator of the AWS SDK, page after page.
func farPaginator(ctx context.Context, url, bucket string, transport http.RoundTripper) (rows int64, err error) {
	api := s3.New(s3.Options{
		BaseEndpoint: &url, Region: "us-east-1", UsePathStyle: true, HTTPClient: &http.Client{Transport: transport},
		Credentials: credentials.NewStaticCredentialsProvider(cmp.Or(os.Getenv("AWS_ACCESS_KEY_ID"), "id"), cmp.Or(os.Getenv("AWS_SECRET_ACCESS_KEY"), "secret"), ""),
	})
	status, err := api.GetBucketVersioning(ctx, &s3.GetBucketVersioningInput{Bucket: &bucket})
	if err != nil {
		return 0, err
	}
	if status.Status != "" {
		pages := s3.NewListObjectVersionsPaginator(api, &s3.ListObjectVersionsInput{Bucket: &bucket})
		for pages.HasMorePages() {
			page, err := pages.NextPage(ctx)
			if err != nil {
				return rows, err
			}
			rows += int64(len(page.Versions) + len(page.DeleteMarkers))
		}
		return rows, nil
	}
	pages := s3.NewListObjectsV2Paginator(api, &s3.ListObjectsV2Input{Bucket: &bucket})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return rows, err
		}
		rows += int64(len(page.Contents))
	}
	return rows, nil
}
