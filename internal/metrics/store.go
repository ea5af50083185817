package metrics

import "time"

const (
	sectionStore   section = "Embedded store"
	sectionIndex   section = "Index of the embedded store"
	sectionCatalog section = "Catalog"
)

var (
	diskFull     = sectionStore.gauge("disk_full", "1 while writes are refused because the disk is full, else 0.")
	diskFree     = sectionStore.gauge("disk_free_bytes", "Free bytes on the disk of the data folder, as far as this user may fill it.")
	diskSize     = sectionStore.gauge("disk_size_bytes", "Size in bytes of the disk of the data folder.")
	buckets      = sectionStore.gauge("buckets", "Buckets of the embedded store.")
	objects      = sectionStore.gauge("objects", "Objects, versions and delete markers in the embedded store.")
	objectBytes  = sectionStore.gauge("object_bytes", "Size in bytes of the objects and versions in the embedded store.")
	journals     = sectionStore.gauge("journals", "Buckets whose changes are kept for incremental reports.")
	journalBytes = sectionStore.gauge("journal_bytes", "Bytes of the changes that are kept for incremental reports, in the index.")
	journalMax   = sectionStore.gauge("journal_largest_bytes", "Bytes of the changes that are kept for the bucket that has most.")
	journalLimit = sectionStore.gauge("journal_limit_bytes", "Limit of the bytes that are kept of one bucket (--journal-size, or a share of the disk); beyond it the oldest changes are lost.")
	journalLost  = sectionStore.gauge("journal_lost_changes", "Changes that were lost and that incremental reports still have to state as a gap.")
	damagedReads = sectionStore.counter("damaged_reads_total", "Reads of objects that failed because stored bytes are damaged.")
	damagedIndex = sectionStore.gauge("damaged_index_files", "Files of the index in which damaged blocks were found since the start.")
	scrubLast    = sectionStore.gauge("scrub_last_end_timestamp_seconds", "When the last complete scrub ended, in Unix seconds; 0: never.")
	scrubRunning = sectionStore.gauge("scrub_running", "1 while the store is scrubbed, else 0.")
	scrubDamaged = sectionStore.gauge("scrub_damaged_objects", "Damaged objects that the last scrub since the start has found so far.")

	indexSize       = sectionIndex.gauge("index_size_bytes", "Bytes on disk of the index and its log.")
	indexLog        = sectionIndex.gauge("index_log_bytes", "Bytes of the index's write-ahead log.")
	indexMemory     = sectionIndex.gauge("index_memtable_bytes", "Memory of the index's write buffers.")
	indexCache      = sectionIndex.gauge("index_cache_bytes", "Memory of the index's block cache in use (--cache-size is its limit).")
	indexHits       = sectionIndex.counter("index_cache_hits_total", "Blocks of the index that were found in the cache.")
	indexMisses     = sectionIndex.counter("index_cache_misses_total", "Blocks of the index that were read from disk.")
	indexReadAmp    = sectionIndex.gauge("index_read_amplification", "Sorted runs of the index that a read may have to look into. Above 20, compaction does not keep up.")
	indexDebt       = sectionIndex.gauge("index_compaction_debt_bytes", "Estimated bytes that must be compacted until compaction has caught up.")
	indexCompaction = sectionIndex.counter("index_compactions_total", "Compactions of the index.")
	indexFailures   = sectionIndex.counter("index_compaction_failures_total", "Compactions of the index that failed and are tried again.")
	indexFlushes    = sectionIndex.counter("index_flushes_total", "Write buffers of the index that were written to disk.")
	indexWritten    = sectionIndex.counter("index_written_bytes_total", "Bytes that flushes and compactions of the index have written.")
	indexStalls     = sectionIndex.counter("index_write_stalls_total", "Times that writes had to wait because flushes or compactions did not keep up.")
	indexStalled    = sectionIndex.counter("index_write_stall_seconds_total", "How long writes had to wait in such stalls.")
	indexSnapshots  = sectionIndex.gauge("index_snapshots", "Open snapshots of the index: runs and listings that read an old state.")

	catalogSize    = sectionCatalog.gauge("catalog_size_bytes", "Bytes on disk of the catalog and its log.")
	catalogChanges = sectionCatalog.counter("catalog_changes_total", "Requested changes of configurations, runs and notices.")
	catalogCommits = sectionCatalog.counter("catalog_commits_total", "Transactions that the catalog has made; changes that come together share one.")
	catalogErrors  = sectionCatalog.counter("catalog_errors_total", "Transactions of the catalog that failed.")
	catalogSeconds = sectionCatalog.counter("catalog_commit_seconds_total", "Time that transactions of the catalog took, waiting for the disk included.")
)

