package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/aliyun/alibabacloud-oss-go-sdk-v2/oss"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/bench/measure"
	"github.com/stocktake/stocktake/client"
	"github.com/stocktake/stocktake/internal/testserver"
)

const (
	crowdOf     = stocktake.MaxInventories // configurations of a bucket, when there are many
	crowdRows   = 10                       // objects of such a bucket
	crowdPuts   = 8                        // clients that put or read many configurations at once
	smallBucket = "thousand"               // of smallRows objects
	smallRows   = 1000
	fullBucket  = "full" // of crowdOf configurations that are disabled
)

// serviceSize is how much the inventory service is asked for.
type serviceSize struct {
	configurations int           // enabled, in all
	maxRuns        int           // what stocktake serve is told
	nights         int           // days that the clock is moved ahead by
	objects        int           // of the bucket that runs while the API is measured
	requests       int           // of each kind, idle and during runs
	reports        int           // from put to manifest
	idle           time.Duration // watched for what the scheduler costs
}

// buckets returns how many buckets the configurations need.
func (s *serviceSize) buckets() int { return (s.configurations + crowdOf - 1) / crowdOf }

// crowd names the bucket and the id of configuration i.
func crowd(i int) (bucket, id string) {
	return fmt.Sprintf("crowd-%03d", i/crowdOf), fmt.Sprintf("inventory-%04d", i%crowdOf)
}

// serviceCommand measures the inventory service: many configurations, the
// nights at which all fall due at once, its API during runs, and the time from
// put to manifest.
func serviceCommand(ctx context.Context, args []string) error {
	b := serviceBench{measurement: newMeasurement("service", "folder for the store, which is removed in the end")}
	configurations := set(b.flags, "configurations", "10000", "enabled configurations, 1000 a bucket", atLeast(1))
	maxRuns := set(b.flags, "max-runs", "8", "what stocktake serve is told: runs of small buckets wait for the disk, not for a processor", atLeast(1))
	nights := set(b.flags, "nights", "2", "nights at which all of them fall due; those after the first are left out when -limit is near", atLeast(1))
	objects := set(b.flags, "objects", "1000000", "objects of the bucket that runs while the API is measured", atLeast(1))
	requests := set(b.flags, "requests", "500", "requests of each kind, idle and during runs; at most the configurations that a bucket may have", within(1, crowdOf))
	reports := set(b.flags, "reports", "50", "reports timed from put to manifest", atLeast(1))
	idle := set(b.flags, "idle", "10s", "how long an idle server is watched, each time", positive)
	limit := set(b.flags, "limit", "4m", "give up after so long", positive)
	return b.main(ctx, args, func(ctx context.Context) (err error) {
		ctx, cancel := context.WithTimeoutCause(ctx, *limit, fmt.Errorf("not done after %v; see -limit", *limit))
		defer cancel()
		b.serviceSize = serviceSize{
			configurations: *configurations, maxRuns: *maxRuns, nights: *nights, objects: *objects,
			requests: *requests, reports: *reports, idle: *idle,
		}
		if b.cli.binary, err = b.build(ctx); err != nil {
			return err
		}
		if err := b.measure(ctx); err != nil {
			if ctx.Err() != nil {
				err = fmt.Errorf("%w: %w", context.Cause(ctx), err)
			}
			return err
		}
		b.results.Ratios = b.goals.ratios()
		b.table = b.goals.table()
		return nil
	})
}

// A serviceBench is one measurement of the service.
type serviceBench struct {
	*measurement
	serviceSize
	cli         cli
	sdk         *oss.Client
	inventories *client.Client
	goals       goals
}

// measure seeds the store and measures part after part. The server is restarted
// before figures that must not depend on earlier parts.
func (b *serviceBench) measure(ctx context.Context) error {
	if err := b.seed(ctx); err != nil {
		return err
	}
	var empty, full time.Duration // CPU time an hour
	for _, part := range []func() error{
		func() (err error) { empty, err = b.watch(ctx, "Idle/configurations=0"); return err },
		func() error { return b.putDisabled(ctx) },
		func() error { return b.putAll(ctx) },
		func() error { return b.listAll(ctx) },
		func() error { return b.allNights(ctx) },
		func() error { return b.restart(ctx) },
		func() (err error) {
			full, err = b.watch(ctx, fmt.Sprintf("Idle/configurations=%d", b.configurations))
			return err
		},
		func() error { return b.reportsOfSmall(ctx) },
		func() error { return b.apiBesideRuns(ctx) },
	} {
		if b.cli.server == nil {
			if err := b.start(ctx); err != nil {
				return err
			}
		}
		if err := part(); err != nil {
			return errors.Join(err, b.stop())
		}
	}
	b.goals.state("whole server, an hour idle", full.Seconds(), "cpu-s",
		fmt.Sprintf("%d configurations, nothing due; without any %.1f: what is between them is the scheduler's", b.configurations, empty.Seconds()))
	return b.stop()
}

