package bucket

import (
	"context"
	"errors"
	"fmt"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/engine"
	"github.com/stocktake/stocktake/internal/object"
)

// A Store is a named store of the settings: some names of buckets mean buckets
// there.
type Store struct {
	Name     string
	Endpoint string // URL where clients find it
	Account  string // owner of its buckets
	Region   string // plain id; empty: not compared

	// CrossRegion lets its buckets be combined with those of other regions and
	// accounts.
	CrossRegion bool

	Service Service
}

// Service is what the registry needs of a named store. foreign.Store implements
// it. Buckets are named as they are there.
type Service interface {
	// Claims returns the name there of a bucket that the store claims.
	Claims(name string) (there string, ok bool)

	// Allows returns nil if the settings let the role use the store, else why not.
	Allows(role string) error

	// Source and Destination are used with the credentials of the role. Their error
	// is that of Allows.
	Source(role string) (engine.Source, error)
	Destination(role, bucket string) (engine.Destination, error)

	// Ask returns nil if there is such a bucket, stocktake.ErrNoSuchBucket if there
	// is none, else why the store cannot be asked.
	Ask(ctx context.Context, bucket string) error
}

// find returns the store that claims a bucket, and its name there; nil: none
// does.
func (r *Registry) find(name string) (*named, string) {
	for _, st := range r.stores {
		if there, ok := st.Service.Claims(name); ok {
			return st, there
		}
	}
	return nil, ""
}

// StoreOf returns the name of the store that holds the bucket; empty: it is the
// embedded one, or none.
func (r *Registry) StoreOf(name string) string {
	if st, _ := r.find(name); st != nil {
		return st.Name
	}
	return ""
}

// state returns what is known of a bucket of the store without asking it.
func (st *named) state(name string) object.Bucket {
	return object.Bucket{
		Name: name, Owner: st.Account, Region: st.Region, Store: st.Name, Endpoint: st.Endpoint,
		ACL: stocktake.Private, BlockPublicAccess: true,
		Versioning: object.Enabled, // it may be, so a configuration may ask for versions
	}
}

// ForInventories returns the registry as the inventory service sees it: owner and region of
// buckets that may be combined with any others are not known.
func (r *Registry) ForInventories() *InventoryView { return &InventoryView{r} }

// An InventoryView is a [Registry] for the inventory service.
type InventoryView struct{ *Registry }

// Bucket does what [Registry.Bucket] does.
func (v *InventoryView) Bucket(ctx context.Context, name string) (object.Bucket, error) {
	b, err := v.Registry.Bucket(ctx, name)
	if st, _ := v.find(name); st != nil && st.CrossRegion {
		b.Owner, b.Region = "", ""
	}
	return b, err
}

// CheckEmbedded refuses names of buckets of the embedded store that a named store
// claims.
func (r *Registry) CheckEmbedded(names []string) error {
	for _, name := range names {
		if st, _ := r.find(name); st != nil {
			return fmt.Errorf("store %q claims the bucket %s, which exists in the embedded store: narrow its buckets, or give the bucket there another name by aliases", st.Name, name)
		}
	}
	return nil
}

// renamed is a source whose buckets have other names here: a run that names one
// reads the bucket there.
type renamed struct {
	engine.Source
	there string
}

func (s renamed) Snapshot(ctx context.Context, _ string) (engine.Snapshot, error) {
	return s.Source.Snapshot(ctx, s.there)
}

// A gone store had a bucket once, and is not in the settings any more. Its
// configurations must not be taken for those of a bucket that was deleted.
type goneError struct{ store, bucket string }

func (e *goneError) Error() string {
	return fmt.Sprintf("the bucket %s belonged to the store %q, which does not claim it any more", e.bucket, e.store)
}

// Advice returns what to do, for the reason of a failed run.
func (e *goneError) Advice() string {
	return "put the store back into the settings file; to give the bucket up, delete its configurations first"
}

// formerly returns a *goneError if err means that the bucket is not there, and a
// store of earlier settings claimed it.
func (r *Registry) formerly(name string, err error) error {
	if !errors.Is(err, stocktake.ErrNoSuchBucket) || r.opts.Former == nil {
		return err
	}
	if store, ok := r.opts.Former(name); ok {
		return &goneError{store, name}
	}
	return err
}
