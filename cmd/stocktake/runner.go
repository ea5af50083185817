package main

import (
	"context"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/engine"
	"github.com/stocktake/stocktake/internal/inventory"
	"github.com/stocktake/stocktake/internal/store"
)

// embedded gives runs the embedded store on both sides, and the inventory
// service what it asks of buckets.
type embedded struct {
	store  *store.Store
	region string
}

var (
	_ inventory.Stores  = embedded{}
	_ inventory.Buckets = embedded{}
)

// Source is where a run reads.
func (e embedded) Source(context.Context, string, *stocktake.InventoryConfiguration) (engine.Source, error) {
	return e.store.Source(), nil
}

// Destination is where a run writes.
func (e embedded) Destination(_ context.Context, cfg *stocktake.InventoryConfiguration) (engine.Destination, error) {
	return e.store.Destination(cfg.Destination.Bucket), nil
}

// Bucket gives stocktake.ErrNoSuchBucket if there is no such bucket.
func (e embedded) Bucket(ctx context.Context, name string) (inventory.Bucket, error) {
	b, err := e.store.Bucket(ctx, name)
	if err != nil {
		return inventory.Bucket{}, err
	}
	return inventory.Bucket{Owner: b.Owner, Region: e.region}, nil
}
