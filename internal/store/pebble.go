package store

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/bloom"
	"github.com/cockroachdb/pebble/v2/sstable"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// indexOptions are Pebble's options for an index that is read in long scans and
// written in small synced batches.
func indexOptions(o Options, fsys vfs.FS, cache *pebble.Cache) *pebble.Options {
	p := &pebble.Options{
		Cache:                       cache,
		Comparer:                    comparer,
		Merger:                      merger,
		FS:                          fsys,
		FormatMajorVersion:          pebble.FormatValueSeparation,
		Logger:                      &indexLog{log: o.Log, fatal: o.fatal},
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
	// Nine tenths of the rows are in the last level, and most reads that get that
	// far find what they look for: filters there would only push blocks out of the
	// cache.
	p.Levels[len(p.Levels)-1].FilterPolicy = pebble.NoFilterPolicy
	p.TargetFileSizes[0] = 4 << 20
	// Reads are not sampled: what they would have compacted, long scans pass once.
	p.Experimental.ReadSamplingMultiplier = -1
	// A scan wants the values of old versions too, so none is put aside.
	rows := pebble.KeyRange{Start: []byte{spaceVersions}, End: []byte{spaceVersions + 1}}
	p.Experimental.SpanPolicyFunc = pebble.MakeStaticSpanPolicyFunc(comparer.Compare, rows, pebble.SpanPolicy{
		DisableValueSeparationBySuffix: true, ValueStoragePolicy: pebble.ValueStorageLowReadLatency,
	})
	return p
}

// compression leaves blocks as they are that it would not make smaller by two
// fifths. Those are blocks of rows, half of whose bytes are hashes: Snappy makes
// them smaller by a third, and takes a third of the time of a scan to undo it.
// Bodies of text are compressed.
var compression = func() sstable.CompressionProfile {
	p := *sstable.SnappyCompression
	p.MinReductionPercent = 40
	return p
}()

// indexLog carries Pebble's log into ours.
type indexLog struct {
	log   *slog.Logger
	fatal func(error)
}

func (l *indexLog) Infof(format string, args ...any) {
	if l.log.Enabled(context.Background(), slog.LevelDebug) {
		l.log.Debug("index: " + fmt.Sprintf(format, args...))
	}
}

func (l *indexLog) Errorf(format string, args ...any) {
	l.log.Error("index: " + fmt.Sprintf(format, args...))
}

func (l *indexLog) Fatalf(format string, args ...any) {
	err := fmt.Errorf("index: "+format, args...)
	l.log.Error("the index cannot go on; the process ends", "err", err)
	l.fatal(err)
}
