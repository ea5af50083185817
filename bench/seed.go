package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"time"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/bench/lake"
	"github.com/stocktake/stocktake/internal/object"
	"github.com/stocktake/stocktake/internal/store"
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
	if err := seed(ctx, *data, *bucket, *objects); err != nil {
		return err
	}
	took := time.Since(start)
	fmt.Printf("%d objects in bucket %s, %v, %.0f objects/s\n", *objects, *bucket, took.Round(time.Millisecond), float64(*objects)/took.Seconds())
	return nil
}

// seed makes a bucket with the first n objects of the lake in the store at
// data. The objects have every attribute that a listing shows, but no bytes.
func seed(ctx context.Context, data, bucket string, n int) (err error) {
	if n < 0 || n > lake.MaxObjects {
		return fmt.Errorf("%d objects: at most %d", n, lake.MaxObjects)
	}
	s, err := store.Open(ctx, data, store.Options{})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	err = s.CreateBucket(ctx, object.ByService("bench"), object.Bucket{
		Name: bucket, Owner: testserver.AccountID, Created: time.Now(),
		Redundancy: "LRS", ACL: stocktake.Private,
	}, false)
	if err != nil {
		return err
	}
	_, err = store.Ingest(ctx, s, bucket, lake.Objects(n))
	return err
}
