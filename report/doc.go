// Package report reads, writes and verifies full inventory reports.
//
// To write a report, a [ShardWriter] encodes records in a [Format], cuts them into
// shards, and counts and hashes each shard. To read one, [Find] returns the
// newest report of a configuration, [Open] reads its manifest and summary,
// [Report.Rows] yields its rows, and [Report.RowsFrom] yields those from a key on.
// [Verify] checks every file of a report against manifest and summary, and
// [Report.Rollup] adds up its rows.
//
// The layout is that of OSS bucket inventory. docs/formats/report.md and
// docs/formats/summary.md describe it.
package report
