// Package csvgz implements the format of CSV shards compressed with gzip.
//
// Its [Encoder] formats and compresses rows in one step, several times as fast as a
// general compressor alone. A general compressor spends its time searching for
// repetitions. The rows of a report are sorted and similar, so the encoder knows
// without a search what repeats and where: a key shares its beginning and its end
// with the previous key, dates and sets of small columns repeat earlier ones, and
// the rest is digits. The encoder emits these matches and takes single digits,
// pairs and triples from tables of ready codes. It keeps its Huffman codes while
// they fit, which it checks by sampling a few rows in a thousand.
//
// The output is plain DEFLATE in one gzip member (RFC 1951, RFC 1952).
// docs/performance.md has the measurements.
package csvgz
