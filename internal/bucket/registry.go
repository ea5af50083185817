// Package bucket is the registry of buckets. For every bucket that a request or a configuration
// names, it answers whether it exists, who owns it, in which region it is, and how a run lists it
// and writes to it. A name refers to a bucket of a named store if a store claims it, otherwise to
// one of the embedded store.
package bucket

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/engine"
	"github.com/stocktake/stocktake/internal/object"
	"github.com/stocktake/stocktake/internal/ram"
	"github.com/stocktake/stocktake/report"
)

// Embedded is what the registry needs from the embedded store.
type Embedded interface {
	// Bucket returns stocktake.ErrNoSuchBucket if there is no such bucket.
	Bucket(ctx context.Context, name string) (object.Bucket, error)
	Source() engine.Source
	// Destination returns the bucket as a destination of reports; by is the origin of all changes.
	Destination(bucket string, by object.Origin) engine.Destination
}

// Access decides what roles may do. [ram.Directory] implements it.
type Access interface {
	RoleIdentity(arn string) (ram.Identity, error)
	Allowed(who ram.Identity, q ram.Request) error
}

// Options configure a [Registry].
type Options struct {
	// Region is the plain id of the region, such as "cn-hangzhou". Empty: the region is unknown and
	// not compared.
	Region string

	// Access judges roles. [Registry.MayReport] needs it.
	Access Access

	// Account is the account that commands use unless they name another. It
	// shortens the advice in errors.
	Account string

	// Stores are the named stores of the settings. No two claim one name.
	Stores []Store

	// RemovedStore returns the store of earlier settings that claimed a name, so that the bucket of a
	// removed store is not taken for a deleted one. nil: there was none.
	RemovedStore func(name string) (store string, ok bool)

	Now func() time.Time // nil means time.Now
}

// A Registry finds buckets. Its methods may be called from many goroutines.
type Registry struct {
	embedded Embedded
	stores   []*namedStore
	opts     Options
}

// New returns the registry of the buckets in the embedded store and in the named
// stores.
func New(embedded Embedded, opts Options) *Registry {
	if opts.Now == nil {
		opts.Now = time.Now
	}
	r := &Registry{embedded: embedded, opts: opts}
	for _, st := range opts.Stores {
		r.stores = append(r.stores, &namedStore{Store: st})
	}
	return r
}

// Bucket returns the state of a bucket with its region. The error is stocktake.ErrNoSuchBucket if
// no store has it. For a bucket of a named store it answers from the settings and does not contact
// the store: see [Registry.CheckBucket].
func (r *Registry) Bucket(ctx context.Context, name string) (object.Bucket, error) {
	if st, _ := r.find(name); st != nil {
		return st.bucketOf(name), nil
	}
	b, err := r.embedded.Bucket(ctx, name)
	b.Region = r.opts.Region
	return b, r.orRemovedStore(name, err)
}

// find returns the store that claims a bucket and the bucket's name there; nil: no store does.
func (r *Registry) find(name string) (*namedStore, string) {
	for _, st := range r.stores {
		if nameInStore, ok := st.Service.Claims(name); ok {
			return st, nameInStore
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

// orRemovedStore returns a *removedStoreError if err means that the bucket does not exist and a store of earlier
// settings claimed it.
func (r *Registry) orRemovedStore(name string, err error) error {
	if !errors.Is(err, stocktake.ErrNoSuchBucket) || r.opts.RemovedStore == nil {
		return err
	}
	if store, ok := r.opts.RemovedStore(name); ok {
		return &removedStoreError{store, name}
	}
	return err
}

// ForInventories returns the view of the inventory service: buckets that may be combined with any
// others have no owner and no region.
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

// Source returns the source from which a run lists the bucket. [Registry.MayReport] has checked the
// role of cfg. The embedded store needs no credentials; a named store has credentials for the role.
func (r *Registry) Source(_ context.Context, bucket string, cfg *stocktake.InventoryConfiguration) (engine.Source, error) {
	st, nameInStore := r.find(bucket)
	if st == nil {
		return r.embedded.Source(), nil
	}
	src, err := st.Service.Source(cfg.Destination.RoleARN)
	if err != nil {
		return nil, err
	}
	return renamedSource{src, nameInStore}, nil
}

// ListingKey identifies how a run of cfg lists a bucket of a named store, in all processes with
// the same settings: runs for which it is equal read the same bucket with the same credentials.
// Empty: the bucket is not one of a named store, or the role may not use it.
func (r *Registry) ListingKey(bucket string, cfg *stocktake.InventoryConfiguration) string {
	st, nameInStore := r.find(bucket)
	if st == nil {
		return ""
	}
	login, err := st.Service.CredentialsName(cfg.Destination.RoleARN)
	if err != nil {
		return ""
	}
	return fmt.Sprintf("%s/%s/%s", st.Name, nameInStore, login)
}

// Encrypts returns an error if the named store of the destination of cfg cannot encrypt reports as
// cfg asks; nil: it can, or this is unknown now.
func (r *Registry) Encrypts(ctx context.Context, bucket string, cfg *stocktake.InventoryConfiguration) error {
	dst := &cfg.Destination
	st, nameInStore := r.find(dst.Bucket)
	if st == nil {
		return nil
	}
	at := report.Location{Prefix: dst.Prefix, Bucket: bucket, Configuration: cfg.ID}
	return st.Service.Encrypts(ctx, dst.RoleARN, nameInStore, at.Base()+"stocktake-check-"+rand.Text(), dst.Encryption)
}

// Destination returns the destination of a run of cfg, under the same conditions as Source.
func (r *Registry) Destination(_ context.Context, cfg *stocktake.InventoryConfiguration) (engine.Destination, error) {
	if st, nameInStore := r.find(cfg.Destination.Bucket); st != nil {
		return st.Service.Destination(cfg.Destination.RoleARN, nameInStore)
	}
	return r.embedded.Destination(cfg.Destination.Bucket, object.ByService("inventory")), nil
}