// seed makes the buckets: many small ones, one of a thousand objects, a large
// one, and where the reports go.
func (b *serviceBench) seed(ctx context.Context) error {
	start := time.Now()
	for i := range b.buckets() {
		bucket, _ := crowd(i * crowdOf)
		if err := seedLake(ctx, b.data(), bucket, crowdRows); err != nil {
			return err
		}
	}
	for bucket, n := range map[string]int{smallBucket: smallRows, fullBucket: 0, reportsBucket: 0, lakeBucket: b.objects} {
		if err := seedLake(ctx, b.data(), bucket, n); err != nil {
			return err
		}
	}
	b.add("Seed", time.Since(start))
	return measure.Settle(b.data())
}

// start starts a server whose clock can be moved, and at whose hour of the day
// nothing is scheduled while the benchmark lasts.
func (b *serviceBench) start(ctx context.Context) (err error) {
	far := time.Now().UTC().Add(12 * time.Hour).Hour()
	args := []string{"--max-runs", fmt.Sprint(b.maxRuns), "--clock-control", "--schedule-zone", "UTC+0", "--schedule-hour", fmt.Sprint(far)}
	b.cli.server, err = testserver.Start(ctx, testserver.Config{Binary: b.cli.binary, Data: b.data(), Args: args})
	if err != nil {
		return err
	}
	b.sdk = b.cli.client()
	b.inventories = client.New(b.sdk)
	return nil
}

func (b *serviceBench) stop() error {
	if b.cli.server == nil {
		return nil
	}
	defer func() { b.cli.server = nil }()
	return b.cli.server.Stop()
}

// restart ends the server and starts it twice. The first start finds every
// configuration due at another time than the clock says, which is the machine's
// again, and plans them again; the second is a usual one.
func (b *serviceBench) restart(ctx context.Context) error {
	for _, name := range []string{"planned-anew", "as-it-was"} {
		if err := b.stop(); err != nil {
			return err
		}
		start := time.Now()
		if err := b.start(ctx); err != nil {
			return err
		}
		took := time.Since(start)
		resident, err := b.resident()
		if err != nil {
			return err
		}
		b.add(fmt.Sprintf("Restart/%s/configurations=%d", name, b.configurations), took, resident)
	}
	return nil
}

// inventoryOf returns a configuration whose reports go to the usual bucket.
func inventoryOf(id string, enabled bool, frequency stocktake.Frequency) stocktake.InventoryConfiguration {
	return stocktake.InventoryConfiguration{
		ID: id, IsEnabled: enabled, Schedule: stocktake.Schedule{Frequency: frequency},
		IncludedObjectVersions: stocktake.CurrentVersions,
		OptionalFields:         []stocktake.Field{stocktake.FieldSize, stocktake.FieldLastModifiedDate, stocktake.FieldETag, stocktake.FieldStorageClass},
		Destination: stocktake.Destination{
			Format: stocktake.FormatCSV, AccountID: testserver.AccountID, Bucket: reportsBucket, Prefix: "inv",
			RoleARN: "acs:ram::" + testserver.AccountID + ":role/AliyunOSSRole",
		},
	}
}

// manifests lists the manifests of all reports by their keys.
func (b *serviceBench) manifests(ctx context.Context) (keys map[string]bool, err error) {
	keys = map[string]bool{}
	pages := b.sdk.NewListObjectsV2Paginator(&oss.ListObjectsV2Request{Bucket: oss.Ptr(reportsBucket), MaxKeys: 1000})
	for pages.HasNext() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, err
		}
		for _, o := range page.Contents {
			if filepath.Base(oss.ToString(o.Key)) == "manifest.json" {
				keys[oss.ToString(o.Key)] = true
			}
		}
	}
	return keys, nil
}
