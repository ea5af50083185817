package main

import (
	"context"
	"flag"
	"fmt"
	"time"

	"github.com/stocktake/stocktake/bench/internal/experiment"
	"github.com/stocktake/stocktake/bench/internal/lakeserver"
)

// seedCommand fills a store that no server has open.
func seedCommand(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("seed", flag.ContinueOnError)
	objects := flags.Int("objects", 1_000_000, "objects to make")
	data := flags.String("data", "stocktake-data", "data folder of stocktake serve, which must not be running")
	bucket := flags.String("bucket", lakeserver.Bucket, "bucket to make")
	if err := experiment.Parse(flags, args); err != nil {
		return err
	}
	start := time.Now()
	if err := lakeserver.Seed(ctx, *data, *bucket, *objects); err != nil {
		return err
	}
	took := time.Since(start)
	fmt.Printf("%d objects in bucket %s, %v, %.0f objects/s\n", *objects, *bucket, took.Round(time.Millisecond), float64(*objects)/took.Seconds())
	return nil
}
