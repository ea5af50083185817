package store

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/maphash"
	"sync"
	"sync/atomic"
	"syscall"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/stocktake/stocktake/internal/store/blob"
	"github.com/stocktake/stocktake/internal/store/indexlog"
	"github.com/stocktake/stocktake/internal/store/layout"
)

// A Store is an embedded object store. Its methods may be called by many
// goroutines at once.
type Store struct {
	opts  Options
	log   *indexlog.Log
	db    *pebble.DB
	cache *pebble.Cache
	blobs *blob.Dir
	fsys  vfs.FS
	index string // the folder of db

	buckets buckets
	stripes [4096]stripe // by bucket and key
	seed    maphash.Seed

	// seq is the last sequence number given out; those up to ceiling may be. They number versions
	// and blobs, and none is used twice.
	seq     atomic.Uint64
	ceiling atomic.Uint64
	lease   sync.Mutex // raising ceiling

	groups       sync.Pool    // batches of changes that were committed together
	journals     atomic.Int64 // buckets that have one
	journalShare int64        // space for all journals, in bytes; 0: unknown

	damage     damage
	ballast    *ballast // nil unless the store is in the operating system's files
	pins       pins
	reaper     reaper
	backup     sync.Mutex     // held while a backup is made
	intents    sync.RWMutex   // held for reading from the id of a blob file to its record
	sweeping   sync.WaitGroup // files of the last process are being removed
	stopSweep  context.CancelFunc
	unfinished sync.WaitGroup // bodies being received
	closing    sync.Once
	closed     error // what closing returned
}

// Open opens the store in dir, and creates it if it is missing. Only one Store may have it open.
// Open removes the unfinished files of an interrupted process in the background.
func Open(ctx context.Context, dir string, opts Options) (_ *Store, err error) {
	opts = opts.withDefaults()
	fsys, plain := opts.FS, false
	if fsys == nil {
		fsys, plain = vfs.Default, true
	}
	s := &Store{opts: opts, fsys: fsys, index: fsys.PathJoin(dir, "index"), cache: pebble.NewCache(opts.CacheBytes), seed: maphash.MakeSeed()}
	defer s.cache.Unref()
	if err := blob.MakeDir(fsys, dir); err != nil {
		return nil, fmt.Errorf("open store: %w", err)
	}
	// Pebble would create it readable by all users, and small objects with it.
	if err := blob.MakeDir(fsys, s.index); err != nil {
		return nil, fmt.Errorf("open store: index: %w", err)
	}
	s.log = indexlog.New(opts.Log, opts.fatal)
	indexFS := fsys
	if plain {
		s.ballast = newBallast(fsys, dir, opts.Log)
		if err := s.ballast.roomToOpen(); err != nil {
			return nil, fmt.Errorf("open store: %w", err)
		}
		indexFS = vfs.OnDiskFull(fsys, s.ballast.release)
	}
	indexOptions := layout.Options(indexFS, s.cache, s.log)
	if u, err := fsys.GetDiskUsage(dir); plain && err == nil && u.TotalBytes > 0 {
		// Each log of the index takes the space of a write buffer from its start.
		indexOptions.MemTableSize = min(indexOptions.MemTableSize, max(1<<20, u.TotalBytes/64))
		s.journalShare = int64(u.TotalBytes / 10)
	}
	indexOptions.EventListener = s.log.Events()
	if err := checkIndexFiles(fsys, s.index); err != nil {
		return nil, fmt.Errorf("open store: %w", err)
	}
	s.db, err = pebble.Open(s.index, indexOptions)
	if errors.Is(err, syscall.ENOSPC) {
		return nil, fmt.Errorf("open store: the disk of %s is full: free some space and start again: %w", dir, err)
	}
	if err != nil {
		return nil, fmt.Errorf("open store: index: %w", incomplete(err))
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
	s.listLog()
	s.startSweep(ctx)
	return s, nil
}

// Close waits for writes in progress and releases the files. Contents and snapshots must be closed
// before; no method may be called afterwards.
func (s *Store) Close() error {
	s.closing.Do(func() {
		s.stopSweep()
		s.sweeping.Wait()
		s.unfinished.Wait()
		s.closeReaper()
		if s.closed = s.db.Close(); s.closed == nil {
			s.listFiles()
		}
	})
	return s.closed
}

// listLog notes the newest log of the open index. Without the note, the next start cannot notice
// that the log was lost, so a failure is only logged.
func (s *Store) listLog() {
	if err := writeOpenLog(s.fsys, s.index); err != nil {
		s.opts.Log.Warn("store: the log of the index could not be noted; a lost one may go unnoticed", "err", err)
	}
}

// listFiles lists the files of the closed index. Without the list, the next start cannot notice
// that one was lost, so a failure is only logged.
func (s *Store) listFiles() {
	if err := writeIndexFiles(s.fsys, s.index); err != nil {
		s.opts.Log.Warn("store: the files of the index could not be listed; a lost one may go unnoticed", "err", err)
	}
}

// get returns the value of a key of the index, nil if there is none.
func (s *Store) get(key []byte) ([]byte, error) { return get(s.db, key) }

func (s *Store) loadCeiling() error {
	v, err := s.get(layout.KeyCeiling)
	if err != nil || v == nil {
		return err
	}
	if len(v) != 8 {
		return fmt.Errorf("%w: ceiling %x", layout.ErrMalformed, v)
	}
	s.ceiling.Store(binary.BigEndian.Uint64(v))
	s.seq.Store(s.ceiling.Load())
	return nil
}
