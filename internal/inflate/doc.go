// Package inflate reads gzip files and raw DEFLATE.
//
// It accepts and rejects the same input as compress/gzip and compress/flate. It is
// several times as fast on reports, whose rows are mostly digits: one lookup in a
// table of codes returns up to three literals.
//
// Sources: RFC 1951 and RFC 1952. The inner loop follows libdeflate: 64 bits of
// input are buffered, and one refill serves several symbols.
package inflate
