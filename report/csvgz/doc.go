// Package csvgz turns records into the shards of a CSV report, gzip streams of
// rows, in one step: it formats and compresses at once, several times as fast
// as a general compressor alone takes for rows that are already formatted.
//
// A general compressor spends its time looking for repetitions. Here nothing
// is looked for. The rows of a report are sorted and alike, so it is known what
// repeats and from where: a key shares its beginning and its end with the key
// before, a date and a set of small columns stand where they stood last, and
// the rest is digits. The encoder emits the matches it knows, digits and
// hexadecimal pairs and triples from tables of ready codes, and keeps its
// Huffman codes as long as the statistics hold, which it watches by counting
// a few rows in a thousand.
//
// What comes out is ordinary DEFLATE in an ordinary gzip member (RFC 1951,
// RFC 1952). docs/performance.md has the measurements.
package csvgz
