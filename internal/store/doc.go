// Package store is the embedded object store. It keeps an index of object versions in Pebble and
// their bytes in files, in one directory.
//
// internal/ossapi serves it (Buckets, Objects, Appends, Uploads), and internal/engine uses it as a
// Source and a Destination. docs/formats/store.md describes its files. Package layout has the keys
// and rows of the index, package blob the files.
//
// # Promises
//
// A change that returned without an error survives a crash of the machine. A change that returned
// an error, or did not return, was made completely or not at all. Every change is one atomic commit
// to the index; bytes too large for the index are durable in a file before the commit that names
// it. Concurrent commits share one fsync.
//
// Readers never wait for writers. A reader sees one complete version, even if it is overwritten or
// deleted meanwhile; a snapshot sees the bucket at one instant.
//
// # Locks, in the order of locking
//
// buckets.making (making and removing buckets), bucket.mu (held for reading by a
// change of an object, for writing by one of the bucket), the key's stripe.
// None is held while a body is read or an fsync is awaited, except in changes of
// buckets.
package store
