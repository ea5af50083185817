package remote

import (
	"context"
	"log/slog"
	"strconv"
	"sync/atomic"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/engine"
)

// A Store is a service as a store of buckets. Its methods are safe for concurrent
// use.
type Store struct {
	dialect  Dialect
	conn     *Connection
	partSize int
	pageSize string
	requests int
	useful   func() int // see Options.Useful; may be nil
	types    bool       // listings contain the types of objects
	log      *slog.Logger

	detailSlots chan struct{}                  // has one element for each object with a request in progress
	unsupported [numDetailRequests]atomic.Bool // the store does not support the request
}

// New returns the store for a dialect and a connection. Packages s3bucket and ossbucket
// call it; o must be complete.
func New(o Options, w *Connection, d Dialect) *Store {
	return &Store{
		dialect: d, conn: w, partSize: o.PartSize, pageSize: strconv.Itoa(o.PageSize), requests: o.Requests, useful: o.Useful, log: o.Log,
		types: d.Lists(stocktake.FieldObjectType), detailSlots: make(chan struct{}, o.Requests),
	}
}

// Source returns the store as an [engine.Source].
func (s *Store) Source() engine.Source { return source{s} }

// Destination returns a bucket as an [engine.Destination]. If the service ignores
// the condition of exclusive writes, all of several concurrent ones may succeed:
// OSS does so in a bucket with versioning.
func (s *Store) Destination(bucket string) engine.Destination { return &destination{s, bucket} }

// Versioned reports whether a bucket has ever had versioning. It returns
// [stocktake.ErrNoSuchBucket] if there is no such bucket.
func (s *Store) Versioned(ctx context.Context, bucket string) (bool, error) {
	versioned, err := s.dialect.Versioned(ctx, bucket)
	return versioned, withBucket(bucket, err)
}
