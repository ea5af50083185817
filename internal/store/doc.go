// Package store is the embedded object store: an index of object versions in
// Pebble and their bytes in files, on one machine, in one directory.
//
// It is what internal/ossapi serves (Buckets, Objects, Writers, Uploads) and a
// Source and a Destination of internal/engine. docs/formats/store.md describes
// what it keeps on disk. Package layout has the keys and rows of the index,
// package blob the files.
//
// # Promises
//
// A change that was answered without an error survives a crash of the machine;
// one that was answered with an error, or not answered, happened whole or not
// at all. Every change is one atomic commit to the index; bytes too large for
// the index are durable in a file before the commit that names it. Concurrent
// commits share one fsync.
//
// Readers never wait for writers. A reader sees one version whole, whatever is
// written or deleted meanwhile; a snapshot sees the bucket as it was.
//
// # Locks, from the outside in
//
// buckets.making (making and removing buckets), bucket.mu (held for reading by a
// change of an object, for writing by one of the bucket), the key's stripe.
// None is held while a body is read or an fsync is awaited, except in changes of
// buckets.
package store
