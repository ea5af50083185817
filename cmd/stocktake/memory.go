package main

import (
	"os"
	"runtime/debug"
)

// A run reads blocks of the index at hundreds of megabytes a second, and each block
// is garbage a moment later. With Go's default setting the collector would run
// several times a second. The heap may therefore grow further between collections,
// up to a limit that keeps the process below 256 MiB with the default cache. A
// higher limit is slower: pages that are new to the process cost more than the
// collector.
const (
	gcPercent        = 400
	heapWithoutCache = 96 << 20 // bytes; the collector's target for everything but the cache
)

// boundMemory sets the collector for a server with a cache of so many bytes.
// GOGC and GOMEMLIMIT override it.
func boundMemory(cache int64) {
	if _, ok := os.LookupEnv("GOGC"); !ok {
		debug.SetGCPercent(gcPercent)
	}
	limitMemory(cache + heapWithoutCache)
}

// limitMemory sets the collector's target for the heap, in bytes. GOMEMLIMIT overrides
// it.
func limitMemory(heap int64) {
	if _, ok := os.LookupEnv("GOMEMLIMIT"); !ok {
		debug.SetMemoryLimit(heap)
	}
}
