package main

import (
	"os"
	"runtime/debug"
)

// Beside the block cache the process needs little, but a run goes through blocks
// of the index at hundreds of megabytes a second, each of them garbage a moment
// later: with Go's usual setting the collector would run several times in the
// second that a run takes. So the heap may grow further before it is collected,
// up to a limit that keeps the process under 256 MiB with the default cache, and its
// pages the same ones: memory that is new to the process costs more than the
// collector does.
const (
	gcPercent  = 400
	besideHeap = 96 << 20 // bytes beside the cache that the collector aims to stay below
)

// boundMemory sets the collector for a server with a cache of so many bytes. What
// GOGC and GOMEMLIMIT say is stronger.
func boundMemory(cache int64) {
	if _, ok := os.LookupEnv("GOGC"); !ok {
		debug.SetGCPercent(gcPercent)
	}
	if _, ok := os.LookupEnv("GOMEMLIMIT"); !ok {
		debug.SetMemoryLimit(cache + besideHeap)
	}
}
