// Package report reads, writes, compares and verifies full inventory reports.
//
// To read a report, [Newest] returns the newest one of a configuration, [Open]
// reads its manifest and summary, [Report.Rows] yields its rows, [Report.Read]
// those of a range of keys with the columns that are wanted, and [Report.Find]
// those of a key or a prefix. [Report.Split] cuts a report into ranges for several
// goroutines. [Diff] compares two reports, [Convert] writes a report in another
// format, [Verify] checks every file of a report against manifest and summary,
// [Report.ReadRollup] returns the totals that were made with the report, and
// [Report.AddUp] adds up its rows. All of it reads from a [Bucket], which may be
// a folder.
//
// To write one, a [ShardWriter] encodes records in a [Format], cuts them into
// shards, and counts and hashes each shard.
//
// The layout is that of OSS bucket inventory. docs/formats/report.md and
// docs/formats/summary.md describe it.
package report
