// Package rollup computes the totals of a report while it is scanned: by storage
// class, size, age, extension and prefix, with the largest, the oldest and the
// newest object. The result is manifest.rollup, which docs/formats/rollup.md
// describes.
//
// A [Builder] takes records in the order of their keys, in bounded memory and
// without an allocation per record. [Merge] merges the roll-ups of parts of a
// report: however the rows were cut, the result is that of the whole.
package rollup
