// Package rollup adds up the rows of a report while they are scanned: by storage
// class, size, age, extension and prefix, with the largest, the oldest and the
// newest object. The result is manifest.rollup, which docs/formats/rollup.md
// describes.
//
// A [Builder] takes records in the order of their keys, in bounded memory and
// without an allocation per record. The roll-ups of parts of a report are merged
// by [Merge]: however the rows were cut, the result is that of the whole.
package rollup
