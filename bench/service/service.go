// Package service measures the inventory service with many configurations: its API,
// nights at which all are due at once, an idle server, and the time from put to
// manifest.
package service

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/aliyun/alibabacloud-oss-go-sdk-v2/oss"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/bench/internal/experiment"
	"github.com/stocktake/stocktake/bench/internal/lakeserver"
	"github.com/stocktake/stocktake/bench/internal/measure"
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
	maxRuns        int           // --max-runs of stocktake serve
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

// Run measures the inventory service: many configurations, the
// nights at which all fall due at once, its API during runs, and the time from
// put to manifest.
func Run(ctx context.Context, args []string) error {
	b := serviceBench{Experiment: experiment.New("service", "folder for the store, which is removed in the end")}
	configurations := experiment.Set(b.Flags, "configurations", "10000", "enabled configurations, 1000 a bucket", experiment.AtLeast(1))
	maxRuns := experiment.Set(b.Flags, "max-runs", "8", "--max-runs of stocktake serve: runs of small buckets wait for the disk, not for a processor", experiment.AtLeast(1))
	nights := experiment.Set(b.Flags, "nights", "2", "nights at which all of them fall due; those after the first are left out when -limit is near", experiment.AtLeast(1))
	objects := experiment.Set(b.Flags, "objects", "1000000", "objects of the bucket that runs while the API is measured", experiment.AtLeast(1))
	requests := experiment.Set(b.Flags, "requests", "500", "requests of each kind, idle and during runs; at most the configurations that a bucket may have", experiment.Within(1, crowdOf))
	reports := experiment.Set(b.Flags, "reports", "50", "reports timed from put to manifest", experiment.AtLeast(1))
	idle := experiment.Set(b.Flags, "idle", "10s", "how long an idle server is watched, each time", experiment.Positive)
	limit := experiment.Set(b.Flags, "limit", "4m", "give up after so long", experiment.Positive)
	return b.Main(ctx, args, func(ctx context.Context) (err error) {
		ctx, cancel := context.WithTimeoutCause(ctx, *limit, fmt.Errorf("not done after %v; see -limit", *limit))
		defer cancel()
		b.serviceSize = serviceSize{
			configurations: *configurations, maxRuns: *maxRuns, nights: *nights, objects: *objects,
			requests: *requests, reports: *reports, idle: *idle,
		}
		if b.cli.Binary, err = b.Build(ctx); err != nil {
			return err
		}
		if err := b.measure(ctx); err != nil {
			if ctx.Err() != nil {
				err = fmt.Errorf("%w: %w", context.Cause(ctx), err)
			}
			return err
		}
		b.Results.Ratios = b.goals.ratios()
		b.Table = b.goals.table()
		return nil
	})
}

// A serviceBench is one measurement of the service.
type serviceBench struct {
	*experiment.Experiment
	serviceSize
	cli         lakeserver.CLI
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
		if b.cli.Server == nil {
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
		if err := lakeserver.Seed(ctx, b.Data(), bucket, crowdRows); err != nil {
			return err
		}
	}
	for bucket, n := range map[string]int{smallBucket: smallRows, fullBucket: 0, lakeserver.ReportsBucket: 0, lakeserver.Bucket: b.objects} {
		if err := lakeserver.Seed(ctx, b.Data(), bucket, n); err != nil {
			return err
		}
	}
	b.Add("Seed", time.Since(start))
	return measure.Settle(b.Data())
}

// start starts a server whose clock can be moved, and at whose hour of the day
// nothing is scheduled while the benchmark lasts.
func (b *serviceBench) start(ctx context.Context) (err error) {
	far := time.Now().UTC().Add(12 * time.Hour).Hour()
	args := []string{"--max-runs", fmt.Sprint(b.maxRuns), "--clock-control", "--schedule-zone", "UTC+0", "--schedule-hour", fmt.Sprint(far)}
	b.cli.Server, err = testserver.Start(ctx, testserver.Config{Binary: b.cli.Binary, Data: b.Data(), Args: args})
	if err != nil {
		return err
	}
	b.sdk = b.cli.Client()
	b.inventories = client.New(b.sdk)
	return nil
}

func (b *serviceBench) stop() error {
	if b.cli.Server == nil {
		return nil
	}
	defer func() { b.cli.Server = nil }()
	return b.cli.Server.Stop()
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
		b.Add(fmt.Sprintf("Restart/%s/configurations=%d", name, b.configurations), took, resident)
	}
	return nil
}

// manifests lists the manifests of all reports by their keys.
func (b *serviceBench) manifests(ctx context.Context) (keys map[string]bool, err error) {
	keys = map[string]bool{}
	pages := b.sdk.NewListObjectsV2Paginator(&oss.ListObjectsV2Request{Bucket: oss.Ptr(lakeserver.ReportsBucket), MaxKeys: 1000})
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
