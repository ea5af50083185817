package store

import (
	"time"

	"github.com/stocktake/stocktake/internal/store/layout"
)

// An IndexState says how the index is, for metrics. Counts begin at 0 when the store
// is opened.
type IndexState struct {
	Size, Log, Memory, Cache int64 // bytes on disk, of these in the log; bytes of write buffers and of cached blocks

	CacheHits, CacheMisses int64
	ReadAmplification      int   // sorted runs that a read may have to look into
	CompactionDebt         int64 // bytes to compact until the index is in shape

	Compactions, CompactionFailures int64
	Flushes                         int64
	Written                         int64 // bytes, by both

	Stalls    int64 // of writes that had to wait for both
	Stalled   time.Duration
	Snapshots int // open ones
}

// IndexState returns the state of the index.
func (s *Store) IndexState() IndexState {
	m := s.db.Metrics()
	state := IndexState{
		Size: int64(m.DiskSpaceUsage()), Log: int64(m.WAL.PhysicalSize), Memory: int64(m.MemTable.Size), Cache: m.BlockCache.Size,
		CacheHits: m.BlockCache.Hits, CacheMisses: m.BlockCache.Misses,
		ReadAmplification: m.ReadAmp(), CompactionDebt: int64(m.Compact.EstimatedDebt),
		Compactions: m.Compact.Count, CompactionFailures: m.Compact.FailedCount, Flushes: m.Flush.Count,
		Snapshots: m.Snapshots.Count,
	}
	for i := range m.Levels {
		state.Written += int64(m.Levels[i].TableBytesFlushed + m.Levels[i].TableBytesCompacted)
	}
	state.Stalls, state.Stalled = s.log.stalled()
	return state
}

// Totals returns how many buckets the store has, how many objects, versions and delete
// markers are in them, and the size of those in bytes.
func (s *Store) Totals() (buckets int, objects, bytes int64) {
	s.buckets.mu.RLock()
	defer s.buckets.mu.RUnlock()
	for _, b := range s.buckets.byName {
		sum := b.stat.load()
		objects += sum.Versions()
		for _, n := range sum[layout.StatBytes:layout.StatMarkers] {
			bytes += n
		}
	}
	return len(s.buckets.byName), objects, bytes
}

// Disk returns the free bytes of the disk that the store is on, as far as this user
// may fill it, and its size. Both are 0 if the disk does not tell.
func (s *Store) Disk() (free, size int64, err error) { return s.blobs.Disk() }
