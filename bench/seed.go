package main

import (
	"context"
	"flag"
	"fmt"
	"time"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/bench/lake"
	"github.com/stocktake/stocktake/internal/object"
	"github.com/stocktake/stocktake/internal/store/seed"
	"github.com/stocktake/stocktake/internal/testserver"
)

// seedCommand fills a store that no server has open.
func seedCommand(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("seed", flag.ContinueOnError)
	objects := flags.Int("objects", 1_000_000, "objects to make")
	data := flags.String("data", "stocktake-data", "data folder of stocktake serve, which must not be running")
	bucket := flags.String("bucket", lakeBucket, "bucket to make")
	if err := parse(flags, args); err != nil {
		return err
	}
	start := time.Now()
	if err := seedLake(ctx, *data, *bucket, *objects); err != nil {
		return err
	}
	took := time.Since(start)
	fmt.Printf("%d objects in bucket %s, %v, %.0f objects/s\n", *objects, *bucket, took.Round(time.Millisecond), float64(*objects)/took.Seconds())
	return nil
}

// seedLake makes a bucket with the first n objects of the lake in the store at
// data. The objects have every attribute that a listing shows, but no bytes.
func seedLake(ctx context.Context, data, bucket string, n int) error {
	if n < 0 || n > lake.MaxObjects {
		return fmt.Errorf("%d objects: at most %d", n, lake.MaxObjects)
	}
	_, err := seed.Bucket(ctx, data, object.Bucket{
		Name: bucket, Owner: testserver.AccountID, Created: time.Now(),
		Redundancy: "LRS", ACL: stocktake.Private,
	}, lake.Objects(n))
	return err
}
