// Package layout defines the layout of the store's index: its key spaces, the encoding of its keys
// and values, and Pebble's options for it. It reads and writes no file. docs/formats/store.md
// describes the same bytes, and a golden test freezes them.
//
// format.go has the numbers, encode.go what a change writes, decode.go what a scan or a reader gets
// back.
package layout
