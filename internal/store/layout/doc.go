// Package layout is how the index of the store is laid out: its key spaces, the
// bytes of its keys and values, and Pebble's options for it. It reads and writes
// no file. docs/formats/store.md describes the same bytes, and a golden test
// freezes them.
package layout
