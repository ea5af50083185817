//go:build cgo && linux

package store

/*
#include <malloc.h>

// A constructor, since every thread gets its arena at its start, and the Go
// runtime has started some before any Go code runs.
__attribute__((constructor)) static void one_arena(void) {
#ifdef M_ARENA_MAX
	mallopt(M_ARENA_MAX, 1);
#endif
}
*/
import "C"

// Blocks of the index come from malloc where Pebble is built with cgo. glibc
// gives each thread that asks an arena of its own, up to eight a core, and
// blocks that one thread allocates and another frees leave them full of holes:
// a long scan then holds twice the memory of its cache and more with each run.
// One arena stays at the size of the cache, and a lock a block is not felt.
