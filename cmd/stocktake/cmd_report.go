package main

// reportCmd is `stocktake report`.
type reportCmd struct {
	Ls      reportLs      `cmd:"" aliases:"list" help:"List reports in a bucket or a folder."`
	Show    reportShow    `cmd:"" help:"Show a report: manifest, first rows, totals, largest prefixes."`
	Find    reportFind    `cmd:"" help:"Find a key, or the keys with a prefix, without reading the whole report. Exit code 1 if there is none."`
	Cat     reportCat     `cmd:"" help:"Print rows as CSV, JSON lines or a table."`
	Diff    reportDiff    `cmd:"" help:"Compare two reports: what was added, removed and changed. Exit code 1 if they differ."`
	Apply   reportApply   `cmd:"" help:"Apply incremental reports to a full report: the table at a later time."`
	Convert reportConvert `cmd:"" help:"Write a report in another format, with other columns, or with some of its rows."`
	Summary reportSummary `cmd:"" help:"Show what uses the space of a bucket: totals by prefix, storage class, age, size and extension."`
	Browse  reportBrowse  `cmd:"" help:"Browse a report full-screen: prefixes by size or count, the largest objects, changes."`
	Verify  reportVerify  `cmd:"" help:"Check every file of a report, or of all, against manifest, summary and totals. Exit code 1 if anything is wrong."`
}
