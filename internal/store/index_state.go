package store

import (
	"maps"
	"slices"
	"time"

	"github.com/stocktake/stocktake/internal/store/layout"
)

// An IndexState is the state of the index, for metrics. Counts begin at 0 when the
// store is opened.
type IndexState struct {
	Size, Log, Memory, Cache int64 // bytes on disk, of these in the log; bytes of write buffers and of cached blocks

	CacheHits, CacheMisses int64
	ReadAmplification      int   // sorted runs that a read may have to search
	CompactionDebt         int64 // estimated bytes to compact

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
	state.Stalls, state.Stalled = s.log.Stalled()
	return state
}

// Totals are sums over all buckets of a store.
type Totals struct {
	Buckets      int
	Objects      int64 // with versions and delete markers
	Bytes        int64 // of the objects and versions
	Journals     int   // buckets whose changes are kept for incremental reports
	JournalBytes int64 // of the changes that are kept

	JournalLargest int64 // bytes of the largest journal
	JournalLimit   int64 // of the bytes of each journal
	JournalLost    int64 // changes in gaps that some reader has not passed
}

// Totals returns the sums over all buckets. It reads memory only.
func (s *Store) Totals() (t Totals) {
	s.buckets.mu.RLock()
	all := slices.Collect(maps.Values(s.buckets.byName))
	s.buckets.mu.RUnlock()
	t.Buckets, t.JournalLimit = len(all), s.journalLimit()
	for _, b := range all {
		sum := b.stat.load()
		t.Objects += sum.Versions()
		for _, n := range sum[layout.StatBytes:layout.StatMarkers] {
			t.Bytes += n
		}
		if j := b.journal.Load(); j != nil {
			j.mu.Lock()
			t.Journals++
			t.JournalBytes += j.kept()
			t.JournalLargest = max(t.JournalLargest, j.kept())
			t.JournalLost += int64(j.lost())
			j.mu.Unlock()
		}
	}
	return t
}

// Disk returns the free bytes of the store's disk that this user may fill, and its size. Both are 0
// if unknown.
func (s *Store) Disk() (free, size int64, err error) { return s.blobs.Disk() }
