package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/aliyun/alibabacloud-oss-go-sdk-v2/oss"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/bench/measure"
	"github.com/stocktake/stocktake/internal/testserver"
)

const (
	lakeBucket    = "lake"
	reportsBucket = "reports"

	// allFields is every optional column of a report but the two of access
	// tracking, which the store does not have.
	allFields = "Size,LastModifiedDate,ETag,StorageClass,IsMultipartUploaded,EncryptionStatus,ObjectAcl,TaggingCount,ObjectType,Crc64"
	// reportColumns is how many columns a report of them has, with bucket and key.
	reportColumns = 12
)

// A lakeStore is a data folder whose bucket lakeBucket has the given number of
// objects.
type lakeStore struct {
	binary, data string
	objects      int
	seeded       time.Duration // what seeding took
}

// seedLake builds the binary and fills the data folder. It returns when the disk
// is idle again.
func (m *measurement) seedLake(ctx context.Context, objects int) (*lakeStore, error) {
	binary, err := m.build(ctx)
	if err != nil {
		return nil, err
	}
	l := &lakeStore{binary: binary, data: m.data(), objects: objects}
	start := time.Now()
	if err := seedLake(ctx, l.data, lakeBucket, objects); err != nil {
		return nil, err
	}
	l.seeded = time.Since(start)
	return l, measure.Settle(l.data)
}

func (l *lakeStore) remove() error { return os.RemoveAll(l.data) }

// start starts a server on the store; args are more flags of stocktake serve.
func (l *lakeStore) start(ctx context.Context, args ...string) (*lakeServer, error) {
	begin := time.Now()
	server, err := testserver.Start(ctx, testserver.Config{Binary: l.binary, Data: l.data, Args: args})
	if err != nil {
		return nil, err
	}
	return &lakeServer{cli: cli{binary: l.binary, server: server}, lake: l, ready: time.Since(begin)}, nil
}

// A lakeServer is stocktake serve on a lakeStore.
type lakeServer struct {
	cli
	lake  *lakeStore
	ready time.Duration // what its start took
}

func (s *lakeServer) stop() error { return s.server.Stop() }

// configure puts a configuration for reports with all columns that are made
// when they are asked for. It stays in the store.
func (s *lakeServer) configure(ctx context.Context) error {
	if _, err := s.client().PutBucket(ctx, &oss.PutBucketRequest{Bucket: oss.Ptr(reportsBucket)}); err != nil {
		return err
	}
	_, err := s.run(ctx, "inventory", "put", "--disabled", "-b", lakeBucket, "-i", "bench",
		"--destination", reportsBucket, "--fields", allFields)
	return err
}

// An inventoryRun is a run that has succeeded.
type inventoryRun struct {
	stocktake.Run
	took time.Duration
	used measure.Usage // processor time of the run, and the peak of the process during it
}

// inventory makes a run of the configuration and waits for its end.
func (s *lakeServer) inventory(ctx context.Context) (i inventoryRun, err error) {
	if err := measure.ResetPeak(s.server.PID()); err != nil {
		return i, err
	}
	before, err := measure.Of(s.server.PID())
	if err != nil {
		return i, err
	}
	out, err := s.run(ctx, "inventory", "run", "--wait", "--json", "-b", lakeBucket, "-i", "bench")
	if err != nil {
		return i, err
	}
	if i.used, err = measure.Of(s.server.PID()); err != nil {
		return i, err
	}
	i.used.CPU -= before.CPU
	if err := json.Unmarshal(out, &i.Run); err != nil {
		return i, fmt.Errorf("stocktake inventory run: %w\n%s", err, out)
	}
	i.took = i.Ended.Sub(i.Started)
	return i, succeeded(i.Run, s.lake.objects)
}

// succeeded returns an error if a run has not succeeded, or has not listed the given
// number of objects.
func succeeded(run stocktake.Run, objects int) error {
	if run.State != stocktake.Succeeded || run.Matched != int64(objects) {
		return fmt.Errorf("run %s with %d of %d objects: %s", run.State, run.Matched, objects, run.Reason)
	}
	return nil
}

// withLake seeds a store, starts a server on it, has it used, and removes both.
func (m *measurement) withLake(ctx context.Context, objects int, use func(s *lakeServer) error, args ...string) (err error) {
	l, err := m.seedLake(ctx, objects)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, l.remove()) }()
	s, err := l.start(ctx, args...)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.stop()) }()
	return use(s)
}