// StoreState is the state of the embedded store that metrics export.
type StoreState struct {
	DiskFull           bool // writes are rejected
	DiskFree, DiskSize int64
	Buckets            int
	Objects, Bytes     int64
	Journals           int
	JournalBytes       int64
	JournalLargest     int64 // bytes of the largest journal
	JournalLimit       int64 // limit on the bytes of each journal
	JournalLost        int64 // changes in gaps that some readers have not passed yet
	DamagedReads       int64 // reads that failed since the start because stored bytes are damaged
	DamagedIndex       int   // files of the index with damaged blocks, found since the start
}

// Store exports the state of the embedded store.
func (m *Metrics) Store(state func() (StoreState, error)) {
	m.reads(func(emit emitter) error {
		s, err := state()
		if err != nil {
			return err
		}
		emit(diskFull, number(s.DiskFull))
		emit(diskFree, float64(s.DiskFree))
		emit(diskSize, float64(s.DiskSize))
		emit(buckets, float64(s.Buckets))
		emit(objects, float64(s.Objects))
		emit(objectBytes, float64(s.Bytes))
		emit(journals, float64(s.Journals))
		emit(journalBytes, float64(s.JournalBytes))
		emit(journalMax, float64(s.JournalLargest))
		emit(journalLimit, float64(s.JournalLimit))
		emit(journalLost, float64(s.JournalLost))
		emit(damagedReads, float64(s.DamagedReads))
		emit(damagedIndex, float64(s.DamagedIndex))
		return nil
	}, diskFull, diskFree, diskSize, buckets, objects, objectBytes, journals, journalBytes, journalMax, journalLimit, journalLost, damagedReads, damagedIndex)
}

// ScrubState is the state of scrubs that metrics export.
type ScrubState struct {
	Last    time.Time // end of the last complete scrub; zero: none
	Running bool
	Damaged int64 // found by the last scrub since the start
}

// Scrub exports the scrubs of the embedded store.
func (m *Metrics) Scrub(state func() (ScrubState, error)) {
	m.reads(func(emit emitter) error {
		s, err := state()
		if err != nil {
			return err
		}
		last := 0.0
		if !s.Last.IsZero() {
			last = seconds(s.Last)
		}
		emit(scrubLast, last)
		emit(scrubRunning, number(s.Running))
		emit(scrubDamaged, float64(s.Damaged))
		return nil
	}, scrubLast, scrubRunning, scrubDamaged)
}

// IndexState is the state of the embedded store's index that metrics export.
type IndexState struct {
	Size, Log, Memory, Cache        int64 // bytes
	CacheHits, CacheMisses          int64
	ReadAmplification               int
	CompactionDebt                  int64 // bytes
	Compactions, CompactionFailures int64
	Flushes, Written                int64
	Stalls                          int64
	Stalled                         time.Duration
	Snapshots                       int
}

// Index exports the state of the embedded store's index.
func (m *Metrics) Index(state func() IndexState) {
	m.reads(func(emit emitter) error {
		s := state()
		emit(indexSize, float64(s.Size))
		emit(indexLog, float64(s.Log))
		emit(indexMemory, float64(s.Memory))
		emit(indexCache, float64(s.Cache))
		emit(indexHits, float64(s.CacheHits))
		emit(indexMisses, float64(s.CacheMisses))
		emit(indexReadAmp, float64(s.ReadAmplification))
		emit(indexDebt, float64(s.CompactionDebt))
		emit(indexCompaction, float64(s.Compactions))
		emit(indexFailures, float64(s.CompactionFailures))
		emit(indexFlushes, float64(s.Flushes))
		emit(indexWritten, float64(s.Written))
		emit(indexStalls, float64(s.Stalls))
		emit(indexStalled, s.Stalled.Seconds())
		emit(indexSnapshots, float64(s.Snapshots))
		return nil
	}, indexSize, indexLog, indexMemory, indexCache, indexHits, indexMisses, indexReadAmp, indexDebt,
		indexCompaction, indexFailures, indexFlushes, indexWritten, indexStalls, indexStalled, indexSnapshots)
}

// CatalogState is the state of the catalog that metrics export.
type CatalogState struct {
	Size                     int64 // bytes
	Changes, Commits, Errors int64
	Took                     time.Duration // of all commits
}

// Catalog exports the state of the catalog.
func (m *Metrics) Catalog(state func() (CatalogState, error)) {
	m.reads(func(emit emitter) error {
		s, err := state()
		if err != nil {
			return err
		}
		emit(catalogSize, float64(s.Size))
		emit(catalogChanges, float64(s.Changes))
		emit(catalogCommits, float64(s.Commits))
		emit(catalogErrors, float64(s.Errors))
		emit(catalogSeconds, s.Took.Seconds())
		return nil
	}, catalogSize, catalogChanges, catalogCommits, catalogErrors, catalogSeconds)
}
