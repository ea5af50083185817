package lakeserver

import (
	"context"
	"fmt"
	"time"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/bench/internal/lake"
	"github.com/stocktake/stocktake/internal/object"
	"github.com/stocktake/stocktake/internal/store/seed"
	"github.com/stocktake/stocktake/internal/testserver"
)

// Seed makes a bucket with the first n objects of the lake in the store at
// data. The objects have every attribute that a listing shows, but no bytes.
func Seed(ctx context.Context, data, bucket string, n int) error {
	if n < 0 || n > lake.MaxObjects {
		return fmt.Errorf("%d objects: at most %d", n, lake.MaxObjects)
	}
	_, err := seed.Bucket(ctx, data, object.Bucket{
		Name: bucket, Owner: testserver.AccountID, Created: time.Now(),
		Redundancy: "LRS", ACL: stocktake.Private,
	}, lake.Objects(n))
	return err
}
