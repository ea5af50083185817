// Package lakeserver runs the real stocktake binary on a store that is seeded with
// the objects of a data lake, and makes runs with it.
package lakeserver

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/aliyun/alibabacloud-oss-go-sdk-v2/oss"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/bench/internal/experiment"
	"github.com/stocktake/stocktake/bench/internal/measure"
	"github.com/stocktake/stocktake/internal/testserver"
)

const (
	Bucket        = "lake"    // the bucket with the objects
	ReportsBucket = "reports" // where reports go

	// fields is every optional column of a report but the two of access
	// tracking, which the store does not have.
	fields = "Size,LastModifiedDate,ETag,StorageClass,IsMultipartUploaded,EncryptionStatus,ObjectAcl,TaggingCount,ObjectType,Crc64"
	// Columns is how many columns a report of them has, with bucket and key.
	Columns = 12
)

// A Store is a data folder whose bucket [Bucket] has the given number of
// objects.
type Store struct {
	Binary, Data string
	Objects      int
	Seeded       time.Duration // what seeding took
}

// NewStore builds the binary and fills the data folder. It returns when the disk
// is idle again.
func NewStore(ctx context.Context, m *experiment.Experiment, objects int) (*Store, error) {
	binary, err := m.Build(ctx)
	if err != nil {
		return nil, err
	}
	l := &Store{Binary: binary, Data: m.Data(), Objects: objects}
	start := time.Now()
	if err := Seed(ctx, l.Data, Bucket, objects); err != nil {
		return nil, err
	}
	l.Seeded = time.Since(start)
	return l, measure.Settle(l.Data)
}

// Remove removes the data folder.
func (l *Store) Remove() error { return os.RemoveAll(l.Data) }

// Start starts a server on the store; args are more flags of stocktake serve.
func (l *Store) Start(ctx context.Context, args ...string) (*Server, error) {
	begin := time.Now()
	server, err := testserver.Start(ctx, testserver.Config{Binary: l.Binary, Data: l.Data, Args: args})
	if err != nil {
		return nil, err
	}
	return &Server{CLI: CLI{Binary: l.Binary, Server: server}, Store: l, Ready: time.Since(begin)}, nil
}

// A Server is stocktake serve on a Store.
type Server struct {
	CLI
	Store *Store
	Ready time.Duration // what its start took
}

// Stop ends the server as a service manager would.
func (s *Server) Stop() error { return s.Server.Stop() }

// Configure puts a configuration for reports with all columns that are made
// when they are asked for. It stays in the store.
func (s *Server) Configure(ctx context.Context) error {
	if _, err := s.Client().PutBucket(ctx, &oss.PutBucketRequest{Bucket: oss.Ptr(ReportsBucket)}); err != nil {
		return err
	}
	_, err := s.Run(ctx, "inventory", "put", "--disabled", "-b", Bucket, "-i", "bench",
		"--destination", ReportsBucket, "--fields", fields)
	return err
}

// An InventoryRun is a run that has succeeded.
type InventoryRun struct {
	stocktake.Run
	Took time.Duration
	Used measure.Usage // processor time of the run, and the peak of the process during it
}

// Inventory makes a run of the configuration and waits for its end.
func (s *Server) Inventory(ctx context.Context) (i InventoryRun, err error) {
	if err := measure.ResetPeak(s.Server.PID()); err != nil {
		return i, err
	}
	before, err := measure.Of(s.Server.PID())
	if err != nil {
		return i, err
	}
	out, err := s.Run(ctx, "inventory", "run", "--wait", "--json", "-b", Bucket, "-i", "bench")
	if err != nil {
		return i, err
	}
	if i.Used, err = measure.Of(s.Server.PID()); err != nil {
		return i, err
	}
	i.Used.CPU -= before.CPU
	if err := json.Unmarshal(out, &i.Run); err != nil {
		return i, fmt.Errorf("stocktake inventory run: %w\n%s", err, out)
	}
	i.Took = i.Ended.Sub(i.Started)
	return i, Succeeded(i.Run, s.Store.Objects)
}

// Succeeded returns an error if a run has not succeeded, or has not listed the given
// number of objects.
func Succeeded(run stocktake.Run, objects int) error {
	if run.State != stocktake.Succeeded || run.Matched != int64(objects) {
		return fmt.Errorf("run %s with %d of %d objects: %s", run.State, run.Matched, objects, run.Reason)
	}
	return nil
}

// With seeds a store, starts a server on it, has it used, and removes both.
func With(ctx context.Context, m *experiment.Experiment, objects int, use func(s *Server) error, args ...string) (err error) {
	l, err := NewStore(ctx, m, objects)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, l.Remove()) }()
	s, err := l.Start(ctx, args...)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Stop()) }()
	return use(s)
}

// MakeRun makes a run of all columns on a server, as an entrant.
func MakeRun(ctx context.Context, s *Server) (experiment.Execution, error) {
	run, err := s.Inventory(ctx)
	return experiment.Execution{Took: run.Took, CPU: run.Used.CPU, Stored: run.Written, Rows: int(run.Matched)}, err
}

// Configuration returns a configuration whose reports go to the usual bucket.
func Configuration(id string, enabled bool, frequency stocktake.Frequency) stocktake.InventoryConfiguration {
	return stocktake.InventoryConfiguration{
		ID: id, IsEnabled: enabled, Schedule: stocktake.Schedule{Frequency: frequency},
		IncludedObjectVersions: stocktake.CurrentVersions,
		OptionalFields:         []stocktake.Field{stocktake.FieldSize, stocktake.FieldLastModifiedDate, stocktake.FieldETag, stocktake.FieldStorageClass},
		Destination: stocktake.Destination{
			Format: stocktake.FormatCSV, AccountID: testserver.AccountID, Bucket: ReportsBucket, Prefix: "inv",
			RoleARN: "acs:ram::" + testserver.AccountID + ":role/AliyunOSSRole",
		},
	}
}
