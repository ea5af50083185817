// Package report is the format of a full inventory report, both ways.
//
// To write one, an [Encoder] makes rows of records, a [Compressor] makes the
// stored bytes of a shard of them, a [ShardWriter] counts, hashes and cuts. To
// read one, [Find] looks for the newest, [Open] reads its manifest, and
// [Report.Rows] its rows; [Verify] holds all of it against manifest and
// summary, [Rollup] adds it up.
//
// The layout is that of OSS, described in docs/formats/report.md and
// docs/formats/summary.md.
package report
