// Package inflate reads gzip files and raw DEFLATE.
//
// It reads what compress/gzip and compress/flate read, and refuses what they
// refuse. It is several times as fast on reports, whose rows are mostly digits: a
// look-up in its table of codes returns up to three literals at once.
//
// Sources: RFC 1951 and RFC 1952. The shape of the inner loop follows libdeflate:
// 64 bits of input ahead, one refill for several symbols.
package inflate
