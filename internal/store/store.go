package store

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"sync"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/stocktake/stocktake/internal/store/blob"
	"github.com/stocktake/stocktake/internal/store/layout"
)

// A Store is an embedded object store. Its methods may be called by many
// goroutines at once.
type Store struct {
	opts  Options
	db    *pebble.DB
	cache *pebble.Cache
	blobs *blob.Dir

	buckets buckets
	stripes [4096]sync.Mutex // by bucket and key
	seed    maphash.Seed

	// seq is the last sequence number given out; those up to ceiling may be. They
	// number versions and blobs alike, and none is ever used twice.
	seq     atomic.Uint64
	ceiling atomic.Uint64
	lease   sync.Mutex // raising ceiling

	damage     damage
	pins       pins
	reaper     reaper
	sweeping   sync.WaitGroup // what the last process left behind is being removed
	stopSweep  context.CancelFunc
	unfinished sync.WaitGroup // bodies being received
	closing    sync.Once
	closed     error // what closing returned
}

// Open opens the store in dir, which it makes if it is missing. Only one Store
// may have it open. What an interrupted process left half done is removed in
// the background.
func Open(ctx context.Context, dir string, opts Options) (_ *Store, err error) {
	opts = opts.withDefaults()
	fsys, plain := opts.FS, false
	if fsys == nil {
		fsys, plain = vfs.Default, true
	}
	s := &Store{opts: opts, cache: pebble.NewCache(opts.CacheBytes), seed: maphash.MakeSeed()}
	defer s.cache.Unref()
	if err := blob.MakeDir(fsys, dir); err != nil {
		return nil, fmt.Errorf("open store: %w", err)
	}
	// Pebble would let everybody read it, and with it small objects.
	index := fsys.PathJoin(dir, "index")
	if err := blob.MakeDir(fsys, index); err != nil {
		return nil, fmt.Errorf("open store: index: %w", err)
	}
	s.db, err = pebble.Open(index, layout.Options(fsys, s.cache, &indexLog{log: opts.Log, fatal: opts.fatal}))
	if err != nil {
		return nil, fmt.Errorf("open store: index: %w", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.db.Close())
		}
	}()
	// The index is locked by now, so no other process is writing below tmp/.
	if s.blobs, err = blob.Open(fsys, dir, plain); err != nil {
		return nil, fmt.Errorf("open store: blobs: %w", err)
	}
	if err := s.checkLayout(); err != nil {
		return nil, fmt.Errorf("open store: %w", err)
	}
	if err := s.loadCeiling(); err != nil {
		return nil, fmt.Errorf("open store: %w", err)
	}
	if err := s.loadBuckets(); err != nil {
		return nil, fmt.Errorf("open store: %w", err)
	}
	s.startSweep(ctx)
	return s, nil
}

// Close waits for writes that are under way and releases the files. Contents
// and snapshots must have been closed before, and nothing may be called after
// it.
func (s *Store) Close() error {
	s.closing.Do(func() {
		s.stopSweep()
		s.sweeping.Wait()
		s.unfinished.Wait()
		s.closeReaper()
		s.closed = s.db.Close()
	})
	return s.closed
}

// get returns the value of a key of the index, nil if there is none.
func (s *Store) get(key []byte) ([]byte, error) { return get(s.db, key) }
