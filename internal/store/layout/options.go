package layout

import (
	"bytes"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/bloom"
	"github.com/cockroachdb/pebble/v2/sstable"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// Options returns Pebble's options for an index that is read in long scans and
// written in small synced batches.
func Options(fsys vfs.FS, cache *pebble.Cache, log pebble.Logger) *pebble.Options {
	p := &pebble.Options{
		Cache:                       cache,
		Comparer:                    comparer,
		Merger:                      merger,
		FS:                          fsys,
		FormatMajorVersion:          pebble.FormatValueSeparation,
		Logger:                      log,
		MemTableSize:                16 << 20,
		MemTableStopWritesThreshold: 4,
		L0CompactionThreshold:       4,
		L0StopWritesThreshold:       24,
		LBaseMaxBytes:               64 << 20,
		CompactionConcurrencyRange:  func() (int, int) { return 1, 2 },
	}
	for i := range p.Levels {
		l := &p.Levels[i]
		l.BlockSize = 32 << 10
		l.IndexBlockSize = 256 << 10
		l.Compression = func() *sstable.CompressionProfile { return &compression }
		l.FilterPolicy = bloom.FilterPolicy(10)
	}
	// Nine tenths of the rows are in the last level, and most reads that reach it succeed: filters
	// there would only evict blocks from the cache.
	p.Levels[len(p.Levels)-1].FilterPolicy = pebble.NoFilterPolicy
	p.TargetFileSizes[0] = 4 << 20
	// Reads are not sampled: a compaction triggered by a scan would not pay, since the scan does
	// not come back.
	p.Experimental.ReadSamplingMultiplier = -1
	p.Experimental.SpanPolicyFunc = spanPolicy
	return p
}

// spanPolicy returns Pebble's policy for the keys from start, and the end of its range. Pebble ends
// a table there: no table has keys of two ranges.
//
//   - Rows of versions: a scan also reads the values of old versions, so none is
//     stored apart.
//   - Journals: new keys are behind all old ones, so their tables overlap no others. They move down
//     the levels without being rewritten, and a trim drops whole tables. In one table with keys of
//     other spaces, which are written all over their ranges, they would be rewritten with them by
//     each compaction.
func spanPolicy(start []byte) (pebble.SpanPolicy, []byte, error) {
	none, rows := pebble.SpanPolicy{}, pebble.SpanPolicy{DisableValueSeparationBySuffix: true, ValueStoragePolicy: pebble.ValueStorageLowReadLatency}
	var space byte
	if len(start) > 0 {
		space = start[0]
	}
	switch {
	case space < SpaceJournal:
		return none, []byte{SpaceJournal}, nil
	case space == SpaceJournal:
		return none, []byte{SpaceJournal + 1}, nil
	case space < SpaceVersions:
		return none, []byte{SpaceVersions}, nil
	case space == SpaceVersions:
		return rows, []byte{SpaceVersions + 1}, nil
	default:
		return none, nil, nil
	}
}

// compression keeps blocks uncompressed unless they shrink by two fifths. Blocks of
// rows do not, since half of their bytes are hashes: Snappy shrinks them by a
// third, and decompression would take a third of the time of a scan. Bodies of text
// are compressed.
var compression = func() sstable.CompressionProfile {
	p := *sstable.SnappyCompression
	p.MinReductionPercent = 40
	return p
}()

// comparer orders index keys by their bytes. Unlike the default it tells Pebble that the versions
// of an object share a prefix, so that filters work per object.
var comparer = func() *pebble.Comparer {
	c := *pebble.DefaultComparer
	c.Name = "stocktake.index.v1"
	c.Split = split
	// Shortened keys must not be cut inside a key head, or their split would differ from that of
	// the original keys; whole keys are always correct.
	c.Separator = func(dst, a, _ []byte) []byte { return append(dst, a...) }
	c.Successor = func(dst, a []byte) []byte { return append(dst, a...) }
	c.ImmediateSuccessor = func(dst, prefix []byte) []byte {
		if n := len(prefix); n > BucketHeadLen && prefix[0] == SpaceVersions && bytes.HasSuffix(prefix, []byte{0, 1}) {
			return append(append(dst, prefix[:n-1]...), 2)
		}
		return append(append(dst, prefix...), 0)
	}
	return &c
}()
